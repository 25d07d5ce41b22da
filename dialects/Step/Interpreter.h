//===- Interpreter.h - run step programs on the host ------------*- C++ -*-===//

#ifndef DIALECTS_STEP_INTERPRETER_H
#define DIALECTS_STEP_INTERPRETER_H

#include "dialects/Step/StepOps.h"
#include "dialects/Tile/Interpreter.h"

#include <array>
#include <vector>

namespace tarn::step {

/// The memory spaces of a program. Elements are doubles kept at the
/// offset of their first byte, so that aliasing and reuse behave as in memory
/// while values keep double precision. Everything is NaN until it is written.
class HostMemory {
public:
  explicit HostMemory(ProgramOp program);

  /// Writes a dense array of elements of `elementBytes` into a slice.
  void write(SliceAttr slice, int64_t elementBytes,
             llvm::ArrayRef<double> values);
  /// Reads a dense array of elements of `elementBytes`.
  std::vector<double> read(SliceAttr slice, int64_t elementBytes) const;
  /// The elements of a slice in turn `turn` as a buffer of the tile
  /// interpreter.
  tile::HostBuffer view(SliceAttr slice, int64_t elementBytes, int64_t turn);
  /// Copies a slice; turns as above.
  void copy(SliceAttr to, SliceAttr from, int64_t turn);
  /// Sets a slice to `number`, zero if none is given.
  void fill(SliceAttr to, int64_t turn, double number = 0);

private:
  std::vector<double> &space(Space space) {
    return spaces[static_cast<unsigned>(space)];
  }
  std::array<std::vector<double>, std::size(allSpaces)> spaces;
};

/// The binding of `name` with `role` (any role if empty), or null.
BindOp findBinding(ProgramOp program, llvm::StringRef name,
                   llvm::StringRef role = {});

/// Runs the program's steps in order, kernels by the tile interpreter. A copy
/// that is started is made at its wait, as late as it may be, and its target is
/// NaN until then: a step that does not wait shows in values.
mlir::LogicalResult
interpretProgram(ProgramOp program, HostMemory &memory,
                 const tile::InterpretOptions &options = {});

} // namespace tarn::step

#endif // DIALECTS_STEP_INTERPRETER_H
