//===- Consumer.cpp - what the computing warpgroups do --------------------===//
//
// Waits for dots are lazy: a dot is waited for where its accumulator is used
// first, and its stage of the ring is released there. Two kinds of loops keep
// a dot in flight across turns: loops of dots only, and rotated ones.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cuda/TensorCore.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace tarn;
using namespace tarn::cuda;
using namespace mlir;

/// Whether `value` is the constant zero.
static bool isZero(Value value) {
  return matchPattern(value, m_AnyZeroFloat());
}

/// The stage of the ring that turn `turn` uses.
static std::string stageOf(StringRef turn) {
  return turn == "0" ? "0" : (turn + " % STAGES").str();
}
/// The parity of the phase in which turn `turn` finds its tiles.
static std::string parityOf(StringRef turn) {
  return turn == "0" ? "0" : (turn + " / STAGES & 1").str();
}

/// The shared tiles of a group that are read through `dot` first.
static bool isFirstReader(const RingGroup &group, tile::DotOp dot) {
  return group.readers.front() == dot;
}

//===----------------------------------------------------------------------===//
// Dots
//===----------------------------------------------------------------------===//

/// Frees the stage of every group whose last reader `dot` is.
void TensorCoreEmitter::release(tile::DotOp dot, StringRef turn) {
  for (RingGroup &group : operands.groups)
    if (group.readers.back() == dot)
      text.line("if (thread == 0) mbarrier_arrive(&" + group.name + "_empty[" +
                stageOf(turn) + "]);");
}

void TensorCoreEmitter::waitForDots(size_t stillInFlight) {
  if (inFlight.size() <= stillInFlight)
    return;
  text.line("wgmma_wait<" + Twine(stillInFlight) + ">();");
  size_t done = inFlight.size() - stillInFlight;
  for (size_t i = 0; i < done; ++i)
    release(inFlight[i].dot, inFlight[i].turn);
  inFlight.erase(inFlight.begin(), inFlight.begin() + done);
}

void TensorCoreEmitter::waitForArray(StringRef array) {
  for (size_t i = inFlight.size(); i-- > 0;) {
    tile::DotOp dot = inFlight[i].dot;
    auto left = packed.find(dot);
    if (arrays[dot.getResult()] == array ||
        (left != packed.end() && left->second == array))
      return waitForDots(inFlight.size() - 1 - i);
  }
}

/// Chooses the accumulator's array, and fills it unless it starts from zero.
LogicalResult TensorCoreEmitter::prepareDot(tile::DotOp dot) {
  if (arrays.count(dot.getResult()))
    return success();
  auto array = arrays.find(dot.getAcc());
  bool free = array != arrays.end() && dot.getAcc().hasOneUse();
  if (free && !isZero(dot.getAcc())) {
    std::string name = array->second;
    waitForArray(name);
    arrays[dot.getResult()] = name;
    return success();
  }
  FailureOr<std::string> fresh =
      declare(dot.getResult(), wishedName(dot.getResult()));
  if (failed(fresh))
    return failure();
  if (!isZero(dot.getAcc()) && failed(materialise(dot.getAcc(), *fresh)))
    return failure();
  arrays[dot.getResult()] = *fresh;
  return success();
}

/// Whether nobody needs a left operand's own registers after it is packed, and
/// no product is on its way into them: then the packed ones are among them.
bool TensorCoreEmitter::packsInPlace(tile::DotOp dot) {
  Operation *rounded = dot.getA().getDefiningOp();
  return waitsForTurns && rounded && rounded->hasOneUse() &&
         llvm::all_of(resolve(dot.getA()).getUsers(), [&](Operation *user) {
           return user == rounded || emitted.contains(user);
         });
}

/// "bf16", "f16" or "tf32": what a product's operands are.
static std::string factorType(tile::DotOp dot) {
  if (dot.getTf32())
    return "tf32";
  return dot.getA().getType().getElementType().isBF16() ? "bf16" : "f16";
}

/// Terms of one product: 32 bytes.
static int64_t sliceTerms(tile::DotOp dot) { return dot.getTf32() ? 8 : 16; }

