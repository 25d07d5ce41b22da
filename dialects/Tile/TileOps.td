//===- TileOps.td - ops of the dialect `tile` ----------------------------===//

#ifndef DIALECTS_TILE_TILEOPS_TD
#define DIALECTS_TILE_TILEOPS_TD

include "dialects/Tile/TileDialect.td"

#endif
