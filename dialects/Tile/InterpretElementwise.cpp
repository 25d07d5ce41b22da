//===- InterpretElementwise.cpp - arith and math on host tiles ------------===//

#include "dialects/Tile/HostTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace tarn::tile;

int64_t tarn::tile::wrapTo(Type type, int64_t value) {
  unsigned width = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  if (width == 1)
    return value & 1;
  return width >= 64 ? value : llvm::SignExtend64(value, width);
}

double tarn::tile::roundTo(Type type, double value) {
  if (type.isF64())
    return value;
  if (type.isF32())
    return static_cast<float>(value);
  auto floating = dyn_cast<FloatType>(type);
  if (!floating)
    return static_cast<double>(wrapTo(type, static_cast<int64_t>(value)));
  APFloat number(value);
  bool lost;
  number.convert(floating.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                 &lost);
  number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
  return number.convertToDouble();
}

double tarn::tile::roundToTf32(double value) {
  // f32 with 13 bits less behind the point.
  APFloat number(value);
  bool lost;
  number.convert(APFloat::FloatTF32(), APFloat::rmNearestTiesToAway, &lost);
  number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
  return number.convertToDouble();
}

namespace {

// One op on its operands' cells.
class Elementwise {
public:
  Elementwise(Operation *op, ArrayRef<const HostTile *> operands,
              Rounding rounding)
      : op(op), operands(operands), rounding(rounding),
        result(op->getResult(0).getType()),
        element(getElementTypeOrSelf(op->getResult(0).getType())) {}

  FailureOr<SmallVector<HostTile>> compute();

private:
  const Cell &at(unsigned operand, size_t i) const {
    const std::vector<Cell> &cells = operands[operand]->cells;
    return cells[cells.size() == 1 ? 0 : i];
  }
  Type operandElement(unsigned i = 0) const {
    return getElementTypeOrSelf(op->getOperand(i).getType());
  }
  double finish(double value) const {
    return rounding == Rounding::typed ? roundTo(element, value) : value;
  }

  template <typename F> LogicalResult float1(F f) {
    for (size_t i = 0; i < result.cells.size(); ++i)
      result.cells[i].f = finish(f(at(0, i).f));
    return success();
  }
  template <typename F> LogicalResult float2(F f) {
    for (size_t i = 0; i < result.cells.size(); ++i)
      result.cells[i].f = finish(f(at(0, i).f, at(1, i).f));
    return success();
  }
  template <typename F> LogicalResult int1(F f) {
    for (size_t i = 0; i < result.cells.size(); ++i)
      result.cells[i].i = wrapTo(element, f(at(0, i).i));
    return success();
  }
  template <typename F> LogicalResult int2(F f) {
    for (size_t i = 0; i < result.cells.size(); ++i)
      result.cells[i].i = wrapTo(element, f(at(0, i).i, at(1, i).i));
    return success();
  }
  template <typename F> LogicalResult divide(F f) {
    for (size_t i = 0; i < result.cells.size(); ++i) {
      if (at(1, i).i == 0)
        return op->emitOpError("divides an integer by zero");
      result.cells[i].i = wrapTo(element, f(at(0, i).i, at(1, i).i));
    }
    return success();
  }
  // The bits of an operand's cell, zero-extended.
  uint64_t bits(int64_t value) const {
    Type type = operandElement();
    unsigned width = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
    return width >= 64 ? value : value & ((uint64_t(1) << width) - 1);
  }

  LogicalResult dispatch();
  LogicalResult arith();
  LogicalResult integer();
  LogicalResult cast();
  LogicalResult math();
  LogicalResult constant(arith::ConstantOp op);
  LogicalResult compareFloats(arith::CmpFOp op);
  LogicalResult compareIntegers(arith::CmpIOp op);
  LogicalResult bitcast();

  Operation *op;
  ArrayRef<const HostTile *> operands;
  Rounding rounding;
  HostTile result;
  HostTile second; // of ops with two results
  Type element;
};

} // namespace

LogicalResult Elementwise::constant(arith::ConstantOp op) {
  auto set = [&](Cell &cell, Attribute value) {
    if (auto number = dyn_cast<FloatAttr>(value))
      cell.f = number.getValueAsDouble();
    else
      cell.i = wrapTo(element, llvm::cast<IntegerAttr>(value).getInt());
  };
  auto dense = dyn_cast<DenseElementsAttr>(op.getValue());
  if (!dense) {
    set(result.cells[0], op.getValue());
    return success();
  }
  for (auto [cell, value] :
       llvm::zip(result.cells, dense.getValues<Attribute>()))
    set(cell, value);
  return success();
}

