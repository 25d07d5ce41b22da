//===- BuiltinsRouting.cpp - choosing, grouping, joining ------------------===//
//
// What mixtures of experts are written with.
//
//===----------------------------------------------------------------------===//

#include "frontends/TarnLanguage/BuiltinImpl.h"

#include "llvm/ADT/STLExtras.h"

using namespace tarn::lang;
namespace graph = tarn::graph;
using mlir::RankedTensorType;
using mlir::Value;

/// A dim by number, from the end where it is negative.
std::optional<int64_t> BuiltinImpl::axis(const std::string &name, int64_t rank,
                                         int64_t fallback) {
  std::optional<Datum> given = call.option(name);
  int64_t at = given && given->isInt() ? given->integer() : fallback;
  at += at < 0 ? rank : 0;
  if ((given && !given->isInt()) || at < 0 || at >= rank) {
    e.error(range, "there is no such " + name);
    return std::nullopt;
  }
  return at;
}

/// A positive whole number.
std::optional<int64_t> BuiltinImpl::count(const std::string &name) {
  std::optional<Datum> given = call.take(name);
  if (!given || !given->isInt() || given->integer() < 1) {
    e.error(range, "`" + name + "` is a positive whole number");
    return std::nullopt;
  }
  return given->integer();
}

static bool isFloat(Value x) {
  return llvm::isa<mlir::FloatType>(typeOf(x).getElementType());
}

static bool isIndex(Value x) {
  return typeOf(x).getElementType().isInteger(32);
}

/// The k largest along the last dim, and where they are.
Datum BuiltinImpl::topK() {
  Value x = tensor("x");
  std::optional<int64_t> k = x ? count("k") : std::nullopt;
  if (!k)
    return {};
  auto type = typeOf(x);
  if (type.getRank() < 1 || !isFloat(x) || *k > type.getShape().back())
    return e.error(range, "top_k takes " + std::to_string(*k) +
                              " elements of rows of " + e.typeText(type));
  auto op = graph::TopKOp::create(e.b, e.loc, x, *k);
  return Datum::ofList(
      {Datum::ofTensor(op.getValues()), Datum::ofTensor(op.getIndices())});
}

/// f32, a new last dim: 1 where its position is the index, else 0.
Datum BuiltinImpl::oneHot() {
  Value index = tensor("indices");
  std::optional<int64_t> width = index ? count("count") : std::nullopt;
  if (!width)
    return {};
  if (!isIndex(index))
    return e.error(range, "one_hot is of i32 numbers");
  llvm::SmallVector<int64_t> shape(typeOf(index).getShape());
  int64_t rank = shape.size();
  shape.push_back(*width);
  auto whole = RankedTensorType::get(shape, e.b.getI32Type());
  auto f32 = RankedTensorType::get(shape, e.b.getF32Type());
  Value wanted = make<graph::BroadcastOp>(
      whole, index, llvm::to_vector(llvm::seq<int64_t>(0, rank)));
  Value hit = make<graph::CompareOp>(graph::Predicate::eq,
                                     make<graph::IotaOp>(whole, rank), wanted);
  return of(make<graph::SelectOp>(hit, graph::splat(e.b, e.loc, f32, 1),
                                  graph::splat(e.b, e.loc, f32, 0)));
}

/// x where the condition holds, else y; numbers are repeated.
Datum BuiltinImpl::select() {
  Value condition = tensor("condition");
  std::optional<Datum> x = call.take("x"), y = call.take("y");
  if (!condition || !x || !y)
    return e.failed ? Datum() : none("x");
  auto type = typeOf(condition);
  if (!type.getElementType().isInteger(1))
    return e.error(range, "select needs truth values, not " + e.typeText(type));
  mlir::Type element = e.b.getF32Type();
  for (const Datum *side : {&*x, &*y})
    if (!side->isNumber())
      if (Value given = e.resolve(*side, range))
        element = typeOf(given).getElementType();
  if (e.failed)
    return {};
  auto wanted = type.clone(element);
  Value left = e.asTensor(*x, range, wanted),
        right = e.asTensor(*y, range, wanted);
  if (!left || !right)
    return {};
  for (Value side : {left, right})
    if (side.getType() != wanted)
      return e.error(range, "select of " + e.typeText(wanted) + " and " +
                                e.typeText(side.getType()));
  return of(make<graph::SelectOp>(condition, left, right));
}

