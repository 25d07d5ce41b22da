//===- Throughput.cpp - how long one rank computes ------------------------===//

#include "compiler/Sizing/Throughput.h"

#include "dialects/Tarn/TarnOps.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace tarn;

static DotType dotTypeOf(Type type) {
  return type.isF64()    ? DotType::f64
         : type.isBF16() ? DotType::bf16
         : type.isF16()  ? DotType::f16
                         : DotType::f32;
}

/// Operations of the products that an op is, or is made of.
static double flopsOf(Operation *op) {
  auto costed = dyn_cast<graph::Costed>(op);
  auto composite = dyn_cast<graph::Composite>(op);
  if (!composite)
    return costed ? double(costed.getFlops()) : 0;
  OpBuilder builder(op);
  Operation *before = op->getPrevNode();
  if (failed(composite.decompose(builder)))
    return 0;
  double flops = 0;
  SmallVector<Operation *> inner;
  for (Operation *next = before ? before->getNextNode()
                                : &op->getBlock()->front();
       next != op; next = next->getNextNode())
    inner.push_back(next);
  for (Operation *each : llvm::reverse(inner)) {
    if (isa<graph::ProductOp>(each))
      flops += flopsOf(each);
    each->erase();
  }
  return flops;
}

namespace {
class WorkCounter {
public:
  WorkCounter(Sizing &sizing, const SizeOptions &options)
      : sizing(sizing), options(options) {}
  void count(Operation *op, RankWork &work);

private:
  double bytesOf(Value value, const Shards &shards);
  Sizing &sizing;
  const SizeOptions &options;
};
} // namespace

double WorkCounter::bytesOf(Value value, const Shards &shards) {
  auto type = graph::tensorType(value);
  int bytes = isa<FloatType>(type.getElementType()) && options.recipe.activation
                  ? options.recipe.activation
                  : int((type.getElementTypeBitWidth() + 7) / 8);
  return shards.elements * bytes;
}

/// A product's work is divided along each axis that splits one of its values.
void WorkCounter::count(Operation *op, RankWork &work) {
  KernelCost cost;
  Shards most;
  Parallelism &ways = sizing.parallelism();
  auto look = [&](Value value) {
    Shards shards = ways.shardsOf(value, options.shard);
    most.data = std::max(most.data, shards.data);
    most.tensor = std::max(most.tensor, shards.tensor);
    most.expert = std::max(most.expert, shards.expert);
    return bytesOf(value, shards);
  };
  double read = 0, written = 0, elements = 0;
  for (Value operand : op->getOperands())
    read += look(operand);
  for (Value result : op->getResults()) {
    written += look(result);
    elements += ways.shardsOf(result, options.shard).elements;
  }
  double split = double(most.data) * double(most.tensor) * double(most.expert);
  double flops = flopsOf(op) / split;
  if (most.expert > 1)
    flops *= options.shard.imbalance;
  DotType type =
      dotTypeOf(graph::tensorType(op->getOperand(0)).getElementType());
  auto product = dyn_cast<graph::ProductOp>(op);
  if (options.recipe.activation == 2 && type == DotType::f32)
    type = DotType::bf16;
  else if (product && product.isTf32())
    type = DotType::tf32;
  auto whole = [](double number) {
    return int64_t(std::min(std::ceil(number), 0x1p62));
  };
  cost.dotFlops[unsigned(type)] = whole(flops);
  cost.bytesRead = whole(read);
  cost.bytesWritten = whole(written);
  // Tiles of 128 x 128 are what large products are cut into.
  cost.blocks = std::max<int64_t>(1, whole(elements / (128 * 128)));
  work.products.push_back(cost);
  work.flops += flops;
}

RankWork tarn::workOf(Sizing &sizing, const SizeOptions &options,
                      const RankMemory &memory) {
  RankWork work;
  WorkCounter counter(sizing, options);
  const StepGraph &step = sizing.graph();
  std::vector<Operation *> products;
  func::FuncOp function = step.work;
  for (Operation &op : function.getBody().front())
    if (isa<graph::ProductOp>(op) &&
        (step.isForward(&op) || step.isBackward(&op)))
      products.push_back(&op);
  for (const SizedTensor &tensor : memory.tensors) {
    Operation *op = tensor.value.getDefiningOp();
    bool again = tensor.role == "recomputed" || tensor.role == "passing";
    if (again && isa<graph::ProductOp>(op))
      products.push_back(op);
    // Written once, read by the pass forward and by the one backward.
    if (tensor.role == "saved" || tensor.role == "recomputed")
      work.passBytes += 3 * tensor.rankBytes;
  }
  for (Operation *op : products)
    counter.count(op, work);
  double states = 0;
  for (const StageBytes &stage : memory.stages)
    states += 2 * (stage.weights + stage.optimizer) + stage.gradients;
  work.updateBytes = states / double(memory.stages.size());
  if (memory.layers > 0) {
    int64_t most = 0;
    for (const StageBytes &stage : memory.stages)
      most = std::max(most, stage.endLayer - stage.firstLayer);
    work.stageShare = double(most) / double(memory.layers);
  }
  work.tokens = sizing.parallelism().tokensOf(options.shard);
  return work;
}

double tarn::stepSeconds(const RankWork &work, const CostModel &model,
                         int64_t stages, int64_t microBatches) {
  double seconds = 0;
  for (const KernelCost &cost : work.products)
    seconds += model.estimate(cost, "").seconds;
  double bandwidth = model.device().memory.reached();
  seconds += work.passBytes / bandwidth;
  // The slowest stage sets the pace; it waits for stages - 1 others.
  double stage = seconds * work.stageShare;
  return stage * double(microBatches + stages - 1) +
         work.updateBytes / bandwidth;
}
