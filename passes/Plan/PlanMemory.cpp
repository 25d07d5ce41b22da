//===- PlanMemory.cpp - functions of kernels become programs --------------===//
//
// The order of the kernels is the function's. What is decided here is where
// every value lies and until when: state over state where that is safe, results
// where they are wanted, everything else in the arena.
//
//===----------------------------------------------------------------------===//

#include "passes/Plan/Passes.h"

#include "dialects/Step/StepOps.h"
#include "dialects/Tarn/TarnOps.h"
#include "dialects/Tile/Analysis.h"
#include "dialects/Tile/TileOps.h"
#include "passes/Plan/ArenaPacking.h"
#include "passes/Train/Roles.h"

#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/MapVector.h"

#include <map>

namespace tarn {
#define GEN_PASS_DEF_TARNPLANMEMORY
#include "passes/Plan/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;
using step::SliceAttr;
using step::Space;

/// Bytes of a dense tensor; a boolean takes one.
static int64_t bytesOf(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  int64_t width = std::max<int64_t>(tensor.getElementTypeBitWidth() / 8, 1);
  return tensor.getNumElements() * width;
}

static int64_t aligned(int64_t bytes) { return llvm::alignTo(bytes, 64); }

namespace {

/// The state of all functions: one place per role and name.
class StateLayout {
public:
  LogicalResult add(func::FuncOp function, StringRef role, StringRef name,
                    Type type);
  SliceAttr sliceOf(StringRef role, StringRef name) const {
    return entries.find({role.str(), name.str()})->second.slice;
  }
  int64_t bytes() const { return total; }

  struct Entry {
    Type type;
    SliceAttr slice;
  };
  llvm::MapVector<std::pair<std::string, std::string>, Entry,
                  std::map<std::pair<std::string, std::string>, unsigned>>
      entries;

private:
  int64_t total = 0;
};

/// One function's program in the making.
class Planner {
public:
  Planner(func::FuncOp function, const StateLayout &state, OpBuilder &b,
          int64_t turns)
      : function(function), state(state), b(b), turns(turns) {}

  LogicalResult plan();
  /// Emits the steps at the builder's place.
  void emitSteps();
  /// Emits names, and lives in a program of `steps` if asked to.
  void emitNames(int64_t steps, bool lives);

  int64_t arenaBytes = 0, inputBytes = 0, outputBytes = 0;
  /// Steps of one turn.
  int64_t length = 0;

private:
  struct Home {
    SliceAttr slice;
    int64_t first = -1, last = -1;
    std::string name, role;
    Location loc;
    bool arena = false;
  };
  struct Result {
    unsigned index;
    Value root;
    SliceAttr place;
    bool direct = false;
    bool isState = false;
  };

  Value rootOf(Value value);
  void numberSteps();
  bool mayReplace(Value root, unsigned argument);
  SliceAttr slice(Space space, int64_t offset, int64_t bytes,
                  int64_t stride = 0) {
    return SliceAttr::get(b.getContext(), space, offset, bytes, stride);
  }
  tile::KernelOp kernelOf(graph::ClusterOp cluster);
  bool accumulates(graph::ClusterOp cluster, unsigned output);

