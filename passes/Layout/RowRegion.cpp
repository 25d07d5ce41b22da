//===- RowRegion.cpp - ops that work row by row on large values -----------===//
//
// One walk from the product to the end. What depends on it is a member of the
// region (its rows depend on the same rows alone), or comes after it (it waits
// for a sum over rows, or for rows that left). A large value may be read by
// members only.
//
//===----------------------------------------------------------------------===//

#include "passes/Layout/RowRegion.h"

#include "passes/Train/Roles.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

/// The dim of a value at which a map has the loop; nothing if it has it twice
/// or in a sum, -1 if it has not.
static std::optional<int64_t> dimOf(AffineMap map, unsigned loop) {
  int64_t found = -1;
  if (!map)
    return -1;
  for (auto [i, expr] : llvm::enumerate(map.getResults())) {
    if (!expr.isFunctionOfDim(loop))
      continue;
    if (!isa<AffineDimExpr>(expr) || found >= 0)
      return std::nullopt;
    found = int64_t(i);
  }
  return found;
}

/// Where a loop is seen; nothing if somewhere with an offset.
static std::optional<RowTies> tiesOf(IndexedOp op, unsigned loop) {
  SmallVector<AffineMap> maps = op.getIndexingMaps();
  unsigned operands = op->getNumOperands();
  if (maps.size() != operands + op->getNumResults())
    return std::nullopt;
  RowTies ties;
  for (auto [i, map] : llvm::enumerate(maps)) {
    std::optional<int64_t> dim = dimOf(map, loop);
    if (!dim)
      return std::nullopt;
    if (i < operands)
      ties.operands.push_back(*dim);
    else
      ties.results.push_back(*dim);
  }
  return ties;
}

/// The loop that dim `dim` of a value is, by its map.
static std::optional<unsigned> loopAt(AffineMap map, int64_t dim) {
  if (!map || dim >= int64_t(map.getNumResults()))
    return std::nullopt;
  auto expr = dyn_cast<AffineDimExpr>(map.getResult(unsigned(dim)));
  return expr ? std::optional(expr.getPosition()) : std::nullopt;
}

namespace {

/// Notes which positions a body asks for, and makes nothing of them.
class PositionWatch : public TileBodyContext {
public:
  explicit PositionWatch(ArrayRef<int64_t> shape) : shape(shape) {}
  ArrayRef<int64_t> getTileShape() override { return shape; }
  Value indexTile(OpBuilder &b, Location loc, unsigned loopDim) override {
    asked.insert(loopDim);
    return splat(b, loc, RankedTensorType::get(shape, b.getI32Type()), 0);
  }
  Value splatElement(OpBuilder &b, Location loc, unsigned,
                     ArrayRef<int64_t>) override {
    asksOther = true;
    return splat(b, loc, RankedTensorType::get(shape, b.getI32Type()), 0);
  }
  llvm::SmallDenseSet<unsigned> asked;
  bool asksOther = false;

private:
  ArrayRef<int64_t> shape;
};

} // namespace

bool tarn::looksAtPosition(IndexedOp op, unsigned loop) {
  if (op.getTileKind() != TileKind::elementwise &&
      op.getTileKind() != TileKind::reduction)
    return false;
  Block scratch;
  OpBuilder b(op->getContext());
  b.setInsertionPointToStart(&scratch);
  SmallVector<int64_t> shape = op.getLoopBounds();
  SmallVector<Value> tiles;
  for (Value operand : op->getOperands())
    tiles.push_back(scratch.addArgument(
        RankedTensorType::get(shape, tensorType(operand).getElementType()),
        op->getLoc()));
  PositionWatch watch(shape);
  bool built = succeeded(op.buildTileBody(b, op->getLoc(), watch, tiles));
  while (!scratch.empty())
    scratch.back().erase();
  return !built || watch.asksOther || watch.asked.contains(loop);
}

/// How an op takes part in a region, where its operands with dims >= 0 are rows
/// of it: the loop over rows is parallel, or summed over.
static std::optional<RowTies>
memberTies(IndexedOp op, ArrayRef<int64_t> rowDims, bool &isSum) {
  SmallVector<AffineMap> maps = op.getIndexingMaps();
  if (maps.size() != op->getNumOperands() + op->getNumResults())
    return std::nullopt;
  std::optional<unsigned> loop;
  for (auto [i, dim] : llvm::enumerate(rowDims)) {
    if (dim < 0)
      continue;
    std::optional<unsigned> here = loopAt(maps[i], dim);
    if (!here || (loop && *loop != *here))
      return std::nullopt;
    loop = here;
  }
  if (!loop)
    return std::nullopt;
  auto shardable = dyn_cast<Shardable>(op.getOperation());
  ShardKind kind =
      shardable ? shardable.getShardKind(*loop) : ShardKind::replicated;
  std::optional<RowTies> ties = tiesOf(op, *loop);
  if (kind == ShardKind::replicated || !ties)
    return std::nullopt;
  isSum = kind == ShardKind::partialSum;
  // A result without the rows that is no sum would be made once per part.
  for (int64_t dim : ties->results)
    if ((dim < 0) != isSum)
      return std::nullopt;
  if (looksAtPosition(op, *loop))
    return std::nullopt;
  return ties;
}

