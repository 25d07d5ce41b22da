//===- DimClasses.cpp - dims of a graph that are one and the same ---------===//

#include "compiler/Sizing/DimClasses.h"

#include "dialects/Tarn/ShardLoops.h"
#include "dialects/Tarn/TarnOps.h"

using namespace mlir;
using namespace tarn;
using graph::IndexedOp;
using graph::ShardKind;
using graph::TileKind;

static ArrayRef<int64_t> shapeOf(Value value) {
  if (auto type = dyn_cast<RankedTensorType>(value.getType()))
    return type.getShape();
  return {};
}

//===----------------------------------------------------------------------===//
// Factors
//===----------------------------------------------------------------------===//

unsigned DimClasses::make(int64_t extent, bool anonymous) {
  nodes.push_back({extent, unsigned(nodes.size()), anonymous, {}});
  return nodes.size() - 1;
}

unsigned DimClasses::find(unsigned node) {
  while (nodes[node].parent != node)
    node = nodes[node].parent = nodes[nodes[node].parent].parent;
  return node;
}

void DimClasses::expand(unsigned node, SmallVectorImpl<unsigned> &leaves) {
  node = find(node);
  if (nodes[node].parts.empty()) {
    leaves.push_back(node);
    return;
  }
  // Parts are smaller than what they are parts of: this ends.
  SmallVector<unsigned, 2> parts = nodes[node].parts;
  for (unsigned part : parts)
    expand(part, leaves);
}

DimClasses::Factors DimClasses::expandAll(ArrayRef<unsigned> factors) {
  Factors leaves;
  for (unsigned factor : factors)
    expand(factor, leaves);
  return leaves;
}

/// Ties two rows of factors with the same number of elements, cutting the
/// larger of two that meet. What does not divide stays untied.
void DimClasses::unify(ArrayRef<unsigned> xs, ArrayRef<unsigned> ys) {
  Factors x = expandAll(xs), y = expandAll(ys);
  std::reverse(x.begin(), x.end()); // the next one is at the back
  std::reverse(y.begin(), y.end());
  while (!x.empty() && !y.empty()) {
    unsigned a = find(x.back()), b = find(y.back());
    // A factor may have been cut since it was put into the row.
    if (!nodes[a].parts.empty() || !nodes[b].parts.empty()) {
      for (auto [row, node] : {std::pair{&x, a}, std::pair{&y, b}}) {
        row->pop_back();
        SmallVector<unsigned> leaves;
        expand(node, leaves);
        row->append(leaves.rbegin(), leaves.rend());
      }
      continue;
    }
    int64_t m = nodes[a].extent, n = nodes[b].extent;
    if (m == n) {
      if (a != b) {
        nodes[b].parent = a;
        nodes[a].anonymous = nodes[a].anonymous && nodes[b].anonymous;
      }
      x.pop_back();
      y.pop_back();
      continue;
    }
    unsigned large = m > n ? a : b;
    int64_t least = std::min(m, n);
    if (nodes[large].extent % least != 0)
      return;
    bool anonymous = nodes[large].anonymous;
    unsigned major = make(least, anonymous);
    unsigned minor = make(nodes[large].extent / least, anonymous);
    nodes[large].parts = {major, minor};
  }
}

/// The dims of a value; made on first sight, with a meaning of their own.
SmallVector<DimClasses::Factors> &DimClasses::dimsOf(Value value) {
  auto [found, isNew] = dims.try_emplace(value);
  if (isNew)
    for (int64_t extent : shapeOf(value)) {
      found->second.emplace_back();
      if (extent > 1)
        found->second.back().push_back(make(extent, false));
    }
  return found->second;
}

/// The factors of an operand's dim as one use sees them: what is anonymous is
/// made anew.
DimClasses::Factors DimClasses::use(Value value, unsigned dim) {
  Factors factors = expandAll(dimsOf(value)[dim]);
  for (unsigned &factor : factors)
    if (nodes[factor].anonymous)
      factor = make(nodes[factor].extent, true);
  return factors;
}

void DimClasses::define(Value value, unsigned dim, const Factors &factors) {
  auto [found, isNew] = dims.try_emplace(value);
  if (isNew)
    found->second.resize(shapeOf(value).size());
  found->second[dim] = factors;
}

SmallVector<DimClass> DimClasses::classesOf(Value value, unsigned dim) {
  return SmallVector<DimClass>(expandAll(dimsOf(value)[dim]));
}

