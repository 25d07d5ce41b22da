//===- Ranges.cpp - what values a block-uniform index can have ------------===//

#include "compiler/Target/Cpu/Ranges.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <numeric>

using namespace mlir;
using namespace tarn;
using namespace tarn::cpu;

// Far from overflow when two are added or multiplied by a tile size.
static constexpr int64_t unbounded = int64_t(1) << 50;

static IndexRange anything() { return {-unbounded, unbounded, 1}; }

static int64_t gcd(int64_t a, int64_t b) { return std::gcd(a, b); }

/// A value that starts at `lower` and grows in `step`s while below `upper`.
static IndexRange iterationRange(IndexRange lower, IndexRange upper,
                                 IndexRange step) {
  IndexRange range{lower.low, upper.high - 1,
                   gcd(lower.multiple, step.multiple)};
  if (range.multiple > 1 && range.high >= 0)
    range.high -= range.high % range.multiple;
  range.high = std::max(range.high, range.low);
  return range;
}

static IndexRange rangeOfValue(tile::KernelOp kernel, Value value) {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return {*constant, *constant, *constant};
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    if (std::optional<unsigned> dim = kernel.getGridDim(value)) {
      int64_t tile = kernel.getGridTiles()[*dim];
      return {0, (kernel.getGridBlocks(*dim) - 1) * tile, tile};
    }
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    if (loop && argument == loop.getInductionVar())
      return iterationRange(rangeOf(kernel, loop.getLowerBound()),
                            rangeOf(kernel, loop.getUpperBound()),
                            rangeOf(kernel, loop.getStep()));
    return anything();
  }
  Operation *op = value.getDefiningOp();
  auto operand = [&](unsigned i) { return rangeOf(kernel, op->getOperand(i)); };
  if (isa<arith::AddIOp>(op)) {
    IndexRange a = operand(0), b = operand(1);
    return {a.low + b.low, a.high + b.high, gcd(a.multiple, b.multiple)};
  }
  if (isa<arith::SubIOp>(op)) {
    IndexRange a = operand(0), b = operand(1);
    return {a.low - b.high, a.high - b.low, gcd(a.multiple, b.multiple)};
  }
  if (isa<arith::MinSIOp, arith::MinUIOp>(op)) {
    IndexRange a = operand(0), b = operand(1);
    return {std::min(a.low, b.low), std::min(a.high, b.high),
            gcd(a.multiple, b.multiple)};
  }
  if (isa<arith::MaxSIOp>(op)) {
    IndexRange a = operand(0), b = operand(1);
    return {std::max(a.low, b.low), std::max(a.high, b.high),
            gcd(a.multiple, b.multiple)};
  }
  if (isa<arith::MulIOp>(op)) {
    IndexRange a = operand(0), b = operand(1);
    if (b.low == b.high && b.low >= 0 && b.low < (1 << 20) &&
        a.low > -unbounded / (1 << 20) && a.high < unbounded / (1 << 20))
      return {a.low * b.low, a.high * b.low, a.multiple * b.low};
  }
  if (isa<arith::DivSIOp, arith::DivUIOp>(op)) {
    IndexRange a = operand(0), b = operand(1);
    if (b.low == b.high && b.low > 0 && a.low >= 0)
      return {a.low / b.low, a.high / b.low,
              a.multiple % b.low == 0 ? a.multiple / b.low : 1};
  }
  if (isa<arith::RemUIOp>(op)) {
    IndexRange a = operand(0), b = operand(1);
    if (b.low == b.high && b.low > 0 && a.low >= 0)
      return {0, std::min(a.high, b.low - 1), 1};
  }
  return anything();
}

IndexRange tarn::cpu::rangeOf(tile::KernelOp kernel, OpFoldResult index) {
  if (std::optional<int64_t> constant = getConstantIntValue(index))
    return {*constant, *constant, *constant};
  IndexRange range = rangeOfValue(kernel, cast<Value>(index));
  range.low = std::max(range.low, -unbounded);
  range.high = std::min(range.high, unbounded);
  return range;
}

bool tarn::cpu::staysInside(tile::KernelOp kernel, OpFoldResult position,
                            int64_t extent, int64_t size) {
  IndexRange range = rangeOf(kernel, position);
  return range.low >= 0 && range.high + extent <= size;
}