/// Elements per row.
static int64_t perRow(Value value, int64_t rows) {
  return tensorType(value).getNumElements() / rows;
}

/// How an op of at most `depth` ops one above the other can be run again for a
/// part of its rows, where nothing but numbers per row is read from memory.
static std::optional<RowTies> remake(Value value, unsigned dim,
                                     unsigned depth) {
  Operation *op = value.getDefiningOp();
  auto indexed = dyn_cast_or_null<IndexedOp>(op);
  auto cost = dyn_cast_or_null<Recomputable>(op);
  if (!indexed || !cost || op->getNumResults() != 1 || depth == 0 ||
      cost.getRecomputeClass() != RecomputeClass::cheap)
    return std::nullopt;
  int64_t rows = tensorType(value).getDimSize(dim);
  SmallVector<AffineMap> maps = indexed.getIndexingMaps();
  if (maps.size() != op->getNumOperands() + 1)
    return std::nullopt;
  std::optional<unsigned> loop = loopAt(maps.back(), dim);
  if (!loop || looksAtPosition(indexed, *loop))
    return std::nullopt;
  std::optional<RowTies> ties = tiesOf(indexed, *loop);
  // Numbers per row are read as they lie, not made of others.
  if (!ties ||
      (perRow(value, rows) == 1 &&
       llvm::any_of(ties->operands, [](int64_t at) { return at >= 0; })))
    return std::nullopt;
  for (auto [operand, at] : llvm::zip(op->getOperands(), ties->operands))
    if (at >= 0 && perRow(operand, rows) != 1 &&
        !operand.getDefiningOp<ConstantOp>() &&
        !remake(operand, unsigned(at), depth - 1))
      return std::nullopt;
  return ties;
}

std::optional<RowTies> tarn::remakeTies(Value value, unsigned dim) {
  return remake(value, dim, /*depth=*/8);
}

/// The dims of the product's result that may count rows: loops that one factor
/// has and the other has not, where a part of the rows has less of that factor
/// than of the result. First where that is the most.
static SmallVector<unsigned> rowDims(IndexedOp product) {
  SmallVector<AffineMap> maps = product.getIndexingMaps();
  if (product.getTileKind() != TileKind::dot || product->getNumResults() != 1 ||
      maps.size() != product->getNumOperands() + 1 ||
      !llvm::all_of(maps, [](AffineMap map) { return bool(map); }))
    return {};
  auto type = tensorType(product->getResult(0));
  SmallVector<std::pair<int64_t, unsigned>> found;
  for (int64_t d = 0; d != type.getRank(); ++d) {
    std::optional<unsigned> loop = loopAt(maps.back(), d);
    if (!loop || type.getDimSize(d) < 2)
      continue;
    Value rows;
    unsigned factors = 0;
    for (auto [i, operand] : llvm::enumerate(product->getOperands()))
      if (std::optional<int64_t> at = dimOf(maps[i], *loop); at && *at >= 0) {
        rows = operand;
        ++factors;
      }
    if (factors != 1)
      continue;
    int64_t more = perRow(product->getResult(0), type.getDimSize(d)) -
                   perRow(rows, type.getDimSize(d));
    if (more > 0)
      found.push_back({-more, unsigned(d)});
  }
  llvm::sort(found);
  return llvm::map_to_vector(found, [](auto each) { return each.second; });
}

/// The ops that a loss waits for; all where the function has none.
static llvm::DenseSet<Operation *> lossOps(func::FuncOp function) {
  llvm::DenseSet<Operation *> ops;
  SmallVector<Operation *> work;
  for (auto [i, operand] : llvm::enumerate(
           function.getBody().front().getTerminator()->getOperands()))
    if (resultRole(function, i) == "loss" ||
        resultName(function, i) == "accumulator.loss")
      work.push_back(operand.getDefiningOp());
  if (work.empty())
    for (Operation &op : function.getBody().front())
      work.push_back(&op);
  while (!work.empty())
    if (Operation *op = work.pop_back_val(); op && ops.insert(op).second)
      for (Value operand : op->getOperands())
        work.push_back(operand.getDefiningOp());
  return ops;
}

SmallVector<Operation *> tarn::findRowProducts(func::FuncOp function) {
  llvm::DenseSet<Operation *> forward = lossOps(function);
  int64_t largest = 0;
  SmallVector<Operation *> products;
  auto bits = [](Value value) {
    return tensorType(value).getNumElements() *
           tensorType(value).getElementTypeBitWidth();
  };
  for (Operation &op : function.getBody().front()) {
    auto indexed = dyn_cast<IndexedOp>(op);
    if (!indexed || indexed.getTileKind() != TileKind::dot)
      continue;
    largest = std::max(largest, bits(op.getResult(0)));
    if (forward.contains(&op) && !rowDims(indexed).empty())
      products.push_back(&op);
  }
  llvm::erase_if(products, [&](Operation *op) {
    return bits(op->getResult(0)) < largest / 4 * 3;
  });
  llvm::stable_sort(products, [&](Operation *x, Operation *y) {
    return bits(x->getResult(0)) > bits(y->getResult(0));
  });
  return products;
}