SmallVector<DimClass> DimClasses::classesOf(Value value) {
  SmallVector<DimClass> all;
  for (unsigned d = 0, e = shapeOf(value).size(); d != e; ++d)
    llvm::append_range(all, classesOf(value, d));
  return all;
}

void DimClasses::tie(Value x, Value y) {
  for (unsigned d = 0, e = shapeOf(x).size(); d != e; ++d)
    unify(dimsOf(x)[d], dimsOf(y)[d]);
}

//===----------------------------------------------------------------------===//
// Events
//===----------------------------------------------------------------------===//

void DimClasses::record(DimEvent::Kind kind, const Factors &factors,
                        double elements, Value weight) {
  for (unsigned factor : factors)
    records.push_back({kind, factor, outer, elements, weight});
}

SmallVector<DimEvent> DimClasses::events() {
  SmallVector<DimEvent> all;
  for (const Record &entry : records) {
    SmallVector<unsigned> leaves;
    expand(entry.node, leaves);
    for (unsigned leaf : leaves)
      all.push_back({entry.kind, leaf, entry.op, entry.elements, entry.weight});
  }
  return all;
}

/// Whether a value comes from weights alone; inside of a composite, the values
/// that it is made of.
bool DimClasses::weight(Value value) {
  auto found = innerWeights.find(value);
  return found == innerWeights.end() ? isWeight(value) : found->second;
}