/// Packs a left operand that is in registers.
LogicalResult TensorCoreEmitter::packLeft(tile::DotOp dot) {
  if (operands.find(dot.getA()))
    return success();
  Value source = resolve(dot.getA());
  std::string &name = packed[dot];
  if (name.empty()) {
    name = names.unique(wishedName(source) + "_packed");
    tileRegisters += packsInPlace(dot) ? 0 : dot.getK() / 4;
    declarations.line("u32 " + name + "[" + Twine(dot.getK() / 16) + "][4];");
  }
  waitForArray(name);
  auto from = arrays.find(source);
  if (from == arrays.end())
    return unsupported(dot) << "a left operand that is not in registers";
  waitForArray(from->second);
  text.at(dot.getLoc());
  text.openUnrolled(dot.getK() / 2, 2);
  text.line(name + "[i / 8][i % 8 / 2] = pack_" + factorType(dot) + "(" +
            from->second + "[i], " + from->second + "[i + 1]);");
  text.close();
  return success();
}

/// Issues a dot for turn `turn` of its loop, as one group.
LogicalResult TensorCoreEmitter::issueDot(tile::DotOp dot, StringRef turn) {
  SharedTile *a = operands.find(dot.getA()), *b = operands.find(dot.getB());
  int64_t n = dot.getResult().getType().getDimSize(1), k = dot.getK();
  std::string acc = arrays[dot.getResult()];
  text.at(dot.getLoc());
  for (RingGroup &group : operands.groups)
    if (isFirstReader(group, dot))
      text.line("mbarrier_wait(&" + group.name + "_full[" + stageOf(turn) +
                "], " + parityOf(turn) + ");");

  auto address = [&](SharedTile *shared, const std::string &offset) {
    std::string place = "shared_address(" + shared->name;
    if (shared->group)
      place += turn == "0"
                   ? ""
                   : " + " + stageOf(turn) + " * " +
                         std::to_string(llvm::alignTo(shared->bytes(), 1024));
    return place + ")" + offset;
  };
  auto descriptor = [&](SharedTile *shared, bool kMajor,
                        const std::string &offset) {
    if (kMajor)
      return "descriptor_k(" + address(shared, offset) + ")";
    return "descriptor_mn(" + address(shared, offset) + ", " +
           std::to_string(shared->chunkBytes()) + ")";
  };
  // What is added to a descriptor for slice `slice` of 16 (tf32: 8) along K, in
  // units of 16 bytes: 32 bytes of a row, or 16 rows.
  auto advance = [&](SharedTile *shared, bool kMajor) -> std::string {
    if (!kMajor)
      return "slice * 128";
    std::string text = "slice % 4 * 2";
    if (k > shared->perRow)
      text += " + slice / 4 * " + std::to_string(shared->chunkBytes() / 16);
    return text;
  };

  bool kMajorB = b->contiguousDim == (dot.getTransposeB() ? 1u : 0u);
  bool kMajorA = true;
  text.open("{");
  if (a) {
    kMajorA = a->contiguousDim == (dot.getTransposeA() ? 0u : 1u);
    // The warpgroup's 64 rows: 8 groups of 8 rows, or a chunk of its own.
    int64_t step = kMajorA ? 64 * 128 : a->chunkBytes();
    text.line("const u64 a = " +
              descriptor(a, kMajorA, " + warpgroup * " + std::to_string(step)) +
              ";");
  }
  text.line("const u64 b = " + descriptor(b, kMajorB, "") + ";");
  text.line("wgmma_fence();");
  text.directive("#pragma unroll");
  text.line("for (int slice = 0; slice < " + Twine(k / sliceTerms(dot)) +
            "; ++slice)");
  std::string transposeB = kMajorB ? "0" : "1";
  std::string call = "wgmma_m64n" + std::to_string(n) + "k" +
                     std::to_string(sliceTerms(dot)) + "_" + factorType(dot);
  if (dot.getTf32())
    call += "(" + acc + ", a + " + advance(a, kMajorA);
  else if (a)
    call += std::string("<") + (kMajorA ? "0, " : "1, ") + transposeB + ">(" +
            acc + ", a + " + advance(a, kMajorA);
  else
    call += "<" + transposeB + ">(" + acc + ", " + packed[dot] + "[slice]";
  call += ", b + " + advance(b, kMajorB) + ", " +
          (isZero(dot.getAcc()) ? "slice > 0" : "1") + ");";
  ++text.depth;
  text.line(call);
  --text.depth;
  text.line("wgmma_commit();");
  text.close();
  inFlight.push_back({dot, turn.str()});
  return success();
}

//===----------------------------------------------------------------------===//
// Program order
//===----------------------------------------------------------------------===//

