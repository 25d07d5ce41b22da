//===- AttentionOps.cpp - attention and its backward ----------------------===//

#include "dialects/Tarn/Complaint.h"
#include "dialects/Tarn/TarnOps.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

namespace {
// What the checks of both ops look at.
struct Heads {
  Value q, k, v;
  std::optional<Location> loc;
  StringRef name;

  LogicalResult verify() const {
    auto tq = tensorType(q), tk = tensorType(k), tv = tensorType(v);
    auto complain = [&](auto &&...parts) {
      Complaint complaint(loc, name);
      (complaint << ... << parts);
      complaint.note(q, "q").note(k, "k").note(v, "v");
      return failure();
    };
    // attention.C1
    if (tq.getRank() != 4 || tk.getRank() != 4 || tv.getRank() != 4)
      return complain("has q, k and v of rank ", tq.getRank(), ", ",
                      tk.getRank(), " and ", tv.getRank(), ", expected 4");
    if (tq.getElementType() != tk.getElementType() ||
        tq.getElementType() != tv.getElementType())
      return complain("has q, k and v of ", tq.getElementType(), ", ",
                      tk.getElementType(), " and ", tv.getElementType());
    // attention.C2
    if (tq.getDimSize(0) != tk.getDimSize(0) ||
        tq.getDimSize(0) != tv.getDimSize(0))
      return complain("has q, k and v of ", tq.getDimSize(0), ", ",
                      tk.getDimSize(0), " and ", tv.getDimSize(0), " batches");
    // attention.C3
    if (tq.getDimSize(3) != tk.getDimSize(3))
      return complain("multiplies queries of ", tq.getDimSize(3),
                      " features with keys of ", tk.getDimSize(3));
    if (tk.getDimSize(1) != tv.getDimSize(1))
      return complain("has ", tk.getDimSize(1), " heads of keys and ",
                      tv.getDimSize(1), " of values");
    if (tk.getDimSize(2) != tv.getDimSize(2))
      return complain("has ", tk.getDimSize(2), " keys and ", tv.getDimSize(2),
                      " values");
    // attention.C4
    if (tq.getDimSize(1) % tk.getDimSize(1) != 0)
      return complain("has ", tk.getDimSize(1), " heads of keys for ",
                      tq.getDimSize(1), " heads of queries");
    return success();
  }

  // The types of out and lse.
  SmallVector<Type> resultTypes() const {
    auto tq = tensorType(q), tv = tensorType(v);
    SmallVector<int64_t> shape(tq.getShape());
    shape[3] = tv.getDimSize(3);
    return {tq.clone(shape),
            RankedTensorType::get(tq.getShape().take_front(3),
                                  Float32Type::get(q.getContext()))};
  }
};
} // namespace

// C5 and C6 for one region: `floats` leading tensor<f32> arguments, four
// indices, captures.
static LogicalResult verifyRegion(Operation *op, Region &region, StringRef name,
                                  unsigned floats, TypeRange captures,
                                  Type result) {
  if (region.empty())
    return success();
  Builder builder(op->getContext());
  auto f32 = RankedTensorType::get({}, builder.getF32Type());
  auto i32 = RankedTensorType::get({}, builder.getI32Type());
  SmallVector<Type> expected(floats, f32);
  expected.append(4, i32);
  llvm::append_range(expected, captures);
  Block &block = region.front();
  // attention.C5
  if (TypeRange(block.getArguments()) != TypeRange(expected))
    return Complaint(op) << "has a region " << name << " with "
                         << block.getNumArguments() << " arguments of other "
                         << "types than the " << expected.size() << " expected";
  auto yield = dyn_cast<YieldOp>(block.back());
  if (!yield || yield.getValues().size() != 1 ||
      yield.getValues().front().getType() != result)
    return Complaint(op) << "has a region " << name
                         << " that does not yield one " << result;
  // attention.C6
  for (Operation &inner : block.without_terminator()) {
    auto indexed = dyn_cast<IndexedOp>(inner);
    bool scalar = llvm::all_of(inner.getResultTypes(), [](Type type) {
      return cast<RankedTensorType>(type).getRank() == 0;
    });
    bool allowed = indexed && indexed.getTileKind() == TileKind::elementwise;
    if (!scalar || !(allowed || isa<ElementOp>(inner))) {
      Complaint complaint(op);
      complaint << "has a region " << name << " with '"
                << inner.getName().getStringRef()
                << "', which is neither an elementwise op on rank-0 tensors "
                   "nor tarn.element";
      return complaint;
    }
  }
  return success();
}

//===----------------------------------------------------------------------===//
// attention
//===----------------------------------------------------------------------===//

