//===- ShardLoops.td - splits of ops that have no indexing maps -----------===//
//
// Attached to ops from outside (ShardModels.cpp), as upstream does for its
// sharding interface: most ops say by their indexing maps what a split means.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_TARN_SHARDLOOPS_TD
#define DIALECTS_TARN_SHARDLOOPS_TD

include "mlir/IR/OpBase.td"

def ShardLoops : OpInterface<"ShardLoops"> {
  let cppNamespace = "::tarn::graph";
  let description = [{
    What splits of an op mean that is a kernel of its own, without maps and
    without a graph of simpler ops: the loops that a rank may run a part of, and
    which dims of operands and results each of them is. Dims that no loop names
    can't be split.
  }];
  let methods = [
    InterfaceMethod<"The loops, in any order.",
      "::llvm::SmallVector<::tarn::graph::ShardLoop>", "getShardLoops">,
  ];
}

#endif
