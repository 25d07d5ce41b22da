//===- ShardModels.cpp - splits of ops that have no indexing maps ---------===//

#include "dialects/Tarn/ShardLoops.h"

#include "dialects/Tarn/TarnOps.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

#include "dialects/Tarn/ShardLoops.cpp.inc"

void tarn::graph::attachShardLoops(MLIRContext &context) {}