  func::FuncOp function;
  const StateLayout &state;
  OpBuilder &b;
  int64_t turns;
  SmallVector<graph::ClusterOp> launches;
  llvm::DenseMap<Operation *, int64_t> stepOf;
  llvm::DenseMap<Value, Home> homes;
  SmallVector<Value> sequence; ///< keys of `homes`, in a fixed order
  SmallVector<Result> results;
  /// The last step that reads each root.
  llvm::DenseMap<Value, int64_t> lastRead;
};

} // namespace

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

/// Through reshapes, which only rename places.
Value Planner::rootOf(Value value) {
  while (auto reshape = value.getDefiningOp<graph::ReshapeOp>())
    value = reshape.getX();
  return value;
}

tile::KernelOp Planner::kernelOf(graph::ClusterOp cluster) {
  auto symbol = cluster->getAttrOfType<FlatSymbolRefAttr>("kernel");
  return SymbolTable::lookupNearestSymbolFrom<tile::KernelOp>(cluster, symbol);
}

bool Planner::accumulates(graph::ClusterOp cluster, unsigned output) {
  return kernelOf(cluster).getBufferAccess(cluster.getInputs().size() +
                                           output) == tile::Access::Accumulate;
}

/// A launch is a step, and so is the filling of what it adds to.
void Planner::numberSteps() {
  for (Operation &op : function.getBody().front()) {
    auto cluster = dyn_cast<graph::ClusterOp>(op);
    if (!cluster)
      continue;
    launches.push_back(cluster);
    for (unsigned i = 0; i != cluster.getNumResults(); ++i)
      length += accumulates(cluster, i);
    stepOf[cluster] = length++;
    for (Value input : cluster.getInputs())
      lastRead[rootOf(input)] = stepOf[cluster];
  }
}

/// Whether the kernel that makes `root` may write it over an argument.
bool Planner::mayReplace(Value root, unsigned argument) {
  auto cluster = root.getDefiningOp<graph::ClusterOp>();
  Value old = function.getArgument(argument);
  int64_t made = stepOf.lookup(cluster);
  auto read = lastRead.find(old);
  if (read != lastRead.end() && read->second > made)
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
    if (rootOf(input) == old &&
        !tile::mayShareBytes(kernel, i, cluster.getInputs().size() + output))
      return false;
  return true;
}

LogicalResult Planner::plan() {
  numberSteps();
  auto addHome = [&](Value value, SliceAttr place, int64_t first,
                     StringRef name, StringRef role, bool arena) {
    homes.try_emplace(value, Home{place, first, first, name.str(), role.str(),
                                  value.getLoc(), arena});
    sequence.push_back(value);
  };
  for (BlockArgument argument : function.getArguments()) {
    unsigned i = argument.getArgNumber();
    StringRef role = argumentRole(function, i),
              name = argumentName(function, i);
    int64_t bytes = bytesOf(argument.getType());
    if (role == "input") {
      // Micro-batches lie one after the other in the input.
      int64_t stride = turns > 1 ? bytes : 0;
      if (stride % 64 != 0)
        return function.emitError()
               << "a micro-batch of the input `" << name << "` has " << bytes
               << " bytes, which is no multiple of 64";
      addHome(argument, slice(Space::Input, inputBytes, bytes, stride), -1,
              name, role, false);
      inputBytes += aligned(bytes * turns);
    } else {
      addHome(argument, state.sliceOf(role, name), -1, name, role, false);
    }
  }
  for (auto constant : function.getBody().front().getOps<graph::ConstantOp>()) {
    auto offset = constant->getAttrOfType<IntegerAttr>("tarn.constant_offset");
    addHome(constant.getResult(),
            slice(Space::Constant, offset.getInt(),
                  bytesOf(constant.getResult().getType())),
            -1, "constant", "constant", false);
  }

  func::ReturnOp ret = returnOf(function);
  for (auto [i, operand] : llvm::enumerate(ret.getOperands())) {
    StringRef role = resultRole(function, i), name = resultName(function, i);
    Result result;
    result.index = i;
    result.root = rootOf(operand);
    result.isState = role != "loss" && role != "metric" && role != "output" &&
                     role != "finite";
    if (result.isState) {
      result.place = state.sliceOf(role, name);
    } else {
      result.place =
          slice(Space::Output, outputBytes, bytesOf(operand.getType()));
      outputBytes += aligned(bytesOf(operand.getType()));
    }
    results.push_back(result);
  }
  // Results that can be made where they are wanted.
  for (Result &result : results) {
    auto cluster = result.root.getDefiningOp<graph::ClusterOp>();
    if (!cluster || homes.contains(result.root))
      continue;
    if (result.isState) {
      std::optional<unsigned> argument =
          findArgument(function, resultRole(function, result.index),
                       resultName(function, result.index));
      if (argument && !mayReplace(result.root, *argument))
        continue;
    }
    result.direct = true;
    addHome(result.root, result.place, stepOf[cluster],
            resultName(function, result.index),
            resultRole(function, result.index), false);
  }
  // Copies at the end: outputs first, because they may read old state.
  llvm::stable_sort(results, [](const Result &x, const Result &y) {
    return x.isState < y.isState;
  });
  for (Result &result : results) {
    if (result.direct)
      continue;
    auto home = homes.find(result.root);
    if (home != homes.end() && home->second.slice == result.place)
      continue; // unchanged state
    lastRead[result.root] = length++;
  }

  // Everything else lies in the arena.
  SmallVector<PackedValue> packed;
  SmallVector<Value> values;
  for (graph::ClusterOp cluster : launches) {
    int64_t step = stepOf[cluster], fills = 0;
    for (unsigned i = 0; i != cluster.getNumResults(); ++i)
      fills += accumulates(cluster, i);
    for (auto [i, output] : llvm::enumerate(cluster.getResults())) {
      int64_t first = accumulates(cluster, i) ? step - fills-- : step;
      if (auto home = homes.find(output); home != homes.end()) {
        home->second.first = first;
        continue;
      }
      PackedValue value;
      value.bytes = bytesOf(output.getType());
      value.first = first;
      auto read = lastRead.find(output);
      value.last = read == lastRead.end() ? step : std::max(step, read->second);
      packed.push_back(value);
      values.push_back(output);
    }
  }
  arenaBytes = packArena(packed);
  for (auto [value, place] : llvm::zip(values, packed)) {
    addHome(value, slice(Space::Arena, place.offset, place.bytes), place.first,
            "", "activation", true);
    homes.find(value)->second.last = place.last;
  }
  return success();
}

void Planner::emitSteps() {
  auto at = [&](Value value) {
    return homes.find(rootOf(value))->second.slice;
  };
  for (graph::ClusterOp cluster : launches) {
    tile::KernelOp kernel = kernelOf(cluster);
    SmallVector<Attribute> slices;
    for (Value input : cluster.getInputs())
      slices.push_back(at(input));
    for (auto [i, output] : llvm::enumerate(cluster.getResults())) {
      slices.push_back(at(output));
      if (accumulates(cluster, i))
        step::FillOp::create(b, cluster.getLoc(), at(output));
    }
    int64_t blocks = 1;
    for (unsigned d = 0; d != kernel.getGridRank(); ++d)
      if (!kernel.isSequential(d))
        blocks *= kernel.getGridBlocks(d);
    step::LaunchOp::create(b, cluster.getLoc(), FlatSymbolRefAttr::get(kernel),
                           b.getI64IntegerAttr(blocks), b.getArrayAttr(slices));
  }
  for (const Result &result : results) {
    SliceAttr from = at(result.root);
    if (result.direct || from == result.place)
      continue;
    step::CopyOp::create(b, result.root.getLoc(), result.place, from);
  }
}

/// Names what lies outside of the arena, for callers, and the lives of all
/// values, for reports and the checker.
void Planner::emitNames(int64_t steps, bool lives) {
  auto bind = [&](StringRef name, StringRef role, SliceAttr place, Type type,
                  Location at) {
    step::BindOp::create(b, at, b.getStringAttr(name), b.getStringAttr(role),
                         place, TypeAttr::get(type));
  };
  auto live = [&](StringRef name, StringRef role, SliceAttr place, Location at,
                  int64_t first, int64_t last) {
    if (lives)
      step::LiveOp::create(b, at, b.getStringAttr(name), b.getStringAttr(role),
                           place, b.getI64IntegerAttr(first),
                           b.getI64IntegerAttr(last));
  };
  llvm::DenseMap<Attribute, const Result *> replacing;
  for (const Result &result : results)
    replacing[result.place] = &result;
  int64_t copy = length;
  for (const Result &result : results)
    copy -=
        !result.direct && homes.find(result.root)->second.slice != result.place;
  for (BlockArgument argument : function.getArguments()) {
    const Home &home = homes.find(argument)->second;
    Type type = argument.getType();
    if (home.role == "input" && turns > 1) {
      // Callers see all micro-batches as one tensor with one more dim.
      auto tensor = cast<RankedTensorType>(type);
      SmallVector<int64_t> shape{turns};
      llvm::append_range(shape, tensor.getShape());
      type = tensor.clone(shape);
    }
    SliceAttr whole = home.slice;
    if (home.slice.getStride())
      whole = slice(home.slice.getSpace(), home.slice.getOffset(),
                    home.slice.getBytes() * turns);
    bind(home.name, home.role, whole, type, home.loc);
    auto read = lastRead.find(argument);
    bool kept = home.slice.getSpace() == Space::State &&
                !replacing.contains(home.slice);
    if (kept)
      live(home.name, home.role, home.slice, home.loc, -1, steps);
    else if (read != lastRead.end())
      live(home.name, home.role, home.slice, home.loc, -1, read->second);
    else if (home.role == "input") // read by nothing
      live(home.name, home.role, home.slice, home.loc, -1, -1);
  }
  for (const Result &result : results) {
    StringRef role = resultRole(function, result.index);
    StringRef name = resultName(function, result.index);
    Location at = result.root.getLoc();
    const Home &home = homes.find(result.root)->second;
    // States that a function makes from nothing are named by its results.
    if (!result.isState || !findArgument(function, role, name))
      bind(name, role, result.place, function.getResultTypes()[result.index],
           at);
    int64_t first = result.direct ? home.first : copy;
    if (!result.direct && home.slice != result.place)
      ++copy;
    else if (!result.direct)
      continue; // unchanged
    live(name, role, result.place, at, first, steps);
  }
  unsigned number = 0;
  for (Value value : sequence) {
    const Home &home = homes.find(value)->second;
    if (home.slice.getSpace() == Space::Constant) {
      live(home.name, home.role, home.slice, home.loc, -1,
           lastRead.lookup(value));
    } else if (home.arena) {
      auto cluster = value.getDefiningOp<graph::ClusterOp>();
      std::string name =
          cluster->getAttrOfType<FlatSymbolRefAttr>("kernel").getValue().str() +
          "." + std::to_string(number++);
      live(name, home.role, home.slice, home.loc, home.first, home.last);
    }
  }
}

/// Gives constants of several values their places in the constant space.
static int64_t placeConstants(ModuleOp module) {
  int64_t bytes = 0;
  Builder b(module.getContext());
  for (auto function : module.getOps<func::FuncOp>())
    for (auto constant : function.getBody().getOps<graph::ConstantOp>()) {
      constant->setAttr("tarn.constant_offset", b.getI64IntegerAttr(bytes));
      bytes += aligned(bytesOf(constant.getResult().getType()));
    }
  return bytes;
}

namespace {

struct PlanMemory : tarn::impl::TarnPlanMemoryBase<PlanMemory> {
  using Base::Base;

