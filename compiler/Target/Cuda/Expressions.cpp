//===- Expressions.cpp - tile values as C++ expressions -------------------===//

#include "compiler/Target/Cuda/TensorCore.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace tarn;
using namespace tarn::cuda;
using namespace mlir;

/// `x` in parentheses unless it is a name, a number, a call or an element.
static std::string wrap(const std::string &x) {
  int depth = 0;
  for (char c : x) {
    depth -= c == ')' || c == ']';
    if (depth == 0 && !llvm::isAlnum(c) && !llvm::is_contained("_.()[]", c))
      return "(" + x + ")";
    depth += c == '(' || c == '[';
  }
  return x;
}

/// Ops that need no registers of their own: evaluated where they are used.
bool TensorCoreEmitter::isInline(Operation *op) {
  if (isa<arith::ConstantOp, tile::IotaOp, tile::BroadcastOp, tile::SplatOp,
          tile::LoadOp>(op))
    return true;
  if (op->getNumResults() != 1)
    return false;
  // Vectors with an element per column.
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  return !type || (type.getRank() == 1 && !isRowVector(op->getResult(0)) &&
                   !isa<tile::ReduceOp, tile::ScanOp, tile::PlacesOp>(op));
}

/// The tile whose registers hold `value`: rounding before a dot or a store
/// happens when the elements are packed.
Value TensorCoreEmitter::resolve(Value value) {
  auto cast = value.getDefiningOp<arith::TruncFOp>();
  if (cast && llvm::all_of(cast->getUsers(), [](Operation *user) {
        return isa<tile::DotOp, tile::StoreOp>(user);
      }))
    return cast.getIn();
  return value;
}

bool TensorCoreEmitter::isRowVector(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || type.getRank() != 1)
    return false;
  auto leader = vectorClasses.findLeader(value.getAsOpaquePointer());
  if (leader != vectorClasses.member_end()) {
    auto it = vectorViews.find(*leader);
    if (it != vectorViews.end())
      return it->second == View::row;
  }
  return type.getDimSize(0) == layout.rows;
}

View TensorCoreEmitter::viewOf(Value value) {
  if (cast<RankedTensorType>(value.getType()).getRank() == 2)
    return View::matrix;
  return isRowVector(value) ? View::row : View::column;
}

int64_t TensorCoreEmitter::elementsOf(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return type.getRank() == 2
             ? layout.heldRows * layout.perRow(type.getDimSize(1))
             : layout.heldRows;
}

FailureOr<std::string> TensorCoreEmitter::cType(Operation *op, Type type) {
  if (type.isF32() || type.isBF16())
    return std::string("float");
  if (type.isInteger(1))
    return std::string("bool");
  if (type.isInteger(32) || type.isIndex())
    return std::string("int");
  unsupported(op) << "elements of " << type;
  return failure();
}

FailureOr<std::string> TensorCoreEmitter::literal(Operation *op,
                                                  Attribute value) {
  if (auto elements = dyn_cast<DenseElementsAttr>(value)) {
    if (!elements.isSplat()) {
      unsupported(op) << "a constant whose elements differ";
      return failure();
    }
    value = elements.getSplatValue<Attribute>();
  }
  if (auto integer = dyn_cast<IntegerAttr>(value)) {
    if (integer.getType().isInteger(1))
      return std::string(integer.getValue().isZero() ? "false" : "true");
    return std::to_string(integer.getValue().getSExtValue());
  }
  auto number = dyn_cast<FloatAttr>(value);
  if (!number || number.getType().isF64()) {
    unsupported(op) << "the constant " << value;
    return failure();
  }
  double x = number.getValueAsDouble();
  if (std::isnan(x))
    return std::string("NAN");
  if (std::isinf(x))
    return std::string(x < 0 ? "-INFINITY" : "INFINITY");
  // Nine digits hold every float.
  char buffer[40];
  snprintf(buffer, sizeof buffer, "%.9g", x);
  std::string digits = buffer;
  if (digits.find_first_of(".e") == std::string::npos)
    digits += ".0";
  return digits + "f";
}

