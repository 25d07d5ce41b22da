//===- Variants.cpp - kernels that make their inputs themselves -----------===//

#include "passes/Plan/Variants.h"

#include "passes/Fuse/ClusterAnalysis.h"
#include "passes/Fuse/Prologue.h"
#include "passes/Plan/FunctionPlan.h"
#include "passes/Plan/KernelGraph.h"

#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"
#include "llvm/ADT/ScopeExit.h"

using namespace mlir;
using namespace tarn;

/// Inputs of one kernel that are tried; the largest are.
static constexpr size_t mostInputs = 4;

/// What is made in a prologue, for reports: the op, the model's line, and which
/// result of which kernel it is elsewhere.
static Attribute describe(OpBuilder &b, OpResult value) {
  auto maker = cast<graph::ClusterOp>(value.getOwner());
  auto yield = cast<graph::YieldOp>(maker.getBody().front().getTerminator());
  Operation *op = yield.getOperand(value.getResultNumber()).getDefiningOp();
  return b.getDictionaryAttr(
      {b.getNamedAttr("bytes", b.getI64IntegerAttr(bytesOf(value.getType()))),
       b.getNamedAttr("kernel", maker->getAttr("kernel")),
       b.getNamedAttr("maker", LocationAttr(maker.getLoc())),
       b.getNamedAttr("op", b.getStringAttr(op->getName().stripDialect())),
       b.getNamedAttr("place", LocationAttr(op->getLoc())),
       b.getNamedAttr("result", b.getI64IntegerAttr(value.getResultNumber()))});
}

graph::ClusterOp Variant::create(OpBuilder &b, ValueRange operands) const {
  graph::ClusterOp cluster = createWithPrologue(b, reader, without);
  cluster->setOperands(operands);
  cluster->setAttr("kernel", FlatSymbolRefAttr::get(kernel));
  SmallVector<Attribute> made;
  for (OpResult value : without)
    made.push_back(describe(b, value));
  cluster->setAttr("tarn.prologue", b.getArrayAttr(made));
  return cluster;
}

SmallVector<Variant> Variants::inCopy(ArrayRef<Variant> variants,
                                      IRMapping &mapping) {
  SmallVector<Variant> copies(variants);
  for (Variant &variant : copies) {
    variant.reader =
        cast<graph::ClusterOp>(mapping.lookup(variant.reader.getOperation()));
    for (OpResult &value : variant.without)
      value = cast<OpResult>(mapping.lookup<Value>(value));
    for (Value &input : variant.inputs)
      input = mapping.lookup(input);
  }
  return copies;
}

static FlatSymbolRefAttr programNameOf(Operation *cluster) {
  return cluster->getAttrOfType<FlatSymbolRefAttr>("kernel");
}

/// What variants with equal programs have in common: the programs of the
/// kernels that they join, and which inputs are the same.
static std::string keyOf(Variant variant) {
  std::string key = programNameOf(variant.reader).getValue().str();
  auto add = [&](Value value) {
    const auto *made = llvm::find(variant.without, value);
    if (made != variant.without.end())
      key += " w" + std::to_string(made - variant.without.begin());
    else
      key += " " + std::to_string(llvm::find(variant.inputs, value) -
                                  variant.inputs.begin());
  };
  for (Value input : variant.reader.getInputs())
    add(input);
  for (OpResult value : variant.without) {
    auto maker = cast<graph::ClusterOp>(value.getOwner());
    key += " | " + programNameOf(maker).getValue().str() + " " +
           std::to_string(value.getResultNumber());
    for (Value input : maker.getInputs())
      add(input);
    for (Value result : maker.getResults())
      add(result);
  }
  return key;
}

/// Whether two programs have the same blocks.
static bool haveSameGrid(tile::KernelOp x, tile::KernelOp y) {
  if (x.getGridRank() != y.getGridRank())
    return false;
  for (unsigned d = 0; d != x.getGridRank(); ++d)
    if (x.getGridBlocks(d) != y.getGridBlocks(d) ||
        x.getGridTiles()[d] != y.getGridTiles()[d] ||
        x.isSequential(d) != y.isSequential(d))
      return false;
  return true;
}

/// Whether the ops can be one kernel of the same kind.
static bool isKernelLike(graph::ClusterOp variant, graph::ClusterOp reader) {
  std::string reason;
  auto analyze = [&](graph::ClusterOp cluster) {
    SmallVector<Operation *> ops;
    for (Operation &op : cluster.getBody().front().without_terminator())
      ops.push_back(&op);
    auto yield =
        cast<graph::YieldOp>(cluster.getBody().front().getTerminator());
    return analyzeCluster(ops, llvm::to_vector(yield.getOperands()), reason);
  };
  std::optional<ClusterInfo> info = analyze(variant), own = analyze(reader);
  return info && own && info->kind == own->kind;
}

Variants::Program Variants::programOf(const Variant &variant) {
  auto [found, isNew] = known.try_emplace(keyOf(variant));
  if (!isNew)
    return found->second;
  // Outside of any block: only the program is wanted.
  OpBuilder b(variant.reader->getContext());
  graph::ClusterOp cluster =
      createWithPrologue(b, variant.reader, variant.without);
  llvm::scope_exit erase([&] { cluster->erase(); });
  if (!isKernelLike(cluster, variant.reader))
    return found->second;
  // What has no program is no variant, and no error.
  ScopedDiagnosticHandler quiet(b.getContext(),
                                [](Diagnostic &) { return success(); });
  if (failed(materializer.visit(cluster)))
    return found->second;
  tile::KernelOp kernel = materializer.kernelOf(cluster);
  IRRewriter rewriter(b.getContext());
  DominanceInfo dominance;
  eliminateCommonSubExpressions(rewriter, dominance, kernel);
  tile::KernelOp own = materializer.kernelOf(variant.reader);
  // Another variant may have the same program: it stays where this one does
  // not.
  // Nor is it one if it adds in another order: a library has its own.
  if (!own || !haveSameGrid(kernel, own) || own.getLibrary() ||
      kernel.getLibrary())
    return found->second;
  found->second = {kernel, secondsOf(kernel)};
  return found->second;
}

