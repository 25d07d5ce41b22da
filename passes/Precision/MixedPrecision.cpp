//===- MixedPrecision.cpp - fewer bits where the matrix units work --------===//
//
// Micikevicius et al., "Mixed precision training" (arXiv 1710.03740), with
// bf16: products read rounded factors and sum in f32, everything else computes
// in f32. What a product makes is rounded where it is kept: where it, a bias
// already added, meets more than one reader. Readers widen it again, each for
// itself, so that only the short form lies in memory.
//
// With tf32 nothing but the products changes: they round their factors.
//
//===----------------------------------------------------------------------===//

#include "passes/Precision/Factors.h"
#include "passes/Precision/Passes.h"

#include "dialects/Tarn/Joining.h"
#include "dialects/Tarn/TarnOps.h"

#include "llvm/ADT/SetVector.h"

namespace tarn {
#define GEN_PASS_DEF_TARNMIXEDPRECISION
#include "passes/Precision/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;
using graph::IndexedOp;
using graph::ProductOp;
using graph::TileKind;

static bool isF32(Value value) {
  return graph::tensorType(value).getElementType().isF32();
}

static bool hasKind(Operation *op, TileKind kind) {
  auto indexed = dyn_cast<IndexedOp>(op);
  return indexed && indexed.getTileKind() == kind;
}

/// A reshape, transpose, slice or the like of one value.
static bool isView(Operation *op) {
  return op && hasKind(op, TileKind::view) && op->getNumOperands() == 1;
}

/// The bf16 value that `value` is, widened; or null.
static Value narrowSource(Value value) {
  auto cast = value.getDefiningOp<graph::CastOp>();
  return cast && isF32(value) &&
                 graph::tensorType(cast.getX()).getElementType().isBF16()
             ? cast.getX()
             : Value();
}

namespace {

class Rounder {
public:
  explicit Rounder(func::FuncOp function)
      : function(function), b(function.getContext()) {}
  void run();

private:
  Value narrow(Value value);
  void roundFactors(ProductOp op);
  void roundResult(Value result);
  bool isSmall(Value operand, Value beside);

