//===- HostTensor.h - a tensor of the reference interpreters ----*- C++ -*-===//

#ifndef DIALECTS_TARN_HOSTTENSOR_H
#define DIALECTS_TARN_HOSTTENSOR_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"

#include <vector>

namespace tarn {

/// A dense row-major tensor. Every element is a double, whatever the type says:
/// integers up to 53 bits are exact in it, i32 and narrower are stored signed,
/// i1 is 0 or 1.
struct HostTensor {
  mlir::RankedTensorType type;
  std::vector<double> data;

  HostTensor() = default;
  /// A tensor of zeros.
  explicit HostTensor(mlir::RankedTensorType type)
      : type(type), data(type.getNumElements()) {}
  HostTensor(mlir::RankedTensorType type, std::vector<double> data)
      : type(type), data(std::move(data)) {}

  /// The extents.
  llvm::ArrayRef<int64_t> shape() const { return type.getShape(); }
  /// The number of dims.
  int64_t rank() const { return type.getRank(); }
  /// The number of elements.
  int64_t size() const { return static_cast<int64_t>(data.size()); }

  /// Reads a dense constant.
  static HostTensor fromAttribute(mlir::ElementsAttr attribute);
  /// Makes a dense constant; elements are rounded to the element type.
  mlir::DenseElementsAttr toAttribute() const;
};

/// The elements that one step along each dim of a row-major tensor skips.
llvm::SmallVector<int64_t> rowMajorStrides(llvm::ArrayRef<int64_t> shape);

/// Rounds a value to what an element type can hold: floats to nearest even,
/// integers wrapped.
double roundToElementType(double value, mlir::Type elementType);

/// Rounds to 10 bits behind the point in the range of f32, ties away from zero.
double roundToTf32(double value);

/// Rounds all elements to the tensor's element type.
void roundToElementType(HostTensor &tensor);

} // namespace tarn

#endif // DIALECTS_TARN_HOSTTENSOR_H
