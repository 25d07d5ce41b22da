//===- StepOps.td - ops of the dialect `step` ----------------------------===//

#ifndef DIALECTS_STEP_STEPOPS_TD
#define DIALECTS_STEP_STEPOPS_TD

include "dialects/Step/StepDialect.td"

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/SymbolInterfaces.td"

//===----------------------------------------------------------------------===//
// Slices
//===----------------------------------------------------------------------===//

def Step_Space : I32EnumAttr<"Space", "a memory space", [
    I32EnumAttrCase<"State", 0, "state">,
    I32EnumAttrCase<"Arena", 1, "arena">,
    I32EnumAttrCase<"Input", 2, "input">,
    I32EnumAttrCase<"Output", 3, "output">,
    I32EnumAttrCase<"Constant", 4, "constant">,
    I32EnumAttrCase<"Host", 5, "host">]> {
  let cppNamespace = "::tarn::step";
}

def Step_Slice : AttrDef<Step_Dialect, "Slice"> {
  let mnemonic = "slice";
  let summary = "bytes of a memory space";
  let description = [{
    `arena[4096 for 1024]`: 1024 bytes from offset 4096. Inside `step.repeat`
    a slice may have a stride: turn i uses the offset plus i times the stride.
  }];
  let parameters = (ins "::tarn::step::Space":$space, "int64_t":$offset,
                        "int64_t":$bytes,
                        DefaultValuedParameter<"int64_t", "0">:$stride);
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    /// The first byte after the slice in turn `turn` of a repeat.
    int64_t getEnd(int64_t turn = 0) const {
      return getOffset() + turn * getStride() + getBytes();
    }
    /// Whether the slices share a byte (strides not counted).
    bool overlaps(SliceAttr other) const {
      return getSpace() == other.getSpace() && getOffset() < other.getEnd() &&
             other.getOffset() < getEnd();
    }
    /// Reads `space[offset for bytes (stride n)?]`.
    static SliceAttr parseSlice(AsmParser &parser);
    /// Prints the form that parseSlice reads.
    void printSlice(AsmPrinter &printer) const;
  }];
}

//===----------------------------------------------------------------------===//
// Tokens
//===----------------------------------------------------------------------===//

def Step_Token : TypeDef<Step_Dialect, "Token"> {
  let mnemonic = "token";
  let summary = "something that was started and may still be running";
  let description = [{
    Made by an op that starts something beside the launches, used by one
    `step.wait`.
  }];
}

def Step_SliceArray : TypedArrayAttrBase<Step_Slice, "slices">;

class Step_Op<string mnemonic, list<Trait> traits = []>
    : Op<Step_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// Program
//===----------------------------------------------------------------------===//

