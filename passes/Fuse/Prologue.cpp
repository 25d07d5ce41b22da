//===- Prologue.cpp - kernels that make their inputs themselves -----------===//

#include "passes/Fuse/Prologue.h"

#include "passes/Fuse/ClusterAnalysis.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace tarn;

static graph::YieldOp yieldOf(graph::ClusterOp cluster) {
  return cast<graph::YieldOp>(cluster.getBody().front().getTerminator());
}

/// What works on one element at a time and says that it is cheap.
static bool isCheap(Operation *op) {
  auto indexed = dyn_cast<graph::IndexedOp>(op);
  auto cost = dyn_cast<graph::Recomputable>(op);
  return indexed && cost && op->getNumResults() == 1 && !isAlias(op) &&
         (isFree(op) ||
          indexed.getTileKind() == graph::TileKind::elementwise) &&
         cost.getRecomputeClass() == graph::RecomputeClass::cheap;
}

std::optional<CheapChain> tarn::cheapChain(OpResult result,
                                           std::string &reason) {
  auto maker = result.getDefiningOp<graph::ClusterOp>();
  if (!maker) {
    reason = "no kernel makes it";
    return std::nullopt;
  }
  graph::YieldOp yield = yieldOf(maker);
  Value root = yield.getOperand(result.getResultNumber());
  llvm::SmallDenseSet<Value> yielded(yield.getOperands().begin(),
                                     yield.getOperands().end());
  llvm::SetVector<Operation *> ops;
  llvm::SetVector<Value> leaves;
  SmallVector<Value> work{root};
  while (!work.empty()) {
    Value value = work.pop_back_val();
    Operation *op = value.getDefiningOp();
    if (!op || (value != root && yielded.contains(value) && !isFree(op))) {
      leaves.insert(value);
      continue;
    }
    if (!isCheap(op)) {
      reason = (op->getName().getStringRef() + " is not cheap").str();
      return std::nullopt;
    }
    if (ops.insert(op))
      llvm::append_range(work, op->getOperands());
  }
  CheapChain chain;
  for (Operation &op : maker.getBody().front())
    if (ops.contains(&op))
      chain.ops.push_back(&op);
  // In the order in which they are read, which does not depend on the search.
  for (Operation *op : chain.ops)
    for (Value operand : op->getOperands())
      if (leaves.contains(operand) &&
          !llvm::is_contained(chain.leaves, operand))
        chain.leaves.push_back(operand);
  return chain;
}

/// A leaf as the function has it.
static Value outside(graph::ClusterOp maker, Value leaf) {
  if (auto argument = dyn_cast<BlockArgument>(leaf))
    return maker.getInputs()[argument.getArgNumber()];
  for (auto [i, operand] : llvm::enumerate(yieldOf(maker).getOperands()))
    if (operand == leaf)
      return maker.getResult(i);
  return {};
}

static Value throughReshapes(Value value) {
  while (auto reshape = value.getDefiningOp<graph::ReshapeOp>())
    value = reshape.getX();
  return value;
}

/// Adds to `inputs` what making `value` reads.
static void addInputs(Value value, ArrayRef<OpResult> without,
                      llvm::SetVector<Value> &inputs) {
  auto result = dyn_cast<OpResult>(value);
  if (!result || !llvm::is_contained(without, result)) {
    inputs.insert(value);
    return;
  }
  std::string ignored;
  std::optional<CheapChain> chain = cheapChain(result, ignored);
  for (Value leaf : chain->leaves)
    addInputs(outside(cast<graph::ClusterOp>(result.getOwner()), leaf), without,
              inputs);
}

std::optional<SmallVector<Value>>
tarn::inputsWithPrologue(graph::ClusterOp reader, ArrayRef<OpResult> without) {
  llvm::SetVector<Value> inputs;
  for (Value input : reader.getInputs())
    addInputs(input, without, inputs);
  for (Value input : inputs)
    if (auto result = dyn_cast<OpResult>(throughReshapes(input)))
      if (llvm::is_contained(without, result))
        return std::nullopt;
  return inputs.takeVector();
}

namespace {

/// The body of a kernel in the making.
class Body {
public:
  Body(OpBuilder &b, IRMapping &arguments) : b(b), made(arguments) {}

  /// The value in the body: an argument, or made there.
  Value provide(Value value) {
    if (Value known = made.lookupOrNull(value))
      return known;
    auto result = cast<OpResult>(value);
    auto maker = cast<graph::ClusterOp>(result.getOwner());
    std::string ignored;
    std::optional<CheapChain> chain = cheapChain(result, ignored);
    IRMapping inner;
    for (Value leaf : chain->leaves)
      inner.map(leaf, provide(outside(maker, leaf)));
    for (Operation *op : chain->ops)
      b.clone(*op, inner);
    Value root = yieldOf(maker).getOperand(result.getResultNumber());
    made.map(value, inner.lookup(root));
    return made.lookup(value);
  }

private:
  OpBuilder &b;
  IRMapping &made;
};

} // namespace

graph::ClusterOp tarn::createWithPrologue(OpBuilder &b, graph::ClusterOp reader,
                                          ArrayRef<OpResult> without) {
  SmallVector<Value> inputs = *inputsWithPrologue(reader, without);
  Location loc = reader.getLoc();
  auto kernel = graph::ClusterOp::create(b, loc, reader.getResultTypes(),
                                         inputs, DictionaryAttr());
  OpBuilder::InsertionGuard guard(b);
  Block *body =
      b.createBlock(&kernel.getBody(), {}, ValueRange(inputs).getTypes(),
                    SmallVector<Location>(inputs.size(), loc));
  IRMapping arguments;
  for (auto [input, argument] : llvm::zip(inputs, body->getArguments()))
    arguments.map(input, argument);
  Body making(b, arguments);
  IRMapping inner;
  for (auto [input, argument] :
       llvm::zip(reader.getInputs(), reader.getBody().front().getArguments()))
    inner.map(argument, making.provide(input));
  for (Operation &op : reader.getBody().front())
    b.clone(op, inner);
  return kernel;
}
