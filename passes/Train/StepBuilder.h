//===- StepBuilder.h - from a forward function to the training step -------===//

#ifndef PASSES_TRAIN_STEPBUILDER_H
#define PASSES_TRAIN_STEPBUILDER_H

#include "dialects/Tarn/GradientMath.h"
#include "passes/Train/Roles.h"

#include <string>

namespace tarn {

/// A trained parameter of the function, by argument index.
struct Trained {
  unsigned argument;
  std::string name;
  mlir::Value value;
  mlir::Value gradient;
};

/// What the optimizer does to a group of parameters.
struct Group {
  llvm::SmallVector<llvm::StringRef> patterns;
  double decay, rateScale;
};

/// A loss or metric over all micro-batches.
struct Total {
  std::string role, name;
  bool isSum = false;   ///< no mean
  bool isRatio = false; ///< with a count
  std::string accumulator() const { return "accumulator." + name; }
  std::string count() const {
    return role == "loss" ? "accumulator.count" : accumulator() + ".count";
  }
};

/// The optimizer's part of a step, in one function.
class StepBuilder {
public:
  StepBuilder(mlir::func::FuncOp function, mlir::DictionaryAttr options)
      : function(function), options(options), builder(returnOf(function)),
        math(builder, function) {}

  /// Gradients, update and results in one function.
  mlir::LogicalResult build();
  /// The same over `count` micro-batches: turns the function into the one that
  /// accumulates and makes a second one that applies. With the option `parts`
  /// the micro-batches are parts of one batch: draws that are marked
  /// `tarn.part` are parts of one draw.
  mlir::LogicalResult buildAccumulating(int64_t count);
  /// The same for a function that only has a loss and metrics.
  mlir::LogicalResult buildMeans(int64_t count);

private:
  mlir::LogicalResult findLoss();
  mlir::LogicalResult readGroups();
  const Group *groupOf(llvm::StringRef name);
  void collectTrained();
  mlir::Value globalNorm();
  mlir::FailureOr<mlir::Value> inlineSchedule(mlir::Value step);
  mlir::LogicalResult appendUpdate(mlir::Value loss);
  void addState(llvm::StringRef name, mlir::Value old, mlir::Value next,
                mlir::Value finite);
  void advanceRandomKeys();
  void numberParts();
  mlir::func::FuncOp splitOff(int64_t count, llvm::StringRef microKind);
  llvm::SmallVector<Total> addTotals();
  void takeTotals(llvm::ArrayRef<Total> totals, int64_t count);
  mlir::Value take(llvm::StringRef name, mlir::RankedTensorType type);
  void copyRandomKeys(mlir::func::FuncOp from);
  mlir::Value choose(mlir::Value finite, mlir::Value next, mlir::Value old);

  mlir::func::FuncOp function;
  mlir::DictionaryAttr options;
  mlir::OpBuilder builder;
  graph::GradientMath math;
  unsigned lossResult = 0;
  mlir::Value loss;
  /// What the gradients are sums over; null: they are means.
  mlir::Value divisor;
  llvm::SmallVector<Trained> trained;
  llvm::SmallVector<Group> groups;
};

} // namespace tarn

#endif // PASSES_TRAIN_STEPBUILDER_H
