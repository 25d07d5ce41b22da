//===- StepOps.cpp - syntax and verifiers of `step` -----------------------===//

#include "dialects/Step/StepOps.h"

#include "dialects/Tile/Analysis.h"
#include "dialects/Tile/TileOps.h"

using namespace mlir;
using namespace tarn::step;
namespace tile = tarn::tile;

#include "dialects/Step/StepEnums.cpp.inc"

int64_t tarn::step::denseBytes(ShapedType type) {
  return type.getNumElements() *
         llvm::divideCeil(type.getElementTypeBitWidth(), 8);
}

//===----------------------------------------------------------------------===//
// Slices
//===----------------------------------------------------------------------===//

SliceAttr SliceAttr::parseSlice(AsmParser &parser) {
  StringRef word;
  llvm::SMLoc loc = parser.getCurrentLocation();
  int64_t offset, bytes, stride = 0;
  if (parser.parseKeyword(&word))
    return {};
  std::optional<Space> space = symbolizeSpace(word);
  if (!space) {
    parser.emitError(loc, "unknown memory space ") << word;
    return {};
  }
  if (parser.parseLSquare() || parser.parseInteger(offset) ||
      parser.parseKeyword("for") || parser.parseInteger(bytes))
    return {};
  if (succeeded(parser.parseOptionalKeyword("stride")) &&
      parser.parseInteger(stride))
    return {};
  if (parser.parseRSquare())
    return {};
  return SliceAttr::get(parser.getContext(), *space, offset, bytes, stride);
}

void SliceAttr::printSlice(AsmPrinter &printer) const {
  printer << stringifySpace(getSpace()) << '[' << getOffset() << " for "
          << getBytes();
  if (getStride())
    printer << " stride " << getStride();
  printer << ']';
}

// #step.slice<arena[0 for 64]>; ops print slices without the wrapping.
Attribute SliceAttr::parse(AsmParser &parser, Type) {
  if (parser.parseLess())
    return {};
  SliceAttr slice = parseSlice(parser);
  if (!slice || parser.parseGreater())
    return {};
  return slice;
}

void SliceAttr::print(AsmPrinter &printer) const {
  printer << '<';
  printSlice(printer);
  printer << '>';
}

static ParseResult parseSlice(OpAsmParser &parser, SliceAttr &slice) {
  slice = SliceAttr::parseSlice(parser);
  return success(static_cast<bool>(slice));
}

static void printSlice(OpAsmPrinter &printer, Operation *, SliceAttr slice) {
  slice.printSlice(printer);
}

static ParseResult parseSlices(OpAsmParser &parser, ArrayAttr &slices) {
  SmallVector<Attribute> list;
  if (parser.parseCommaSeparatedList(
          OpAsmParser::Delimiter::Paren, [&]() -> ParseResult {
            list.push_back(SliceAttr::parseSlice(parser));
            return success(static_cast<bool>(list.back()));
          }))
    return failure();
  slices = parser.getBuilder().getArrayAttr(list);
  return success();
}

static void printSlices(OpAsmPrinter &printer, Operation *, ArrayAttr slices) {
  printer << '(';
  llvm::interleaveComma(slices.getAsRange<SliceAttr>(), printer,
                        [&](SliceAttr slice) { slice.printSlice(printer); });
  printer << ')';
}

#define GET_OP_CLASSES
#include "dialects/Step/StepOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Program
//===----------------------------------------------------------------------===//

void ProgramOp::build(OpBuilder &builder, OperationState &state, StringRef name,
                      int64_t stateBytes, int64_t arenaBytes,
                      int64_t inputBytes, int64_t outputBytes,
                      int64_t constantBytes, int64_t hostBytes) {
  Properties &properties = state.getOrAddProperties<Properties>();
  properties.sym_name = builder.getStringAttr(name);
  properties.state_bytes = builder.getI64IntegerAttr(stateBytes);
  properties.arena_bytes = builder.getI64IntegerAttr(arenaBytes);
  properties.input_bytes = builder.getI64IntegerAttr(inputBytes);
  properties.output_bytes = builder.getI64IntegerAttr(outputBytes);
  properties.constant_bytes = builder.getI64IntegerAttr(constantBytes);
  properties.host_bytes = builder.getI64IntegerAttr(hostBytes);
  state.addRegion()->emplaceBlock();
}

