//===- Interpreter.cpp - run tile programs on the host --------------------===//

#include "dialects/Tile/Interpreter.h"

#include "dialects/Tile/HostTile.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <random>

using namespace mlir;
using namespace tarn::tile;

namespace {

// What is known of the elements of a buffer that the kernel stores to.
struct StoreLog {
  std::vector<bool> stored;
  // Which blocks accumulated to an element: the number of their coordinates
  // in the grid dims that have no order.
  std::vector<int64_t> owners;
};

// Where the elements of a tile lie in a buffer.
class Placement {
public:
  Placement(MemRefType buffer, ArrayRef<int64_t> positions,
            ArrayRef<int64_t> dims, ArrayRef<int64_t> shape,
            const HostTile *rows = nullptr)
      : buffer(buffer), positions(positions), dims(dims), shape(shape),
        rows(rows) {}

  // Calls f(tile element, buffer element or -1 outside) in row-major order.
  template <typename F> void forEach(F f) {
    SmallVector<int64_t> index(shape.size(), 0);
    int64_t count = 1;
    for (int64_t extent : shape)
      count *= extent;
    for (int64_t i = 0; i < count; ++i) {
      f(i, locate(index));
      for (size_t d = shape.size(); d-- > 0;) {
        if (++index[d] < shape[d])
          break;
        index[d] = 0;
      }
    }
  }

private:
  int64_t locate(ArrayRef<int64_t> index) const {
    SmallVector<int64_t> at(positions);
    for (size_t d = 0; d < dims.size(); ++d)
      at[dims[d]] += index[d];
    if (rows) {
      int64_t row = rows->cells[index[0]].i;
      if (row < 0)
        return -1;
      at[dims[0]] += row - index[0];
    }
    int64_t linear = 0;
    for (int64_t d = 0; d < buffer.getRank(); ++d) {
      if (at[d] < 0 || at[d] >= buffer.getDimSize(d))
        return -1;
      linear = linear * buffer.getDimSize(d) + at[d];
    }
    return linear;
  }

  MemRefType buffer;
  SmallVector<int64_t> positions, dims, shape;
  const HostTile *rows;
};

// Runs one block.
class BlockRunner {
public:
  BlockRunner(KernelOp kernel, MutableArrayRef<HostBuffer> buffers,
              const InterpretOptions &options,
              MutableArrayRef<StoreLog> logs = {})
      : kernel(kernel), buffers(buffers), options(options), logs(logs) {}

  LogicalResult run(int64_t block);

private:
  LogicalResult run(Block &block);
  LogicalResult run(Operation &op);
  LogicalResult runFor(scf::ForOp op);
  LogicalResult runIf(scf::IfOp op);
  template <typename OpT>
  LogicalResult runLoad(OpT op, const HostTile *rows, TypedAttr pad);
  LogicalResult runLoadScalar(LoadScalarOp op);
  template <typename OpT>
  LogicalResult runStore(OpT op, ArrayRef<int64_t> slots, const HostTile *rows);
  LogicalResult runAccumulate(AccumulateOp op);
  LogicalResult runDot(DotOp op);
  LogicalResult runDotScaled(DotScaledOp op);
  LogicalResult runReduce(ReduceOp op);
  LogicalResult runScan(ScanOp op);
  LogicalResult runPlaces(PlacesOp op);
  LogicalResult runBroadcast(BroadcastOp op);

  const HostTile &get(Value value) { return *values.find(value)->second; }
  void set(Value value, HostTile tile) {
    values[value] = std::make_shared<HostTile>(std::move(tile));
  }
  void forward(Value from, Value to) {
    std::shared_ptr<HostTile> tile = values.find(from)->second;
    values[to] = std::move(tile);
  }
  int64_t getInt(Value value) { return get(value).cells[0].i; }
  unsigned bufferNumber(Value buffer) {
    return cast<BlockArgument>(buffer).getArgNumber();
  }
  SmallVector<int64_t> getPositions(ArrayRef<OpFoldResult> mixed);
  double finish(Type type, double value) {
    return options.rounding == Rounding::typed
               ? roundTo(getElementTypeOrSelf(type), value)
               : value;
  }
  LogicalResult reportTwice(Operation *op, unsigned buffer, int64_t element);

