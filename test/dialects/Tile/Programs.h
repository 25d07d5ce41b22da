//===- Programs.h - the tile programs of the test suite ---------*- C++ -*-===//
//
// programs/*.mlir are templates: `@M@` stands for a size. Tests of the dialect
// and of both targets instantiate them through this header.
//
//===----------------------------------------------------------------------===//

#ifndef TEST_DIALECTS_TILE_PROGRAMS_H
#define TEST_DIALECTS_TILE_PROGRAMS_H

#include "dialects/Tile/Interpreter.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"

#include <map>
#include <string>
#include <vector>

namespace tarn::tile::test {

/// The sizes, and other words, that replace `@NAME@` in a template.
using Sizes = std::map<std::string, std::string>;

/// Loads the dialects that tile programs use.
void loadDialects(mlir::MLIRContext &context);

/// The text of programs/NAME.mlir with `sizes` put in; empty if there is none.
std::string instantiate(const std::string &name, const Sizes &sizes);

/// A module parsed and verified from text; null after a diagnostic.
mlir::OwningOpRef<mlir::ModuleOp> parse(mlir::MLIRContext &context,
                                        const std::string &text);

/// The first kernel of a module.
KernelOp firstKernel(mlir::ModuleOp module);

/// `count` numbers in [-1, 1) from a fixed sequence for each seed, rounded to
/// f32 so that every target can hold them.
std::vector<double> randomNumbers(int64_t count, uint64_t seed);

/// Rounds numbers to bf16.
std::vector<double> toBf16(std::vector<double> numbers);

/// The largest |a - b|; infinite if the sizes differ or a number is NaN on one
/// side only.
double maxError(const std::vector<double> &a, const std::vector<double> &b);

} // namespace tarn::tile::test

#endif // TEST_DIALECTS_TILE_PROGRAMS_H
