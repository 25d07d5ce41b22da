//===- TensorCore.cpp - the frame of kernels with dots --------------------===//

#include "compiler/Target/Cuda/TensorCore.h"

#include "dialects/Tile/Analysis.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/StringSet.h"

using namespace tarn;
using namespace tarn::cuda;
using namespace mlir;

namespace {

/// Registers of a thread: what it is launched with, and what setmaxnreg gives
/// the computing and the loading ones. The sums over the warpgroups are within
/// what the block is launched with. With one computing warpgroup every thread
/// has 255 anyway.
struct RegisterSplit {
  unsigned launched, consumer, producer;
};
constexpr RegisterSplit registerSplits[] = {
    {0, 0, 0}, {255, 0, 0}, {168, 240, 24}, {128, 160, 32}};
/// What a kernel needs beside its tiles: addresses, counters, temporaries.
constexpr unsigned otherRegisters = 32;
/// What one product needs beside its accumulator.
constexpr unsigned productRegisters = 26;

} // namespace

TensorCoreEmitter::TensorCoreEmitter(tile::KernelOp kernel,
                                     const CudaOptions &options,
                                     Operands operands, CudaKernel &launch)
    : kernel(kernel), options(options), operands(std::move(operands)),
      launch(launch), text(options.lines), declarations(false) {
  layout.rows = 64 * this->operands.consumers;
}

FailureOr<std::string> TensorCoreEmitter::declare(Value value, StringRef wish) {
  // A sweep that is written a second time uses the arrays of the first.
  auto fixed = fixedArrays.find(value);
  if (fixed != fixedArrays.end())
    return fixed->second;
  FailureOr<std::string> type = cType(
      value.getDefiningOp() ? value.getDefiningOp() : kernel.getOperation(),
      getElementTypeOrSelf(value.getType()));
  if (failed(type))
    return failure();
  std::string name = names.unique(wish);
  tileRegisters += elementsOf(value);
  declarations.line(*type + " " + name + "[" + Twine(elementsOf(value)) + "];");
  return name;
}

/// A name that says what a value is: the model's, or the op's.
std::string TensorCoreEmitter::wishedName(Value value) {
  std::string given = nameIn(value.getLoc());
  if (!given.empty())
    return given;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    if (loop && argument.getArgNumber() > 0) {
      Value next = loop.getBody()->getTerminator()->getOperand(
          argument.getArgNumber() - 1);
      Operation *op = next.getDefiningOp();
      if (op && isa<tile::DotOp>(op))
        return "acc";
      return "carried_" + (op ? wishedName(next) : "value");
    }
    return "value";
  }
  Operation *op = value.getDefiningOp();
  if (auto reduce = dyn_cast<tile::ReduceOp>(op))
    return reduce.getKind() == tile::ReduceKind::Max ? "row_max" : "row_sum";
  if (auto load = dyn_cast<tile::LoadOp>(op))
    return buffers[load.getBuffer()] + "_tile";
  std::string name = op->getName().stripDialect().str();
  // `addf` of floats, but `erf`.
  if (isa<arith::ArithDialect>(op->getDialect()) && name.back() == 'f')
    name.pop_back();
  return name;
}

