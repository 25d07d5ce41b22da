//===- KernelGraph.h - a function of kernels, to be scheduled -----*- C++
//-*-===//

#ifndef PASSES_PLAN_KERNELGRAPH_H
#define PASSES_PLAN_KERNELGRAPH_H

#include "dialects/Tarn/TarnOps.h"
#include "dialects/Tile/TileOps.h"
#include "passes/Plan/Schedule/Timeline.h"
#include "passes/Plan/Variants.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SetVector.h"

namespace tarn {

/// The value that the bytes of `value` belong to: without what is only another
/// name for them (reshapes, parts in place).
mlir::Value throughReshapes(mlir::Value value);

/// Pairs (input, output) of a kernel that reads `inputs` of which the output
/// may be written over the input, if nobody reads the input later. For each
/// output, the inputs in order.
llvm::SmallVector<std::pair<unsigned, unsigned>>
sharedBuffers(tile::KernelOp kernel, mlir::ValueRange inputs);

/// A function of kernels as a graph of tasks, and back. A task is a kernel; a
/// value is a result of one. What lies outside of the arena has no bytes.
class KernelGraph {
public:
  /// `isOutside`: whether a result is made where the caller wants it. The
  /// variants are forms of their readers' tasks.
  KernelGraph(mlir::func::FuncOp function,
              llvm::function_ref<double(graph::ClusterOp)> secondsOf,
              llvm::function_ref<bool(mlir::Value)> isOutside,
              llvm::ArrayRef<Variant> variants);

  const schedule::Graph &graph() const { return tasks; }
  /// Values may wait in host memory.
  void setLink(const schedule::Link &link) { tasks.link = link; }
  mlir::Value valueOf(int index) const { return values[size_t(index)]; }
  graph::ClusterOp kernelOf(int task) const { return kernels[size_t(task)]; }
  /// The task of a kernel.
  int taskOf(mlir::Operation *kernel) const { return taskIndex.at(kernel); }
  /// The value, if it is a kernel's result.
  std::optional<int> indexOf(mlir::Value value) const;

  /// Brings the kernels of the function into the timeline's order, launches
  /// again what it runs again, and moves to host memory and back what it parks.
  /// Ends this graph: its kernels are gone.
  void apply(const schedule::Timeline &timeline);

private:
  int addResult(mlir::Value result, schedule::Task &task, bool isOutside);
  void collectReads(mlir::Value value, llvm::SetVector<int> &reads) const;
  /// Kernels that write a state over the old one, and the old one.
  llvm::SmallVector<std::pair<size_t, mlir::Value>>
  statesWritten(llvm::function_ref<bool(mlir::Value)> isOutside);
  void addForms(llvm::ArrayRef<Variant> variants,
                llvm::ArrayRef<std::pair<size_t, mlir::Value>> written);
  void
  keepStatesReadable(llvm::ArrayRef<std::pair<size_t, mlir::Value>> written);

  mlir::func::FuncOp function;
  schedule::Graph tasks;
  std::vector<graph::ClusterOp> kernels;
  std::vector<std::vector<Variant>> forms; ///< of each kernel
  std::vector<mlir::Value> values;
  llvm::DenseMap<mlir::Operation *, int> taskIndex;
  /// Of results of kernels. What is put together in place has the bytes of all
  /// its parts in the one that is made first, which lives while any of them is
  /// read; the others have none.
  llvm::DenseMap<mlir::Value, int> valueIndex;
  /// Of what is put together: the part that is made first.
  llvm::DenseMap<mlir::Value, int> firstPart;
};

} // namespace tarn

#endif // PASSES_PLAN_KERNELGRAPH_H
