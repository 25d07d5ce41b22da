//===- Interpreter.h - run tile programs on the host ------------*- C++ -*-===//
//
// The oracle for everything that is lowered from `tile`: runs a kernel block
// by block on arrays of doubles.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_TILE_INTERPRETER_H
#define DIALECTS_TILE_INTERPRETER_H

#include "dialects/Tile/TileOps.h"

namespace tarn::tile {

/// The elements of a buffer, row-major, `stride` doubles apart. Integers are
/// held as doubles, so an i64 is exact up to 2^53.
struct HostBuffer {
  double *data = nullptr;
  int64_t count = 0;
  int64_t stride = 1;

  HostBuffer() = default;
  /// A view of `values`.
  HostBuffer(std::vector<double> &values)
      : data(values.data()), count(values.size()) {}
  HostBuffer(double *data, int64_t count, int64_t stride)
      : data(data), count(count), stride(stride) {}
  /// Element `i`.
  double &operator[](int64_t i) const { return data[i * stride]; }
};

/// How floats are computed.
enum class Rounding {
  /// In double, whatever the element type: the mathematical reference.
  exact64,
  /// Every op's result is rounded to its element type.
  typed,
};

struct InterpretOptions {
  Rounding rounding = Rounding::exact64;
  /// 0 runs blocks in order; other values choose another allowed order. The
  /// result may not depend on it.
  uint64_t orderSeed = 0;
  /// Every element of `write` and `partial` buffers must be stored.
  bool requireAllStored = false;
};

/// Runs every block of `kernel` on `buffers`, one per buffer argument.
/// Reports as errors: buffers of a wrong size, an element stored twice, an
/// element that blocks accumulate to in no fixed order, a division of integers
/// by zero, ops it does not know.
mlir::LogicalResult interpretKernel(KernelOp kernel,
                                    llvm::MutableArrayRef<HostBuffer> buffers,
                                    const InterpretOptions &options = {});

/// Runs block number `block` only, without the checks across blocks.
mlir::LogicalResult interpretBlock(KernelOp kernel, int64_t block,
                                   llvm::MutableArrayRef<HostBuffer> buffers,
                                   const InterpretOptions &options = {});

/// `value` as an element of `type` holds it: rounded to nearest even, or
/// wrapped.
double roundTo(mlir::Type type, double value);
/// `value` as `dot` multiplies it under `tf32`.
double roundToTf32(double value);

} // namespace tarn::tile

#endif // DIALECTS_TILE_INTERPRETER_H
