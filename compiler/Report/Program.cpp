//===- Program.cpp - a step program as values and their uses --------------===//

#include "compiler/Report/Program.h"

#include "mlir/IR/SymbolTable.h"

#include <set>

using namespace mlir;
using namespace tarn;
using namespace tarn::report;
using step::SliceAttr;
using step::Space;

std::string Program::layerOf(Location loc) {
  std::string layer;
  loc->walk([&](Location inner) {
    auto fused = dyn_cast<FusedLoc>(inner);
    auto name = fused ? dyn_cast_if_present<StringAttr>(fused.getMetadata())
                      : StringAttr();
    if (!name)
      return WalkResult::advance();
    layer = name.str();
    return WalkResult::interrupt();
  });
  return layer;
}

Program::Program(step::ProgramOp op) : op(op) {
  auto module = op->getParentOfType<ModuleOp>();
  if (auto name = op->getAttrOfType<StringAttr>("tarn.function"))
    function = module.lookupSymbol<func::FuncOp>(name.getValue());
  if (function)
    if (auto name = function->getAttrOfType<FlatSymbolRefAttr>("tarn.micro"))
      micro = module.lookupSymbol<func::FuncOp>(name.getValue());
  addSteps();
  addValues();
  link();
  findClusters();
}

void Program::addLaunch(step::LaunchOp launch, step::LaunchGroupOp group,
                        int64_t repeats, SymbolTable &symbols) {
  ProgramStep step;
  step.op = launch;
  step.group = group;
  step.repeats = repeats;
  step.kernel = symbols.lookup<tile::KernelOp>(launch.getKernel());
  steps.push_back(std::move(step));
}

void Program::addStep(Operation &op, int64_t repeats, SymbolTable &symbols) {
  if (!isa<step::LaunchOp, step::LaunchGroupOp, step::CopyOp, step::FillOp,
           step::CopyStartOp, step::WaitOp>(op))
    return;
  begins.push_back(int64_t(steps.size()));
  if (auto launch = dyn_cast<step::LaunchOp>(op))
    return addLaunch(launch, {}, repeats, symbols);
  if (auto group = dyn_cast<step::LaunchGroupOp>(op)) {
    for (step::LaunchOp member : group.getMembers())
      addLaunch(member, group, repeats, symbols);
    return;
  }
  ProgramStep step;
  step.op = &op;
  step.repeats = repeats;
  steps.push_back(std::move(step));
}

void Program::addSteps() {
  SymbolTable symbols(op->getParentOfType<ModuleOp>());
  int64_t flat = 0;
  for (Operation &op : op.getBody().front()) {
    int64_t base = int64_t(begins.size()), turns = 1;
    if (auto repeat = dyn_cast<step::RepeatOp>(op)) {
      turns = repeat.getCount();
      for (Operation &inner : repeat.getBody().front())
        addStep(inner, turns, symbols);
    } else {
      addStep(op, 1, symbols);
    }
    int64_t length = int64_t(begins.size()) - base;
    if (!length)
      continue;
    parts.push_back({flat, turns, length, base});
    flat += turns * length;
  }
  parts.push_back({flat, 1, 1, int64_t(begins.size())});
  // The end, which is one step.
  begins.push_back(int64_t(steps.size()));
  begins.push_back(int64_t(steps.size()) + 1);
}

std::pair<int64_t, int64_t> Program::folded(int64_t flat) const {
  if (flat < 0)
    return {-1, -1};
  auto after = std::upper_bound(
      parts.begin(), parts.end(), flat,
      [](int64_t value, const Part &part) { return value < part.flat; });
  const Part &part = *std::prev(after);
  int64_t step = part.base + (flat - part.flat) % part.length;
  return {begins[step], begins[step + 1] - 1};
}

int64_t Program::firstOf(int64_t step) const {
  return step < 0
             ? step
             : *std::prev(std::upper_bound(begins.begin(), begins.end(), step));
}

void Program::addValues() {
  std::set<std::tuple<int, int64_t, int64_t>> bound;
  for (auto bind : op.getBody().front().getOps<step::BindOp>()) {
    SliceAttr slice = bind.getSlice();
    if (slice.getSpace() != Space::State ||
        !bound.insert({0, slice.getOffset(), slice.getBytes()}).second)
      continue;
    stateByOffset[slice.getOffset()] = int64_t(states.size());
    states.push_back({bind.getName().str(),
                      bind.getRole().str(),
                      slice,
                      bind.getLoc(),
                      bind.getType(),
                      -1,
                      int64_t(steps.size()),
                      -1,
                      {}});
  }
  for (auto live : op.getBody().front().getOps<step::LiveOp>()) {
    SliceAttr slice = live.getSlice();
    if (slice.getSpace() == Space::State)
      continue;
    // All through the group that makes it, and the one that reads it last.
    int64_t first = folded(live.getFirst()).first,
            last = folded(live.getLast()).second;
    byPlace[{int(slice.getSpace()), slice.getOffset()}].push_back(
        int64_t(values.size()));
    values.push_back({live.getName().str(),
                      live.getRole().str(),
                      slice,
                      live.getLoc(),
                      Type(),
                      first,
                      std::max(first, last),
                      -1,
                      {}});
  }
  for (auto &[place, lives] : byPlace)
    std::sort(lives.begin(), lives.end(), [&](int64_t x, int64_t y) {
      return std::pair(values[x].first, x) < std::pair(values[y].first, y);
    });
  // Types of inputs and outputs are in the names; others in the kernels.
  for (auto bind : op.getBody().front().getOps<step::BindOp>())
    if (auto found = byPlace.find(
            {int(bind.getSlice().getSpace()), bind.getSlice().getOffset()});
        found != byPlace.end())
      for (int64_t index : found->second)
        if (values[index].slice == bind.getSlice())
          values[index].type = bind.getType();
}

