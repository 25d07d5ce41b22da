//===- BatchCut.cpp - a batch as several micro-batches --------------------===//
//
// Both functions are walked side by side. A value with a dim that differs holds
// rows: those of a micro-batch are a slice of all. A value without one is the
// same in all micro-batches, or the sum or mean over them is the value of the
// batch; linear ops keep that. Whatever else becomes of sums is another number
// than the batch's, and so are rows that see it.
//
//===----------------------------------------------------------------------===//

#include "compiler/Driver/BatchCut.h"

#include "dialects/Tarn/HostTensor.h"
#include "dialects/Tarn/ShardLoops.h"
#include "dialects/Tarn/TarnOps.h"
#include "passes/Layout/RowRegion.h"
#include "passes/Train/Roles.h"

#include <cmath>

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

namespace {

/// What a value of a micro-batch is to that of the batch.
struct Fact {
  enum Kind {
    same,  ///< equal
    rows,  ///< a slice along `dim`
    sum,   ///< the batch's is the sum over micro-batches
    mean,  ///< the batch's is the mean
    scale, ///< a number that counts rows: of the batch, and of a micro-batch
    other  ///< none of these
  };
  Kind kind = same;
  int64_t dim = -1;
  double ofWhole = 0, ofPart = 0;
  /// Where rows became a total, or what came to something else.
  Operation *at = nullptr;

  static Fact of(Kind kind, Operation *op) { return {kind, -1, 0, 0, op}; }
  static Fact rowsAt(int64_t dim) { return {rows, dim, 0, 0, nullptr}; }
  static Fact otherBy(Operation *op) { return {other, -1, 0, 0, op}; }
};

/// Walks copies of both functions; it decomposes what it finds there.
class Comparison {
public:
  Comparison(func::FuncOp whole, func::FuncOp part, int64_t count)
      : whole(whole), part(part), count(count) {}

  /// Whether they are one graph, cut along the first dim of inputs.
  bool run();
  Fact factOf(Value value) const { return facts.lookup(value); }
  bool isCutDraw(unsigned number) const { return cutDraws.contains(number); }

private:
  bool visitArguments();
  bool visit(Operation *op, Operation *less);
  bool matches(Operation *op, Operation *less);
  std::optional<SmallVector<int64_t, 2>> cutDims(Value value, Value less);
  void judge(Operation *op, Operation *less);
  void judgeConstant(ConstantOp op, ConstantOp less);
  void judgeDraw(Operation *op);
  void judgeLoops(IndexedOp op, IndexedOp less);
  void judgeShardLoops(Operation *op);
  void judgeView(Operation *op);
  void judgeTotals(Operation *op);
  bool isAffine(Operation *op);
  Fact::Kind scaling(Operation *op);
  void setAll(Operation *op, Fact fact) {
    for (Value result : op->getResults())
      facts[result] = fact;
  }
  void setOther(Operation *op) { setAll(op, Fact::otherBy(op)); }
  bool hasRows(Operation *op) const {
    auto isRows = [&](Value v) { return dims.lookup(v) >= 0; };
    return llvm::any_of(op->getOperands(), isRows) ||
           llvm::any_of(op->getResults(), isRows);
  }
  bool any(Operation *op, Fact::Kind kind) const {
    return llvm::any_of(op->getOperands(),
                        [&](Value v) { return factOf(v).kind == kind; });
  }

  func::FuncOp whole, part;
  int64_t count;
  llvm::DenseMap<Value, Value> partOf;
  llvm::DenseMap<Value, Fact> facts;
  /// The dim that counts rows, of every value: -1 where there is none.
  llvm::DenseMap<Value, int64_t> dims;
  llvm::SmallDenseSet<unsigned> cutDraws;
  unsigned draws = 0;
};

} // namespace

/// The dims along which `less` has 1/count of the elements; nothing where they
/// differ otherwise.
std::optional<SmallVector<int64_t, 2>> Comparison::cutDims(Value value,
                                                           Value less) {
  auto x = tensorType(value), y = tensorType(less);
  if (x.getElementType() != y.getElementType() || x.getRank() != y.getRank())
    return std::nullopt;
  SmallVector<int64_t, 2> found;
  for (int64_t d = 0; d != x.getRank(); ++d) {
    if (x.getDimSize(d) == y.getDimSize(d))
      continue;
    if (x.getDimSize(d) != y.getDimSize(d) * count)
      return std::nullopt;
    found.push_back(d);
  }
  return found;
}

