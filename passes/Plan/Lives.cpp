//===- Lives.cpp - which value owns which bytes, and until when -----------===//
//
// Names what lies outside of the arena, for callers, and writes down the lives
// of all values, for reports and for the checker.
//
//===----------------------------------------------------------------------===//

#include "passes/Plan/FunctionPlan.h"
#include "passes/Plan/KernelGraph.h"

#include "passes/Train/Roles.h"

using namespace mlir;
using namespace tarn;
using step::SliceAttr;
using step::Space;

/// The input of all micro-batches as callers see it: one tensor with one more
/// dim, where they are not parts of one.
static Type stacked(Type type, int64_t turns, IntegerAttr parts) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape;
  int64_t of = parts ? parts.getInt() : 1;
  if (turns != of)
    shape.push_back(turns / of);
  llvm::append_range(shape, tensor.getShape());
  if (parts)
    shape[turns != of] *= of;
  return tensor.clone(shape);
}

static SliceAttr wholeOf(SliceAttr slice, int64_t turns) {
  int64_t bytes =
      slice.getStride() ? slice.getBytes() * turns : slice.getBytes();
  return SliceAttr::get(slice.getContext(), slice.getSpace(), slice.getOffset(),
                        bytes, 0);
}

void FunctionPlan::emitNames() {
  auto bind = [&](StringRef name, StringRef role, SliceAttr place, Type type,
                  Location at) {
    step::BindOp::create(b, at, b.getStringAttr(name), b.getStringAttr(role),
                         place, TypeAttr::get(type));
  };
  for (BlockArgument argument : function.getArguments()) {
    const Home &home = homes.find(argument)->second;
    Type type = argument.getType();
    bind(home.name, home.role, wholeOf(home.slice, turns),
         home.slice.getStride()
             ? stacked(type, turns,
                       function.getArgAttrOfType<IntegerAttr>(
                           argument.getArgNumber(), "tarn.parts"))
             : type,
         home.loc);
  }
  ArgumentIndex arguments(function);
  for (const Result &result : results) {
    StringRef role = resultRole(function, result.index);
    StringRef name = resultName(function, result.index);
    // States that a function makes from nothing are named by its results.
    if (!result.isState || !arguments.find(role, name))
      bind(name, role, result.place, function.getResultTypes()[result.index],
           result.root.getLoc());
  }
}

static void emitLive(OpBuilder &b, Location at, StringRef name, StringRef role,
                     SliceAttr place, int64_t first, int64_t last,
                     int64_t turns = 1, int64_t period = 0) {
  step::LiveOp::create(b, at, b.getStringAttr(name), b.getStringAttr(role),
                       place, b.getI64IntegerAttr(first),
                       b.getI64IntegerAttr(last), b.getI64IntegerAttr(turns),
                       b.getI64IntegerAttr(turns > 1 ? period : 0));
}

