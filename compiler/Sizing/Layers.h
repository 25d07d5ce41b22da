//===- Layers.h - the layers that repeat in a graph -------------*- C++ -*-===//
//
// A layer is found by its form, not by its name: the forward pass is cut where
// a single value is handed on, and stretches of equal ops that follow each
// other are the layers. Pipelines are made of them, and full recompute keeps
// what is handed from one to the next.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_SIZING_LAYERS_H
#define COMPILER_SIZING_LAYERS_H

#include "compiler/Sizing/StepGraph.h"

namespace tarn {

struct Layers {
  /// How many there are; 0 where nothing repeats.
  int64_t count = 0;
  /// Per forward op, in order: its layer; -1 before the first, `count` behind
  /// the last one.
  std::vector<int64_t> layerOf;
  /// What is handed into a layer (and out of the last one): the layer, by
  /// value.
  llvm::DenseMap<mlir::Value, int64_t> inputOf;
};

Layers findLayers(const StepGraph &step);

} // namespace tarn

#endif // COMPILER_SIZING_LAYERS_H