LogicalResult Elementwise::compareFloats(arith::CmpFOp op) {
  // The low bits of the predicate's number say what it accepts.
  using P = arith::CmpFPredicate;
  for (size_t i = 0; i < result.cells.size(); ++i) {
    double a = at(0, i).f, b = at(1, i).f;
    bool unordered = std::isnan(a) || std::isnan(b), value = false;
    switch (op.getPredicate()) {
    case P::AlwaysFalse:
      value = false;
      break;
    case P::OEQ:
      value = !unordered && a == b;
      break;
    case P::OGT:
      value = !unordered && a > b;
      break;
    case P::OGE:
      value = !unordered && a >= b;
      break;
    case P::OLT:
      value = !unordered && a < b;
      break;
    case P::OLE:
      value = !unordered && a <= b;
      break;
    case P::ONE:
      value = !unordered && a != b;
      break;
    case P::ORD:
      value = !unordered;
      break;
    case P::UEQ:
      value = unordered || a == b;
      break;
    case P::UGT:
      value = unordered || a > b;
      break;
    case P::UGE:
      value = unordered || a >= b;
      break;
    case P::ULT:
      value = unordered || a < b;
      break;
    case P::ULE:
      value = unordered || a <= b;
      break;
    case P::UNE:
      value = unordered || a != b;
      break;
    case P::UNO:
      value = unordered;
      break;
    case P::AlwaysTrue:
      value = true;
      break;
    }
    result.cells[i].i = value;
  }
  return success();
}

LogicalResult Elementwise::compareIntegers(arith::CmpIOp op) {
  using P = arith::CmpIPredicate;
  bool one = operandElement().isInteger(1);
  for (size_t i = 0; i < result.cells.size(); ++i) {
    // A set i1 is -1 when compared as signed.
    int64_t a = one ? -at(0, i).i : at(0, i).i;
    int64_t b = one ? -at(1, i).i : at(1, i).i;
    uint64_t ua = bits(a), ub = bits(b);
    bool value = false;
    switch (op.getPredicate()) {
    case P::eq:
      value = a == b;
      break;
    case P::ne:
      value = a != b;
      break;
    case P::slt:
      value = a < b;
      break;
    case P::sle:
      value = a <= b;
      break;
    case P::sgt:
      value = a > b;
      break;
    case P::sge:
      value = a >= b;
      break;
    case P::ult:
      value = ua < ub;
      break;
    case P::ule:
      value = ua <= ub;
      break;
    case P::ugt:
      value = ua > ub;
      break;
    case P::uge:
      value = ua >= ub;
      break;
    }
    result.cells[i].i = value;
  }
  return success();
}

LogicalResult Elementwise::arith() {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](arith::ConstantOp op) { return constant(op); })
      .Case([&](arith::CmpFOp op) { return compareFloats(op); })
      .Case([&](arith::CmpIOp op) { return compareIntegers(op); })
      .Case([&](arith::SelectOp) {
        for (size_t i = 0; i < result.cells.size(); ++i)
          result.cells[i] = at(0, i).i ? at(1, i) : at(2, i);
        return success();
      })
      .Case([&](arith::AddFOp) { return float2(std::plus<double>()); })
      .Case([&](arith::SubFOp) { return float2(std::minus<double>()); })
      .Case([&](arith::MulFOp) { return float2(std::multiplies<double>()); })
      .Case([&](arith::DivFOp) { return float2(std::divides<double>()); })
      .Case([&](arith::NegFOp) { return float1(std::negate<double>()); })
      .Case([&](arith::RemFOp) {
        return float2([](double a, double b) { return std::fmod(a, b); });
      })
      .Case([&](arith::MaximumFOp) {
        return float2([](double a, double b) {
          return std::isnan(a) || std::isnan(b) ? NAN : std::fmax(a, b);
        });
      })
      .Case([&](arith::MinimumFOp) {
        return float2([](double a, double b) {
          return std::isnan(a) || std::isnan(b) ? NAN : std::fmin(a, b);
        });
      })
      .Case([&](arith::MaxNumFOp) {
        return float2([](double a, double b) { return std::fmax(a, b); });
      })
      .Case([&](arith::MinNumFOp) {
        return float2([](double a, double b) { return std::fmin(a, b); });
      })
      .Default([&](Operation *) { return integer(); });
}

