//===- BuiltinsConv.cpp - convolutions ------------------------------------===//
//
// Images lie channels last, as every other value does; weights as in the
// ecosystem's checkpoints, [out, in / groups, taps..].
//
//===----------------------------------------------------------------------===//

#include "frontends/TarnLanguage/BuiltinImpl.h"

using namespace tarn::lang;
namespace graph = tarn::graph;
using llvm::SmallVector;
using llvm::SmallVectorImpl;
using mlir::Value;

/// A whole number from `least` on.
static std::optional<int64_t> wholeNumber(const Datum &datum, int64_t least) {
  constexpr double most = 1 << 30;
  if (!datum.isInt() || datum.number < double(least) || datum.number >= most)
    return std::nullopt;
  return datum.integer();
}

/// A number for each dim of space: one for all, or a list.
std::optional<SmallVector<int64_t, 3>>
BuiltinImpl::perDim(const std::string &name, unsigned rank, int64_t fallback) {
  std::optional<Datum> given = call.option(name);
  if (!given)
    return SmallVector<int64_t, 3>(rank, fallback);
  SmallVector<int64_t, 3> numbers;
  bool isList = given->isList();
  for (unsigned d = 0, count = isList ? given->list->size() : rank; d != count;
       ++d)
    if (auto number =
            wholeNumber(isList ? (*given->list)[d] : *given, fallback))
      numbers.push_back(*number);
  if (numbers.size() == rank && (!isList || given->list->size() == rank))
    return numbers;
  e.error(range, "`" + name + "` is a positive whole number, or a list of " +
                     std::to_string(rank) + ", one for each dimension");
  return std::nullopt;
}

/// Elements of zero before and behind each dim of space: one number for all,
/// one for each dim, or pairs.
bool BuiltinImpl::padding(unsigned rank, SmallVectorImpl<int64_t> &before,
                          SmallVectorImpl<int64_t> &behind) {
  std::optional<Datum> given = call.option("padding");
  Datum all = given ? *given : Datum::ofInt(0);
  if (rank == 1 && all.isList() && all.list->size() == 2)
    all = Datum::ofList({all}); // the pair of the one dim
  bool good = !all.isList() || all.list->size() == rank;
  for (unsigned d = 0; good && d != rank; ++d) {
    const Datum &here = all.isList() ? (*all.list)[d] : all;
    bool isPair = here.isList() && here.list->size() == 2;
    auto low = wholeNumber(isPair ? (*here.list)[0] : here, 0);
    auto high = wholeNumber(isPair ? (*here.list)[1] : here, 0);
    good = low && high;
    if (!good)
      break;
    before.push_back(*low);
    behind.push_back(*high);
  }
  if (!good)
    e.error(range, "`padding` is a whole number, or a list of " +
                       std::to_string(rank) +
                       ": for each dimension one, or a pair (before, behind)");
  return good;
}

/// conv(x [N, space.., C], weight [F, C / groups, taps..]).
Datum BuiltinImpl::conv() {
  Value x = tensor("x"), weight = tensor("weight");
  if (!x || !weight)
    return {};
  auto type = typeOf(x), taps = typeOf(weight);
  int64_t rank = type.getRank() - 2;
  if (rank < 1 || rank > 3 || taps.getRank() != type.getRank())
    return e.error(range,
                   "conv takes images [N, space.., C] and a weight [out, in, "
                   "taps..] of 1 to 3 dimensions of space, not " +
                       e.shapeText(type) + " and " + e.shapeText(taps));
  if (!llvm::isa<mlir::FloatType>(type.getElementType()) ||
      type.getElementType() != taps.getElementType())
    return e.error(range, "conv multiplies " + e.typeText(type) + " with " +
                              e.typeText(taps) +
                              ", which are no floats of one type");
  auto strides = perDim("stride", rank, 1);
  auto dilations = strides ? perDim("dilation", rank, 1) : std::nullopt;
  SmallVector<int64_t, 3> before, behind;
  if (!dilations || !padding(rank, before, behind))
    return {};
  std::optional<Datum> given = call.option("groups");
  std::optional<int64_t> groups =
      wholeNumber(given ? *given : Datum::ofInt(1), 1);
  int64_t channels = type.getShape().back(), features = taps.getDimSize(0);
  if (!groups || channels % *groups != 0 || features % *groups != 0)
    return e.error(range, "`groups` is a whole number that divides the " +
                              std::to_string(channels) +
                              " channels of x and "
                              "the " +
                              std::to_string(features) + " of the result");
  if (taps.getDimSize(1) * *groups != channels)
    return e.error(range, "the weight is for " +
                              std::to_string(taps.getDimSize(1) * *groups) +
                              " channels, x has " + std::to_string(channels));

  graph::Windows windows;
  windows.spacing.assign(rank, 1);
  windows.strides = *strides;
  windows.dilations = *dilations;
  for (int64_t d = 0; d != rank; ++d) {
    int64_t extent = type.getDimSize(1 + d), tapCount = taps.getDimSize(2 + d);
    int64_t span = (tapCount - 1) * (*dilations)[d] + 1;
    int64_t padded = extent + before[d] + behind[d];
    if (span > padded)
      return e.error(range, "a window of " + std::to_string(span) +
                                " does not fit into the " +
                                std::to_string(padded) +
                                " elements of dimension " +
                                std::to_string(1 + d) + " of x, padded");
    windows.in.push_back(extent);
    windows.out.push_back((padded - span) / (*strides)[d] + 1);
    windows.taps.push_back(tapCount);
    windows.offsets.push_back(-before[d]);
  }
  // The weight as [taps, groups, in, out], by steps of three dims at most.
  auto permute = [&](Value value, llvm::ArrayRef<int64_t> shape,
                     llvm::ArrayRef<int64_t> permutation) -> Value {
    value = make<graph::ReshapeOp>(value, shape);
    return make<graph::TransposeOp>(value, permutation);
  };
  int64_t each = channels / *groups, made = features / *groups;
  int64_t count = windows.tapCount(), images = type.getDimSize(0);
  Value w;
  if (*groups == 1) {
    w = permute(weight, {made, each, count}, {2, 1, 0});
  } else if (each == 1) {
    w = permute(weight, {*groups, made, count}, {2, 0, 1});
  } else {
    w = permute(weight, {*groups, made, each * count}, {0, 2, 1});
    w = permute(w, {channels, count, made}, {1, 0, 2});
  }
  w = make<graph::ReshapeOp>(
      w, llvm::ArrayRef<int64_t>{count, *groups, each, made});
  Value rows = make<graph::ReshapeOp>(
      x, llvm::ArrayRef<int64_t>{images * windows.positions(), channels});
  Value result = make<graph::ConvOp>(rows, w, windows);
  SmallVector<int64_t> shape{images};
  llvm::append_range(shape, windows.out);
  shape.push_back(features);
  return of(make<graph::ReshapeOp>(result, shape));
}
