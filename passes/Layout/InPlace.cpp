//===- InPlace.cpp - parts of values that are no copies -------------------===//

#include "passes/Layout/InPlace.h"

#include "dialects/Tarn/Joining.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tarn;

static constexpr llvm::StringLiteral mark = "tarn.in_place";
/// What every slice of memory starts at a multiple of.
static constexpr int64_t alignment = 64;

static int64_t bytesOf(RankedTensorType type) {
  return type.getNumElements() *
         int64_t(llvm::divideCeil(type.getElementTypeBitWidth(), 8));
}

/// Bytes of one position along `dim`, where those before it are 1.
static std::optional<int64_t> rowBytes(RankedTensorType type, int64_t dim) {
  for (int64_t d = 0; d != dim; ++d)
    if (type.getDimSize(d) != 1)
      return std::nullopt;
  return bytesOf(type) / type.getDimSize(dim);
}

/// The one dim along which a slice leaves something out; nothing if there are
/// several.
static std::optional<int64_t> slicedDim(graph::SliceOp slice) {
  auto from = graph::tensorType(slice.getX());
  std::optional<int64_t> dim;
  for (int64_t d = 0; d != from.getRank(); ++d)
    if (slice.getSizes()[d] != from.getDimSize(d)) {
      if (dim)
        return std::nullopt;
      dim = d;
    }
  return dim;
}

static std::optional<int64_t> sliceOffset(graph::SliceOp slice) {
  std::optional<int64_t> dim = slicedDim(slice);
  if (!dim)
    return std::nullopt;
  std::optional<int64_t> row = rowBytes(graph::tensorType(slice.getX()), *dim);
  if (!row)
    return std::nullopt;
  return slice.getOffsets()[*dim] * *row;
}

bool tarn::markInPlace(Operation *op) {
  if (auto slice = dyn_cast<graph::SliceOp>(op)) {
    std::optional<int64_t> offset = sliceOffset(slice);
    if (!offset || *offset % alignment != 0)
      return false;
  } else if (std::optional<int64_t> dim = graph::joinedDim(op)) {
    llvm::SmallDenseSet<Value> seen;
    for (Value part : op->getOperands()) {
      auto type = graph::tensorType(part);
      std::optional<int64_t> row = rowBytes(type, *dim);
      bool isLast = part == op->getOperands().back();
      Operation *maker = part.getDefiningOp();
      if (!row || (!isLast && bytesOf(type) % alignment != 0) ||
          !seen.insert(part).second || !maker ||
          isa<graph::ReshapeOp, graph::ConstantOp>(maker) || isInPlace(maker))
        return false;
    }
  } else {
    return false;
  }
  op->setAttr(mark, UnitAttr::get(op->getContext()));
  return true;
}

// Not `hasAttr`: the marks are no attribute of any op's own, and this is asked
// of each user of each value.
bool tarn::isInPlace(Operation *op) {
  return bool(op->getDiscardableAttr(mark));
}

static constexpr llvm::StringLiteral openMark = "tarn.open";

bool tarn::isOpen(Operation *op) {
  return op && op->getDiscardableAttr(openMark);
}

Value tarn::padOpen(OpBuilder &b, Location loc, Value part, int64_t dim,
                    int64_t before, int64_t behind) {
  SmallVector<int64_t> low(graph::tensorType(part).getRank(), 0), high(low);
  low[dim] = before;
  high[dim] = behind;
  auto pad = graph::PadOp::create(b, loc, part, low, high);
  pad->setAttr(openMark, b.getUnitAttr());
  return pad.getResult();
}

Value tarn::putTogether(OpBuilder &b, Location loc, ValueRange padded) {
  Value whole = padded.front();
  for (Value part : padded.drop_front()) {
    auto sum = graph::AddOp::create(b, loc, whole, part);
    sum->setAttr(mark, b.getUnitAttr());
    whole = sum.getResult();
  }
  return whole;
}

static constexpr llvm::StringLiteral partMark = "tarn.part";

void tarn::setPart(Operation *op, int64_t part) {
  op->setAttr(partMark, Builder(op->getContext()).getI64IntegerAttr(part));
}

int64_t tarn::partOf(Operation *op) {
  auto part = op->getDiscardableAttr(partMark);
  return part ? cast<IntegerAttr>(part).getInt() : -1;
}

void tarn::dropPart(Operation *op) { op->removeAttr(partMark); }

std::optional<Alias> tarn::aliasOf(Value value) {
  if (Operation *op = value.getDefiningOp()) {
    if (auto reshape = dyn_cast<graph::ReshapeOp>(op))
      return Alias{reshape.getX(), 0};
    if (auto slice = dyn_cast<graph::SliceOp>(op); slice && isInPlace(op))
      return Alias{slice.getX(), *sliceOffset(slice)};
  } else {
    return std::nullopt; // no part of anything, and read by many
  }
  if (graph::tensorType(value).getRank() == 0)
    return std::nullopt; // like this
  for (Operation *user : value.getUsers()) {
    if (!isInPlace(user))
      continue;
    if (auto sum = dyn_cast<graph::AddOp>(user))
      return Alias{sum.getResult(), 0};
    if (graph::joinedDim(user)) {
      int64_t offset = 0;
      for (Value part : user->getOperands()) {
        if (part == value)
          return Alias{user->getResult(0), offset};
        offset += bytesOf(graph::tensorType(part));
      }
    }
  }
  return std::nullopt;
}

Alias tarn::ownerOf(Value value) {
  Alias owner{value, 0};
  while (std::optional<Alias> next = aliasOf(owner.of))
    owner = {next->of, owner.offset + next->offset};
  return owner;
}
