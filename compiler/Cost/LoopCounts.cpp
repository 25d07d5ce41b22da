//===- LoopCounts.cpp - how often the ops of a kernel run -----------------===//

#include "compiler/Cost/LoopCounts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tarn;

/// Beyond this many, positions and iterations are sampled evenly.
static constexpr int64_t sampleLimit = 128;

std::optional<int64_t> LoopCounts::evaluate(Value value) const {
  if (auto it = known.find(value); it != known.end())
    return it->second;
  APInt constant;
  if (matchPattern(value, m_ConstantInt(&constant)))
    return constant.getSExtValue();
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumOperands() == 0)
    return std::nullopt;
  if (isa<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp>(op))
    return evaluate(op->getOperand(0));
  if (auto select = dyn_cast<arith::SelectOp>(op)) {
    std::optional<int64_t> condition = evaluate(select.getCondition());
    if (!condition)
      return std::nullopt;
    return evaluate(*condition ? select.getTrueValue()
                               : select.getFalseValue());
  }
  if (op->getNumOperands() != 2)
    return std::nullopt;
  std::optional<int64_t> a = evaluate(op->getOperand(0));
  std::optional<int64_t> b = evaluate(op->getOperand(1));
  // What is clamped counts at its bound.
  if (isa<arith::MinSIOp, arith::MinUIOp>(op) && (!a || !b))
    return a ? a : b;
  if (!a || !b)
    return std::nullopt;
  int64_t sum;
  using Result = std::optional<int64_t>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case<arith::AddIOp>([&](auto) -> Result {
        return llvm::AddOverflow(*a, *b, sum) ? Result() : sum;
      })
      .Case<arith::SubIOp>([&](auto) -> Result {
        return llvm::SubOverflow(*a, *b, sum) ? Result() : sum;
      })
      .Case<arith::MulIOp>([&](auto) -> Result {
        return llvm::MulOverflow(*a, *b, sum) ? Result() : sum;
      })
      .Case<arith::DivSIOp, arith::DivUIOp>(
          [&](auto) -> Result { return *b > 0 ? Result(*a / *b) : Result(); })
      .Case<arith::RemSIOp, arith::RemUIOp>(
          [&](auto) -> Result { return *b > 0 ? Result(*a % *b) : Result(); })
      .Case<arith::CeilDivSIOp, arith::CeilDivUIOp>([&](auto) -> Result {
        return *b > 0 ? Result(llvm::divideCeilSigned(*a, *b)) : Result();
      })
      .Case<arith::FloorDivSIOp>([&](auto) -> Result {
        return *b > 0 ? Result(llvm::divideFloorSigned(*a, *b)) : Result();
      })
      .Case<arith::MinSIOp, arith::MinUIOp>(
          [&](auto) -> Result { return std::min(*a, *b); })
      .Case<arith::MaxSIOp, arith::MaxUIOp>(
          [&](auto) -> Result { return std::max(*a, *b); })
      .Case<arith::AndIOp>([&](auto) -> Result { return *a & *b; })
      .Case<arith::OrIOp>([&](auto) -> Result { return *a | *b; })
      .Case<arith::CmpIOp>([&](arith::CmpIOp compare) -> Result {
        return arith::applyCmpPredicate(compare.getPredicate(), APInt(64, *a),
                                        APInt(64, *b));
      })
      .Default([](Operation *) -> Result { return std::nullopt; });
}

/// What the program says of a loop whose bounds only memory knows.
static std::optional<double> averageTurns(scf::ForOp loop) {
  if (auto turns = loop->getAttrOfType<FloatAttr>("tile.turns"))
    return turns.getValueAsDouble();
  return std::nullopt;
}

std::optional<int64_t> LoopCounts::trips(scf::ForOp loop) const {
  std::optional<int64_t> from = evaluate(loop.getLowerBound());
  std::optional<int64_t> to = evaluate(loop.getUpperBound());
  std::optional<int64_t> step = evaluate(loop.getStep());
  if (!from || !to || !step || *step <= 0)
    return std::nullopt;
  return *to > *from ? llvm::divideCeil(*to - *from, *step) : 0;
}

/// Adds the positions and loop variables that `value` is computed from.
void LoopCounts::leavesOf(Value value,
                          llvm::SmallSetVector<Value, 4> &leaves) const {
  SmallVector<Value> work = {value};
  llvm::SmallDenseSet<Value> seen;
  while (!work.empty()) {
    Value next = work.pop_back_val();
    if (!seen.insert(next).second)
      continue;
    Operation *op = next.getDefiningOp();
    if (!op)
      leaves.insert(next);
    else if (op->getNumRegions() == 0 && !isa<tile::LoadScalarOp>(op))
      llvm::append_range(work, op->getOperands());
  }
}

llvm::SmallSetVector<Value, 4> LoopCounts::leavesOf(Operation *op) const {
  llvm::SmallSetVector<Value, 4> leaves;
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    leavesOf(loop.getLowerBound(), leaves);
    leavesOf(loop.getUpperBound(), leaves);
    leavesOf(loop.getStep(), leaves);
  } else if (auto branch = dyn_cast<scf::IfOp>(op)) {
    leavesOf(branch.getCondition(), leaves);
  }
  return leaves;
}

