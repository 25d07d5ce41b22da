//===- SimtProgram.cpp - frame, regions and loops -------------------------===//

#include "compiler/Target/Cuda/SimtSweep.h"

#include "dialects/Tile/Analysis.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace tarn;
using namespace tarn::cuda;
using namespace mlir;

/// Emissions until it is known what is worth holding, at most.
static constexpr int maxPasses = 64;

SimtEmitter::SimtEmitter(tile::KernelOp kernel, const CudaOptions &options,
                         CudaKernel &launch)
    : kernel(kernel), options(options), launch(launch), unsignedValues(kernel),
      text(options.lines) {
  classifyVectors();
  chooseThreads();
  for (auto [read, written] : tile::getSharedBuffers(kernel)) {
    sharingBytes.insert(kernel.getBuffer(read));
    sharingBytes.insert(kernel.getBuffer(written));
    overwriting.insert(kernel.getBuffer(written));
  }
}

/// The name that the model gives a value, or the op's.
std::string SimtEmitter::nameFor(Value value) {
  std::string name = nameIn(value.getLoc());
  Operation *op = value.getDefiningOp();
  if (!name.empty())
    return name;
  if (!op)
    return "carried";
  if (auto load = dyn_cast<tile::LoadOp>(op))
    return buffers[load.getBuffer()] + "_in";
  if (auto gather = dyn_cast<tile::GatherOp>(op))
    return buffers[gather.getBuffer()] + "_row";
  if (auto reduce = dyn_cast<tile::ReduceOp>(op))
    return reduce.getKind() == tile::ReduceKind::Sum ? "sum" : "largest";
  if (isa<tile::DotOp>(op))
    return "product";
  if (isa<scf::ForOp>(op))
    return "result";
  StringRef mnemonic = op->getName().stripDialect();
  for (StringRef end : {"f", "i"})
    if (mnemonic.size() > 3 && isa<arith::ArithDialect>(op->getDialect()) &&
        mnemonic.ends_with(end) && mnemonic != "shli" &&
        !mnemonic.ends_with("if"))
      mnemonic = mnemonic.drop_back(1);
  return mnemonic.str();
}

FailureOr<std::string> SimtEmitter::position(OpFoldResult position) {
  if (std::optional<int64_t> constant = getConstantIntValue(position))
    return std::to_string(*constant);
  return scalar(cast<Value>(position));
}

/// A block-uniform number.
FailureOr<std::string> SimtEmitter::scalar(Value value) {
  auto known = scalars.find(value);
  if (known != scalars.end())
    return known->second;
  if (auto constant = value.getDefiningOp<arith::ConstantOp>()) {
    std::string text =
        literal(constant.getValue(), unsignedValues.contains(value));
    if (!text.empty())
      return text;
  }
  unsupported(value.getDefiningOp() ? value.getDefiningOp()
                                    : kernel.getOperation())
      << "a scalar that is not made of positions, constants and arithmetic";
  return failure();
}

/// Defines the result of an op on scalars.
LogicalResult SimtEmitter::emitScalar(Operation *op) {
  if (isa<arith::ConstantOp>(op))
    return success();
  text.at(op->getLoc());
  for (auto [i, result] : llvm::enumerate(op->getResults())) {
    bool isUnsigned = unsignedValues.contains(result);
    std::string type = variableType(result.getType(), isUnsigned);
    if (type.empty())
      return unsupported(op) << "a scalar of " << result.getType();
    std::string expression;
    if (auto load = dyn_cast<tile::LoadScalarOp>(op)) {
      FailureOr<Place> where = place(
          op, load.getBuffer(), load.getMixedPositions(), {}, {}, {}, Layout());
      if (failed(where))
        return failure();
      expression = buffers[load.getBuffer()] + "[" + where->offset + "]";
      if (result.getType().isBF16() || result.getType().isF16())
        expression = "to_float(" + expression + ")";
      if (!where->condition.empty())
        expression =
            where->condition + " ? " + expression + " : (" + type + ")0";
    } else {
      SmallVector<std::string> operands;
      for (Value operand : op->getOperands()) {
        FailureOr<std::string> input = scalar(operand);
        if (failed(input))
          return failure();
        operands.push_back(*input);
      }
      expression = applyElementOp(op, operands, unsignedValues, i);
      if (expression.empty())
        return unsupported(op) << "'" << op->getName() << "' on scalars";
    }
    if (isAtom(expression)) {
      scalars[result] = expression;
      continue;
    }
    std::string name = names.unique(nameFor(result));
    text.line("const " + type + " " + name + " = " + expression + ";");
    scalars[result] = name;
  }
  return success();
}