void RepeatOp::build(OpBuilder &builder, OperationState &state, int64_t count) {
  state.getOrAddProperties<Properties>().count =
      builder.getI64IntegerAttr(count);
  state.addRegion()->emplaceBlock();
}

void LaunchGroupOp::build(OpBuilder &builder, OperationState &state) {
  state.addRegion()->emplaceBlock();
}

int64_t LaunchGroupOp::getBlocks() {
  int64_t blocks = 0;
  for (LaunchOp member : getMembers())
    blocks += member.getBlocks();
  return blocks;
}

int64_t ProgramOp::getSpaceBytes(Space space) {
  switch (space) {
  case Space::State:
    return getStateBytes();
  case Space::Arena:
    return getArenaBytes();
  case Space::Input:
    return getInputBytes();
  case Space::Output:
    return getOutputBytes();
  case Space::Constant:
    return getConstantBytes();
  case Space::Host:
    return getHostBytes();
  }
  llvm_unreachable("a space without a size");
}

// program.C2 and C3 for one slice that is used `turns` times.
static LogicalResult verifySlice(Operation *op, ProgramOp program,
                                 SliceAttr slice, int64_t turns) {
  int64_t size = program.getSpaceBytes(slice.getSpace());
  int64_t last = slice.getOffset() + (turns - 1) * slice.getStride();
  StringRef space = stringifySpace(slice.getSpace());
  if (slice.getBytes() < 1 || std::min(slice.getOffset(), last) < 0 ||
      std::max(slice.getOffset(), last) + slice.getBytes() > size)
    return op->emitOpError("uses ")
           << slice << ", outside the " << size << " bytes of the " << space;
  if (slice.getOffset() % 64 != 0 || slice.getStride() % 64 != 0)
    return op->emitOpError("uses ")
           << slice << ", which is not aligned to 64 bytes";
  if (slice.getStride() && turns == 1 && !op->getParentOfType<RepeatOp>())
    return op->emitOpError("has a stride outside of a repeat");
  return success();
}

