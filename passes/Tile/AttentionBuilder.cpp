//===- AttentionBuilder.cpp - tiles of attention --------------------------===//

#include "passes/Tile/AttentionBuilder.h"

using namespace mlir;
using namespace tarn;

namespace {

/// The region's ops see a whole tile as if it were one number.
class RegionContext : public graph::TileBodyContext {
public:
  explicit RegionContext(ArrayRef<int64_t> shape) : shape(shape) {}
  ArrayRef<int64_t> getTileShape() override { return shape; }
  Value indexTile(OpBuilder &, Location, unsigned) override { return Value(); }
  Value splatElement(OpBuilder &, Location, unsigned,
                     ArrayRef<int64_t>) override {
    return Value();
  }

private:
  ArrayRef<int64_t> shape;
};

} // namespace

FailureOr<Value> AttentionBuilder::apply(Region &region, ValueRange first,
                                         const Place &place) {
  Block &block = region.front();
  auto numbers = place.of(b.getI32Type());
  auto uniform = [&](Value at) -> Value {
    return tile::SplatOp::create(
        b, loc, numbers,
        arith::IndexCastOp::create(b, loc, b.getI32Type(), at));
  };
  llvm::DenseMap<Value, Value> tiles;
  llvm::DenseMap<Value, Value> positions; // block-uniform ones
  unsigned next = 0;
  for (Value tile : first)
    tiles[block.getArgument(next++)] = tile;
  positions[block.getArgument(next)] = place.batch;
  tiles[block.getArgument(next++)] = uniform(place.batch);
  positions[block.getArgument(next)] = place.head;
  tiles[block.getArgument(next++)] = uniform(place.head);
  tiles[block.getArgument(next++)] =
      tile::IotaOp::create(b, loc, numbers, place.query, place.queryAxis);
  tiles[block.getArgument(next++)] =
      tile::IotaOp::create(b, loc, numbers, place.key, 1 - place.queryAxis);
  llvm::DenseMap<Value, Value> capturedBy;
  for (Value capture : captures) {
    Value argument = block.getArgument(next++);
    capturedBy[argument] = capture;
    auto type = graph::tensorType(capture);
    if (type.getRank() != 0)
      continue;
    FailureOr<Value> scalar = deriver.scalar(capture, {});
    if (failed(scalar))
      return failure();
    tiles[argument] =
        tile::SplatOp::create(b, loc, place.of(type.getElementType()), *scalar);
  }
  RegionContext context(place.type.getShape());
  for (Operation &inner : block.without_terminator()) {
    if (auto element = dyn_cast<graph::ElementOp>(inner)) {
      FailureOr<Value> read = readElement(
          element, capturedBy.lookup(element.getX()), block, positions, place,
          /*queryArgument=*/first.size() + 2);
      if (failed(read))
        return failure();
      tiles[element.getResult()] = *read;
      continue;
    }
    SmallVector<Value> operands;
    for (Value operand : inner.getOperands())
      operands.push_back(tiles.lookup(operand));
    FailureOr<SmallVector<Value>> results =
        cast<graph::IndexedOp>(inner).buildTileBody(b, loc, context, operands);
    if (failed(results))
      return inner.emitOpError("has no tile body"), failure();
    for (auto [result, tile] : llvm::zip(inner.getResults(), *results))
      tiles[result] = tile;
  }
  return tiles.lookup(block.getTerminator()->getOperand(0));
}

/// What a region reads of a captured tensor, as a tile of scores: positions are
/// uniform in the tile, or those of the query or the key.
FailureOr<Value>
AttentionBuilder::readElement(graph::ElementOp element, Value capture,
                              Block &block,
                              const llvm::DenseMap<Value, Value> &uniform,
                              const Place &place, unsigned queryArgument) {
  TileSlice slice;
  int64_t dimOf[2] = {-1, -1}; // of the query, of the key
  for (auto [d, position] : llvm::enumerate(element.getPositions())) {
    Value known = uniform.lookup(position);
    int64_t axis = 0;
    if (!known) {
      auto argument = dyn_cast<BlockArgument>(position);
      unsigned number = argument ? argument.getArgNumber() : 0;
      if (!argument || number < queryArgument || number > queryArgument + 1 ||
          dimOf[number - queryArgument] >= 0)
        return element.emitOpError("reads at a position computed from the "
                                   "query's or the key's, which is not "
                                   "supported yet"),
               failure();
      bool isKey = number == queryArgument + 1;
      known = isKey ? place.key : place.query;
      axis = isKey ? 1 - place.queryAxis : place.queryAxis;
      dimOf[isKey] = d;
    }
    bool spans = position == block.getArgument(queryArgument) ||
                 position == block.getArgument(queryArgument + 1);
    slice.offsets.push_back(known);
    slice.sizes.push_back(spans ? place.type.getDimSize(axis) : 1);
  }
  if (dimOf[0] < 0 && dimOf[1] < 0) {
    FailureOr<Value> scalar = deriver.scalar(capture, slice.offsets);
    if (failed(scalar))
      return failure();
    return Value(tile::SplatOp::create(
        b, loc,
        place.of(graph::tensorType(element.getResult()).getElementType()),
        *scalar));
  }
  for (int64_t axis : {0, 1}) {
    int64_t dim = dimOf[axis == place.queryAxis ? 0 : 1];
    if (dim >= 0)
      slice.order.push_back(dim);
  }
  FailureOr<Value> tile = deriver.tile(capture, slice);
  if (failed(tile) || slice.order.size() == 2)
    return tile;
  int64_t newAxis = dimOf[0] < 0 ? place.queryAxis : 1 - place.queryAxis;
  return spread(*tile, newAxis, place.type.getDimSize(newAxis));
}

FailureOr<Value> AttentionBuilder::mask(Region &region, const Place &place,
                                        int64_t keys, int64_t keyBlock) {
  Value keep;
  if (!region.empty()) {
    FailureOr<Value> mask = apply(region, {}, place);
    if (failed(mask))
      return failure();
    keep = *mask;
  }
  if (keys % keyBlock != 0) {
    auto numbers = place.of(b.getI32Type());
    Value key =
        tile::IotaOp::create(b, loc, numbers, place.key, 1 - place.queryAxis);
    Value inside = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, key,
                                         number(numbers, double(keys)));
    keep =
        keep ? arith::AndIOp::create(b, loc, keep, inside).getResult() : inside;
  }
  return keep;
}

FailureOr<AttentionBuilder::Scores>
AttentionBuilder::score(Region &score, Region &mask, Value products,
                        const Place &place, int64_t keys, int64_t keyBlock) {
  Scores scores{products, Value()};
  if (!score.empty()) {
    FailureOr<Value> changed = apply(score, products, place);
    if (failed(changed))
      return failure();
    scores.values = *changed;
  }
  FailureOr<Value> keep = this->mask(mask, place, keys, keyBlock);
  if (failed(keep))
    return failure();
  scores.keep = *keep;
  return scores;
}