  KernelOp kernel;
  MutableArrayRef<HostBuffer> buffers;
  const InterpretOptions &options;
  MutableArrayRef<StoreLog> logs;
  SmallVector<int64_t> gridPositions;
  DenseMap<Value, std::shared_ptr<HostTile>> values;
};

} // namespace

LogicalResult BlockRunner::run(int64_t block) {
  values.clear();
  gridPositions = kernel.getBlockPositions(block);
  for (unsigned dim = 0; dim < kernel.getGridRank(); ++dim) {
    HostTile position(kernel.getGridPosition(dim).getType());
    position.cells[0].i = gridPositions[dim];
    set(kernel.getGridPosition(dim), std::move(position));
  }
  return run(kernel.getBody().front());
}

LogicalResult BlockRunner::run(Block &block) {
  for (Operation &op : block)
    if (failed(run(op)))
      return failure();
  return success();
}

LogicalResult BlockRunner::run(Operation &op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case<ReturnOp, scf::YieldOp>([](Operation *) { return success(); })
      .Case([&](scf::ForOp op) { return runFor(op); })
      .Case([&](scf::IfOp op) { return runIf(op); })
      .Case([&](LoadOp op) { return runLoad(op, nullptr, op.getPadAttr()); })
      .Case([&](GatherOp op) {
        return runLoad(op, &get(op.getRows()), op.getPadAttr());
      })
      .Case([&](LoadScalarOp op) { return runLoadScalar(op); })
      .Case([&](StoreOp op) { return runStore(op, {}, nullptr); })
      .Case([&](ScatterOp op) { return runStore(op, {}, &get(op.getRows())); })
      .Case([&](StorePartialOp op) {
        SmallVector<int64_t> slots;
        for (Value slot : op.getSlots())
          slots.push_back(getInt(slot) /
                          kernel.getGridTiles()[*kernel.getGridDim(slot)]);
        return runStore(op, slots, nullptr);
      })
      .Case([&](AccumulateOp op) { return runAccumulate(op); })
      .Case([&](DotOp op) { return runDot(op); })
      .Case([&](DotScaledOp op) { return runDotScaled(op); })
      .Case([&](ReduceOp op) { return runReduce(op); })
      .Case([&](ScanOp op) { return runScan(op); })
      .Case([&](PlacesOp op) { return runPlaces(op); })
      .Case([&](BroadcastOp op) { return runBroadcast(op); })
      .Case([&](SplatOp op) {
        HostTile tile(op.getType());
        for (Cell &cell : tile.cells)
          cell = get(op.getScalar()).cells[0];
        set(op, std::move(tile));
        return success();
      })
      .Case([&](IotaOp op) {
        HostTile tile(op.getType());
        int64_t inner = 1, axis = op.getAxis();
        for (int64_t extent : ArrayRef(tile.shape).drop_front(axis + 1))
          inner *= extent;
        for (size_t i = 0; i < tile.cells.size(); ++i)
          tile.cells[i].i =
              wrapTo(op.getType().getElementType(),
                     getInt(op.getPosition()) + i / inner % tile.shape[axis]);
        set(op, std::move(tile));
        return success();
      })
      .Default([&](Operation *op) -> LogicalResult {
        SmallVector<const HostTile *> operands;
        for (Value operand : op->getOperands())
          operands.push_back(&get(operand));
        FailureOr<SmallVector<HostTile>> results =
            computeElementwise(op, operands, options.rounding);
        if (failed(results))
          return failure();
        for (auto [value, tile] : llvm::zip(op->getResults(), *results))
          set(value, std::move(tile));
        return success();
      });
}