/// Which vectors have an element per row, and which per column: elementwise
/// ops and loops tie vectors together, reductions and broadcasts decide.
LogicalResult TensorCoreEmitter::classifyVectors() {
  auto isVector = [](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && type.getRank() == 1;
  };
  auto tie = [&](Value a, Value b) {
    if (isVector(a) && isVector(b))
      vectorClasses.unionSets(a.getAsOpaquePointer(), b.getAsOpaquePointer());
  };
  kernel.walk([&](Operation *op) {
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      Operation *yield = loop.getBody()->getTerminator();
      for (unsigned i = 0; i < loop.getNumResults(); ++i) {
        tie(loop.getResult(i), loop.getRegionIterArg(i));
        tie(loop.getInitArgs()[i], loop.getRegionIterArg(i));
        tie(yield->getOperand(i), loop.getRegionIterArg(i));
      }
    } else if (op->getNumResults() == 1 && isVector(op->getResult(0)) &&
               (isa<arith::ArithDialect, math::MathDialect>(
                   op->getDialect()))) {
      for (Value operand : op->getOperands())
        // Constants are shared between the two kinds.
        if (!operand.getDefiningOp<arith::ConstantOp>())
          tie(operand, op->getResult(0));
    }
    return WalkResult::advance();
  });
  Operation *conflict = nullptr;
  auto decide = [&](Operation *op, Value vector, View view) {
    if (!isVector(vector) || vector.getDefiningOp<arith::ConstantOp>())
      return;
    void *key = vector.getAsOpaquePointer();
    vectorClasses.insert(key);
    void *leader = *vectorClasses.findLeader(key);
    if (!vectorViews.try_emplace(leader, view).second &&
        vectorViews[leader] != view)
      conflict = op;
  };
  kernel.walk([&](Operation *op) {
    if (auto reduce = dyn_cast<tile::ReduceOp>(op)) {
      if (reduce.getOperand().getType().getRank() == 2)
        decide(op, reduce.getResult(),
               reduce.getAxis() == 1 ? View::row : View::column);
    } else if (auto broadcast = dyn_cast<tile::BroadcastOp>(op)) {
      decide(op, broadcast.getOperand(),
             broadcast.getAxis() == 1 ? View::row : View::column);
    }
  });
  if (conflict)
    return unsupported(conflict)
           << "a vector with an element per row and per column at once";
  return success();
}

void TensorCoreEmitter::nameEverything() {
  for (unsigned i = 0; i < kernel.getNumBuffers(); ++i) {
    std::string given = nameIn(kernel.getBuffer(i).getLoc());
    buffers[kernel.getBuffer(i)] =
        names.unique(given.empty() ? "buffer" + std::to_string(i) : given);
  }
  for (unsigned d = 0; d < kernel.getGridRank(); ++d) {
    std::string given = nameIn(kernel.getGridPosition(d).getLoc());
    scalars[kernel.getGridPosition(d)] =
        names.unique(given.empty() ? "block" + std::to_string(d) : given);
  }
  kernel.walk([&](scf::ForOp loop) {
    std::string given = nameIn(loop.getInductionVar().getLoc());
    scalars[loop.getInductionVar()] =
        names.unique(given.empty() ? "position" : given);
  });
  for (SharedTile &shared : operands.tiles) {
    tile::LoadOp load = shared.load;
    std::string given = nameIn(load.getLoc());
    shared.name = names.unique(
        given.empty() ? buffers[load.getBuffer()] + "_tile" : given);
    shared.map = names.unique(buffers[load.getBuffer()] + "_map");
  }
  for (RingGroup &group : operands.groups) {
    std::string name;
    for (unsigned tile : group.tiles)
      name += (name.empty() ? "" : "_") +
              buffers[SharedTile(operands.tiles[tile]).load.getBuffer()];
    group.name = names.unique(name);
  }
}

/// Signature and launch parameters: a map per shared tile (equal ones shared),
/// then the buffers that are read or written otherwise.
void TensorCoreEmitter::emitHead() {
  SmallVector<std::string> parameters;
  SmallVector<CudaParameter> maps;
  for (SharedTile &shared : operands.tiles) {
    CudaParameter parameter;
    tile::LoadOp load = shared.load;
    parameter.buffer = cast<BlockArgument>(load.getBuffer()).getArgNumber();
    parameter.isTensorMap = true;
    parameter.box = boxOf(shared);
    auto equal = llvm::find_if(operands.tiles, [&](SharedTile &other) {
      tile::LoadOp otherLoad = other.load;
      return otherLoad.getBuffer() == load.getBuffer() &&
             boxOf(other) == parameter.box;
    });
    if (&*equal != &shared) {
      shared.map = equal->map;
      continue;
    }
    launch.parameters.push_back(parameter);
    parameters.push_back("TENSOR_MAP " + shared.map);
  }
  llvm::SmallDenseSet<unsigned> shared;
  for (auto [read, written] : tile::getSharedBuffers(kernel))
    shared.insert(read);
  for (unsigned i = 0; i < kernel.getNumBuffers(); ++i) {
    Value buffer = kernel.getBuffer(i);
    bool byMapOnly = llvm::all_of(buffer.getUsers(), [&](Operation *user) {
      return user->getNumResults() == 1 && operands.find(user->getResult(0));
    });
    if (byMapOnly)
      continue;
    CudaParameter parameter;
    parameter.buffer = i;
    launch.parameters.push_back(parameter);
    Type element = kernel.getBufferType(i).getElementType();
    std::string type = element.isBF16()        ? "bf16"
                       : element.isF16()       ? "f16"
                       : element.isF32()       ? "float"
                       : element.isInteger(32) ? "int"
                                               : "u8";
    parameters.push_back(
        kernel.getBufferAccess(i) == tile::Access::Read
            ? "const " + type +
                  (shared.contains(i) ? " *" : " *__restrict__ ") +
                  buffers[buffer]
            : type + " *" + buffers[buffer]);
  }
  text.line("#include \"tarn_device.h\"");
  text.line("");
  bool alone = operands.consumers == 1;
  text.line("// " + (alone ? "One" : Twine(operands.consumers)) + " warpgroup" +
            (alone ? " computes" : "s compute") + ", one loads; a ring of " +
            Twine(operands.stages) + " stages, " + Twine(operands.sharedBytes) +
            " bytes of shared memory.");
  for (unsigned i = 0; i < kernel.getNumBuffers(); ++i)
    text.line("//   " + buffers[kernel.getBuffer(i)] + ": " +
              describeBuffer(kernel, i));
  text.line("#define STAGES " + Twine(operands.stages));
  if (launch.persistent)
    text.line("#define TILES " + Twine(launch.blocks));
  text.line("");
  text.at(kernel.getLoc());
  text.line("KERNEL(" + Twine(launch.threads) + ")");
  text.open(launch.name + "(" + llvm::join(parameters, ", ") + ") {");
}