FailureOr<std::string> TensorCoreEmitter::position(OpFoldResult position) {
  if (std::optional<int64_t> constant = getConstantIntValue(position))
    return std::to_string(*constant);
  return scalar(cast<Value>(position));
}

/// A block-uniform scalar.
FailureOr<std::string> TensorCoreEmitter::scalar(Value value) {
  auto known = scalars.find(value);
  if (known != scalars.end())
    return known->second;
  Operation *op = value.getDefiningOp();
  if (auto constant = dyn_cast_or_null<arith::ConstantOp>(op))
    return literal(op, constant.getValue());
  if (auto load = dyn_cast_or_null<tile::LoadScalarOp>(op)) {
    FailureOr<ElementAccess> at = access(op, load.getBuffer().getType(),
                                         load.getMixedPositions(), {}, {}, {});
    if (failed(at) || failed(cType(op, value.getType())))
      return failure();
    std::string read = buffers[load.getBuffer()] + "[" + at->offset + "]";
    if (value.getType().isBF16())
      read = "to_float(" + read + ")";
    if (at->condition.empty())
      return read;
    return "(" + at->condition + " ? " + read + " : 0)";
  }
  if (!op || op->getNumResults() != 1 || isa<scf::ForOp, scf::IfOp>(op)) {
    unsupported(op ? op : kernel.getOperation())
        << "a scalar that is not made of positions, constants and arithmetic";
    return failure();
  }
  SmallVector<std::string> inputs;
  for (Value operand : op->getOperands()) {
    FailureOr<std::string> input = scalar(operand);
    if (failed(input))
      return failure();
    inputs.push_back(*input);
  }
  FailureOr<std::string> result = apply(op, inputs);
  if (failed(result))
    return failure();
  return wrap(*result);
}

