//===- Folders.cpp - ops that are one of their operands or a constant -----===//

#include "dialects/Tarn/Elementwise.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

// The number that a constant repeats.
static std::optional<double> splatOf(Attribute attribute) {
  auto elements = dyn_cast_or_null<DenseElementsAttr>(attribute);
  if (!elements || !elements.isSplat())
    return std::nullopt;
  if (isa<FloatType>(elements.getElementType()))
    return elements.getSplatValue<APFloat>().convertToDouble();
  APInt value = elements.getSplatValue<APInt>();
  return value.getBitWidth() == 1 ? double(value.getZExtValue())
                                  : double(value.getSExtValue());
}

// A splat of a number, rounded to the element type; null when 64-bit integers
// may have lost digits in double.
static Attribute splatAttribute(Type type, double value) {
  auto tensor = cast<RankedTensorType>(type);
  Type element = tensor.getElementType();
  if (isa<IntegerType>(element) && !(std::abs(value) < 0x1p53))
    return {};
  HostTensor one(RankedTensorType::get({1}, element), {value});
  roundToElementType(one);
  return one.toAttribute().resizeSplat(tensor);
}

static bool isSplat(Attribute attribute, double value) {
  std::optional<double> number = splatOf(attribute);
  return number && *number == value;
}

// A binary op on two splats.
template <typename Formula>
static OpFoldResult foldSplats(Type type, Attribute lhs, Attribute rhs,
                               Formula formula) {
  std::optional<double> x = splatOf(lhs), y = splatOf(rhs);
  if (!x || !y)
    return {};
  return splatAttribute(type, formula(*x, *y));
}