/// The argument that a weight comes from, through casts and views.
Value DimClasses::rootOf(Value value) {
  while (true) {
    if (auto found = operandOf.find(value); found != operandOf.end())
      value = found->second;
    Operation *op = value.getDefiningOp();
    if (!op || op->getNumOperands() == 0)
      return value;
    value = op->getOperand(0);
  }
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

void DimClasses::addFunction(func::FuncOp function,
                             function_ref<bool(Value)> weights) {
  isWeight = weights;
  addBlock(function.getBody().front());
}

void DimClasses::addBlock(Block &block) {
  // Composites put their graphs into the block for a moment.
  SmallVector<Operation *> ops;
  for (Operation &op : block)
    ops.push_back(&op);
  for (Operation *op : ops) {
    outer = op;
    addOp(op);
  }
}

void DimClasses::addOp(Operation *op) {
  if (op->hasTrait<OpTrait::IsTerminator>() || op->getNumResults() == 0)
    return;
  if (isa<graph::ShardLoops>(op))
    return addShardLoops(op);
  auto indexed = dyn_cast<IndexedOp>(op);
  if (indexed && !indexed.getIndexingMaps().empty())
    return addLoops(op);
  // A view without a map: the same elements in order, as another shape.
  if (indexed && indexed.getTileKind() == TileKind::view &&
      op->getNumOperands() == 1 && op->getNumResults() == 1 &&
      graph::tensorType(op->getOperand(0)).getNumElements() ==
          graph::tensorType(op->getResult(0)).getNumElements())
    return addReinterpretation(op);
  if (isa<graph::Composite>(op))
    return addComposite(op);
  if (op->getNumRegions() == 1 && op->getRegion(0).hasOneBlock() &&
      op->getRegion(0).getNumArguments() == op->getNumOperands())
    return addRegion(op);
  // Nothing is known: what goes in can't be split, what comes out stands for
  // itself.
  for (Value operand : op->getOperands())
    for (unsigned d = 0, e = shapeOf(operand).size(); d != e; ++d)
      record(DimEvent::blocked, use(operand, d), 0);
}

/// An op that names its loops.
void DimClasses::addShardLoops(Operation *op) {
  unsigned operands = op->getNumOperands();
  auto valueOf = [&](unsigned i) -> Value {
    return i < operands ? op->getOperand(i) : op->getResult(i - operands);
  };
  bool isProduct = isa<graph::ProductOp>(op);
  double elements =
      double(graph::tensorType(op->getResult(0)).getNumElements());
  DenseSet<std::pair<unsigned, unsigned>> named;
  using graph::ShardLoop;
  for (const ShardLoop &loop : cast<graph::ShardLoops>(op).getShardLoops()) {
    Factors factors;
    bool tied = false, ofWeight = false;
    Value weights;
    for (auto [value, dim] : loop.at) {
      named.insert({value, dim});
      if (value >= operands)
        continue;
      Factors here = use(valueOf(value), dim);
      if (tied)
        unify(factors, here);
      else
        factors = here;
      tied = true;
      bool isWeight = weight(valueOf(value));
      ofWeight |= isWeight;
      if (isWeight)
        weights = valueOf(value);
    }
    for (auto [value, dim] : loop.at) {
      if (value < operands)
        continue;
      int64_t extent = shapeOf(valueOf(value))[dim];
      if (!tied && extent > 1)
        factors.push_back(make(extent, false));
      tied = true;
      define(valueOf(value), dim, expandAll(factors));
    }
    switch (loop.kind) {
    case ShardLoop::parallel:
      if (isProduct && ofWeight)
        record(DimEvent::madeByWeight, factors, elements);
      break;
    case ShardLoop::sum:
      record(!isProduct ? DimEvent::statistic
             : ofWeight ? DimEvent::sumWithWeight
                        : DimEvent::sumOfActivations,
             factors, elements);
      break;
    case ShardLoop::group:
      if (ofWeight)
        record(DimEvent::perWeight, factors, elements, rootOf(weights));
      break;
    case ShardLoop::groupedRows:
      record(DimEvent::dispatched, factors, elements);
      break;
    }
  }
  for (unsigned i = 0; i != operands; ++i)
    for (unsigned d = 0, e = shapeOf(valueOf(i)).size(); d != e; ++d)
      if (!named.contains({i, d}))
        record(DimEvent::blocked, use(valueOf(i), d), 0);
  for (Value result : op->getResults())
    for (auto [d, extent] : llvm::enumerate(shapeOf(result)))
      if (!named.contains(
              {operands + cast<OpResult>(result).getResultNumber(), d})) {
        Factors factors;
        if (extent > 1)
          factors.push_back(make(extent, false));
        define(result, d, factors);
      }
}

void DimClasses::addReinterpretation(Operation *op) {
  Factors all;
  Value from = op->getOperand(0), to = op->getResult(0);
  for (unsigned d = 0, e = shapeOf(from).size(); d != e; ++d)
    llvm::append_range(all, use(from, d));
  Factors made;
  for (auto [d, extent] : llvm::enumerate(shapeOf(to))) {
    Factors factors;
    if (extent > 1)
      factors.push_back(make(extent, true));
    define(to, d, factors);
    llvm::append_range(made, factors);
  }
  unify(made, all);
  // What does not divide has no tie, and a meaning of its own.
  for (unsigned leaf : expandAll(made))
    nodes[leaf].anonymous &= llvm::all_of(
        expandAll(all), [&](unsigned x) { return nodes[x].anonymous; });
}

/// Asks the op for its graph, ties that, and takes it away again.
void DimClasses::addComposite(Operation *op) {
  OpBuilder builder(op);
  Operation *before = op->getPrevNode();
  FailureOr<SmallVector<Value>> values =
      cast<graph::Composite>(op).decompose(builder);
  if (failed(values))
    return;
  SmallVector<Operation *> inner;
  for (Operation *next = before ? before->getNextNode()
                                : &op->getBlock()->front();
       next != op; next = next->getNextNode())
    inner.push_back(next);
  for (Operation *each : inner) {
    bool all = !each->getOperands().empty() &&
               llvm::all_of(each->getOperands(),
                            [&](Value value) { return weight(value); });
    for (Value result : each->getResults())
      innerWeights[result] = all;
    addOp(each);
  }
  for (auto [result, value] : llvm::zip(op->getResults(), *values))
    for (unsigned d = 0, e = shapeOf(result).size(); d != e; ++d)
      define(result, d, expandAll(dimsOf(value)[d]));
  for (Operation *each : llvm::reverse(inner)) {
    for (Value result : each->getResults()) {
      dims.erase(result);
      innerWeights.erase(result);
    }
    each->erase();
  }
}

/// A region that is run once on the operands, as a cluster is.
void DimClasses::addRegion(Operation *op) {
  Block &block = op->getRegion(0).front();
  for (auto [argument, operand] :
       llvm::zip(block.getArguments(), op->getOperands())) {
    for (unsigned d = 0, e = shapeOf(argument).size(); d != e; ++d)
      define(argument, d, use(operand, d));
    innerWeights[argument] = weight(operand);
    operandOf[argument] = operand;
  }
  for (Operation &inner : block) {
    bool all = inner.getNumOperands() != 0 &&
               llvm::all_of(inner.getOperands(),
                            [&](Value value) { return weight(value); });
    for (Value result : inner.getResults())
      innerWeights[result] = all;
  }
  addBlock(block);
  for (auto [result, value] :
       llvm::zip(op->getResults(), block.getTerminator()->getOperands()))
    for (unsigned d = 0, e = shapeOf(result).size(); d != e; ++d)
      define(result, d, expandAll(dimsOf(value)[d]));
}

/// An op with loops: each plain loop dim is one class in all its operands and
/// results.
void DimClasses::addLoops(Operation *op) {
  auto indexed = cast<IndexedOp>(op);
  auto shardable = dyn_cast<graph::Shardable>(op);
  SmallVector<AffineMap> maps = indexed.getIndexingMaps();
  SmallVector<int64_t> bounds = indexed.getLoopBounds();
  SmallVector<utils::IteratorType> kinds = indexed.getLoopKinds();
  unsigned operands = op->getNumOperands();
  bool isProduct = isa<graph::ProductOp>(op) && operands >= 2;
  double elements =
      double(graph::tensorType(op->getResult(0)).getNumElements());

  struct Loop {
    Factors factors;
    bool tied = false, blocked = false;
    SmallVector<unsigned, 4> in; ///< operands that have it
    bool out = false;
  };
  std::vector<Loop> loops(bounds.size());
  auto valueOf = [&](unsigned i) -> Value {
    return i < operands ? op->getOperand(i) : op->getResult(i - operands);
  };
  // Operands first: their dims have classes already.
  for (unsigned i = 0; i != operands && i < maps.size(); ++i) {
    if (!maps[i])
      continue; // not read element by element
    ArrayRef<int64_t> shape = shapeOf(valueOf(i));
    for (auto [d, expr] : llvm::enumerate(maps[i].getResults())) {
      if (d >= shape.size())
        break;
      auto dim = dyn_cast<AffineDimExpr>(expr);
      bool whole = dim && bounds[dim.getPosition()] == shape[d];
      if (!whole) {
        if (isa<AffineSymbolExpr>(expr) && weight(valueOf(i)))
          record(DimEvent::rowsOfWeight, use(valueOf(i), d), elements);
        else if (!isa<AffineSymbolExpr>(expr) && shape[d] > 1)
          record(DimEvent::blocked, use(valueOf(i), d), 0);
        continue;
      }
      Loop &loop = loops[dim.getPosition()];
      Factors factors = use(valueOf(i), d);
      if (loop.tied)
        unify(loop.factors, factors);
      else
        loop.factors = factors;
      loop.tied = true;
      loop.in.push_back(i);
    }
  }
  // Dims of results that no operand has: of constants and broadcasts they are
  // anonymous, of draws of random numbers (and rows by position) they are not.
  bool view = indexed.getTileKind() == TileKind::view || operands == 0;
  for (auto [position, loop] : llvm::enumerate(loops))
    if (!loop.tied && bounds[position] > 1)
      loop.factors.push_back(make(bounds[position], view));
  for (unsigned i = operands; i < maps.size(); ++i) {
    Value result = valueOf(i);
    if (!maps[i])
      continue;
    ArrayRef<int64_t> shape = shapeOf(result);
    for (auto [d, expr] : llvm::enumerate(maps[i].getResults())) {
      if (d >= shape.size())
        break;
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (dim && bounds[dim.getPosition()] == shape[d]) {
        define(result, d, expandAll(loops[dim.getPosition()].factors));
        loops[dim.getPosition()].out = true;
        continue;
      }
      Factors factors;
      if (shape[d] > 1)
        factors.push_back(make(shape[d], false));
      define(result, d, factors);
      if (!isa<AffineSymbolExpr>(expr))
        record(DimEvent::blocked, factors, 0);
    }
  }
  for (unsigned i = operands; i < operands + op->getNumResults(); ++i)
    dimsOf(valueOf(i));

  for (auto [position, loop] : llvm::enumerate(loops)) {
    if (!loop.tied)
      continue;
    ShardKind kind =
        shardable ? shardable.getShardKind(position) : ShardKind::replicated;
    auto inWeight = [&](bool wanted) {
      return llvm::any_of(
          loop.in, [&](unsigned i) { return weight(valueOf(i)) == wanted; });
    };
    if (kinds[position] == utils::IteratorType::reduction) {
      if (isProduct && kind == ShardKind::partialSum)
        record(inWeight(true) ? DimEvent::sumWithWeight
                              : DimEvent::sumOfActivations,
               loop.factors, elements);
      else
        record(DimEvent::statistic, loop.factors, elements);
      continue;
    }
    if (kind == ShardKind::replicated)
      record(DimEvent::blocked, loop.factors, 0);
    else if (isProduct && inWeight(true) && inWeight(false))
      for (unsigned i : loop.in) {
        if (weight(valueOf(i)))
          record(DimEvent::perWeight, loop.factors, elements,
                 rootOf(valueOf(i)));
      }
    else if (isProduct && inWeight(true))
      record(DimEvent::madeByWeight, loop.factors, elements);
  }
}