/// One op on scalars or on the elements of tiles.
FailureOr<std::string>
TensorCoreEmitter::apply(Operation *op, ArrayRef<std::string> operands) {
  SmallVector<std::string> x;
  for (const std::string &operand : operands)
    x.push_back(wrap(operand));
  auto infix = [&](const char *sign) { return x[0] + sign + x[1]; };
  auto call = [&](const char *function) {
    return std::string(function) + "(" + llvm::join(operands, ", ") + ")";
  };
  // What a short type does to a float; null for other types.
  const char *round = nullptr;
  if (op->getNumResults() == 1) {
    Type element = getElementTypeOrSelf(op->getResult(0).getType());
    round = element.isBF16()  ? "round_bf16"
            : element.isF16() ? "round_f16"
                              : nullptr;
  }
  using R = std::string;
  R text = TypeSwitch<Operation *, R>(op)
               .Case<arith::AddFOp, arith::AddIOp>(
                   [&](auto) { return infix(" + "); })
               .Case<arith::SubFOp, arith::SubIOp>(
                   [&](auto) { return infix(" - "); })
               .Case<arith::MulFOp, arith::MulIOp>(
                   [&](auto) { return infix(" * "); })
               .Case<arith::DivFOp, arith::DivSIOp>(
                   [&](auto) { return infix(" / "); })
               .Case<arith::RemSIOp>([&](auto) { return infix(" % "); })
               .Case<arith::DivUIOp, arith::RemUIOp>([&](Operation *) -> R {
                 // Positions are not negative.
                 if (!op->getResult(0).getType().isIndex())
                   return "";
                 return infix(isa<arith::DivUIOp>(op) ? " / " : " % ");
               })
               .Case<arith::AndIOp>([&](auto) { return infix(" & "); })
               .Case<arith::OrIOp>([&](auto) { return infix(" | "); })
               .Case<arith::XOrIOp>([&](auto) { return infix(" ^ "); })
               .Case<arith::NegFOp>([&](auto) { return "-" + x[0]; })
               .Case<arith::MaximumFOp>([&](auto) { return call("max_nan"); })
               .Case<arith::MinimumFOp>([&](auto) { return call("min_nan"); })
               .Case<arith::MaxNumFOp>([&](auto) { return call("fmaxf"); })
               .Case<arith::MinNumFOp>([&](auto) { return call("fminf"); })
               .Case<arith::MaxSIOp>([&](auto) {
                 return x[0] + " > " + x[1] + " ? " + x[0] + " : " + x[1];
               })
               .Case<arith::MinSIOp>([&](auto) {
                 return x[0] + " < " + x[1] + " ? " + x[0] + " : " + x[1];
               })
               .Case<arith::SelectOp>(
                   [&](auto) { return x[0] + " ? " + x[1] + " : " + x[2]; })
               .Case<arith::ExtFOp, arith::IndexCastOp>(
                   [&](auto) { return operands[0]; })
               .Case<arith::TruncFOp>(
                   [&](auto) { return round ? call(round) : operands[0]; })
               .Case<arith::SIToFPOp>([&](auto) { return "(float)" + x[0]; })
               .Case<arith::ExtUIOp>([&](auto) { return "(int)" + x[0]; })
               .Case<arith::CmpIOp>([&](arith::CmpIOp cmp) -> R {
                 switch (cmp.getPredicate()) {
                 case arith::CmpIPredicate::eq:
                   return infix(" == ");
                 case arith::CmpIPredicate::ne:
                   return infix(" != ");
                 case arith::CmpIPredicate::slt:
                   return infix(" < ");
                 case arith::CmpIPredicate::sle:
                   return infix(" <= ");
                 case arith::CmpIPredicate::sgt:
                   return infix(" > ");
                 case arith::CmpIPredicate::sge:
                   return infix(" >= ");
                 default:
                   return "";
                 }
               })
               .Case<arith::CmpFOp>([&](arith::CmpFOp cmp) -> R {
                 switch (cmp.getPredicate()) {
                 case arith::CmpFPredicate::OEQ:
                   return infix(" == ");
                 case arith::CmpFPredicate::UNE:
                   return infix(" != ");
                 case arith::CmpFPredicate::OLT:
                   return infix(" < ");
                 case arith::CmpFPredicate::OLE:
                   return infix(" <= ");
                 case arith::CmpFPredicate::OGT:
                   return infix(" > ");
                 case arith::CmpFPredicate::OGE:
                   return infix(" >= ");
                 default:
                   return "";
                 }
               })
               .Case<math::FmaOp>([&](auto) { return call("fmaf"); })
               .Case<math::ExpOp>([&](auto) { return call("exp_fast"); })
               .Case<math::Exp2Op>([&](auto) { return call("exp2_fast"); })
               .Case<math::LogOp>([&](auto) { return call("logf"); })
               .Case<math::TanhOp>([&](auto) { return call("tanhf"); })
               .Case<math::ErfOp>([&](auto) { return call("erff"); })
               .Case<math::SqrtOp>([&](auto) { return call("sqrtf"); })
               .Case<math::RsqrtOp>([&](auto) { return call("rsqrtf"); })
               .Case<math::SinOp>([&](auto) { return call("sinf"); })
               .Case<math::CosOp>([&](auto) { return call("cosf"); })
               .Case<math::AbsFOp>([&](auto) { return call("fabsf"); })
               .Default([](auto) { return R(); });
  if (text.empty()) {
    unsupported(op) << "'" << op->getName() << "' on elements of a tile";
    return failure();
  }
  // Arithmetic on tiles of short types rounds after each op.
  if (round && !isa<arith::TruncFOp, arith::SelectOp, arith::NegFOp>(op))
    text = std::string(round) + "(" + text + ")";
  return text;
}

