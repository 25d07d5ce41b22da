//===- SimtElement.cpp - elements of tiles, evaluated where they are used -===//

#include "compiler/Target/Cuda/SimtSweep.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace tarn;
using namespace tarn::cuda;
using namespace mlir;

/// What evaluating a tile again has to cost before it is held in registers: a
/// row of memory, or a function.
static constexpr int worthHoldingCost = 6;
/// An expression is put where it is used if it is no longer than this.
static constexpr size_t inlineLength = 36;

bool cuda::isConstant(Value value) {
  return value.getDefiningOp<arith::ConstantOp>() != nullptr;
}

/// Whether a tile can be evaluated element by element: loads and arithmetic.
bool SimtEmitter::isInline(Value value) {
  Operation *op = value.getDefiningOp();
  return op && op->getNumRegions() == 0 &&
         !isa<tile::ReduceOp, tile::ScanOp, tile::PlacesOp, tile::DotOp,
              tile::DotScaledOp>(op);
}

/// What evaluating an element costs, roughly in instructions; counts up to
/// `most`.
int SimtEmitter::costOf(Value value, int most) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  Operation *op = value.getDefiningOp();
  if (!type || !op || !isInline(value) || held.contains(value) ||
      shared.contains(value))
    return 0;
  if (isa<arith::ConstantOp, tile::IotaOp, tile::SplatOp>(op))
    return 0;
  if (isa<tile::LoadOp, tile::GatherOp>(op))
    return type.getRank() > 1 ? 8 : 2;
  int cost = isa<tile::BroadcastOp>(op)                 ? 0
             : isa<arith::DivFOp>(op)                   ? 4
             : isa<math::MathDialect>(op->getDialect()) ? 6
                                                        : 1;
  for (Value operand : op->getOperands()) {
    if (cost >= most)
      break;
    cost += costOf(operand, most - cost);
  }
  return cost;
}

/// The positions of `value`'s elements as a sweep of its own layout walks them.
SmallVector<Expression> SimtEmitter::identity(Value value,
                                              const Layout &layout) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || type.getRank() == 0)
    return {};
  if (type.getRank() == 1)
    return {layout.kind == Layout::Kind::row ? rowOf(layout)
                                             : columnOf(layout)};
  if (type.getRank() == 2)
    return {rowOf(layout), columnOf(layout)};
  std::string inner = std::to_string(type.getDimSize(1));
  Expression row = rowOf(layout);
  return {{row.text + " / " + inner, row.level},
          {row.text + " % " + inner, row.level},
          columnOf(layout)};
}

static std::string keyOf(ArrayRef<Expression> at) {
  std::string key;
  for (const Expression &index : at)
    key += index.text + ",";
  return key;
}

static bool same(ArrayRef<Expression> a, ArrayRef<Expression> b) {
  return keyOf(a) == keyOf(b);
}

std::optional<Expression> SimtEmitter::heldElement(const Held &tile,
                                                   ArrayRef<Expression> at,
                                                   const Layout &layout) {
  switch (tile.layout.kind) {
  case Layout::Kind::uniform:
    return Expression{tile.name, Expression::block};
  case Layout::Kind::row:
    if (at.size() != 1 || layout.free || layout.rows != tile.layout.rows ||
        layout.kind == Layout::Kind::flat || at[0].text != rowOf(layout).text)
      return std::nullopt;
    return Expression{tile.name + "[ROW]", Expression::row};
  default:
    if (!(layout == tile.layout) || at.empty())
      return std::nullopt;
    if (at.back().text != columnOf(layout).text)
      return std::nullopt;
    if (tile.layout.kind == Layout::Kind::matrix) {
      std::string row = rowOf(layout).text;
      bool identical =
          at.size() == 2
              ? at[0].text == row
              : at.size() == 3 && StringRef(at[0].text).starts_with(row + " /");
      if (!identical)
        return std::nullopt;
    }
    return Expression{tile.name + "[ELEMENT]", Expression::element};
  }
}

