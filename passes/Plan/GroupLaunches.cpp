//===- GroupLaunches.cpp - independent launches become one ----------------===//
//
// The order of the kernels is known by now, their places are not. Kernels that
// wait for nothing are brought together: each is moved back to the last of its
// kind that runs before anybody needs it. Then neighbours that do not depend on
// each other are groups. Every choice is held against the plan of the whole
// function, packed as it will be: what makes the arena larger is taken back.
//
//===----------------------------------------------------------------------===//

#include "passes/Plan/Passes.h"

#include "compiler/Cost/CostModel.h"
#include "dialects/Tile/GpuCode.h"
#include "passes/Layout/InPlace.h"
#include "passes/Plan/FunctionPlan.h"
#include "passes/Plan/KernelGraph.h"
#include "passes/Train/Roles.h"

#include <map>

namespace tarn {
#define GEN_PASS_DEF_TARNGROUPLAUNCHES
#include "passes/Plan/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;
using graph::ClusterOp;

/// Plans of one function that are tried, at most: in each of two searches, by
/// how long packing one takes; and how many ops all of them have.
static constexpr int mostPlans = 64, mostRepaired = 8, fewestPlans = 4;
static constexpr size_t mostOps = 100'000;

namespace {

/// What is known of a kernel.
struct Member {
  unsigned threads; ///< of a block, in a group
  KernelCost cost;
  /// Kernels of one kind do the same with tensors of other shapes.
  std::string kind;
};

class Kernels {
public:
  Kernels(const CostModel &costs, const tile::GpuCode &code)
      : costs(costs), code(code) {}
  /// Null for what cannot be part of a group.
  const Member *find(tile::KernelOp kernel);
  double seconds(const KernelCost &cost) const {
    return costs.estimate(cost, "").seconds;
  }
  bool fit(size_t members, unsigned buffers) const {
    return code.fitsInGroup(int64_t(members), buffers);
  }

private:
  const CostModel &costs;
  const tile::GpuCode &code;
  std::map<Operation *, std::optional<Member>> known;
};

/// Launches that grow together as long as that is faster than alone.
struct Run {
  SmallVector<Operation *> members;
  unsigned threads = 0, buffers = 0;
  KernelCost cost;
  double seconds = 0;

  /// Adds a kernel if it has the same blocks, finds room in the table and takes
  /// less time here than alone.
  bool add(Operation *cluster, tile::KernelOp kernel, const Member &member,
           const Kernels &kernels);
};

/// Some of the launches of one kind, in their order.
struct Kind {
  SmallVector<Operation *> members;
};

class Grouper {
public:
  Grouper(func::FuncOp function, const StateLayout &state, Kernels &kernels,
          int64_t turns)
      : function(function), state(state), kernels(kernels), table(function),
        builder(function), turns(turns) {}
  LogicalResult run();

private:
  /// Whether the plan is no larger than it was.
  FailureOr<bool> isNoLarger();
  const Member *memberOf(Operation *op);
  SmallVector<Kind> findKinds();
  void bringTogether(const Kind &kind);
  void sink(Operation *cluster, Operation *to);
  void moveBefore(Operation *op, Operation *to);
  void numberOps();
  bool isBefore(Operation *op, Operation *other) const {
    return place.lookup(op) < place.lookup(other);
  }
  Operation *firstUser(Operation *op);
  void restore();
  LogicalResult reorder(ArrayRef<Kind> kinds);
  /// Brings launches together and makes groups of them, as far as plans packed
  /// with that effort do not grow.
  LogicalResult search(PackingEffort effort, const FunctionPlan &before);
  void findStates();
  bool dependsOn(Operation *cluster, ArrayRef<Operation *> members);
  const Alias &ownerOf(Value value);
  SmallVector<Run> findRuns();
  void mark(ArrayRef<Run> runs);
  LogicalResult group(ArrayRef<Run> runs);

