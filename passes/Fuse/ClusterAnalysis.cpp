//===- ClusterAnalysis.cpp - can these ops be one kernel? -----------------===//

#include "passes/Fuse/ClusterAnalysis.h"

#include "passes/Layout/InPlace.h"

#include "mlir/IR/AffineExpr.h"

using namespace mlir;
using namespace tarn;
using graph::IndexedOp;
using graph::TileKind;

/// Elements that a block may hold along its whole dims: their scratch must stay
/// in the second cache level.
static constexpr int64_t mostWhole = 1 << 16;

StringRef tarn::clusterKindName(ClusterKind kind) {
  switch (kind) {
  case ClusterKind::elementwise:
    return "elementwise";
  case ClusterKind::row:
    return "row";
  case ClusterKind::serial:
    return "serial";
  case ClusterKind::dot:
    return "dot";
  case ClusterKind::program:
    return "program";
  }
  return "";
}

const OpFacts &OpMemo::of(Operation *op) {
  std::unique_ptr<OpFacts> &facts = known[op];
  if (!facts) {
    facts = std::make_unique<OpFacts>();
    facts->op = dyn_cast<IndexedOp>(op);
    facts->isFree = isFree(op);
    if (facts->op) {
      facts->kind = facts->op.getTileKind();
      facts->maps.assign(mapsOf(facts->op));
      facts->bounds.assign(facts->op.getLoopBounds());
    }
  }
  return *facts;
}

/// Whether a free op moves elements of another value.
static bool isView(Operation *op) {
  return isFree(op) && op->getNumOperands() == 1;
}

/// Whether a value is what `op` makes, all of it, be it moved or put together.
static bool isResultOf(Value value, Operation *op) {
  Operation *source = value.getDefiningOp();
  if (!source)
    return false;
  if (source == op || makerOfParts(source) == op)
    return true;
  Value below = source->getOperand(0);
  return (isOpen(source) ||
          (isView(source) && graph::tensorType(below).getNumElements() ==
                                 graph::tensorType(value).getNumElements())) &&
         isResultOf(below, op);
}

/// Whether a gather picks one element of each row of its operand.
static bool isPicking(const OpFacts &op) {
  for (AffineMap map : op.maps)
    if (map && map.getNumSymbols() != 0)
      return map.getNumDims() != 0 && map.getNumResults() > 1 &&
             isa<AffineSymbolExpr>(map.getResults().back());
  return false;
}

namespace {

class Analyzer {
public:
  Analyzer(ArrayRef<Operation *> ops, ArrayRef<Value> outputs, OpMemo &memo,
           std::string &reason)
      : ops(ops), members(ops.begin(), ops.end()), whole(outputs), memo(memo),
        reason(reason) {
    for (Value output : outputs)
      this->outputs.push_back(writtenPartOf(output).value);
  }

  std::optional<ClusterInfo> run();

private:
  bool fail(const Twine &text) {
    reason = text.str();
    return false;
  }
  bool findAnchor();
  bool checkPositions();
  void tieBackward();
  bool tieForward();
  bool assignRoles();
  bool checkOutputs();
  void tie(Value value, ArrayRef<int64_t> dims);

  ArrayRef<Operation *> ops;
  llvm::DenseSet<Operation *> members;
  ArrayRef<Value> whole;
  /// What blocks write of them.
  SmallVector<Value> outputs;
  OpMemo &memo;
  std::string &reason;
  ClusterInfo info;
  SmallVector<Operation *> reductions;
  /// The domain dims that a reduction takes away.
  llvm::DenseMap<Operation *, SmallVector<int64_t>> takenAway;
};

} // namespace