/// The loops and conditions around `op`, outermost first.
LoopCounts::Chain LoopCounts::chainOf(Operation *op) {
  Chain chain;
  for (Operation *parent = op->getParentOp(); parent != kernel;
       parent = parent->getParentOp())
    chain.push_back(parent);
  std::reverse(chain.begin(), chain.end());
  return chain;
}

double LoopCounts::countChain(const Chain &chain, unsigned at, Block *inner) {
  if (at == chain.size())
    return 1;
  Operation *op = chain[at];
  if (auto branch = dyn_cast<scf::IfOp>(op)) {
    std::optional<int64_t> condition = evaluate(branch.getCondition());
    Operation *next = at + 1 == chain.size() ? nullptr : chain[at + 1];
    Block *entered = next ? next->getBlock() : inner;
    bool inThen = entered == &branch.getThenRegion().front();
    if (condition && bool(*condition & 1) != inThen)
      return 0;
    return countChain(chain, at + 1, inner);
  }
  auto loop = cast<scf::ForOp>(op);
  if (std::optional<double> turns = averageTurns(loop))
    return *turns * countChain(chain, at + 1, inner);
  std::optional<int64_t> count = trips(loop);
  if (!count)
    return countChain(chain, at + 1, inner);
  bool used = llvm::any_of(
      ArrayRef<Operation *>(chain).drop_front(at + 1), [&](Operation *next) {
        return leavesOf(next).contains(loop.getInductionVar());
      });
  if (!used || *count == 0)
    return *count == 0 ? 0 : double(*count) * countChain(chain, at + 1, inner);
  int64_t from = *evaluate(loop.getLowerBound());
  int64_t step = *evaluate(loop.getStep());
  int64_t samples = std::min(*count, sampleLimit);
  double total = 0;
  for (int64_t i = 0; i != samples; ++i) {
    int64_t turn =
        samples == *count
            ? i
            : int64_t((double(i) + 0.5) * double(*count) / double(samples));
    known[loop.getInductionVar()] = from + turn * step;
    total += countChain(chain, at + 1, inner);
  }
  known.erase(loop.getInductionVar());
  return total * (double(*count) / double(samples));
}

double LoopCounts::countGrid(ArrayRef<Value> positions, const Chain &chain,
                             unsigned at) {
  if (at == positions.size())
    return countChain(chain, 0, target);
  unsigned dim = *kernel.getGridDim(positions[at]);
  int64_t blocks = kernel.getGridBlocks(dim);
  int64_t samples = std::min(blocks, sampleLimit);
  double total = 0;
  for (int64_t i = 0; i != samples; ++i) {
    int64_t block =
        samples == blocks
            ? i
            : int64_t((double(i) + 0.5) * double(blocks) / double(samples));
    known[positions[at]] = block * kernel.getGridTiles()[dim];
    total += countGrid(positions, chain, at + 1);
  }
  known.erase(positions[at]);
  return total * (double(blocks) / double(samples));
}

double LoopCounts::executions(Operation *op) {
  if (auto it = counts.find(op->getBlock()); it != counts.end())
    return it->second;
  Chain chain = chainOf(op);
  llvm::SmallVector<Value, 4> positions;
  llvm::SmallDenseSet<unsigned> dims;
  for (Operation *around : chain)
    for (Value leaf : leavesOf(around))
      if (std::optional<unsigned> dim = kernel.getGridDim(leaf))
        if (dims.insert(*dim).second)
          positions.push_back(leaf);
  double others = 1;
  for (unsigned dim = 0; dim != kernel.getGridRank(); ++dim)
    if (!dims.contains(dim))
      others *= double(kernel.getGridBlocks(dim));
  target = op->getBlock();
  double count = others * countGrid(positions, chain, 0);
  counts[op->getBlock()] = count;
  return count;
}

double LoopCounts::longest(scf::ForOp loop) {
  if (std::optional<double> turns = averageTurns(loop))
    return *turns;
  // Bounds are monotone in positions: the corners decide.
  llvm::SmallSetVector<Value, 4> leaves = leavesOf(loop);
  double most = 0;
  bool any = false;
  unsigned corners = 1u << std::min<size_t>(leaves.size(), 6);
  for (unsigned corner = 0; corner != corners; ++corner) {
    for (auto [bit, leaf] : llvm::enumerate(leaves)) {
      bool last = corner >> bit & 1;
      if (std::optional<unsigned> dim = kernel.getGridDim(leaf)) {
        known[leaf] = last ? (kernel.getGridBlocks(*dim) - 1) *
                                 kernel.getGridTiles()[*dim]
                           : 0;
      } else if (auto outer = dyn_cast<scf::ForOp>(
                     cast<BlockArgument>(leaf).getOwner()->getParentOp())) {
        std::optional<int64_t> from =
            getConstantIntValue(outer.getLowerBound());
        std::optional<int64_t> to = getConstantIntValue(outer.getUpperBound());
        std::optional<int64_t> step = getConstantIntValue(outer.getStep());
        if (from && to && step && *step > 0 && *to > *from)
          known[leaf] =
              last ? *from + (*to - 1 - *from) / *step * *step : *from;
      }
    }
    if (std::optional<int64_t> count = trips(loop)) {
      most = std::max(most, double(*count));
      any = true;
    }
  }
  for (Value leaf : leaves)
    known.erase(leaf);
  return any ? most : 1;
}
