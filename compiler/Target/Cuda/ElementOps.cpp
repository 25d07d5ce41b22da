//===- ElementOps.cpp - ops on elements as C++ expressions ----------------===//

#include "compiler/Target/Cuda/ElementOps.h"

#include "dialects/Tile/TileOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace tarn;
using namespace mlir;

/// Integers of 8 bits and more; positions are never unsigned.
static bool isInteger(Value value) {
  Type type = getElementTypeOrSelf(value.getType());
  return isa<IntegerType>(type) && !type.isInteger(1);
}

cuda::UnsignedValues::UnsignedValues(Operation *kernel) {
  llvm::EquivalenceClasses<void *> classes;
  SmallVector<Value> wrapping;
  auto join = [&](Value a, Value b) {
    if (isInteger(a) && isInteger(b) &&
        getElementTypeOrSelf(a.getType()) == getElementTypeOrSelf(b.getType()))
      classes.unionSets(a.getAsOpaquePointer(), b.getAsOpaquePointer());
  };
  kernel->walk([&](Operation *op) {
    // Ops that mean the same for signed and unsigned numbers.
    if (isa<arith::AddIOp, arith::SubIOp, arith::MulIOp, arith::AndIOp,
            arith::OrIOp, arith::XOrIOp, arith::ShLIOp, arith::ShRUIOp,
            arith::SelectOp, tile::BroadcastOp, tile::SplatOp,
            arith::MulUIExtendedOp>(op))
      for (Value operand : op->getOperands())
        for (Value result : op->getResults())
          join(operand, result);
    if (auto loop = dyn_cast<scf::ForOp>(op))
      for (auto [init, carried, yielded, result] :
           llvm::zip(loop.getInitArgs(), loop.getRegionIterArgs(),
                     loop.getYieldedValues(), loop.getResults())) {
        join(init, carried);
        join(yielded, carried);
        join(result, carried);
      }
    if (isa<arith::XOrIOp, arith::ShLIOp, arith::ShRUIOp, arith::OrIOp,
            arith::AndIOp, arith::MulUIExtendedOp>(op))
      for (Value result : op->getResults())
        if (isInteger(result))
          wrapping.push_back(result);
  });
  llvm::DenseSet<void *> leaders;
  for (Value value : wrapping) {
    classes.insert(value.getAsOpaquePointer());
    leaders.insert(classes.getLeaderValue(value.getAsOpaquePointer()));
  }
  auto add = [&](Value value) {
    auto leader = classes.findLeader(value.getAsOpaquePointer());
    if (leader != classes.member_end() && leaders.contains(*leader))
      values.insert(value);
  };
  kernel->walk([&](Operation *op) {
    for (Value result : op->getResults())
      add(result);
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (Value argument : block.getArguments())
          add(argument);
  });
}

std::string cuda::variableType(Type type, bool isUnsigned) {
  if (type.isF32() || type.isBF16() || type.isF16())
    return "float";
  if (type.isF64())
    return "double";
  if (type.isInteger(1))
    return "bool";
  if (type.isInteger(8))
    return isUnsigned ? "u8" : "i8";
  if (type.isInteger(32))
    return isUnsigned ? "u32" : "int";
  if (type.isInteger(64))
    return isUnsigned ? "u64" : "i64";
  return type.isIndex() ? "int" : "";
}

std::string cuda::memoryType(Type type) {
  if (type.isBF16())
    return "bf16";
  if (type.isF16())
    return "f16";
  if (type.isInteger(1))
    return "bool";
  return type.isIndex() ? "" : variableType(type);
}

int64_t cuda::memoryBytes(Type type) {
  return std::max<int64_t>(1, type.getIntOrFloatBitWidth() / 8);
}