def ProgramOp : Step_Op<"program", [IsolatedFromAbove, Symbol, SingleBlock,
                                    NoTerminator, NoRegionArguments]> {
  let summary = "One function of an artifact as a list of steps";
  let description = [{
    Gives the bytes of every memory space and the steps in the order they run.

    C1: sizes are not negative
    C2: every slice lies inside its space, in every turn of a repeat
    C3: every slice starts at a multiple of 64, in every turn of a repeat
    C4: nothing but steps in the body
    C5: slices of the host are used by copies only

    Example:
    ```mlir
    step.program @step state(64) arena(128) input(64) output(64) {
      step.launch @scale blocks(1) (input[0 for 64], arena[64 for 64])
      step.copy output[0 for 64], arena[64 for 64]
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       DefaultValuedAttr<I64Attr, "0">:$state_bytes,
                       DefaultValuedAttr<I64Attr, "0">:$arena_bytes,
                       DefaultValuedAttr<I64Attr, "0">:$input_bytes,
                       DefaultValuedAttr<I64Attr, "0">:$output_bytes,
                       DefaultValuedAttr<I64Attr, "0">:$constant_bytes,
                       DefaultValuedAttr<I64Attr, "0">:$host_bytes);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name (`state` `` `(` $state_bytes^ `)`)?
    (`arena` `` `(` $arena_bytes^ `)`)? (`input` `` `(` $input_bytes^ `)`)?
    (`output` `` `(` $output_bytes^ `)`)?
    (`constant` `` `(` $constant_bytes^ `)`)? (`host` `` `(` $host_bytes^ `)`)?
    attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The bytes of `space`.
    int64_t getSpaceBytes(Space space);
  }];
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "StringRef":$name,
                             CArg<"int64_t", "0">:$stateBytes,
                             CArg<"int64_t", "0">:$arenaBytes,
                             CArg<"int64_t", "0">:$inputBytes,
                             CArg<"int64_t", "0">:$outputBytes,
                             CArg<"int64_t", "0">:$constantBytes,
                             CArg<"int64_t", "0">:$hostBytes)>];
}

def BindOp : Step_Op<"bind", [HasParent<"ProgramOp">]> {
  let summary = "Name a slice: a state, input, output or constant";
  let description = [{
    C1: the slice has the bytes of the type (padding may follow it)
    C2: not a slice of the arena

    Example:
    ```mlir
    step.bind "tokens" role "input" input[0 for 3072] : tensor<12x64xi32>
    ```
  }];
  let arguments = (ins StrAttr:$name, StrAttr:$role, Step_Slice:$slice,
                       TypeAttrOf<AnyStaticShapeTensor>:$type);
  let assemblyFormat = [{
    $name `role` $role custom<Slice>($slice) attr-dict `:` $type
  }];
  let hasVerifier = 1;
}

def LiveOp : Step_Op<"live", [HasParent<"ProgramOp">]> {
  let summary = "State the life of a value that the plan placed";
  let description = [{
    For reports and for the checker: step number `first` writes the slice and
    `last` reads it last (steps in order, bodies of repeats flattened; a copy that
    was started uses both its slices until its wait). With
    `turns(n, period)` there are n such values, each `period` steps after the
    one before: what a repeat makes anew in every turn. Runs nothing.

    C1: at least one turn; several do not overlap: the period is not shorter
        than the life

    Example:
    ```mlir
    step.live "block.0.mlp.h" role "activation" arena[0 for 64] steps(3, 17)
    step.live "sum" role "accumulator" state[0 for 64] steps(3, 9) turns(4, 6)
    ```
  }];
  let arguments = (ins StrAttr:$name, StrAttr:$role, Step_Slice:$slice,
                       I64Attr:$first, I64Attr:$last,
                       DefaultValuedAttr<I64Attr, "1">:$turns,
                       DefaultValuedAttr<I64Attr, "0">:$period);
  let assemblyFormat = [{
    $name `role` $role custom<Slice>($slice)
    `steps` `` `(` $first `,` $last `)`
    (`turns` `` `(` $turns^ `,` $period `)`)? attr-dict
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

def LaunchOp : Step_Op<"launch", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Run all blocks of a kernel";
  let description = [{
    Blocks run in any order, launches in program order. `blocks` is how often
    the target's code is called; a target may fold several blocks of the tile
    program into one.

    C1: the kernel is a `tile.kernel`
    C2: one slice per buffer of the kernel, then one for its workspace, if it
        has one
    C3: each slice has the bytes of its buffer, or of the workspace
    C4: at least one block, at most the kernel's
    C5: a slice that the kernel writes overlaps no other argument, unless
        both are the same slice and every block reads there only what it
        writes itself afterwards; a workspace overlaps none

    Example:
    ```mlir
    step.launch @gemm blocks(24) (state[0 for 4096], arena[4096 for 1024])
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, I64Attr:$blocks,
                       Step_SliceArray:$slices);
  let assemblyFormat = [{
    $kernel `blocks` `` `(` $blocks `)` custom<Slices>($slices) attr-dict
  }];
  let extraClassDeclaration = [{
    /// The slice of buffer `i`; the workspace comes last.
    SliceAttr getSlice(unsigned i) { return cast<SliceAttr>(getSlices()[i]); }
  }];
}

def LaunchGroupOp : Step_Op<"launch_group", [
    SingleBlock, NoTerminator, NoRegionArguments,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Run several launches that are independent as one";
  let description = [{
    One step: the blocks of all members run in any order, also of different
    members. A target makes one kernel of it, so that hundreds of small launches
    (an optimizer's, one for each tensor) cost one.

    C1: at least two members, all of them `step.launch`
    C2: no member touches what another one writes, in any turn of a repeat

    Example:
    ```mlir
    step.launch_group {
      step.launch @update blocks(24) (state[0 for 4096], arena[0 for 4096])
      step.launch @update blocks(24) (state[4096 for 4096], arena[4096 for 4096])
    }
    ```
  }];
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$body attr-dict";
  let hasVerifier = 1;
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins)>];
  let extraClassDeclaration = [{
    /// The members, in the order that they were planned in.
    auto getMembers() { return getBody().front().getOps<LaunchOp>(); }
    /// The blocks of all members.
    int64_t getBlocks();
  }];
}

