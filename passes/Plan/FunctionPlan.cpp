//===- FunctionPlan.cpp - where one function's values lie -----------------===//

#include "passes/Plan/FunctionPlan.h"

#include "dialects/Tile/Analysis.h"
#include "passes/Plan/KernelGraph.h"
#include "passes/Train/Roles.h"

#include "mlir/IR/SymbolTable.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace tarn;
using step::SliceAttr;
using step::Space;

LogicalResult StateLayout::add(func::FuncOp function, StringRef role,
                               StringRef name, Type type) {
  auto [found, isNew] = entries.insert({{role.str(), name.str()}, Entry()});
  if (!isNew) {
    if (found->second.type != type)
      return function.emitError()
             << "the " << role << " `" << name << "` is " << type
             << " here and " << found->second.type << " in another function";
    return success();
  }
  found->second.type = type;
  found->second.slice = SliceAttr::get(function.getContext(), Space::State,
                                       total, bytesOf(type), 0);
  total += aligned(bytesOf(type));
  return success();
}

KernelTable::KernelTable(func::FuncOp function) {
  auto module = function->getParentOfType<ModuleOp>();
  for (auto kernel : module.getOps<tile::KernelOp>())
    kernels[kernel.getSymNameAttr()] = kernel;
}

tile::KernelOp KernelTable::of(graph::ClusterOp cluster) const {
  auto symbol = cluster->getAttrOfType<FlatSymbolRefAttr>("kernel");
  return symbol ? kernels.lookup(symbol.getAttr()) : tile::KernelOp();
}

tile::KernelOp FunctionPlan::kernelOf(graph::ClusterOp cluster) {
  return kernels.of(cluster);
}

bool FunctionPlan::accumulates(graph::ClusterOp cluster, unsigned output) {
  return kernelOf(cluster).getBufferAccess(cluster.getInputs().size() +
                                           output) == tile::Access::Accumulate;
}

void FunctionPlan::readAt(Value root, int64_t step, Operation *by) {
  auto [found, isNew] = lastRead.try_emplace(root, LastRead{step, by});
  if (!isNew && found->second.step == step && found->second.by != by)
    by = nullptr;
  found->second = {step, by};
}

ArrayRef<Operation *> FunctionPlan::groupAt(size_t first) const {
  Attribute group = schedule[first]->getAttr(groupAttr);
  size_t end = first + 1;
  while (group && end != schedule.size() &&
         schedule[end]->getAttr(groupAttr) == group)
    ++end;
  return ArrayRef(schedule).slice(first, end - first);
}

/// A launch is a step, and so is the filling of what it adds to; the members of
/// a group are one.
void FunctionPlan::numberSteps() {
  for (Operation &op : function.getBody().front()) {
    auto cluster = dyn_cast<graph::ClusterOp>(op);
    if (!cluster && !isa<step::MoveStartOp, step::WaitOp>(op))
      continue;
    schedule.push_back(&op);
    if (auto wait = dyn_cast<step::WaitOp>(op))
      // Until then a move reads its value.
      for (Value token : wait.getTokens())
        readAt(throughReshapes(
                   token.getDefiningOp<step::MoveStartOp>().getValue()),
               length, wait);
    if (!cluster) {
      stepOf[&op] = length++;
      continue;
    }
    Operation *before =
        schedule.size() > 1 ? schedule[schedule.size() - 2] : nullptr;
    Attribute group = cluster->getAttr(groupAttr);
    if (before && group && before->getAttr(groupAttr) == group) {
      stepOf[cluster] = stepOf[before];
    } else {
      for (unsigned i = 0; i != cluster.getNumResults(); ++i)
        length += accumulates(cluster, i);
      stepOf[cluster] = length++;
    }
    for (Value input : cluster.getInputs())
      readAt(throughReshapes(input), stepOf[cluster], cluster);
    // What is put together lives until its last part is there.
    for (Value output : cluster.getResults())
      if (Value owner = throughReshapes(output); owner != output)
        readAt(owner, stepOf[cluster], cluster);
  }
}

/// Whether the kernel that makes `root` may write it over an argument.
bool FunctionPlan::mayReplace(Value root, unsigned argument) {
  auto cluster = root.getDefiningOp<graph::ClusterOp>();
  Value old = function.getArgument(argument);
  int64_t made = stepOf.lookup(cluster);
  auto read = lastRead.find(old);
  if (read != lastRead.end() &&
      (read->second.step > made ||
       (read->second.step == made && read->second.by != cluster)))
    return false;
  unsigned output = cast<OpResult>(root).getResultNumber();
  if (accumulates(cluster, output))
    return read == lastRead.end(); // filled first: nothing old may be needed
  // Old values that other results are copies of are needed to the end.
  for (const Result &result : results)
    if (result.root == old && result.index != argument)
      return false;
  tile::KernelOp kernel = kernelOf(cluster);
  for (auto [i, input] : llvm::enumerate(cluster.getInputs()))
    if (throughReshapes(input) == old &&
        (bytesOf(input.getType()) != bytesOf(old.getType()) ||
         !tile::mayUpdateBytes(kernel, i, cluster.getInputs().size() + output)))
      return false;
  return true;
}

