//===- HostTensor.cpp - a tensor of the reference interpreters ------------===//

#include "dialects/Tarn/HostTensor.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/APInt.h"

#include <cmath>

using namespace mlir;
using namespace tarn;

static double fromFloat(const llvm::APFloat &value) {
  llvm::APFloat copy = value;
  bool loses = false;
  copy.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven,
               &loses);
  return copy.convertToDouble();
}

static double fromInt(const llvm::APInt &value) {
  return value.getBitWidth() == 1 ? double(value.getZExtValue())
                                  : double(value.getSExtValue());
}

HostTensor HostTensor::fromAttribute(ElementsAttr attribute) {
  HostTensor tensor(cast<RankedTensorType>(attribute.getType()));
  bool isFloat = isa<FloatType>(attribute.getElementType());
  if (attribute.isSplat()) {
    double value = isFloat ? fromFloat(attribute.getSplatValue<llvm::APFloat>())
                           : fromInt(attribute.getSplatValue<llvm::APInt>());
    tensor.data.assign(tensor.data.size(), value);
    return tensor;
  }
  size_t i = 0;
  if (isFloat)
    for (const llvm::APFloat &value : attribute.getValues<llvm::APFloat>())
      tensor.data[i++] = fromFloat(value);
  else
    for (const llvm::APInt &value : attribute.getValues<llvm::APInt>())
      tensor.data[i++] = fromInt(value);
  return tensor;
}

DenseElementsAttr HostTensor::toAttribute() const {
  Type elementType = type.getElementType();
  if (auto floatType = dyn_cast<FloatType>(elementType)) {
    SmallVector<llvm::APFloat> values;
    values.reserve(data.size());
    for (double value : data) {
      llvm::APFloat number(value);
      bool loses = false;
      number.convert(floatType.getFloatSemantics(),
                     llvm::APFloat::rmNearestTiesToEven, &loses);
      values.push_back(number);
    }
    return DenseElementsAttr::get(type, values);
  }
  SmallVector<llvm::APInt> values;
  values.reserve(data.size());
  unsigned bits = elementType.getIntOrFloatBitWidth();
  for (double value : data)
    values.push_back(
        llvm::APInt(64, static_cast<int64_t>(value), true).trunc(bits));
  return DenseElementsAttr::get(type, values);
}

SmallVector<int64_t> tarn::rowMajorStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t d = int64_t(shape.size()) - 2; d >= 0; --d)
    strides[d] = strides[d + 1] * shape[d + 1];
  return strides;
}

// Rounds to a float format with less precision than double by way of its bits:
// `digits` significant bits, least exponent `minExponent`.
static double roundFloat(double value, int digits, int minExponent,
                         double largest) {
  if (value == 0 || !std::isfinite(value))
    return value;
  int exponent = 0;
  std::frexp(value, &exponent);
  int lsb = std::max(exponent - digits, minExponent - digits + 1);
  double rounded = std::ldexp(std::nearbyint(std::ldexp(value, -lsb)), lsb);
  if (std::abs(rounded) > largest)
    return std::copysign(INFINITY, value);
  return rounded;
}

double tarn::roundToElementType(double value, Type type) {
  if (type.isF32())
    return static_cast<float>(value);
  if (type.isBF16())
    return roundFloat(value, 8, -126, 0x1.FEp127);
  if (type.isF16())
    return roundFloat(value, 11, -14, 65504);
  if (type.isInteger(1))
    return value != 0;
  // An integer divided by zero is 0.
  if (isa<IntegerType>(type) && !std::isfinite(value))
    return 0;
  if (type.isInteger(32)) {
    if (value >= -0x1p31 && value < 0x1p31)
      return std::trunc(value);
    double wrapped = std::fmod(std::trunc(value), 0x1p32);
    if (wrapped >= 0x1p31)
      wrapped -= 0x1p32;
    else if (wrapped < -0x1p31)
      wrapped += 0x1p32;
    return wrapped;
  }
  if (type.isInteger(64))
    return std::trunc(value);
  return value;
}

double tarn::roundToTf32(double value) {
  llvm::APFloat number(value);
  bool lost;
  number.convert(llvm::APFloat::FloatTF32(), llvm::APFloat::rmNearestTiesToAway,
                 &lost);
  number.convert(llvm::APFloat::IEEEdouble(),
                 llvm::APFloat::rmNearestTiesToEven, &lost);
  return number.convertToDouble();
}

void tarn::roundToElementType(HostTensor &tensor) {
  Type type = tensor.type.getElementType();
  if (type.isF64())
    return;
  for (double &value : tensor.data)
    value = roundToElementType(value, type);
}
