//===- TileOps.td - ops of the dialect `tile` ----------------------------===//

#ifndef DIALECTS_TILE_TILEOPS_TD
#define DIALECTS_TILE_TILEOPS_TD

include "dialects/Tile/TileDialect.td"

include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

//===----------------------------------------------------------------------===//
// Types, enums, base class
//===----------------------------------------------------------------------===//

def Tile_Element : AnyTypeOf<[F64, F32, F16, BF16, F8E4M3FN, F8E5M2,
                              F8E8M0FNU, I1, I8, I32, I64],
                             "element of a tile">;

class Tile_TileOf<list<Type> elements, list<int> ranks, string what>
    : ConfinedType<RankedTensorOf<elements>,
                   [HasStaticShapePred, HasAnyRankOfPred<ranks>], what,
                   "::mlir::RankedTensorType">;

def Tile_Tile : Tile_TileOf<[Tile_Element], [0, 1, 2, 3],
                            "static tile of rank 0 to 3">;
def Tile_IndexTile : Tile_TileOf<[I32], [1], "tile of row numbers">;
def Tile_IotaTile : Tile_TileOf<[I32], [1, 2, 3], "tile of i32">;
def Tile_Matrix : Tile_TileOf<[F64, F32, F16, BF16, F8E4M3FN, F8E5M2], [2],
                              "matrix tile">;
def Tile_Accumulator : Tile_TileOf<[F64, F32], [2], "accumulator tile">;
def Tile_Summed : Tile_TileOf<[F64, F32, I32, I64], [1, 2, 3],
                              "tile of numbers that are added up">;
def Tile_Sorted : Tile_TileOf<[F64, F32, I32, I64], [1], "row of numbers">;
def Tile_Scales : Tile_TileOf<[F32], [2], "tile of scales">;

def Tile_Buffer
    : ConfinedType<MemRefOf<[Tile_Element]>,
                   [HasStaticShapePred,
                    CPred<"::llvm::cast<::mlir::MemRefType>($_self)"
                          ".getLayout().isIdentity()">],
                   "dense static buffer", "::mlir::MemRefType">;

// What a kernel does with a buffer; never two of these.
def Tile_Access : I32EnumAttr<"Access", "what a kernel does with a buffer", [
    I32EnumAttrCase<"Read", 0, "read">,
    I32EnumAttrCase<"Write", 1, "write">,
    I32EnumAttrCase<"Accumulate", 2, "accumulate">,
    I32EnumAttrCase<"Partial", 3, "partial">]> {
  let cppNamespace = "::tarn::tile";
}

def Tile_ReduceKind : I32EnumAttr<"ReduceKind", "how a reduction combines", [
    I32EnumAttrCase<"Sum", 0, "sum">,
    I32EnumAttrCase<"Max", 1, "max">]> {
  let cppNamespace = "::tarn::tile";
}

class Tile_Op<string mnemonic, list<Trait> traits = []>
    : Op<Tile_Dialect, mnemonic, traits>;

// Ops that touch a slice of a buffer: a position per buffer dim, of which some
// are spanned by the tile's dims.
class Tile_SliceOp<string mnemonic, list<Trait> traits = []>
    : Tile_Op<mnemonic, traits> {
  code slice = [{
    /// The position in each buffer dim: a value, or an index attribute.
    SmallVector<OpFoldResult> getMixedPositions() {
      return getMixedValues(getStaticPositions(), getPositions(),
                            (*this)->getContext());
    }
    /// The buffer dim that each tile dim spans: `dims`, else the trailing ones.
    SmallVector<int64_t> getTileDims() {
      return tileDims(getDimsAttr(), getBuffer().getType(), getTileType());
    }
  }];
}

//===----------------------------------------------------------------------===//
// Kernel
//===----------------------------------------------------------------------===//

