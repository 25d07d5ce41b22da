//===- KernelCost.cpp - what one launch of a kernel has to do -------------===//

#include "compiler/Cost/KernelCost.h"

#include "compiler/Cost/LoopCounts.h"
#include "dialects/Tile/Analysis.h"
#include "runtime/Hash.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <limits>
#include <numeric>

using namespace mlir;
using namespace tarn;

/// Bytes that memory moves at least: a row of a gather costs whole lines.
static constexpr double lineBytes = 64;

StringRef tarn::dotTypeName(DotType type) {
  static constexpr StringRef names[] = {"f64", "f32",  "tf32",
                                        "f16", "bf16", "fp8"};
  return names[unsigned(type)];
}

static int64_t saturate(double count) {
  return count >= 0x1p63 ? std::numeric_limits<int64_t>::max()
                         : int64_t(std::llround(count));
}

int64_t KernelCost::flops() const {
  double sum = 0;
  for (int64_t count : dotFlops)
    sum += double(count);
  if (sum >= 0x1p52)
    return saturate(sum);
  return std::accumulate(dotFlops.begin(), dotFlops.end(), int64_t(0));
}

int64_t KernelCost::bytes() const {
  int64_t sum;
  return llvm::AddOverflow(bytesRead, bytesWritten, sum)
             ? std::numeric_limits<int64_t>::max()
             : sum;
}

KernelCost &KernelCost::operator+=(const KernelCost &other) {
  auto add = [](int64_t &sum, int64_t more) {
    if (llvm::AddOverflow(sum, more, sum))
      sum = std::numeric_limits<int64_t>::max();
  };
  for (unsigned type = 0; type != dotTypeCount; ++type)
    add(dotFlops[type], other.dotFlops[type]);
  add(vectorOps, other.vectorOps);
  add(specialOps, other.specialOps);
  add(bytesRead, other.bytesRead);
  add(bytesWritten, other.bytesWritten);
  add(bytesLoaded, other.bytesLoaded);
  add(tileOps, other.tileOps);
  add(blocks, other.blocks);
  return *this;
}

DotType tarn::dotTypeOf(tile::DotOp dot) {
  Type element = dot.getA().getType().getElementType();
  if (dot.getTf32())
    return DotType::tf32;
  if (element.isF64())
    return DotType::f64;
  if (element.isF16())
    return DotType::f16;
  if (element.isBF16())
    return DotType::bf16;
  return element.isF32() ? DotType::f32 : DotType::fp8;
}

static int64_t bytesOf(Type element) {
  return std::max<int64_t>(element.getIntOrFloatBitWidth() / 8, 1);
}

/// An element's cost in exponentials; 0 = a simple operation. From the lengths
/// of the polynomials that the CPU target uses, and the latency of dividers.
static double specialWeight(Operation *op) {
  if (isa<math::ExpOp, math::Exp2Op>(op))
    return 1;
  if (isa<math::LogOp, math::Log2Op, math::TanhOp>(op))
    return 1.5;
  if (isa<math::ErfOp, math::SinOp, math::CosOp>(op))
    return 2;
  if (isa<math::PowFOp, arith::RemFOp>(op))
    return 3;
  if (isa<arith::DivFOp, math::SqrtOp, math::RsqrtOp>(op))
    return 0.5;
  if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp>(op))
    return 1;
  return 0;
}

namespace {

class Counter {
public:
  explicit Counter(tile::KernelOp kernel)
      : kernel(kernel), loops(kernel), variances(kernel) {
    touched.resize(kernel.getNumBuffers());
    added.resize(kernel.getNumBuffers());
  }
  KernelCost run();

private:
  void visit(Operation *op);
  double extent(Value tile, unsigned dim);
  double findExtent(Value tile, unsigned dim);
  double extentAt(OpFoldResult position, int64_t size, int64_t tile);
  double elements(Value tile);
  double distinct(ValueRange positions, Operation *op);
  void touch(Value buffer, Value tile, ValueRange positions, Value rows,
             Operation *op);

  tile::KernelOp kernel;
  LoopCounts loops;
  tile::VarianceAnalysis variances;
  double dots[dotTypeCount] = {};
  double vector = 0, special = 0, tileOps = 0, loaded = 0;
  /// Bytes of each buffer that are read or written.
  llvm::SmallVector<double> touched;
  /// Of them those that are added to.
  llvm::SmallVector<double> added;
  llvm::DenseMap<std::pair<Value, unsigned>, double> extents;
};

} // namespace