/// What an op's element at `at` reads of its operands.
static SmallVector<std::pair<Value, SmallVector<Expression>>>
inputsAt(Operation *op, ArrayRef<Expression> at) {
  SmallVector<std::pair<Value, SmallVector<Expression>>> inputs;
  if (isa<arith::ConstantOp, tile::IotaOp, tile::LoadOp, tile::SplatOp>(op))
    return inputs;
  if (auto gather = dyn_cast<tile::GatherOp>(op)) {
    inputs.push_back({gather.getRows(), {at[0]}});
    return inputs;
  }
  SmallVector<Expression> inner(at);
  if (auto broadcast = dyn_cast<tile::BroadcastOp>(op))
    inner.erase(inner.begin() + broadcast.getAxis());
  for (Value operand : op->getOperands())
    if (isa<RankedTensorType>(operand.getType()))
      inputs.push_back({operand, inner});
  return inputs;
}

LogicalResult
SimtEmitter::prepare(Value value, ArrayRef<Expression> at, const Layout &layout,
                     std::set<std::pair<void *, std::string>> &seen) {
  if (!isa<RankedTensorType>(value.getType()) ||
      !seen.insert({value.getAsOpaquePointer(), keyOf(at)}).second)
    return success();
  auto known = held.find(value);
  if (known != held.end() && heldElement(known->second, at, layout))
    return success();
  auto copied = shared.find(value);
  if (copied != shared.end()) {
    willRead(copied->second->name);
    return success();
  }
  if (isInline(value)) {
    for (auto &[input, inner] : inputsAt(value.getDefiningOp(), at))
      if (failed(prepare(input, inner, layout, seen)))
        return failure();
    return success();
  }
  if (known == held.end())
    return unsupported(value.getDefiningOp() ? value.getDefiningOp()
                                             : kernel.getOperation())
           << "a value that no thread holds";
  if (failed(exportTile(value)))
    return failure();
  willRead(shared.find(value)->second->name);
  return success();
}

bool SimtEmitter::dependsOn(Value value, const llvm::DenseSet<Value> &on,
                            llvm::DenseSet<Value> &seen) {
  if (on.contains(value))
    return true;
  Operation *op = value.getDefiningOp();
  if (!op || !isInline(value) || !seen.insert(value).second ||
      held.contains(value))
    return false;
  return llvm::any_of(op->getOperands(), [&](Value operand) {
    return dependsOn(operand, on, seen);
  });
}

