//===- TileDialect.td - the dialect `tile` --------------------------------===//

#ifndef DIALECTS_TILE_TILEDIALECT_TD
#define DIALECTS_TILE_TILEDIALECT_TD

include "mlir/IR/OpBase.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let cppNamespace = "::tarn::tile";
  let summary = "the program of one block, on block-sized values";
  let description = [{
    A kernel is a grid of blocks; a block loads tiles (static tensors of rank
    0 to 3) from buffers, computes on them with `arith`, `math`, `scf` and the
    ops below, and stores tiles. Nobody names threads, lanes, registers,
    barriers or copies: those are the targets' lowering. README.md beside this
    file has the op list on one page and the reasons.

    ```mlir
    tile.kernel @scale(%x: memref<1000xf32>, %y: memref<1000xf32>)
        access ["read", "write"] grid (%i = 1000 by 256) {
      %t = tile.load %x[%i] : memref<1000xf32> -> tensor<256xf32>
      %u = arith.addf %t, %t : tensor<256xf32>
      tile.store %u, %y[%i] : tensor<256xf32>, memref<1000xf32>
      tile.return
    }
    ```

    Attributes on other ops:
    - `tile.turns` on an `scf.for` whose bounds are read from memory: how many
      turns it makes on the average, a number that is not negative; the cost
      model counts with it (f64)
    - `tile.library`, `tile.tune`, `tile.tuned` on a `tile.kernel`: who runs it,
      and what was or is to be measured
  }];
  let hasOperationAttrVerify = 1;
}

#endif