std::string cuda::literal(Attribute value, bool isUnsigned) {
  if (auto elements = dyn_cast<DenseElementsAttr>(value)) {
    if (!elements.isSplat())
      return "";
    value = elements.getSplatValue<Attribute>();
  }
  if (auto integer = dyn_cast<IntegerAttr>(value)) {
    if (integer.getType().isInteger(1))
      return integer.getValue().isZero() ? "false" : "true";
    if (isUnsigned)
      return std::to_string(integer.getValue().getZExtValue()) + "u";
    int64_t number = integer.getValue().getSExtValue();
    // The smallest int has no literal of its own.
    if (number == INT32_MIN)
      return "(-2147483647 - 1)";
    if (number < INT32_MIN || number > INT32_MAX)
      return number == INT64_MIN ? "(-9223372036854775807ll - 1)"
                                 : std::to_string(number) + "ll";
    return std::to_string(number);
  }
  auto number = dyn_cast<FloatAttr>(value);
  if (!number)
    return "";
  bool isDouble = number.getType().isF64();
  double x = number.getValueAsDouble();
  std::string sign = std::signbit(x) ? "-" : "";
  if (std::isnan(x))
    return isDouble ? "(double)NAN" : "NAN";
  if (std::isinf(x))
    return sign + (isDouble ? "(double)INFINITY" : "INFINITY");
  // The fewest digits that give the number again.
  char buffer[40];
  for (int digits = 1; digits <= 17; ++digits) {
    snprintf(buffer, sizeof buffer, "%.*g", digits, x);
    double back = strtod(buffer, nullptr);
    if (isDouble ? back == x : float(back) == float(x))
      break;
  }
  std::string text = buffer;
  if (text.find_first_of(".e") == std::string::npos)
    text += ".0";
  return isDouble ? text : text + "f";
}

std::string cuda::wrap(const std::string &x) {
  int depth = 0;
  for (char c : x) {
    depth -= c == ')' || c == ']';
    if (depth == 0 && !llvm::isAlnum(c) && !llvm::is_contained("_.()[]", c))
      return "(" + x + ")";
    depth += c == '(' || c == '[';
  }
  return x;
}

bool cuda::isAtom(StringRef x) {
  return llvm::all_of(x, [](char c) {
    return llvm::isAlnum(c) || c == '_' || c == '.' || c == '-';
  });
}

/// The C++ sign of a comparison of integers.
static const char *signOf(arith::CmpIPredicate predicate) {
  switch (predicate) {
  case arith::CmpIPredicate::eq:
    return " == ";
  case arith::CmpIPredicate::ne:
    return " != ";
  case arith::CmpIPredicate::slt:
  case arith::CmpIPredicate::ult:
    return " < ";
  case arith::CmpIPredicate::sle:
  case arith::CmpIPredicate::ule:
    return " <= ";
  case arith::CmpIPredicate::sgt:
  case arith::CmpIPredicate::ugt:
    return " > ";
  case arith::CmpIPredicate::sge:
  case arith::CmpIPredicate::uge:
    return " >= ";
  }
  llvm_unreachable("a predicate without a sign");
}

/// A comparison of floats; those that C++ has no sign for are negations.
static std::string compareFloats(arith::CmpFPredicate predicate,
                                 const std::string &a, const std::string &b) {
  using P = arith::CmpFPredicate;
  auto with = [&](const char *sign) { return a + sign + b; };
  auto without = [&](const char *sign) { return "!(" + with(sign) + ")"; };
  switch (predicate) {
  case P::AlwaysFalse:
    return "false";
  case P::OEQ:
    return with(" == ");
  case P::OGT:
    return with(" > ");
  case P::OGE:
    return with(" >= ");
  case P::OLT:
    return with(" < ");
  case P::OLE:
    return with(" <= ");
  case P::ONE:
    return with(" < ") + " || " + with(" > ");
  case P::ORD:
    return a + " == " + a + " && " + b + " == " + b;
  case P::UEQ:
    return "!(" + with(" < ") + " || " + with(" > ") + ")";
  case P::UGT:
    return without(" <= ");
  case P::UGE:
    return without(" < ");
  case P::ULT:
    return without(" >= ");
  case P::ULE:
    return without(" > ");
  case P::UNE:
    return with(" != ");
  case P::UNO:
    return a + " != " + a + " || " + b + " != " + b;
  case P::AlwaysTrue:
    return "true";
  }
  llvm_unreachable("a predicate without a comparison");
}