/// The value that lies at a slice while a step runs: what it writes begins
/// there, what it reads was there before.
int64_t Program::valueAt(SliceAttr slice, int64_t step, bool written) const {
  auto found = byPlace.upper_bound({int(slice.getSpace()), slice.getOffset()});
  // A part of a value begins after it: look back, the nearest first.
  for (int tries = 0; tries != 64 && found != byPlace.begin(); ++tries) {
    --found;
    if (found->first.first != int(slice.getSpace()))
      break;
    // Lives at one place are in the order of their beginnings, and at most two
    // meet in one step: in place, the old value ends where the new one begins.
    const std::vector<int64_t> &lives = found->second;
    auto after = std::upper_bound(
        lives.begin(), lives.end(), step,
        [&](int64_t at, int64_t index) { return at < values[index].first; });
    int64_t best = -1;
    for (int back = 0; back != 4 && after != lives.begin(); ++back) {
      const ProgramValue &value = values[*--after];
      if (value.last < step || slice.getEnd() > value.slice.getEnd())
        continue;
      best = *after;
      if (written)
        break;
    }
    if (best >= 0)
      return best;
  }
  return -1;
}

int64_t Program::stateAt(SliceAttr slice) const {
  auto found = stateByOffset.upper_bound(slice.getOffset());
  if (slice.getSpace() != Space::State || found == stateByOffset.begin())
    return -1;
  return std::prev(found)->second;
}

void Program::link() {
  stateReads.resize(steps.size());
  stateWrites.resize(steps.size());
  for (int64_t at = 0; at != int64_t(steps.size()); ++at) {
    ProgramStep &step = steps[at];
    auto use = [&](SliceAttr slice, bool written, Type type) {
      if (slice.getSpace() == Space::State) {
        if (int64_t state = stateAt(slice); state >= 0)
          (written ? stateWrites : stateReads)[at].push_back(state);
        return;
      }
      int64_t index = valueAt(slice, at, written);
      if (index < 0)
        return;
      ProgramValue &value = values[index];
      if (type && slice.getBytes() == value.slice.getBytes() && !value.type)
        value.type = type;
      // A copy is of the type of what it copies.
      if (written && !type && !step.reads.empty() && !value.type &&
          values[step.reads.front()].slice.getBytes() == slice.getBytes())
        value.type = values[step.reads.front()].type;
      if (written) {
        value.maker = at;
        step.writes.push_back(index);
      } else {
        step.reads.push_back(index);
        if (value.readers.empty() || value.readers.back() != at)
          value.readers.push_back(at);
      }
    };
    if (auto launch = dyn_cast<step::LaunchOp>(step.op)) {
      for (unsigned i = 0, e = launch.getSlices().size(); i != e; ++i) {
        Type type;
        bool written = true; // a workspace, behind the buffers
        if (step.kernel && i < step.kernel.getNumBuffers()) {
          written = step.kernel.getBufferAccess(i) != tile::Access::Read;
          auto memory = dyn_cast<MemRefType>(
              step.kernel.getBody().getArgument(i).getType());
          if (memory)
            type = RankedTensorType::get(memory.getShape(),
                                         memory.getElementType());
        }
        use(launch.getSlice(i), written, type);
      }
    } else if (auto copy = dyn_cast<step::CopyOp>(step.op)) {
      use(copy.getFrom(), false, Type());
      use(copy.getTo(), true, Type());
    } else if (auto copy = dyn_cast<step::CopyStartOp>(step.op)) {
      use(copy.getFrom(), false, Type());
      use(copy.getTo(), true, Type());
    } else if (auto fill = dyn_cast<step::FillOp>(step.op)) {
      use(fill.getTo(), true, Type());
    }
  }
}

/// Launches are the clusters of the graph in order; where they are not, the
/// report does without the graph.
void Program::findClusters() {
  std::vector<graph::ClusterOp> clusters;
  for (func::FuncOp part : {micro, function})
    if (part)
      for (auto cluster : part.getBody().front().getOps<graph::ClusterOp>())
        clusters.push_back(cluster);
  size_t next = 0;
  for (ProgramStep &step : steps)
    if (auto launch = dyn_cast<step::LaunchOp>(step.op)) {
      if (next == clusters.size() ||
          clusters[next]->getAttrOfType<FlatSymbolRefAttr>("kernel") !=
              launch.getKernelAttr())
        break;
      step.cluster = clusters[next++];
    }
  bool all = next == clusters.size();
  for (ProgramStep &step : steps)
    all &= !isa<step::LaunchOp>(step.op) || step.cluster;
  if (!all)
    for (ProgramStep &step : steps)
      step.cluster = nullptr;
}