  func::FuncOp function;
  const StateLayout &state;
  Kernels &kernels;
  KernelTable table;
  OpBuilder builder;
  int64_t turns;
  /// Of the plan as it was.
  int64_t arenaBytes = 0, hostBytes = 0, copies = 0;
  PackingEffort effort = PackingEffort::rough;
  int plans = 0, planLimit = 0;
  /// All ops as they were.
  SmallVector<Operation *> original;
  /// Where ops stand, in numbers with gaps: a block counts all of its own anew
  /// after each move.
  llvm::DenseMap<Operation *, int64_t> place;
  SmallVector<Kind> sunk;
  SmallVector<Run> grouped;
  /// The kernel that writes a state over the old one.
  llvm::DenseMap<Value, Operation *> writerOf;
  /// Which no order changes.
  llvm::DenseMap<Value, Alias> owners;
};

struct GroupLaunches : tarn::impl::TarnGroupLaunchesBase<GroupLaunches> {
  using Base::Base;
  void runOnOperation() override;
};

} // namespace

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

const Member *Kernels::find(tile::KernelOp kernel) {
  auto [found, isNew] = known.try_emplace(kernel);
  std::optional<Member> &member = found->second;
  if (isNew) {
    bool accumulates = false;
    for (unsigned i = 0; i != kernel.getNumBuffers(); ++i)
      accumulates |= kernel.getBufferAccess(i) == tile::Access::Accumulate;
    std::optional<unsigned> threads = code.threadsInGroup(kernel);
    // What is added to is filled before: that is a step of its own.
    if (threads && !accumulates) {
      member = Member{*threads, costOf(kernel), std::to_string(*threads) + " "};
      kernel->walk([&](Operation *op) {
        member->kind += op->getName().getStringRef().str() + " ";
      });
    }
  }
  return member ? &*member : nullptr;
}

bool Run::add(Operation *cluster, tile::KernelOp kernel, const Member &member,
              const Kernels &kernels) {
  unsigned most = std::max(buffers, kernel.getNumBuffers());
  KernelCost all = cost;
  if (members.empty()) {
    all = member.cost;
    threads = member.threads;
  } else {
    all += member.cost;
  }
  double together = kernels.seconds(all);
  if (!members.empty() &&
      (member.threads != threads || !kernels.fit(members.size() + 1, most) ||
       together >= seconds + kernels.seconds(member.cost)))
    return false;
  members.push_back(cluster);
  buffers = most;
  cost = all;
  seconds = together;
  return true;
}

//===----------------------------------------------------------------------===//
// Order
//===----------------------------------------------------------------------===//

/// Ops that run nothing: other names for bytes.
static bool runsNothing(Operation *op) {
  return !isa<ClusterOp, step::MoveStartOp, step::WaitOp, func::ReturnOp>(op);
}

const Member *Grouper::memberOf(Operation *op) {
  auto cluster = dyn_cast<ClusterOp>(op);
  tile::KernelOp kernel = cluster ? table.of(cluster) : tile::KernelOp();
  return kernel ? kernels.find(kernel) : nullptr;
}

FailureOr<bool> Grouper::isNoLarger() {
  ++plans;
  FunctionPlan plan(function, state, builder, turns);
  if (failed(plan.findLives()))
    return failure();
  return plan.copies() <= copies &&
         plan.fitsInto(arenaBytes, hostBytes, effort);
}

/// The launches of each kind, the kind that ends last first: who reads is moved
/// before those who wait to be read.
SmallVector<Kind> Grouper::findKinds() {
  llvm::MapVector<StringRef, Kind> byName;
  for (Operation &op : llvm::reverse(function.getBody().front()))
    if (const Member *member = memberOf(&op))
      byName[member->kind].members.push_back(&op);
  SmallVector<Kind> kinds;
  for (auto &[name, kind] : byName) {
    std::reverse(kind.members.begin(), kind.members.end());
    if (kind.members.size() > 1)
      kinds.push_back(std::move(kind));
  }
  return kinds;
}

void Grouper::numberOps() {
  int64_t number = 0;
  for (Operation &op : function.getBody().front())
    place[&op] = number++ << 32;
}

void Grouper::moveBefore(Operation *op, Operation *to) {
  op->moveBefore(to);
  Operation *previous = op->getPrevNode();
  int64_t end = place.lookup(to);
  int64_t begin = previous ? place.lookup(previous) : end - 2;
  // The next one goes before this one, mostly: it needs the larger part.
  place[op] = end - std::max<int64_t>((end - begin) / 16, 1);
  if (end - begin < 2)
    numberOps();
}

/// The first op that runs and needs what `op` makes.
Operation *Grouper::firstUser(Operation *op) {
  Operation *first = op->getBlock()->getTerminator();
  for (Operation *user : op->getUsers()) {
    Operation *near = op->getBlock()->findAncestorOpInBlock(*user);
    if (runsNothing(near))
      near = firstUser(near);
    if (isBefore(near, first))
      first = near;
  }
  return first;
}

/// Moves a kernel to right before another, and the names of its results behind
/// it.
void Grouper::sink(Operation *cluster, Operation *to) {
  moveBefore(cluster, to);
  SmallVector<Operation *> moved{cluster};
  for (size_t i = 0; i != moved.size(); ++i)
    for (Operation *user : moved[i]->getUsers())
      if (user->getBlock() == cluster->getBlock() && runsNothing(user) &&
          isBefore(user, moved[i])) {
        moveBefore(user, to);
        moved.push_back(user);
      }
}

void Grouper::bringTogether(const Kind &kind) {
  // The last first. What cannot join waits for others before it.
  SmallVector<Run> runs;
  for (Operation *cluster : llvm::reverse(kind.members)) {
    tile::KernelOp kernel = table.of(cast<ClusterOp>(cluster));
    const Member &member = *kernels.find(kernel);
    Operation *user = firstUser(cluster);
    auto joined = llvm::find_if(runs, [&](Run &run) {
      Operation *first = run.members.back();
      return user != first && !isBefore(user, first) &&
             run.add(cluster, kernel, member, kernels);
    });
    if (joined != runs.end()) {
      sink(cluster, joined->members.end()[-2]);
      continue;
    }
    runs.emplace_back();
    runs.back().add(cluster, kernel, member, kernels);
  }
}

void Grouper::restore() {
  Operation *end = function.getBody().front().getTerminator();
  for (Operation *op : original)
    if (op != end)
      op->moveBefore(end);
  numberOps();
}

/// Brings the launches of kinds together, as far as the plan does not grow.
LogicalResult Grouper::reorder(ArrayRef<Kind> kinds) {
  if (kinds.empty() || plans >= planLimit)
    return success();
  size_t accepted = sunk.size();
  llvm::append_range(sunk, kinds);
  restore();
  for (const Kind &kind : sunk)
    bringTogether(kind);
  FailureOr<bool> fits = isNoLarger();
  if (failed(fits))
    return failure();
  if (*fits)
    return success();
  sunk.truncate(accepted);
  if (kinds.size() > 1) {
    size_t half = kinds.size() / 2;
    if (failed(reorder(kinds.take_front(half))))
      return failure();
    return reorder(kinds.drop_front(half));
  }
  // Not from end to end: the later half, and the earlier.
  ArrayRef<Operation *> members = kinds.front().members;
  if (members.size() < 4)
    return success();
  size_t half = members.size() / 2;
  Kind early{SmallVector<Operation *>(members.take_front(half))};
  Kind late{SmallVector<Operation *>(members.drop_front(half))};
  if (failed(reorder(late)))
    return failure();
  return reorder(early);
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

void Grouper::findStates() {
  ArgumentIndex arguments(function);
  for (auto [i, operand] : llvm::enumerate(returnOf(function).getOperands())) {
    StringRef role = resultRole(function, i);
    if (!isStateRole(role))
      continue;
    if (auto argument = arguments.find(role, resultName(function, i)))
      writerOf[function.getArgument(*argument)] =
          throughReshapes(operand).getDefiningOp();
  }
}

const Alias &Grouper::ownerOf(Value value) {
  auto [found, isNew] = owners.try_emplace(value);
  if (isNew)
    found->second = tarn::ownerOf(value);
  return found->second;
}

/// Whether a kernel needs what one of the members makes, one of the two writes
/// a state that the other one reads, or both write parts of a value that lie
/// between each other.
bool Grouper::dependsOn(Operation *cluster, ArrayRef<Operation *> members) {
  auto touches = [&](Operation *reader, Operation *writer) {
    for (Value input : reader->getOperands()) {
      // Of what is put together, the parts.
      SmallVector<Value> names{input};
      while (!names.empty()) {
        Value name = names.pop_back_val();
        Operation *maker = name.getDefiningOp();
        if (maker == writer || writerOf.lookup(name) == writer)
          return true;
        if (maker && runsNothing(maker))
          llvm::append_range(names, maker->getOperands());
      }
    }
    return false;
  };
  // Parts that lie between each other in one value.
  auto areMixed = [&](Operation *first, Operation *second) {
    for (Value x : first->getResults())
      for (Value y : second->getResults()) {
        Alias a = ownerOf(x);
        const Alias &b = ownerOf(y);
        if (a.of == b.of && a.offset < b.offset + bytesOf(y.getType()) &&
            b.offset < a.offset + bytesOf(x.getType()))
          return true;
      }
    return false;
  };
  return llvm::any_of(members, [&](Operation *member) {
    return touches(cluster, member) || touches(member, cluster) ||
           areMixed(cluster, member);
  });
}

SmallVector<Run> Grouper::findRuns() {
  SmallVector<Run> runs;
  Run run;
  auto close = [&] {
    if (run.members.size() > 1)
      runs.push_back(std::move(run));
    run = Run();
  };
  for (Operation &op : function.getBody().front()) {
    if (runsNothing(&op))
      continue;
    const Member *member = memberOf(&op);
    if (!member) {
      close();
      continue;
    }
    tile::KernelOp kernel = table.of(cast<ClusterOp>(op));
    if (!dependsOn(&op, run.members) && run.add(&op, kernel, *member, kernels))
      continue;
    close();
    run.add(&op, kernel, *member, kernels);
  }
  close();
  return runs;
}

void Grouper::mark(ArrayRef<Run> runs) {
  for (Operation &op : function.getBody().front())
    op.removeAttr(groupAttr);
  for (auto [number, run] : llvm::enumerate(runs))
    for (Operation *member : run.members)
      member->setAttr(groupAttr, builder.getI64IntegerAttr(number));
}

/// Makes groups of runs, as far as the plan does not grow.
LogicalResult Grouper::group(ArrayRef<Run> runs) {
  if (runs.empty() || plans >= 2 * planLimit)
    return success();
  size_t accepted = grouped.size();
  llvm::append_range(grouped, runs);
  mark(grouped);
  FailureOr<bool> fits = isNoLarger();
  if (failed(fits))
    return failure();
  if (*fits)
    return success();
  grouped.truncate(accepted);
  if (runs.size() == 1)
    return success();
  size_t half = runs.size() / 2;
  if (failed(group(runs.take_front(half))))
    return failure();
  return group(runs.drop_front(half));
}

LogicalResult Grouper::search(PackingEffort packing,
                              const FunctionPlan &before) {
  effort = packing;
  int most = effort == PackingEffort::full ? mostRepaired : mostPlans;
  planLimit = int(
      std::clamp<size_t>(mostOps / original.size(), fewestPlans, size_t(most)));
  plans = 1;
  arenaBytes = before.arenaBytes;
  hostBytes = before.hostBytes;
  copies = before.copies();
  sunk.clear();
  grouped.clear();
  mark({});
  restore();
  if (failed(reorder(findKinds())))
    return failure();
  restore();
  for (const Kind &kind : sunk)
    bringTogether(kind);
  findStates();
  if (failed(group(findRuns())))
    return failure();
  mark(grouped);
  return success();
}

LogicalResult Grouper::run() {
  for (Operation &op : function.getBody().front())
    original.push_back(&op);
  FunctionPlan before(function, state, builder, turns),
      repaired(function, state, builder, turns);
  if (failed(before.plan(PackingEffort::rough)) ||
      failed(repaired.plan(PackingEffort::full)) ||
      failed(search(PackingEffort::rough, before)))
    return failure();
  if (repaired.arenaBytes == before.arenaBytes)
    return success();
  // A budget may hold no more than what repairs came to.
  FunctionPlan grouped(function, state, builder, turns);
  if (failed(grouped.plan(PackingEffort::full)))
    return failure();
  return grouped.arenaBytes <= repaired.arenaBytes
             ? success()
             : search(PackingEffort::full, repaired);
}

/// How often a function runs in a step: a micro-batch's in the turns of its
/// owner.
static int64_t turnsOf(func::FuncOp function) {
  for (auto owner :
       function->getParentOfType<ModuleOp>().getOps<func::FuncOp>())
    if (auto name = owner->getAttrOfType<FlatSymbolRefAttr>("tarn.micro"))
      if (name.getValue() == function.getName())
        return owner->getAttrOfType<IntegerAttr>("tarn.accumulate").getInt();
  return 1;
}

void GroupLaunches::runOnOperation() {
  FailureOr<StateLayout> state = layoutStates(getOperation());
  if (failed(state))
    return signalPassFailure();
  placeConstants(getOperation());
  rt::Result<CostModel> costs = findCostModel(device, "", getOperation());
  if (!costs.ok()) {
    getOperation()->setAttr("tarn.bad_option", UnitAttr::get(&getContext()));
    emitError(UnknownLoc::get(&getContext()), costs.status().message());
    return signalPassFailure();
  }
  Kernels kernels(*costs, tile::GpuCode::of(&getContext()));
  for (auto function : getOperation().getOps<func::FuncOp>())
    if (function->hasAttr("tarn.kind") &&
        failed(Grouper(function, *state, kernels, turnsOf(function)).run()))
      return signalPassFailure();
}