/// Element `i` of `value`, as `view` numbers elements.
FailureOr<std::string> TensorCoreEmitter::expression(Value value, View view) {
  value = resolve(value);
  auto local = locals.find(value);
  if (local != locals.end())
    return local->second;
  auto array = arrays.find(value);
  if (array != arrays.end()) {
    bool perRow = view == View::matrix && viewOf(value) == View::row;
    return array->second + (perRow ? "[" + layout.heldRow + "]" : "[i]");
  }
  Operation *op = value.getDefiningOp();
  if (!op || !isInline(op)) {
    unsupported(op ? op : kernel.getOperation())
        << "this use of a value that is not in registers";
    return failure();
  }
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    return literal(op, constant.getValue());
  if (auto splat = dyn_cast<tile::SplatOp>(op))
    return scalar(splat.getScalar());
  if (auto load = dyn_cast<tile::LoadOp>(op))
    return elementwiseLoad(load, view);
  if (auto broadcast = dyn_cast<tile::BroadcastOp>(op))
    return expression(broadcast.getOperand(), view);
  if (auto iota = dyn_cast<tile::IotaOp>(op)) {
    FailureOr<std::string> start = position(iota.getPosition());
    if (failed(start))
      return failure();
    bool rows = iota.getResult().getType().getRank() == 1
                    ? isRowVector(iota.getResult())
                    : iota.getAxis() == 0;
    std::string number = !rows                  ? "column + 8 * (i / 4) + i % 2"
                         : view == View::matrix ? "row + 8 * (i / 2 % 2)"
                                                : "row + 8 * i";
    return *start == "0" ? number : *start + " + " + number;
  }
  SmallVector<std::string> inputs;
  for (Value operand : op->getOperands()) {
    FailureOr<std::string> input = expression(operand, view);
    if (failed(input))
      return failure();
    inputs.push_back(*input);
  }
  return apply(op, inputs);
}

bool TensorCoreEmitter::provenNonNegative(OpFoldResult position) {
  if (std::optional<int64_t> constant = getConstantIntValue(position))
    return *constant >= 0;
  Value value = cast<Value>(position);
  if (kernel.getGridDim(value))
    return true;
  if (Operation *op = value.getDefiningOp())
    return isa<arith::AddIOp, arith::MulIOp, arith::DivUIOp, arith::RemUIOp,
               arith::MinSIOp>(op) &&
           llvm::all_of(op->getOperands(), [&](Value operand) {
             return provenNonNegative(OpFoldResult(operand));
           });
  auto argument = cast<BlockArgument>(value);
  auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
  return loop && value == loop.getInductionVar() &&
         provenNonNegative(OpFoldResult(loop.getLowerBound()));
}

/// The largest number that a position which is not negative may be, if that is
/// known.
std::optional<int64_t> TensorCoreEmitter::largest(OpFoldResult position) {
  if (std::optional<int64_t> constant = getConstantIntValue(position))
    return constant;
  Value value = cast<Value>(position);
  if (std::optional<unsigned> dim = kernel.getGridDim(value))
    return (kernel.getGridBlocks(*dim) - 1) * kernel.getGridTiles()[*dim];
  if (Operation *op = value.getDefiningOp()) {
    std::optional<int64_t> x = largest(op->getOperand(0));
    std::optional<int64_t> by = getConstantIntValue(op->getOperand(1));
    if (isa<arith::RemUIOp>(op))
      return by ? std::optional(*by - 1) : std::nullopt;
    if (!x)
      return std::nullopt;
    if (isa<arith::DivUIOp>(op))
      return by ? std::optional(*x / *by) : std::nullopt;
    std::optional<int64_t> y = largest(op->getOperand(1));
    if (y && isa<arith::AddIOp>(op))
      return *x + *y;
    if (y && isa<arith::MulIOp>(op))
      return *x * *y;
    return std::nullopt;
  }
  auto loop =
      cast<scf::ForOp>(cast<BlockArgument>(value).getOwner()->getParentOp());
  std::optional<int64_t> from = getConstantIntValue(loop.getLowerBound());
  std::optional<int64_t> to = getConstantIntValue(loop.getUpperBound());
  std::optional<int64_t> step = getConstantIntValue(loop.getStep());
  if (!to || !step)
    return std::nullopt;
  if (!from) {
    // Turns that begin at a multiple of the step stay at multiples.
    auto begin = loop.getLowerBound().getDefiningOp<arith::MulIOp>();
    bool isMultiple =
        begin && llvm::any_of(begin->getOperands(), [&](Value factor) {
          return getConstantIntValue(factor).value_or(1) % *step == 0;
        });
    return isMultiple ? (*to - 1) / *step * *step : *to - 1;
  }
  return *to > *from ? std::optional(*from + (*to - *from - 1) / *step * *step)
                     : std::nullopt;
}