/// Functions of one or more floats, by their names for float; empty if `op` is
/// none. Doubles have the name without `f`.
static StringRef functionOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, StringRef>(op)
      .Case<math::ExpOp>([](auto) { return "expf"; })
      .Case<math::Exp2Op>([](auto) { return "exp2f"; })
      .Case<math::ExpM1Op>([](auto) { return "expm1f"; })
      .Case<math::LogOp>([](auto) { return "logf"; })
      .Case<math::Log2Op>([](auto) { return "log2f"; })
      .Case<math::Log1pOp>([](auto) { return "log1pf"; })
      .Case<math::TanhOp>([](auto) { return "tanhf"; })
      .Case<math::ErfOp>([](auto) { return "erff"; })
      .Case<math::ErfcOp>([](auto) { return "erfcf"; })
      .Case<math::SqrtOp>([](auto) { return "sqrtf"; })
      .Case<math::RsqrtOp>([](auto) { return "rsqrtf"; })
      .Case<math::CbrtOp>([](auto) { return "cbrtf"; })
      .Case<math::SinOp>([](auto) { return "sinf"; })
      .Case<math::CosOp>([](auto) { return "cosf"; })
      .Case<math::TanOp>([](auto) { return "tanf"; })
      .Case<math::SinhOp>([](auto) { return "sinhf"; })
      .Case<math::CoshOp>([](auto) { return "coshf"; })
      .Case<math::AtanOp>([](auto) { return "atanf"; })
      .Case<math::Atan2Op>([](auto) { return "atan2f"; })
      .Case<math::AbsFOp>([](auto) { return "fabsf"; })
      .Case<math::FloorOp>([](auto) { return "floorf"; })
      .Case<math::CeilOp>([](auto) { return "ceilf"; })
      .Case<math::TruncOp>([](auto) { return "truncf"; })
      .Case<math::RoundOp>([](auto) { return "roundf"; })
      .Case<math::RoundEvenOp>([](auto) { return "rintf"; })
      .Case<math::PowFOp>([](auto) { return "powf"; })
      .Case<math::CopySignOp>([](auto) { return "copysignf"; })
      .Case<math::FmaOp>([](auto) { return "fmaf"; })
      .Case<arith::RemFOp>([](auto) { return "fmodf"; })
      .Case<arith::MaxNumFOp>([](auto) { return "fmaxf"; })
      .Case<arith::MinNumFOp>([](auto) { return "fminf"; })
      .Default([](auto) { return ""; });
}

/// `max` and `min` that give NaN where one of the numbers is.
static StringRef nanFunctionOf(Operation *op) {
  if (isa<arith::MaximumFOp>(op))
    return "max_nan";
  return isa<arith::MinimumFOp>(op) ? "min_nan" : "";
}

/// The sign of an op on two numbers, and which kind of integers it needs.
static const char *infixOf(Operation *op, std::optional<bool> &needsUnsigned) {
  using Sign = const char *;
  return llvm::TypeSwitch<Operation *, Sign>(op)
      .Case<arith::AddFOp, arith::AddIOp>([](auto) { return " + "; })
      .Case<arith::SubFOp, arith::SubIOp>([](auto) { return " - "; })
      .Case<arith::MulFOp, arith::MulIOp>([](auto) { return " * "; })
      .Case<arith::DivFOp>([](auto) { return " / "; })
      .Case<arith::AndIOp>([](auto) { return " & "; })
      .Case<arith::OrIOp>([](auto) { return " | "; })
      .Case<arith::XOrIOp>([](auto) { return " ^ "; })
      .Case<arith::DivSIOp>([&](auto) {
        needsUnsigned = false;
        return " / ";
      })
      .Case<arith::RemSIOp>([&](auto) {
        needsUnsigned = false;
        return " % ";
      })
      .Case<arith::DivUIOp>([&](auto) {
        needsUnsigned = true;
        return " / ";
      })
      .Case<arith::RemUIOp>([&](auto) {
        needsUnsigned = true;
        return " % ";
      })
      .Case<arith::ShLIOp, arith::ShRUIOp>([&](Operation *shift) {
        needsUnsigned = true;
        return isa<arith::ShLIOp>(shift) ? " << " : " >> ";
      })
      .Case<arith::ShRSIOp>([&](auto) {
        needsUnsigned = false;
        return " >> ";
      })
      .Default([](auto) { return Sign(nullptr); });
}