/// Where tiles and barriers lie.
void TensorCoreEmitter::emitArena() {
  text.line("SHARED_ARENA(arena);");
  for (SharedTile &shared : operands.tiles) {
    tile::LoadOp load = shared.load;
    std::string what;
    for (int64_t extent : load.getTileType().getShape())
      what += (what.empty() ? "" : " x ") + std::to_string(extent);
    text.line("u8 *" + shared.name + " = arena + " + Twine(shared.offset) +
              "; // " + what + (shared.group ? ", per stage" : ""));
  }
  if (operands.onceBytes)
    text.line("u64 *once_full = (u64 *)(arena + " +
              Twine(operands.onceBarrier) + ");");
  for (RingGroup &group : operands.groups) {
    text.line("u64 *" + group.name + "_full = (u64 *)(arena + " +
              Twine(group.barrierOffset) + ");");
    text.line("u64 *" + group.name + "_empty = " + group.name +
              "_full + STAGES;");
  }
  text.line("const int warpgroup = threadIdx.x / 128;");
  text.line("const int thread = threadIdx.x % 128;");
  if (!launch.persistent)
    emitPositions("(int)blockIdx.x");
}

/// Where the block starts in each grid dim.
void TensorCoreEmitter::emitPositions(StringRef block) {
  // The last grid dim varies fastest.
  int64_t stride = 1;
  SmallVector<std::string> lines;
  int last = kernel.getGridRank() - 1;
  int64_t height = launch.persistent ? bandHeight() : 1;
  if (height > 1)
    for (; last >= int(kernel.getGridRank()) - 2; --last)
      stride *= kernel.getGridBlocks(last);
  for (int d = last; d >= 0; --d) {
    int64_t blocks = kernel.getGridBlocks(d);
    std::string number = block.str();
    if (stride > 1)
      number += " / " + std::to_string(stride);
    if (d > 0)
      number += " % " + std::to_string(blocks);
    lines.push_back("const int " + scalars[kernel.getGridPosition(d)] + " = " +
                    number +
                    (kernel.getGridTiles()[d] == 1
                         ? ""
                         : " * " + std::to_string(kernel.getGridTiles()[d])) +
                    ";");
    stride *= blocks;
  }
  for (const std::string &line : llvm::reverse(lines))
    text.line(line);
  if (height > 1)
    emitBands(block, height);
}

void TensorCoreEmitter::emitBarrierSetUp() {
  text.open("if (threadIdx.x == 0) {");
  if (operands.onceBytes)
    text.line("mbarrier_init(once_full, 1);");
  if (!operands.groups.empty()) {
    text.open("for (int stage = 0; stage < STAGES; ++stage) {");
    for (RingGroup &group : operands.groups) {
      text.line("mbarrier_init(&" + group.name + "_full[stage], 1);");
      text.line("mbarrier_init(&" + group.name + "_empty[stage], " +
                Twine(operands.consumers) + ");");
    }
    text.close();
  }
  text.line("mbarrier_init_fence();");
  text.close();
  text.line("__syncthreads();");
}