bool TensorCoreEmitter::provenInside(OpFoldResult position, int64_t extent,
                                     int64_t size) {
  if (!provenNonNegative(position))
    return false;
  std::optional<int64_t> most = largest(position);
  return most && *most + extent <= size;
}

bool TensorCoreEmitter::provenEven(OpFoldResult position) {
  if (std::optional<int64_t> constant = getConstantIntValue(position))
    return *constant % 2 == 0;
  if (std::optional<unsigned> dim = kernel.getGridDim(cast<Value>(position)))
    return kernel.getGridTiles()[*dim] % 2 == 0 ||
           kernel.getGridBlocks(*dim) == 1;
  return false;
}

/// Where the element with tile indices `indices` lies; the other buffer dims
/// have extent 1.
FailureOr<ElementAccess>
TensorCoreEmitter::access(Operation *op, MemRefType buffer,
                          ArrayRef<OpFoldResult> positions,
                          ArrayRef<int64_t> dims, ArrayRef<int64_t> extents,
                          ArrayRef<std::string> indices) {
  ElementAccess result;
  SmallVector<std::string> conditions, terms;
  int64_t stride = 1;
  SmallVector<int64_t> strides(buffer.getRank());
  for (int64_t d = buffer.getRank() - 1; d >= 0; --d) {
    strides[d] = stride;
    stride *= buffer.getDimSize(d);
  }
  for (int64_t d = 0; d < buffer.getRank(); ++d) {
    FailureOr<std::string> at = position(positions[d]);
    if (failed(at))
      return failure();
    std::string index = *at;
    int64_t extent = 1;
    const auto *spanned = llvm::find(dims, d);
    if (spanned != dims.end()) {
      size_t tileDim = spanned - dims.begin();
      extent = extents[tileDim];
      index =
          index == "0" ? indices[tileDim] : index + " + " + indices[tileDim];
    }
    if (!provenInside(positions[d], extent, buffer.getDimSize(d))) {
      std::string size = std::to_string(buffer.getDimSize(d));
      conditions.push_back(provenNonNegative(positions[d])
                               ? index + " < " + size
                               : "(u32)(" + index + ") < " + size + "u");
    }
    if (index == "0")
      continue;
    terms.push_back(strides[d] == 1 ? index
                                    : "(i64)" + wrap(index) + " * " +
                                          std::to_string(strides[d]));
  }
  result.condition = llvm::join(conditions, " && ");
  result.offset = terms.empty() ? "0" : llvm::join(terms, " + ");
  return result;
}

/// An element of a tile that is used in sweeps, straight from global memory.
FailureOr<std::string> TensorCoreEmitter::elementwiseLoad(tile::LoadOp load,
                                                          View view) {
  RankedTensorType type = load.getTileType();
  if (type.getRank() == 0 || type.getRank() > 2) {
    unsupported(load) << "an elementwise load of rank " << type.getRank();
    return failure();
  }
  std::string row = view == View::row ? layout.rowInVector : layout.rowInMatrix;
  std::string column = layout.column;
  SmallVector<std::string> indices;
  if (type.getRank() == 2)
    indices = {row, column};
  else
    indices = {isRowVector(load.getResult()) ? row : column};
  FailureOr<ElementAccess> at =
      access(load, load.getBuffer().getType(), load.getMixedPositions(),
             load.getTileDims(), type.getShape(), indices);
  if (failed(at) || failed(cType(load, type.getElementType())))
    return failure();
  std::string read = buffers[load.getBuffer()] + "[" + at->offset + "]";
  if (type.getElementType().isBF16())
    read = "to_float(" + read + ")";
  if (at->condition.empty())
    return read;
  std::string pad = "0";
  if (load.getPadAttr()) {
    FailureOr<std::string> number = literal(load, load.getPadAttr());
    if (failed(number))
      return failure();
    pad = *number;
  } else if (isa<FloatType>(type.getElementType())) {
    pad = "0.0f";
  }
  return at->condition + " ? " + read + " : " + pad;
}
