//===- LibraryProducts.h - products that a library may run ------*- C++ -*-===//
//
// cuBLASLt is a candidate for plain products. It says "not supported" without a
// reason, so its limits are checked here, with one.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_TILE_LIBRARYPRODUCTS_H
#define PASSES_TILE_LIBRARYPRODUCTS_H

#include "dialects/Tile/PlainProduct.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace tarn {

/// What the library may work in on an architecture ("sm_90a"), in bytes.
int64_t libraryWorkspace(llvm::StringRef architecture);

/// Why the library does not take a product; empty if it does.
std::string libraryProblem(const tile::PlainProduct &product);

/// The product that the library can run in the kernel's place; nothing, and
/// why, if there is none.
std::optional<tile::PlainProduct> findLibraryProduct(tile::KernelOp kernel,
                                                     std::string &why);

/// `128 x 192 x 64 bf16 -> f32 + bias`: rows, columns, terms.
std::string describeProduct(const tile::PlainProduct &product);

/// Of a module: who runs its products. Absent: kernels of Tarn's do.
constexpr llvm::StringLiteral gemmAttr = "tarn.gemm";

/// Kernels that are written into a module get who runs them.
class ProductChooser {
public:
  explicit ProductChooser(mlir::ModuleOp module);
  /// Decides for a kernel of a product, and says so in a remark.
  void choose(tile::KernelOp kernel) const;

private:
  mlir::DictionaryAttr gemm;
};

} // namespace tarn

#endif // PASSES_TILE_LIBRARYPRODUCTS_H
