//===- ElementOps.h - ops on elements as C++ expressions --------*- C++ -*-===//
//
// Elements are C++ variables: floats of 16 bits are held as `float` and rounded
// after every op, i1 is `bool`, index is `int`. An i32 is `int`, or `u32` where
// it takes part in bit operations, so that it may wrap.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_TARGET_CUDA_ELEMENTOPS_H
#define COMPILER_TARGET_CUDA_ELEMENTOPS_H

#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseSet.h"

#include <optional>
#include <string>

namespace tarn::cuda {

/// The integers of a kernel that are unsigned variables: those that meet in bit
/// operations and additions. Signed ops cast them.
class UnsignedValues {
public:
  explicit UnsignedValues(mlir::Operation *kernel);
  /// Whether `value` (an integer or a tile of them) is an unsigned variable.
  bool contains(mlir::Value value) const { return values.contains(value); }

private:
  llvm::DenseSet<mlir::Value> values;
};

/// The type of a variable that holds an element of `type`; empty if there is
/// none.
std::string variableType(mlir::Type type, bool isUnsigned = false);
/// The type of an element in memory; empty if there is none.
std::string memoryType(mlir::Type type);
/// Bytes of an element in memory.
int64_t memoryBytes(mlir::Type type);
/// A number as C++ text; empty if it cannot be written.
std::string literal(mlir::Attribute value, bool isUnsigned = false);
/// `x` in parentheses unless it is a name, a number, a call or an element.
std::string wrap(const std::string &x);
/// Whether `x` is a name or a number.
bool isAtom(llvm::StringRef x);

/// One op of arith or math on elements; `result` says which of its results.
/// Empty if it is not known.
std::string applyElementOp(mlir::Operation *op,
                           llvm::ArrayRef<std::string> operands,
                           const UnsignedValues &isUnsigned,
                           unsigned result = 0);

} // namespace tarn::cuda

#endif // COMPILER_TARGET_CUDA_ELEMENTOPS_H
