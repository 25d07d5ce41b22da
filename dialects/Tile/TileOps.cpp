//===- TileOps.cpp - builders, syntax and helpers of `tile` ---------------===//

#include "dialects/Tile/TileOps.h"

#include "mlir/Interfaces/FunctionImplementation.h"

using namespace mlir;
using namespace tarn::tile;

#include "dialects/Tile/TileEnums.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/Tile/TileOps.cpp.inc"

SmallVector<int64_t> tarn::tile::tileDims(ArrayAttr dims, MemRefType buffer,
                                          RankedTensorType tile) {
  SmallVector<int64_t> result;
  if (dims) {
    for (auto dim : dims.getAsRange<IntegerAttr>())
      result.push_back(dim.getInt());
    return result;
  }
  for (int64_t d = 0; d < tile.getRank(); ++d)
    result.push_back(buffer.getRank() - tile.getRank() + d);
  return result;
}

//===----------------------------------------------------------------------===//
// Builders
//===----------------------------------------------------------------------===//

// Splits positions into values and constants, as every slice op keeps them.
static void addPositions(ArrayRef<OpFoldResult> positions,
                         SmallVectorImpl<Value> &values,
                         SmallVectorImpl<int64_t> &constants) {
  dispatchIndexOpFoldResults(positions, values, constants);
}

// The `dims` attribute, or none for the default.
static ArrayAttr dimsAttr(OpBuilder &builder, ArrayRef<int64_t> dims) {
  return dims.empty() ? ArrayAttr() : builder.getI64ArrayAttr(dims);
}

void LoadOp::build(OpBuilder &builder, OperationState &state, Type result,
                   Value buffer, ArrayRef<OpFoldResult> positions,
                   ArrayRef<int64_t> dims, TypedAttr pad) {
  SmallVector<Value> values;
  SmallVector<int64_t> constants;
  addPositions(positions, values, constants);
  build(builder, state, result, buffer, values, constants,
        dimsAttr(builder, dims), pad);
}

void GatherOp::build(OpBuilder &builder, OperationState &state, Type result,
                     Value buffer, ArrayRef<OpFoldResult> positions, Value rows,
                     ArrayRef<int64_t> dims, TypedAttr pad) {
  SmallVector<Value> values;
  SmallVector<int64_t> constants;
  addPositions(positions, values, constants);
  build(builder, state, result, buffer, values, constants, rows,
        dimsAttr(builder, dims), pad);
}

void LoadScalarOp::build(OpBuilder &builder, OperationState &state,
                         Value buffer, ArrayRef<OpFoldResult> positions) {
  SmallVector<Value> values;
  SmallVector<int64_t> constants;
  addPositions(positions, values, constants);
  build(builder, state, cast<MemRefType>(buffer.getType()).getElementType(),
        buffer, values, constants);
}

void StoreOp::build(OpBuilder &builder, OperationState &state, Value value,
                    Value buffer, ArrayRef<OpFoldResult> positions,
                    ArrayRef<int64_t> dims) {
  SmallVector<Value> values;
  SmallVector<int64_t> constants;
  addPositions(positions, values, constants);
  build(builder, state, value, buffer, values, constants,
        dimsAttr(builder, dims));
}

void ScatterOp::build(OpBuilder &builder, OperationState &state, Value value,
                      Value buffer, ArrayRef<OpFoldResult> positions,
                      Value rows, ArrayRef<int64_t> dims) {
  SmallVector<Value> values;
  SmallVector<int64_t> constants;
  addPositions(positions, values, constants);
  build(builder, state, value, buffer, values, constants, rows,
        dimsAttr(builder, dims));
}

void StorePartialOp::build(OpBuilder &builder, OperationState &state,
                           Value value, Value buffer,
                           ArrayRef<OpFoldResult> positions, ValueRange slots,
                           ArrayRef<int64_t> dims) {
  SmallVector<Value> values;
  SmallVector<int64_t> constants;
  addPositions(positions, values, constants);
  build(builder, state, value, buffer, values, constants, slots,
        dimsAttr(builder, dims));
}

void AccumulateOp::build(OpBuilder &builder, OperationState &state, Value value,
                         Value buffer, ArrayRef<OpFoldResult> positions,
                         ValueRange along, Value rows, ArrayRef<int64_t> dims) {
  SmallVector<Value> values;
  SmallVector<int64_t> constants;
  addPositions(positions, values, constants);
  build(builder, state, value, buffer, values, constants, along, rows,
        dimsAttr(builder, dims));
}

SmallVector<int64_t> StorePartialOp::getTileDims() {
  MemRefType buffer = getBuffer().getType();
  int64_t slots = getSlots().size();
  if (!getDimsAttr())
    return tileDims({}, buffer, getTileType());
  SmallVector<int64_t> dims = tileDims(getDimsAttr(), buffer, getTileType());
  for (int64_t &dim : dims)
    dim += slots;
  return dims;
}

LogicalResult ReduceOp::inferReturnTypes(MLIRContext *context,
                                         std::optional<Location> loc,
                                         Adaptor adaptor,
                                         SmallVectorImpl<Type> &inferred) {
  auto type = cast<RankedTensorType>(adaptor.getOperand().getType());
  int64_t axis = adaptor.getAxis();
  // reduce.C1
  if (axis < 0 || axis >= type.getRank())
    return emitOptionalError(loc, "axis ", axis, " is not a dim of ", type);
  SmallVector<int64_t> shape(type.getShape());
  shape.erase(shape.begin() + axis);
  inferred.push_back(RankedTensorType::get(shape, type.getElementType()));
  return success();
}

