//===- Collect.cpp - fills a report from a planned module -----------------===//

#include "compiler/Report/Collect.h"

#include "compiler/Package/Launches.h"
#include "compiler/Report/Names.h"
#include "compiler/Report/Program.h"
#include "compiler/Report/Roles.h"

#include "runtime/Checkpoint.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <numeric>

using namespace mlir;
using namespace tarn;
using namespace tarn::report;
using step::Space;

namespace {

class Collector {
public:
  Collector(ModuleOp module, const CostModel &costs, Report &report)
      : module(module), costs(costs), report(report), launches(module) {}

  void run();

private:
  void addFunction(step::ProgramOp op);
  void addStates(const Program &program);
  void addSteps(const Program &program, const Roles &roles, Function &function);
  void addKernels(const Program &program, Function &function);
  void addTensors(const Program &program, const Roles &roles,
                  Function &function);
  void explain(const Program &program, const Roles &roles, Function &function,
               int64_t index, Tensor &tensor);
  void findFullest(Function &function);
  void addLadder();
  void addTimes();

  ModuleOp module;
  const CostModel &costs;
  Report &report;
  /// What a kernel or a group does, and how long; the same for all functions.
  struct Launched {
    KernelCost cost;
    Estimate estimate;
    double aloneSeconds = 0; ///< of the members of a group, one by one
  };
  const Launched &launchedOf(const std::string &name,
                             ArrayRef<tile::KernelOp> members);
  std::map<std::string, Launched, std::less<>> launched;
  Launches launches;
  std::map<std::pair<std::string, std::string>, size_t> stateIndex;
};

} // namespace

static Place placeOf(Location loc) {
  Place place;
  loc->walk([&](Location inner) {
    auto file = dyn_cast<FileLineColLoc>(inner);
    if (file)
      place = {file.getFilename().str(), int64_t(file.getLine()),
               int64_t(file.getColumn())};
    return file ? WalkResult::interrupt() : WalkResult::advance();
  });
  return place;
}

static std::string typeText(Type type) {
  auto shaped = dyn_cast_if_present<ShapedType>(type);
  if (!shaped)
    return "";
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << shaped.getElementType() << "[";
  llvm::interleaveComma(shaped.getShape(), stream);
  stream << "]";
  return text;
}

void Collector::addStates(const Program &program) {
  for (const ProgramValue &state : program.states) {
    auto [found, isNew] =
        stateIndex.insert({{state.role, state.name}, report.state.size()});
    if (!isNew)
      continue;
    Tensor tensor;
    tensor.name = state.name;
    tensor.role = stateRole(state.role);
    tensor.type = typeText(state.type);
    tensor.op = state.role;
    tensor.space = "state";
    tensor.place = placeOf(state.loc);
    tensor.offset = state.slice.getOffset();
    tensor.bytes = state.slice.getBytes();
    tensor.first = -1;
    report.state.push_back(tensor);
  }
}

/// Why no other kernel does the work of this one, as fusion has noted it.
static void addBorders(graph::ClusterOp cluster, Step &step) {
  auto noted =
      cluster ? cluster->getAttrOfType<ArrayAttr>("tarn.borders") : ArrayAttr();
  if (!noted)
    return;
  for (DictionaryAttr from : noted.getAsRange<DictionaryAttr>()) {
    Border &border = step.borders.emplace_back();
    border.reason = from.getAs<StringAttr>("reason").str();
    auto op = from.getAs<StringAttr>("op");
    if (!op)
      continue;
    border.op = op.str();
    border.place = placeOf(from.getAs<LocationAttr>("at"));
  }
}

/// What a kernel makes in its prologue, as the plan has noted it.
static void addPrologue(graph::ClusterOp cluster, Step &step) {
  auto noted = cluster ? cluster->getAttrOfType<ArrayAttr>("tarn.prologue")
                       : ArrayAttr();
  for (Attribute entry : noted ? noted.getValue() : ArrayRef<Attribute>()) {
    auto from = cast<DictionaryAttr>(entry);
    Location at = from.getAs<LocationAttr>("place");
    step.prologue.push_back({from.getAs<StringAttr>("op").str(),
                             Program::layerOf(at), placeOf(at),
                             from.getAs<IntegerAttr>("bytes").getInt()});
  }
}

/// A result of a kernel: its place in the model, its program, the number.
using ResultKey = std::tuple<const void *, const void *, int64_t>;