LogicalResult AttentionOp::inferReturnTypes(MLIRContext *context,
                                            std::optional<Location> loc,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &types) {
  Heads heads{adaptor.getQ(), adaptor.getK(), adaptor.getV(), loc,
              getOperationName()};
  if (failed(heads.verify()))
    return failure();
  llvm::append_range(types, heads.resultTypes());
  return success();
}

LogicalResult AttentionOp::verifyRegions() {
  Builder builder(getContext());
  auto f32 = RankedTensorType::get({}, builder.getF32Type());
  auto i1 = RankedTensorType::get({}, builder.getI1Type());
  TypeRange captures = getCaptures().getTypes();
  return success(
      succeeded(verifyRegion(*this, getMask(), "mask", 0, captures, i1)) &&
      succeeded(verifyRegion(*this, getScore(), "score", 1, captures, f32)));
}

void AttentionOp::buildCausalMask(Region &region, TypeRange captures,
                                  std::optional<unsigned> offset) {
  OpBuilder builder(region.getContext());
  Location loc = region.getLoc();
  auto i32 = RankedTensorType::get({}, builder.getI32Type());
  SmallVector<Type> types(4, i32);
  llvm::append_range(types, captures);
  Block *block = builder.createBlock(&region, region.end(), types,
                                     SmallVector<Location>(types.size(), loc));
  Value i = block->getArgument(2), j = block->getArgument(3);
  if (offset)
    i = AddOp::create(builder, loc, i, block->getArgument(4 + *offset));
  Value keep = CompareOp::create(builder, loc, Predicate::le, j, i);
  YieldOp::create(builder, loc, keep);
}

bool AttentionOp::isCausalMask(Region &mask) {
  if (mask.empty())
    return false;
  Block &block = mask.front();
  auto compare =
      block.getTerminator()->getOperand(0).getDefiningOp<CompareOp>();
  if (!compare)
    return false;
  Value query = block.getArgument(2), key = block.getArgument(3);
  return (compare.getPredicate() == Predicate::le && compare.getLhs() == key &&
          compare.getRhs() == query) ||
         (compare.getPredicate() == Predicate::ge &&
          compare.getLhs() == query && compare.getRhs() == key);
}

//===----------------------------------------------------------------------===//
// attention_backward
//===----------------------------------------------------------------------===//

SmallVector<unsigned> AttentionOp::getFactors() { return {0, 1, 2}; }

SmallVector<unsigned> AttentionBackwardOp::getFactors() {
  // All but lse, and sums in place of out.
  return hasSums() ? SmallVector<unsigned>{0, 1, 2, 5}
                   : SmallVector<unsigned>{0, 1, 2, 3, 5};
}

LogicalResult AttentionBackwardOp::verify() {
  Heads heads{getQ(), getK(), getV(), getLoc(), getOperationName()};
  if (failed(heads.verify()))
    return failure();
  // attention_backward.C7
  SmallVector<Type> expected = heads.resultTypes();
  if ((getOut().getType() != expected[0] &&
       getOut().getType() != expected[1]) ||
      getLse().getType() != expected[1])
    return (Complaint(*this) << "has out " << getOut().getType() << " and lse "
                             << getLse().getType() << ", expected "
                             << expected[0] << " and " << expected[1])
        .note(getOut(), "out")
        .note(getLse(), "lse");
  if (getGrad().getType() != expected[0])
    return (Complaint(*this) << "has grad " << getGrad().getType()
                             << ", expected " << expected[0])
        .note(getGrad(), "grad");
  // attention_backward.C9
  Type given = tensorType(getQ()).getElementType();
  Type made = tensorType(getDq()).getElementType();
  if (made != given && !made.isF32())
    return Complaint(*this)
           << "makes gradients of " << made << " from " << given;
  // attention_backward.C8
  if (getScore().empty() != getScoreGradient().empty())
    return Complaint(*this)
           << "has one of the regions score and score_gradient only";
  return success();
}

LogicalResult AttentionBackwardOp::verifyRegions() {
  Builder builder(getContext());
  auto f32 = RankedTensorType::get({}, builder.getF32Type());
  auto i1 = RankedTensorType::get({}, builder.getI1Type());
  TypeRange captures = getCaptures().getTypes();
  return success(
      succeeded(verifyRegion(*this, getMask(), "mask", 0, captures, i1)) &&
      succeeded(verifyRegion(*this, getScore(), "score", 1, captures, f32)) &&
      succeeded(verifyRegion(*this, getScoreGradient(), "score_gradient", 2,
                             captures, f32)));
}
