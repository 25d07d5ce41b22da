//===- TileOps.h - ops of the dialect `tile` --------------------*- C++ -*-===//

#ifndef DIALECTS_TILE_TILEOPS_H
#define DIALECTS_TILE_TILEOPS_H

#include "dialects/Tile/TileDialect.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

#include "dialects/Tile/TileEnums.h.inc"

namespace tarn::tile {

using namespace mlir;

/// The buffer dim that each dim of a tile spans: `dims` where given, else the
/// trailing dims of the buffer.
llvm::SmallVector<int64_t> tileDims(mlir::ArrayAttr dims,
                                    mlir::MemRefType buffer,
                                    mlir::RankedTensorType tile);

} // namespace tarn::tile

#define GET_OP_CLASSES
#include "dialects/Tile/TileOps.h.inc"

#endif // DIALECTS_TILE_TILEOPS_H
