//===- BuiltinsOrder.cpp - running sums and sorts -------------------------===//

#include "frontends/TarnLanguage/BuiltinImpl.h"

using namespace tarn::lang;
namespace graph = tarn::graph;
using mlir::Value;

static bool isTruth(Value x) { return typeOf(x).getElementType().isInteger(1); }

/// cumsum(x, axis): running sums along a dim, the last one by default; truth
/// values count as 0 and 1.
Datum BuiltinImpl::cumsum() {
  Value x = tensor("x");
  if (!x)
    return {};
  if (isTruth(x))
    x = asNumber(x).tensor;
  std::optional<int64_t> at = axis("axis", typeOf(x).getRank(), -1);
  std::optional<Datum> reverse = call.option("reverse"),
                       exclusive = call.option("exclusive");
  if (!at)
    return {};
  return of(make<graph::CumsumOp>(x, *at, reverse && e.truth(*reverse, range),
                                  exclusive && e.truth(*exclusive, range)));
}

/// sort(x): rows along the last dim; null with an error.
graph::SortOp BuiltinImpl::sorted() {
  Value x = tensor("x");
  std::optional<Datum> descending = call.option("descending");
  if (!x)
    return {};
  auto type = typeOf(x);
  if (type.getRank() < 1 || isTruth(x)) {
    e.error(range, "sort is of rows of numbers, not of " + e.typeText(type));
    return {};
  }
  if (type.getShape().back() > graph::SortOp::longest) {
    e.error(range, "sort is of rows of up to " +
                       std::to_string(graph::SortOp::longest) +
                       " elements, not of " + e.typeText(type));
    return {};
  }
  bool isDown = descending && e.truth(*descending, range);
  return graph::SortOp::create(e.b, e.loc, x, isDown);
}
