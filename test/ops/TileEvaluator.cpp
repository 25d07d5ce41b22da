//===- TileEvaluator.cpp - running tile bodies in float64 -----------------===//

#include "test/ops/TileEvaluator.h"

#include "dialects/Tarn/TarnOps.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;
using namespace tarn::test;

//===----------------------------------------------------------------------===//
// arith and math
//===----------------------------------------------------------------------===//

static uint32_t bits(double x) { return uint32_t(int64_t(x)); }

static std::optional<double> compute(Operation &op, ArrayRef<double> x) {
  using std::optional;
  return llvm::TypeSwitch<Operation &, optional<double>>(op)
      .Case<arith::AddFOp, arith::AddIOp>([&](auto) { return x[0] + x[1]; })
      .Case<arith::SubFOp, arith::SubIOp>([&](auto) { return x[0] - x[1]; })
      .Case([&](arith::MulFOp) { return x[0] * x[1]; })
      .Case([&](arith::MulIOp mul) {
        // Wraps exactly: a product of two i32 may exceed 53 bits.
        if (getElementTypeOrSelf(mul.getType()).isInteger(32))
          return double(int32_t(bits(x[0]) * bits(x[1])));
        return x[0] * x[1];
      })
      .Case([&](arith::DivFOp) { return x[0] / x[1]; })
      .Case([&](arith::DivSIOp) { return std::trunc(x[0] / x[1]); })
      .Case<arith::MaximumFOp, arith::MaxSIOp>(
          [&](auto) { return std::max(x[0], x[1]); })
      .Case<arith::MinimumFOp, arith::MinSIOp>(
          [&](auto) { return std::min(x[0], x[1]); })
      .Case([&](arith::NegFOp) { return -x[0]; })
      .Case([&](arith::AndIOp) { return double(bits(x[0]) & bits(x[1])); })
      .Case([&](arith::OrIOp) { return double(bits(x[0]) | bits(x[1])); })
      .Case([&](arith::XOrIOp) { return double(bits(x[0]) ^ bits(x[1])); })
      .Case([&](arith::ShLIOp) { return double(bits(x[0]) << bits(x[1])); })
      .Case([&](arith::ShRUIOp) { return double(bits(x[0]) >> bits(x[1])); })
      .Case([&](arith::SelectOp) { return x[0] != 0 ? x[1] : x[2]; })
      .Case([&](arith::CmpFOp cmp) -> optional<double> {
        switch (cmp.getPredicate()) {
        case arith::CmpFPredicate::OEQ:
          return x[0] == x[1];
        case arith::CmpFPredicate::UNE:
          return !(x[0] == x[1]);
        case arith::CmpFPredicate::OLT:
          return x[0] < x[1];
        case arith::CmpFPredicate::OLE:
          return x[0] <= x[1];
        case arith::CmpFPredicate::OGT:
          return x[0] > x[1];
        case arith::CmpFPredicate::OGE:
          return x[0] >= x[1];
        default:
          return std::nullopt;
        }
      })
      .Case([&](arith::CmpIOp cmp) -> optional<double> {
        switch (cmp.getPredicate()) {
        case arith::CmpIPredicate::eq:
          return x[0] == x[1];
        case arith::CmpIPredicate::ne:
          return x[0] != x[1];
        case arith::CmpIPredicate::slt:
          return x[0] < x[1];
        case arith::CmpIPredicate::sle:
          return x[0] <= x[1];
        case arith::CmpIPredicate::sgt:
          return x[0] > x[1];
        case arith::CmpIPredicate::sge:
          return x[0] >= x[1];
        default:
          return std::nullopt;
        }
      })
      .Case<arith::ExtFOp, arith::TruncFOp, arith::SIToFPOp, arith::UIToFPOp,
            arith::ExtSIOp, arith::ExtUIOp, arith::TruncIOp>(
          [&](auto) { return x[0]; })
      .Case([&](arith::FPToSIOp) { return std::trunc(x[0]); })
      .Case([&](math::ExpOp) { return std::exp(x[0]); })
      .Case([&](math::LogOp) { return std::log(x[0]); })
      .Case([&](math::TanhOp) { return std::tanh(x[0]); })
      .Case([&](math::SqrtOp) { return std::sqrt(x[0]); })
      .Case([&](math::RsqrtOp) { return 1 / std::sqrt(x[0]); })
      .Case([&](math::SinOp) { return std::sin(x[0]); })
      .Case([&](math::CosOp) { return std::cos(x[0]); })
      .Case([&](math::ErfOp) { return std::erf(x[0]); })
      .Case([&](math::AbsFOp) { return std::abs(x[0]); })
      .Default([](Operation &) { return std::nullopt; });
}