/// pick(x [.., N], indices [.., K]): elements of each row, [.., K].
Datum BuiltinImpl::pick() {
  Value x = tensor("x"), index = tensor("indices");
  if (!x || !index)
    return {};
  auto type = typeOf(x), at = typeOf(index);
  if (type.getRank() < 1 || at.getRank() != type.getRank() ||
      at.getShape().drop_back() != type.getShape().drop_back() ||
      !isIndex(index))
    return e.error(range, "pick takes elements of rows of " + e.typeText(type) +
                              " at " + e.typeText(at));
  llvm::SmallVector<int64_t> shape(at.getShape()), dims;
  shape.push_back(type.getShape().back());
  for (int64_t d = 0; d + 1 < type.getRank(); ++d)
    dims.push_back(d);
  dims.push_back(type.getRank());
  Value rows = make<graph::BroadcastOp>(type.clone(shape), x, dims);
  return of(make<graph::TakeAlongOp>(rows, index));
}

/// repeat(x, count, axis): a new dim, along which x is the same.
Datum BuiltinImpl::repeat() {
  Value x = tensor("x");
  std::optional<int64_t> times = x ? count("count") : std::nullopt;
  if (!times)
    return {};
  int64_t rank = typeOf(x).getRank();
  std::optional<int64_t> at = axis("axis", rank + 1, -1);
  if (!at)
    return {};
  llvm::SmallVector<int64_t> shape(typeOf(x).getShape()), dims;
  shape.insert(shape.begin() + *at, *times);
  for (int64_t d = 0; d <= rank; ++d)
    if (d != *at)
      dims.push_back(d);
  return of(make<graph::BroadcastOp>(typeOf(x).clone(shape), x, dims));
}

/// concat(list, axis): tensors one behind the other.
Datum BuiltinImpl::concat() {
  std::optional<Datum> list = call.take("list");
  if (!list || !list->isList() || list->list->empty())
    return e.error(range, "concat is of a list of tensors");
  llvm::SmallVector<Value> parts;
  for (const Datum &item : *list->list) {
    parts.push_back(e.resolve(item, range));
    if (!parts.back())
      return {};
  }
  auto first = typeOf(parts[0]);
  std::optional<int64_t> at = axis("axis", first.getRank(), -1);
  if (!at)
    return {};
  for (Value part : parts) {
    auto type = typeOf(part);
    bool fits = type.getRank() == first.getRank() &&
                type.getElementType() == first.getElementType();
    for (int64_t d = 0; fits && d != first.getRank(); ++d)
      fits = d == *at || type.getDimSize(d) == first.getDimSize(d);
    if (!fits)
      return e.error(range, "concat of " + e.typeText(first) + " and " +
                                e.typeText(type) + " along axis " +
                                std::to_string(*at));
  }
  return of(make<graph::ConcatOp>(parts, *at));
}

/// group_rows(groups [N], count): the rows' order, their places, and where each
/// group begins.
Datum BuiltinImpl::groupRows() {
  Value groups = tensor("groups");
  std::optional<int64_t> number = groups ? count("count") : std::nullopt;
  if (!number)
    return {};
  if (typeOf(groups).getRank() != 1 || !isIndex(groups))
    return e.error(range, "group_rows is of i32[N], not of " +
                              e.typeText(groups.getType()));
  auto op = graph::GroupRowsOp::create(e.b, e.loc, groups, *number);
  return Datum::ofList({Datum::ofTensor(op.getOrder()),
                        Datum::ofTensor(op.getPlaces()),
                        Datum::ofTensor(op.getOffsets())});
}

/// grouped_linear(x [N, K], weight [G, M, K], offsets): each group of rows by
/// its own matrix.
Datum BuiltinImpl::groupedLinear() {
  Value x = tensor("x"), weight = tensor("weight"), offsets = tensor("offsets");
  if (!x || !weight || !offsets)
    return {};
  auto rows = typeOf(x), matrices = typeOf(weight), at = typeOf(offsets);
  if (rows.getRank() != 2 || matrices.getRank() != 3 || at.getRank() != 1 ||
      rows.getDimSize(1) != matrices.getDimSize(2) ||
      at.getDimSize(0) != matrices.getDimSize(0) + 1 || !isIndex(offsets) ||
      !isFloat(x) || rows.getElementType() != matrices.getElementType())
    return e.error(range, "grouped_linear is of [N, K], [G, M, K] and i32[G + "
                          "1], not of " +
                              e.typeText(rows) + ", " + e.typeText(matrices) +
                              " and " + e.typeText(at));
  return of(make<graph::GroupedDotOp>(x, weight, offsets, true));
}