/// Kernels that make a value in their prologues, by the result that it is of
/// its own kernel.
static std::map<ResultKey, std::vector<std::string>>
madeInPrologues(const Program &program) {
  std::map<ResultKey, std::vector<std::string>> kernels;
  for (const ProgramStep &step : program.steps) {
    graph::ClusterOp cluster = step.cluster;
    auto noted = cluster ? cluster->getAttrOfType<ArrayAttr>("tarn.prologue")
                         : ArrayAttr();
    for (Attribute entry : noted ? noted.getValue() : ArrayRef<Attribute>()) {
      auto from = cast<DictionaryAttr>(entry);
      std::vector<std::string> &names =
          kernels[{from.get("maker").getAsOpaquePointer(),
                   from.get("kernel").getAsOpaquePointer(),
                   from.getAs<IntegerAttr>("result").getInt()}];
      tile::KernelOp kernel = step.kernel;
      if (!llvm::is_contained(names, kernel.getName()))
        names.push_back(kernel.getName().str());
    }
  }
  return kernels;
}

void Collector::addSteps(const Program &program, const Roles &roles,
                         Function &function) {
  // Copies run beside the launches in two queues; a wait stalls for what is
  // late.
  double now = 0, queues[2] = {0, 0};
  llvm::DenseMap<Operation *, double> done;
  for (auto [i, from] : llvm::enumerate(program.steps)) {
    Step step;
    step.phase = roles.phases[i];
    step.place = placeOf(from.op->getLoc());
    step.layer = Program::layerOf(from.op->getLoc());
    step.repeats = from.repeats;
    double error = 0;
    if (tile::KernelOp kernel = from.kernel) {
      step.kernel = kernel.getName().str();
      step.op = opOfKernel(step.kernel);
      const Launched &alone = launchedOf(step.kernel, kernel);
      const Launched *all = &alone;
      step.seconds = alone.estimate.seconds;
      if (step::LaunchGroupOp group = from.group) {
        // A share of the group's, by what each would take alone.
        const cuda::KernelGroup &members = launches.groupOf(group);
        step.group = members.name;
        all = &launchedOf(members.name, members.members);
        step.seconds *= all->estimate.seconds / all->aloneSeconds;
      }
      step.measured = all->estimate.measured;
      addBorders(from.cluster, step);
      error = all->estimate.error;
      addPrologue(from.cluster, step);
    } else if (auto copy = dyn_cast<step::CopyOp>(from.op)) {
      step.kernel = step.op = "copy";
      step.seconds = costs.copySeconds(copy.getTo().getBytes());
    } else if (auto copy = dyn_cast<step::CopyStartOp>(from.op)) {
      // It runs beside the launches; a plan waits where it is late.
      bool out = copy.getTo().getSpace() == Space::Host;
      step.kernel = step.op = out ? "to_host" : "from_host";
      step.beside = out ? costs.toHostSeconds(copy.getTo().getBytes())
                        : costs.fromHostSeconds(copy.getTo().getBytes());
      // The launches lose some of the memory's bandwidth to it.
      step.seconds = costs.besideSeconds(copy.getTo().getBytes());
      double &queue = queues[out ? 0 : 1];
      queue = std::max(queue, now + step.seconds) + step.beside;
      done[copy] = queue;
    } else if (auto wait = dyn_cast<step::WaitOp>(from.op)) {
      step.kernel = step.op = "wait";
      for (Value token : wait.getTokens())
        step.seconds =
            std::max(step.seconds, done.lookup(token.getDefiningOp()) - now);
    } else if (auto fill = dyn_cast<step::FillOp>(from.op)) {
      step.kernel = step.op = "fill";
      step.seconds = costs.fillSeconds(fill.getTo().getBytes());
    }
    // An update belongs to what it updates.
    if (step.layer.empty())
      for (int64_t state : program.stateWrites[i])
        if (step.layer.empty())
          step.layer = layerOfState(program.states[state].name,
                                    program.states[state].role);
    now += step.seconds;
    function.seconds += step.seconds * double(step.repeats);
    function.error += step.seconds * double(step.repeats) * error;
    function.steps.push_back(std::move(step));
  }
  if (function.seconds > 0)
    function.error /= function.seconds;
}

/// How long a kernel takes, or several as one; `name` is theirs alone.
const Collector::Launched &
Collector::launchedOf(const std::string &name,
                      ArrayRef<tile::KernelOp> members) {
  auto [found, isNew] = launched.try_emplace(name);
  if (!isNew)
    return found->second;
  Launched made;
  made.cost = costOf(members);
  made.estimate =
      costs.estimate(made.cost, costs.hasTimes() ? programHash(members) : "");
  made.aloneSeconds = made.estimate.seconds;
  if (members.size() > 1) {
    made.aloneSeconds = 0;
    for (tile::KernelOp member : members)
      made.aloneSeconds +=
          launchedOf(member.getName().str(), member).estimate.seconds;
  }
  return launched[name] = made;
}

