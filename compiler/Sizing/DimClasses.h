//===- DimClasses.h - dims of a graph that are one and the same -*- C++ -*-===//
//
// Splitting a dim of one value over ranks splits the same dim of all values
// that ops tie it to: the indexing maps say which. This table holds those ties:
// every dim is a row of factors (major to minor), and factors that must be
// split alike are one class. A reshape cuts dims into factors, so that the
// heads inside of a fused projection are a class of their own.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_SIZING_DIMCLASSES_H
#define COMPILER_SIZING_DIMCLASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <optional>

namespace tarn {

/// A class of factors. Valid until more ops are added; then ask again.
using DimClass = unsigned;

/// What an op does along the class of one of its loop dims.
struct DimEvent {
  enum Kind {
    /// A product of two values that are no weights sums over the class.
    sumOfActivations,
    /// A product with a weight sums over it: every rank would hold a term.
    sumWithWeight,
    /// Something else (a sum, a maximum) drops the class.
    statistic,
    /// A product with a weight makes the class; its other factor lacks it.
    madeByWeight,
    /// Weight, other factor and result of a product all have it: one matrix per
    /// position, as experts are.
    perWeight,
    /// The rows of a weight that are read at positions known at run time.
    rowsOfWeight,
    /// Rows that were dispatched to groups: to experts.
    dispatched,
    /// Positions are moved along it, or the op does not say: it can't be split.
    blocked
  };
  Kind kind;
  DimClass dim;
  mlir::Operation *op; ///< of the graph or of a kernel, never of a composite's
  /// Elements of the (partial) result that ranks would have to add up.
  double elements = 0;
  /// The weight of `perWeight`.
  mlir::Value weight;
};

class DimClasses {
public:
  /// Ties the dims of everything in the function's block. `isWeight` says which
  /// values come from parameters alone.
  void addFunction(mlir::func::FuncOp function,
                   llvm::function_ref<bool(mlir::Value)> isWeight);
  /// Ties all dims of two values of one shape.
  void tie(mlir::Value x, mlir::Value y);

  /// The classes of a dim, major to minor; dims of one element have none. Dims
  /// that nothing ties down (of constants) have classes of their own.
  llvm::SmallVector<DimClass> classesOf(mlir::Value value, unsigned dim);
  /// The same for all dims of a value, in order.
  llvm::SmallVector<DimClass> classesOf(mlir::Value value);
  int64_t extentOf(DimClass dim) const { return nodes[dim].extent; }

  /// What happens along classes, in the order of the ops; refers to classes as
  /// they are now.
  llvm::SmallVector<DimEvent> events();

private:
  struct Node {
    int64_t extent;
    unsigned parent; ///< itself where it is a root
    /// Made by nothing that has a meaning of its own, as a constant's dims are:
    /// each use stands for itself.
    bool anonymous;
    llvm::SmallVector<unsigned, 2> parts; ///< major to minor, if it was cut
  };
  using Factors = llvm::SmallVector<unsigned, 4>;

  unsigned make(int64_t extent, bool anonymous);
  unsigned find(unsigned node);
  void expand(unsigned node, llvm::SmallVectorImpl<unsigned> &leaves);
  Factors expandAll(llvm::ArrayRef<unsigned> factors);
  void unify(llvm::ArrayRef<unsigned> x, llvm::ArrayRef<unsigned> y);
  llvm::SmallVector<Factors> &dimsOf(mlir::Value value);
  Factors use(mlir::Value value, unsigned dim);
  void define(mlir::Value value, unsigned dim, const Factors &factors);

  void addBlock(mlir::Block &block);
  void addOp(mlir::Operation *op);
  void addLoops(mlir::Operation *op);
  void addShardLoops(mlir::Operation *op);
  void addReinterpretation(mlir::Operation *op);
  void addComposite(mlir::Operation *op);
  void addRegion(mlir::Operation *op);
  void record(DimEvent::Kind kind, const Factors &factors, double elements,
              mlir::Value weight = {});

  std::vector<Node> nodes;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<Factors>> dims;
  struct Record {
    DimEvent::Kind kind;
    unsigned node;
    mlir::Operation *op;
    double elements;
    mlir::Value weight;
  };
  std::vector<Record> records;
  llvm::function_ref<bool(mlir::Value)> isWeight;
  mlir::Operation *outer = nullptr;
  /// Of values inside of kernels and composites: whether they are weights, and
  /// what operand they stand for.
  llvm::DenseMap<mlir::Value, bool> innerWeights;
  llvm::DenseMap<mlir::Value, mlir::Value> operandOf;
  bool weight(mlir::Value value);
  mlir::Value rootOf(mlir::Value value);
};

} // namespace tarn

#endif // COMPILER_SIZING_DIMCLASSES_H