  func::FuncOp function;
  OpBuilder b;
  llvm::DenseMap<Value, Value> narrowed;
  Factors factors;
};

/// Whether the bf16 form of a value is there, seen through views.
static bool isWidened(Value value) {
  while (isView(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return bool(narrowSource(value));
}

/// Whether an op puts together what products make for it alone. What ops with
/// programs of their own make is rounded by these (tarn-split-attention).
static bool joinsProducts(Operation *op) {
  return graph::joinedDim(op) &&
         llvm::all_of(op->getOperands(), [](Value part) {
           while (part.hasOneUse() && isView(part.getDefiningOp()))
             part = part.getDefiningOp()->getOperand(0);
           Operation *maker = part.getDefiningOp();
           return part.hasOneUse() && isa_and_nonnull<ProductOp>(maker) &&
                  !hasKind(maker, TileKind::composite);
         });
}

/// Whether what a value has all elements of, in another order, is rounded by
/// the kernel that makes it: so that the short form is moved.
static bool isRoundedBelow(Value value) {
  Operation *maker = value.getDefiningOp();
  if (!maker)
    return true;
  if (isView(maker))
    return graph::tensorType(maker->getOperand(0)).getNumElements() ==
               graph::tensorType(value).getNumElements() &&
           isRoundedBelow(maker->getOperand(0));
  return graph::joinedDim(maker) ? joinsProducts(maker)
                                 : !hasKind(maker, TileKind::composite);
}

/// `value` in bf16: what it was widened from, or rounded right behind where it
/// is made, seen through what moves it; once per value.
Value Rounder::narrow(Value value) {
  if (Value source = narrowSource(value))
    return source;
  if (Value known = narrowed.lookup(value))
    return known;
  auto type = cast<RankedTensorType>(
      graph::withElementType(value.getType(), b.getBF16Type()));
  Operation *maker = value.getDefiningOp();
  bool moves = maker && (isView(maker) || joinsProducts(maker));
  if (moves && (isRoundedBelow(value) || isWidened(value))) {
    SmallVector<Value> sources;
    for (Value operand : maker->getOperands())
      sources.push_back(narrow(operand));
    b.setInsertionPointAfter(maker);
    Operation *copy = b.clone(*maker);
    copy->setOperands(sources);
    copy->getResult(0).setType(type);
    return narrowed[value] = copy->getResult(0);
  }
  b.setInsertionPointAfterValue(value);
  return narrowed[value] =
             graph::CastOp::create(b, value.getLoc(), type, value);
}

void Rounder::roundFactors(ProductOp op) {
  for (unsigned i : op.getFactors())
    if (!isF32(op->getOperand(i)))
      return;
  for (unsigned i : op.getFactors())
    op->setOperand(i, narrow(op->getOperand(i)));
}

/// A bias or a number beside a value: repeated into its shape.
bool Rounder::isSmall(Value operand, Value beside) {
  while (isView(operand.getDefiningOp()))
    operand = operand.getDefiningOp()->getOperand(0);
  Operation *op = operand.getDefiningOp();
  return graph::tensorType(operand).getNumElements() <
             graph::tensorType(beside).getNumElements() ||
         (op && op->getNumOperands() == 0);
}

/// Rounds what a product makes, where it is kept: behind the elementwise ops
/// that read nothing else of its size, and put together with others of its
/// kind.
void Rounder::roundResult(Value value) {
  while (value.hasOneUse()) {
    Operation *user = *value.getUsers().begin();
    bool follows = isView(user) || joinsProducts(user);
    if (!follows && hasKind(user, TileKind::elementwise) &&
        user->getNumResults() == 1 && isF32(user->getResult(0)))
      follows = llvm::all_of(user->getOperands(), [&](Value operand) {
        return operand == value || isSmall(operand, value);
      });
    if (!follows)
      return; // its one reader takes it as it is, or rounds it
    value = user->getResult(0);
  }
  // What was put together is rounded with the first of its kind.
  if (value.use_empty() || !isF32(value) || narrowed.contains(value) ||
      !factors.feedsProduct(value))
    return;
  SmallVector<OpOperand *> uses;
  for (OpOperand &use : value.getUses())
    uses.push_back(&use);
  Value kept = narrow(value);
  b.setInsertionPointAfterValue(kept);
  Value wide = graph::CastOp::create(b, value.getLoc(), value.getType(), kept);
  for (OpOperand *use : uses)
    use->set(wide);
}

void Rounder::run() {
  SmallVector<ProductOp> products;
  function.walk([&](ProductOp op) { products.push_back(op); });
  // Forward order: factors of later products find what is rounded already.
  for (ProductOp op : products) {
    Type before = op->getResult(0).getType();
    roundFactors(op);
    if (auto inferred = dyn_cast<InferTypeOpInterface>(op.getOperation())) {
      SmallVector<Type> types;
      if (succeeded(inferred.inferReturnTypes(
              op->getContext(), op->getLoc(), op->getOperands(),
              op->getAttrDictionary(), op->getPropertiesStorage(),
              op->getRegions(), types)))
        for (auto [result, type] : llvm::zip(op->getResults(), types))
          result.setType(cast<RankedTensorType>(type));
    }
    Value result = op->getResult(0);
    if (result.getType() == before) {
      for (Value each : op->getResults())
        if (isF32(each) && !hasKind(op, TileKind::composite))
          roundResult(each);
      continue;
    }
    // The op itself makes bf16 now.
    SmallVector<OpOperand *> uses;
    for (OpOperand &use : result.getUses())
      uses.push_back(&use);
    b.setInsertionPointAfter(op);
    Value wide = graph::CastOp::create(b, op->getLoc(), before, result);
    for (OpOperand *use : uses)
      use->set(wide);
  }
}

/// Products of f32 multiply in tf32.
void markTf32(func::FuncOp function) {
  function.walk([](ProductOp op) {
    if (llvm::all_of(op.getFactors(),
                     [&](unsigned i) { return isF32(op->getOperand(i)); }))
      op.setIsTf32(true);
  });
}

struct MixedPrecision : tarn::impl::TarnMixedPrecisionBase<MixedPrecision> {
  using Base::Base;
  void runOnOperation() override {
    auto precision =
        getOperation()->getAttrOfType<StringAttr>("tarn.precision");
    if (!precision)
      return;
    if (precision.getValue() == "bf16")
      Rounder(getOperation()).run();
    else if (precision.getValue() == "tf32")
      markTf32(getOperation());
  }
};

} // namespace