/// Whether `value` needs a matrix that threads hold in registers.
bool SimtEmitter::holdsMatrix(Value value, llvm::DenseSet<Value> &seen) {
  auto known = held.find(value);
  if (known != held.end())
    return known->second.layout.kind == Layout::Kind::matrix &&
           !shared.contains(value);
  Operation *op = value.getDefiningOp();
  if (!op || !isInline(value) || !seen.insert(value).second)
    return false;
  return llvm::any_of(op->getOperands(), [&](Value operand) {
    return isa<RankedTensorType>(operand.getType()) &&
           holdsMatrix(operand, seen);
  });
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

/// Replaces the marks of heldElement by the sweep's registers.
static std::string withRegisters(std::string text, const std::string &row,
                                 const std::string &element) {
  for (auto [mark, index] :
       {std::pair(std::string("[ROW]"), row), {"[ELEMENT]", element}}) {
    size_t place = text.find(mark);
    if (place != std::string::npos)
      text.replace(place, mark.size(), "[" + index + "]");
  }
  return text;
}

Element SimtEmitter::element(Sweep &sweep, Value value,
                             ArrayRef<Expression> at) {
  if (!isa<RankedTensorType>(value.getType())) {
    FailureOr<std::string> text = scalar(value);
    if (failed(text))
      return failure();
    return Expression{*text, Expression::block};
  }
  auto key = std::pair(value.getAsOpaquePointer(), keyOf(at));
  auto memo = sweep.memo.find(key);
  if (memo != sweep.memo.end())
    return memo->second;
  auto known = held.find(value);
  if (known != held.end())
    if (std::optional<Expression> e =
            heldElement(known->second, at, sweep.layout)) {
      e->text = withRegisters(e->text, sweep.rowIndex(), sweep.registerIndex());
      sweep.usesRegisters |= e->level != Expression::block;
      return *e;
    }
  auto copied = shared.find(value);
  if (copied != shared.end()) {
    const BlockTile &tile = *copied->second;
    auto type = cast<RankedTensorType>(value.getType());
    int level = Expression::block;
    std::string index;
    for (auto [d, i] : llvm::enumerate(at)) {
      level = std::max(level, i.level);
      index =
          d == 0 ? i.text
                 : wrap(index) + " * " +
                       std::to_string(d + 1 == at.size() ? tile.pitch
                                                         : type.getDimSize(d)) +
                       " + " + i.text;
    }
    std::string read = tile.name + "[" + (index.empty() ? "0" : index) + "]";
    if (tile.element.isBF16() || tile.element.isF16())
      read = "to_float(" + read + ")";
    return Expression{read, level};
  }
  if (!isInline(value))
    return unsupported(value.getDefiningOp() ? value.getDefiningOp()
                                             : kernel.getOperation())
               << "a value that no thread holds",
           failure();
  Element result = evaluate(sweep, value, at);
  if (succeeded(result))
    sweep.memo[key] = *result;
  return result;
}

/// The element of an op that is evaluated where it is used.
Element SimtEmitter::evaluate(Sweep &sweep, Value value,
                              ArrayRef<Expression> at) {
  Operation *op = value.getDefiningOp();
  Type type = getElementTypeOrSelf(value.getType());
  bool isUnsigned = unsignedValues.contains(value);
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    std::string text = literal(constant.getValue(), isUnsigned);
    if (text.empty())
      return unsupported(op) << "a constant whose elements differ", failure();
    return Expression{text, Expression::block};
  }
  if (auto splat = dyn_cast<tile::SplatOp>(op)) {
    FailureOr<std::string> text = scalar(splat.getScalar());
    if (failed(text))
      return failure();
    return Expression{*text, Expression::block};
  }
  if (auto iota = dyn_cast<tile::IotaOp>(op)) {
    FailureOr<std::string> start = position(iota.getPosition());
    if (failed(start))
      return failure();
    Expression index = at[iota.getAxis()];
    if (*start != "0")
      index.text = *start + " + " + index.text;
    if (isUnsigned)
      index.text = "(u32)" + wrap(index.text);
    return index;
  }
  if (auto broadcast = dyn_cast<tile::BroadcastOp>(op)) {
    SmallVector<Expression> inner(at);
    inner.erase(inner.begin() + broadcast.getAxis());
    return element(sweep, broadcast.getOperand(), inner);
  }
  std::string cType = variableType(type, isUnsigned);
  if (cType.empty())
    return unsupported(op) << "elements of " << type, failure();

  // Worth holding if it was evaluated before, and may be again.
  Layout own = home(value);
  bool isOwn = (sweep.layout == own ||
                (own.kind == Layout::Kind::row &&
                 sweep.layout.kind == Layout::Kind::matrix &&
                 !sweep.layout.free && sweep.layout.rows == own.rows)) &&
               same(at, identity(value, own));
  if (isOwn && costOf(value, worthHoldingCost) >= worthHoldingCost &&
      !worthHolding.contains(value)) {
    auto first = firstSweeps.find(value);
    Operation *where = nullptr;
    if (first == firstSweeps.end()) {
      firstSweeps[value] = {sweepNumber, currentBlock};
      where = loopAround(value);
    } else if (first->second.sweep != sweepNumber) {
      where = op;
    }
    if (where && mayHold(own)) {
      again = true;
      worthHolding.insert(value);
      if (where != op)
        hoisted[where].insert(value);
      return Expression{"0", Expression::element};
    }
  }

  Expression result;
  if (isa<tile::LoadOp, tile::GatherOp>(op)) {
    Element loaded = loadElement(sweep, op, at);
    if (failed(loaded))
      return failure();
    result = *loaded;
  } else {
    SmallVector<std::string> operands;
    for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
      SmallVector<Expression> inner(at);
      Element input = element(sweep, operand, inner);
      if (failed(input))
        return failure();
      operands.push_back(input->text);
      result.level = std::max(result.level, input->level);
    }
    result.text = applyElementOp(op, operands, unsignedValues,
                                 cast<OpResult>(value).getResultNumber());
    if (result.text.empty())
      return unsupported(op)
                 << "'" << op->getName() << "' on elements of a tile",
             failure();
  }

  bool hold = isOwn && worthHolding.contains(value) && !held.contains(value);
  if (hold) {
    std::string name = declare(value, nameFor(value));
    held[value] = {name, own};
    std::optional<Expression> place =
        heldElement(held[value], at, sweep.layout);
    std::string to =
        withRegisters(place->text, sweep.rowIndex(), sweep.registerIndex());
    Text &part = sweep.at(place->level);
    part.at(op->getLoc());
    part.line(to + " = " + result.text + ";");
    sweep.usesRegisters |= place->level != Expression::block;
    return Expression{to, place->level};
  }
  // A name for what is used more than once, or is long.
  bool single = llvm::hasSingleElement(op->getUses()) &&
                result.level == Expression::element &&
                result.text.size() <= inlineLength;
  if (isAtom(result.text) || single)
    return result;
  std::string name = names.unique(nameFor(value));
  Text &part = sweep.at(result.level);
  part.at(op->getLoc());
  part.line("const " + cType + " " + name + " = " + result.text + ";");
  return Expression{name, result.level};
}