def KernelOp : Tile_Op<"kernel", [IsolatedFromAbove, Symbol, SingleBlock]> {
  let summary = "The program of one block of a grid";
  let description = [{
    Destination passing: arguments are dense static buffers, each with one
    access: `read`, `write` (each element is stored at most once),
    `accumulate` (added to, in a fixed order; elements that nothing is added to
    may be stored instead) or `partial` (one slot per block). Every grid dim `%m = SIZE by TILE` gives the element position of
    the block's start; SIZE need not be a multiple of TILE. The last grid dim
    varies fastest. Blocks along a `sequential` dim run in order; all others
    in any order, also at once.

    C1: one access per buffer, out of the four words
    C2: one tile per grid size, sizes and tiles at least 1
    C3: the body's arguments are the buffers, then an index per grid dim
    C4: buffers are used by ops of this dialect only, as their access says, and
        each one that is not read is stored to
    C5: every value is a tile or a scalar; since nothing makes a scalar of a
        tile, scalars are block-uniform: they come from the grid, loops,
        constants, load_scalar and arithmetic on those
    C6: besides this dialect only arith, math and scf.for, scf.if are used
    C7: outside of scf.if, the position (or row numbers, or slot) of a store
        depends on each grid dim with more than one block and on each loop
        around it
    C8: the workspace of a library (`tile.library`) is not negative

    Example:
    ```mlir
    tile.kernel @scale(%x: memref<1000xf32>, %y: memref<1000xf32>)
        access ["read", "write"] grid (%i = 1000 by 256) {
      %t = tile.load %x[%i] : memref<1000xf32> -> tensor<256xf32>
      %u = arith.addf %t, %t : tensor<256xf32>
      tile.store %u, %y[%i] : tensor<256xf32>, memref<1000xf32>
      tile.return
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$access,
                       DenseI64ArrayAttr:$grid_sizes,
                       DenseI64ArrayAttr:$grid_tiles,
                       DenseBoolArrayAttr:$grid_sequential);
  let regions = (region SizedRegion<1>:$body);
  // Custom: the region's arguments are declared in two lists with attributes
  // between them.
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "StringRef":$name, "TypeRange":$buffers,
                             "ArrayRef<Access>":$access,
                             "ArrayRef<int64_t>":$sizes,
                             "ArrayRef<int64_t>":$tiles,
                             CArg<"ArrayRef<bool>", "{}">:$sequential)>];
  let extraClassDeclaration = [{
    /// The number of buffers; body arguments beyond them are grid positions.
    unsigned getNumBuffers() { return getAccess().size(); }
    /// Buffer `i`.
    BlockArgument getBuffer(unsigned i) { return getBody().getArgument(i); }
    /// The type of buffer `i`.
    MemRefType getBufferType(unsigned i) {
      return cast<MemRefType>(getBuffer(i).getType());
    }
    /// What the kernel does with buffer `i`.
    Access getBufferAccess(unsigned i);
    /// The number of grid dims.
    unsigned getGridRank() { return getGridSizes().size(); }
    /// The position of the block along grid dim `dim`.
    BlockArgument getGridPosition(unsigned dim) {
      return getBody().getArgument(getNumBuffers() + dim);
    }
    /// The grid dim whose position `value` is, or none.
    std::optional<unsigned> getGridDim(Value value);
    /// The number of blocks along grid dim `dim`.
    int64_t getGridBlocks(unsigned dim) {
      return llvm::divideCeil(getGridSizes()[dim], getGridTiles()[dim]);
    }
    /// Whether blocks along grid dim `dim` run in order.
    bool isSequential(unsigned dim) { return getGridSequential()[dim]; }
    /// The number of blocks of the whole grid.
    int64_t getNumBlocks();
    /// The element positions of block number `block`; the last dim varies
    /// fastest.
    SmallVector<int64_t> getBlockPositions(int64_t block);
    /// The body's terminator.
    ReturnOp getTerminator();
    /// The library that runs it in the program's place, or null: `workspace`,
    /// the bytes that a launch gives it besides the buffers; `algorithm` and
    /// what it is known by, where one was chosen.
    DictionaryAttr getLibrary() {
      return (*this)->getAttrOfType<DictionaryAttr>("tile.library");
    }
    /// Bytes that each launch is given behind the buffers; 0: none.
    int64_t getWorkspaceBytes() {
      DictionaryAttr library = getLibrary();
      auto bytes = library ? library.getAs<IntegerAttr>("workspace") : nullptr;
      return bytes ? bytes.getInt() : 0;
    }
  }];
}

def ReturnOp : Tile_Op<"return", [Terminator, Pure, HasParent<"KernelOp">]> {
  let summary = "End a kernel";
  let assemblyFormat = "attr-dict";
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

def LoadOp : Tile_SliceOp<"load", [Pure]> {
  let summary = "Load a tile from a buffer";
  let description = [{
    `result[i...] = buffer[position + i...]`. Tile dim d spans buffer dim
    `dims[d]` (default: the trailing dims); every other buffer dim has extent 1
    at its position. `dims` may be permuted: a transposed view. Elements
    outside the buffer are `pad` (default 0), also where the position itself is
    outside or negative. A load only reads what the kernel never writes, so it
    is pure.

    C1: one position per buffer dim
    C2: as many dims as the tile's rank, distinct, inside the buffer's rank
    C3: tile and buffer have one element type
    C4: `pad` has the element type

    Example:
    ```mlir
    %t = tile.load %B[%b, %i, 0, %h, 0] {dims = [1, 4]}
        : memref<12x64x3x4x32xf32> -> tensor<64x32xf32>
    ```
  }];
  let arguments = (ins Tile_Buffer:$buffer, Variadic<Index>:$positions,
                       DenseI64ArrayAttr:$static_positions,
                       OptionalAttr<I64ArrayAttr>:$dims,
                       OptionalAttr<TypedAttrInterface>:$pad);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $buffer `` custom<DynamicIndexList>($positions, $static_positions)
    attr-dict `:` type($buffer) `->` type($result)
  }];
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "Type":$result, "Value":$buffer,
                             "ArrayRef<OpFoldResult>":$positions,
                             CArg<"ArrayRef<int64_t>", "{}">:$dims,
                             CArg<"TypedAttr", "{}">:$pad)>];
  let extraClassDeclaration = slice # [{
    /// The tile's type.
    RankedTensorType getTileType() { return getResult().getType(); }
  }];
}

def GatherOp : Tile_SliceOp<"gather", [Pure]> {
  let summary = "Load rows that an index tile names";
  let description = [{
    Like `load`, but tile row r lies at `position + rows[r]` in the buffer dim
    that tile dim 0 spans. A negative row number, or one outside, gives `pad`.

    C1 to C4: as `load`
    C5: the tile has rank >= 1 and as many rows as there are row numbers

    Example:
    ```mlir
    %x = tile.gather %X[0, %k] rows(%idx)
        : memref<4096x512xf32>, tensor<128xi32> -> tensor<128x64xf32>
    ```
  }];
  let arguments = (ins Tile_Buffer:$buffer, Variadic<Index>:$positions,
                       DenseI64ArrayAttr:$static_positions,
                       Tile_IndexTile:$rows,
                       OptionalAttr<I64ArrayAttr>:$dims,
                       OptionalAttr<TypedAttrInterface>:$pad);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $buffer `` custom<DynamicIndexList>($positions, $static_positions)
    `rows` `` `(` $rows `)` attr-dict
    `:` type($buffer) `,` type($rows) `->` type($result)
  }];
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "Type":$result, "Value":$buffer,
                             "ArrayRef<OpFoldResult>":$positions,
                             "Value":$rows,
                             CArg<"ArrayRef<int64_t>", "{}">:$dims,
                             CArg<"TypedAttr", "{}">:$pad)>];
  let extraClassDeclaration = slice # [{
    /// The tile's type.
    RankedTensorType getTileType() { return getResult().getType(); }
  }];
}

def LoadScalarOp : Tile_Op<"load_scalar", [Pure,
    TypesMatchWith<"the result is an element of the buffer", "buffer",
                   "result", "cast<MemRefType>($_self).getElementType()">]> {
  let summary = "Load one element as a block-uniform scalar";
  let description = [{
    Counts, offsets, the expert of a block. Outside the buffer it is 0. Unlike
    the elements of a tile the result may steer positions, bounds and
    conditions.

    C1: one position per buffer dim

    Example:
    ```mlir
    %n = tile.load_scalar %counts[%e] : memref<64xi32>
    ```
  }];
  let arguments = (ins Tile_Buffer:$buffer, Variadic<Index>:$positions,
                       DenseI64ArrayAttr:$static_positions);
  let results = (outs Tile_Element:$result);
  let assemblyFormat = [{
    $buffer `` custom<DynamicIndexList>($positions, $static_positions)
    attr-dict `:` type($buffer)
  }];
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "Value":$buffer,
                             "ArrayRef<OpFoldResult>":$positions)>];
  let extraClassDeclaration = [{
    /// The position in each buffer dim: a value, or an index attribute.
    SmallVector<OpFoldResult> getMixedPositions() {
      return getMixedValues(getStaticPositions(), getPositions(),
                            (*this)->getContext());
    }
  }];
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

def StoreOp : Tile_SliceOp<"store"> {
  let summary = "Store a tile into a `write` buffer";
  let description = [{
    The inverse of `load`; parts outside the buffer are dropped. Each element
    of a buffer is stored at most once in a launch.

    C1 to C3: as `load`

    Example:
    ```mlir
    tile.store %y, %Y[%m, %n] : tensor<128x64xf32>, memref<1024x768xf32>
    ```
  }];
  let arguments = (ins Tile_Tile:$value, Arg<Tile_Buffer, "", [MemWrite]>:$buffer,
                       Variadic<Index>:$positions,
                       DenseI64ArrayAttr:$static_positions,
                       OptionalAttr<I64ArrayAttr>:$dims);
  let assemblyFormat = [{
    $value `,` $buffer `` custom<DynamicIndexList>($positions, $static_positions)
    attr-dict `:` type($value) `,` type($buffer)
  }];
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "Value":$value, "Value":$buffer,
                             "ArrayRef<OpFoldResult>":$positions,
                             CArg<"ArrayRef<int64_t>", "{}">:$dims)>];
  let extraClassDeclaration = slice # [{
    /// The tile's type.
    RankedTensorType getTileType() { return getValue().getType(); }
  }];
}

def ScatterOp : Tile_SliceOp<"scatter"> {
  let summary = "Store rows where an index tile says";
  let description = [{
    The inverse of `gather`: negative row numbers and those outside are
    dropped. Each element is stored at most once, so row numbers are distinct
    across the launch; sums of equal rows are `accumulate`.

    C1 to C3: as `load`
    C5: the tile has rank >= 1 and as many rows as there are row numbers

    Example:
    ```mlir
    tile.scatter %y, %Y[0, %n] rows(%idx)
        : tensor<128x64xf32>, memref<4096x512xf32>, tensor<128xi32>
    ```
  }];
  let arguments = (ins Tile_Tile:$value, Arg<Tile_Buffer, "", [MemWrite]>:$buffer,
                       Variadic<Index>:$positions,
                       DenseI64ArrayAttr:$static_positions,
                       Tile_IndexTile:$rows,
                       OptionalAttr<I64ArrayAttr>:$dims);
  let assemblyFormat = [{
    $value `,` $buffer `` custom<DynamicIndexList>($positions, $static_positions)
    `rows` `` `(` $rows `)` attr-dict
    `:` type($value) `,` type($buffer) `,` type($rows)
  }];
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "Value":$value, "Value":$buffer,
                             "ArrayRef<OpFoldResult>":$positions,
                             "Value":$rows,
                             CArg<"ArrayRef<int64_t>", "{}">:$dims)>];
  let extraClassDeclaration = slice # [{
    /// The tile's type.
    RankedTensorType getTileType() { return getValue().getType(); }
  }];
}

def StorePartialOp : Tile_SliceOp<"store_partial", [AttrSizedOperandSegments]> {
  let summary = "Store a block's share of a sum into its slot";
  let description = [{
    For reductions across blocks: the leading buffer dims are slots, one per
    grid position in `slot`, and the block writes the slot of its own number
    (`position / tile`). The other buffer dims have positions as in `store`.
    A later kernel sums the slots in slot order, so the result depends on no
    schedule.

    C1 to C3: as `load`, on the buffer dims after the slots; `dims` counts
      from the first of these
    C4: each slot is the position of a grid dim of the kernel, and that buffer
      dim has as many elements as the grid dim has blocks

    Example:
    ```mlir
    tile.store_partial %s, %P[%n] slot(%m)
        : tensor<64xf32>, memref<8x768xf32>
    ```
  }];
  let arguments = (ins Tile_Tile:$value, Arg<Tile_Buffer, "", [MemWrite]>:$buffer,
                       Variadic<Index>:$positions,
                       DenseI64ArrayAttr:$static_positions,
                       Variadic<Index>:$slots,
                       OptionalAttr<I64ArrayAttr>:$dims);
  let assemblyFormat = [{
    $value `,` $buffer `` custom<DynamicIndexList>($positions, $static_positions)
    `slot` `` `(` $slots `)` attr-dict `:` type($value) `,` type($buffer)
  }];
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "Value":$value, "Value":$buffer,
                             "ArrayRef<OpFoldResult>":$positions,
                             "ValueRange":$slots,
                             CArg<"ArrayRef<int64_t>", "{}">:$dims)>];
  let extraClassDeclaration = [{
    /// The position in each buffer dim after the slots.
    SmallVector<OpFoldResult> getMixedPositions() {
      return getMixedValues(getStaticPositions(), getPositions(),
                            (*this)->getContext());
    }
    /// The buffer dim (slots counted) that each tile dim spans.
    SmallVector<int64_t> getTileDims();
    /// The tile's type.
    RankedTensorType getTileType() { return getValue().getType(); }
  }];
}

def AccumulateOp : Tile_SliceOp<"accumulate", [AttrSizedOperandSegments]> {
  let summary = "Add a tile to a buffer in a fixed order";
  let description = [{
    `buffer[position + i...] += value[i...]`, the only read-modify-write.
    Additions to one element happen in the order of the `sequential` grid dims
    `along`, inside a block in program order, and with `rows` (as in
    `scatter`; equal row numbers are allowed) in row order. Blocks that differ
    in any other grid dim never touch the same element.

    C1 to C3: as `load`
    C4: `along` are positions of sequential grid dims, and the position
      depends on every other grid dim with more than one block
    C5: with `rows`: the tile has rank >= 1 and as many rows as there are row
      numbers
    C6: the element is a float

    Example:
    ```mlir
    tile.accumulate %dq, %dQ[%h, %i, 0] along(%j) {dims = [1, 2]}
        : tensor<64x64xf32>, memref<12x1024x64xf32>
    ```
  }];
  let arguments = (ins Tile_Tile:$value,
                       Arg<Tile_Buffer, "", [MemRead, MemWrite]>:$buffer,
                       Variadic<Index>:$positions,
                       DenseI64ArrayAttr:$static_positions,
                       Variadic<Index>:$along,
                       Optional<Tile_IndexTile>:$rows,
                       OptionalAttr<I64ArrayAttr>:$dims);
  let assemblyFormat = [{
    $value `,` $buffer `` custom<DynamicIndexList>($positions, $static_positions)
    (`along` `` `(` $along^ `)`)? (`rows` `` `(` $rows^ `:` type($rows) `)`)?
    attr-dict `:` type($value) `,` type($buffer)
  }];
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "Value":$value, "Value":$buffer,
                             "ArrayRef<OpFoldResult>":$positions,
                             CArg<"ValueRange", "{}">:$along,
                             CArg<"Value", "{}">:$rows,
                             CArg<"ArrayRef<int64_t>", "{}">:$dims)>];
  let extraClassDeclaration = slice # [{
    /// The tile's type.
    RankedTensorType getTileType() { return getValue().getType(); }
  }];
}

//===----------------------------------------------------------------------===//
// Computing
//===----------------------------------------------------------------------===//

def DotOp : Tile_Op<"dot", [Pure, AllTypesMatch<["acc", "result"]>]> {
  let summary = "Multiply matrix tiles and add to an accumulator";
  let description = [{
    `result = acc + op(a) op(b)`, where op is a transposition if the flag says
    so. Products are summed in the accumulator's type, in an order that the
    target fixes. Under `tf32` each element of a and b is first rounded to 10
    bits behind the point, to nearest, ties away from zero (where loads round
    on the way, as TMA does, ties are theirs).

    C1: a and b have one element type
    C2: the contracted extents are equal
    C3: the accumulator has the remaining extents, and f32 elements (f64 if a
      and b are f64)
    C4: `acc` has no other use, unless it is a constant: targets accumulate in
      place
    C5: with `tf32`, a and b have f32 elements

    Example:
    ```mlir
    %s = tile.dot %q, %k, %zero {transpose_b}
        : tensor<64x32xf32>, tensor<128x32xf32> -> tensor<64x128xf32>
    ```
  }];
  let arguments = (ins Tile_Matrix:$a, Tile_Matrix:$b, Tile_Accumulator:$acc,
                       UnitAttr:$transpose_a, UnitAttr:$transpose_b,
                       UnitAttr:$tf32);
  let results = (outs Tile_Accumulator:$result);
  let assemblyFormat = [{
    $a `,` $b `,` $acc attr-dict `:` type($a) `,` type($b) `->` type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The contracted extent.
    int64_t getK() { return getA().getType().getDimSize(getTransposeA() ? 0 : 1); }
  }];
}

def DotScaledOp : Tile_Op<"dot_scaled", [Pure,
                                         AllTypesMatch<["acc", "result"]>]> {
  let summary = "Multiply block-scaled matrix tiles";
  let description = [{
    `result[m, n] = acc[m, n] + sum over scale blocks kb of
    (sum over k in kb of a[m, k] b[k, n]) * scale_a[m / gm, kb] *
    scale_b[n / gn, kb]`. The inner sums are in f32 and every one is promoted
    to the accumulator; `scale_a` is M/gm x blocks, `scale_b` N/gn x blocks.
    A row of activations scaled per 128 has gm = 1, a 128x128 block of weights
    gn = 128.

    C1: a and b have one element type of 8 bits
    C2: the contracted extents are equal
    C3: the accumulator has the remaining extents and f32 elements
    C4: `acc` has no other use, unless it is a constant
    C5: the scales' extents divide those of the rows, columns and the
      contracted dim, and both have the same number of blocks

    Example:
    ```mlir
    %d = tile.dot_scaled %a scale %sa, %b scale %sb, %acc {transpose_b}
        : tensor<64x128xf8E4M3FN>, tensor<64x1xf32>,
          tensor<128x128xf8E4M3FN>, tensor<1x1xf32> -> tensor<64x128xf32>
    ```
  }];
  let arguments = (ins Tile_Matrix:$a, Tile_Scales:$scale_a, Tile_Matrix:$b,
                       Tile_Scales:$scale_b, Tile_Accumulator:$acc,
                       UnitAttr:$transpose_a, UnitAttr:$transpose_b);
  let results = (outs Tile_Accumulator:$result);
  let assemblyFormat = [{
    $a `scale` $scale_a `,` $b `scale` $scale_b `,` $acc attr-dict
    `:` type($a) `,` type($scale_a) `,` type($b) `,` type($scale_b)
    `->` type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The contracted extent.
    int64_t getK() { return getA().getType().getDimSize(getTransposeA() ? 0 : 1); }
  }];
}

def ReduceOp : Tile_Op<"reduce", [Pure, InferTypeOpAdaptor]> {
  let summary = "Combine a tile along one axis";
  let description = [{
    The axis goes away. The order of a sum inside a tile is the target's, and
    fixed.

    C1: the tile has rank >= 1 and the axis is one of its dims

    Example:
    ```mlir
    %m = tile.reduce max %s axis 1 : tensor<64x128xf32>
    ```
  }];
  let arguments = (ins Tile_Tile:$operand, Tile_ReduceKind:$kind,
                       I64Attr:$axis);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $kind $operand `axis` $axis attr-dict `:` type($operand)
  }];
}

def ScanOp : Tile_Op<"scan", [Pure, SameOperandsAndResultType]> {
  let summary = "Add up a tile along one axis, element after element";
  let description = [{
    `result[.., n, ..] = sum over i <= n of operand[.., i, ..]`: each element
    and all before it; under `reverse`, all behind it (`i >= n`). The order of the sums inside a tile is the target's, and
    fixed; integers wrap. Over several tiles, the last sums (or a `reduce`) are
    carried by a loop and added.

    C1: the axis is a dim of the tile

    Example:
    ```mlir
    %c = tile.scan %hits axis 0 : tensor<256x8xi32>
    ```
  }];
  let arguments = (ins Tile_Summed:$operand, I64Attr:$axis,
                       UnitAttr:$reverse);
  let results = (outs Tile_Summed:$result);
  let assemblyFormat = [{
    $operand `axis` $axis (`reverse` $reverse^)? attr-dict `:` type($operand)
  }];
  let hasVerifier = 1;
}

def PlacesOp : Tile_Op<"places", [Pure,
                                  AllShapesMatch<["operand", "result"]>]> {
  let summary = "Find the places of a row's elements in sorted order";
  let description = [{
    `result[n]` is how many elements come before element n: smaller ones, under
    `descending` larger ones, and of equal ones those at smaller positions. NaN
    is larger than all else. Places are distinct: scattered to them, elements
    are sorted.

    Example:
    ```mlir
    %p = tile.places %x descending : tensor<256xf32> -> tensor<256xi32>
    ```
  }];
  let arguments = (ins Tile_Sorted:$operand, UnitAttr:$descending);
  let results = (outs Tile_IndexTile:$result);
  let assemblyFormat = [{
    $operand (`descending` $descending^)? attr-dict
    `:` type($operand) `->` type($result)
  }];
}

def BroadcastOp : Tile_Op<"broadcast", [Pure]> {
  let summary = "Repeat a tile along one new axis";
  let description = [{
    C1: the result is the operand with one more dim, at `axis`
    C2: the element types are equal

    Example:
    ```mlir
    %b = tile.broadcast %m axis 1 : tensor<64xf32> -> tensor<64x128xf32>
    ```
  }];
  let arguments = (ins Tile_Tile:$operand, I64Attr:$axis);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $operand `axis` $axis attr-dict `:` type($operand) `->` type($result)
  }];
  let hasVerifier = 1;
}

def SplatOp : Tile_Op<"splat", [Pure,
    TypesMatchWith<"the scalar is an element of the tile", "result",
                   "scalar", "cast<RankedTensorType>($_self).getElementType()">]> {
  let summary = "Fill a tile with a block-uniform scalar";
  let description = [{
    Example:
    ```mlir
    %t = tile.splat %rate : tensor<256xf32>
    ```
  }];
  let arguments = (ins Tile_Element:$scalar);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$scalar attr-dict `:` type($result)";
}

def IotaOp : Tile_Op<"iota", [Pure]> {
  let summary = "Number the elements along one axis";
  let description = [{
    `result[i...] = position + i[axis]`, as i32: the global index of each
    element. Masks are `arith.cmpi` of iotas and uniform scalars, then
    `arith.select`.

    C1: the axis is a dim of the tile

    Example:
    ```mlir
    %r = tile.iota %i axis 0 : tensor<64x128xi32>
    ```
  }];
  let arguments = (ins Index:$position, I64Attr:$axis);
  let results = (outs Tile_IotaTile:$result);
  let assemblyFormat = "$position `axis` $axis attr-dict `:` type($result)";
  let hasVerifier = 1;
}

#endif