bool Comparison::visitArguments() {
  if (whole.getNumArguments() != part.getNumArguments())
    return false;
  bool isCut = false;
  for (auto [x, y] : llvm::zip(whole.getArguments(), part.getArguments())) {
    auto cut = cutDims(x, y);
    bool isInput = argumentRole(whole, x.getArgNumber()) == "input";
    if (!cut || cut->size() > 1 || (!cut->empty() && !isInput) ||
        (cut->size() == 1 && cut->front() != 0))
      return false;
    partOf[x] = y;
    dims[x] = cut->empty() ? -1 : 0;
    facts[x] = cut->empty() ? Fact() : Fact::rowsAt(0);
    isCut |= !cut->empty();
  }
  return isCut;
}

/// Numbers of a size or a place, which fewer rows may change.
static bool isProportional(Attribute x, Attribute y, int64_t count) {
  auto xs = dyn_cast<DenseI64ArrayAttr>(x), ys = dyn_cast<DenseI64ArrayAttr>(y);
  return xs && ys && xs.size() == ys.size() &&
         llvm::all_of(llvm::zip(xs.asArrayRef(), ys.asArrayRef()),
                      [&](auto pair) {
                        auto [a, b] = pair;
                        return a == b || a == b * count;
                      });
}

/// Whether two ops are one, but for the number of rows. The values of constants
/// are judged later.
bool Comparison::matches(Operation *op, Operation *less) {
  if (op->getName() != less->getName() ||
      op->getNumOperands() != less->getNumOperands() ||
      op->getNumResults() != less->getNumResults() ||
      op->getNumRegions() != less->getNumRegions())
    return false;
  for (auto [x, y] : llvm::zip(op->getOperands(), less->getOperands()))
    if (partOf.lookup(x) != y)
      return false;
  DictionaryAttr mine = op->getAttrDictionary();
  if (mine.size() != less->getAttrDictionary().size())
    return false;
  for (NamedAttribute entry : mine) {
    Attribute other = less->getAttr(entry.getName());
    if (!other || (other != entry.getValue() && !isa<ConstantOp>(op) &&
                   !isProportional(entry.getValue(), other, count)))
      return false;
  }
  return true;
}

bool Comparison::visit(Operation *op, Operation *less) {
  if (!matches(op, less))
    return false;
  bool isDiagonal = false; // rows meet rows
  for (auto [x, y] : llvm::zip(op->getResults(), less->getResults())) {
    auto cut = cutDims(x, y);
    if (!cut)
      return false;
    partOf[x] = y;
    dims[x] = cut->empty() ? -1 : cut->front();
    isDiagonal |= cut->size() > 1;
  }
  Value bad;
  for (Value operand : op->getOperands())
    if (!bad && factOf(operand).kind == Fact::other)
      bad = operand;
  if (isa<RandomOp>(op))
    ++draws;
  if (bad)
    setAll(op, factOf(bad));
  else if (isDiagonal)
    setOther(op);
  else
    judge(op, less);
  return true;
}

void Comparison::judge(Operation *op, Operation *less) {
  if (auto constant = dyn_cast<ConstantOp>(op))
    return judgeConstant(constant, cast<ConstantOp>(less));
  if (!hasRows(op))
    return judgeTotals(op);
  // Rows that see a number of the whole batch.
  for (Value operand : op->getOperands()) {
    Fact fact = factOf(operand);
    if (fact.kind != Fact::same && fact.kind != Fact::rows)
      return setAll(op, Fact::otherBy(fact.at ? fact.at : op));
  }
  if (isa<RandomOp>(op))
    return judgeDraw(op);
  if (isa<ShardLoops>(op))
    return judgeShardLoops(op);
  auto indexed = dyn_cast<IndexedOp>(op);
  if (indexed && !indexed.getIndexingMaps().empty())
    return judgeLoops(indexed, cast<IndexedOp>(less));
  if (indexed && indexed.getTileKind() == TileKind::view &&
      op->getNumOperands() == 1 && op->getNumResults() == 1)
    return judgeView(op);
  setOther(op);
}