std::optional<int64_t> FunctionPlan::lastReadOf(Value root) const {
  auto read = lastRead.find(root);
  return read == lastRead.end() ? std::nullopt
                                : std::optional(read->second.step);
}

void FunctionPlan::addHome(Value value, SliceAttr place, int64_t first,
                           StringRef name, StringRef role, bool arena) {
  homes.try_emplace(value, Home{place, first, first, name.str(), role.str(),
                                value.getLoc(), arena});
  sequence.push_back(value);
}

LogicalResult FunctionPlan::placeArguments() {
  for (BlockArgument argument : function.getArguments()) {
    unsigned i = argument.getArgNumber();
    StringRef role = argumentRole(function, i),
              name = argumentName(function, i);
    int64_t bytes = bytesOf(argument.getType());
    if (role != "input") {
      addHome(argument, state.sliceOf(role, name), -1, name, role, false);
      continue;
    }
    // Micro-batches lie one after the other in the input, unless each sees all.
    bool isWhole = bool(function.getArgAttr(i, "tarn.whole"));
    int64_t stride = turns > 1 && !isWhole ? bytes : 0;
    if (stride % 64 != 0)
      return function.emitError()
             << "a micro-batch of the input `" << name << "` has " << bytes
             << " bytes, which is no multiple of 64";
    addHome(argument, slice(Space::Input, inputBytes, bytes, stride), -1, name,
            role, false);
    inputBytes += aligned(isWhole ? bytes : bytes * turns);
  }
  for (auto constant : function.getBody().front().getOps<graph::ConstantOp>()) {
    auto offset = constant->getAttrOfType<IntegerAttr>("tarn.constant_offset");
    addHome(constant.getResult(),
            slice(Space::Constant, offset.getInt(),
                  bytesOf(constant.getResult().getType())),
            -1, "constant", "constant", false);
  }
  return success();
}

/// Results are made where they are wanted, or copied there at the end.
void FunctionPlan::placeResults() {
  func::ReturnOp ret = returnOf(function);
  for (auto [i, operand] : llvm::enumerate(ret.getOperands())) {
    StringRef role = resultRole(function, i), name = resultName(function, i);
    Result result;
    result.index = i;
    result.root = throughReshapes(operand);
    result.isState = isStateRole(role);
    if (result.isState) {
      result.place = state.sliceOf(role, name);
    } else {
      result.place =
          slice(Space::Output, outputBytes, bytesOf(operand.getType()));
      outputBytes += aligned(bytesOf(operand.getType()));
    }
    results.push_back(result);
  }
  ArgumentIndex arguments(function);
  for (Result &result : results) {
    auto cluster = result.root.getDefiningOp<graph::ClusterOp>();
    if (!cluster || homes.contains(result.root) ||
        bytesOf(result.root.getType()) != result.place.getBytes())
      continue;
    if (result.isState) {
      std::optional<unsigned> argument =
          arguments.find(resultRole(function, result.index),
                         resultName(function, result.index));
      if (argument && !mayReplace(result.root, *argument))
        continue;
    }
    result.direct = true;
    addHome(result.root, result.place, stepOf[cluster],
            resultName(function, result.index),
            resultRole(function, result.index), false);
  }
  // Outputs are copied first, because they may read old state.
  llvm::sort(results, [](const Result &x, const Result &y) {
    return std::pair(x.isState, x.index) < std::pair(y.isState, y.index);
  });
  for (Result &result : results) {
    auto home = homes.find(result.root);
    bool unchanged = home != homes.end() && home->second.slice == result.place;
    if (!result.direct && !unchanged) {
      result.copy = length++;
      readAt(result.root, result.copy, nullptr);
    }
  }
}