/// An array (or a variable) for the elements of `value` that a thread holds.
std::string SimtEmitter::declare(Value value, StringRef wish) {
  std::string name = lastingName(wish);
  Layout layout = home(value);
  std::string type = variableType(getElementTypeOrSelf(value.getType()),
                                  unsignedValues.contains(value));
  auto tile = dyn_cast<RankedTensorType>(value.getType());
  bool one = layout.kind == Layout::Kind::uniform;
  std::string shape;
  if (tile && tile.getRank() > 0)
    for (int64_t extent : tile.getShape())
      shape += (shape.empty() ? " // of " : " x ") + std::to_string(extent);
  text.line(
      type + " " + name +
      (one ? ";" : "[" + std::to_string(layout.registers()) + "];" + shape));
  return name;
}

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

LogicalResult SimtEmitter::emitRegion(Block &block) {
  Block *outer = currentBlock;
  currentBlock = &block;
  SmallVector<tile::StoreOp> last;
  for (Operation &op : block.without_terminator()) {
    LogicalResult written = success();
    Root root;
    root.op = &op;
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      written = succeeded(flush()) ? emitLoop(loop) : failure();
    } else if (auto branch = dyn_cast<scf::IfOp>(op)) {
      written = succeeded(flush()) ? emitIf(branch) : failure();
    } else if (auto dot = dyn_cast<tile::DotOp>(op)) {
      written = succeeded(flush()) ? emitDot(dot) : failure();
    } else if (auto store = dyn_cast<tile::StoreOp>(op);
               store && overwriting.contains(store.getBuffer())) {
      last.push_back(store);
    } else if (store) {
      root.value = store.getValue();
      root.layout = home(root.value);
      written = addRoot(root);
    } else if (auto partial = dyn_cast<tile::StorePartialOp>(op)) {
      root.value = partial.getValue();
      root.layout = home(root.value);
      written = addRoot(root);
    } else if (auto add = dyn_cast<tile::AccumulateOp>(op)) {
      root.value = add.getValue();
      root.layout = home(root.value);
      written = add.getRows() ? emitByRows(add) : addRoot(root);
    } else if (auto scatter = dyn_cast<tile::ScatterOp>(op)) {
      written = emitScatter(scatter);
    } else if (auto reduce = dyn_cast<tile::ReduceOp>(op)) {
      RankedTensorType type = reduce.getOperand().getType();
      int64_t rank = type.getRank(), axis = reduce.getAxis();
      root.value = reduce.getOperand();
      root.layout = home(root.value);
      // A vector with an element per row is spread over rows' threads.
      bool spread = rank == 1 && root.layout.kind == Layout::Kind::row;
      if (spread)
        root.layout = flatLayout(type.getDimSize(0));
      written = axis == rank - 1 || rank == 2 ? addRoot(root)
                                              : emitGenericReduce(reduce);
    } else if (auto scan = dyn_cast<tile::ScanOp>(op)) {
      written = emitScan(scan);
    } else if (auto places = dyn_cast<tile::PlacesOp>(op)) {
      written = emitPlaces(places);
    } else if (isa<tile::DotScaledOp>(op)) {
      return unsupported(&op) << "'" << op.getName() << "'";
    } else if (op.getNumResults() > 0 &&
               !isa<RankedTensorType>(op.getResult(0).getType())) {
      written = emitScalar(&op);
    }
    if (failed(written))
      return failure();
  }
  if (failed(addLast(last)) || failed(flush()))
    return failure();
  currentBlock = outer;
  return success();
}