void Comparison::judgeConstant(ConstantOp op, ConstantOp less) {
  auto x = cast<DenseElementsAttr>(op.getValue()),
       y = cast<DenseElementsAttr>(less.getValue());
  int64_t dim = dims.lookup(op.getResult());
  Fact &fact = facts[op.getResult()];
  fact = dim < 0 ? Fact() : Fact::rowsAt(dim);
  if (x == y)
    return;
  if (!x.isSplat() || !y.isSplat()) {
    fact = Fact::otherBy(op);
    return;
  }
  // One element tells: a splat of the batch's size is not to be spread out.
  auto number = [](DenseElementsAttr splat) {
    auto scalar = RankedTensorType::get({}, splat.getElementType());
    return HostTensor::fromAttribute(splat.resizeSplat(scalar)).data.front();
  };
  double a = number(x), b = number(y);
  if (a == b)
    return;
  fact = dim < 0 ? Fact{Fact::scale, -1, a, b, nullptr} : Fact::otherBy(op);
}

/// A part of a draw begins where the parts before it end.
void Comparison::judgeDraw(Operation *op) {
  Value result = op->getResult(0);
  int64_t dim = dims.lookup(result);
  ArrayRef<int64_t> shape = tensorType(result).getShape();
  if (dim < 0 || cast<RandomOp>(op).getStartMutable().size() != 0 ||
      llvm::any_of(
          shape.take_front(size_t(dim)),
          [](int64_t extent) { return extent != 1; }))
    return setOther(op);
  cutDraws.insert(draws - 1);
  facts[result] = Fact::rowsAt(dim);
}

/// An op that has indexing maps: exactly one of its loops runs over rows, in
/// parallel or summed up.
void Comparison::judgeLoops(IndexedOp op, IndexedOp less) {
  SmallVector<AffineMap> maps = op.getIndexingMaps();
  SmallVector<int64_t> bounds = op.getLoopBounds(),
                       lessBounds = less.getLoopBounds();
  std::optional<unsigned> loop;
  bool good = maps == less.getIndexingMaps() &&
              bounds.size() == lessBounds.size() &&
              maps.size() == op->getNumOperands() + op->getNumResults() &&
              llvm::all_of(maps, [](AffineMap map) { return bool(map); });
  for (unsigned i = 0; good && i != bounds.size(); ++i)
    if (bounds[i] != lessBounds[i]) {
      good = !loop && bounds[i] == lessBounds[i] * count;
      loop = i;
    }
  auto shardable = dyn_cast<Shardable>(op.getOperation());
  if (!good || !loop || !shardable)
    return setOther(op);
  ShardKind kind = shardable.getShardKind(*loop);
  // Where the loop is, rows are, and nowhere else.
  auto agrees = [&](AffineMap map, Value value) {
    int64_t dim = dims.lookup(value);
    for (auto [d, expr] : llvm::enumerate(map.getResults()))
      if (expr.isFunctionOfDim(*loop) != (int64_t(d) == dim))
        return false;
    return true;
  };
  for (auto [map, operand] : llvm::zip(maps, op->getOperands()))
    good &= agrees(map, operand);
  for (auto [map, result] : llvm::zip(
           ArrayRef(maps).drop_front(op->getNumOperands()), op->getResults()))
    good &= agrees(map, result) &&
            (dims.lookup(result) < 0) == (kind == ShardKind::partialSum);
  if (!good || kind == ShardKind::replicated || looksAtPosition(op, *loop))
    return setOther(op);
  for (Value result : op->getResults())
    facts[result] = kind == ShardKind::partialSum
                        ? Fact::of(Fact::sum, op)
                        : Fact::rowsAt(dims.lookup(result));
}

/// An op that names its loops: rows are in one of them.
void Comparison::judgeShardLoops(Operation *op) {
  unsigned operands = op->getNumOperands();
  auto dimOf = [&](unsigned i) {
    return dims.lookup(i < operands ? op->getOperand(i)
                                    : op->getResult(i - operands));
  };
  for (const ShardLoop &loop : cast<ShardLoops>(op).getShardLoops()) {
    bool isSum = loop.kind == ShardLoop::sum;
    if (loop.kind != ShardLoop::parallel && !isSum)
      continue;
    bool good = true;
    for (unsigned i = 0, e = operands + op->getNumResults(); i != e; ++i) {
      int64_t here = -1;
      for (auto [value, dim] : loop.at)
        if (value == i)
          here = dim;
      good &= dimOf(i) == here && (i < operands || (here < 0) == isSum);
    }
    if (!good)
      continue;
    for (Value result : op->getResults())
      facts[result] =
          isSum ? Fact::of(Fact::sum, op) : Fact::rowsAt(dims.lookup(result));
    return;
  }
  setOther(op);
}

