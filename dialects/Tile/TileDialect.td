//===- TileDialect.td - the dialect `tile` --------------------------------===//

#ifndef DIALECTS_TILE_TILEDIALECT_TD
#define DIALECTS_TILE_TILEDIALECT_TD

include "mlir/IR/OpBase.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let cppNamespace = "::tarn::tile";
  let summary = "the program of one block, on block-sized values";
}

#endif
