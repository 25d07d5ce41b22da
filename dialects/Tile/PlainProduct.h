//===- PlainProduct.h - kernels that are one product ------------*- C++ -*-===//
//
// Whether a tile program is nothing but a product of matrices, with at most a
// sum behind it: then a library may run it in the program's place. Decided by
// what the program reads, computes and stores, whoever wrote it.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_TILE_PLAINPRODUCT_H
#define DIALECTS_TILE_PLAINPRODUCT_H

#include "dialects/Tile/TileOps.h"

#include <optional>
#include <string>

namespace tarn::tile {

/// A matrix in a buffer, or a batch of them. Distances are elements.
struct ProductMatrix {
  unsigned buffer = 0;
  mlir::Type element;
  int64_t offset = 0; ///< of the first element in the buffer
  /// Memory runs along the rows of the matrix, or of its transpose.
  bool isTransposed = false;
  int64_t leading = 0; ///< between neighbours across the direction of memory
  int64_t stride = 0;  ///< between matrices of the batch; 0: one for all
};

/// d = a b, d = a b + addend or d = a b + bias: sums in f32, rounded once, to
/// the type of d.
struct PlainProduct {
  int64_t rows = 0, columns = 0, depth = 0, batch = 1;
  bool isTf32 = false; ///< the elements of a and b are rounded to tf32
  ProductMatrix a, b, d;
  /// Lies in its buffer as d does in its own.
  std::optional<unsigned> addend;
  /// Buffer with an element for each column.
  std::optional<unsigned> bias;
};

/// What the kernel multiplies; nothing, and `why` it is no plain product, if it
/// does anything else.
std::optional<PlainProduct> findPlainProduct(KernelOp kernel, std::string &why);

} // namespace tarn::tile

#endif // DIALECTS_TILE_PLAINPRODUCT_H
