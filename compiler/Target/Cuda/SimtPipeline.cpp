//===- SimtPipeline.cpp - operands that are copied ahead of their turn ----===//
//
// Where a loop multiplies tiles that it loads, and 16 bytes of them are
// neighbours in memory, cp.async copies them to a ring in shared memory some
// turns ahead. A turn begins with the one barrier that it needs: behind it the
// turn's stage is there for all threads, and all are done with the stage of the
// turn before, which is filled next.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cuda/SimtSweep.h"

#include "llvm/Support/FormatVariadic.h"

using namespace tarn;
using namespace tarn::cuda;
using namespace mlir;

/// What a copy moves.
static constexpr int64_t copyBytes = 16;
/// Turns of a loop whose bounds depend on the block, for the model.
static constexpr double unknownTurns = 16;
/// Registers of a thread beside its tiles, for the model.
static constexpr int64_t otherRegisters = 48;

//===----------------------------------------------------------------------===//
// What can be copied ahead
//===----------------------------------------------------------------------===//

/// Whether what `value` is made of is known in an earlier turn: positions,
/// constants, arithmetic, and buffers that nobody writes. Adds the scalar ops
/// of the loop's body that it needs.
bool SimtEmitter::isKnownAhead(Value value, scf::ForOp loop,
                               llvm::SetVector<Operation *> &scalars) {
  if (value == loop.getInductionVar() || isConstant(value))
    return true;
  Operation *op = value.getDefiningOp();
  bool isTile = isa<RankedTensorType>(value.getType());
  // A block's own values are there; its tiles may be other threads'.
  if (!op || !loop->isAncestor(op)) {
    auto argument = dyn_cast<BlockArgument>(value);
    if (!isTile)
      return !argument || argument.getOwner() != loop.getBody();
    if (!op || !isInline(value))
      return false;
  } else if (op->getBlock() != loop.getBody() || !isInline(value)) {
    return false;
  }
  for (Value operand : op->getOperands()) {
    if (isa<MemRefType>(operand.getType())) {
      auto buffer = cast<BlockArgument>(operand);
      if (kernel.getBufferAccess(buffer.getArgNumber()) != tile::Access::Read ||
          sharingBytes.contains(buffer))
        return false;
    } else if (!isKnownAhead(operand, loop, scalars)) {
      return false;
    }
  }
  if (!isTile && loop->isAncestor(op))
    scalars.insert(op);
  return true;
}

/// Whether `value`, an operand of a product in `loop`, is a copy of memory in
/// pieces of 16 bytes, zero outside.
bool SimtEmitter::isCopiedAhead(Value value, scf::ForOp loop,
                                llvm::SetVector<Operation *> &scalars) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getBlock() != loop.getBody() ||
      !isa<tile::LoadOp, tile::GatherOp>(op))
    return false;
  Source source = sourceOf(op);
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getRank() != 2 ||
      (source.pad && !matchPattern(source.pad, m_AnyZeroFloat())))
    return false;
  Layout layout = copyLayout(type.getDimSize(0), type.getDimSize(1),
                             copyBytes / memoryBytes(type.getElementType()));
  return layout.vector * memoryBytes(type.getElementType()) == copyBytes &&
         areNeighbours(cast<MemRefType>(source.buffer.getType()),
                       source.positions, source.dims, layout.vector) &&
         isKnownAhead(value, loop, scalars);
}