def CopyOp : Step_Op<"copy"> {
  let summary = "Copy bytes";
  let description = [{
    C1: both slices have the same number of bytes
    C2: the slices don't overlap

    Example:
    ```mlir
    step.copy output[0 for 64], arena[64 for 64]
    ```
  }];
  let arguments = (ins Step_Slice:$to, Step_Slice:$from);
  let assemblyFormat = [{
    custom<Slice>($to) `,` custom<Slice>($from) attr-dict
  }];
  let hasVerifier = 1;
}

def CopyStartOp : Step_Op<"copy_start", [
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Start copying bytes beside the launches that follow";
  let description = [{
    The copy runs when all steps before it are done, and has been made when the
    token has been waited for. Copies to the host run in the order they are
    started, and so do all others: two queues.

    C1: both slices have the same number of bytes
    C2: the slices don't overlap
    C3: one `step.wait` takes the token, later in the same list of steps
    C4: until then no step writes what is copied from or touches what is copied
        to

    Example:
    ```mlir
    %out = step.copy_start host[0 for 64], arena[64 for 64]
    ```
  }];
  let arguments = (ins Step_Slice:$to, Step_Slice:$from);
  let results = (outs Step_Token:$token);
  let assemblyFormat = [{
    custom<Slice>($to) `,` custom<Slice>($from) attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The step that waits for it.
    WaitOp getWait();
  }];
}

def WaitOp : Step_Op<"wait"> {
  let summary = "Wait for what was started";
  let description = [{
    C1: at least one token

    Example:
    ```mlir
    step.wait %out
    ```
  }];
  let arguments = (ins Variadic<Step_Token>:$tokens);
  let assemblyFormat = "$tokens attr-dict";
  let hasVerifier = 1;
}

def MoveStartOp : Step_Op<"move_start", [
    AllTypesMatch<["value", "moved"]>]> {
  let summary = "Start moving a value to another memory space";
  let description = [{
    Stands among the kernels of a function, before memory is planned: the result
    is the value in the other space, to be used after the token has been waited
    for. tarn-plan-memory gives both their places and makes it a
    `step.copy_start`.

    C1: the space is `host` or `arena`
    C2: one `step.wait` takes the token, later in the same block
    C3: the result is used behind that wait only
    C4: a value in host memory is only moved

    Example:
    ```mlir
    %parked, %out = step.move_start %x to host : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins AnyStaticShapeTensor:$value, Step_Space:$space);
  let results = (outs AnyStaticShapeTensor:$moved, Step_Token:$token);
  let assemblyFormat = "$value `to` $space attr-dict `:` type($value)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The op that waits for it.
    WaitOp getWait();
  }];
}

def FillOp : Step_Op<"fill"> {
  let summary = "Set bytes to zero";
  let description = [{
    Example:
    ```mlir
    step.fill arena[0 for 64]
    ```
  }];
  let arguments = (ins Step_Slice:$to);
  let assemblyFormat = "custom<Slice>($to) attr-dict";
}

def RepeatOp : Step_Op<"repeat", [SingleBlock, NoTerminator,
                                  NoRegionArguments, HasParent<"ProgramOp">]> {
  let summary = "Run a list of steps several times";
  let description = [{
    C1: at least one turn

    Example:
    ```mlir
    step.repeat 4 {
      step.copy arena[0 for 64 stride 64], input[0 for 64]
    }
    ```
  }];
  let arguments = (ins I64Attr:$count);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$count $body attr-dict";
  let hasVerifier = 1;
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "int64_t":$count)>];
}

#endif