/// How many of `tile` elements from `position` on lie inside `size`, on the
/// average over the positions.
double Counter::extentAt(OpFoldResult position, int64_t size, int64_t tile) {
  if (std::optional<int64_t> fixed = getConstantIntValue(position))
    return double(
        std::clamp<int64_t>(std::min(size - *fixed, tile + *fixed), 0, tile));
  int64_t step = 0, count = 0;
  auto value = cast<Value>(position);
  if (std::optional<unsigned> dim = kernel.getGridDim(value)) {
    step = kernel.getGridTiles()[*dim];
    count = kernel.getGridBlocks(*dim);
  } else if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    if (!loop || argument != loop.getInductionVar() ||
        !isZeroInteger(loop.getLowerBound()))
      return tile;
    std::optional<int64_t> to = getConstantIntValue(loop.getUpperBound());
    std::optional<int64_t> by = getConstantIntValue(loop.getStep());
    if (!to || !by || *by <= 0 || *to <= 0)
      return tile;
    step = *by;
    count = llvm::divideCeil(*to, *by);
  }
  if (count == 0 || step != tile || double(step) * double(count) <= size)
    return tile;
  // All tiles but the last ones are whole.
  return double(std::min(size, step * count)) / double(count);
}

/// The average extent of a tile's dim without what lies outside of buffers.
double Counter::extent(Value tile, unsigned dim) {
  if (auto it = extents.find({tile, dim}); it != extents.end())
    return it->second;
  double found = findExtent(tile, dim);
  extents[{tile, dim}] = found;
  return found;
}

double Counter::findExtent(Value tile, unsigned dim) {
  auto type = cast<RankedTensorType>(tile.getType());
  double whole = type.getDimSize(dim);
  Operation *op = tile.getDefiningOp();
  if (!op)
    return whole;
  if (auto load = dyn_cast<tile::LoadOp>(op)) {
    int64_t spanned = load.getTileDims()[dim];
    return extentAt(load.getMixedPositions()[spanned],
                    load.getBuffer().getType().getDimSize(spanned),
                    type.getDimSize(dim));
  }
  if (auto gather = dyn_cast<tile::GatherOp>(op)) {
    if (dim == 0)
      return extent(gather.getRows(), 0);
    int64_t spanned = gather.getTileDims()[dim];
    return extentAt(gather.getMixedPositions()[spanned],
                    gather.getBuffer().getType().getDimSize(spanned),
                    type.getDimSize(dim));
  }
  if (auto reduce = dyn_cast<tile::ReduceOp>(op))
    return extent(reduce.getOperand(), dim + (dim >= reduce.getAxis()));
  if (auto scan = dyn_cast<tile::ScanOp>(op))
    return extent(scan.getOperand(), dim);
  if (auto places = dyn_cast<tile::PlacesOp>(op))
    return extent(places.getOperand(), dim);
  if (auto broadcast = dyn_cast<tile::BroadcastOp>(op)) {
    uint64_t axis = broadcast.getAxis();
    return dim == axis ? whole
                       : extent(broadcast.getOperand(), dim - (dim > axis));
  }
  if (auto dot = dyn_cast<tile::DotOp>(op))
    return dim == 0 ? extent(dot.getA(), dot.getTransposeA() ? 1 : 0)
                    : extent(dot.getB(), dot.getTransposeB() ? 0 : 1);
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return extent(
        loop.getYieldedValues()[cast<OpResult>(tile).getResultNumber()], dim);
  if (!OpTrait::hasElementwiseMappableTraits(op))
    return whole;
  double least = whole;
  for (Value operand : op->getOperands())
    if (auto other = dyn_cast<RankedTensorType>(operand.getType());
        other && other.getShape() == type.getShape())
      least = std::min(least, extent(operand, dim));
  return least;
}

double Counter::elements(Value tile) {
  double product = 1;
  for (unsigned dim = 0, rank = cast<ShapedType>(tile.getType()).getRank();
       dim != rank; ++dim)
    product *= extent(tile, dim);
  return product;
}