LogicalResult Elementwise::integer() {
  using U = uint64_t;
  unsigned width = element.isIndex() || !element.isInteger()
                       ? 64
                       : element.getIntOrFloatBitWidth();
  auto shifted = [&](auto f) {
    return int2([&](int64_t a, int64_t b) -> int64_t {
      return U(b) >= width ? 0 : f(a, b);
    });
  };
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](arith::AddIOp) {
        return int2([](int64_t a, int64_t b) { return U(a) + U(b); });
      })
      .Case([&](arith::SubIOp) {
        return int2([](int64_t a, int64_t b) { return U(a) - U(b); });
      })
      .Case([&](arith::MulIOp) {
        return int2([](int64_t a, int64_t b) { return U(a) * U(b); });
      })
      .Case([&](arith::MulUIExtendedOp) {
        second = HostTile(op->getResult(1).getType());
        for (size_t i = 0; i < result.cells.size(); ++i) {
          auto product = static_cast<unsigned __int128>(bits(at(0, i).i)) *
                         bits(at(1, i).i);
          result.cells[i].i = wrapTo(element, static_cast<int64_t>(product));
          second.cells[i].i =
              wrapTo(element, static_cast<int64_t>(product >> width));
        }
        return success();
      })
      .Case([&](arith::DivSIOp) {
        return divide(
            [](int64_t a, int64_t b) { return b == -1 ? -U(a) : a / b; });
      })
      .Case([&](arith::RemSIOp) {
        return divide([](int64_t a, int64_t b) { return b == -1 ? 0 : a % b; });
      })
      .Case([&](arith::DivUIOp) {
        return divide([&](int64_t a, int64_t b) { return bits(a) / bits(b); });
      })
      .Case([&](arith::RemUIOp) {
        return divide([&](int64_t a, int64_t b) { return bits(a) % bits(b); });
      })
      .Case([&](arith::FloorDivSIOp) {
        return divide([](int64_t a, int64_t b) {
          return b == -1 ? -U(a) : a / b - (a % b != 0 && (a < 0) != (b < 0));
        });
      })
      .Case([&](arith::CeilDivSIOp) {
        return divide([](int64_t a, int64_t b) {
          return b == -1 ? -U(a) : a / b + (a % b != 0 && (a < 0) == (b < 0));
        });
      })
      .Case([&](arith::CeilDivUIOp) {
        return divide([&](int64_t a, int64_t b) {
          return bits(a) / bits(b) + (bits(a) % bits(b) != 0);
        });
      })
      .Case([&](arith::AndIOp) { return int2(std::bit_and<int64_t>()); })
      .Case([&](arith::OrIOp) { return int2(std::bit_or<int64_t>()); })
      .Case([&](arith::XOrIOp) { return int2(std::bit_xor<int64_t>()); })
      .Case([&](arith::ShLIOp) {
        return shifted([](int64_t a, int64_t b) { return U(a) << b; });
      })
      .Case([&](arith::ShRUIOp) {
        return shifted([&](int64_t a, int64_t b) { return bits(a) >> b; });
      })
      .Case([&](arith::ShRSIOp) {
        return shifted([](int64_t a, int64_t b) { return a >> b; });
      })
      .Case([&](arith::MaxSIOp) {
        return int2([](int64_t a, int64_t b) { return std::max(a, b); });
      })
      .Case([&](arith::MinSIOp) {
        return int2([](int64_t a, int64_t b) { return std::min(a, b); });
      })
      .Case([&](arith::MaxUIOp) {
        return int2(
            [&](int64_t a, int64_t b) { return bits(a) > bits(b) ? a : b; });
      })
      .Case([&](arith::MinUIOp) {
        return int2(
            [&](int64_t a, int64_t b) { return bits(a) < bits(b) ? a : b; });
      })
      .Default([&](Operation *) { return cast(); });
}

LogicalResult Elementwise::cast() {
  auto toFloat = [&](auto f) {
    for (size_t i = 0; i < result.cells.size(); ++i)
      result.cells[i].f = finish(f(at(0, i).i));
    return success();
  };
  auto toInt = [&](auto f) {
    for (size_t i = 0; i < result.cells.size(); ++i)
      result.cells[i].i = wrapTo(element, f(at(0, i).f));
    return success();
  };
  bool one = op->getNumOperands() && operandElement().isInteger(1);
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<arith::ExtFOp, arith::TruncFOp>(
          [&](Operation *) { return float1([](double a) { return a; }); })
      .Case([&](arith::SIToFPOp) {
        return toFloat([&](int64_t a) { return double(one ? -a : a); });
      })
      .Case([&](arith::UIToFPOp) {
        return toFloat([&](int64_t a) { return double(bits(a)); });
      })
      .Case([&](arith::FPToSIOp) {
        return toInt([](double a) { return static_cast<int64_t>(a); });
      })
      .Case([&](arith::FPToUIOp) {
        return toInt([](double a) { return static_cast<uint64_t>(a); });
      })
      .Case<arith::ExtUIOp, arith::IndexCastUIOp>(
          [&](Operation *) { return int1([&](int64_t a) { return bits(a); }); })
      .Case<arith::ExtSIOp, arith::TruncIOp, arith::IndexCastOp>(
          [&](Operation *) {
            return int1([&](int64_t a) { return one ? -a : a; });
          })
      .Case([&](arith::BitcastOp) { return bitcast(); })
      .Default([&](Operation *) { return math(); });
}