/// The outermost loop that is being written and that does not hold the op of
/// `value`, if any.
Operation *SimtEmitter::loopAround(Value value) {
  Operation *found = nullptr;
  for (Operation *op = currentBlock ? currentBlock->getParentOp() : nullptr;
       op && op != kernel.getOperation(); op = op->getParentOp()) {
    if (op->isAncestor(value.getDefiningOp()))
      break;
    if (isa<scf::ForOp>(op))
      found = op;
  }
  return found;
}

/// Whether the threads have registers left for another tile.
bool SimtEmitter::mayHold(const Layout &layout) {
  int64_t budget = std::min<int64_t>(255, 65536 / threads) * 6 / 10;
  int64_t planned = layout.registers();
  for (Value value : worthHolding)
    planned += home(value).registers();
  return planned + fixedRegisters <= budget;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

bool SimtEmitter::provenNonNegative(OpFoldResult position) {
  if (std::optional<int64_t> constant = getConstantIntValue(position))
    return *constant >= 0;
  Value value = cast<Value>(position);
  if (kernel.getGridDim(value))
    return true;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    return loop && value == loop.getInductionVar() &&
           provenNonNegative(OpFoldResult(loop.getLowerBound()));
  }
  Operation *op = value.getDefiningOp();
  if (isa<arith::AddIOp, arith::MulIOp, arith::DivUIOp, arith::RemUIOp>(op))
    return provenNonNegative(op->getOperand(0)) &&
           provenNonNegative(op->getOperand(1));
  return false;
}

std::optional<int64_t> SimtEmitter::largest(OpFoldResult position) {
  if (std::optional<int64_t> constant = getConstantIntValue(position))
    return constant;
  Value value = cast<Value>(position);
  if (std::optional<unsigned> dim = kernel.getGridDim(value))
    return (kernel.getGridBlocks(*dim) - 1) * kernel.getGridTiles()[*dim];
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    if (!loop || value != loop.getInductionVar())
      return std::nullopt;
    std::optional<int64_t> to = largest(loop.getUpperBound());
    std::optional<int64_t> from = getConstantIntValue(loop.getLowerBound());
    std::optional<int64_t> step = getConstantIntValue(loop.getStep());
    if (!to)
      return std::nullopt;
    if (from && step && *to > *from)
      return *from + (*to - *from - 1) / *step * *step;
    return *to - 1;
  }
  Operation *op = value.getDefiningOp();
  auto both = [&](auto f) -> std::optional<int64_t> {
    std::optional<int64_t> a = largest(op->getOperand(0));
    std::optional<int64_t> b = largest(op->getOperand(1));
    if (!a || !b || !provenNonNegative(op->getOperand(0)) ||
        !provenNonNegative(op->getOperand(1)))
      return std::nullopt;
    return f(*a, *b);
  };
  if (isa<arith::AddIOp>(op))
    return both([](int64_t a, int64_t b) { return a + b; });
  if (isa<arith::MulIOp>(op))
    return both([](int64_t a, int64_t b) { return a * b; });
  if (isa<arith::DivUIOp>(op))
    if (std::optional<int64_t> by = getConstantIntValue(op->getOperand(1)))
      if (std::optional<int64_t> a = largest(op->getOperand(0)))
        return *a / *by;
  if (isa<arith::RemUIOp>(op))
    if (std::optional<int64_t> by = getConstantIntValue(op->getOperand(1)))
      if (std::optional<int64_t> a = largest(op->getOperand(0)))
        return std::min(*a, *by - 1);
  if (isa<arith::MinSIOp>(op)) {
    std::optional<int64_t> a = largest(op->getOperand(0));
    std::optional<int64_t> b = largest(op->getOperand(1));
    return a && b ? std::min(*a, *b) : a ? a : b;
  }
  return std::nullopt;
}

