//===- Offload.cpp - values wait in host memory ---------------------------===//
//
// A value that the backward pass reads long after the forward pass made it need
// not stay in the arena: it is copied to host memory beside the kernels that
// follow, and back beside those before its reader. Meanwhile its place is
// anybody's. The copies are to the bit what they were.
//
//===----------------------------------------------------------------------===//

#include "passes/Plan/Offload.h"

#include "dialects/Tarn/TarnOps.h"
#include "passes/Plan/ForwardPass.h"
#include "passes/Plan/FunctionPlan.h"
#include "passes/Plan/Passes.h"

namespace tarn {
#define GEN_PASS_DEF_TARNPLANOFFLOAD
#include "passes/Plan/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;

/// The ops that read a value, itself or through reshapes, other than reshapes.
static void collectReaders(Value value, SmallVectorImpl<Operation *> &readers) {
  for (Operation *user : value.getUsers())
    if (auto reshape = dyn_cast<graph::ReshapeOp>(user))
      collectReaders(reshape.getResult(), readers);
    else
      readers.push_back(user);
}

/// Goes over `count` kernels, forwards or backwards; null at the block's end.
static Operation *skipKernels(Operation *op, int64_t count, bool forwards) {
  while (op && count > 0) {
    op = forwards ? op->getNextNode() : op->getPrevNode();
    count -= isa_and_nonnull<graph::ClusterOp>(op);
  }
  return op;
}

std::optional<OffloadPlan> tarn::planOffload(Value value, Operation *reader,
                                             int64_t lead) {
  Operation *maker = value.getDefiningOp();
  if (!isa_and_nonnull<graph::ClusterOp>(maker) || lead < 0)
    return std::nullopt;
  Operation *last = maker;
  SmallVector<Operation *> readers;
  collectReaders(value, readers);
  for (Operation *op : readers) {
    // It is offloaded already, or parts of it have names.
    if (isa<step::MoveStartOp>(op) || isInPlace(op))
      return std::nullopt;
    if (op->isBeforeInBlock(reader) && last->isBeforeInBlock(op))
      last = op;
  }
  OffloadPlan plan;
  plan.value = value;
  plan.reader = reader;
  // Behind its last reader, and behind the kernels that hide the copy.
  Operation *hidden = skipKernels(maker, lead, true);
  if (!hidden)
    return std::nullopt;
  plan.away = (hidden->isBeforeInBlock(last) ? last : hidden)->getNextNode();
  plan.fetch = skipKernels(reader, lead, false);
  if (!plan.away || !plan.fetch)
    return std::nullopt;
  for (Operation *op = plan.away; op && op != plan.fetch;
       op = op->getNextNode()) {
    if (op == reader)
      return std::nullopt;
    if (isa<graph::ClusterOp>(op))
      return plan.away->isBeforeInBlock(plan.fetch) ? std::optional(plan)
                                                    : std::nullopt;
  }
  return std::nullopt;
}

/// Before `op`, and before what is fetched there: places are free before others
/// are taken.
static Operation *beforeFetches(Operation *op) {
  while (auto move = dyn_cast_or_null<step::MoveStartOp>(op->getPrevNode())) {
    if (move.getSpace() != step::Space::Arena)
      break;
    op = move;
  }
  return op;
}

/// `reader` and everything behind it read `copy` instead of `value`; reshapes
/// of it that stand before are made again.
static void redirect(Value value, Value copy, Operation *reader) {
  for (OpOperand &use : llvm::make_early_inc_range(value.getUses())) {
    Operation *user = use.getOwner();
    if (!user->isBeforeInBlock(reader)) {
      use.set(copy);
      continue;
    }
    auto reshape = dyn_cast<graph::ReshapeOp>(user);
    if (!reshape)
      continue;
    SmallVector<Operation *> readers;
    collectReaders(reshape.getResult(), readers);
    if (llvm::all_of(readers, [&](Operation *op) {
          return op->isBeforeInBlock(reader);
        }))
      continue;
    OpBuilder b(reader);
    Operation *again = b.clone(*reshape);
    again->setOperand(0, copy);
    redirect(reshape.getResult(), again->getResult(0), reader);
  }
}

step::MoveStartOp tarn::startMove(OpBuilder &b, Value value,
                                  step::Space space) {
  return step::MoveStartOp::create(b, value.getLoc(), value.getType(),
                                   step::TokenType::get(b.getContext()), value,
                                   step::SpaceAttr::get(b.getContext(), space));
}

void tarn::offload(const OffloadPlan &plan) {
  Location loc = plan.value.getLoc();
  OpBuilder b(plan.reader->getContext());
  b.setInsertionPointAfter(plan.value.getDefiningOp());
  auto out = startMove(b, plan.value, step::Space::Host);
  b.setInsertionPoint(beforeFetches(plan.away));
  step::WaitOp::create(b, loc, out.getToken());
  b.setInsertionPoint(plan.fetch);
  auto back = startMove(b, out.getMoved(), step::Space::Arena);
  b.setInsertionPoint(plan.reader);
  step::WaitOp::create(b, loc, back.getToken());
  redirect(plan.value, back.getMoved(), plan.reader);
}

namespace {

struct PlanOffload : tarn::impl::TarnPlanOffloadBase<PlanOffload> {
  using Base::Base;

  /// The first op of the backward pass that reads the value.
  static Operation *firstReader(Value value, const ForwardPass &forward) {
    SmallVector<Operation *> readers;
    collectReaders(value, readers);
    Operation *first = nullptr;
    for (Operation *op : readers)
      if (!forward.placeOf(op) && (!first || op->isBeforeInBlock(first)))
        first = op;
    return first;
  }

  void runOnOperation() override {
    auto kind = getOperation()->getAttrOfType<StringAttr>("tarn.kind");
    if (!kind || (kind.getValue() != "train" && kind.getValue() != "micro"))
      return;
    ForwardPass forward(getOperation());
    for (Value value : forward.saved()) {
      Operation *reader = firstReader(value, forward);
      if (!reader || bytesOf(value.getType()) < minBytes)
        continue;
      if (std::optional<OffloadPlan> plan = planOffload(value, reader, lead))
        offload(*plan);
    }
  }
};

} // namespace