/// The loop's pipeline, if it has one; found where the loop is met first.
SimtEmitter::Pipeline *SimtEmitter::pipelineOf(scf::ForOp loop) {
  if (!tensorCores || chunkOperands || options.stages == 1)
    return nullptr;
  std::unique_ptr<Pipeline> &known = pipelines[loop.getOperation()];
  bool isNew = !known;
  if (isNew)
    known = std::make_unique<Pipeline>();
  Pipeline &pipeline = *known;
  if (isNew) {
    loop.walk([&](tile::DotOp dot) {
      for (Value operand : {Value(dot.getA()), Value(dot.getB())}) {
        llvm::SetVector<Operation *> scalars = pipeline.scalars;
        if (!isCopiedAhead(operand, loop, scalars))
          continue;
        pipeline.scalars = scalars;
        pipeline.tiles.insert(operand);
      }
    });
    // In the order of the program.
    llvm::SmallVector<Operation *> order(pipeline.scalars.begin(),
                                         pipeline.scalars.end());
    llvm::sort(order, [](Operation *a, Operation *b) {
      return a->isBeforeInBlock(b);
    });
    pipeline.scalars = {order.begin(), order.end()};
    pipeline.stages = pipeline.tiles.empty() ? 1
                      : options.stages       ? options.stages
                                             : 2;
  }
  return pipeline.stages > 1 ? &pipeline : nullptr;
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

/// Copies of the tiles of the turn at `at`, into stage `slot` of their
/// rings; none where there is no such turn.
LogicalResult SimtEmitter::emitCopies(Pipeline &pipeline, scf::ForOp loop,
                                      StringRef at, StringRef slot,
                                      StringRef end) {
  // Nothing of this turn is of use: all is evaluated from its positions.
  Scope scope = enterScope();
  held.clear(), shared.clear();
  text.open("if (" + at + " < " + end + ") {");
  scalars[loop.getInductionVar()] = at.str();
  for (Operation *op : pipeline.scalars)
    if (failed(emitScalar(op)))
      return failure();
  for (auto [value, ring] : llvm::zip(pipeline.tiles, pipeline.rings)) {
    BlockTile place = *ring;
    place.name = names.unique(nameFor(value) + "_next");
    text.line(memoryType(place.element) + " *" + place.name + " = " +
              ring->name + " + " + slot + " * " + Twine(ring->stageElements) +
              ";");
    auto type = cast<RankedTensorType>(value.getType());
    Root root;
    root.value = value;
    root.copiedTo = &place;
    root.layout = copyLayout(type.getDimSize(0), type.getDimSize(1),
                             copyBytes / memoryBytes(place.element));
    if (failed(emitSweep({root})))
      return failure();
  }
  text.close();
  text.line("copy_async_commit();");
  leaveScope(std::move(scope));
  return success();
}

/// Sixteen bytes of an operand, by cp.async.
LogicalResult SimtEmitter::copyRoot(Sweep &sweep, const Root &root) {
  Operation *op = root.value.getDefiningOp();
  Source source = sourceOf(op);
  SmallVector<Expression> at = identity(root.value, sweep.layout);
  FailureOr<std::optional<Expression>> rows = gatheredRow(sweep, op, at);
  if (failed(rows))
    return failure();
  at.back().text = groupColumn();
  auto type = cast<RankedTensorType>(root.value.getType());
  FailureOr<Place> where =
      place(op, source.buffer, source.positions, source.dims, type.getShape(),
            at, sweep.layout, *rows ? &**rows : nullptr);
  if (failed(where))
    return failure();
  std::string from = buffers[source.buffer];
  std::string first = from + " + " + where->offset;
  std::string inside = "true";
  sweep.usesRegisters = true; // copies are written out
  sweep.group.at(op->getLoc());
  if (!where->condition.empty()) {
    inside = names.unique("inside");
    sweep.group.line("const bool " + inside + " = " + where->condition + ";");
    first = inside + " ? " + first + " : " + from;
  }
  sweep.group.line("copy_async(&" + root.copiedTo->name + "[r * " +
                   llvm::Twine(root.copiedTo->pitch) + " + c], " + first +
                   ", " + inside + ");");
  return success();
}

/// Rings, and the copies of the first turns.
LogicalResult SimtEmitter::emitPipelineStart(Pipeline &pipeline,
                                             scf::ForOp loop, StringRef from,
                                             StringRef to, StringRef step) {
  pipeline.rings.clear();
  pipeline.stageBytes = 0;
  for (Value value : pipeline.tiles) {
    auto type = cast<RankedTensorType>(value.getType());
    const BlockTile &ring = allocateOperand(
        value, type.getDimSize(0), type.getDimSize(1), pipeline.stages);
    pipeline.rings.push_back(&ring);
    pipeline.stageBytes += ring.stageElements * memoryBytes(ring.element);
    willWrite(ring.name);
  }
  pipeline.count = names.unique("stages");
  text.at(loop.getLoc());
  text.line("constexpr int " + pipeline.count + " = " + Twine(pipeline.stages) +
            ";");
  NameScope scope(names, lasting);
  std::string slot = names.unique("slot"), ahead = names.unique("ahead");
  text.directive("#pragma unroll 1");
  text.open("for (int " + slot + " = 0; " + slot + " < " + pipeline.count +
            " - 1; ++" + slot + ") {");
  text.line("const int " + ahead + " = " + (from == "0" ? "" : from + " + ") +
            slot + (step == "1" ? "" : " * " + step) + ";");
  if (failed(emitCopies(pipeline, loop, ahead, slot, to)))
    return failure();
  text.close();
  return success();
}

/// The head of a turn: its tiles are waited for, later ones set on their way.
LogicalResult SimtEmitter::emitPipelineTurn(Pipeline &pipeline, scf::ForOp loop,
                                            StringRef at, StringRef to,
                                            StringRef step) {
  text.line("// This turn's tiles are there, those of the last one are free.");
  text.line("copy_async_wait<" + pipeline.count + " - 2>();");
  barrier();
  int64_t turns = pipeline.stages - 1;
  std::optional<int64_t> constant = getConstantIntValue(loop.getStep());
  std::string far = constant     ? std::to_string(turns * *constant)
                    : turns == 1 ? step.str()
                                 : std::to_string(turns) + " * " + step.str();
  {
    NameScope scope(names, lasting);
    std::string ahead = names.unique("ahead"), next = names.unique("next");
    text.line("const int " + ahead + " = " + at + " + " + far + ";");
    text.line("const int " + next + " = (" + pipeline.slot + " > 0 ? " +
              pipeline.slot + " : " + pipeline.count + ") - 1;");
    if (failed(emitCopies(pipeline, loop, ahead, next, to)))
      return failure();
  }
  for (auto [value, ring] : llvm::zip(pipeline.tiles, pipeline.rings)) {
    auto current = std::make_unique<BlockTile>(*ring);
    current->name = lastingName(nameFor(value) + "_tile");
    text.line("const " + memoryType(current->element) + " *" + current->name +
              " = " + ring->name + " + " + pipeline.slot + " * " +
              Twine(ring->stageElements) + ";");
    shared[value] = current.get();
    stageTiles.push_back(std::move(current));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// The number of stages
//===----------------------------------------------------------------------===//

/// Chooses stages by the cost model, where the options do not say how many.
/// Returns whether another emission is needed.
bool SimtEmitter::chooseStages() {
  const Limits &limits = getLimits(options.architecture);
  UnitRoom room{limits.blockSharedBytes, limits.sharedBytes, limits.registers,
                limits.threads, limits.blocks};
  std::string target = ("cuda:" + cuda::getName(options.architecture)).str();
  const Device *device = usualDevice(target);
  assert(device && "every architecture has a device with figures");
  bool changed = false;
  int64_t total = sharedBytes;
  for (auto &[op, known] : pipelines) {
    Pipeline &pipeline = *known;
    if (pipeline.stages < 2 || options.stages)
      continue;
    auto loop = cast<scf::ForOp>(op);
    CopyLoop model;
    model.blocks = launch.blocks;
    model.threads = threads;
    model.stageBytes = pipeline.stageBytes;
    model.otherBytes = total - pipeline.stages * pipeline.stageBytes;
    std::optional<int64_t> from = getConstantIntValue(loop.getLowerBound());
    std::optional<int64_t> to = getConstantIntValue(loop.getUpperBound());
    std::optional<int64_t> by = getConstantIntValue(loop.getStep());
    model.turns = from && to && by && *by > 0
                      ? double(std::max<int64_t>(
                            0, llvm::divideCeilSigned(*to - *from, *by)))
                      : unknownTurns;
    int64_t registers = 0;
    loop.walk([&](tile::DotOp dot) {
      RankedTensorType type = dot.getResult().getType();
      model.type = dotTypeOf(dot);
      model.flops += 2.0 * double(type.getNumElements()) * double(dot.getK());
      registers += home(dot.getResult()).registers();
    });
    model.registers =
        std::min(registers + otherRegisters, limits.threadRegisters);
    model.waits = 0;
    for (Value value : pipeline.tiles) {
      auto type = cast<RankedTensorType>(value.getType());
      int64_t bytes = memoryBytes(type.getElementType());
      Layout layout =
          copyLayout(type.getDimSize(0), type.getDimSize(1), copyBytes / bytes);
      model.copiedBytes += type.getNumElements() * bytes;
      model.waits += layout.heldRows * layout.groups;
    }
    llvm::SmallVector<CopyChoice> choices =
        copyChoices(model, room, *device, target);
    CopyChoice chosen;
    if (!choices.empty())
      chosen = chooseCopies(choices);
    std::string note;
    for (const CopyChoice &choice : choices)
      note += llvm::formatv("{0}{1}{2} {3:f1} us", note.empty() ? "" : ", ",
                            choice.stages == chosen.stages ? "*" : "",
                            choice.stages, 1e6 * choice.seconds)
                  .str();
    pipeline.note = note;
    total += (chosen.stages - pipeline.stages) * pipeline.stageBytes;
    changed |= chosen.stages != pipeline.stages;
    pipeline.stages = chosen.stages;
  }
  return changed;
}