  LogicalResult planFunction(func::FuncOp function, const StateLayout &state,
                             int64_t constantBytes) {
    OpBuilder b(function);
    std::string name = function.getName().str();
    auto micro = function->getAttrOfType<FlatSymbolRefAttr>("tarn.micro");
    auto turns = function->getAttrOfType<IntegerAttr>("tarn.accumulate");
    std::optional<Planner> first;
    if (micro) {
      first.emplace(getOperation().lookupSymbol<func::FuncOp>(micro), state, b,
                    turns.getInt());
      if (failed(first->plan()))
        return failure();
    }
    Planner planner(function, state, b, 1);
    if (failed(planner.plan()))
      return failure();
    auto program = step::ProgramOp::create(
        b, function.getLoc(), name + ".program", state.bytes(),
        std::max(planner.arenaBytes, first ? first->arenaBytes : 0),
        planner.inputBytes + (first ? first->inputBytes : 0),
        planner.outputBytes, constantBytes);
    program->setAttr("tarn.kind", function->getAttr("tarn.kind"));
    program->setAttr("tarn.function", b.getStringAttr(name));
    if (program.getBody().empty())
      program.getBody().emplaceBlock();
    b.setInsertionPointToEnd(&program.getBody().front());
    if (first) {
      // The names of the micro-batch's inputs are the step's.
      first->emitNames(0, false);
      planner.emitNames(0, false);
      auto repeat =
          step::RepeatOp::create(b, function.getLoc(), turns.getInt());
      if (repeat.getBody().empty())
        repeat.getBody().emplaceBlock();
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToEnd(&repeat.getBody().front());
      first->emitSteps();
    } else {
      planner.emitNames(planner.length, true);
    }
    planner.emitSteps();
    return success();
  }

  void runOnOperation() override {
    StateLayout state;
    SmallVector<func::FuncOp> functions;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr("tarn.kind"))
        functions.push_back(function);
    for (func::FuncOp function : functions) {
      auto isState = [](StringRef role) {
        return role != "input" && role != "output" && role != "loss" &&
               role != "metric" && role != "finite";
      };
      for (unsigned i = 0, e = function.getNumArguments(); i != e; ++i)
        if (isState(argumentRole(function, i)) &&
            failed(state.add(function, argumentRole(function, i),
                             argumentName(function, i),
                             function.getArgumentTypes()[i])))
          return signalPassFailure();
      for (unsigned i = 0, e = function.getNumResults(); i != e; ++i)
        if (isState(resultRole(function, i)) &&
            failed(state.add(function, resultRole(function, i),
                             resultName(function, i),
                             function.getResultTypes()[i])))
          return signalPassFailure();
    }
    int64_t constants = placeConstants(getOperation());
    for (func::FuncOp function : functions) {
      auto kind = function->getAttrOfType<StringAttr>("tarn.kind");
      if (kind.getValue() == "micro")
        continue; // part of the step that names it
      if (failed(planFunction(function, state, constants)))
        return signalPassFailure();
    }
  }
};

} // namespace