/// At most one op may shape the program, but for reductions along one set of
/// rows.
bool Analyzer::findAnchor() {
  Operation *dot = nullptr, *program = nullptr;
  for (Operation *op : ops) {
    const OpFacts &facts = memo.of(op);
    if (!facts.op)
      return fail(op->getName().getStringRef() + " has no loops");
    switch (facts.kind) {
    case TileKind::dot:
      if (dot)
        return fail("two products");
      dot = op;
      break;
    case TileKind::reduction:
      reductions.push_back(op);
      break;
    case TileKind::composite:
    case TileKind::ownProgram:
    case TileKind::scatter:
      if (program)
        return fail("two ops with programs of their own");
      program = op;
      break;
    default:
      break;
    }
  }
  if (program) {
    if (dot || !reductions.empty())
      return fail("an op with a program of its own beside another anchor");
    for (Operation *op : ops)
      if (op != program && !memo.of(op).isFree && makerOfParts(op) != program &&
          !(isOpen(op) && isResultOf(op->getOperand(0), program)))
        return fail("an op with a program of its own takes no others");
    info.kind = ClusterKind::program;
    info.anchor = program;
  } else if (dot) {
    if (!reductions.empty())
      return fail("a product beside a reduction");
    info.kind = ClusterKind::dot;
    info.anchor = dot;
  }
  return true;
}

/// What is read at a run-time position must lie in memory, and so must the
/// position: it steers addresses.
bool Analyzer::checkPositions() {
  for (Operation *op : ops) {
    const OpFacts &facts = memo.of(op);
    bool moves =
        facts.kind == TileKind::gather || facts.kind == TileKind::scatter;
    ArrayRef<AffineMap> maps = facts.maps;
    for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
      Operation *source = operand.getDefiningOp();
      if (!source || i >= maps.size() || !members.contains(source))
        continue;
      while (memo.of(source).isFree && source->getNumOperands() == 1 &&
             source->getOperand(0).getDefiningOp() &&
             members.contains(source->getOperand(0).getDefiningOp()))
        source = source->getOperand(0).getDefiningOp();
      if (memo.of(source).isFree && (!maps[i] || maps[i].getNumSymbols() == 0))
        continue; // views and constants are seen through
      if (!maps[i])
        return fail(facts.kind == TileKind::dot
                        ? "what is read through windows must lie in memory"
                        : "a key must lie in memory");
      if (!moves)
        continue;
      if (maps[i].getNumSymbols() != 0) {
        // One element of each row is a masked sum along the row.
        if (!isPicking(facts) && !isView(source))
          return fail("a table must lie in memory");
      } else if (facts.kind == TileKind::gather && !memo.of(source).isFree &&
                 !isPicking(facts)) {
        return fail("a position must lie in memory");
      }
    }
  }
  return true;
}

void Analyzer::tie(Value value, ArrayRef<int64_t> dims) {
  info.ties.try_emplace(value, dims.begin(), dims.end());
}

/// From results to operands, last op first.
void Analyzer::tieBackward() {
  for (Operation *op : llvm::reverse(ops)) {
    const OpFacts &facts = memo.of(op);
    ArrayRef<AffineMap> maps = facts.maps;
    if (maps.empty())
      continue;
    SmallVector<int64_t> loops(facts.bounds.size(), -1);
    bool reached = false;
    for (auto [i, result] : llvm::enumerate(op->getResults())) {
      auto found = info.ties.find(result);
      if (found == info.ties.end())
        continue;
      reached = true;
      AffineMap map = maps[op->getNumOperands() + i];
      for (auto [expr, dim] : llvm::zip(map.getResults(), found->second))
        if (auto loop = dyn_cast<AffineDimExpr>(expr))
          loops[loop.getPosition()] = dim;
    }
    if (!reached)
      continue;
    // What a reduction takes away is a dim of its own.
    if (facts.kind == TileKind::reduction || facts.kind == TileKind::dot) {
      SmallVector<int64_t> &taken = takenAway[op];
      unsigned next = 0;
      for (auto [loop, kind] :
           llvm::enumerate(IndexedOp(facts.op).getLoopKinds())) {
        if (kind != utils::IteratorType::reduction)
          continue;
        if (next == taken.size()) {
          taken.push_back(info.domain.size());
          info.domain.push_back(facts.bounds[loop]);
        }
        loops[loop] = taken[next++];
      }
    }
    for (auto [operand, map] : llvm::zip(op->getOperands(), maps)) {
      if (!map)
        continue;
      SmallVector<int64_t> dims;
      for (AffineExpr expr : map.getResults()) {
        auto loop = dyn_cast<AffineDimExpr>(expr);
        dims.push_back(loop ? loops[loop.getPosition()] : -1);
      }
      tie(operand, dims);
    }
  }
}

