//===- Elementwise.h - what elementwise ops have in common ------*- C++ -*-===//
//
// The records of ElementwiseOps.td expand to calls of these templates. They are
// templates so that the scalar formula is inlined into the loop.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_TARN_ELEMENTWISE_H
#define DIALECTS_TARN_ELEMENTWISE_H

#include "dialects/Tarn/HostTensor.h"
#include "dialects/Tarn/TarnOps.h"
#include "dialects/Tarn/TileMath.h"

#include <cmath>

namespace tarn::graph {

/// The larger number; NaN if one is.
inline double maximum(double x, double y) {
  return x >= y ? x : (y >= x ? y : std::nan(""));
}

/// The smaller number; NaN if one is.
inline double minimum(double x, double y) {
  return x <= y ? x : (y <= x ? y : std::nan(""));
}

/// Whether results must be wrapped to an integer type.
inline bool isWrapped(mlir::Type elementType) {
  return elementType.isInteger(32) || elementType.isInteger(64);
}

/// The type of the only result.
inline mlir::RankedTensorType resultType(mlir::Operation *op) {
  return tensorType(op->getResult(0));
}

/// result[i] = formula(x[i])
template <typename Formula>
mlir::LogicalResult
mapUnary(mlir::Operation *op, llvm::ArrayRef<HostTensor> operands,
         llvm::SmallVectorImpl<HostTensor> &results, Formula formula) {
  HostTensor &r = results.emplace_back(resultType(op));
  const double *x = operands[0].data.data();
  for (int64_t i = 0, n = r.size(); i != n; ++i)
    r.data[i] = formula(x[i]);
  if (isWrapped(r.type.getElementType()))
    roundToElementType(r);
  return mlir::success();
}

/// result[i] = formula(x[i], y[i])
template <typename Formula>
mlir::LogicalResult
mapBinary(mlir::Operation *op, llvm::ArrayRef<HostTensor> operands,
          llvm::SmallVectorImpl<HostTensor> &results, Formula formula) {
  HostTensor &r = results.emplace_back(resultType(op));
  const double *x = operands[0].data.data(), *y = operands[1].data.data();
  for (int64_t i = 0, n = r.size(); i != n; ++i)
    r.data[i] = formula(x[i], y[i]);
  if (isWrapped(r.type.getElementType()))
    roundToElementType(r);
  return mlir::success();
}

/// Widens the operand tile, applies the body, rounds to the operand's type.
template <typename Body>
mlir::FailureOr<llvm::SmallVector<mlir::Value>>
tileUnary(mlir::OpBuilder &builder, mlir::Location loc,
          mlir::ValueRange operandTiles, Body body) {
  TileMath m(builder, loc);
  mlir::Value result = body(m, m.widen(operandTiles[0]));
  return llvm::SmallVector<mlir::Value>{
      m.cast(result, getElementTypeOrSelf(operandTiles[0].getType()))};
}

/// The same for two operands.
template <typename Body>
mlir::FailureOr<llvm::SmallVector<mlir::Value>>
tileBinary(mlir::OpBuilder &builder, mlir::Location loc,
           mlir::ValueRange operandTiles, Body body) {
  TileMath m(builder, loc);
  mlir::Value result =
      body(m, m.widen(operandTiles[0]), m.widen(operandTiles[1]));
  return llvm::SmallVector<mlir::Value>{
      m.cast(result, getElementTypeOrSelf(operandTiles[0].getType()))};
}

} // namespace tarn::graph

#endif // DIALECTS_TARN_ELEMENTWISE_H