std::string cuda::applyElementOp(Operation *op, ArrayRef<std::string> operands,
                                 const UnsignedValues &isUnsigned,
                                 unsigned result) {
  SmallVector<std::string> x;
  for (const std::string &operand : operands)
    x.push_back(wrap(operand));
  Type type = getElementTypeOrSelf(op->getResult(result).getType());
  Type from = op->getNumOperands()
                  ? getElementTypeOrSelf(op->getOperand(0).getType())
                  : type;
  bool unsignedResult = isUnsigned.contains(op->getResult(result));
  bool isDouble = type.isF64();
  // Operand `i`, signed or unsigned. Positions are not negative.
  auto as = [&](unsigned i, bool wanted) {
    Value value = op->getOperand(i);
    Type element = getElementTypeOrSelf(value.getType());
    if (element.isInteger(1) || (element.isIndex() && wanted) ||
        isUnsigned.contains(value) == wanted)
      return x[i];
    return "(" + variableType(element, wanted) + ")" + x[i];
  };
  // The result of an op on unsigned (or signed) numbers as its variable is.
  auto given = [&](const std::string &text, bool wasUnsigned) {
    if (type.isInteger(1) || type.isIndex() || wasUnsigned == unsignedResult)
      return text;
    return "(" + variableType(type, unsignedResult) + ")(" + text + ")";
  };
  auto call = [&](StringRef function) {
    if (isDouble && function.consume_back("f"))
      return function.str() + "(" + llvm::join(operands, ", ") + ")";
    return function.str() + "(" + llvm::join(operands, ", ") + ")";
  };
  std::string text;
  std::optional<bool> needs;
  if (const char *sign = infixOf(op, needs)) {
    if (!needs || from.isIndex())
      text = x[0] + sign + x[1];
    else
      text = given(as(0, *needs) + sign + as(1, *needs), *needs);
    // Narrow integers wrap at their own width.
    if (type.isInteger(8))
      text = "(" + variableType(type, unsignedResult) + ")(" + text + ")";
    // Shifts by the width and more give zero.
    if (isa<arith::ShLIOp, arith::ShRUIOp>(op)) {
      auto by = op->getOperand(1).getDefiningOp<arith::ConstantOp>();
      bool proven = by && !literal(by.getValue()).empty();
      if (!proven)
        text = as(1, true) + " < " +
               std::to_string(type.getIntOrFloatBitWidth()) + "u ? " + text +
               " : 0u";
    }
  } else if (StringRef function = functionOf(op); !function.empty()) {
    text = call(function);
  } else if (StringRef function = nanFunctionOf(op); !function.empty()) {
    text = function.str() + "(" + llvm::join(operands, ", ") + ")";
  } else if (auto compare = dyn_cast<arith::CmpIOp>(op)) {
    auto predicate = compare.getPredicate();
    bool wantsUnsigned = predicate >= arith::CmpIPredicate::ult;
    bool either = predicate == arith::CmpIPredicate::eq ||
                  predicate == arith::CmpIPredicate::ne;
    if (either)
      text = x[0] + signOf(predicate) +
             as(1, isUnsigned.contains(op->getOperand(0)));
    else
      text = (from.isIndex() && wantsUnsigned ? "(u32)" + x[0]
                                              : as(0, wantsUnsigned)) +
             signOf(predicate) + as(1, wantsUnsigned);
  } else if (auto compare = dyn_cast<arith::CmpFOp>(op)) {
    text = compareFloats(compare.getPredicate(), x[0], x[1]);
  } else {
    text =
        llvm::TypeSwitch<Operation *, std::string>(op)
            .Case<arith::NegFOp>([&](auto) { return "-" + x[0]; })
            .Case<arith::SelectOp>(
                [&](auto) { return x[0] + " ? " + x[1] + " : " + x[2]; })
            .Case<arith::MaxSIOp, arith::MinSIOp>([&](Operation *) {
              std::string sign = isa<arith::MaxSIOp>(op) ? " > " : " < ";
              return x[0] == x[1]
                         ? x[0]
                         : given(as(0, false) + sign + as(1, false) + " ? " +
                                     as(0, false) + " : " + as(1, false),
                                 false);
            })
            .Case<arith::MaxUIOp, arith::MinUIOp>([&](Operation *) {
              std::string sign = isa<arith::MaxUIOp>(op) ? " > " : " < ";
              return given(as(0, true) + sign + as(1, true) + " ? " +
                               as(0, true) + " : " + as(1, true),
                           true);
            })
            .Case<arith::MulUIExtendedOp>([&](auto) {
              std::string wide = type.isInteger(64) ? std::string()
                                                    : "(u64)" + as(0, true) +
                                                          " * " + as(1, true);
              if (result == 0)
                return given(as(0, true) + " * " + as(1, true), true);
              if (wide.empty())
                return given("high_product(" + as(0, true) + ", " +
                                 as(1, true) + ")",
                             true);
              return given("(u32)(" + wide + " >> " +
                               std::to_string(type.getIntOrFloatBitWidth()) +
                               ")",
                           true);
            })
            .Case<arith::ExtFOp>([&](auto) {
              return isDouble ? "(double)" + x[0] : operands[0];
            })
            .Case<arith::TruncFOp>([&](auto) {
              return from.isF64() ? "(float)" + x[0] : operands[0];
            })
            .Case<arith::SIToFPOp>([&](auto) {
              std::string number =
                  from.isInteger(1) ? "-(int)" + x[0] : as(0, false);
              return "(" + variableType(type) + ")" + number;
            })
            .Case<arith::UIToFPOp>([&](auto) {
              return "(" + variableType(type) + ")" + as(0, true);
            })
            .Case<arith::FPToSIOp>([&](auto) {
              return given("(" + variableType(type) + ")" + x[0], false);
            })
            .Case<arith::FPToUIOp>([&](auto) {
              return given("(" + variableType(type, true) + ")" + x[0], true);
            })
            .Case<arith::ExtUIOp, arith::IndexCastUIOp>([&](Operation *) {
              return "(" + variableType(type, unsignedResult) + ")" +
                     (from.isIndex() ? x[0] : as(0, true));
            })
            .Case<arith::ExtSIOp, arith::TruncIOp, arith::IndexCastOp>(
                [&](Operation *) {
                  if (from.isInteger(1))
                    return given("-(int)" + x[0], false);
                  if (type.isInteger(1))
                    return "(" + x[0] + " & 1) != 0";
                  std::string to = variableType(type, unsignedResult);
                  if (to == variableType(
                                from, isUnsigned.contains(op->getOperand(0))))
                    return operands[0];
                  return "(" + to + ")" +
                         (from.isIndex() ? x[0] : as(0, false));
                })
            .Case<arith::BitcastOp>([&](Operation *) -> std::string {
              if (from.isF32() && type.isInteger(32))
                return given("__float_as_uint(" + operands[0] + ")", true);
              if (from.isInteger(32) && type.isF32())
                return "__uint_as_float(" + operands[0] + ")";
              return "";
            })
            .Case<math::AbsIOp>([&](auto) {
              return given(as(0, false) + " < 0 ? -" + as(0, false) + " : " +
                               as(0, false),
                           false);
            })
            .Case<math::IsNaNOp>([&](auto) { return x[0] + " != " + x[0]; })
            .Case<math::IsInfOp>(
                [&](auto) { return "fabsf(" + operands[0] + ") == INFINITY"; })
            .Case<math::IsFiniteOp>(
                [&](auto) { return "fabsf(" + operands[0] + ") < INFINITY"; })
            .Default([](auto) { return std::string(); });
  }
  // Arithmetic on floats of 16 bits rounds after each op.
  if (!text.empty() && !isa<arith::SelectOp, arith::NegFOp>(op)) {
    if (type.isBF16())
      text = "round_bf16(" + text + ")";
    else if (type.isF16())
      text = "round_f16(" + text + ")";
  }
  return text;
}
