//===- FunctionPlan.h - where one function's values lie --------*- C++ -*-===//

#ifndef PASSES_PLAN_FUNCTIONPLAN_H
#define PASSES_PLAN_FUNCTIONPLAN_H

#include "dialects/Step/StepOps.h"
#include "dialects/Tarn/TarnOps.h"
#include "dialects/Tile/TileOps.h"
#include "passes/Layout/InPlace.h"
#include "passes/Plan/ArenaPacking.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"

#include <map>

namespace tarn {

/// Bytes of a value in memory.
inline int64_t bytesOf(mlir::Type type) {
  return step::denseBytes(llvm::cast<mlir::ShapedType>(type));
}
/// What libraries ask of the memory that they work in.
constexpr int64_t workspaceAlignment = 256;
/// Rounded up to what every slice is aligned to.
inline int64_t aligned(int64_t bytes) { return llvm::alignTo(bytes, 64); }

/// The attribute of kernels that are launched as one, with a number: neighbours
/// that have the same are a `step.launch_group`, and one step of the plan.
inline constexpr llvm::StringLiteral groupAttr = "tarn.group";

/// The kernels of a function's module, by name.
class KernelTable {
public:
  explicit KernelTable(mlir::func::FuncOp function);
  /// Null where there is none.
  tile::KernelOp of(graph::ClusterOp cluster) const;

private:
  llvm::DenseMap<mlir::StringAttr, tile::KernelOp> kernels;
};

/// The state of all functions: one place per role and name.
class StateLayout {
public:
  /// Gives a state its place, or finds it; fails when its type differs.
  mlir::LogicalResult add(mlir::func::FuncOp function, mlir::StringRef role,
                          mlir::StringRef name, mlir::Type type);
  step::SliceAttr sliceOf(mlir::StringRef role, mlir::StringRef name) const {
    return entries.find({role.str(), name.str()})->second.slice;
  }
  int64_t bytes() const { return total; }

private:
  struct Entry {
    mlir::Type type;
    step::SliceAttr slice;
  };
  llvm::MapVector<std::pair<std::string, std::string>, Entry,
                  std::map<std::pair<std::string, std::string>, unsigned>>
      entries;
  int64_t total = 0;
};

/// What happens to one state in one run of a function, in its own steps.
struct StateUse {
  std::string name, role;
  mlir::Location loc;
  std::optional<int64_t> read;  ///< the last step that reads the old value
  std::optional<int64_t> write; ///< the first that writes the new one
};

/// Values of one line of the model that live at the fullest step.
struct PeakLine {
  enum class Kind {
    inUse, ///< the kernel of that step reads or writes them
    kept,  ///< made by the forward pass, read after it
    later  ///< anything else that is read later
  };
  Kind kind;
  mlir::Location loc;
  int64_t bytes;
  llvm::SmallVector<mlir::Value> values;
};

/// The fullest step of an arena.
struct Peak {
  int64_t step = 0, steps = 0;
  mlir::Operation *at = nullptr;     ///< the kernel or move of that step
  llvm::SmallVector<PeakLine> lines; ///< the largest first
};

/// One function's program in the making. The order of the kernels is the
/// function's. What is decided here is where every value lies and until when:
/// state over state where that is safe, results where they are wanted,
/// everything else in the arena.
class FunctionPlan {
public:
  /// A function that runs `turns` times in a repeat; `inPlace`: results may lie
  /// over operands.
  FunctionPlan(mlir::func::FuncOp function, const StateLayout &state,
               mlir::OpBuilder &b, int64_t turns, bool inPlace = true)
      : turns(turns), function(function), state(state), b(b), inPlace(inPlace),
        kernels(function) {}

  mlir::LogicalResult plan(PackingEffort effort = PackingEffort::full);
  /// What lives where and when, with no offsets in spaces that are packed.
  mlir::LogicalResult findLives();
  /// Of what `findLives` found: whether `plan` would reach these bytes.
  bool fitsInto(int64_t arenaBytes, int64_t hostBytes,
                PackingEffort effort) const {
    return fitsArena(arena, arenaBytes, effort) &&
           fitsArena(host, hostBytes, PackingEffort::rough);
  }
  /// Emits the steps at the builder's place.
  void emitSteps();
  /// Emits names for what callers see.
  void emitNames();
  /// Emits the lives of all values but states, in a program of `total` steps of
  /// which step `base` is the first of this function.
  void emitLives(int64_t base, int64_t total);
  /// Adds what happens to states, by their place.
  void collectStates(
      llvm::MapVector<mlir::Attribute, llvm::SmallVector<StateUse, 2>> &uses,
      unsigned part);