LogicalResult ProgramOp::verify() {
  // program.C1
  for (Space space : allSpaces)
    if (getSpaceBytes(space) < 0)
      return emitOpError("has a negative number of bytes in the ")
             << stringifySpace(space);
  WalkResult result = (*this)->walk([&](Operation *op) {
    if (op == *this)
      return WalkResult::advance();
    // program.C4
    if (!isa<BindOp, LiveOp, LaunchOp, LaunchGroupOp, CopyOp, CopyStartOp,
             WaitOp, FillOp, RepeatOp>(op)) {
      op->emitOpError("is no step");
      return WalkResult::interrupt();
    }
    auto repeat = op->getParentOfType<RepeatOp>();
    int64_t turns = repeat ? repeat.getCount() : 1;
    for (NamedAttribute attribute : op->getAttrs()) {
      SmallVector<SliceAttr> slices;
      if (auto slice = dyn_cast<SliceAttr>(attribute.getValue()))
        slices.push_back(slice);
      if (auto array = dyn_cast<ArrayAttr>(attribute.getValue()))
        for (Attribute element : array)
          if (auto slice = dyn_cast<SliceAttr>(element))
            slices.push_back(slice);
      for (SliceAttr slice : slices) {
        if (failed(verifySlice(op, *this, slice, turns)))
          return WalkResult::interrupt();
        // program.C5
        if (slice.getSpace() == Space::Host &&
            !isa<LiveOp, CopyOp, CopyStartOp>(op)) {
          op->emitOpError("uses ")
              << slice << ", but only copies reach the host's memory";
          return WalkResult::interrupt();
        }
      }
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

LogicalResult LiveOp::verify() {
  // live.C1
  int64_t life = getLast() - getFirst();
  if (getTurns() < 1 || (getTurns() > 1 && int64_t(getPeriod()) < life))
    return emitOpError("lives ") << life << " steps in each of " << getTurns()
                                 << " turns of " << getPeriod() << " steps";
  return success();
}

LogicalResult BindOp::verify() {
  // bind.C1
  if (getSlice().getBytes() != denseBytes(cast<ShapedType>(getType())))
    return emitOpError("names ")
           << getSlice().getBytes() << " bytes but " << getType() << " has "
           << denseBytes(cast<ShapedType>(getType()));
  // bind.C2
  if (getSlice().getSpace() == Space::Arena)
    return emitOpError("names a slice of the arena");
  return success();
}

LogicalResult RepeatOp::verify() {
  // repeat.C1
  if (getCount() < 1)
    return emitOpError("has ") << getCount() << " turns";
  return success();
}

// copy.C1, copy.C2, copy_start.C1, copy_start.C2
static LogicalResult verifyCopy(Operation *op, SliceAttr to, SliceAttr from) {
  if (to.getBytes() != from.getBytes())
    return op->emitOpError("copies ")
           << from.getBytes() << " bytes to " << to.getBytes();
  if (to.overlaps(from))
    return op->emitOpError("copies ")
           << from << " to " << to << ", which overlap";
  return success();
}

LogicalResult CopyOp::verify() { return verifyCopy(*this, getTo(), getFrom()); }

//===----------------------------------------------------------------------===//
// What runs beside the launches
//===----------------------------------------------------------------------===//

WaitOp CopyStartOp::getWait() { return cast<WaitOp>(*getToken().user_begin()); }

WaitOp MoveStartOp::getWait() { return cast<WaitOp>(*getToken().user_begin()); }

// copy_start.C3, move_start.C2
static LogicalResult verifyToken(Operation *start, Value token) {
  if (!token.hasOneUse() || !isa<WaitOp>(*token.user_begin()))
    return start->emitOpError("must be waited for once, not ")
           << std::distance(token.use_begin(), token.use_end()) << " times";
  if (Operation *wait = *token.user_begin();
      wait->getBlock() != start->getBlock()) {
    InFlightDiagnostic error =
        start->emitOpError("must be waited for in the same list of steps");
    error.attachNote(wait->getLoc()) << "the wait";
    return error;
  }
  return success();
}

LogicalResult CopyStartOp::verify() {
  if (failed(verifyCopy(*this, getTo(), getFrom())))
    return failure();
  return verifyToken(*this, getToken());
}

LogicalResult MoveStartOp::verify() {
  // move_start.C1
  if (getSpace() != Space::Host && getSpace() != Space::Arena)
    return emitOpError("moves to the ")
           << stringifySpace(getSpace()) << ", which holds no values";
  if (failed(verifyToken(*this, getToken())))
    return failure();
  for (Operation *user : getMoved().getUsers()) {
    Operation *near = (*this)->getBlock()->findAncestorOpInBlock(*user);
    // move_start.C3
    if (near && near->isBeforeInBlock(getWait())) {
      InFlightDiagnostic error = emitOpError("may still be running");
      error.attachNote(user->getLoc()) << "when its result is used here";
      return error;
    }
    // move_start.C4
    if (getSpace() == Space::Host && !isa<MoveStartOp>(user)) {
      InFlightDiagnostic error =
          emitOpError("puts the value into the host's memory");
      error.attachNote(user->getLoc()) << "which this op cannot reach";
      return error;
    }
  }
  return success();
}

LogicalResult WaitOp::verify() {
  // wait.C1
  if (getTokens().empty())
    return emitOpError("waits for nothing");
  return success();
}

namespace {
/// A slice that a step touches.
struct Touch {
  SliceAttr slice;
  bool writes;
};
} // namespace

/// What a step other than a repeat touches.
static SmallVector<Touch> touchesOf(Operation *op,
                                    SymbolTableCollection &symbols) {
  SmallVector<Touch> touches;
  if (auto fill = dyn_cast<FillOp>(op))
    touches.push_back({fill.getTo(), true});
  if (auto copy = dyn_cast<CopyOp>(op))
    touches.append({{copy.getTo(), true}, {copy.getFrom(), false}});
  if (auto copy = dyn_cast<CopyStartOp>(op))
    touches.append({{copy.getTo(), true}, {copy.getFrom(), false}});
  if (auto group = dyn_cast<LaunchGroupOp>(op))
    for (LaunchOp member : group.getMembers())
      touches.append(touchesOf(member, symbols));
  auto launch = dyn_cast<LaunchOp>(op);
  auto kernel =
      launch ? symbols.lookupNearestSymbolFrom<tile::KernelOp>(
                   launch->getParentOfType<ProgramOp>(), launch.getKernelAttr())
             : tile::KernelOp();
  for (unsigned i = 0, e = kernel ? launch.getSlices().size() : 0; i != e; ++i)
    touches.push_back({launch.getSlice(i),
                       i >= kernel.getNumBuffers() ||
                           kernel.getBufferAccess(i) != tile::Access::Read});
  return touches;
}

/// Whether the slices share a byte, each in its turn.
static bool overlapsIn(SliceAttr a, int64_t turnOfA, SliceAttr b,
                       int64_t turnOfB) {
  return a.getSpace() == b.getSpace() &&
         a.getEnd(turnOfA) - a.getBytes() < b.getEnd(turnOfB) &&
         b.getEnd(turnOfB) - b.getBytes() < a.getEnd(turnOfA);
}

LogicalResult
CopyStartOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  // copy_start.C4
  auto around = dyn_cast<RepeatOp>((*this)->getParentOp());
  int64_t turns = around ? around.getCount() : 1;
  auto verifyStep = [&](Operation *step, int64_t innerTurns) -> LogicalResult {
    for (Touch touch : touchesOf(step, symbolTable))
      for (int64_t turn = 0; turn < std::max(turns, innerTurns); ++turn) {
        // In one repeat both are in the same turn.
        int64_t own = around ? turn : 0;
        bool races =
            overlapsIn(touch.slice, turn, getTo(), own) ||
            (touch.writes && overlapsIn(touch.slice, turn, getFrom(), own));
        if (!races)
          continue;
        InFlightDiagnostic error =
            step->emitOpError(touch.writes ? "writes " : "reads ");
        error << touch.slice << " while a copy from " << getFrom() << " to "
              << getTo() << " may be running";
        error.attachNote(getLoc()) << "the copy starts here";
        error.attachNote(getWait().getLoc()) << "and is waited for here";
        return error;
      }
    return success();
  };
  for (Operation *step = (*this)->getNextNode(); step && step != getWait();
       step = step->getNextNode()) {
    if (auto repeat = dyn_cast<RepeatOp>(step)) {
      for (Operation &inner : repeat.getBody().front())
        if (failed(verifyStep(&inner, repeat.getCount())))
          return failure();
    } else if (failed(verifyStep(step, 1))) {
      return failure();
    }
  }
  return success();
}

// launch.C5: what the kernel writes overlaps nothing else that it is given.
static LogicalResult verifyAliases(LaunchOp op, tile::KernelOp kernel) {
  auto repeat = op->getParentOfType<RepeatOp>();
  int64_t turns = repeat ? repeat.getCount() : 1;
  unsigned buffers = kernel.getNumBuffers(), slices = op.getSlices().size();
  for (unsigned i = 0; i < slices; ++i) {
    if (i < buffers && kernel.getBufferAccess(i) == tile::Access::Read)
      continue;
    for (unsigned j = 0; j < slices; ++j) {
      SliceAttr written = op.getSlice(i), other = op.getSlice(j);
      if (i == j || written.getSpace() != other.getSpace())
        continue;
      bool overlaps = false;
      for (int64_t turn = 0; turn < turns && !overlaps; ++turn)
        overlaps =
            written.getEnd(turn) - written.getBytes() < other.getEnd(turn) &&
            other.getEnd(turn) - other.getBytes() < written.getEnd(turn);
      if (!overlaps || (written == other && std::max(i, j) < buffers &&
                        tile::mayUpdateBytes(kernel, j, i)))
        continue;
      return op.emitOpError("writes buffer ")
             << i << " to " << written << ", which overlaps buffer " << j
             << " in " << other;
    }
  }
  return success();
}

LogicalResult LaunchGroupOp::verify() {
  // launch_group.C1
  for (Operation &member : getBody().front())
    if (!isa<LaunchOp>(member))
      return member.emitOpError("is no launch, but in a group of them");
  if (getBody().front().getOperations().size() < 2)
    return emitOpError("is no group: it has ")
           << getBody().front().getOperations().size() << " members";
  return success();
}

LogicalResult
LaunchGroupOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  // launch_group.C2: what was touched so far, by where it begins. A group may
  // have hundreds of members, so slices are held against their neighbours only.
  auto repeat = (*this)->getParentOfType<RepeatOp>();
  int64_t turns = repeat ? repeat.getCount() : 1;
  struct Use {
    int64_t begin, end;
    LaunchOp member;
    Touch touch;
  };
  SmallVector<Use> uses;
  for (int64_t turn = 0; turn < turns; ++turn) {
    uses.clear();
    for (LaunchOp member : getMembers())
      for (Touch touch : touchesOf(member, symbolTable))
        uses.push_back({touch.slice.getEnd(turn) - touch.slice.getBytes(),
                        touch.slice.getEnd(turn), member, touch});
    llvm::stable_sort(uses, [](const Use &x, const Use &y) {
      return std::pair(x.touch.slice.getSpace(), x.begin) <
             std::pair(y.touch.slice.getSpace(), y.begin);
    });
    for (auto [i, use] : llvm::enumerate(uses))
      for (const Use &next : ArrayRef(uses).drop_front(i + 1)) {
        if (next.touch.slice.getSpace() != use.touch.slice.getSpace() ||
            next.begin >= use.end)
          break;
        if (next.member == use.member ||
            (!use.touch.writes && !next.touch.writes))
          continue;
        const Use &writer = use.touch.writes ? use : next;
        const Use &other = use.touch.writes ? next : use;
        InFlightDiagnostic error =
            LaunchOp(writer.member).emitOpError("writes ");
        error << writer.touch.slice << " in a group";
        error.attachNote(LaunchOp(other.member).getLoc())
            << "of which this member "
            << (other.touch.writes ? "writes " : "reads ") << other.touch.slice;
        return error;
      }
  }
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  // launch.C1
  auto kernel = symbolTable.lookupNearestSymbolFrom<tile::KernelOp>(
      (*this)->getParentOfType<ProgramOp>(), getKernelAttr());
  if (!kernel)
    return emitOpError("launches ")
           << getKernelAttr() << ", which is no tile.kernel";
  // launch.C2
  int64_t workspace = kernel.getWorkspaceBytes();
  if (getSlices().size() != kernel.getNumBuffers() + (workspace > 0)) {
    InFlightDiagnostic error =
        emitOpError("gives ") << getSlices().size() << " slices to a kernel of "
                              << kernel.getNumBuffers() << " buffers"
                              << (workspace ? " and a workspace" : "");
    error.attachNote(kernel.getLoc()) << "the kernel";
    return error;
  }
  // launch.C3
  for (unsigned i = 0; i < getSlices().size(); ++i)
    if (int64_t bytes = i < kernel.getNumBuffers()
                            ? denseBytes(kernel.getBufferType(i))
                            : workspace;
        getSlice(i).getBytes() != bytes) {
      InFlightDiagnostic error = emitOpError("gives ")
                                 << getSlice(i) << " for buffer " << i << " of "
                                 << bytes << " bytes";
      error.attachNote(kernel.getLoc()) << "the kernel";
      return error;
    }
  // launch.C4
  if (getBlocks() < 1 ||
      static_cast<int64_t>(getBlocks()) > kernel.getNumBlocks())
    return emitOpError("runs ")
           << getBlocks() << " blocks of a kernel of " << kernel.getNumBlocks();
  return verifyAliases(*this, kernel);
}