/// The kernels of a group, each once.
static std::vector<Kernel::Part> partsOf(const cuda::KernelGroup &group) {
  std::vector<Kernel::Part> parts;
  for (tile::KernelOp member : group.members) {
    auto known = llvm::find_if(parts, [&](const Kernel::Part &part) {
      return part.kernel == member.getName();
    });
    if (known == parts.end())
      known = parts.insert(known, {member.getName().str(), 0});
    ++known->launches;
  }
  return parts;
}

/// The kernels that a function launches, with what their launches take.
void Collector::addKernels(const Program &program, Function &function) {
  llvm::MapVector<StringRef, Kernel> kernels;
  for (auto [i, step] : llvm::enumerate(program.steps)) {
    if (!step.kernel || program.firstOf(int64_t(i)) != int64_t(i))
      continue;
    const Step &launch = function.steps[i];
    const std::string &name = step.group ? launch.group : launch.kernel;
    Kernel &kernel = kernels[name];
    kernel.launches += step.repeats;
    if (!kernel.name.empty())
      continue;
    const auto &[cost, estimate, aloneSeconds] = launched.find(name)->second;
    kernel.name = name;
    kernel.op = launch.op;
    if (step::LaunchGroupOp group = step.group)
      kernel.members = partsOf(launches.groupOf(group));
    kernel.place = launch.place;
    kernel.seconds = estimate.seconds;
    kernel.measured = estimate.measured;
    kernel.bound = estimate.bound;
    kernel.flops = cost.flops();
    kernel.bytes = cost.bytes();
    if (estimate.seconds > 0)
      kernel.roof = costs.roofSeconds(cost) / estimate.seconds;
  }
  for (auto &[op, kernel] : kernels)
    function.kernels.push_back(std::move(kernel));
  llvm::stable_sort(function.kernels, [](const Kernel &x, const Kernel &y) {
    return x.seconds * double(x.launches) > y.seconds * double(y.launches);
  });
}

void Collector::explain(const Program &program, const Roles &roles,
                        Function &function, int64_t index, Tensor &tensor) {
  const ProgramValue &value = program.values[index];
  auto stepText = [&](int64_t step) {
    const Step &at = function.steps[step];
    return at.phase + " " + (at.layer.empty() ? "" : at.layer + " ") + at.op;
  };
  if (roles.kept[index]) {
    int64_t first = -1;
    for (int64_t reader : value.readers)
      if (first < 0 && !roles.isForward(reader) &&
          roles.phases[reader] != "metric")
        first = reader;
    if (first >= 0)
      tensor.why = "read by " + stepText(first);
    double seconds = 0;
    std::vector<int64_t> again = roles.closure(index);
    for (int64_t step : again)
      seconds += function.steps[step].seconds;
    tensor.againSeconds = seconds;
    tensor.againKernels = int64_t(again.size());
  } else if (roles.gradientOf[index] >= 0) {
    tensor.why = "waits for the update of " +
                 program.states[roles.gradientOf[index]].name;
  } else if (!value.readers.empty()) {
    tensor.why = "read by " + stepText(value.readers.back());
  }
}

void Collector::addTensors(const Program &program, const Roles &roles,
                           Function &function) {
  std::map<ResultKey, std::vector<std::string>> prologues =
      madeInPrologues(program);
  for (auto [i, value] : llvm::enumerate(program.values)) {
    Tensor tensor;
    tensor.role = roles.roles[i];
    tensor.type = typeText(value.type);
    tensor.space = step::stringifySpace(value.slice.getSpace()).str();
    tensor.place = placeOf(value.loc);
    tensor.offset = value.slice.getOffset();
    tensor.bytes = value.slice.getBytes();
    tensor.first = value.first;
    tensor.last = value.last;
    tensor.readers = value.readers;
    tensor.op = tensor.role == "inputs"      ? "input"
                : tensor.role == "constants" ? "constant"
                : value.maker >= 0           ? function.steps[value.maker].op
                                             : "";
    if (value.maker >= 0)
      tensor.layer = function.steps[value.maker].layer;
    tensor.name = value.name;
    if (int64_t state = roles.gradientOf[i]; state >= 0) {
      tensor.layer =
          layerOfState(program.states[state].name, program.states[state].role);
      tensor.name = "gradient of " + program.states[state].name;
    } else if (value.slice.getSpace() == Space::Arena && value.maker >= 0) {
      const Step &step = function.steps[value.maker];
      tensor.name = (step.layer.empty() ? "" : step.layer + " ") +
                    (step.phase == "forward" ? "" : step.phase + " ") + step.op;
      if (program.steps[value.maker].writes.size() > 1)
        for (auto [n, written] :
             llvm::enumerate(program.steps[value.maker].writes))
          if (written == int64_t(i))
            tensor.name += " #" + std::to_string(n + 1);
    }
    explain(program, roles, function, int64_t(i), tensor);
    if (value.maker >= 0 && program.steps[value.maker].cluster) {
      const ProgramStep &maker = program.steps[value.maker];
      graph::ClusterOp cluster = maker.cluster;
      auto made = prologues.find(
          {LocationAttr(cluster.getLoc()).getAsOpaquePointer(),
           cluster->getAttr("kernel").getAsOpaquePointer(),
           std::find(maker.writes.begin(), maker.writes.end(), int64_t(i)) -
               maker.writes.begin()});
      if (made != prologues.end())
        tensor.why +=
            (tensor.why.empty() ? "" : "; ") +
            ("recomputed in the prologue of " + llvm::join(made->second, ", "));
    }
    function.tensors.push_back(std::move(tensor));
  }
}