/// Writes the values of `from` to the variables `to`; all are read before any
/// is written.
LogicalResult SimtEmitter::assignAll(ValueRange from, ArrayRef<std::string> to,
                                     ValueRange like) {
  SmallVector<std::string> sources;
  for (auto [value, target, same] : llvm::zip(from, to, like)) {
    if (!isa<RankedTensorType>(value.getType())) {
      FailureOr<std::string> text = scalar(value);
      if (failed(text))
        return failure();
      sources.push_back(*text);
      continue;
    }
    auto known = held.find(value);
    if (known != held.end() && known->second.layout.kind == home(same).kind) {
      sources.push_back(known->second.name);
      continue;
    }
    Root root;
    root.value = value;
    root.array = declare(same, "next_" + target);
    root.layout = home(same);
    sources.push_back(root.array);
    if (failed(addRoot(root)))
      return failure();
  }
  if (failed(flush()))
    return failure();
  // Values that change places go through copies.
  for (auto [i, value] : llvm::enumerate(from)) {
    bool carried = llvm::is_contained(to, sources[i]) && sources[i] != to[i];
    if (!carried)
      continue;
    Layout layout = home(like[i]);
    std::string copy = declare(like[i], "last_" + sources[i]);
    if (layout.kind == Layout::Kind::uniform) {
      text.line(copy + " = " + sources[i] + ";");
    } else {
      text.directive("#pragma unroll");
      text.line("for (int n = 0; n < " + Twine(layout.registers()) + "; ++n)");
      text.line("  " + copy + "[n] = " + sources[i] + "[n];");
    }
    sources[i] = copy;
  }
  for (auto [source, target, same] : llvm::zip(sources, to, like)) {
    if (source == target)
      continue;
    Layout layout = home(same);
    if (layout.kind == Layout::Kind::uniform) {
      text.line(target + " = " + source + ";");
      continue;
    }
    text.directive("#pragma unroll");
    text.line("for (int n = 0; n < " + Twine(layout.registers()) + "; ++n)");
    text.line("  " + target + "[n] = " + source + "[n];");
  }
  return success();
}

LogicalResult SimtEmitter::emitLoop(scf::ForOp loop) {
  // What is worth holding, or copying, once for all turns.
  auto before = hoisted.find(loop.getOperation());
  if (before != hoisted.end()) {
    for (Value value : before->second) {
      if (held.contains(value))
        continue;
      Root root;
      root.value = value;
      root.layout = home(value);
      root.array = declare(value, nameFor(value));
      if (failed(emitSweep({root})))
        return failure();
      held[value] = {root.array, root.layout};
    }
  }
  if (failed(stageBefore(loop)))
    return failure();
  SmallVector<std::string> carried;
  for (BlockArgument argument : loop.getRegionIterArgs()) {
    std::string name = declare(argument, nameFor(argument));
    carried.push_back(name);
    if (isa<RankedTensorType>(argument.getType()))
      held[argument] = {name, home(argument)};
    else
      scalars[argument] = name;
  }
  if (failed(assignAll(loop.getInitArgs(), carried, loop.getRegionIterArgs())))
    return failure();
  FailureOr<std::string> from = scalar(loop.getLowerBound());
  FailureOr<std::string> to = scalar(loop.getUpperBound());
  FailureOr<std::string> step = scalar(loop.getStep());
  if (failed(from) || failed(to) || failed(step))
    return failure();
  std::string wish = nameIn(loop.getInductionVar().getLoc());
  std::string at = names.unique(wish.empty() ? "at" : wish);
  Pipeline *pipeline = pipelineOf(loop);
  if (pipeline && failed(emitPipelineStart(*pipeline, loop, *from, *to, *step)))
    return failure();
  scalars[loop.getInductionVar()] = at;
  std::set<std::string> reads = readSinceBarrier, writes = writtenSinceBarrier;
  text.at(loop.getLoc());
  text.directive("#pragma unroll 1");
  std::string head = "for (int " + at + " = " + *from, next;
  if (pipeline) {
    pipeline->slot = names.unique("slot");
    head += ", " + pipeline->slot + " = 0";
    next = ", " + pipeline->slot + " = " + pipeline->slot + " + 1 < " +
           pipeline->count + " ? " + pipeline->slot + " + 1 : 0";
  }
  text.open(head + "; " + at + " < " + *to + "; " + at + " += " + *step + next +
            ") {");
  Scope scope = enterScope();
  if (pipeline && failed(emitPipelineTurn(*pipeline, loop, at, *to, *step)))
    return failure();
  if (failed(emitRegion(*loop.getBody())))
    return failure();
  currentBlock = loop.getBody();
  if (failed(assignAll(loop.getYieldedValues(), carried,
                       loop.getRegionIterArgs())))
    return failure();
  currentBlock = loop->getBlock();
  leaveScope(std::move(scope));
  // The next turn starts with a clean slate; the turn of a pipeline by itself.
  if (!pipeline && (!readSinceBarrier.empty() || !writtenSinceBarrier.empty()))
    barrier();
  text.close();
  if (pipeline)
    for (const BlockTile *ring : pipeline->rings)
      readSinceBarrier.insert(ring->name);
  // It may make no turn at all.
  readSinceBarrier.insert(reads.begin(), reads.end());
  writtenSinceBarrier.insert(writes.begin(), writes.end());
  for (auto [result, argument] :
       llvm::zip(loop.getResults(), loop.getRegionIterArgs())) {
    if (isa<RankedTensorType>(result.getType())) {
      held[result] = held[argument];
      continue;
    }
    scalars[result] = scalars[argument];
  }
  return success();
}