LogicalResult TensorCoreEmitter::emitOps(ArrayRef<Operation *> ops) {
  for (Operation *op : ops) {
    if (isa<scf::YieldOp, tile::ReturnOp>(op))
      continue;
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      if (failed(flush()) || failed(emitLoop(loop)))
        return failure();
      continue;
    }
    if (auto dot = dyn_cast<tile::DotOp>(op)) {
      if (failed(flush()) || failed(prepareDot(dot)) || failed(packLeft(dot)) ||
          failed(issueDot(dot,
                          isa<scf::ForOp>(dot->getParentOp()) ? "turn" : "0")))
        return failure();
      continue;
    }
    if (auto store = dyn_cast<tile::StoreOp>(op)) {
      if (failed(flush()) || failed(emitStore(store)))
        return failure();
      emitted.insert(op);
      continue;
    }
    if (op->getNumResults() != 1 || op->getNumRegions() != 0) {
      unsupported(op) << "'" << op->getName() << "' in a kernel with dots";
      return failure();
    }
    Value result = op->getResult(0);
    // Values of their own sweeps only: a rounding that packing does, operands
    // in shared memory, and what is evaluated where it is used. A row vector
    // that is loaded is read once.
    if (operands.find(result))
      continue;
    if (auto load = dyn_cast<tile::LoadOp>(op);
        load && isRowVector(load.getResult())) {
      FailureOr<std::string> array = declare(result, wishedName(result));
      if (failed(array) || failed(flush()) ||
          failed(materialise(result, *array)))
        return failure();
      arrays[result] = *array;
      continue;
    }
    if (isInline(op) || resolve(result) != result)
      continue;
    if (isa<tile::GatherOp, tile::ScanOp, tile::PlacesOp, tile::DotScaledOp>(
            op))
      return unsupported(op) << "'" << op->getName() << "'";
    if (failed(addToSweep(op)))
      return failure();
  }
  return flush();
}