/// From operands to results, for outputs beside the primary one. True if
/// something new was tied.
bool Analyzer::tieForward() {
  bool changed = false;
  for (Operation *op : ops) {
    const OpFacts &facts = memo.of(op);
    ArrayRef<AffineMap> maps = facts.maps;
    if (maps.empty() || op->getNumResults() != 1 ||
        info.ties.contains(op->getResult(0)))
      continue;
    SmallVector<int64_t> loops(facts.bounds.size(), -1);
    for (auto [operand, map] : llvm::zip(op->getOperands(), maps)) {
      auto found = info.ties.find(operand);
      if (!map || found == info.ties.end() || facts.isFree)
        continue;
      for (auto [expr, dim] : llvm::zip(map.getResults(), found->second))
        if (auto loop = dyn_cast<AffineDimExpr>(expr);
            loop && loops[loop.getPosition()] < 0)
          loops[loop.getPosition()] = dim;
    }
    SmallVector<int64_t> dims;
    for (AffineExpr expr : maps.back().getResults()) {
      auto loop = dyn_cast<AffineDimExpr>(expr);
      dims.push_back(loop ? loops[loop.getPosition()] : -1);
    }
    if (llvm::is_contained(dims, -1))
      continue;
    tie(op->getResult(0), dims);
    changed = true;
  }
  return changed;
}

/// Which dims a block holds whole.
bool Analyzer::assignRoles() {
  info.whole.assign(info.domain.size(), false);
  if (info.kind == ClusterKind::dot || info.kind == ClusterKind::program)
    return true;
  if (reductions.empty())
    return true;
  // A reduction that is the only output is summed in pieces when its rows are
  // not at the end, too long, or everything.
  if (reductions.size() == 1 && outputs.size() == 1 &&
      outputs[0] == reductions[0]->getResult(0)) {
    auto indexed = cast<IndexedOp>(reductions[0]);
    SmallVector<int64_t> bounds = indexed.getLoopBounds();
    int64_t terms = 1, kept = 0;
    bool trailing = true, inside = false;
    for (auto [bound, kind] : llvm::zip(bounds, indexed.getLoopKinds())) {
      if (kind == utils::IteratorType::reduction) {
        terms *= bound;
        inside = true;
      } else {
        ++kept;
        trailing &= !inside;
      }
    }
    if (kept == 0 || !trailing || terms > mostWhole) {
      info.kind = ClusterKind::serial;
      info.anchor = reductions[0];
      return true;
    }
  }
  info.kind = ClusterKind::row;
  llvm::SmallDenseSet<int64_t> rows;
  for (auto [i, reduction] : llvm::enumerate(reductions)) {
    auto found = info.ties.find(reduction->getResult(0));
    if (found == info.ties.end())
      return fail("a reduction that no output needs");
    llvm::SmallDenseSet<int64_t> own(found->second.begin(),
                                     found->second.end());
    if (own.contains(-1))
      return fail("a reduction is used at a moved place");
    if (i == 0)
      rows = own;
    else if (rows != own)
      return fail("reductions along different rows");
  }
  int64_t held = 1;
  for (auto [d, extent] : llvm::enumerate(info.domain)) {
    info.whole[d] = !rows.contains(d);
    if (info.whole[d])
      held = std::max(held, extent);
  }
  int64_t primary = 1;
  for (auto [d, extent] :
       llvm::enumerate(graph::tensorType(info.primary).getShape()))
    if (info.whole[d])
      primary *= extent;
  if (std::max(held, primary) > mostWhole)
    return fail("rows of " + Twine(std::max(held, primary)) + " elements");
  return true;
}