LogicalResult SimtEmitter::emitIf(scf::IfOp op) {
  FailureOr<std::string> condition = scalar(op.getCondition());
  if (failed(condition))
    return failure();
  SmallVector<std::string> results;
  for (Value result : op.getResults())
    results.push_back(declare(result, nameFor(result)));
  text.at(op.getLoc());
  text.open("if (" + *condition + ") {");
  std::set<std::string> reads = readSinceBarrier, writes = writtenSinceBarrier;
  std::set<std::string> afterReads, afterWrites;
  auto branch = [&](Region &region) -> LogicalResult {
    readSinceBarrier = reads;
    writtenSinceBarrier = writes;
    Scope scope = enterScope();
    if (!region.empty()) {
      if (failed(emitRegion(region.front())))
        return failure();
      if (op.getNumResults()) {
        currentBlock = &region.front();
        if (failed(assignAll(region.front().getTerminator()->getOperands(),
                             results, op.getResults())))
          return failure();
        currentBlock = op->getBlock();
      }
    }
    leaveScope(std::move(scope));
    afterReads.insert(readSinceBarrier.begin(), readSinceBarrier.end());
    afterWrites.insert(writtenSinceBarrier.begin(), writtenSinceBarrier.end());
    return success();
  };
  if (failed(branch(op.getThenRegion())))
    return failure();
  if (!op.getElseRegion().empty()) {
    text.close("} else {");
    ++text.depth;
  }
  if (failed(branch(op.getElseRegion())))
    return failure();
  text.close();
  readSinceBarrier = afterReads;
  writtenSinceBarrier = afterWrites;
  for (auto [result, name] : llvm::zip(op.getResults(), results)) {
    if (isa<RankedTensorType>(result.getType()))
      held[result] = {name, home(result)};
    else
      scalars[result] = name;
  }
  return success();
}

/// What is held or copied inside a loop or a branch is not there behind it.
SimtEmitter::Scope SimtEmitter::enterScope() { return {held, shared, scalars}; }
void SimtEmitter::leaveScope(Scope scope) {
  held = std::move(scope.held);
  shared = std::move(scope.shared);
  scalars = std::move(scope.scalars);
}

//===----------------------------------------------------------------------===//
// Frame
//===----------------------------------------------------------------------===//

