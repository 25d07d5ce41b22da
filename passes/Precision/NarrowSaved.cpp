//===- NarrowSaved.cpp - what waits for the backward pass, in bf16 --------===//
//
// Most of a step's memory is what the forward pass keeps for the backward pass.
// It is kept in half the bits: the forward pass goes on with the f32 value, the
// backward pass reads the rounded one, and each of its readers widens it for
// itself. The loss does not change; gradients do, by what bf16 rounds.
//
//===----------------------------------------------------------------------===//

#include "passes/Precision/Passes.h"
#include "passes/Precision/Saved.h"

#include "dialects/Tarn/TarnOps.h"
#include "passes/Train/Roles.h"

#include "llvm/ADT/SetVector.h"

namespace tarn {
#define GEN_PASS_DEF_TARNNARROWSAVED
#include "passes/Precision/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;
using graph::IndexedOp;
using graph::TileKind;

/// Values that take less than this share of the largest stay as they are: means
/// and deviations of rows, sums of exponentials.
static constexpr int64_t smallShare = 32;

/// A reshape, transpose, slice or the like of one value.
static bool isView(Operation *op) {
  auto indexed = dyn_cast_or_null<IndexedOp>(op);
  return indexed && indexed.getTileKind() == TileKind::view &&
         op->getNumOperands() == 1;
}

namespace {

class Narrower {
public:
  explicit Narrower(func::FuncOp function)
      : function(function), b(function.getContext()) {}
  void run();

private:
  using Ops = llvm::DenseSet<Operation *>;
  Ops neededBy(llvm::function_ref<bool(StringRef, StringRef)> isWanted);
  bool isCandidate(Value value);
  Value viewOf(Value value, Value root, Value narrow);

  func::FuncOp function;
  OpBuilder b;
  Ops forward, update;
};

} // namespace

/// The ops that results of some roles and names wait for.
Narrower::Ops
Narrower::neededBy(llvm::function_ref<bool(StringRef, StringRef)> isWanted) {
  Ops ops;
  SmallVector<Operation *> work;
  for (auto [i, operand] : llvm::enumerate(returnOf(function).getOperands()))
    if (isWanted(resultRole(function, i), resultName(function, i)))
      work.push_back(operand.getDefiningOp());
  while (!work.empty())
    if (Operation *op = work.pop_back_val(); op && ops.insert(op).second)
      for (Value operand : op->getOperands())
        work.push_back(operand.getDefiningOp());
  return ops;
}

/// An f32 value that the forward pass computes: not an argument, not a number
/// or a position, not what is short already, not random bits.
bool Narrower::isCandidate(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || !forward.contains(op) || op->getNumOperands() == 0 || isView(op) ||
      !graph::tensorType(value).getElementType().isF32())
    return false;
  auto indexed = dyn_cast<IndexedOp>(op);
  bool widens =
      indexed && indexed.getTileKind() == TileKind::elementwise &&
      op->getNumOperands() == 1 &&
      graph::tensorType(op->getOperand(0)).getElementTypeBitWidth() < 32;
  return !widens;
}

/// The view `value` of `root`, made of `narrow` instead.
Value Narrower::viewOf(Value value, Value root, Value narrow) {
  if (value == root)
    return narrow;
  Operation *view = value.getDefiningOp();
  Value below = viewOf(view->getOperand(0), root, narrow);
  b.setInsertionPointAfter(view);
  Operation *copy = b.clone(*view);
  copy->setOperand(0, below);
  copy->getResult(0).setType(
      graph::withElementType(value.getType(), b.getBF16Type()));
  return copy->getResult(0);
}

void Narrower::run() {
  forward = neededBy([](StringRef role, StringRef name) {
    return role == "loss" || name == "accumulator.loss";
  });
  update =
      neededBy([](StringRef role, StringRef) { return isStateRole(role); });
  // Uses by the backward pass, by the value that they read through views.
  llvm::MapVector<Value, SmallVector<OpOperand *>> saved;
  for (Operation &op : function.getBody().front()) {
    if (forward.contains(&op) || !update.contains(&op) || isView(&op))
      continue;
    for (OpOperand &operand : op.getOpOperands()) {
      Value root = operand.get();
      while (isView(root.getDefiningOp()))
        root = root.getDefiningOp()->getOperand(0);
      if (isCandidate(root) &&
          graph::tensorType(operand.get()).getElementType().isF32())
        saved[root].push_back(&operand);
    }
  }
  int64_t largest = 0, bytes = 0, count = 0;
  for (auto &[root, uses] : saved)
    largest = std::max(largest, graph::tensorType(root).getNumElements());
  for (auto &[root, uses] : saved) {
    int64_t elements = graph::tensorType(root).getNumElements();
    if (elements < largest / smallShare)
      continue;
    b.setInsertionPointAfterValue(root);
    Type type = graph::withElementType(root.getType(), b.getBF16Type());
    auto narrow = graph::CastOp::create(b, root.getLoc(), type, root);
    narrow->setAttr(savedAttr, b.getUnitAttr());
    llvm::DenseMap<Value, Value> wide;
    for (OpOperand *use : uses) {
      Value &known = wide[use->get()];
      if (!known) {
        Value view = viewOf(use->get(), root, narrow);
        b.setInsertionPointAfterValue(view);
        known =
            graph::CastOp::create(b, root.getLoc(), use->get().getType(), view);
      }
      use->set(known);
    }
    bytes += 2 * elements;
    ++count;
  }
  if (!count)
    return;
  auto list = function->getAttrOfType<ArrayAttr>("tarn.numerics");
  SmallVector<Attribute> notes;
  if (list)
    notes.assign(list.begin(), list.end());
  notes.push_back(b.getDictionaryAttr(
      {b.getNamedAttr("class", b.getStringAttr("rounding")),
       b.getNamedAttr("text", b.getStringAttr(Twine(count) + " saved in bf16")),
       b.getNamedAttr("bytes", b.getI64IntegerAttr(bytes))}));
  function->setAttr("tarn.numerics", b.getArrayAttr(notes));
}

namespace {

struct NarrowSaved : tarn::impl::TarnNarrowSavedBase<NarrowSaved> {
  using Base::Base;
  void runOnOperation() override {
    auto kind = getOperation()->getAttrOfType<StringAttr>("tarn.kind");
    if (kind && (kind.getValue() == "train" || kind.getValue() == "micro"))
      Narrower(getOperation()).run();
  }
};

} // namespace