/// An input of the kernel over which its output may be written: it is in the
/// arena too, and nobody reads it later.
Value FunctionPlan::replacedBy(graph::ClusterOp cluster, unsigned output,
                               llvm::SmallDenseSet<Value> &taken) {
  if (!inPlace)
    return {};
  auto endsHere = [&](Value old) {
    auto read = lastRead.find(old);
    return isa_and_nonnull<graph::ClusterOp, step::MoveStartOp>(
               old.getDefiningOp()) &&
           !homes.contains(old) && read != lastRead.end() &&
           read->second.by == cluster && !taken.contains(old) &&
           bytesOf(old.getType()) ==
               bytesOf(cluster.getResult(output).getType());
  };
  // What a kernel's program allows takes longer to find out.
  if (llvm::none_of(cluster.getInputs(), [&](Value input) {
        return endsHere(throughReshapes(input));
      }))
    return {};
  for (auto [input, into] :
       sharedBuffers(kernelOf(cluster), cluster.getInputs())) {
    Value old = throughReshapes(cluster.getInputs()[input]);
    if (into == output && endsHere(old)) {
      taken.insert(old);
      return old;
    }
  }
  return {};
}

void FunctionPlan::findActivations() {
  llvm::DenseMap<Value, size_t> groupOf;
  SmallVector<std::pair<int64_t, int64_t>> lives;
  auto add = [&](Value value, int64_t first, int64_t last, Space space,
                 Value over = {}) {
    bool isHost = space == Space::Host;
    SmallVector<PackedValue> &groups = isHost ? host : arena;
    size_t group = groups.size();
    if (over) {
      group = groupOf[over];
      groups[group].last = last;
    } else {
      groups.push_back({bytesOf(value.getType()), first, last});
    }
    groupOf[value] = group;
    packed.push_back({value, isHost, group});
    lives.push_back({first, last});
  };
  for (Operation *op : schedule) {
    if (auto move = dyn_cast<step::MoveStartOp>(op)) {
      int64_t there = stepOf[move.getWait()];
      Value moved = move.getMoved();
      add(moved, stepOf[op], std::max(there, lastReadOf(moved).value_or(there)),
          move.getSpace());
    }
    auto cluster = dyn_cast<graph::ClusterOp>(op);
    if (!cluster)
      continue;
    int64_t step = stepOf[cluster], fills = 0;
    for (unsigned i = 0; i != cluster.getNumResults(); ++i)
      fills += accumulates(cluster, i);
    llvm::SmallDenseSet<Value> taken;
    for (auto [i, output] : llvm::enumerate(cluster.getResults())) {
      int64_t first = accumulates(cluster, i) ? step - fills-- : step;
      if (auto home = homes.find(output); home != homes.end()) {
        home->second.first = first;
        continue;
      }
      Value owner = throughReshapes(output);
      int64_t last = std::max(step, lastReadOf(owner).value_or(step));
      if (owner == output)
        add(output, first, last, Space::Arena, replacedBy(cluster, i, taken));
      else if (!groupOf.contains(owner)) // the first part of it
        add(owner, first, last, Space::Arena);
    }
  }
  // Behind all values, as the scheduler has them.
  for (Operation *op : schedule)
    if (auto cluster = dyn_cast<graph::ClusterOp>(op))
      if (int64_t bytes = kernelOf(cluster).getWorkspaceBytes()) {
        arena.push_back({bytes, stepOf[op], stepOf[op], 0, workspaceAlignment});
        workspaces.push_back({cluster, stepOf[op], {}});
      }
  for (auto [each, life] : llvm::zip(packed, lives)) {
    addHome(each.value, {}, life.first, "",
            each.isHost ? "offloaded" : "activation", !each.isHost);
    homes.find(each.value)->second.last = life.second;
  }
}

void FunctionPlan::placeActivations(PackingEffort effort) {
  arenaBytes = packArena(arena, effort);
  placeWorkspaces(MutableArrayRef(arena).take_back(workspaces.size()));
  hostBytes = host.empty() ? 0 : packArena(host, PackingEffort::rough);
  for (const Packed &each : packed) {
    const PackedValue &place = (each.isHost ? host : arena)[each.group];
    homes.find(each.value)->second.slice = slice(
        each.isHost ? Space::Host : Space::Arena, place.offset, place.bytes);
  }
}

void FunctionPlan::placeWorkspaces(MutableArrayRef<PackedValue> packed) {
  for (auto [workspace, place] : llvm::zip(workspaces, packed))
    workspace.slice = slice(Space::Arena, place.offset, place.bytes);
}

/// Everything runs in kernels by now.
LogicalResult FunctionPlan::verifyKernels() {
  for (Operation &op : function.getBody().front()) {
    bool good = isa<graph::ReshapeOp, graph::ConstantOp, func::ReturnOp,
                    step::MoveStartOp, step::WaitOp>(op) ||
                isInPlace(&op);
    if (auto cluster = dyn_cast<graph::ClusterOp>(op))
      good = cluster->hasAttr("kernel");
    if (!good)
      return op.emitOpError("is in no kernel; tarn-materialize-tiles makes "
                            "kernels before memory is planned");
  }
  return success();
}