/// How many different positions a slice has over the grid and its loops.
double Counter::distinct(ValueRange positions, Operation *op) {
  tile::Variance variance = variances.of(positions);
  double count = 1;
  for (unsigned dim : variance.gridDims.set_bits())
    count *= double(kernel.getGridBlocks(dim));
  for (Operation *loop : variance.loops)
    if (loop->isProperAncestor(op))
      if (auto repeat = dyn_cast<scf::ForOp>(loop))
        count *= loops.longest(repeat);
  return std::min(count, loops.executions(op));
}

void Counter::touch(Value buffer, Value tile, ValueRange positions, Value rows,
                    Operation *op) {
  SmallVector<Value> steering(positions);
  if (rows)
    steering.push_back(rows);
  double bytes = elements(tile) *
                 bytesOf(cast<ShapedType>(tile.getType()).getElementType());
  if (rows) {
    double count = extent(rows, 0);
    bytes = count == 0
                ? 0
                : count * std::ceil(bytes / count / lineBytes) * lineBytes;
  }
  touched[cast<BlockArgument>(buffer).getArgNumber()] +=
      bytes * distinct(steering, op);
  if (op->getNumResults())
    loaded += bytes * loops.executions(op);
}

void Counter::visit(Operation *op) {
  if (isa<tile::TileDialect>(op->getDialect()) &&
      !isa<tile::BroadcastOp, tile::SplatOp, tile::IotaOp, tile::ReturnOp,
           tile::LoadScalarOp>(op))
    tileOps += loops.executions(op);
  if (auto dot = dyn_cast<tile::DotOp>(op)) {
    double k = std::min(extent(dot.getA(), dot.getTransposeA() ? 0 : 1),
                        extent(dot.getB(), dot.getTransposeB() ? 1 : 0));
    dots[unsigned(dotTypeOf(dot))] +=
        2 * loops.executions(op) * elements(dot.getResult()) * k;
    return;
  }
  if (auto dot = dyn_cast<tile::DotScaledOp>(op)) {
    double work = loops.executions(op) *
                  double(dot.getResult().getType().getNumElements());
    dots[unsigned(DotType::fp8)] += 2 * work * double(dot.getK());
    // Every block of the contracted dim is scaled and added on its own.
    vector += 2 * work * double(dot.getScaleA().getType().getDimSize(1));
    return;
  }
  if (auto load = dyn_cast<tile::LoadOp>(op))
    return touch(load.getBuffer(), load.getResult(), load.getPositions(),
                 Value(), op);
  if (auto gather = dyn_cast<tile::GatherOp>(op))
    return touch(gather.getBuffer(), gather.getResult(), gather.getPositions(),
                 gather.getRows(), op);
  if (auto store = dyn_cast<tile::StoreOp>(op))
    return touch(store.getBuffer(), store.getValue(), store.getPositions(),
                 Value(), op);
  if (auto scatter = dyn_cast<tile::ScatterOp>(op))
    return touch(scatter.getBuffer(), scatter.getValue(),
                 scatter.getPositions(), scatter.getRows(), op);
  if (auto add = dyn_cast<tile::AccumulateOp>(op)) {
    vector += loops.executions(op) * elements(add.getValue());
    double &all = touched[cast<BlockArgument>(add.getBuffer()).getArgNumber()];
    double before = all;
    touch(add.getBuffer(), add.getValue(), add.getPositions(), add.getRows(),
          op);
    added[cast<BlockArgument>(add.getBuffer()).getArgNumber()] += all - before;
    return;
  }
  if (auto partial = dyn_cast<tile::StorePartialOp>(op)) {
    SmallVector<Value> positions(partial.getPositions());
    llvm::append_range(positions, partial.getSlots());
    return touch(partial.getBuffer(), partial.getValue(), positions, Value(),
                 op);
  }
  if (auto scalar = dyn_cast<tile::LoadScalarOp>(op)) {
    touched[cast<BlockArgument>(scalar.getBuffer()).getArgNumber()] +=
        bytesOf(scalar.getType()) * distinct(scalar.getPositions(), op);
    return;
  }
  if (auto reduce = dyn_cast<tile::ReduceOp>(op)) {
    vector += loops.executions(op) * elements(reduce.getOperand());
    return;
  }
  if (auto places = dyn_cast<tile::PlacesOp>(op)) {
    // A network's stages, each with half as many comparisons of pairs.
    double count = elements(places.getResult());
    double levels = std::ceil(std::log2(std::max(count, 1.0)));
    vector += loops.executions(op) * 3 * count * levels * (levels + 1) / 2;
    return;
  }
  if (auto scan = dyn_cast<tile::ScanOp>(op)) {
    vector += loops.executions(op) * elements(scan.getResult());
    return;
  }
  if (op->getNumResults() != 1 || op->hasTrait<OpTrait::ConstantLike>() ||
      isa<tile::BroadcastOp, tile::SplatOp>(op) ||
      !isa<RankedTensorType>(op->getResult(0).getType()))
    return;
  if (!OpTrait::hasElementwiseMappableTraits(op) && !isa<tile::IotaOp>(op))
    return;
  tileOps += loops.executions(op);
  double work = loops.executions(op) * elements(op->getResult(0));
  double weight = specialWeight(op);
  (weight > 0 ? special : vector) += weight > 0 ? weight * work : work;
}

