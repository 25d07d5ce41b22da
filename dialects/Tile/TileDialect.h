//===- TileDialect.h - the dialect `tile` ---------------------------------===//

#ifndef DIALECTS_TILE_TILEDIALECT_H
#define DIALECTS_TILE_TILEDIALECT_H

#include "mlir/IR/Dialect.h"

#include "dialects/Tile/TileDialect.h.inc"

#endif
