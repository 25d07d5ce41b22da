//===- TileDialect.cpp - registration of the dialect `tile` ---------------===//

#include "dialects/Tile/TileDialect.h"

#include "dialects/Tile/TileDialect.cpp.inc"

void tarn::tile::TileDialect::initialize() {}