/// A value whose bytes another one takes over in the step that reads it last
/// ends before that step: bytes count once.
static void endWhereTakenOver(const Program &program, Function &function) {
  std::set<std::tuple<std::string, int64_t, int64_t>> begins;
  for (const Tensor &tensor : function.tensors)
    begins.insert({tensor.space, tensor.offset, program.firstOf(tensor.first)});
  for (Tensor &tensor : function.tensors)
    if (int64_t last = program.firstOf(tensor.last);
        tensor.first < last &&
        begins.count({tensor.space, tensor.offset, last}))
      tensor.last = last - 1;
}

/// Where most of the arena is alive, each value rounded up as it is placed.
void Collector::findFullest(Function &function) {
  size_t steps = function.steps.size();
  std::vector<int64_t> change(steps + 2), exact(steps + 2);
  for (const Tensor &tensor : function.tensors)
    if (tensor.space == "arena") {
      int64_t first = std::max<int64_t>(tensor.first, 0),
              last = std::min<int64_t>(tensor.last, int64_t(steps));
      change[first] += llvm::alignTo(tensor.bytes, 64);
      change[last + 1] -= llvm::alignTo(tensor.bytes, 64);
      exact[first] += tensor.bytes;
      exact[last + 1] -= tensor.bytes;
    }
  int64_t live = 0, bytes = 0, most = -1;
  for (size_t i = 0; i != std::max<size_t>(steps, 1); ++i) {
    live += change[i];
    bytes += exact[i];
    if (live > most) {
      most = live;
      function.fullestStep = int64_t(i);
      function.liveBytes = bytes;
    }
  }
}

void Collector::addFunction(step::ProgramOp op) {
  Program program(op);
  Roles roles(program);
  Function function;
  Operation *any = op;
  if (auto name = any->getAttrOfType<StringAttr>("tarn.function"))
    function.name = name.str();
  if (auto kind = any->getAttrOfType<StringAttr>("tarn.kind"))
    function.kind = kind.str();
  function.arenaBytes = op.getArenaBytes();
  function.inputBytes = op.getInputBytes();
  function.outputBytes = op.getOutputBytes();
  function.totalBytes = op.getStateBytes() + op.getConstantBytes() +
                        op.getArenaBytes() + op.getInputBytes() +
                        op.getOutputBytes();
  report.stateBytes = op.getStateBytes();
  report.constantBytes = op.getConstantBytes();
  function.hostBytes = op.getHostBytes();
  report.hostBytes = std::max(report.hostBytes, function.hostBytes);
  addStates(program);
  addSteps(program, roles, function);
  addKernels(program, function);
  addTensors(program, roles, function);
  endWhereTakenOver(program, function);
  findFullest(function);
  report.functions.push_back(std::move(function));
}