/// How many turns each loop makes.
LogicalResult TensorCoreEmitter::emitTurns() {
  LogicalResult result = success();
  kernel.walk([&](scf::ForOp loop) {
    std::optional<int64_t> from = getConstantIntValue(loop.getLowerBound());
    std::optional<int64_t> to = getConstantIntValue(loop.getUpperBound());
    std::optional<int64_t> step = getConstantIntValue(loop.getStep());
    FailureOr<std::string> first = scalar(loop.getLowerBound());
    FailureOr<std::string> end = scalar(loop.getUpperBound());
    FailureOr<std::string> by = scalar(loop.getStep());
    if (failed(first) || failed(end) || failed(by)) {
      result = failure();
      return;
    }
    if (from && to && step) {
      turns[loop] = std::to_string(
          std::max<int64_t>(0, llvm::divideCeilSigned(*to - *from, *step)));
      return;
    }
    std::string name = names.unique("turns_" + scalars[loop.getInductionVar()]);
    std::string span = *first == "0" ? *end : "(" + *end + " - " + *first + ")";
    text.line("const int " + name + " = (" + span + " + " + *by + " - 1) / " +
              *by + ";");
    turns[loop] = name;
  });
  return result;
}

/// The definition of a loop's position in turn `turn`. Its bounds have been
/// written before, by emitTurns.
std::string TensorCoreEmitter::positionOf(scf::ForOp loop, StringRef turn) {
  std::string from = *scalar(loop.getLowerBound());
  std::string at =
      turn == "0" ? "" : turn.str() + " * " + *scalar(loop.getStep());
  if (from != "0" || at.empty())
    at = at.empty() ? from : from + " + " + at;
  return "const int " + scalars[loop.getInductionVar()] + " = " + at + ";";
}

/// TMA loads of one shared tile, one box of 128-byte rows after the other.
LogicalResult TensorCoreEmitter::emitTmaLoads(SharedTile &shared,
                                              StringRef stage,
                                              StringRef barrier) {
  tile::LoadOp load = shared.load;
  SmallVector<OpFoldResult> positions = load.getMixedPositions();
  int64_t rank = positions.size();
  text.at(load.getLoc());
  for (int64_t chunk = 0; chunk < shared.chunks; ++chunk) {
    SmallVector<std::string> coordinates;
    // TMA counts dims from the fastest on.
    for (int64_t d = rank - 1; d >= 0; --d) {
      FailureOr<std::string> at = position(positions[d]);
      if (failed(at))
        return failure();
      std::string coordinate = *at;
      if (d == rank - 1 && chunk > 0)
        coordinate = (coordinate == "0" ? "" : coordinate + " + ") +
                     std::to_string(shared.perRow * chunk);
      coordinates.push_back(coordinate);
    }
    std::string to = shared.name;
    if (!stage.empty())
      to += " + " + stage.str() + " * " +
            std::to_string(llvm::alignTo(shared.bytes(), 1024));
    if (chunk > 0)
      to += " + " + std::to_string(chunk * shared.chunkBytes());
    text.line("tma_load_" + Twine(rank) + "d(" + to + ", &" + shared.map +
              ", " + barrier + ", " + llvm::join(coordinates, ", ") + ");");
  }
  return success();
}

