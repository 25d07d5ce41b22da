//===- FuseClusters.cpp - group ops into kernels --------------------------===//
//
// Kernels grow upwards from their outputs: ops are visited from the last to the
// first, and each joins a kernel that uses it, if the two can be one program.
// Joining never makes two kernels wait for each other. What remains apart is a
// border, and its reason can be reported.
//
//===----------------------------------------------------------------------===//

#include "passes/Fuse/Passes.h"

#include "passes/Fuse/ClusterAnalysis.h"
#include "passes/Fuse/OneOrder.h"
#include "passes/Fuse/Parts.h"
#include "passes/Fuse/Ways.h"
#include "passes/Fuse/Widening.h"
#include "passes/Layout/InPlace.h"
#include "passes/Precision/Saved.h"

#include "mlir/IR/IRMapping.h"

namespace tarn {
#define GEN_PASS_DEF_TARNFUSECLUSTERS
#include "passes/Fuse/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;

/// Ops that one kernel holds at most: beyond, its code only grows, and so does
/// the time to find what else may join.
static constexpr size_t mostOps = 256;

namespace {

/// A kernel in the making.
struct Cluster {
  /// Ops that are this kernel's work, in the order of the block.
  SmallVector<Operation *> ops;
  /// Why it is a kernel of its own, where that is asked for.
  SmallVector<Attribute> borders;
  /// An op was moved to another cluster, or this one merged into it.
  bool dead = false;
};

/// How an op's results are used.
struct Uses {
  /// Clusters that read them, through free ops.
  llvm::SmallSetVector<Cluster *, 4> clusters;
  /// They must exist in memory whatever the clusters do.
  bool escapes = false;
};

class Fuser {
public:
  Fuser(func::FuncOp function, bool explain)
      : function(function), block(function.getBody().front()), explain(explain),
        ways(block) {}
  void run();

private:
  void visit(Operation *op);
  bool join(Operation *op, const Uses &uses);
  bool holdsLonger(Operation *op, Cluster *cluster);
  bool merge(Cluster *first, Cluster *second, Value shared);
  void mergeReductions();
  Uses usesOf(Operation *op);
  SmallVector<Operation *> withFreeOps(ArrayRef<Operation *> ops);
  SmallVector<Value> outputsOf(ArrayRef<Operation *> ops);
  void settle(Cluster *cluster);
  void replace();
  void border(Operation *op, Cluster *cluster, StringRef reason);
  void note(StringRef reason, Operation *reader);

  /// Asked of the same ops again and again.
  bool isFree(Operation *op) { return memo.of(op).isFree; }