namespace {

/// What a value that depends on the product is.
struct Dependence {
  bool isMember = false;
  int64_t dim = -1; ///< of a member: that counts rows
};

class RegionFinder {
public:
  RegionFinder(Operation *product, unsigned dim, std::string &reason,
               Operation *&at)
      : product(product), dim(int64_t(dim)), reason(reason), at(at),
        region{{},
               {},
               tensorType(product->getResult(0)).getDimSize(dim),
               tensorType(product->getResult(0)),
               product->getLoc()} {}
  std::optional<RowRegion> run();

private:
  bool visit(Operation *op);
  bool isLarge(Value value) const {
    return perRow(value, region.rows) > rowElements;
  }
  bool fail(Operation *op, const Twine &text) {
    at = op;
    reason = text.str();
    return false;
  }
  void findExits();

  Operation *product;
  int64_t dim, rowElements = 0;
  std::string &reason;
  Operation *&at;
  RowRegion region;
  llvm::DenseMap<Value, Dependence> known;
};

} // namespace

/// Decides whether an op that depends on the product is a member.
bool RegionFinder::visit(Operation *op) {
  SmallVector<int64_t> rowDims;
  bool isLate = false;
  Value large;
  for (Value operand : op->getOperands()) {
    auto found = known.find(operand);
    bool isMember = found != known.end() && found->second.isMember;
    rowDims.push_back(isMember ? found->second.dim : -1);
    isLate |= found != known.end() && !isMember;
    if (isMember && isLarge(operand))
      large = operand;
  }
  auto indexed = dyn_cast<IndexedOp>(op);
  bool isSum = false;
  std::optional<RowTies> ties;
  if (indexed && !isLate)
    ties = memberTies(indexed, rowDims, isSum);
  // What only repeats a number per row in a middle size is not worth a part.
  if (ties && !large && !isSum && llvm::any_of(op->getResults(), [&](Value r) {
        return !isLarge(r) && perRow(r, region.rows) != 1;
      }))
    ties.reset();
  if (!ties) {
    if (large && isa<func::ReturnOp>(op))
      return fail(large.getDefiningOp(), "what it makes is a result");
    if (large && isLate)
      return fail(op, op->getName().getStringRef() +
                          " waits for all rows, and reads large ones");
    if (large)
      return fail(op,
                  op->getName().getStringRef() + " does not work row by row");
    for (Value result : op->getResults())
      known[result] = {};
    return true;
  }
  region.ops.push_back({op, *ties});
  for (auto [result, at] : llvm::zip(op->getResults(), ties->results)) {
    // Rows of a middle size leave: what follows them is the rest of the model.
    bool stays =
        !isSum && (isLarge(result) || perRow(result, region.rows) == 1);
    known[result] = {stays, stays ? at : -1};
  }
  return true;
}

void RegionFinder::findExits() {
  llvm::SmallDenseSet<Operation *> inside;
  for (const RowOp &member : region.ops)
    inside.insert(member.op);
  for (const RowOp &member : region.ops)
    for (auto [result, at] :
         llvm::zip(member.op->getResults(), member.ties.results))
      if (llvm::any_of(result.getUsers(),
                       [&](Operation *user) { return !inside.contains(user); }))
        region.exits.push_back({result, at});
}

std::optional<RowRegion> RegionFinder::run() {
  auto indexed = cast<IndexedOp>(product);
  std::optional<unsigned> loop = loopAt(indexed.getIndexingMaps().back(), dim);
  std::optional<RowTies> ties = tiesOf(indexed, *loop);
  if (!ties) {
    fail(product, "its rows are not read in place");
    return std::nullopt;
  }
  for (auto [operand, at] : llvm::zip(product->getOperands(), ties->operands))
    if (at >= 0)
      rowElements = perRow(operand, region.rows);
  region.ops.push_back({product, *ties});
  known[product->getResult(0)] = {true, dim};
  for (Operation *op = product->getNextNode(); op; op = op->getNextNode())
    if (llvm::any_of(op->getOperands(),
                     [&](Value operand) { return known.contains(operand); }))
      if (!visit(op))
        return std::nullopt;
  findExits();
  if (llvm::none_of(region.exits, [](const RowExit &e) { return e.dim < 0; })) {
    fail(product, "no sum over rows follows");
    return std::nullopt;
  }
  return region;
}

std::optional<RowRegion>
tarn::findRowRegion(Operation *product, std::string &reason, Operation *&at) {
  bool isFirst = true;
  for (unsigned dim : rowDims(cast<IndexedOp>(product))) {
    std::string why;
    Operation *where = product;
    if (std::optional<RowRegion> region =
            RegionFinder(product, dim, why, where).run())
      return region;
    // What is in the way of the rows that matter most.
    if (isFirst)
      reason = why, at = where;
    isFirst = false;
  }
  return std::nullopt;
}
