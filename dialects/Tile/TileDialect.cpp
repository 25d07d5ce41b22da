//===- TileDialect.cpp - registration of the dialect `tile` ---------------===//

#include "dialects/Tile/TileDialect.h"
#include "dialects/Tile/TileOps.h"

#include "dialects/Tile/TileDialect.cpp.inc"

void tarn::tile::TileDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/Tile/TileOps.cpp.inc"
      >();
}