/// The loading warpgroup: one thread, loads in the order of their use.
LogicalResult TensorCoreEmitter::emitProducer() {
  unsigned registers = registerSplits[operands.consumers].producer;
  text.line("// The last warpgroup loads: one thread of it.");
  text.open("if (warpgroup == " + Twine(operands.consumers) + ") {");
  if (registers)
    text.line("registers_decrease<" + Twine(registers) + ">();");
  text.open("if (thread == 0) {");
  llvm::StringSet<llvm::MallocAllocator> prefetched;
  for (SharedTile &shared : operands.tiles)
    if (prefetched.insert(shared.map).second)
      text.line("tma_prefetch(&" + shared.map + ");");
  if (operands.onceBytes) {
    int64_t bytes = 0;
    for (SharedTile &shared : operands.tiles)
      bytes += shared.group ? 0 : shared.bytes();
    text.line("mbarrier_expect(once_full, " + Twine(bytes) + ");");
    for (SharedTile &shared : operands.tiles)
      if (!shared.group && failed(emitTmaLoads(shared, "", "once_full")))
        return failure();
  }
  if (launch.persistent)
    openTiles();
  const std::string step = launch.persistent ? "step" : "turn";
  for (scf::ForOp loop : kernel.getBody().getOps<scf::ForOp>()) {
    text.open("for (int turn = 0; turn < " + turns[loop] + "; ++turn" +
              (launch.persistent ? ", ++step" : "") + ") {");
    text.line("const int stage = " + step + " % STAGES;");
    text.line("const u32 phase = " + step + " / STAGES & 1;");
    text.line(positionOf(loop, "turn"));
    for (RingGroup &group : operands.groups) {
      if (group.loop != loop)
        continue;
      int64_t bytes = 0;
      for (unsigned tile : group.tiles)
        bytes += operands.tiles[tile].bytes();
      text.line("mbarrier_wait(&" + group.name + "_empty[stage], phase ^ 1);");
      text.line("mbarrier_expect(&" + group.name + "_full[stage], " +
                Twine(bytes) + ");");
      for (unsigned tile : group.tiles)
        if (failed(emitTmaLoads(operands.tiles[tile], "stage",
                                "&" + group.name + "_full[stage]")))
          return failure();
    }
    text.close();
  }
  if (launch.persistent)
    text.close();
  text.close();
  return success();
}

LogicalResult TensorCoreEmitter::emitConsumers() {
  unsigned registers = registerSplits[operands.consumers].consumer;
  text.close("} else {");
  ++text.depth;
  if (registers)
    text.line("registers_increase<" + Twine(registers) + ">();");
  text.line("// The thread's first row and column of a fragment.");
  text.line("const int row = warpgroup * 64 + thread / 32 * 16 + thread % 32 / "
            "4;");
  text.line("const int column = thread % 4 * 2;");
  if (launch.persistent)
    openTiles();
  // The body is written aside: it finds out what has to be declared.
  Text before = text;
  declarations.depth = text.depth;
  text.buffer.clear();
  if (operands.onceBytes)
    text.line("mbarrier_wait(once_full, 0);");
  SmallVector<Operation *> ops;
  for (Operation &op : kernel.getBody().front())
    ops.push_back(&op);
  if (failed(emitOps(ops)))
    return failure();
  waitForDots(0);
  RegisterSplit split = registerSplits[operands.consumers];
  unsigned limit = split.consumer ? split.consumer : split.launched;
  if (tileRegisters + otherRegisters > limit)
    return unsupported(kernel)
           << "tiles of " << tileRegisters << " registers a thread, beside "
           << otherRegisters << " others (limit " << limit
           << "): smaller tiles";
  Text body = text;
  text = before;
  text.append(declarations);
  text.append(body);
  if (launch.persistent)
    text.close();
  text.close();
  return success();
}

LogicalResult TensorCoreEmitter::run(llvm::raw_ostream &os) {
  launch.name = kernel.getSymName().str();
  launch.blocks = kernel.getNumBlocks();
  launch.threads = 128 * (operands.consumers + 1);
  launch.sharedBytes = operands.sharedBytes;
  launch.stages = operands.stages;
  launch.family = Family::wgmma;
  launch.registerLimit = registerSplits[operands.consumers].launched;
  names.unique(launch.name);
  for (tile::DotOp dot : operands.dots) {
    unsigned needed =
        dot.getResult().getType().getDimSize(1) / 2 + productRegisters;
    unsigned launched = registerSplits[operands.consumers].launched;
    if (needed > launched)
      return unsupported(dot)
             << "a product that needs " << needed
             << " registers in a kernel of " << launch.threads
             << " threads, which have " << launched << " each: smaller tiles";
  }
  if (failed(classifyVectors()))
    return failure();
  nameEverything();
  choosePersistent();
  emitHead();
  emitArena();
  emitBarrierSetUp();
  if (failed(emitTurns()) || failed(emitProducer()) || failed(emitConsumers()))
    return failure();
  text.close();
  os << text.buffer;
  return success();
}