KernelCost Counter::run() {
  kernel.getBody().walk([&](Operation *op) { visit(op); });
  KernelCost cost;
  for (unsigned type = 0; type != dotTypeCount; ++type)
    cost.dotFlops[type] = saturate(dots[type]);
  cost.vectorOps = saturate(vector);
  cost.specialOps = saturate(special);
  cost.tileOps = saturate(tileOps);
  double read = 0, written = 0;
  for (unsigned i = 0; i != kernel.getNumBuffers(); ++i) {
    MemRefType type = kernel.getBufferType(i);
    double bytes =
        std::min(touched[i], double(type.getNumElements()) *
                                 double(bytesOf(type.getElementType())));
    tile::Access access = kernel.getBufferAccess(i);
    if (access == tile::Access::Read)
      read += bytes;
    // What is stored to beside what is added to is not read.
    if (access == tile::Access::Accumulate)
      read += std::min(bytes, added[i]);
    if (access != tile::Access::Read)
      written += bytes;
  }
  cost.bytesRead = saturate(read);
  cost.bytesWritten = saturate(written);
  cost.bytesLoaded = saturate(loaded);
  double blocks = 1;
  for (unsigned dim = 0; dim != kernel.getGridRank(); ++dim)
    if (!kernel.isSequential(dim))
      blocks *= double(kernel.getGridBlocks(dim));
  cost.blocks = saturate(blocks);
  return cost;
}

KernelCost tarn::costOf(tile::KernelOp kernel) { return Counter(kernel).run(); }

std::string tarn::programHash(tile::KernelOp kernel) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  OpPrintingFlags flags;
  flags.useLocalScope().printGenericOpForm().enableDebugInfo(false);
  // Why a program was chosen is no part of it.
  Attribute tuned = kernel->removeAttr("tile.tuned");
  Attribute tune = kernel->removeAttr("tile.tune");
  kernel->print(stream, flags);
  if (tuned)
    kernel->setAttr("tile.tuned", tuned);
  if (tune)
    kernel->setAttr("tile.tune", tune);
  // The symbol is the only part that depends on the rest of the model.
  std::string name = "sym_name = \"" + kernel.getSymName().str() + "\"";
  if (size_t at = text.find(name); at != std::string::npos)
    text.erase(at, name.size());
  return rt::toHex(rt::sha256(text.data(), text.size())).substr(0, 16);
}

std::string tarn::programHash(ArrayRef<tile::KernelOp> group) {
  if (group.size() == 1)
    return programHash(group.front());
  std::string text;
  llvm::DenseMap<Operation *, std::string> known;
  for (tile::KernelOp kernel : group) {
    std::string &hash = known[kernel];
    if (hash.empty())
      hash = programHash(kernel);
    text += hash;
  }
  return rt::toHex(rt::sha256(text.data(), text.size())).substr(0, 16);
}

KernelCost tarn::costOf(ArrayRef<tile::KernelOp> group) {
  llvm::DenseMap<Operation *, KernelCost> known;
  KernelCost cost;
  cost.blocks = 0;
  for (tile::KernelOp kernel : group) {
    auto [found, isNew] = known.try_emplace(kernel);
    if (isNew)
      found->second = costOf(kernel);
    cost += found->second;
  }
  return cost;
}