LogicalResult FunctionPlan::findLives() {
  if (failed(verifyKernels()))
    return failure();
  numberSteps();
  if (failed(placeArguments()))
    return failure();
  placeResults();
  findActivations();
  return success();
}

LogicalResult FunctionPlan::plan(PackingEffort effort) {
  if (failed(findLives()))
    return failure();
  placeActivations(effort);
  return success();
}

SliceAttr FunctionPlan::placeOf(Value value) {
  Alias owner = ownerOf(value);
  SliceAttr whole = homes.find(owner.of)->second.slice;
  int64_t bytes = bytesOf(value.getType());
  if (owner.offset == 0 && whole.getBytes() == bytes)
    return whole;
  return slice(whole.getSpace(), whole.getOffset() + owner.offset, bytes,
               whole.getStride());
}

void FunctionPlan::emitLaunch(graph::ClusterOp cluster) {
  tile::KernelOp kernel = kernelOf(cluster);
  SmallVector<Attribute> slices;
  for (Value input : cluster.getInputs())
    slices.push_back(placeOf(input));
  for (auto [i, output] : llvm::enumerate(cluster.getResults())) {
    slices.push_back(placeOf(output));
    if (accumulates(cluster, i))
      step::FillOp::create(b, cluster.getLoc(), placeOf(output));
  }
  int64_t blocks = 1;
  for (unsigned d = 0; d != kernel.getGridRank(); ++d)
    if (!kernel.isSequential(d) && !kernel.getLibrary())
      blocks *= kernel.getGridBlocks(d);
  for (const Workspace &workspace : workspaces)
    if (workspace.cluster == cluster)
      slices.push_back(workspace.slice);
  step::LaunchOp::create(b, cluster.getLoc(), FlatSymbolRefAttr::get(kernel),
                         b.getI64IntegerAttr(blocks), b.getArrayAttr(slices));
}

void FunctionPlan::emitGroup(ArrayRef<Operation *> members) {
  SmallVector<Location> places;
  for (Operation *member : members)
    places.push_back(member->getLoc());
  auto group = step::LaunchGroupOp::create(b, b.getFusedLoc(places));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(&group.getBody().front());
  for (Operation *member : members)
    emitLaunch(cast<graph::ClusterOp>(member));
}

void FunctionPlan::emitSteps() {
  llvm::DenseMap<Value, Value> tokens;
  for (size_t at = 0; at != schedule.size(); ++at) {
    Operation *op = schedule[at];
    if (ArrayRef<Operation *> group = groupAt(at); group.size() > 1) {
      emitGroup(group);
      at += group.size() - 1;
    } else if (auto move = dyn_cast<step::MoveStartOp>(op)) {
      tokens[move.getToken()] = step::CopyStartOp::create(
          b, op->getLoc(), step::TokenType::get(b.getContext()),
          placeOf(move.getMoved()), placeOf(move.getValue()));
    } else if (auto wait = dyn_cast<step::WaitOp>(op)) {
      SmallVector<Value> waited;
      for (Value token : wait.getTokens())
        waited.push_back(tokens.lookup(token));
      step::WaitOp::create(b, op->getLoc(), waited);
    } else {
      emitLaunch(cast<graph::ClusterOp>(op));
    }
  }
  for (const Result &result : results)
    if (result.copy >= 0)
      step::CopyOp::create(
          b, result.root.getLoc(), result.place,
          placeOf(returnOf(function).getOperand(result.index)));
}

FailureOr<StateLayout> tarn::layoutStates(ModuleOp module) {
  StateLayout state;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function->hasAttr("tarn.kind"))
      continue;
    for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
      if (isStateRole(argumentRole(function, i)) &&
          failed(state.add(function, argumentRole(function, i),
                           argumentName(function, i), type)))
        return failure();
    for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
      if (isStateRole(resultRole(function, i)) &&
          failed(state.add(function, resultRole(function, i),
                           resultName(function, i), type)))
        return failure();
  }
  return state;
}

int64_t tarn::placeConstants(ModuleOp module) {
  int64_t bytes = 0;
  Builder b(module.getContext());
  for (auto function : module.getOps<func::FuncOp>())
    for (auto constant : function.getBody().getOps<graph::ConstantOp>()) {
      constant->setAttr("tarn.constant_offset", b.getI64IntegerAttr(bytes));
      bytes += aligned(bytesOf(constant.getResult().getType()));
    }
  return bytes;
}

std::string tarn::bytesText(int64_t bytes) {
  const char *units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double number = double(bytes);
  unsigned unit = 0;
  for (; number >= 1024 && unit != 4; ++unit)
    number /= 1024;
  return llvm::formatv(unit ? "{0:f2} {1}" : "{0:f0} {1}", number, units[unit])
      .str();
}
