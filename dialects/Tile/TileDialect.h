//===- TileDialect.h - the dialect `tile` -----------------------*- C++ -*-===//

#ifndef DIALECTS_TILE_TILEDIALECT_H
#define DIALECTS_TILE_TILEDIALECT_H

#include "mlir/IR/Dialect.h"

#include "dialects/Tile/TileDialect.h.inc"

#endif // DIALECTS_TILE_TILEDIALECT_H