using Tiles = DenseMap<Value, HostTensor>;

// Runs the ops of a body; every tile has the same shape.
static LogicalResult runBody(Block &block, Tiles &tiles) {
  for (Operation &op : block) {
    auto type = cast<RankedTensorType>(op.getResult(0).getType());
    DenseElementsAttr constant;
    if (matchPattern(&op, m_Constant(&constant))) {
      tiles[op.getResult(0)] = HostTensor::fromAttribute(constant);
      continue;
    }
    HostTensor result(type);
    SmallVector<const HostTensor *> operands;
    for (Value operand : op.getOperands()) {
      auto found = tiles.find(operand);
      if (found == tiles.end() || found->second.size() != result.size())
        return op.emitOpError("reads a tile of another shape");
      operands.push_back(&found->second);
    }
    for (int64_t i = 0, n = result.size(); i != n; ++i) {
      SmallVector<double, 3> x;
      for (const HostTensor *operand : operands)
        x.push_back(operand->data[i]);
      std::optional<double> y = compute(op, x);
      if (!y)
        return op.emitOpError("is not known to the tile evaluator");
      result.data[i] = *y;
    }
    if (isa<IntegerType>(type.getElementType()))
      roundToElementType(result);
    tiles[op.getResult(0)] = std::move(result);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

namespace {
// Gives bodies their index tiles and keeps the values that are not computed.
class WholeTile : public TileBodyContext {
public:
  WholeTile(ArrayRef<int64_t> shape, ArrayRef<HostTensor> operands,
            Block &block, Tiles &tiles)
      : shape(shape), operands(operands), block(block), tiles(tiles) {}

  ArrayRef<int64_t> getTileShape() override { return shape; }

  Value indexTile(OpBuilder &builder, Location loc, unsigned dim) override {
    HostTensor tile(RankedTensorType::get(shape, builder.getI32Type()));
    int64_t stride = rowMajorStrides(shape)[dim];
    for (int64_t i = 0, n = tile.size(); i != n; ++i)
      tile.data[i] = double(i / stride % shape[dim]);
    return add(loc, std::move(tile));
  }

  Value splatElement(OpBuilder &builder, Location loc, unsigned operand,
                     ArrayRef<int64_t> position) override {
    const HostTensor &x = operands[operand];
    int64_t at = 0;
    for (auto [p, stride] :
         llvm::zip_equal(position, rowMajorStrides(x.shape())))
      at += p * stride;
    HostTensor tile(RankedTensorType::get(shape, x.type.getElementType()));
    std::fill(tile.data.begin(), tile.data.end(), x.data[at]);
    return add(loc, std::move(tile));
  }

  Value add(Location loc, HostTensor tile) {
    Value value = block.addArgument(tile.type, loc);
    tiles[value] = std::move(tile);
    return value;
  }

private:
  ArrayRef<int64_t> shape;
  ArrayRef<HostTensor> operands;
  Block &block;
  Tiles &tiles;
};

// One loop nest while it runs.
class Nest {
public:
  Nest(IndexedOp op, ArrayRef<HostTensor> operands)
      : op(op), operands(operands), bounds(op.getLoopBounds()),
        maps(op.getIndexingMaps()) {}

  FailureOr<std::vector<HostTensor>> run() {
    switch (op.getTileKind()) {
    case TileKind::elementwise:
    case TileKind::reduction:
      return runTile();
    case TileKind::view:
    case TileKind::gather:
      return fill([&](ArrayRef<int64_t> point) { return read(0, point); });
    case TileKind::dot:
      return fill([&](ArrayRef<int64_t> point) {
        return read(0, point) * read(1, point);
      });
    case TileKind::scatter: {
      // update_slice moves its second operand over its first, scatter_add adds
      // its second one; both write at the result's map.
      std::vector<HostTensor> result = start();
      bool adds = op.getCombiner().has_value();
      if (!adds)
        result[0].data = operands[0].data;
      forEachPoint([&](ArrayRef<int64_t> point) {
        if (double *to = at(result[0], maps.back(), point)) {
          double value = read(1, point);
          *to = adds ? *to + value : value;
        }
      });
      return result;
    }
    case TileKind::composite:
    case TileKind::ownProgram:
      return failure();
    }
    llvm_unreachable("all kinds are handled");
  }

private:
  IndexedOp op;
  ArrayRef<HostTensor> operands;
  SmallVector<int64_t> bounds;
  SmallVector<AffineMap> maps;

  std::vector<HostTensor> start() {
    std::vector<HostTensor> results;
    results.emplace_back(tensorType(op->getResult(0)));
    return results;
  }

  template <typename Visit> void forEachPoint(Visit visit) {
    int64_t points = 1;
    for (int64_t bound : bounds)
      points *= bound;
    SmallVector<int64_t> point(bounds.size(), 0);
    for (int64_t i = 0; i != points; ++i) {
      visit(point);
      for (int64_t d = int64_t(bounds.size()) - 1; d >= 0; --d) {
        if (++point[d] < bounds[d])
          break;
        point[d] = 0;
      }
    }
  }

  // The run-time position that a symbol stands for: index operands follow the
  // data operands of each of these ops.
  int64_t symbol(unsigned index, ArrayRef<int64_t> point) {
    if (auto update = dyn_cast<UpdateSliceOp>(op.getOperation())) {
      int64_t most = tensorType(update.getBase()).getDimSize(index) -
                     tensorType(update.getUpdate()).getDimSize(index);
      return std::clamp<int64_t>(int64_t(operands[2 + index].data[0]), 0, most);
    }
    if (isa<ScatterAddOp>(op.getOperation()))
      return int64_t(read(0, point));
    return int64_t(read(1 + index, point));
  }

  double *at(HostTensor &tensor, AffineMap map, ArrayRef<int64_t> point) {
    SmallVector<int64_t> arguments(point);
    for (unsigned s = 0; s != map.getNumSymbols(); ++s)
      arguments.push_back(symbol(s, point));
    SmallVector<AffineExpr> dims, symbols;
    int64_t offset = 0;
    for (auto [d, stride] : llvm::enumerate(rowMajorStrides(tensor.shape()))) {
      AffineExpr expr = map.getResult(d);
      for (auto [k, value] : llvm::enumerate(arguments)) {
        AffineExpr constant = getAffineConstantExpr(value, op->getContext());
        bool isDim = k < point.size();
        AffineExpr variable =
            isDim ? getAffineDimExpr(k, op->getContext())
                  : getAffineSymbolExpr(k - point.size(), op->getContext());
        expr = expr.replace(variable, constant);
      }
      int64_t position = cast<AffineConstantExpr>(expr).getValue();
      if (position < 0 || position >= tensor.shape()[d])
        return nullptr;
      offset += position * stride;
    }
    return &tensor.data[offset];
  }

  // An operand at its map, 0 outside.
  double read(unsigned operand, ArrayRef<int64_t> point) {
    auto &tensor = const_cast<HostTensor &>(operands[operand]);
    const double *found = at(tensor, maps[operand], point);
    return found ? *found : 0;
  }

  // Adds up terms over the loops into the result.
  template <typename Term> FailureOr<std::vector<HostTensor>> fill(Term term) {
    if (maps.empty())
      return failure();
    std::vector<HostTensor> results = start();
    forEachPoint([&](ArrayRef<int64_t> point) {
      *at(results[0], maps.back(), point) += term(point);
    });
    return results;
  }

  FailureOr<std::vector<HostTensor>> runTile() {
    OpBuilder builder(op->getContext());
    Block block, arguments;
    Tiles tiles;
    WholeTile context(bounds, operands, arguments, tiles);
    SmallVector<Value> operandTiles;
    for (unsigned i = 0; i != operands.size(); ++i) {
      if (!maps[i]) {
        operandTiles.push_back({});
        continue;
      }
      HostTensor tile(
          RankedTensorType::get(bounds, operands[i].type.getElementType()));
      int64_t next = 0;
      forEachPoint(
          [&](ArrayRef<int64_t> point) { tile.data[next++] = read(i, point); });
      operandTiles.push_back(context.add(op->getLoc(), std::move(tile)));
    }
    builder.setInsertionPointToEnd(&block);
    auto body = op.buildTileBody(builder, op->getLoc(), context, operandTiles);
    if (failed(body) || failed(runBody(block, tiles)))
      return failure();
    std::vector<HostTensor> results = start();
    const HostTensor &terms = tiles.at(body->front());
    std::vector<bool> seen(results[0].size());
    int64_t next = 0;
    bool isMax = op.getCombiner() == arith::AtomicRMWKind::maximumf ||
                 op.getCombiner() == arith::AtomicRMWKind::maxs;
    forEachPoint([&](ArrayRef<int64_t> point) {
      double term = terms.data[next++];
      double *to = at(results[0], maps.back(), point);
      auto first = seen[to - results[0].data.data()];
      if (!first)
        *to = term;
      else
        *to = isMax ? std::max(*to, term) : *to + term;
      seen[to - results[0].data.data()] = true;
    });
    // The block's ops read arguments of the other block: drop them first.
    block.dropAllReferences();
    return results;
  }
};
} // namespace

FailureOr<std::vector<HostTensor>>
test::evaluateLoops(IndexedOp op, ArrayRef<HostTensor> operands) {
  return Nest(op, operands).run();
}
