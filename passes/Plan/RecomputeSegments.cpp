//===- RecomputeSegments.cpp - compute the forward twice, keep less -------===//
//
// Chen, Xu, Zhang, Guestrin, "Training deep nets with sublinear memory cost"
// (arXiv 1604.06174). The kernels on the way to the loss are cut into about
// sqrt(n) segments where few bytes cross. What crosses is kept; everything else
// that the backward pass needs is computed again, segment by segment, by the
// same kernels on the same inputs: to the bit what it was.
//
//===----------------------------------------------------------------------===//

#include "passes/Plan/Passes.h"

#include "dialects/Tarn/TarnOps.h"
#include "passes/Train/Roles.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

#include <cmath>

namespace tarn {
#define GEN_PASS_DEF_TARNRECOMPUTESEGMENTS
#include "passes/Plan/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;

namespace {

/// The forward kernels of one function, in order, and their segments.
class Segmenter {
public:
  explicit Segmenter(func::FuncOp function) : function(function) {}
  void run();

private:
  void findForward();
  void cut();
  int64_t bytesAcross(size_t position);
  Value provide(Value value, int64_t segment, OpBuilder &b);

  func::FuncOp function;
  SmallVector<Operation *> forward; ///< kernels and aliases
  llvm::DenseMap<Operation *, int64_t> place;
  SmallVector<int64_t> segmentOf; ///< by place
  /// What each segment computed again.
  SmallVector<IRMapping> again;
};

} // namespace

/// What one value waits for: of a kernel with several results only the inputs
/// of this one, since a kernel may compute the loss beside other numbers.
static SmallVector<Value> sourcesOf(Value value) {
  Operation *op = value.getDefiningOp();
  auto cluster = dyn_cast_or_null<graph::ClusterOp>(op);
  if (!cluster)
    return op ? SmallVector<Value>(op->getOperands()) : SmallVector<Value>();
  Block &body = cluster.getBody().front();
  llvm::SetVector<Value> inside;
  inside.insert(body.getTerminator()->getOperand(
      cast<OpResult>(value).getResultNumber()));
  SmallVector<Value> sources;
  for (size_t i = 0; i != inside.size(); ++i) {
    if (auto argument = dyn_cast<BlockArgument>(inside[i]))
      sources.push_back(cluster.getInputs()[argument.getArgNumber()]);
    else
      for (Value operand : inside[i].getDefiningOp()->getOperands())
        inside.insert(operand);
  }
  return sources;
}

/// All ops that a loss waits for.
void Segmenter::findForward() {
  llvm::SetVector<Value> values;
  llvm::SmallDenseSet<Operation *> needed;
  func::ReturnOp ret = returnOf(function);
  for (auto [i, operand] : llvm::enumerate(ret.getOperands()))
    if (resultRole(function, i) == "loss")
      values.insert(operand);
  for (size_t i = 0; i != values.size(); ++i) {
    if (Operation *op = values[i].getDefiningOp())
      needed.insert(op);
    for (Value source : sourcesOf(values[i]))
      values.insert(source);
  }
  for (Operation &op : function.getBody().front())
    if (needed.contains(&op)) {
      place[&op] = forward.size();
      forward.push_back(&op);
    }
}

/// Bytes that kernels from `position` on read of those before it.
int64_t Segmenter::bytesAcross(size_t position) {
  int64_t bytes = 0;
  for (size_t i = 0; i != position; ++i)
    for (Value result : forward[i]->getResults())
      if (llvm::any_of(result.getUsers(), [&](Operation *user) {
            auto found = place.find(user);
            return found != place.end() && found->second >= int64_t(position);
          }))
        bytes += graph::tensorType(result).getNumElements() *
                 std::max<int64_t>(
                     graph::tensorType(result).getElementTypeBitWidth() / 8, 1);
  return bytes;
}

/// About sqrt(n) segments, each cut at the cheapest place near its share.
void Segmenter::cut() {
  int64_t n = forward.size();
  int64_t count = std::max<int64_t>(1, std::llround(std::sqrt(double(n))));
  int64_t length = llvm::divideCeil(n, count);
  llvm::SmallDenseSet<int64_t> cuts;
  for (int64_t ideal = length; ideal < n; ideal += length) {
    int64_t best = ideal, least = bytesAcross(ideal);
    for (int64_t at = std::max<int64_t>(1, ideal - length / 2 + 1);
         at < std::min(n, ideal + length / 2); ++at)
      if (int64_t bytes = bytesAcross(at); bytes < least) {
        least = bytes;
        best = at;
      }
    cuts.insert(best);
  }
  int64_t segment = 0;
  for (int64_t i = 0; i != n; ++i) {
    segment += cuts.contains(i);
    segmentOf.push_back(segment);
  }
  again.resize(segment + 1);
}

/// `value` for a user in the backward pass: itself if it is kept, else what its
/// segment computes again.
Value Segmenter::provide(Value value, int64_t segment, OpBuilder &b) {
  Operation *op = value.getDefiningOp();
  auto found = op ? place.find(op) : place.end();
  if (found == place.end())
    return value; // an argument
  int64_t own = segmentOf[found->second];
  if (segment >= 0 && own != segment)
    return value; // crosses: kept
  if (isa<graph::ConstantOp>(op))
    return value;
  if (auto recomputable = dyn_cast<graph::Recomputable>(op))
    if (recomputable.getRecomputeClass() == graph::RecomputeClass::never)
      return value;
  bool crosses = llvm::any_of(value.getUsers(), [&](Operation *user) {
    auto other = place.find(user);
    return other != place.end() && segmentOf[other->second] != own;
  });
  if (crosses || own + 1 == int64_t(again.size()) ||
      isa<func::ReturnOp>(*value.user_begin()))
    return value;
  if (Value copy = again[own].lookupOrNull(value))
    return copy;
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(provide(operand, own, b));
  Operation *copy = b.clone(*op);
  copy->setOperands(operands);
  for (auto [from, to] : llvm::zip(op->getResults(), copy->getResults()))
    again[own].map(from, to);
  return again[own].lookup(value);
}

void Segmenter::run() {
  findForward();
  if (forward.size() < 4)
    return;
  cut();
  // The backward pass runs through the segments from last to first; the first
  // of its ops that needs a segment has it computed right before.
  for (Operation &op : llvm::make_early_inc_range(function.getBody().front())) {
    if (place.contains(&op) || op.hasTrait<OpTrait::IsTerminator>())
      continue;
    OpBuilder b(&op);
    for (OpOperand &operand : op.getOpOperands())
      operand.set(provide(operand.get(), -1, b));
  }
}

namespace {

struct RecomputeSegments
    : tarn::impl::TarnRecomputeSegmentsBase<RecomputeSegments> {
  using Base::Base;
  void runOnOperation() override {
    auto kind = getOperation()->getAttrOfType<StringAttr>("tarn.kind");
    if (kind && (kind.getValue() == "train" || kind.getValue() == "micro"))
      Segmenter(getOperation()).run();
  }
};

} // namespace
