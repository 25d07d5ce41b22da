//===- Emitter.h - a tile program as loops over vectors ---------*- C++ -*-===//
//
// Walks a tile program in order. Elementwise values are expressions: nothing is
// emitted for them until a *root* (a store, a reduction, a value that needs
// memory) asks for their elements, vector by vector, in a *sweep* over the
// tile. Roots of one shape that do not wait for each other share a sweep. Dots
// and loops end it. Values that cross such a border live in scratch memory.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_TARGET_CPU_EMITTER_H
#define COMPILER_TARGET_CPU_EMITTER_H

#include "compiler/Target/Cpu/CpuTarget.h"
#include "compiler/Target/Cpu/Ranges.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallVector.h"

namespace tarn::cpu {

using mlir::Location;
using mlir::LogicalResult;
using mlir::OpBuilder;
using mlir::Operation;
using mlir::RankedTensorType;
using mlir::Type;
using mlir::Value;

/// Where in a tile: an index per dim, and how many lanes along the last one.
struct Point {
  llvm::SmallVector<Value> index;
  int64_t lanes = 1;
};

/// A tile in scratch memory: flat, rows of `pitch` elements, `rows` of them for
/// each index of the first dim of a rank-3 tile.
struct Storage {
  Value memref;
  int64_t pitch = 1;
  int64_t rows = 1;
};

/// A float type that nothing computes in.
bool isNarrowFloat(Type type);

/// The integer that holds an element in memory, where that is not its own
/// type: a byte for a boolean, the bits of a narrow float (LLVM takes masked
/// vectors of these apart, with a function call for each lane).
Type memoryType(Type elementType);

class Emitter {
public:
  Emitter(tile::KernelOp kernel, const Isa &level, mlir::ModuleOp module);

  /// Emits `SYMBOL.body`; returns the bytes of all scratches.
  mlir::FailureOr<int64_t> emit();

private:
  friend class DotEmitter;

  // Emitter.cpp: the walk.
  LogicalResult emitBlock(mlir::Block &block);
  LogicalResult emitLast(llvm::ArrayRef<tile::StoreOp> stores);
  LogicalResult emitOp(Operation *op);
  LogicalResult emitFor(mlir::scf::ForOp loop);
  LogicalResult emitIf(mlir::scf::IfOp branch);
  LogicalResult emitDot(tile::DotOp dot);
  LogicalResult emitScalar(Operation *op);
  void emitConstant(mlir::arith::ConstantOp constant);
  void findStored();
  void findShared();
  bool crossesSweeps(Operation *op);
  bool isStored(Value value) { return stored.contains(value); }
  Storage allocate(RankedTensorType type, int64_t pitch = 0);
  Value newScratch(int64_t elements, Type elementType);
  LogicalResult materialize(Value value, Storage into);
  Value indexOf(mlir::OpFoldResult position);
  Value constantIndex(int64_t value);
  Value add(Value a, Value b);
  Value scale(Value a, int64_t factor);
  Value zeroOf(Type type);

  // Elements.cpp: elements of expressions.
  mlir::FailureOr<Value> evaluate(Value tile, const Point &point);
  mlir::FailureOr<Value> evaluateOp(Operation *op, const Point &point);
  mlir::FailureOr<Value> evaluateScalar(Value tile,
                                        llvm::ArrayRef<Value> index);

  // Sweep.cpp: loops over elements.
  LogicalResult addRoot(Operation *root);
  LogicalResult addRoot(Value value);
  LogicalResult flush();
  bool waitsForPending(Value value, bool sameElement,
                       llvm::DenseSet<Value> &seen);
  LogicalResult emitRowSweep(RankedTensorType shape);
  LogicalResult emitPiece(const Point &point,
                          llvm::SmallVectorImpl<Value> &sums);
  LogicalResult emitColumnReduction(tile::ReduceOp reduce);
  /// Enters loops over all dims but `axis` and the last one, which vectors
  /// span.
  Point loopOverOthers(RankedTensorType shape, int64_t axis);
  /// A vector of a tile without what the loops around remember.
  mlir::FailureOr<Value> evaluateAfresh(Value tile, const Point &point);
  LogicalResult emitRoot(Operation *op, const Point &point);
  Value combine(tile::ReduceOp reduce, Value a, Value b);
  Value neutral(tile::ReduceOp reduce, int64_t lanes);
  int64_t mainLanes(int64_t extent);

  // Scan.cpp: running sums.
  LogicalResult emitScan(tile::ScanOp scan);
  LogicalResult scanRow(tile::ScanOp scan, Point point, const Storage &into);
  LogicalResult scanColumns(tile::ScanOp scan, Point point,
                            const Storage &into);

  // Sort.cpp: places in sorted order.
  LogicalResult emitPlaces(tile::PlacesOp op);

  // Convert.cpp: float types.
  Value convertFloat(Value value, Type elementType);
  Value roundToTf32(Value value);
  /// The value whose bits were read from memory, and back.
  Value fromMemory(Value value, Type elementType);
  Value toMemory(Value value);
  Value spread(Value scalar, int64_t lanes);
  Value firstLane(Value vector);

  // Math.cpp: functions on vectors.
  Value maximum(Value x, Value y);
  Value exponential(Value x);

  // MemoryAccess.cpp: buffers and scratch.
  mlir::FailureOr<Value> loadElements(Operation *op, Value buffer,
                                      llvm::ArrayRef<mlir::OpFoldResult> at,
                                      llvm::ArrayRef<int64_t> dims,
                                      Type elementType, mlir::TypedAttr pad,
                                      const Point &point, Value row);
  LogicalResult storeElements(Operation *op, Value value, Value buffer,
                              llvm::ArrayRef<mlir::OpFoldResult> at,
                              llvm::ArrayRef<int64_t> dims, const Point &point,
                              Value row, llvm::ArrayRef<Value> leading,
                              bool accumulate);
  Value loadStorage(const Storage &storage, Type elementType,
                    const Point &point);
  void storeStorage(const Storage &storage, Value vector, const Point &point);
  Value linearIndex(const Storage &storage, llvm::ArrayRef<Value> index);

  tile::KernelOp kernel;
  const Isa &level;
  mlir::ModuleOp module;
  OpBuilder b;
  Location loc;
  mlir::func::FuncOp function;
  /// Kernel buffers, uniform scalars and indices -> emitted values.
  mlir::IRMapping scalars;
  /// Buffers that may be the same bytes as another one, and those of them that
  /// are written.
  llvm::SmallDenseSet<unsigned> shared;
  llvm::SmallDenseSet<Value> overwriting;
  /// Values that need memory, and where those emitted so far live.
  llvm::DenseSet<Value> stored;
  llvm::DenseMap<Value, Storage> storages;
  int64_t scratchBytes = 0;
  /// Constants placed in the module so far.
  int64_t constants = 0;
  /// Roots waiting for a sweep: ops, or values to materialise.
  struct Root {
    Operation *op = nullptr;
    Value value;
    Storage into;
  };
  llvm::SmallVector<Root> pending;
  llvm::SmallVector<int64_t> pendingShape;
  /// Elements computed at the current point of a sweep.
  llvm::DenseMap<Value, Value> memo;
};

} // namespace tarn::cpu

#endif // COMPILER_TARGET_CPU_EMITTER_H
