//===- ElementwiseOps.cpp - elementwise ops that are not one formula ------===//

#include "dialects/Tarn/Complaint.h"
#include "dialects/Tarn/Elementwise.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

using Tiles = FailureOr<SmallVector<Value>>;

//===----------------------------------------------------------------------===//
// gelu
//===----------------------------------------------------------------------===//

static constexpr double sqrtTwoOverPi = 0.7978845608028654;
static constexpr double sqrtHalf = 0.7071067811865476;

LogicalResult GeluOp::evaluate(ArrayRef<HostTensor> operands,
                               SmallVectorImpl<HostTensor> &results) {
  if (getApproximate() == GeluKind::none)
    return mapUnary(*this, operands, results, [](double x) {
      return 0.5 * x * std::erfc(-x * sqrtHalf);
    });
  return mapUnary(*this, operands, results, [](double x) {
    double u = sqrtTwoOverPi * (x + 0.044715 * x * x * x);
    return x / (1 + std::exp(-2 * u));
  });
}

Tiles GeluOp::buildTileBody(OpBuilder &builder, Location loc,
                            TileBodyContext &context, ValueRange tiles) {
  bool exact = getApproximate() == GeluKind::none;
  return tileUnary(builder, loc, tiles, [&](TileMath &m, Value x) {
    Value one = m.constant(x, 1);
    if (exact) {
      Value cdf = m.add(one, m.erf(m.mul(x, m.constant(x, sqrtHalf))));
      return m.mul(m.mul(m.constant(x, 0.5), x), cdf);
    }
    // -2 u = -(1.5957.. x + 0.0713.. x^3): one polynomial, one exponential.
    Value square = m.mul(x, x);
    Value slope =
        m.add(m.mul(square, m.constant(x, -2 * sqrtTwoOverPi * 0.044715)),
              m.constant(x, -2 * sqrtTwoOverPi));
    return m.div(x, m.add(one, m.exp(m.mul(x, slope))));
  });
}

//===----------------------------------------------------------------------===//
// compare, select, is_finite
//===----------------------------------------------------------------------===//

LogicalResult CompareOp::inferReturnTypes(MLIRContext *context,
                                          std::optional<Location> loc,
                                          Adaptor adaptor,
                                          SmallVectorImpl<Type> &types) {
  types.push_back(withElementType(adaptor.getLhs().getType(),
                                  IntegerType::get(context, 1)));
  return success();
}

LogicalResult CompareOp::evaluate(ArrayRef<HostTensor> operands,
                                  SmallVectorImpl<HostTensor> &results) {
  auto with = [&](auto holds) {
    return mapBinary(*this, operands, results, holds);
  };
  switch (getPredicate()) {
  case Predicate::eq:
    return with([](double x, double y) { return double(x == y); });
  case Predicate::ne:
    return with([](double x, double y) { return double(x != y); });
  case Predicate::lt:
    return with([](double x, double y) { return double(x < y); });
  case Predicate::le:
    return with([](double x, double y) { return double(x <= y); });
  case Predicate::gt:
    return with([](double x, double y) { return double(x > y); });
  case Predicate::ge:
    return with([](double x, double y) { return double(x >= y); });
  }
  llvm_unreachable("all predicates are handled");
}

Tiles CompareOp::buildTileBody(OpBuilder &builder, Location loc,
                               TileBodyContext &context, ValueRange tiles) {
  using F = arith::CmpFPredicate;
  using I = arith::CmpIPredicate;
  static constexpr std::pair<F, I> predicates[] = {
      {F::OEQ, I::eq},  {F::UNE, I::ne},  {F::OLT, I::slt},
      {F::OLE, I::sle}, {F::OGT, I::sgt}, {F::OGE, I::sge}};
  auto [floats, integers] = predicates[static_cast<int>(getPredicate())];
  TileMath m(builder, loc);
  return SmallVector<Value>{
      m.compare(floats, integers, m.widen(tiles[0]), m.widen(tiles[1]))};
}

LogicalResult SelectOp::evaluate(ArrayRef<HostTensor> operands,
                                 SmallVectorImpl<HostTensor> &results) {
  HostTensor &r = results.emplace_back(resultType(*this));
  for (int64_t i = 0, n = r.size(); i != n; ++i)
    r.data[i] =
        operands[0].data[i] != 0 ? operands[1].data[i] : operands[2].data[i];
  return success();
}

Tiles SelectOp::buildTileBody(OpBuilder &builder, Location loc,
                              TileBodyContext &context, ValueRange tiles) {
  TileMath m(builder, loc);
  return SmallVector<Value>{m.select(tiles[0], tiles[1], tiles[2])};
}

LogicalResult IsFiniteOp::inferReturnTypes(MLIRContext *context,
                                           std::optional<Location> loc,
                                           Adaptor adaptor,
                                           SmallVectorImpl<Type> &types) {
  types.push_back(
      withElementType(adaptor.getX().getType(), IntegerType::get(context, 1)));
  return success();
}

LogicalResult IsFiniteOp::evaluate(ArrayRef<HostTensor> operands,
                                   SmallVectorImpl<HostTensor> &results) {
  return mapUnary(*this, operands, results,
                  [](double x) { return double(std::isfinite(x)); });
}

Tiles IsFiniteOp::buildTileBody(OpBuilder &builder, Location loc,
                                TileBodyContext &context, ValueRange tiles) {
  TileMath m(builder, loc);
  Value x = m.widen(tiles[0]);
  // x - x is 0 for numbers and NaN for the rest: no infinity in the program,
  // so that targets may still assume there is none elsewhere.
  Value zero = m.sub(x, x);
  return SmallVector<Value>{m.compare(arith::CmpFPredicate::OEQ,
                                      arith::CmpIPredicate::eq, zero,
                                      m.constant(x, 0))};
}

//===----------------------------------------------------------------------===//
// cast, stop_gradient
//===----------------------------------------------------------------------===//

void CastOp::build(OpBuilder &builder, OperationState &state, Value x,
                   Type elementType) {
  build(builder, state, withElementType(x.getType(), elementType), x);
}

LogicalResult CastOp::verify() {
  // cast.C1
  auto from = tensorType(getX()), to = tensorType(getResult());
  if (from.getShape() != to.getShape())
    return (Complaint(*this) << "turns " << from << " into " << to
                             << ", which has another shape")
        .note(getX(), "x");
  return success();
}

LogicalResult CastOp::evaluate(ArrayRef<HostTensor> operands,
                               SmallVectorImpl<HostTensor> &results) {
  Type from = operands[0].type.getElementType();
  Type to = resultType(*this).getElementType();
  if (to.isInteger(1))
    return mapUnary(*this, operands, results,
                    [](double x) { return double(x != 0); });
  if (isa<FloatType>(from) && isa<IntegerType>(to))
    return mapUnary(*this, operands, results,
                    [](double x) { return std::trunc(x); });
  return mapUnary(*this, operands, results, [](double x) { return x; });
}

Tiles CastOp::buildTileBody(OpBuilder &builder, Location loc,
                            TileBodyContext &context, ValueRange tiles) {
  TileMath m(builder, loc);
  return SmallVector<Value>{
      m.cast(tiles[0], resultType(*this).getElementType())};
}

LogicalResult StopGradientOp::evaluate(ArrayRef<HostTensor> operands,
                                       SmallVectorImpl<HostTensor> &results) {
  results.push_back(operands[0]);
  return success();
}

Tiles StopGradientOp::buildTileBody(OpBuilder &builder, Location loc,
                                    TileBodyContext &context,
                                    ValueRange tiles) {
  return SmallVector<Value>{tiles[0]};
}