  /// Whether a kernel's result lies in the arena, not where the caller wants
  /// it.
  bool isInArena(mlir::Value value) const {
    auto home = homes.find(ownerOf(value).of);
    return home != homes.end() && home->second.arena;
  }
  /// What lives in the arena at its fullest step.
  Peak peak() const;
  /// Results that are copied to their places at the end.
  int64_t copies() const {
    return llvm::count_if(
        results, [](const Result &result) { return result.copy >= 0; });
  }

  const int64_t turns;
  int64_t arenaBytes = 0, inputBytes = 0, outputBytes = 0, hostBytes = 0;
  /// Steps of one turn.
  int64_t length = 0;

private:
  struct Home {
    step::SliceAttr slice;
    int64_t first = -1, last = -1;
    std::string name, role;
    mlir::Location loc;
    bool arena = false;
  };
  struct Result {
    unsigned index;
    mlir::Value root; ///< that the bytes belong to
    step::SliceAttr place;
    /// Made where it is wanted; else a copy at the end, at step `copy` (-1: it
    /// is there already).
    bool direct = false;
    int64_t copy = -1;
    bool isState = false;
  };

  void numberSteps();
  mlir::LogicalResult verifyKernels();
  mlir::LogicalResult placeArguments();
  void placeResults();
  void findActivations();
  void placeActivations(PackingEffort effort);
  void placeWorkspaces(llvm::MutableArrayRef<PackedValue> packed);
  step::SliceAttr placeOf(mlir::Value value);
  void emitLaunch(graph::ClusterOp cluster);
  void emitGroup(llvm::ArrayRef<mlir::Operation *> members);
  /// The kernels from place `first` of the schedule on that are one launch.
  llvm::ArrayRef<mlir::Operation *> groupAt(size_t first) const;
  void readAt(mlir::Value root, int64_t step, mlir::Operation *by);
  std::string nameOf(mlir::Value value, unsigned number);
  mlir::Value replacedBy(graph::ClusterOp cluster, unsigned output,
                         llvm::SmallDenseSet<mlir::Value> &taken);
  bool mayReplace(mlir::Value root, unsigned argument);
  step::SliceAttr slice(step::Space space, int64_t offset, int64_t bytes,
                        int64_t stride = 0) {
    return step::SliceAttr::get(b.getContext(), space, offset, bytes, stride);
  }
  void addHome(mlir::Value value, step::SliceAttr place, int64_t first,
               mlir::StringRef name, mlir::StringRef role, bool arena);
  tile::KernelOp kernelOf(graph::ClusterOp cluster);
  bool accumulates(graph::ClusterOp cluster, unsigned output);
  std::optional<int64_t> lastReadOf(mlir::Value root) const;

  mlir::func::FuncOp function;
  const StateLayout &state;
  mlir::OpBuilder &b;
  bool inPlace;
  KernelTable kernels;
  /// Kernels, moves to other spaces and waits, in the function's order.
  llvm::SmallVector<mlir::Operation *> schedule;
  llvm::DenseMap<mlir::Operation *, int64_t> stepOf;
  llvm::DenseMap<mlir::Value, Home> homes;
  llvm::SmallVector<mlir::Value>
      sequence; ///< keys of `homes`, in a fixed order
  llvm::SmallVector<Result> results;
  /// What is packed into the arena and into host memory. Values that take over
  /// each other's bytes are one.
  llvm::SmallVector<PackedValue> arena, host;
  struct Packed {
    mlir::Value value;
    bool isHost;
    size_t group; ///< its place in `arena` or in `host`
  };
  llvm::SmallVector<Packed> packed;
  /// What a library is given for one launch.
  struct Workspace {
    graph::ClusterOp cluster;
    int64_t step;
    step::SliceAttr slice;
  };
  llvm::SmallVector<Workspace> workspaces;
  /// The last step that reads each root, and what does so; nothing in
  /// particular where several members of a group do.
  struct LastRead {
    int64_t step;
    mlir::Operation *by;
  };
  llvm::DenseMap<mlir::Value, LastRead> lastRead;
};

/// The places of all states of a module's functions; fails where two functions
/// have different types for one.
mlir::FailureOr<StateLayout> layoutStates(mlir::ModuleOp module);

/// Gives constants of several values their places in the constant space; the
/// bytes of all.
int64_t placeConstants(mlir::ModuleOp module);

/// `gpt2.tarn:31`, or nothing.
std::string lineText(mlir::Location loc);

/// `1.50 MiB`.
std::string bytesText(int64_t bytes);

/// Emits the lives of all values of a program that runs `parts` one after the
/// other, each in its turns.
void emitProgramLives(mlir::OpBuilder &b, llvm::ArrayRef<FunctionPlan *> parts);

} // namespace tarn

#endif // PASSES_PLAN_FUNCTIONPLAN_H
