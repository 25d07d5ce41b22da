//===- Reference.cpp - running regions of tarn ops in float64 -------------===//

#include "dialects/Tarn/Reference.h"

#include "dialects/Tarn/Elementwise.h"
#include "dialects/Tarn/Threefry.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

namespace {
// The values of a block while it runs. A value is moved out at its last use in
// the block, so that memory stays near what is live.
class Values {
public:
  void define(Value value, HostTensor tensor) {
    tensors[value] = std::move(tensor);
    uses[value] = std::distance(value.use_begin(), value.use_end());
  }

  FailureOr<HostTensor> use(Value value) {
    auto found = tensors.find(value);
    if (found == tensors.end())
      return failure();
    if (--uses[value] > 0)
      return found->second;
    HostTensor tensor = std::move(found->second);
    tensors.erase(found);
    return tensor;
  }

  // Forgets a value that nobody reads.
  void dropIfUnused(Value value) {
    if (value.use_empty())
      tensors.erase(value);
  }

private:
  DenseMap<Value, HostTensor> tensors;
  DenseMap<Value, int64_t> uses;
};
} // namespace

static LogicalResult evaluateOp(Operation &op,
                                MutableArrayRef<HostTensor> operands,
                                SmallVectorImpl<HostTensor> &results,
                                const ReferenceOptions &options) {
  if (auto product = dyn_cast<ProductOp>(op); product && product.isTf32())
    for (unsigned i : product.getFactors())
      for (double &value : operands[i].data)
        value = roundToTf32(value);
  if (auto cluster = dyn_cast<ClusterOp>(op))
    return evaluateBlock(cluster.getBody().front(), operands, results, options);
  if (auto evaluable = dyn_cast<Evaluable>(op)) {
    if (failed(evaluable.evaluate(operands, results)))
      return failure();
    if (options.typed)
      for (HostTensor &result : results)
        roundToElementType(result);
    return success();
  }
  if (options.other)
    return options.other(&op, operands, results);
  return op.emitOpError("has no reference");
}

LogicalResult graph::evaluateBlock(Block &block, ArrayRef<HostTensor> arguments,
                                   SmallVectorImpl<HostTensor> &results,
                                   const ReferenceOptions &options) {
  Values values;
  for (auto [argument, tensor] :
       llvm::zip_equal(block.getArguments(), arguments))
    values.define(argument, tensor);
  for (Operation &op : block) {
    SmallVector<HostTensor> operands;
    for (Value operand : op.getOperands()) {
      FailureOr<HostTensor> tensor = values.use(operand);
      if (failed(tensor))
        return op.emitOpError("uses a value from outside of its region, which "
                              "the reference does not support");
      operands.push_back(std::move(*tensor));
    }
    if (op.hasTrait<OpTrait::IsTerminator>()) {
      for (HostTensor &operand : operands)
        results.push_back(std::move(operand));
      return success();
    }
    SmallVector<HostTensor> produced;
    if (failed(evaluateOp(op, operands, produced, options)))
      return failure();
    if (options.watch)
      options.watch(&op, produced);
    for (auto [value, tensor] : llvm::zip_equal(op.getResults(), produced)) {
      values.define(value, std::move(tensor));
      values.dropIfUnused(value);
    }
  }
  return success();
}

LogicalResult ClusterOp::evaluate(ArrayRef<HostTensor> operands,
                                  SmallVectorImpl<HostTensor> &results) {
  return evaluateBlock(getBody().front(), operands, results);
}

//===----------------------------------------------------------------------===//
// Data and random numbers
//===----------------------------------------------------------------------===//

LogicalResult ConstantOp::evaluate(ArrayRef<HostTensor> operands,
                                   SmallVectorImpl<HostTensor> &results) {
  results.push_back(HostTensor::fromAttribute(getValue()));
  return success();
}

LogicalResult IotaOp::evaluate(ArrayRef<HostTensor> operands,
                               SmallVectorImpl<HostTensor> &results) {
  HostTensor &r = results.emplace_back(resultType(*this));
  int64_t stride = rowMajorStrides(r.shape())[getDim()];
  int64_t extent = r.shape()[getDim()];
  for (int64_t i = 0, n = r.size(); i != n; ++i)
    r.data[i] = double(i / stride % extent);
  return success();
}

// result[i] = formula(words of the counter i)
template <typename Formula>
static LogicalResult
draw(Operation *op, int64_t salt, ArrayRef<HostTensor> operands,
     SmallVectorImpl<HostTensor> &results, Formula formula) {
  HostTensor &r = results.emplace_back(resultType(op));
  auto word = [&](size_t operand, int k) {
    return operand < operands.size()
               ? uint32_t(int64_t(operands[operand].data[k]))
               : 0;
  };
  std::array<uint32_t, 2> key{word(0, 0), word(0, 1)};
  std::array<uint32_t, 2> start{word(1, 0), uint32_t(salt) + word(1, 1)};
  for (int64_t i = 0, n = r.size(); i != n; ++i)
    r.data[i] =
        formula(threefry::block(key, {uint32_t(i) + start[0], start[1]}));
  return success();
}