  func::FuncOp function;
  Block &block;
  bool explain;
  Ways ways;
  OpMemo memo;
  llvm::DenseMap<Operation *, unsigned> order;
  std::vector<std::unique_ptr<Cluster>> clusters;
  llvm::DenseMap<Operation *, Cluster *> home;
  /// Every op has been visited.
  bool isComplete = false;
  /// Of the op that is visited: why no kernel takes it.
  SmallVector<Attribute> borders;
};

} // namespace

/// Clusters that use the results of `op`, and whether anything else does. A
/// free op that is used by no kernel's work (but by a return, or a reshape) is
/// work itself and has a cluster of its own.
Uses Fuser::usesOf(Operation *op) {
  Uses uses;
  SmallVector<Operation *> work{op};
  llvm::DenseSet<Operation *> seen{op};
  while (!work.empty()) {
    Operation *next = work.pop_back_val();
    for (Operation *user : next->getUsers()) {
      if (Cluster *cluster = home.lookup(user))
        uses.clusters.insert(cluster);
      else if (!isFree(user) && (next == op || !home.lookup(next)))
        uses.escapes = true;
      // Kernels repeat a free op, also one that is work somewhere.
      if (isFree(user) && seen.insert(user).second)
        work.push_back(user);
    }
  }
  return uses;
}

/// `ops` and the free ops that they need, in the order of the block.
SmallVector<Operation *> Fuser::withFreeOps(ArrayRef<Operation *> ops) {
  llvm::SetVector<Operation *> all(ops.begin(), ops.end());
  for (size_t i = 0; i != all.size(); ++i)
    for (Value operand : all[i]->getOperands())
      if (Operation *source = operand.getDefiningOp())
        if (isFree(source))
          all.insert(source);
  SmallVector<Operation *> sorted(all.begin(), all.end());
  llvm::sort(sorted, [&](Operation *x, Operation *y) {
    return order.lookup(x) < order.lookup(y);
  });
  return sorted;
}

/// Results of `ops` that something outside of them needs.
SmallVector<Value> Fuser::outputsOf(ArrayRef<Operation *> ops) {
  llvm::SmallDenseSet<Operation *> inside(ops.begin(), ops.end());
  SmallVector<Value> outputs;
  for (Operation *op : ops)
    for (Value result : op->getResults()) {
      bool needed = false;
      SmallVector<Value> work{result};
      while (!work.empty() && !needed) {
        Value value = work.pop_back_val();
        // Whoever reads a free op that is work reads its result, but for
        // kernels, which repeat it.
        bool inMemory = value != result && home.lookup(value.getDefiningOp());
        for (Operation *user : value.getUsers()) {
          bool isInside = inside.contains(user);
          if (isFree(user)) {
            needed |= !isInside && home.lookup(user);
            llvm::append_range(work, user->getResults());
          } else if (!isInside) {
            needed |= !inMemory || home.lookup(user);
          }
        }
      }
      if (needed)
        outputs.push_back(result);
    }
  return outputs;
}

/// Notes where the ops of a cluster are.
void Fuser::settle(Cluster *cluster) {
  for (Operation *op : cluster->ops)
    home[op] = cluster;
  ways.setKernel(cluster->ops);
}

void Fuser::border(Operation *op, Cluster *cluster, StringRef reason) {
  if (!explain)
    return;
  Operation *reader = cluster->ops.back();
  op->emitRemark() << "border before " << reader->getName().getStringRef()
                   << ": " << reason;
  note(reason, reader);
}

/// Keeps a reason, and the op of the kernel that reads the result, if one does.
void Fuser::note(StringRef reason, Operation *reader) {
  Builder b(function.getContext());
  NamedAttrList border;
  border.set("reason", b.getStringAttr(reason));
  if (reader) {
    border.set("op", b.getStringAttr(reader->getName().stripDialect()));
    border.set("at", LocationAttr(reader->getLoc()));
  }
  Attribute noted = border.getDictionary(b.getContext());
  if (!llvm::is_contained(borders, noted))
    borders.push_back(noted);
}

/// Whether a product in `cluster` would wait for what is made, further on, of
/// its own operand, which is much larger than the product: apart from it, the
/// operand need not be kept so long. (The gradient of a table that is used at
/// both ends of a model waits for the whole backward pass.)
bool Fuser::holdsLonger(Operation *op, Cluster *cluster) {
  auto indexed = dyn_cast<graph::IndexedOp>(op);
  if (!indexed || indexed.getTileKind() != graph::TileKind::dot)
    return false;
  // What is seen through an op.
  auto below = [](Operation *op) {
    return op->getNumOperands() ? op->getOperand(0).getDefiningOp() : nullptr;
  };
  SmallVector<Operation *> late;
  for (Operation *member : cluster->ops)
    for (Value operand : member->getOperands()) {
      Operation *source = operand.getDefiningOp(), *seen = source;
      while (seen && isFree(seen))
        seen = below(seen);
      if (source && (!seen || home.lookup(seen) != cluster) &&
          order.lookup(source) > order.lookup(op))
        late.push_back(source);
    }
  if (late.empty())
    return false;
  for (Value operand : op->getOperands()) {
    Operation *maker = operand.getDefiningOp();
    while (maker && (isFree(maker) || isAlias(maker)))
      maker = below(maker);
    if (!maker || bitsInMemory(operand) < 2 * bitsInMemory(op->getResult(0)))
      continue;
    // Upwards from what is waited for; what reads the operand itself ends with
    // it, and is no reason.
    SmallVector<Operation *> work(late);
    llvm::DenseSet<Operation *> seen(late.begin(), late.end());
    unsigned first = order.lookup(maker);
    while (!work.empty()) {
      Operation *next = work.pop_back_val();
      for (Value input : next->getOperands()) {
        Operation *source = input.getDefiningOp();
        if (!source || order.lookup(source) < first)
          continue;
        if (source == maker && !llvm::is_contained(late, next))
          return true;
        if (seen.insert(source).second)
          work.push_back(source);
      }
    }
  }
  return false;
}

/// Makes one kernel of two that read the same rows, if it can be.
bool Fuser::merge(Cluster *first, Cluster *second, Value shared) {
  if (partOf(first->ops.front()) != partOf(second->ops.front()) ||
      first->ops.size() + second->ops.size() > mostOps)
    return false;
  SmallVector<Operation *> ops(first->ops);
  llvm::append_range(ops, second->ops);
  llvm::sort(ops, [&](Operation *x, Operation *y) {
    return order.lookup(x) < order.lookup(y);
  });
  SmallVector<Value> outputs = outputsOf(ops);
  std::string reason;
  std::optional<ClusterInfo> info =
      analyzeCluster(withFreeOps(ops), outputs, memo, reason);
  if (!info || info->kind != ClusterKind::row)
    return false;
  // A block reads its rows in one piece.
  auto ties = info->ties.find(shared);
  if (ties == info->ties.end())
    return false;
  bool isInside = false;
  for (int64_t dim : ties->second) {
    bool isWhole = dim < 0 || info->whole[dim];
    if (isInside && !isWhole)
      return false;
    isInside = isWhole;
  }
  if (ways.leadsBack(ops, isComplete))
    return false;
  if (explain)
    second->ops.front()->emitRemark()
        << "one kernel with " << first->ops.front()->getName().getStringRef()
        << ": both reduce the rows of one value";
  first->ops = ops;
  second->dead = true;
  settle(first);
  return true;
}

/// Kernels that reduce the rows of one value become one, which reads them once:
/// what they make is small, so that nothing that lives longer for it counts.
void Fuser::mergeReductions() {
  auto isReducing = [&](Cluster *cluster, Value value) {
    int64_t bits = 0;
    for (Value output : outputsOf(cluster->ops))
      bits += bitsInMemory(output);
    return bits * 16 <= bitsInMemory(value);
  };
  auto mergeReaders = [&](Value value) {
    llvm::SmallSetVector<Cluster *, 4> readers;
    SmallVector<Value> work{value};
    while (!work.empty())
      for (Operation *user : work.pop_back_val().getUsers()) {
        if (Cluster *cluster = home.lookup(user))
          readers.insert(cluster);
        else if (isFree(user) &&
                 bitsInMemory(user->getResult(0)) == bitsInMemory(value))
          work.push_back(user->getResult(0));
      }
    SmallVector<Cluster *> reducing;
    for (Cluster *cluster : readers)
      if (isReducing(cluster, value))
        reducing.push_back(cluster);
    llvm::sort(reducing, [&](Cluster *x, Cluster *y) {
      return order.lookup(x->ops.front()) < order.lookup(y->ops.front());
    });
    for (size_t i = 0; i != reducing.size(); ++i)
      for (size_t k = i + 1; k != reducing.size(); ++k)
        if (!reducing[i]->dead && !reducing[k]->dead)
          merge(reducing[i], reducing[k], value);
  };
  for (BlockArgument argument : block.getArguments())
    mergeReaders(argument);
  for (Operation &op : block)
    if (home.lookup(&op))
      for (Value result : op.getResults())
        mergeReaders(result);
}

/// Puts `op` into a cluster that uses it; false when none takes it.
bool Fuser::join(Operation *op, const Uses &uses) {
  SmallVector<Cluster *> users(uses.clusters.begin(), uses.clusters.end());
  if (op->hasAttr(savedAttr)) {
    for (Cluster *user : users)
      border(op, user, "it waits for the backward pass in fewer bits");
    return false;
  }
  // What one kernel alone reads leads nowhere else, and so not back.
  bool onlyReader = users.size() == 1 && !uses.escapes;
  // Kernels side by side that share this op may be one kernel.
  auto attempt = [&](ArrayRef<Cluster *> chosen, std::string &reason) {
    SmallVector<Operation *> ops{op};
    for (Cluster *cluster : chosen) {
      // Of a kernel's ops all are of one part.
      if (partOf(cluster->ops.front()) != partOf(op)) {
        reason = "it works on another part of the rows";
        return false;
      }
      if (holdsLonger(op, cluster)) {
        reason = "what it reads would wait for what is made of it";
        return false;
      }
      llvm::append_range(ops, cluster->ops);
    }
    if (ops.size() > mostOps) {
      reason = "a kernel of more than 256 ops";
      return false;
    }
    // `op` comes before all that were visited, and kernels are in order.
    if (chosen.size() > 1)
      llvm::sort(ops, [&](Operation *x, Operation *y) {
        return order.lookup(x) < order.lookup(y);
      });
    // The cheaper question first: it is about these ops alone.
    SmallVector<Value> outputs = outputsOf(ops);
    if (!analyzeCluster(withFreeOps(ops), outputs, memo, reason))
      return false;
    if (!onlyReader && ways.leadsBack(ops, isComplete)) {
      reason = "another kernel that uses it comes in between";
      return false;
    }
    Cluster *target = chosen[0];
    target->ops = ops;
    for (Cluster *cluster : chosen.drop_front())
      cluster->dead = true;
    settle(target);
    return true;
  };
  std::string reason;
  if (users.size() > 1 && attempt(users, reason))
    return true;
  // The first user in the order of the block waits for the least.
  llvm::sort(users, [&](Cluster *x, Cluster *y) {
    return order.lookup(x->ops.front()) < order.lookup(y->ops.front());
  });
  for (Cluster *user : users) {
    if (attempt(user, reason))
      return true;
    border(op, user, reason);
  }
  return false;
}

void Fuser::visit(Operation *op) {
  if (isAlias(op) || op->hasTrait<OpTrait::IsTerminator>())
    return;
  Uses uses = usesOf(op);
  borders.clear();
  if (isFree(op)) {
    // Work only where its result itself must lie in memory.
    bool direct = llvm::any_of(op->getUsers(), [&](Operation *user) {
      return !isFree(user) && !home.lookup(user);
    });
    if (!direct)
      return;
  } else if (!uses.clusters.empty() && join(op, uses)) {
    return;
  }
  if (explain && !clusters.empty() && (uses.clusters.empty() || isFree(op))) {
    op->emitRemark() << "border after " << op->getName().getStringRef()
                     << ": its result lies in memory, and no kernel takes it";
    bool isResult = llvm::any_of(op->getUsers(), [](Operation *user) {
      return user->hasTrait<OpTrait::IsTerminator>();
    });
    note(isResult ? "a result of the function"
                  : "only views lead to its readers",
         nullptr);
  }
  auto cluster = std::make_unique<Cluster>();
  cluster->ops.push_back(op);
  cluster->borders = borders;
  settle(cluster.get());
  clusters.push_back(std::move(cluster));
}

/// Writes the clusters into the function, each after what it needs.
void Fuser::replace() {
  // A depth-first walk from the outputs gives an order in which every kernel
  // comes after those that it waits for.
  SmallVector<Operation *> sequence;
  llvm::DenseMap<void *, bool> done;
  llvm::DenseMap<Cluster *, SmallVector<Operation *>> members;
  for (auto &cluster : clusters)
    if (!cluster->dead)
      members[cluster.get()] = withFreeOps(cluster->ops);
  OpBuilder b(function.getContext());
  Operation *terminator = block.getTerminator();
  b.setInsertionPoint(terminator);
  IRMapping outer;
  SmallVector<Operation *> old;
  for (Operation &op : block.without_terminator())
    old.push_back(&op);

  std::function<void(Value)> provide = [&](Value value) {
    Operation *source = value.getDefiningOp();
    if (!source || outer.contains(value))
      return;
    Cluster *cluster = home.lookup(source);
    if (!cluster) { // an alias
      for (Value operand : source->getOperands())
        provide(operand);
      b.clone(*source, outer);
      return;
    }
    ArrayRef<Operation *> ops = members[cluster];
    llvm::SmallDenseSet<Operation *> inside(ops.begin(), ops.end());
    llvm::SetVector<Value> inputs;
    for (Operation *op : ops) {
      for (Value operand : op->getOperands())
        if (!operand.getDefiningOp() ||
            !inside.contains(operand.getDefiningOp()))
          inputs.insert(operand);
    }
    for (Value input : inputs)
      provide(input);
    SmallVector<Value> outputs = outputsOf(cluster->ops), mapped;
    SmallVector<Type> types;
    for (Value input : inputs)
      mapped.push_back(outer.lookupOrDefault(input));
    for (Value output : outputs)
      types.push_back(output.getType());
    SmallVector<Location> locations;
    for (Operation *op : cluster->ops)
      locations.push_back(op->getLoc());
    // The kernel is known by the place of its most telling op.
    std::string ignored;
    std::optional<ClusterInfo> info =
        analyzeCluster(ops, outputs, memo, ignored);
    Location loc =
        info && info->anchor ? info->anchor->getLoc() : locations.back();
    auto kernel =
        graph::ClusterOp::create(b, loc, types, mapped, DictionaryAttr());
    if (!cluster->borders.empty())
      kernel->setAttr("tarn.borders", b.getArrayAttr(cluster->borders));
    Block *body = b.createBlock(&kernel.getBody(), {},
                                ValueRange(inputs.getArrayRef()).getTypes(),
                                SmallVector<Location>(inputs.size(), loc));
    IRMapping inner;
    for (auto [input, argument] : llvm::zip(inputs, body->getArguments()))
      inner.map(input, argument);
    for (Operation *op : ops)
      dropPart(b.clone(*op, inner));
    SmallVector<Value> yielded;
    for (Value output : outputs)
      yielded.push_back(inner.lookup(output));
    graph::YieldOp::create(b, loc, yielded);
    b.setInsertionPoint(terminator);
    for (auto [output, result] : llvm::zip(outputs, kernel.getResults()))
      outer.map(output, result);
  };
  // In the order of the block where nothing else is asked: users of memory
  // know what that order means for its peak.
  for (Operation *op : old) {
    Cluster *cluster = home.lookup(op);
    if (!cluster || op != cluster->ops.back())
      continue;
    for (Value output : outputsOf(cluster->ops))
      provide(output);
  }
  for (OpOperand &operand : terminator->getOpOperands()) {
    provide(operand.get());
    operand.set(outer.lookupOrDefault(operand.get()));
  }
  for (Operation *op : llvm::reverse(old))
    op->erase();
}

void Fuser::run() {
  unsigned next = 0;
  SmallVector<Operation *> ops;
  for (Operation &op : block) {
    order[&op] = next++;
    ops.push_back(&op);
  }
  for (Operation *op : llvm::reverse(ops))
    visit(op);
  isComplete = true;
  mergeReductions();
  replace();
}

namespace {

struct FuseClusters : tarn::impl::TarnFuseClustersBase<FuseClusters> {
  using Base::Base;
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    widenAtReaders(getOperation());
    keepOneOrder(getOperation());
    nameParts(getOperation());
    Fuser(getOperation(), explain).run();
  }
};

} // namespace