static bool isIdentity(ArrayRef<int64_t> permutation) {
  for (auto [k, dim] : llvm::enumerate(permutation))
    if (int64_t(k) != dim)
      return false;
  return true;
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

OpFoldResult AddOp::fold(FoldAdaptor adaptor) {
  // add(x, 0) -> x
  if (isSplat(adaptor.getRhs(), 0))
    return getLhs();
  if (isSplat(adaptor.getLhs(), 0))
    return getRhs();
  return foldSplats(getType(), adaptor.getLhs(), adaptor.getRhs(),
                    [](double x, double y) { return x + y; });
}

OpFoldResult SubOp::fold(FoldAdaptor adaptor) {
  // sub(x, 0) -> x
  if (isSplat(adaptor.getRhs(), 0))
    return getLhs();
  return foldSplats(getType(), adaptor.getLhs(), adaptor.getRhs(),
                    [](double x, double y) { return x - y; });
}

OpFoldResult MulOp::fold(FoldAdaptor adaptor) {
  // mul(x, 1) -> x
  if (isSplat(adaptor.getRhs(), 1))
    return getLhs();
  if (isSplat(adaptor.getLhs(), 1))
    return getRhs();
  return foldSplats(getType(), adaptor.getLhs(), adaptor.getRhs(),
                    [](double x, double y) { return x * y; });
}

OpFoldResult DivOp::fold(FoldAdaptor adaptor) {
  // div(x, 1) -> x
  if (isSplat(adaptor.getRhs(), 1))
    return getLhs();
  if (!isa<FloatType>(getType().getElementType()))
    return {};
  return foldSplats(getType(), adaptor.getLhs(), adaptor.getRhs(),
                    [](double x, double y) { return x / y; });
}

OpFoldResult NegOp::fold(FoldAdaptor adaptor) {
  // neg(neg(x)) -> x
  if (auto inner = getX().getDefiningOp<NegOp>())
    return inner.getX();
  if (std::optional<double> x = splatOf(adaptor.getX()))
    return splatAttribute(getType(), -*x);
  return {};
}

OpFoldResult NotOp::fold(FoldAdaptor) {
  // not(not(x)) -> x
  if (auto inner = getX().getDefiningOp<NotOp>())
    return inner.getX();
  return {};
}

OpFoldResult SelectOp::fold(FoldAdaptor adaptor) {
  // select(c, x, x) -> x
  if (getLhs() == getRhs())
    return getLhs();
  // select(true, x, y) -> x
  if (std::optional<double> condition = splatOf(adaptor.getCondition()))
    return *condition != 0 ? getLhs() : getRhs();
  return {};
}

// Whether every value of one float type is one of another.
static bool holdsAll(Type narrow, Type wide) {
  auto from = dyn_cast<FloatType>(narrow), to = dyn_cast<FloatType>(wide);
  if (!from || !to)
    return false;
  if (from == to)
    return true;
  return from.getWidth() < to.getWidth();
}

OpFoldResult CastOp::fold(FoldAdaptor adaptor) {
  auto type = tensorType(getResult());
  // cast(x) -> x in one type
  if (getX().getType() == type)
    return getX();
  if (std::optional<double> x = splatOf(adaptor.getX())) {
    if (isa<FloatType>(type.getElementType()) ||
        isa<IntegerType>(tensorType(getX()).getElementType()))
      return splatAttribute(type, *x);
  }
  // cast(cast(x)) -> cast(x) where the inner one loses nothing
  if (auto inner = getX().getDefiningOp<CastOp>()) {
    Type from = tensorType(inner.getX()).getElementType();
    if (holdsAll(from, tensorType(getX()).getElementType()) &&
        isa<FloatType>(type.getElementType())) {
      if (inner.getX().getType() == type)
        return inner.getX();
      getXMutable().assign(inner.getX());
      return getResult();
    }
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Shape
//===----------------------------------------------------------------------===//

// A splat in another shape.
static OpFoldResult foldReshapedSplat(Attribute x, Type type) {
  auto elements = dyn_cast_or_null<DenseElementsAttr>(x);
  if (!elements || !elements.isSplat())
    return {};
  return elements.resizeSplat(cast<ShapedType>(type));
}

OpFoldResult BroadcastOp::fold(FoldAdaptor adaptor) {
  // broadcast(x) -> x without a new dim
  if (getX().getType() == getType())
    return getX();
  return foldReshapedSplat(adaptor.getX(), getType());
}

OpFoldResult TransposeOp::fold(FoldAdaptor adaptor) {
  // transpose(x) -> x by the identity
  if (isIdentity(getPermutation()))
    return getX();
  return foldReshapedSplat(adaptor.getX(), getType());
}

OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  // reshape(x) -> x in one shape
  if (getX().getType() == getType())
    return getX();
  if (auto elements = dyn_cast_or_null<DenseElementsAttr>(adaptor.getX()))
    return elements.reshape(getType());
  return {};
}

OpFoldResult SliceOp::fold(FoldAdaptor adaptor) {
  // slice(x) -> x of the whole
  if (getX().getType() == getType())
    return getX();
  // slice(pad(x)) -> x where it takes x out again
  if (auto pad = getX().getDefiningOp<PadOp>())
    if (pad.getX().getType() == getType() && pad.getLow() == getOffsets())
      return pad.getX();
  // slice(concat(.., x, ..)) -> x where it takes one input out again
  if (auto concat = getX().getDefiningOp<ConcatOp>()) {
    int64_t dim = concat.getDim(), start = 0;
    for (Value input : concat.getInputs()) {
      if (start == getOffsets()[dim] && input.getType() == getType())
        return input;
      start += tensorType(input).getDimSize(dim);
    }
  }
  return foldReshapedSplat(adaptor.getX(), getType());
}

OpFoldResult PadOp::fold(FoldAdaptor adaptor) {
  // pad(x) -> x without padding
  if (getX().getType() == getType())
    return getX();
  // pad(0) -> 0
  if (isSplat(adaptor.getX(), 0))
    return foldReshapedSplat(adaptor.getX(), getType());
  return {};
}

OpFoldResult ConcatOp::fold(FoldAdaptor) {
  // concat(x) -> x
  if (getInputs().size() == 1)
    return getInputs().front();
  return {};
}

OpFoldResult ReduceSumOp::fold(FoldAdaptor) {
  // reduce_sum(x) -> x over no dim
  return getDims().empty() ? OpFoldResult(getX()) : OpFoldResult();
}

OpFoldResult ReduceMaxOp::fold(FoldAdaptor) {
  // reduce_max(x) -> x over no dim
  return getDims().empty() ? OpFoldResult(getX()) : OpFoldResult();
}