/// The same elements in order: rows stay slices where as many elements lie
/// before their dim.
void Comparison::judgeView(Operation *op) {
  auto before = [&](Value value) {
    int64_t elements = 1, dim = dims.lookup(value);
    for (int64_t extent : tensorType(value).getShape().take_front(size_t(dim)))
      elements *= extent;
    return elements;
  };
  Value from = op->getOperand(0), to = op->getResult(0);
  if (dims.lookup(from) < 0 || dims.lookup(to) < 0 ||
      before(from) != before(to))
    return setOther(op);
  facts[to] = Fact::rowsAt(dims.lookup(to));
}

/// An op on values without rows.
void Comparison::judgeTotals(Operation *op) {
  if (llvm::all_of(op->getOperands(),
                   [&](Value v) { return factOf(v).kind == Fact::same; }))
    return setAll(op, Fact());
  Operation *from = op;
  for (Value operand : op->getOperands())
    if (Operation *at = factOf(operand).at)
      from = at;
  Fact::Kind kind = isAffine(op) ? scaling(op) : Fact::other;
  setAll(op, kind == Fact::other ? Fact::otherBy(op) : Fact::of(kind, from));
}

/// Whether the result is an affine function of the operands that are sums or
/// means: their gradients do not depend on any of them.
bool Comparison::isAffine(Operation *op) {
  if (!isa<Differentiable>(op) || op->getNumRegions() ||
      op->getNumResults() != 1)
    return false;
  Block scratch;
  OpBuilder b(op->getContext());
  b.setInsertionPointToStart(&scratch);
  llvm::DenseSet<Value> varying;
  IRMapping mapping;
  for (Value operand : op->getOperands()) {
    Value argument = scratch.addArgument(operand.getType(), op->getLoc());
    mapping.map(operand, argument);
  }
  for (Value operand : op->getOperands()) {
    Fact::Kind kind = factOf(operand).kind;
    if (kind == Fact::sum || kind == Fact::mean)
      varying.insert(mapping.lookup(operand));
  }
  Operation *copy = b.clone(*op, mapping);
  varying.insert(copy->getResult(0));
  Value gradient =
      scratch.addArgument(op->getResult(0).getType(), op->getLoc());
  SmallVector<Value> gradients;
  bool good = succeeded(
      cast<Differentiable>(copy).buildGradient(b, gradient, gradients));
  for (auto [i, operand] : llvm::enumerate(copy->getOperands())) {
    if (!good || !varying.contains(operand))
      continue;
    SmallVector<Value> open{gradients[i]};
    good = bool(gradients[i]);
    while (good && !open.empty()) {
      Value value = open.pop_back_val();
      good = !varying.contains(value);
      if (Operation *maker = value.getDefiningOp(); maker && good)
        llvm::append_range(open, maker->getOperands());
    }
  }
  while (!scratch.empty())
    scratch.back().erase();
  return good;
}

/// What the result of an affine op is, by its values for two micro-batches'
/// worth of sums, means and counts.
Fact::Kind Comparison::scaling(Operation *op) {
  auto evaluable = dyn_cast<Evaluable>(op);
  constexpr int64_t most = 1 << 16;
  auto isSmall = [](Value v) { return tensorType(v).getNumElements() <= most; };
  if (!any(op, Fact::sum) && !any(op, Fact::scale))
    return Fact::mean;
  if (!evaluable || !llvm::all_of(op->getOperands(), isSmall) ||
      !isSmall(op->getResult(0)))
    return Fact::other;
  auto evaluate = [&](bool ofWhole) {
    SmallVector<HostTensor> operands, results;
    double number = 1.25;
    for (Value operand : op->getOperands()) {
      Fact fact = factOf(operand);
      double x = number;
      number += 0.3125;
      if (fact.kind == Fact::scale)
        x = ofWhole ? fact.ofWhole : fact.ofPart;
      else if (fact.kind == Fact::sum && ofWhole)
        x *= double(count);
      HostTensor tensor(tensorType(operand));
      llvm::fill(tensor.data, x);
      operands.push_back(std::move(tensor));
    }
    return failed(evaluable.evaluate(operands, results))
               ? std::vector<double>()
               : std::move(results.front().data);
  };
  std::vector<double> all = evaluate(true), one = evaluate(false);
  auto isTimes = [&](double factor) {
    return llvm::all_of(llvm::zip(all, one), [&](auto pair) {
      auto [x, y] = pair;
      return std::isfinite(x) &&
             std::fabs(x - factor * y) <= 1e-5 * std::fabs(x);
    });
  };
  if (all.empty())
    return Fact::other;
  return isTimes(1)               ? Fact::mean
         : isTimes(double(count)) ? Fact::sum
                                  : Fact::other;
}