LogicalResult SimtEmitter::emitBody() {
  text = Text(options.lines);
  names = Names();
  arena.clear();
  sharedTiles.clear(), stageTiles.clear();
  sharedBytes = 0;
  parts.clear(), lasting.clear();
  buffers.clear(), scalars.clear(), held.clear(), shared.clear();
  firstSweeps.clear();
  readSinceBarrier.clear(), writtenSinceBarrier.clear();
  pending.clear(), pendingResults.clear();
  sweepNumber = 0;
  again = false;
  for (const char *word : {"r", "c", "e", "p", "n", "k", "lane", "total"})
    names.unique(word);
  if (options.isBody)
    for (const char *word : {"block", "count"})
      names.unique(word);
  names.unique(launch.name);
  for (unsigned i = 0; i < kernel.getNumBuffers(); ++i) {
    std::string wish = nameIn(kernel.getBuffer(i).getLoc());
    buffers[kernel.getBuffer(i)] =
        names.unique(wish.empty() ? "buffer_" + std::to_string(i) : wish);
  }
  text.depth = 1;
  // Blocks run in any order: dims in order are loops of the block.
  int64_t stride = 1;
  SmallVector<std::string> lines, loops;
  launch.blocks = 1;
  for (int d = kernel.getGridRank() - 1; d >= 0; --d) {
    std::string wish = nameIn(kernel.getGridPosition(d).getLoc());
    std::string name =
        names.unique(wish.empty() ? "at_" + std::to_string(d) : wish);
    int64_t blocks = kernel.getGridBlocks(d), tile = kernel.getGridTiles()[d];
    scalars[kernel.getGridPosition(d)] = name;
    if (blocks == 1 && !options.isCounted) {
      scalars[kernel.getGridPosition(d)] = "0";
      continue;
    }
    if (kernel.getGridSequential()[d]) {
      loops.push_back("for (int " + name + " = 0; " + name + " < " +
                      std::to_string(blocks * tile) + "; " + name +
                      " += " + std::to_string(tile) + ") {");
      continue;
    }
    std::string number = options.isBody ? "block" : "(int)blockIdx.x";
    if (stride > 1)
      number += " / " + std::to_string(stride);
    stride *= blocks;
    launch.blocks *= blocks;
    lines.push_back("const int " + name + " = " + number + " % " +
                    std::to_string(blocks) +
                    (tile == 1 ? "" : " * " + std::to_string(tile)) + ";");
  }
  // The outermost dim needs no remainder.
  if (!lines.empty()) {
    std::string &last = lines.back();
    size_t remainder = last.find(" % ");
    size_t end = last.find_first_of("*;", remainder);
    last.erase(remainder, end - remainder - (last[end] == '*' ? 1 : 0));
  }
  for (const std::string &line : llvm::reverse(lines))
    text.line(line);
  for (const std::string &loop : llvm::reverse(loops))
    text.open(loop);
  if (failed(emitRegion(kernel.getBody().front())))
    return failure();
  for (size_t i = 0; i < loops.size(); ++i) {
    if (i == 0)
      barrier();
    text.close();
  }
  return success();
}

