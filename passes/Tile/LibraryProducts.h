//===- LibraryProducts.h - products that a library may run ------*- C++ -*-===//
//
// cuBLASLt is a candidate for plain products. It says "not supported" without a
// reason, so its limits are checked here, with one.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_TILE_LIBRARYPRODUCTS_H
#define PASSES_TILE_LIBRARYPRODUCTS_H

#include "compiler/Cost/Tuning.h"
#include "dialects/Tile/PlainProduct.h"
#include "passes/Tile/TileSizes.h"

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

/// On a kernel that a tuning file chose: the key of its product there.
constexpr llvm::StringLiteral tunedAttr = "tile.tuned";

/// What a module says of its products, from options: `cublaslt` wherever it
/// can, or what a tuning file for `architecture` says of each. Null: nothing.
mlir::DictionaryAttr describeGemm(mlir::MLIRContext *context,
                                  llvm::StringRef gemm,
                                  llvm::StringRef architecture,
                                  const Tuning *tuning);

/// Kernels that are written into a module get who runs them.
class ProductChooser {
public:
  explicit ProductChooser(mlir::ModuleOp module);
  /// Whether there is anything to choose.
  explicit operator bool() const { return bool(gemm); }
  /// What the tuning file says of the product whose kernel, as it is written
  /// without one, has this hash; null: nothing.
  mlir::DictionaryAttr lookup(llvm::StringRef key) const;
  /// Decides for a kernel of a product, written as its `entry` in the tuning
  /// file says (may be null), and says so in a remark. Fails with an error
  /// where the entry cannot be had.
  mlir::LogicalResult choose(tile::KernelOp kernel, llvm::StringRef key,
                             mlir::DictionaryAttr entry) const;

private:
  mlir::DictionaryAttr gemm;
};

/// The block that an entry asks for, if it does.
std::optional<DotBlock> blockOf(mlir::DictionaryAttr entry);

/// "128 x 128 x 64".
std::string blockText(const DotBlock &block);

} // namespace tarn

#endif // PASSES_TILE_LIBRARYPRODUCTS_H