/// `k_exp.7`; with where it is if it was moved: `k_exp.host.9`.
std::string FunctionPlan::nameOf(Value value, unsigned number) {
  std::string where;
  while (auto move = value.getDefiningOp<step::MoveStartOp>()) {
    if (where.empty())
      where = move.getSpace() == Space::Host ? ".host" : ".back";
    value = throughReshapes(move.getValue());
  }
  // What is put together is known by its first part.
  while (value.getDefiningOp() && isInPlace(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  auto cluster = value.getDefiningOp<graph::ClusterOp>();
  StringRef kernel =
      cluster ? cluster->getAttrOfType<FlatSymbolRefAttr>("kernel").getValue()
              : StringRef("value");
  return (kernel + where + "." + Twine(number)).str();
}

void FunctionPlan::emitLives(int64_t base, int64_t total) {
  int64_t lastTurn = base + (turns - 1) * length;
  unsigned number = 0;
  for (Value value : sequence) {
    const Home &home = homes.find(value)->second;
    Space space = home.slice.getSpace();
    if (space == Space::Input || space == Space::Constant) {
      // There before the program, until the last turn has read it.
      std::optional<int64_t> read = lastReadOf(value);
      emitLive(b, home.loc, home.name, home.role, wholeOf(home.slice, turns),
               -1, read ? lastTurn + *read : -1);
    } else if (space == Space::Arena || space == Space::Host) {
      emitLive(b, home.loc, nameOf(value, number++), home.role, home.slice,
               base + home.first, base + home.last, turns, length);
    }
  }
  for (Workspace &workspace : workspaces) {
    StringRef kernel =
        workspace.cluster->getAttrOfType<FlatSymbolRefAttr>("kernel")
            .getValue();
    int64_t step = base + workspace.step;
    emitLive(b, workspace.cluster.getLoc(),
             (kernel + ".workspace." + Twine(number++)).str(), "workspace",
             workspace.slice, step, step, turns, length);
  }
  for (const Result &result : results)
    if (!result.isState)
      emitLive(b, result.root.getLoc(), resultName(function, result.index),
               resultRole(function, result.index), result.place,
               base + (result.direct ? homes.find(result.root)->second.first
                                     : result.copy),
               total);
}

void FunctionPlan::collectStates(
    llvm::MapVector<Attribute, SmallVector<StateUse, 2>> &uses, unsigned part) {
  auto useOf = [&](SliceAttr place, StringRef name, StringRef role,
                   Location at) -> StateUse & {
    auto &parts = uses[place];
    while (parts.size() <= part)
      parts.push_back({name.str(), role.str(), at, {}, {}});
    return parts[part];
  };
  for (BlockArgument argument : function.getArguments()) {
    const Home &home = homes.find(argument)->second;
    if (home.slice.getSpace() == Space::State)
      useOf(home.slice, home.name, home.role, home.loc).read =
          lastReadOf(argument);
  }
  for (const Result &result : results) {
    if (!result.isState || (!result.direct && result.copy < 0))
      continue;
    StateUse &use =
        useOf(result.place, resultName(function, result.index),
              resultRole(function, result.index), result.root.getLoc());
    use.write =
        result.direct ? homes.find(result.root)->second.first : result.copy;
  }
}

/// The lives of one state: the value before the program, one per writing turn,
/// and the last one, which is kept.
static void emitStateLives(OpBuilder &b, SliceAttr place,
                           ArrayRef<StateUse> uses,
                           ArrayRef<FunctionPlan *> parts) {
  const StateUse *owner = &uses.front();
  int64_t first = -1, last = -1, base = 0;
  auto close = [&] {
    if (last >= 0) // else written before anyone read it
      emitLive(b, owner->loc, owner->name, owner->role, place, first, last);
  };
  for (auto [part, plan] : llvm::enumerate(parts)) {
    int64_t turns = plan->turns, period = plan->length;
    int64_t lastTurn = base + (turns - 1) * period;
    if (part < uses.size()) {
      const StateUse &use = uses[part];
      if (use.read)
        last = use.write ? base + *use.read : lastTurn + *use.read;
      if (use.write) {
        close();
        owner = &use;
        first = last = lastTurn + *use.write;
        // What all turns but the last write is read by the turn that follows.
        if (turns > 1)
          emitLive(b, use.loc, use.name, use.role, place, base + *use.write,
                   use.read ? base + period + *use.read : base + *use.write,
                   turns - 1, period);
      }
    }
    base += turns * period;
  }
  emitLive(b, owner->loc, owner->name, owner->role, place, first, base);
}

void tarn::emitProgramLives(OpBuilder &b, ArrayRef<FunctionPlan *> parts) {
  int64_t total = 0, base = 0;
  for (FunctionPlan *part : parts)
    total += part->turns * part->length;
  llvm::MapVector<Attribute, SmallVector<StateUse, 2>> uses;
  for (auto [number, part] : llvm::enumerate(parts))
    part->collectStates(uses, number);
  for (auto &[place, states] : uses)
    emitStateLives(b, cast<SliceAttr>(place), states, parts);
  for (FunctionPlan *part : parts) {
    part->emitLives(base, total);
    base += part->turns * part->length;
  }
}
