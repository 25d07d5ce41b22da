//===- StepGraph.h - a training step as sizing sees it ----------*- C++ -*-===//
//
// Who is who in a module that phase train has made: parameters with their
// optimizer states, what belongs to the forward pass, what the backward pass
// reads of it. Everything is found by roles and by data flow.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_SIZING_STEPGRAPH_H
#define COMPILER_SIZING_STEPGRAPH_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseSet.h"

#include <string>
#include <vector>

namespace tarn {

/// A parameter of the step.
struct SizedParameter {
  std::string name;
  mlir::Value value;  ///< in the function that computes gradients
  mlir::Value stored; ///< in the function that updates; often the same
  bool trained = false;
  /// What the optimizer keeps for it, of its shape.
  std::vector<mlir::Value> states;
};

/// What a value is computed from.
struct Origins {
  bool parameter = false, input = false, random = false, other = false;
  bool none() const { return !parameter && !input && !random && !other; }
};

class StepGraph {
public:
  /// Reads the module's training step; emits an error and fails if there is
  /// none, or if it has no loss.
  static mlir::FailureOr<StepGraph> read(mlir::ModuleOp module);

  /// Computes loss and gradients: `micro` where the step accumulates.
  mlir::func::FuncOp work;
  /// Updates; the same function where nothing accumulates.
  mlir::func::FuncOp apply;
  std::vector<SizedParameter> parameters;
  std::vector<mlir::Value> inputs;
  /// Micro-batches of a step, where the model says so; else 0.
  int64_t accumulate = 0;
  /// Optimizer states of no parameter's shape (steps, corrections), random
  /// keys, other state.
  std::vector<mlir::Value> otherState;
  /// Ops that the loss waits for, in order.
  std::vector<mlir::Operation *> forward;

  /// Where the model uses an argument first: what a message about it shows.
  mlir::Location placeOf(mlir::Value argument) const;
  Origins originsOf(mlir::Value value) const { return origins.lookup(value); }
  /// Whether a value comes from parameters and from nothing that changes with
  /// the data.
  bool isWeight(mlir::Value value) const;
  /// Whether a value is computed from the step's inputs.
  bool isActivation(mlir::Value value) const { return originsOf(value).input; }
  bool isForward(mlir::Operation *op) const { return inForward.contains(op); }
  /// Whether the gradients or the update wait for the op, and the loss does
  /// not.
  bool isBackward(mlir::Operation *op) const { return inBackward.contains(op); }

private:
  void findOrigins(mlir::func::FuncOp function);
  void findOrigins(mlir::Block &block);
  void findPasses();
  void findStates();

  llvm::DenseMap<mlir::Value, Origins> origins;
  llvm::DenseSet<mlir::Operation *> inForward, inBackward;
};

} // namespace tarn

#endif // COMPILER_SIZING_STEPGRAPH_H