int64_t SimtEmitter::divisor(OpFoldResult position) {
  constexpr int64_t most = 16;
  auto of = [](int64_t number) {
    int64_t power = 1;
    while (power < most && number % (2 * power) == 0)
      power *= 2;
    return power;
  };
  if (std::optional<int64_t> constant = getConstantIntValue(position))
    return of(*constant);
  Value value = cast<Value>(position);
  if (std::optional<unsigned> dim = kernel.getGridDim(value))
    return kernel.getGridBlocks(*dim) == 1 ? most
                                           : of(kernel.getGridTiles()[*dim]);
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    if (loop && value == loop.getInductionVar())
      return std::min(divisor(loop.getLowerBound()), divisor(loop.getStep()));
    return 1;
  }
  Operation *op = value.getDefiningOp();
  if (isa<arith::AddIOp, arith::SubIOp, arith::MinSIOp, arith::MaxSIOp>(op))
    return std::min(divisor(op->getOperand(0)), divisor(op->getOperand(1)));
  if (isa<arith::MulIOp>(op))
    return std::max(divisor(op->getOperand(0)), divisor(op->getOperand(1)));
  return 1;
}

FailureOr<SimtEmitter::Place>
SimtEmitter::place(Operation *op, Value buffer,
                   ArrayRef<OpFoldResult> positions, ArrayRef<int64_t> dims,
                   ArrayRef<int64_t> extents, ArrayRef<Expression> at,
                   const Layout &layout, const Expression *rows) {
  auto type = cast<MemRefType>(buffer.getType());
  int64_t rank = type.getRank();
  bool wide = type.getNumElements() > INT32_MAX;
  Place result;
  SmallVector<std::string> conditions, terms;
  SmallVector<int64_t> strides(rank, 1);
  for (int64_t d = rank - 1; d-- > 0;)
    strides[d] = strides[d + 1] * type.getDimSize(d + 1);
  for (int64_t d = 0; d < rank; ++d) {
    FailureOr<std::string> start = position(positions[d]);
    if (failed(start))
      return failure();
    std::string index = *start;
    int64_t extent = 1;
    const auto *spanned = llvm::find(dims, d);
    bool byRows = false;
    if (spanned != dims.end()) {
      size_t tileDim = spanned - dims.begin();
      extent = extents[tileDim];
      byRows = rows && tileDim == 0;
      const Expression &inner = byRows ? *rows : at[tileDim];
      index = index == "0" ? inner.text : index + " + " + inner.text;
      result.level = std::max(result.level, inner.level);
    }
    int64_t size = type.getDimSize(d);
    std::optional<int64_t> most = largest(positions[d]);
    bool positive = provenNonNegative(positions[d]);
    if (options.isCounted) {
      conditions.push_back(index + " < count");
    } else if (byRows) {
      // Negative rows are outside, whatever is added to them.
      conditions.push_back(positive ? "(u32)" + wrap(rows->text) + " < " +
                                          std::to_string(size) + "u"
                                    : rows->text + " >= 0");
      if (!positive || *start != "0")
        conditions.push_back("(u32)(" + index + ") < " + std::to_string(size) +
                             "u");
    } else if (!positive || !most || *most + extent > size) {
      conditions.push_back(positive ? index + " < " + std::to_string(size)
                                    : "(u32)(" + index + ") < " +
                                          std::to_string(size) + "u");
    }
    if (index != "0")
      terms.push_back(strides[d] == 1 && !wide
                          ? index
                          : (wide ? "(i64)" : "") + wrap(index) + " * " +
                                std::to_string(strides[d]));
  }
  result.condition = llvm::join(conditions, " && ");
  result.offset = terms.empty() ? "0" : llvm::join(terms, " + ");
  if (!(rows && dims.size() == 1) && layout.vector > 1 && !at.empty() &&
      at.back().text == columnOf(layout).text &&
      areNeighbours(type, positions, dims, layout.vector))
    result.vector = layout.vector;
  return result;
}

