//===- Optimizers.h - optimizers as graph code ------------------*- C++ -*-===//
//
// An optimizer says which states it keeps and builds the new parameter and
// states from a gradient; it knows nothing of clipping, accumulation or finite
// flags. A new one is a class here and a line in `createOptimizer`.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_TRAIN_OPTIMIZERS_H
#define PASSES_TRAIN_OPTIMIZERS_H

#include "dialects/Tarn/GradientMath.h"

#include <memory>

namespace tarn {

/// What one parameter is updated with.
struct UpdateTerms {
  /// The learning rate, f32 of rank 0, scaled for the parameter's group.
  mlir::Value rate;
  /// The group's decoupled weight decay.
  double decay = 0;
};

class Optimizer {
public:
  virtual ~Optimizer() = default;

  /// States that exist once (f32, rank 0), all starting at 0:
  /// `optimizer.NAME`.
  virtual llvm::SmallVector<llvm::StringRef> sharedStates() const { return {}; }
  /// States per parameter, of its shape, f32, all starting at 0:
  /// `PARAMETER.NAME`.
  virtual llvm::SmallVector<llvm::StringRef> parameterStates() const {
    return {};
  }
  /// Replaces the shared states by their next values; called once, first.
  virtual void advance(graph::GradientMath &math,
                       llvm::MutableArrayRef<mlir::Value> shared) const {}
  /// Replaces a parameter and its states by their next values. `shared` are
  /// the values that `advance` made.
  virtual void update(graph::GradientMath &math, mlir::Value &parameter,
                      mlir::Value gradient, llvm::ArrayRef<mlir::Value> shared,
                      llvm::MutableArrayRef<mlir::Value> states,
                      const UpdateTerms &terms) const = 0;
};

/// The optimizer that a `tarn.train` dictionary names ("adamw", "sgd"), or null
/// with an error at `loc`.
std::unique_ptr<Optimizer> createOptimizer(mlir::Location loc,
                                           mlir::DictionaryAttr options);

/// The number of an entry of `options`, or `fallback` when there is none.
double numberOf(mlir::DictionaryAttr options, llvm::StringRef name,
                double fallback);

} // namespace tarn

#endif // PASSES_TRAIN_OPTIMIZERS_H
