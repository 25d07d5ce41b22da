//===- SavedValues.h - what the backward pass reads -------------*- C++ -*-===//
//
// The values of the forward pass that live until the backward pass has read
// them. Views of a value are the value; what depends on no data (masks of
// positions, rotary angles) is computed where it is needed.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_SIZING_SAVEDVALUES_H
#define COMPILER_SIZING_SAVEDVALUES_H

#include "compiler/Sizing/Layers.h"
#include "compiler/Sizing/Parallelism.h"
#include "compiler/Sizing/Recipe.h"

namespace tarn {

enum class Recompute {
  none,
  /// Elementwise results of what is kept anyway: their readers make them anew.
  cheap,
  /// What norms make and what products with weights widen, with all that is
  /// made or moved of these; elementwise results as under `cheap`. What experts
  /// receive is kept: it would have to be sent again.
  narrow,
  selective, ///< what relates tokens with tokens: the core of attention
  full       ///< everything inside of a layer: its input is kept
};

struct SaveOptions {
  Recompute recompute = Recompute::none;
  /// Whether masks of dropout are kept; else they are drawn again from their
  /// counters.
  bool savedMasks = false;
};

struct SavedValue {
  mlir::Value value;
  int64_t layer = 0;        ///< as in Layers::layerOf
  double share = 1;         ///< the part of it that is read
  double elementBytes = 0;  ///< with its part of a scale
  bool recomputed = false;  ///< lives for its own layer's backward pass only
  bool fromWeights = false; ///< a copy of weights, not an activation
  /// Recomputed on the way to others: the backward pass does not read it.
  bool passing = false;
};

/// In the order of the forward pass.
std::vector<SavedValue> findSaved(const StepGraph &step, const Layers &layers,
                                  Parallelism &parallelism,
                                  const Recipe &recipe,
                                  const SaveOptions &options);

} // namespace tarn

#endif // COMPILER_SIZING_SAVEDVALUES_H