void Collector::addLadder() {
  auto notes = module->getAttrOfType<DictionaryAttr>("tarn.plan");
  if (!notes)
    return;
  auto integer = [](DictionaryAttr from, StringRef name) {
    auto found = from.getAs<IntegerAttr>(name);
    return found ? found.getInt() : 0;
  };
  if (auto chosen = notes.getAs<StringAttr>("chosen"))
    report.chosen = chosen.str();
  report.leastBytes = integer(notes, "least_bytes");
  report.boundBytes = integer(notes, "bound_bytes");
  report.otherBytes = integer(notes, "other_bytes");
  auto real = [](DictionaryAttr from, StringRef name) {
    auto found = from.getAs<FloatAttr>(name);
    return found ? found.getValueAsDouble() : 0.0;
  };
  report.planSeconds = real(notes, "plan_seconds");
  report.boundSeconds = real(notes, "bound_seconds");
  report.boundMethod = llvm::formatv("minimum cuts at {0} moments",
                                     integer(notes, "bound_moments"));
  if (auto repeats = notes.getAs<ArrayAttr>("repeats"))
    for (Attribute entry : repeats) {
      auto from = cast<DictionaryAttr>(entry);
      report.repeats.push_back(
          {integer(from, "count"), integer(from, "kernels")});
    }
  // Other functions' arenas bound the total from below.
  int64_t floor = integer(notes, "floor_bytes");
  auto rungs = notes.getAs<ArrayAttr>("rungs");
  for (Attribute entry : rungs ? rungs.getValue() : ArrayRef<Attribute>()) {
    auto from = cast<DictionaryAttr>(entry);
    Rung rung;
    if (auto name = from.getAs<StringAttr>("name"))
      rung.name = name.str();
    rung.arenaBytes = integer(from, "arena_bytes");
    rung.prologues = integer(from, "prologues");
    rung.totalBytes = report.otherBytes + std::max(rung.arenaBytes, floor);
    rung.seconds = real(from, "seconds");
    rung.repeats = integer(from, "repeats");
    rung.offloadedBytes = integer(from, "offloaded_bytes");
    rung.hostBytes = integer(from, "host_bytes");
    rung.againSeconds = real(from, "again_seconds");
    rung.copySeconds = real(from, "copy_seconds");
    report.rungs.push_back(rung);
  }
  for (const Rung &all : report.rungs)
    if (all.name == "keep-all")
      for (Rung &rung : report.rungs)
        rung.isSlow = rung.seconds > 2 * all.seconds;
}

void Collector::addTimes() {
  const Function *main = mainFunction(report);
  if (!main)
    return;
  report.seconds = main->seconds;
  report.error = main->error;
  // Of the function that the seconds are about: no other is ever measured.
  int64_t measured = 0, kernels = int64_t(main->kernels.size());
  for (const Kernel &kernel : main->kernels)
    measured += kernel.measured;
  report.times = measured ? "measured, " + std::to_string(measured) + " of " +
                                std::to_string(kernels) + " kernels"
                          : "roofline";
}

void Collector::run() {
  for (auto program : module.getOps<step::ProgramOp>())
    addFunction(program);
  // The parameters are known once all programs are: what trains names them all.
  nameStateLayers(report.state);
  for (Function &function : report.functions) {
    report.arenaBytes = std::max(report.arenaBytes, function.arenaBytes);
    report.inputBytes = std::max(report.inputBytes, function.inputBytes);
    report.outputBytes = std::max(report.outputBytes, function.outputBytes);
  }
  for (auto [i, function] : llvm::enumerate(report.functions)) {
    const Function &most = report.functions[report.peakFunction];
    if (std::pair(function.arenaBytes, function.kind == "train") >
        std::pair(most.arenaBytes, most.kind == "train"))
      report.peakFunction = i;
  }
  // Copies beside the kernels need pages that stay where they are.
  report.pinnedBytes = report.hostBytes;
  report.peakBytes = report.stateBytes + report.constantBytes +
                     report.arenaBytes + report.inputBytes + report.outputBytes;
  for (const Tensor &tensor : report.state)
    if (tensor.op != "cache" && tensor.op != "accumulator")
      report.checkpointBytes += tensor.bytes;
  report.stagingBytes =
      std::min(report.checkpointBytes, int64_t(rt::checkpointStagingBytes));
  addRows(report);
  addLadder();
  addTimes();
}

void tarn::report::collect(ModuleOp module, const CostModel &costs,
                           Report &report) {
  Collector(module, costs, report).run();
}

const Rung *tarn::report::smallestInTime(const Report &report) {
  const Rung *best = nullptr;
  bool isSlow = false;
  for (const Rung &rung : report.rungs) {
    isSlow |= rung.isSlow && rung.totalBytes <= report.leastBytes;
    if (!rung.isSlow && (!best || rung.totalBytes < best->totalBytes))
      best = &rung;
  }
  return isSlow && best && best->totalBytes > report.leastBytes ? best
                                                                : nullptr;
}

const Function *tarn::report::mainFunction(const Report &report) {
  for (const Function &function : report.functions)
    if (function.kind == "train")
      return &function;
  return report.functions.empty() ? nullptr : &report.functions.front();
}