LogicalResult BlockRunner::runFor(scf::ForOp op) {
  int64_t lower = getInt(op.getLowerBound()),
          upper = getInt(op.getUpperBound());
  int64_t step = getInt(op.getStep());
  if (step <= 0)
    return op.emitOpError("has step ") << step;
  for (auto [init, carried] :
       llvm::zip(op.getInitArgs(), op.getRegionIterArgs()))
    forward(init, carried);
  for (int64_t i = lower; i < upper; i += step) {
    HostTile position(op.getInductionVar().getType());
    position.cells[0].i = i;
    set(op.getInductionVar(), std::move(position));
    if (failed(run(*op.getBody())))
      return failure();
    // All yields are read before any carried value changes.
    SmallVector<std::shared_ptr<HostTile>> yielded;
    for (Value value : op.getYieldedValues())
      yielded.push_back(values.find(value)->second);
    for (auto [tile, carried] : llvm::zip(yielded, op.getRegionIterArgs()))
      values[carried] = tile;
  }
  for (auto [carried, result] :
       llvm::zip(op.getRegionIterArgs(), op.getResults()))
    forward(carried, result);
  return success();
}

LogicalResult BlockRunner::runIf(scf::IfOp op) {
  Region &region =
      getInt(op.getCondition()) ? op.getThenRegion() : op.getElseRegion();
  if (region.empty())
    return success();
  if (failed(run(region.front())))
    return failure();
  for (auto [value, result] : llvm::zip(
           region.front().getTerminator()->getOperands(), op.getResults()))
    forward(value, result);
  return success();
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

SmallVector<int64_t> BlockRunner::getPositions(ArrayRef<OpFoldResult> mixed) {
  SmallVector<int64_t> positions;
  for (OpFoldResult position : mixed)
    positions.push_back(isa<Value>(position) ? getInt(cast<Value>(position))
                                             : *getConstantIntValue(position));
  return positions;
}

template <typename OpT>
LogicalResult BlockRunner::runLoad(OpT op, const HostTile *rows,
                                   TypedAttr pad) {
  HostTile tile(op.getType());
  Type element = op.getTileType().getElementType();
  bool isFloat = isa<FloatType>(element);
  HostBuffer &buffer = buffers[bufferNumber(op.getBuffer())];
  double outside = 0;
  if (auto number = dyn_cast_or_null<FloatAttr>(pad))
    outside = number.getValueAsDouble();
  else if (auto number = dyn_cast_or_null<IntegerAttr>(pad))
    outside = number.getInt();
  Placement(op.getBuffer().getType(), getPositions(op.getMixedPositions()),
            op.getTileDims(), tile.shape, rows)
      .forEach([&](int64_t i, int64_t at) {
        double value = at < 0 ? outside : buffer[at];
        if (isFloat)
          tile.cells[i].f = finish(element, value);
        else
          tile.cells[i].i = wrapTo(element, static_cast<int64_t>(value));
      });
  set(op, std::move(tile));
  return success();
}

LogicalResult BlockRunner::runLoadScalar(LoadScalarOp op) {
  HostTile scalar(op.getType());
  HostBuffer &buffer = buffers[bufferNumber(op.getBuffer())];
  Placement(op.getBuffer().getType(), getPositions(op.getMixedPositions()), {},
            {})
      .forEach([&](int64_t, int64_t at) {
        double value = at < 0 ? 0 : buffer[at];
        if (isa<FloatType>(op.getType()))
          scalar.cells[0].f = finish(op.getType(), value);
        else
          scalar.cells[0].i = wrapTo(op.getType(), static_cast<int64_t>(value));
      });
  set(op, std::move(scalar));
  return success();
}

LogicalResult BlockRunner::reportTwice(Operation *op, unsigned buffer,
                                       int64_t element) {
  return op->emitOpError("stores element ")
         << element << " of buffer " << buffer << " a second time";
}

template <typename OpT>
LogicalResult BlockRunner::runStore(OpT op, ArrayRef<int64_t> slots,
                                    const HostTile *rows) {
  unsigned number = bufferNumber(op.getBuffer());
  HostBuffer &buffer = buffers[number];
  const HostTile &tile = get(op.getValue());
  bool isFloat = isa<FloatType>(op.getTileType().getElementType());
  SmallVector<int64_t> positions(slots);
  llvm::append_range(positions, getPositions(op.getMixedPositions()));
  LogicalResult result = success();
  Placement(op.getBuffer().getType(), positions, op.getTileDims(), tile.shape,
            rows)
      .forEach([&](int64_t i, int64_t at) {
        if (at < 0 || failed(result))
          return;
        if (!logs.empty()) {
          StoreLog &log = logs[number];
          if (log.stored[at] || (!log.owners.empty() && log.owners[at] >= 0)) {
            result = reportTwice(op, number, at);
            return;
          }
          logs[number].stored[at] = true;
        }
        buffer[at] =
            isFloat ? tile.cells[i].f : static_cast<double>(tile.cells[i].i);
      });
  return result;
}

LogicalResult BlockRunner::runAccumulate(AccumulateOp op) {
  unsigned number = bufferNumber(op.getBuffer());
  HostBuffer &buffer = buffers[number];
  const HostTile &tile = get(op.getValue());
  Type element = op.getTileType().getElementType();
  // Blocks that differ in a dim without an order own different elements.
  int64_t owner = 0;
  for (unsigned dim = 0; dim < kernel.getGridRank(); ++dim)
    if (!llvm::is_contained(op.getAlong(), kernel.getGridPosition(dim)))
      owner = owner * kernel.getGridSizes()[dim] + gridPositions[dim];
  LogicalResult result = success();
  Placement(op.getBuffer().getType(), getPositions(op.getMixedPositions()),
            op.getTileDims(), tile.shape,
            op.getRows() ? &get(op.getRows()) : nullptr)
      .forEach([&](int64_t i, int64_t at) {
        if (at < 0 || failed(result))
          return;
        if (!logs.empty()) {
          int64_t &known = logs[number].owners[at];
          if (logs[number].stored[at]) {
            result = op.emitOpError("adds to element ")
                     << at << " of buffer " << number << ", which is stored";
            return;
          }
          if (known >= 0 && known != owner) {
            result = op.emitOpError("adds to element ")
                     << at << " of buffer " << number
                     << " from blocks that have no order";
            return;
          }
          known = owner;
        }
        buffer[at] = finish(element, buffer[at] + tile.cells[i].f);
      });
  return result;
}

//===----------------------------------------------------------------------===//
// Computing
//===----------------------------------------------------------------------===//

// A matrix tile behind a transposition flag.
static double element(const HostTile &tile, bool transposed, int64_t row,
                      int64_t column) {
  return tile
      .cells[transposed ? column * tile.shape[1] + row
                        : row * tile.shape[1] + column]
      .f;
}

LogicalResult BlockRunner::runDot(DotOp op) {
  const HostTile &a = get(op.getA()), &b = get(op.getB());
  HostTile result = get(op.getAcc());
  for (int64_t m = 0; m < result.shape[0]; ++m)
    for (int64_t n = 0; n < result.shape[1]; ++n) {
      double sum = 0;
      for (int64_t k = 0; k < op.getK(); ++k) {
        double x = element(a, op.getTransposeA(), m, k);
        double y = element(b, op.getTransposeB(), k, n);
        sum += op.getTf32() ? roundToTf32(x) * roundToTf32(y) : x * y;
      }
      double &cell = result.cells[m * result.shape[1] + n].f;
      cell = finish(op.getType(), cell + sum);
    }
  set(op, std::move(result));
  return success();
}

LogicalResult BlockRunner::runDotScaled(DotScaledOp op) {
  const HostTile &a = get(op.getA()), &b = get(op.getB());
  const HostTile &sa = get(op.getScaleA()), &sb = get(op.getScaleB());
  HostTile result = get(op.getAcc());
  int64_t blocks = sa.shape[1], depth = op.getK() / blocks;
  int64_t groupA = result.shape[0] / sa.shape[0];
  int64_t groupB = result.shape[1] / sb.shape[0];
  for (int64_t m = 0; m < result.shape[0]; ++m)
    for (int64_t n = 0; n < result.shape[1]; ++n)
      for (int64_t block = 0; block < blocks; ++block) {
        double sum = 0;
        for (int64_t k = block * depth; k < (block + 1) * depth; ++k)
          sum += element(a, op.getTransposeA(), m, k) *
                 element(b, op.getTransposeB(), k, n);
        double scale = sa.cells[m / groupA * blocks + block].f *
                       sb.cells[n / groupB * blocks + block].f;
        double &cell = result.cells[m * result.shape[1] + n].f;
        cell = finish(op.getType(), cell + finish(op.getType(), sum) * scale);
      }
  set(op, std::move(result));
  return success();
}

LogicalResult BlockRunner::runReduce(ReduceOp op) {
  const HostTile &tile = get(op.getOperand());
  HostTile result(op.getType());
  int64_t axis = op.getAxis(), extent = tile.shape[axis], inner = 1;
  for (int64_t size : ArrayRef(tile.shape).drop_front(axis + 1))
    inner *= size;
  Type type = op.getType().getElementType();
  bool isFloat = isa<FloatType>(type), isMax = op.getKind() == ReduceKind::Max;
  for (size_t i = 0; i < result.cells.size(); ++i) {
    const Cell *first = &tile.cells[i / inner * extent * inner + i % inner];
    Cell value = *first;
    for (int64_t k = 1; k < extent; ++k) {
      const Cell &next = first[k * inner];
      if (isFloat && isMax)
        value.f = std::isnan(value.f) || std::isnan(next.f)
                      ? NAN
                      : std::max(value.f, next.f);
      else if (isFloat)
        value.f += next.f;
      else if (isMax)
        value.i = std::max(value.i, next.i);
      else
        value.i = wrapTo(type, value.i + next.i);
    }
    if (isFloat)
      value.f = finish(type, value.f);
    result.cells[i] = value;
  }
  set(op, std::move(result));
  return success();
}

LogicalResult BlockRunner::runScan(ScanOp op) {
  HostTile result = get(op.getOperand());
  int64_t axis = op.getAxis(), extent = result.shape[axis], inner = 1;
  for (int64_t size : ArrayRef(result.shape).drop_front(axis + 1))
    inner *= size;
  Type type = op.getType().getElementType();
  bool reverse = op.getReverse();
  int64_t first = reverse ? extent - 1 : 0, step = reverse ? inner : -inner;
  int64_t count = result.cells.size();
  for (int64_t turn = 0; turn < count; ++turn) {
    int64_t i = reverse ? count - 1 - turn : turn;
    if (i / inner % extent == first)
      continue;
    const Cell &before = result.cells[i + step];
    Cell &sum = result.cells[i];
    if (isa<FloatType>(type))
      sum.f = finish(type, before.f + sum.f);
    else
      sum.i = wrapTo(type, before.i + sum.i);
  }
  set(op, std::move(result));
  return success();
}

LogicalResult BlockRunner::runPlaces(PlacesOp op) {
  const HostTile &x = get(op.getOperand());
  bool isFloat = isa<FloatType>(op.getOperand().getType().getElementType());
  auto isLess = [&](const Cell &a, const Cell &b) {
    if (!isFloat)
      return a.i < b.i;
    return a.f < b.f || (std::isnan(b.f) && !std::isnan(a.f));
  };
  std::vector<int64_t> order(x.cells.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) {
    return op.getDescending() ? isLess(x.cells[j], x.cells[i])
                              : isLess(x.cells[i], x.cells[j]);
  });
  HostTile result(op.getType());
  for (auto [place, i] : llvm::enumerate(order))
    result.cells[i].i = place;
  set(op, std::move(result));
  return success();
}

