//===- Convert.cpp - conversions between float types ----------------------===//
//
// bf16 is rounded with integer arithmetic where the machine cannot: LLVM would
// call a function for each lane.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cpu/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::cpu;

bool tarn::cpu::isNarrowFloat(Type type) {
  return isa<FloatType>(type) && type.getIntOrFloatBitWidth() < 32;
}

/// `type` with other elements; `type` may be a scalar.
static Type withElements(Type type, Type elements) {
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.clone(elements);
  return elements;
}

Type tarn::cpu::memoryType(Type elementType) {
  if (elementType.isInteger(1))
    return IntegerType::get(elementType.getContext(), 8);
  if (isNarrowFloat(elementType))
    return IntegerType::get(elementType.getContext(),
                            elementType.getIntOrFloatBitWidth());
  return elementType;
}

/// As read from memory -> as computed with.
Value Emitter::fromMemory(Value value, Type elementType) {
  Type type = withElements(value.getType(), elementType);
  if (isNarrowFloat(elementType))
    return arith::BitcastOp::create(b, loc, type, value);
  if (elementType.isInteger(1))
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, value,
                                 zeroOf(value.getType()));
  return value;
}

Value Emitter::toMemory(Value value) {
  Type elementType = getElementTypeOrSelf(value.getType());
  Type type = withElements(value.getType(), memoryType(elementType));
  if (isNarrowFloat(elementType))
    return arith::BitcastOp::create(b, loc, type, value);
  if (elementType.isInteger(1))
    return arith::ExtUIOp::create(b, loc, type, value);
  return value;
}

/// A scalar in all lanes.
Value Emitter::spread(Value scalar, int64_t lanes) {
  Value bits = isNarrowFloat(scalar.getType()) ? toMemory(scalar) : scalar;
  Value vector = vector::BroadcastOp::create(
      b, loc, VectorType::get(lanes, bits.getType()), bits);
  return bits == scalar ? vector : fromMemory(vector, scalar.getType());
}

Value Emitter::firstLane(Value vector) {
  Type elementType = getElementTypeOrSelf(vector.getType());
  if (!isNarrowFloat(elementType))
    return vector::ExtractOp::create(b, loc, vector, int64_t(0));
  return fromMemory(
      vector::ExtractOp::create(b, loc, toMemory(vector), int64_t(0)),
      elementType);
}

namespace {

/// Integer arithmetic on lanes of f32 bits.
struct Bits {
  OpBuilder &b;
  Location loc;
  Type type;

  Value constant(int64_t value) {
    auto element = b.getIntegerAttr(getElementTypeOrSelf(type), value);
    if (auto vector = dyn_cast<VectorType>(type))
      return arith::ConstantOp::create(
          b, loc, DenseElementsAttr::get(vector, Attribute(element)));
    return arith::ConstantOp::create(b, loc, element);
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, loc, x, y); }
  Value band(Value x, int64_t y) {
    return arith::AndIOp::create(b, loc, x, constant(y));
  }
  Value bor(Value x, int64_t y) {
    return arith::OrIOp::create(b, loc, x, constant(y));
  }
  Value right(Value x, int64_t count) {
    return arith::ShRUIOp::create(b, loc, x, constant(count));
  }
};

} // namespace

/// Round to nearest even; a NaN keeps its upper bits and becomes quiet.
static Value roundToBf16(OpBuilder &b, Location loc, Value value) {
  Type type = value.getType();
  Bits bits{b, loc, withElements(type, b.getI32Type())};
  Value in = arith::BitcastOp::create(b, loc, bits.type, value);
  Value odd = bits.band(bits.right(in, 16), 1);
  Value rounded =
      bits.right(bits.add(bits.add(in, bits.constant(0x7fff)), odd), 16);
  Value quiet = bits.bor(bits.right(in, 16), 0x40);
  Value isNan =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, value, value);
  Value result = arith::SelectOp::create(b, loc, isNan, quiet, rounded);
  Value half = arith::TruncIOp::create(
      b, loc, withElements(type, b.getI16Type()), result);
  return arith::BitcastOp::create(b, loc, withElements(type, b.getBF16Type()),
                                  half);
}

/// Round to nearest, ties away from zero; a NaN stays one.
Value Emitter::roundToTf32(Value value) {
  Bits bits{b, loc, withElements(value.getType(), b.getI32Type())};
  Value in = arith::BitcastOp::create(b, loc, bits.type, value);
  Value rounded = bits.band(bits.add(in, bits.constant(0x1000)), ~0x1fff);
  Value isNan =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, value, value);
  return arith::SelectOp::create(
      b, loc, isNan, value,
      arith::BitcastOp::create(b, loc, value.getType(), rounded));
}

Value Emitter::convertFloat(Value value, Type elementType) {
  Type from = getElementTypeOrSelf(value.getType());
  if (from == elementType)
    return value;
  Type to = withElements(value.getType(), elementType);
  // Between two narrow types, and from f64 to one: by way of f32. The second
  // rounding is the program's own, there is no direct way on any machine.
  if (isNarrowFloat(elementType) && !from.isF32())
    return convertFloat(convertFloat(value, b.getF32Type()), elementType);
  if (isNarrowFloat(from) && !elementType.isF32())
    return convertFloat(convertFloat(value, b.getF32Type()), elementType);
  if (from.isBF16() && !level.hasBf16) {
    // The upper half of an f32.
    Value half = arith::BitcastOp::create(
        b, loc, withElements(to, b.getI16Type()), value);
    Bits bits{b, loc, withElements(to, b.getI32Type())};
    Value wide = arith::ShLIOp::create(
        b, loc, arith::ExtUIOp::create(b, loc, bits.type, half),
        bits.constant(16));
    return arith::BitcastOp::create(b, loc, to, wide);
  }
  if (from.getIntOrFloatBitWidth() < elementType.getIntOrFloatBitWidth())
    return arith::ExtFOp::create(b, loc, to, value);
  if (elementType.isBF16() && !level.hasBf16)
    return roundToBf16(b, loc, value);
  return arith::TruncFOp::create(b, loc, to, value);
}