bool SimtEmitter::areNeighbours(MemRefType buffer,
                                ArrayRef<OpFoldResult> positions,
                                ArrayRef<int64_t> dims, int64_t vector) {
  int64_t last = buffer.getRank() - 1;
  return !dims.empty() && dims.back() == last &&
         divisor(positions[last]) % vector == 0 &&
         buffer.getDimSize(last) % vector == 0;
}

/// The positions with the group's first column in place of the element's.
static SmallVector<Expression> groupOf(ArrayRef<Expression> at) {
  SmallVector<Expression> group(at);
  group.back().text = groupColumn();
  return group;
}

SimtEmitter::Source SimtEmitter::sourceOf(Operation *op) {
  if (auto load = dyn_cast<tile::LoadOp>(op))
    return {load.getBuffer(), load.getMixedPositions(), load.getTileDims(),
            load.getPadAttr()};
  auto gather = cast<tile::GatherOp>(op);
  return {gather.getBuffer(), gather.getMixedPositions(), gather.getTileDims(),
          gather.getPadAttr()};
}

/// The row in memory of an element of a gathered tile; nothing for others.
FailureOr<std::optional<Expression>>
SimtEmitter::gatheredRow(Sweep &sweep, Operation *op, ArrayRef<Expression> at) {
  auto gather = dyn_cast<tile::GatherOp>(op);
  if (!gather)
    return std::optional<Expression>();
  Element row = element(sweep, gather.getRows(), {at[0]});
  if (failed(row))
    return failure();
  return std::optional<Expression>(*row);
}

/// An element from memory; neighbours are loaded together.
Element SimtEmitter::loadElement(Sweep &sweep, Operation *op,
                                 ArrayRef<Expression> at) {
  auto [buffer, positions, dims, pad] = sourceOf(op);
  FailureOr<std::optional<Expression>> row = gatheredRow(sweep, op, at);
  if (failed(row))
    return failure();
  const Expression *rows = *row ? &**row : nullptr;
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  FailureOr<Place> where = place(op, buffer, positions, dims, type.getShape(),
                                 at, sweep.layout, rows);
  if (failed(where))
    return failure();
  Type stored = type.getElementType();
  std::string outside = pad ? literal(pad)
                        : isa<FloatType>(stored)
                            ? (stored.isF64() ? "0.0" : "0.0f")
                        : stored.isInteger(1) ? "false"
                                              : "0";
  bool isUnsigned = unsignedValues.contains(op->getResult(0));
  std::string cType = variableType(stored, isUnsigned);
  std::string from = buffers[buffer];
  if (where->vector > 1) {
    where = place(op, buffer, positions, dims, type.getShape(), groupOf(at),
                  sweep.layout, rows);
    std::string name = names.unique(nameFor(op->getResult(0)));
    std::string array = name + "[" + std::to_string(sweep.layout.vector) + "]";
    std::string load =
        "load_vector(" + name + ", " + from + " + " + where->offset + ");";
    sweep.group.at(op->getLoc());
    if (where->condition.empty()) {
      sweep.group.line(cType + " " + array + ";");
      sweep.group.line(load);
    } else if (outside == "0" || outside == "0.0f" || outside == "false") {
      sweep.group.line(cType + " " + array + " = {};");
      sweep.group.line("if (" + where->condition + ")");
      sweep.group.line("  " + load);
    } else {
      sweep.group.line(cType + " " + array + ";");
      sweep.group.line("if (" + where->condition + ")");
      sweep.group.line("  " + load);
      sweep.group.line("else");
      sweep.group.line("  fill_vector(" + name + ", " + outside + ");");
    }
    return Expression{name + "[e]", Expression::element};
  }
  std::string read = from + "[" + where->offset + "]";
  if (stored.isBF16() || stored.isF16())
    read = "to_float(" + read + ")";
  if (!where->condition.empty())
    read = where->condition + " ? " + read + " : " + outside;
  return Expression{read, where->level};
}
