//===- GradientMath.cpp - formulas over tensor values ---------------------===//

#include "dialects/Tarn/GradientMath.h"

#include "llvm/ADT/Sequence.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

Value GradientMath::cast(Value x, Type elementType) {
  if (tensorType(x).getElementType() == elementType)
    return x;
  return make<CastOp>(withElementType(x.getType(), elementType), x);
}

Value GradientMath::widen(Value x) {
  Type element = tensorType(x).getElementType();
  return element.isBF16() || element.isF16() ? cast(x, builder.getF32Type())
                                             : x;
}

Value GradientMath::sum(Value x, ArrayRef<int64_t> dims) {
  return dims.empty() ? x : make<ReduceSumOp>(x, dims);
}

Value GradientMath::repeat(Value x, ArrayRef<int64_t> shape, int64_t dim) {
  SmallVector<int64_t> dims;
  for (int64_t d = 0, e = shape.size(); d != e; ++d)
    if (d != dim)
      dims.push_back(d);
  auto type = RankedTensorType::get(shape, tensorType(x).getElementType());
  return make<BroadcastOp>(type, x, dims);
}

Value GradientMath::repeatRows(Value x, ArrayRef<int64_t> shape) {
  if (shape.size() == 1)
    return x;
  auto type = RankedTensorType::get(shape, tensorType(x).getElementType());
  return make<BroadcastOp>(type, x,
                           ArrayRef<int64_t>{int64_t(shape.size()) - 1});
}

Value GradientMath::rowMean(Value x) {
  ArrayRef<int64_t> shape = tensorType(x).getShape();
  int64_t last = shape.size() - 1;
  Value mean = scale(sum(x, last), 1.0 / shape[last]);
  return repeat(mean, shape, last);
}

Value GradientMath::sumRows(Value x) {
  return sum(
      x, llvm::to_vector(llvm::seq<int64_t>(0, tensorType(x).getRank() - 1)));
}