LogicalResult BlockRunner::runBroadcast(BroadcastOp op) {
  const HostTile &tile = get(op.getOperand());
  HostTile result(op.getType());
  int64_t axis = op.getAxis(), extent = result.shape[axis], inner = 1;
  for (int64_t size : ArrayRef(result.shape).drop_front(axis + 1))
    inner *= size;
  for (size_t i = 0; i < result.cells.size(); ++i)
    result.cells[i] = tile.cells[i / (inner * extent) * inner + i % inner];
  set(op, std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

// The buffers must have the kernel's sizes.
static LogicalResult checkBuffers(KernelOp kernel,
                                  MutableArrayRef<HostBuffer> buffers) {
  if (buffers.size() != kernel.getNumBuffers())
    return kernel.emitOpError("runs on ")
           << buffers.size() << " buffers but has " << kernel.getNumBuffers();
  for (unsigned i = 0; i < buffers.size(); ++i)
    if (int64_t count = kernel.getBufferType(i).getNumElements();
        buffers[i].count != count)
      return kernel.emitOpError("runs on ")
             << buffers[i].count << " elements as buffer " << i << " of "
             << count;
  return success();
}

// The blocks in an order that keeps the order along sequential dims.
static SmallVector<int64_t> orderBlocks(KernelOp kernel, uint64_t seed) {
  int64_t count = kernel.getNumBlocks();
  if (seed == 0)
    return llvm::to_vector(llvm::seq<int64_t>(0, count));
  // Blocks that differ in sequential dims only form a queue.
  llvm::MapVector<int64_t, SmallVector<int64_t>> queues;
  for (int64_t block = 0; block < count; ++block) {
    int64_t queue = 0;
    SmallVector<int64_t> positions = kernel.getBlockPositions(block);
    for (unsigned dim = 0; dim < kernel.getGridRank(); ++dim)
      if (!kernel.isSequential(dim))
        queue = queue * kernel.getGridSizes()[dim] + positions[dim];
    queues[queue].push_back(block);
  }
  std::mt19937_64 random(seed);
  SmallVector<std::pair<ArrayRef<int64_t>, int64_t>> open;
  for (auto &[name, queue] : queues)
    open.push_back({queue, 0});
  SmallVector<int64_t> order;
  while (!open.empty()) {
    size_t pick = random() % open.size();
    order.push_back(open[pick].first[open[pick].second++]);
    if (open[pick].second == static_cast<int64_t>(open[pick].first.size()))
      open.erase(open.begin() + pick);
  }
  return order;
}

LogicalResult tarn::tile::interpretBlock(KernelOp kernel, int64_t block,
                                         MutableArrayRef<HostBuffer> buffers,
                                         const InterpretOptions &options) {
  if (failed(checkBuffers(kernel, buffers)))
    return failure();
  return BlockRunner(kernel, buffers, options).run(block);
}

LogicalResult tarn::tile::interpretKernel(KernelOp kernel,
                                          MutableArrayRef<HostBuffer> buffers,
                                          const InterpretOptions &options) {
  if (failed(checkBuffers(kernel, buffers)))
    return failure();
  SmallVector<StoreLog> logs(buffers.size());
  for (unsigned i = 0; i < buffers.size(); ++i) {
    Access access = kernel.getBufferAccess(i);
    if (access == Access::Accumulate)
      logs[i].owners.assign(buffers[i].count, -1);
    if (access != Access::Read)
      logs[i].stored.assign(buffers[i].count, false);
  }
  BlockRunner runner(kernel, buffers, options, logs);
  for (int64_t block : orderBlocks(kernel, options.orderSeed))
    if (failed(runner.run(block)))
      return failure();
  if (!options.requireAllStored)
    return success();
  for (unsigned i = 0; i < buffers.size(); ++i) {
    if (kernel.getBufferAccess(i) == Access::Accumulate)
      continue;
    auto missing = llvm::find(logs[i].stored, false);
    if (missing != logs[i].stored.end())
      return kernel.emitOpError("never stores element ")
             << missing - logs[i].stored.begin() << " of buffer " << i;
  }
  return success();
}