/// Blocks must not store an element twice: an output has every dim that the
/// grid splits.
bool Analyzer::checkOutputs() {
  for (Value output : whole)
    if (WrittenPart part = writtenPartOf(output);
        info.kind != ClusterKind::elementwise)
      for (size_t d = 0; d != part.dims.size(); ++d)
        if (part.isPart(d))
          return fail("blocks that may end behind the part that is theirs");
  if (info.kind == ClusterKind::program || info.kind == ClusterKind::serial)
    return outputs.size() == 1 || info.kind == ClusterKind::program
               ? true
               : fail("a sum in pieces beside another output");
  if (info.kind == ClusterKind::dot) {
    // The primary output is the product, seen through elementwise ops only.
    auto found = info.ties.find(info.anchor->getResult(0));
    if (found == info.ties.end())
      return fail("no output needs the product");
    for (auto [d, dim] : llvm::enumerate(found->second))
      if (dim != int64_t(d))
        return fail("the product is used at a moved place");
    if (found->second.size() !=
        graph::tensorType(info.primary).getShape().size())
      return fail("the product is repeated");
  }
  size_t rank = graph::tensorType(info.primary).getShape().size();
  for (Value output : outputs) {
    auto found = info.ties.find(output);
    if (found == info.ties.end())
      return fail("outputs that have nothing in common");
    llvm::SmallDenseSet<int64_t> seen;
    for (int64_t dim : found->second)
      if (dim < 0 || !seen.insert(dim).second)
        return fail("an output is used at a moved place");
    for (int64_t dim : found->second)
      if (dim >= int64_t(rank) && !info.whole[dim])
        return fail("an output along a dim that a sum takes away");
    for (size_t d = 0; d != rank; ++d)
      if (!info.whole[d] && !seen.contains(d))
        return fail("an output lacks a dim that is split");
    if (info.kind == ClusterKind::dot && found->second.size() != rank)
      return fail("an output beside a product of another shape");
    // What is put together, or padded, has more than what blocks are made for.
    ArrayRef<int64_t> blocks = info.domain;
    if (info.kind == ClusterKind::dot)
      blocks = graph::tensorType(info.anchor->getResult(0)).getShape();
    for (auto [extent, dim] :
         llvm::zip(graph::tensorType(output).getShape(), found->second))
      if (extent > blocks[dim])
        return fail("a part of an output beside it");
  }
  return true;
}

std::optional<ClusterInfo> Analyzer::run() {
  if (!findAnchor() || !checkPositions())
    return std::nullopt;
  if (info.kind == ClusterKind::program) {
    // It stores its own results, as they are, put together, or with their dims
    // in another order. Another view that must lie in memory is another
    // kernel's work.
    for (Value output : whole)
      if (!isResultOf(output, info.anchor)) {
        fail("a view behind an op with a program of its own");
        return std::nullopt;
      }
    info.primary = whole[0];
    return info;
  }
  info.primary = outputs[0];
  for (Value output : outputs)
    if (graph::tensorType(output).getRank() >
        graph::tensorType(info.primary).getRank())
      info.primary = output;
  llvm::append_range(info.domain, graph::tensorType(info.primary).getShape());
  tie(info.primary, llvm::to_vector(llvm::seq<int64_t>(0, info.domain.size())));
  tieBackward();
  while (
      llvm::any_of(outputs, [&](Value v) { return !info.ties.contains(v); }) &&
      tieForward())
    tieBackward();
  if (!assignRoles() || !checkOutputs())
    return std::nullopt;
  return info;
}

std::optional<ClusterInfo> tarn::analyzeCluster(ArrayRef<Operation *> ops,
                                                ArrayRef<Value> outputs,
                                                OpMemo &memo,
                                                std::string &reason) {
  return Analyzer(ops, outputs, memo, reason).run();
}

std::optional<ClusterInfo> tarn::analyzeCluster(ArrayRef<Operation *> ops,
                                                ArrayRef<Value> outputs,
                                                std::string &reason) {
  OpMemo memo;
  return analyzeCluster(ops, outputs, memo, reason);
}