/// Adds the variant, if there is one and it takes at most `most` seconds.
bool Variants::add(graph::ClusterOp reader, ArrayRef<OpResult> without,
                   double most) {
  Variant variant;
  variant.reader = reader;
  llvm::append_range(variant.without, without);
  std::optional<SmallVector<Value>> inputs =
      inputsWithPrologue(reader, without);
  if (!inputs)
    return false;
  variant.inputs = *inputs;
  Program program = programOf(variant);
  if (!program.kernel || program.seconds > most)
    return false;
  variant.kernel = program.kernel;
  variant.seconds = program.seconds;
  variants.push_back(std::move(variant));
  return true;
}

void Variants::addReader(graph::ClusterOp reader) {
  auto mayBeMade = [&](Value value) {
    auto result = dyn_cast<OpResult>(value);
    std::string ignored;
    return result && !isOutside(result) && cheapChain(result, ignored);
  };
  auto timeOf = [&](Operation *cluster) {
    return secondsOf(materializer.kernelOf(cast<graph::ClusterOp>(cluster)));
  };
  SmallVector<OpResult> values;
  for (Value input : reader.getInputs())
    if (mayBeMade(input) && !llvm::is_contained(values, input))
      values.push_back(cast<OpResult>(input));
  // The largest first, else in the order of the inputs.
  llvm::SmallDenseMap<Value, size_t> place;
  for (auto [i, value] : llvm::enumerate(values))
    place[value] = i;
  llvm::sort(values, [&](OpResult x, OpResult y) {
    return std::pair(-bytesOf(x.getType()), place.lookup(x)) <
           std::pair(-bytesOf(y.getType()), place.lookup(y));
  });
  if (values.size() > mostInputs)
    values.resize(mostInputs);
  double own = timeOf(reader);
  SmallVector<OpResult> made;
  SmallVector<double> seconds;
  for (OpResult value : values)
    // Making it once more by itself is what this is measured against.
    if (add(reader, value, own + timeOf(value.getOwner()))) {
      made.push_back(value);
      seconds.push_back(variants.back().seconds);
    }
  // Two at once: both are read, or one is what the other is made from.
  for (size_t i = 0; i != made.size(); ++i) {
    for (size_t j = i + 1; j < made.size(); ++j)
      add(reader, {made[i], made[j]},
          seconds[i] + seconds[j] - own + timeOf(made[i].getOwner()));
    SmallVector<Value> leaves = *inputsWithPrologue(reader, made[i]);
    for (Value leaf : leaves)
      if (mayBeMade(leaf) && !llvm::is_contained(reader.getInputs(), leaf))
        add(reader, {made[i], cast<OpResult>(leaf)},
            seconds[i] + timeOf(leaf.getDefiningOp()));
  }
}

/// A value may be made once for several readers: no variants for those behind
/// the longest time without one, where they all take longer than that.
void Variants::dropDear() {
  llvm::MapVector<Value, SmallVector<size_t>> byValue;
  for (auto [i, variant] : llvm::enumerate(variants))
    if (variant.without.size() == 1)
      byValue[variant.without[0]].push_back(i);
  llvm::DenseMap<Operation *, int64_t> place;
  llvm::SmallDenseSet<std::pair<Operation *, Value>> dear;
  for (auto &[value, singles] : byValue) {
    Operation *maker = value.getDefiningOp();
    if (place.empty())
      for (auto [i, op] : llvm::enumerate(*maker->getBlock()))
        place[&op] = int64_t(i);
    llvm::SetVector<Operation *> users;
    users.insert(maker);
    for (Operation *user : value.getUsers())
      if (isa<graph::ClusterOp>(user))
        users.insert(user);
    SmallVector<Operation *> sorted(users.begin(), users.end());
    llvm::sort(sorted, [&](Operation *x, Operation *y) {
      return place.lookup(x) < place.lookup(y);
    });
    int64_t gap = 0, behind = 0;
    for (auto [x, y] : llvm::zip(sorted, ArrayRef(sorted).drop_front()))
      if (place.lookup(y) - place.lookup(x) > gap) {
        gap = place.lookup(y) - place.lookup(x);
        behind = place.lookup(y);
      }
    double more = 0;
    for (size_t i : singles)
      if (place.lookup(variants[i].reader) >= behind)
        more += variants[i].seconds -
                secondsOf(materializer.kernelOf(variants[i].reader));
    if (more > secondsOf(materializer.kernelOf(cast<graph::ClusterOp>(maker))))
      for (size_t i : singles)
        if (place.lookup(variants[i].reader) >= behind)
          dear.insert({variants[i].reader, value});
  }
  llvm::erase_if(variants, [&](const Variant &variant) {
    return llvm::any_of(variant.without, [&](OpResult value) {
      return dear.contains({variant.reader, value});
    });
  });
}

Variants::Variants(func::FuncOp function, Materializer &materializer,
                   llvm::function_ref<double(tile::KernelOp)> secondsOf,
                   llvm::function_ref<bool(Value)> isOutside)
    : materializer(materializer), secondsOf(secondsOf), isOutside(isOutside) {
  for (auto cluster : function.getBody().front().getOps<graph::ClusterOp>())
    addReader(cluster);
  dropDear();
}