void SimtEmitter::emitHead(llvm::raw_ostream &os) {
  Text head(options.lines);
  SmallVector<std::string> parameters;
  launch.parameters.clear();
  for (unsigned i = 0; i < kernel.getNumBuffers(); ++i) {
    CudaParameter parameter;
    parameter.buffer = i;
    launch.parameters.push_back(parameter);
    Type element = kernel.getBufferType(i).getElementType();
    std::string type = memoryType(element);
    bool read = kernel.getBufferAccess(i) == tile::Access::Read;
    bool alone = !sharingBytes.contains(kernel.getBuffer(i));
    parameters.push_back((read ? "const " : "") + type +
                         (alone ? " *__restrict__ " : " *") +
                         buffers[kernel.getBuffer(i)]);
  }
  if (!options.isBody) {
    head.line("#include \"tarn_device.h\"");
    head.line("");
  }
  std::string what = std::to_string(threads) + " threads, " +
                     std::to_string(lanes) + " along a row";
  if (sharedBytes)
    what += ", " + std::to_string(sharedBytes) + " bytes of shared memory";
  head.line("// " + what + ".");
  for (const auto &[loop, pipeline] : pipelines)
    if (!pipeline->note.empty() && !options.isBody)
      head.line("// Stages of copies, modelled: " + pipeline->note + ".");
  // Functions of a group are compared by their text.
  for (unsigned i = 0; i < kernel.getNumBuffers() && !options.isBody; ++i)
    head.line("//   " + buffers[kernel.getBuffer(i)] + ": " +
              describeBuffer(kernel, i));
  head.at(kernel.getLoc());
  if (options.isBody)
    parameters.push_back("const int block");
  if (options.isCounted)
    parameters.push_back("const int count");
  std::string kind = "DEVICE void ";
  if (!options.isBody) {
    head.line("SIMT_KERNEL(" + Twine(threads) + ")");
    kind.clear();
  }
  head.open(kind + launch.name + "(" + llvm::join(parameters, ",\n    ") +
            ") {");
  if (sharedBytes) {
    head.line("SHARED_ARENA(arena);");
    SmallVector<StringRef> declarations;
    StringRef(arena).split(declarations, '\n', -1, false);
    for (StringRef declaration : declarations)
      head.line(declaration);
  }
  StringRef body(text.buffer);
  if (body.contains("thread") || body.contains("row") || body.contains("lane"))
    head.line("const int thread = threadIdx.x;");
  if (tensorCores) {
    head.line("// Where the thread's elements lie in the accumulators.");
    head.line("const int row = thread / 32 * 16 + thread % 32 / 4;");
    head.line("const int lane = thread % 4;");
  } else {
    if (body.contains("= row") || body.contains("(row"))
      head.line("const int row = thread / " + Twine(lanes) + ";");
    if (body.contains("lane"))
      head.line("const int lane = thread % " + Twine(lanes) + ";");
  }
  os << head.buffer << text.buffer << "}\n";
}

/// What does not fit, and the largest of it.
LogicalResult SimtEmitter::tooMuchShared(int64_t limit) {
  const BlockTile *largest = nullptr;
  int64_t most = 0;
  for (const auto &tile : sharedTiles) {
    int64_t bytes = tile->rows * tile->pitch * memoryBytes(tile->element);
    if (bytes > most)
      largest = tile.get(), most = bytes;
  }
  InFlightDiagnostic error = unsupported(kernel)
                             << "its tiles take " << sharedBytes
                             << " bytes of shared memory, a block has " << limit
                             << " on " << cuda::getName(options.architecture);
  if (largest)
    error << "; the largest, `" << largest->name << "`, has " << largest->rows
          << " rows of " << largest->pitch << " " << largest->element;
  return error;
}

LogicalResult SimtEmitter::run(llvm::raw_ostream &os) {
  launch.name = kernel.getSymName().str();
  for (unsigned i = 0; i < kernel.getNumBuffers(); ++i)
    if (memoryType(kernel.getBufferType(i).getElementType()).empty())
      return unsupported(kernel)
             << "a buffer of " << kernel.getBufferType(i).getElementType();
  const Limits &limits = getLimits(options.architecture);
  bool stagesChosen = false;
  for (int pass = 0;; ++pass) {
    if (failed(emitBody()))
      return failure();
    if (again && pass < maxPasses)
      continue;
    // Rings of two stages at first: what they take, and what is besides.
    if (!stagesChosen) {
      stagesChosen = true;
      if (chooseStages())
        continue;
    }
    if (sharedBytes <= limits.blockSharedBytes)
      break;
    if (chunkOperands)
      return tooMuchShared(limits.blockSharedBytes);
    chunkOperands = true;
  }
  launch.family = tensorCores ? Family::mma : Family::simt;
  launch.threads = threads;
  launch.sharedBytes = sharedBytes;
  launch.stages = 0;
  for (const auto &[loop, pipeline] : pipelines) {
    if (pipeline->stages > 1)
      launch.stages = std::max<unsigned>(launch.stages, pipeline->stages);
    if (!pipeline->note.empty())
      launch.copyNotes.push_back(pipeline->note);
  }
  launch.registerLimit = std::min<int64_t>(limits.threadRegisters,
                                           limits.registers / threads / 8 * 8);
  emitHead(os);
  return success();
}