LogicalResult Elementwise::bitcast() {
  auto source = dyn_cast<FloatType>(operandElement());
  auto target = dyn_cast<FloatType>(element);
  for (size_t i = 0; i < result.cells.size(); ++i) {
    APInt raw;
    if (source) {
      APFloat number(at(0, i).f);
      bool lost;
      number.convert(source.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                     &lost);
      raw = number.bitcastToAPInt();
    } else {
      raw = APInt(operandElement().getIntOrFloatBitWidth(), bits(at(0, i).i));
    }
    if (!target) {
      result.cells[i].i = wrapTo(element, raw.getSExtValue());
      continue;
    }
    APFloat number(target.getFloatSemantics(), raw);
    bool lost;
    number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
    result.cells[i].f = number.convertToDouble();
  }
  return success();
}

LogicalResult Elementwise::math() {
  auto test = [&](auto f) {
    for (size_t i = 0; i < result.cells.size(); ++i)
      result.cells[i].i = f(at(0, i).f);
    return success();
  };
#define FLOAT1(OP, EXPR)                                                       \
  .Case([&](math::OP) { return float1([](double a) { return EXPR; }); })
#define FLOAT2(OP, EXPR)                                                       \
  .Case([&](math::OP) {                                                        \
    return float2([](double a, double b) { return EXPR; });                    \
  })
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      // clang-format off
      FLOAT1(ExpOp, std::exp(a))
      FLOAT1(Exp2Op, std::exp2(a))
      FLOAT1(ExpM1Op, std::expm1(a))
      FLOAT1(LogOp, std::log(a))
      FLOAT1(Log2Op, std::log2(a))
      FLOAT1(Log1pOp, std::log1p(a))
      FLOAT1(TanhOp, std::tanh(a))
      FLOAT1(ErfOp, std::erf(a))
      FLOAT1(ErfcOp, std::erfc(a))
      FLOAT1(SqrtOp, std::sqrt(a))
      FLOAT1(RsqrtOp, 1.0 / std::sqrt(a))
      FLOAT1(CbrtOp, std::cbrt(a))
      FLOAT1(SinOp, std::sin(a))
      FLOAT1(CosOp, std::cos(a))
      FLOAT1(TanOp, std::tan(a))
      FLOAT1(SinhOp, std::sinh(a))
      FLOAT1(CoshOp, std::cosh(a))
      FLOAT1(AtanOp, std::atan(a))
      FLOAT1(AbsFOp, std::fabs(a))
      FLOAT1(FloorOp, std::floor(a))
      FLOAT1(CeilOp, std::ceil(a))
      FLOAT1(TruncOp, std::trunc(a))
      FLOAT1(RoundOp, std::round(a))
      FLOAT1(RoundEvenOp, std::nearbyint(a))
      FLOAT2(PowFOp, std::pow(a, b))
      FLOAT2(Atan2Op, std::atan2(a, b))
      FLOAT2(CopySignOp, std::copysign(a, b))
                                      // clang-format on
                                      .Case([&](math::FmaOp) {
                                        for (size_t i = 0;
                                             i < result.cells.size(); ++i)
                                          result.cells[i].f = finish(
                                              std::fma(at(0, i).f, at(1, i).f,
                                                       at(2, i).f));
                                        return success();
                                      })
                                      .Case([&](math::AbsIOp) {
                                        return int1([](int64_t a) {
                                          return a < 0 ? -uint64_t(a) : a;
                                        });
                                      })
                                      .Case([&](math::IsFiniteOp) {
                                        return test([](double a) {
                                          return std::isfinite(a);
                                        });
                                      })
                                      .Case([&](math::IsNaNOp) {
                                        return test([](double a) {
                                          return std::isnan(a);
                                        });
                                      })
                                      .Case([&](math::IsInfOp) {
                                        return test([](double a) {
                                          return std::isinf(a);
                                        });
                                      })
                                      .Default([&](Operation *) {
                                        return op->emitOpError(
                                            "is not known to the interpreter");
                                      });
#undef FLOAT1
#undef FLOAT2
}

FailureOr<SmallVector<HostTile>> Elementwise::compute() {
  if (failed(arith()))
    return failure();
  SmallVector<HostTile> results;
  results.push_back(std::move(result));
  if (op->getNumResults() == 2)
    results.push_back(std::move(second));
  return results;
}

FailureOr<SmallVector<HostTile>> tarn::tile::computeElementwise(
    Operation *op, ArrayRef<const HostTile *> operands, Rounding rounding) {
  return Elementwise(op, operands, rounding).compute();
}
