//===- Passes.td - phase `tile`: clusters become tile programs ------------===//

#ifndef PASSES_TILE_PASSES_TD
#define PASSES_TILE_PASSES_TD

include "mlir/Pass/PassBase.td"

def TarnMaterializeTiles : Pass<"tarn-materialize-tiles", "::mlir::ModuleOp"> {
  let summary = "Write the tile program of every cluster";
  let description = [{
    What: each `tarn.cluster` gets an attribute `kernel`, the symbol of a
    `tile.kernel` whose buffers are the cluster's inputs and then its outputs.
    Clusters with equal programs share one kernel. Programs are derived from
    the ops' indexing maps and tile bodies (Derivation.h); attention and
    scatter bring their own. Block sizes fit the caches of a CPU level, or with
    `gpu` the registers and the shared memory of a multiprocessor; the module
    says so in `tarn.machine`, for programs that are written later (variants of
    the planner).
    With a file of `tarn bench --tune`, a product that it knows gets the block
    or the library that was the fastest. With `gemm=cublaslt`, other products that are plain (PlainProduct.h) and that
    cuBLASLt takes (LibraryProducts.h) are marked: the library runs them in their
    programs' place. A remark says so of each product, or why not.

    When: phase tile, after fuse.

    Example: see test/passes/Tile/materialize-tiles.mlir.

    Limits: a tile has at most three dims; a gather spans at most one dim of its
    indices.

    Numerics: reassociates (the order of sums is the program's from here on).
  }];
  let options = [
    Option<"forGpu", "gpu", "bool", /*default=*/"false",
           "blocks for the multiprocessors of a GPU">,
    Option<"gemm", "gemm", "std::string", /*default=*/"\"own\"",
           "who runs plain products on a GPU: own or cublaslt">,
    Option<"tuneFile", "tune-file", "std::string", /*default=*/"\"\"",
           "file with the fastest candidate of each product; empty: none">,
    Option<"architecture", "architecture", "std::string", /*default=*/"\"\"",
           "the GPU's, as sm_90a: then products may have the blocks of its wgmma">
  ];
  let dependentDialects = ["::tarn::tile::TileDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::scf::SCFDialect"];
}

#endif // PASSES_TILE_PASSES_TD