/// Stores a fragment, pairs of neighbours at once where they lie so.
LogicalResult TensorCoreEmitter::emitStore(tile::StoreOp store) {
  Value value = resolve(store.getValue());
  RankedTensorType type = store.getTileType();
  MemRefType buffer = store.getBuffer().getType();
  if (type.getRank() == 0 || type.getRank() > 2 ||
      viewOf(value) == View::column)
    return unsupported(store) << "a store of a tile of rank " << type.getRank()
                              << " with an element per column";
  if (type.getDimSize(0) != layout.rows)
    return unsupported(store) << "a store of " << type.getDimSize(0) << " rows";
  if (!type.getElementType().isF32() && !type.getElementType().isBF16() &&
      !type.getElementType().isF16())
    return unsupported(store) << "a store of " << type.getElementType();
  auto array = arrays.find(value);
  if (array != arrays.end())
    waitForArray(array->second);
  text.at(store.getLoc());
  SmallVector<int64_t> dims = store.getTileDims();
  SmallVector<std::string> indices = {"at_row"};
  bool matrix = type.getRank() == 2;
  if (matrix)
    indices.push_back("at_column");
  FailureOr<ElementAccess> at = access(store, buffer, store.getMixedPositions(),
                                       dims, type.getShape(), indices);
  FailureOr<std::string> first = expression(value, viewOf(value));
  if (failed(at) || failed(first))
    return failure();
  int64_t last = buffer.getRank() - 1;
  bool pairs = layout.pairs && matrix && dims[1] == last &&
               buffer.getDimSize(last) % 2 == 0 &&
               provenEven(store.getMixedPositions()[last]) &&
               array != arrays.end();
  std::string to = buffers[store.getBuffer()] + " + " + at->offset;
  if (!matrix)
    text.open("if (" + layout.storesRow + ") {");
  text.openUnrolled(elementsOf(value), pairs ? 2 : 1);
  text.line("const int at_row = " +
            (matrix ? layout.rowInMatrix : layout.rowInVector) + ";");
  if (matrix)
    text.line("const int at_column = " + layout.column + ";");
  if (!at->condition.empty()) {
    text.line("if (" + at->condition + ")");
    ++text.depth;
  }
  if (pairs)
    text.line("store_pair(" + to + ", " + array->second + "[i], " +
              array->second + "[i + 1]);");
  else
    text.line("store_one(" + to + ", " + *first + ");");
  if (!at->condition.empty())
    --text.depth;
  text.close();
  if (!matrix)
    text.close();
  return success();
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

/// Declares the carried tiles and gives them their first values.
LogicalResult TensorCoreEmitter::emitCarriedInits(scf::ForOp loop) {
  for (auto [init, carried] :
       llvm::zip(loop.getInitArgs(), loop.getRegionIterArgs())) {
    auto type = dyn_cast<RankedTensorType>(carried.getType());
    if (!type || (type.getRank() == 1 && !isRowVector(carried)) ||
        type.getRank() == 0 || type.getRank() > 2)
      return unsupported(loop)
             << "a carried value of type " << carried.getType();
    if (type.getDimSize(0) != layout.rows)
      return unsupported(loop)
             << "a carried tile of " << type.getDimSize(0) << " rows";
    FailureOr<std::string> array = declare(carried, wishedName(carried));
    if (failed(array) || failed(materialise(init, *array)))
      return failure();
    arrays[carried] = *array;
  }
  return success();
}

/// Copies the yielded tiles to the carried ones, where they are not there
/// already.
LogicalResult TensorCoreEmitter::emitYield(scf::ForOp loop) {
  auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
  for (auto [value, carried] :
       llvm::zip(yield.getOperands(), loop.getRegionIterArgs())) {
    std::string to = arrays[carried];
    auto from = arrays.find(resolve(value));
    for (BlockArgument other : loop.getRegionIterArgs())
      if (other != carried && from != arrays.end() &&
          arrays[other] == from->second)
        return unsupported(loop) << "carried tiles that change places";
    if (failed(materialise(value, to)))
      return failure();
  }
  return success();
}

bool TensorCoreEmitter::hasDotsOnly(scf::ForOp loop) {
  for (Operation &op : loop.getBody()->without_terminator()) {
    if (isa<arith::ConstantOp>(op) ||
        operands.find(op.getNumResults() ? op.getResult(0) : Value()))
      continue;
    auto dot = dyn_cast<tile::DotOp>(op);
    if (!dot || !operands.find(dot.getA()))
      return false;
    auto carried = dyn_cast<BlockArgument>(dot.getAcc());
    if (!carried || carried.getOwner() != loop.getBody())
      return false;
    auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
    if (carried.getArgNumber() == 0 ||
        yield.getOperand(carried.getArgNumber() - 1) != dot.getResult())
      return false;
  }
  return true;
}

LogicalResult TensorCoreEmitter::emitLoop(scf::ForOp loop) {
  if (failed(emitCarriedInits(loop)))
    return failure();
  waitForDots(0);
  bool anyDot = !loop.getBody()->getOps<tile::DotOp>().empty();
  LogicalResult written = !anyDot             ? failure()
                          : hasDotsOnly(loop) ? emitDotLoop(loop)
                          : options.rotate && canRotate(loop)
                              ? emitRotatedLoop(loop)
                              : emitPlainLoop(loop);
  if (!anyDot)
    unsupported(loop) << "a loop without dots in a kernel with dots";
  if (failed(written))
    return failure();
  for (auto [result, carried] :
       llvm::zip(loop.getResults(), loop.getRegionIterArgs()))
    arrays[result] = arrays[carried];
  return success();
}

void TensorCoreEmitter::openTurn(scf::ForOp loop, StringRef turn) {
  text.at(loop.getLoc());
  // Unrolled by the compiler, the accumulators' initialisation would fall
  // between products, which then run one by one.
  text.directive("#pragma unroll 1");
  text.open("for (int turn = " + turn + "; turn < " + turns[loop] + "; ++turn" +
            (launch.persistent ? ", ++step" : "") + ") {");
}

/// One turn after the other.
LogicalResult TensorCoreEmitter::emitPlainLoop(scf::ForOp loop) {
  openTurn(loop, "0");
  text.line(positionOf(loop, "turn"));
  SmallVector<Operation *> ops;
  for (Operation &op : *loop.getBody())
    ops.push_back(&op);
  waitsForTurns = true;
  if (failed(emitOps(ops)))
    return failure();
  waitsForTurns = false;
  waitForDots(0);
  if (failed(emitYield(loop)))
    return failure();
  text.close();
  return success();
}

/// A loop of dots only: those of a turn stay in flight until the next turn has
/// issued its own, and the previous stage is released then. The last one is
/// for the next tile, if there may be one.
LogicalResult TensorCoreEmitter::emitDotLoop(scf::ForOp loop) {
  openTurn(loop, "0");
  StringRef now = launch.persistent ? "step" : "turn";
  StringRef before = launch.persistent ? "(step - 1)" : "(turn - 1)";
  SmallVector<tile::DotOp> dots(loop.getBody()->getOps<tile::DotOp>());
  for (tile::DotOp dot : dots)
    if (failed(prepareDot(dot)) || failed(issueDot(dot, now)))
      return failure();
  inFlight.clear();
  text.line("wgmma_wait<" + Twine(dots.size()) + ">();");
  text.open("if (turn > 0) { // the turn before is over: its stage is free");
  for (tile::DotOp dot : dots)
    release(dot, before);
  text.close();
  text.close();
  text.line("wgmma_wait<0>();");
  if (launch.persistent)
    for (tile::DotOp dot : dots)
      release(dot, before);
  return success();
}

/// Flash attention's loop: the first dot of a turn may be issued together with
/// the second one of the turn before, so that the tensor cores work while the
/// sweeps run.
bool TensorCoreEmitter::canRotate(scf::ForOp loop) {
  SmallVector<tile::DotOp> dots(loop.getBody()->getOps<tile::DotOp>());
  if (dots.size() != 2)
    return false;
  tile::DotOp first = dots[0], second = dots[1];
  auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
  if (!isZero(first.getAcc()) || !operands.find(first.getA()) ||
      operands.find(second.getA()) || !second.getResult().hasOneUse() ||
      *second->getUsers().begin() != yield)
    return false;
  // The second accumulator: carried, perhaps times something.
  Value carried = second.getAcc();
  if (Operation *scale = carried.getDefiningOp()) {
    if (!isa<arith::MulFOp>(scale))
      return false;
    carried = isa<BlockArgument>(scale->getOperand(0)) ? scale->getOperand(0)
                                                       : scale->getOperand(1);
  }
  auto argument = dyn_cast<BlockArgument>(carried);
  if (!argument || argument.getOwner() != loop.getBody() ||
      argument.getArgNumber() == 0 || !argument.hasOneUse() ||
      yield.getOperand(argument.getArgNumber() - 1) != second.getResult())
    return false;
  for (RingGroup &group : operands.groups)
    if (group.loop == loop && group.readers.size() != 1)
      return false;
  for (Operation &op : loop.getBody()->without_terminator())
    if (op.getNumRegions() != 0 || isa<tile::StoreOp>(op))
      return false;
  // At least one turn: products may not be issued in a branch.
  std::optional<int64_t> from = getConstantIntValue(loop.getLowerBound());
  std::optional<int64_t> to = getConstantIntValue(loop.getUpperBound());
  if (from && to)
    return *to > *from;
  auto sum = loop.getUpperBound().getDefiningOp<arith::AddIOp>();
  if (!from || !sum)
    return false;
  for (auto [position, extent] : {std::pair(sum.getLhs(), sum.getRhs()),
                                  std::pair(sum.getRhs(), sum.getLhs())}) {
    std::optional<int64_t> constant = getConstantIntValue(extent);
    if (constant && *constant > *from && kernel.getGridDim(position))
      return true;
  }
  return false;
}

LogicalResult TensorCoreEmitter::emitRotatedLoop(scf::ForOp loop) {
  SmallVector<tile::DotOp> dots(loop.getBody()->getOps<tile::DotOp>());
  tile::DotOp first = dots[0], second = dots[1];
  Operation *rescale = second.getAcc().getDefiningOp();
  SmallVector<Operation *> sweeps;
  for (Operation &op : *loop.getBody())
    if (&op != first && &op != second && &op != rescale)
      sweeps.push_back(&op);

  // Softmax of one turn, and the left operand of its second dot.
  auto sweep = [&]() -> LogicalResult {
    if (failed(emitOps(sweeps)))
      return failure();
    waitForDots(0);
    if (rescale && failed(emitOps({rescale})))
      return failure();
    if (failed(prepareDot(second)) || failed(packLeft(second)))
      return failure();
    return emitYield(loop);
  };
  if (failed(prepareDot(first)))
    return failure();
  text.open("{");
  text.line(positionOf(loop, "0"));
  if (failed(issueDot(first, "0")))
    return failure();
  // The sweeps are written twice; what they put into registers stays where the
  // first writing has put it.
  llvm::DenseMap<Value, std::string> before = arrays;
  llvm::DenseSet<Operation *> emittedBefore = emitted;
  if (failed(sweep()))
    return failure();
  text.close();
  fixedArrays = arrays;
  arrays = before;
  emitted = emittedBefore;
  arrays[second.getResult()] = fixedArrays[second.getResult()];

  openTurn(loop, "1");
  text.line(positionOf(loop, "turn"));
  if (failed(issueDot(first, "turn")) || failed(issueDot(second, "(turn - 1)")))
    return failure();
  // The first dot is the older one, although it belongs to the later turn.
  if (failed(sweep()))
    return failure();
  text.close();
  fixedArrays.clear();
  if (failed(issueDot(second, ("(" + Twine(turns[loop]) + " - 1)").str())))
    return failure();
  waitForDots(0);
  return success();
}