//===----------------------------------------------------------------------===//
// Kernel
//===----------------------------------------------------------------------===//

void KernelOp::build(OpBuilder &builder, OperationState &state, StringRef name,
                     TypeRange buffers, ArrayRef<Access> access,
                     ArrayRef<int64_t> sizes, ArrayRef<int64_t> tiles,
                     ArrayRef<bool> sequential) {
  SmallVector<StringRef> words;
  for (Access a : access)
    words.push_back(stringifyAccess(a));
  SmallVector<bool> order(sequential);
  order.resize(sizes.size(), false);
  Properties &properties = state.getOrAddProperties<Properties>();
  properties.sym_name = builder.getStringAttr(name);
  properties.access = builder.getStrArrayAttr(words);
  properties.grid_sizes = builder.getDenseI64ArrayAttr(sizes);
  properties.grid_tiles = builder.getDenseI64ArrayAttr(tiles);
  properties.grid_sequential = builder.getDenseBoolArrayAttr(order);
  OpBuilder::InsertionGuard guard(builder);
  Block *body = builder.createBlock(state.addRegion());
  for (Type type : buffers)
    body->addArgument(type, state.location);
  for (size_t i = 0; i < sizes.size(); ++i)
    body->addArgument(builder.getIndexType(), state.location);
}

Access KernelOp::getBufferAccess(unsigned i) {
  return *symbolizeAccess(cast<StringAttr>(getAccess()[i]).getValue());
}

std::optional<unsigned> KernelOp::getGridDim(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != &getBody().front() ||
      argument.getArgNumber() < getNumBuffers())
    return std::nullopt;
  return argument.getArgNumber() - getNumBuffers();
}

int64_t KernelOp::getNumBlocks() {
  int64_t blocks = 1;
  for (unsigned dim = 0; dim < getGridRank(); ++dim)
    blocks *= getGridBlocks(dim);
  return blocks;
}

SmallVector<int64_t> KernelOp::getBlockPositions(int64_t block) {
  SmallVector<int64_t> positions(getGridRank());
  for (unsigned dim = getGridRank(); dim-- > 0;) {
    positions[dim] = block % getGridBlocks(dim) * getGridTiles()[dim];
    block /= getGridBlocks(dim);
  }
  return positions;
}

ReturnOp KernelOp::getTerminator() {
  return cast<ReturnOp>(getBody().front().getTerminator());
}

// @name(%a: type, ...) access ["read", ...] grid (%m = 8 by 4 sequential, ...)
//   [attributes {...}] { body }
ParseResult KernelOp::parse(OpAsmParser &parser, OperationState &result) {
  Builder &builder = parser.getBuilder();
  StringAttr name;
  ArrayAttr access;
  SmallVector<OpAsmParser::Argument> arguments;
  SmallVector<int64_t> sizes, tiles;
  SmallVector<bool> sequential;
  auto parseGridDim = [&]() -> ParseResult {
    OpAsmParser::Argument position;
    int64_t size, tile;
    if (parser.parseArgument(position) || parser.parseEqual() ||
        parser.parseInteger(size) || parser.parseKeyword("by") ||
        parser.parseInteger(tile))
      return failure();
    position.type = builder.getIndexType();
    arguments.push_back(position);
    sizes.push_back(size);
    tiles.push_back(tile);
    sequential.push_back(succeeded(parser.parseOptionalKeyword("sequential")));
    return success();
  };
  if (parser.parseSymbolName(name) ||
      parser.parseArgumentList(arguments, OpAsmParser::Delimiter::Paren,
                               /*allowType=*/true) ||
      parser.parseKeyword("access") || parser.parseAttribute(access) ||
      parser.parseKeyword("grid") ||
      parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Paren,
                                     parseGridDim) ||
      parser.parseOptionalAttrDictWithKeyword(result.attributes) ||
      parser.parseRegion(*result.addRegion(), arguments))
    return failure();
  Properties &properties = result.getOrAddProperties<Properties>();
  properties.sym_name = name;
  properties.access = access;
  properties.grid_sizes = builder.getDenseI64ArrayAttr(sizes);
  properties.grid_tiles = builder.getDenseI64ArrayAttr(tiles);
  properties.grid_sequential = builder.getDenseBoolArrayAttr(sequential);
  return success();
}

void KernelOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printSymbolName(getSymName());
  printer << '(';
  llvm::interleaveComma(
      getBody().getArguments().take_front(getNumBuffers()), printer,
      [&](BlockArgument argument) { printer.printRegionArgument(argument); });
  printer << ')';
  printer.printNewline();
  printer << "    access " << getAccess() << " grid (";
  for (unsigned dim = 0; dim < getGridRank(); ++dim) {
    printer << (dim ? ", " : "");
    printer.printRegionArgument(getGridPosition(dim), {}, /*omitType=*/true);
    printer << " = " << getGridSizes()[dim] << " by " << getGridTiles()[dim]
            << (isSequential(dim) ? " sequential" : "");
  }
  printer << ')';
  printer.printOptionalAttrDictWithKeyword(
      (*this)->getAttrs(),
      {getSymNameAttrName(), getAccessAttrName(), getGridSizesAttrName(),
       getGridTilesAttrName(), getGridSequentialAttrName()});
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}