/// Whether an op is judged by the simpler ops that it is made of.
static bool isMadeOfOthers(Operation *op) {
  auto indexed = dyn_cast<IndexedOp>(op);
  return isa<Composite>(op) && !isa<ShardLoops>(op) &&
         !(indexed && (indexed.getTileKind() == TileKind::elementwise ||
                       indexed.getTileKind() == TileKind::view));
}

/// Puts an op's graph into its place; the first op of it.
static Operation *decompose(Operation *op) {
  Operation *before = op->getPrevNode();
  Block *block = op->getBlock();
  OpBuilder b(op);
  FailureOr<SmallVector<Value>> values = cast<Composite>(op).decompose(b);
  if (failed(values))
    return nullptr;
  op->replaceAllUsesWith(*values);
  op->erase();
  return before ? before->getNextNode() : &block->front();
}

bool Comparison::run() {
  if (!visitArguments())
    return false;
  Operation *op = &whole.getBody().front().front();
  Operation *less = &part.getBody().front().front();
  while (op && less) {
    if (op->hasTrait<OpTrait::IsTerminator>())
      return less->hasTrait<OpTrait::IsTerminator>() &&
             op->getNumOperands() == less->getNumOperands();
    // A ratio of sums is what accumulation adds up apart from each other.
    if (isMadeOfOthers(op) && isMadeOfOthers(less) && !isa<RatioOp>(op)) {
      op = decompose(op);
      less = decompose(less);
      continue;
    }
    if (!visit(op, less))
      return false;
    op = op->getNextNode();
    less = less->getNextNode();
  }
  return false;
}

/// `reduce_max`, where it stands in the model.
static void refuse(BatchCut &cut, const Fact &fact, const Twine &otherwise,
                   Location at) {
  if (cut.needs == Allowed::meaning)
    return; // the first reason is enough
  cut.needs = Allowed::meaning;
  cut.at = fact.at ? fact.at->getLoc() : at;
  cut.reason = fact.at ? ("`" + fact.at->getName().stripDialect() +
                          "` looks across the batch")
                             .str()
                       : otherwise.str();
}

std::optional<BatchCut> tarn::cutBatch(func::FuncOp whole, func::FuncOp part,
                                       int64_t count) {
  OwningOpRef<func::FuncOp> wholeCopy(whole.clone()), partCopy(part.clone());
  Comparison comparison(*wholeCopy, *partCopy, count);
  if (!comparison.run())
    return std::nullopt;
  BatchCut cut;
  Builder b(part.getContext());
  func::ReturnOp ret = returnOf(*wholeCopy);
  for (unsigned i = 0, e = whole.getNumResults(); i != e; ++i) {
    StringRef role = resultRole(whole, i);
    Value value = ret.getOperand(i);
    Fact fact = comparison.factOf(value);
    if (role != "loss" && role != "metric") {
      if (!isStateRole(role))
        return std::nullopt;
      refuse(cut, {},
             "`" + resultName(whole, i) + "` is updated by each micro-batch",
             value.getLoc());
      continue;
    }
    if (auto ratio = value.getDefiningOp<RatioOp>();
        ratio && fact.at == ratio.getOperation() &&
        comparison.factOf(ratio.getSum()).kind == Fact::sum &&
        comparison.factOf(ratio.getCount()).kind == Fact::sum)
      continue;
    if (fact.kind == Fact::sum)
      part.setResultAttr(i, "tarn.adds", b.getUnitAttr());
    else if (fact.kind != Fact::mean && fact.kind != Fact::same)
      refuse(cut, fact, "`" + resultName(whole, i) + "` is of each row",
             value.getLoc());
  }
  for (unsigned i = 0, e = part.getNumArguments(); i != e; ++i) {
    if (argumentRole(part, i) != "input")
      continue;
    if (part.getArgumentTypes()[i] == whole.getArgumentTypes()[i])
      part.setArgAttr(i, "tarn.whole", b.getUnitAttr());
    else
      part.setArgAttr(i, "tarn.parts", b.getI64IntegerAttr(count));
  }
  unsigned number = 0;
  part.walk([&](RandomOp op) {
    if (comparison.isCutDraw(number++))
      op->setAttr("tarn.part", b.getUnitAttr());
  });
  return cut;
}