static double uniform(uint32_t bits) { return double(bits >> 8) * 0x1p-24; }

LogicalResult RandomBitsOp::evaluate(ArrayRef<HostTensor> operands,
                                     SmallVectorImpl<HostTensor> &results) {
  return draw(*this, getSalt(), operands, results,
              [word = getWord()](std::array<uint32_t, 2> words) {
                return double(int32_t(words[word]));
              });
}

LogicalResult RandomUniformOp::evaluate(ArrayRef<HostTensor> operands,
                                        SmallVectorImpl<HostTensor> &results) {
  return draw(*this, getSalt(), operands, results,
              [](std::array<uint32_t, 2> words) { return uniform(words[0]); });
}

LogicalResult RandomNormalOp::evaluate(ArrayRef<HostTensor> operands,
                                       SmallVectorImpl<HostTensor> &results) {
  return draw(*this, getSalt(), operands, results,
              [](std::array<uint32_t, 2> words) {
                double u = uniform(words[0]), v = uniform(words[1]);
                return std::sqrt(-2 * std::log(1 - u)) * std::cos(2 * M_PI * v);
              });
}

//===----------------------------------------------------------------------===//
// Regions of attention
//===----------------------------------------------------------------------===//

// x[positions] for positions of one shape; 0 outside of x.
static Value gatherElements(OpBuilder &builder, Location loc, Value x,
                            ArrayRef<Value> positions,
                            ArrayRef<int64_t> shape) {
  auto type = tensorType(x);
  auto indexType = RankedTensorType::get(shape, builder.getI32Type());
  Value linear = splat(builder, loc, indexType, 0), inside;
  SmallVector<int64_t> strides = rowMajorStrides(type.getShape());
  for (auto [d, position] : llvm::enumerate(positions)) {
    Value stride = splat(builder, loc, indexType, strides[d]);
    linear = AddOp::create(builder, loc, linear,
                           MulOp::create(builder, loc, position, stride));
    Value low = CompareOp::create(builder, loc, Predicate::ge, position,
                                  splat(builder, loc, indexType, 0));
    Value high =
        CompareOp::create(builder, loc, Predicate::lt, position,
                          splat(builder, loc, indexType, type.getDimSize(d)));
    Value both = AndOp::create(builder, loc, low, high);
    inside = inside ? AndOp::create(builder, loc, inside, both) : both;
  }
  if (inside)
    linear = SelectOp::create(builder, loc, inside, linear,
                              splat(builder, loc, indexType, -1));
  Value flat = ReshapeOp::create(builder, loc, x,
                                 ArrayRef<int64_t>{type.getNumElements()});
  return GatherOp::create(builder, loc, flat, linear);
}

Value graph::inlineScalarRegion(OpBuilder &builder, Region &region,
                                ValueRange arguments, ArrayRef<int64_t> shape) {
  Block &block = region.front();
  IRMapping mapping;
  mapping.map(block.getArguments(), arguments);
  auto shaped = [&](Value value) -> Value {
    auto type = tensorType(value);
    if (type.getRank() != 0 || shape.empty())
      return value;
    return BroadcastOp::create(builder, value.getLoc(), type.clone(shape),
                               value, ArrayRef<int64_t>());
  };
  for (Operation &op : block.without_terminator()) {
    if (auto element = dyn_cast<ElementOp>(op)) {
      SmallVector<Value> positions;
      for (Value position : element.getPositions())
        positions.push_back(shaped(mapping.lookup(position)));
      Value x = mapping.lookup(element.getX());
      mapping.map(element.getResult(),
                  gatherElements(builder, op.getLoc(), x, positions, shape));
      continue;
    }
    // Ops on values that are the same everywhere stay on rank 0.
    bool same = llvm::all_of(op.getOperands(), [&](Value operand) {
      return tensorType(mapping.lookup(operand)).getRank() == 0;
    });
    if (same) {
      builder.clone(op, mapping);
      continue;
    }
    IRMapping wide;
    for (Value operand : op.getOperands())
      wide.map(operand, shaped(mapping.lookup(operand)));
    Operation *clone = op.cloneWithoutRegions(wide);
    for (OpResult result : clone->getResults())
      result.setType(tensorType(result).clone(shape));
    builder.insert(clone);
    mapping.map(op.getResults(), clone->getResults());
  }
  return shaped(mapping.lookup(block.getTerminator()->getOperand(0)));
}
