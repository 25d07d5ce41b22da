//===- Operands.cpp - tiles in shared memory ------------------------------===//

#include "compiler/Target/Cuda/Operands.h"

#include "compiler/Target/Cuda/Text.h"

using namespace tarn;
using namespace tarn::cuda;
using namespace mlir;

namespace {

/// What a block may use of a multiprocessor's 228 KiB, less barriers.
constexpr int64_t sharedLimit = 227 * 1024;
constexpr unsigned maxStages = 4, maxConsumers = 3;

/// Strides of a dense buffer, in elements.
SmallVector<int64_t> denseStrides(MemRefType type) {
  SmallVector<int64_t> strides(type.getRank(), 1);
  for (int64_t d = type.getRank() - 2; d >= 0; --d)
    strides[d] = strides[d + 1] * type.getDimSize(d + 1);
  return strides;
}

/// How TMA can load the tile of `load`.
LogicalResult describeTile(tile::LoadOp load, SharedTile &shared) {
  MemRefType buffer = load.getBuffer().getType();
  RankedTensorType type = load.getTileType();
  SmallVector<int64_t> dims = load.getTileDims();
  int64_t bytes = type.getElementTypeBitWidth() / 8;
  if (buffer.getRank() > 5)
    return unsupported(load) << "a dot operand in a buffer of rank "
                             << buffer.getRank() << " (TMA takes 5)";
  if (load.getPad() && !matchPattern(load.getPadAttr(), m_AnyZeroFloat()))
    return unsupported(load) << "a dot operand padded with another number "
                                "than 0 (TMA fills with zeros)";
  int64_t last = buffer.getRank() - 1;
  if (dims[1] != last && dims[0] != last)
    return unsupported(load)
           << "a dot operand that does not span the buffer's contiguous dim";
  shared.contiguousDim = dims[1] == last ? 1 : 0;
  SmallVector<int64_t> strides = denseStrides(buffer);
  for (int64_t stride : ArrayRef(strides).drop_back())
    if (stride * bytes % 16 != 0)
      return unsupported(load)
             << "a dot operand whose rows are " << stride * bytes
             << " bytes apart (TMA needs multiples of 16: pad the buffer)";
  int64_t contiguous = type.getDimSize(shared.contiguousDim);
  shared.rows = type.getDimSize(1 - shared.contiguousDim);
  shared.perRow = 128 / bytes;
  shared.chunks = llvm::divideCeil(contiguous, shared.perRow);
  if (shared.rows % 8 != 0 || shared.rows > 256)
    return unsupported(load) << "a dot operand of " << shared.rows
                             << " rows (multiples of 8 up to 256)";
  shared.load = load;
  return success();
}

/// Checks the sizes of a dot.
LogicalResult checkDot(tile::DotOp dot) {
  int64_t n = dot.getResult().getType().getDimSize(1), k = dot.getK();
  int64_t m = dot.getResult().getType().getDimSize(0);
  Type element = dot.getA().getType().getElementType();
  if (!element.isBF16() && !element.isF16() && !dot.getTf32())
    return unsupported(dot)
           << "dot operands of " << element << " (only bf16, f16 and tf32)";
  if (m % 64 != 0 || m / 64 > maxConsumers)
    return unsupported(dot)
           << "a dot with " << m << " rows (64, 128 or 192 for wgmma)";
  if (n % 16 != 0 || n > 256)
    return unsupported(dot)
           << "a dot with " << n << " columns (multiples of 16 up to 256)";
  if (k % 16 != 0)
    return unsupported(dot)
           << "a dot over " << k << " elements (multiples of 16)";
  if (!dot.getB().getDefiningOp<tile::LoadOp>())
    return unsupported(dot) << "a right dot operand that is not loaded";
  if (!dot.getA().getDefiningOp<tile::LoadOp>()) {
    if (!dot.getA().getDefiningOp<arith::TruncFOp>() || dot.getTransposeA() ||
        dot.getTf32())
      return unsupported(dot) << "a left dot operand that is neither loaded "
                                 "nor a rounded tile, not transposed";
  }
  return success();
}

/// The loop around an op; fails if it is not at most one loop deep.
FailureOr<scf::ForOp> loopAround(Operation *op) {
  auto loop = dyn_cast<scf::ForOp>(op->getParentOp());
  Operation *outer = loop ? loop->getParentOp() : op->getParentOp();
  if (!isa<tile::KernelOp>(outer))
    return unsupported(op) << "dots and their loads in scf.if or nested loops";
  return loop;
}

/// Adds the shared tile of an operand of `dot`.
LogicalResult addTile(Operands &operands, bool isLeft, tile::DotOp dot) {
  Value value = isLeft ? dot.getA() : dot.getB();
  auto load = value.getDefiningOp<tile::LoadOp>();
  if (!load)
    return success();
  SharedTile *known = operands.find(value);
  if (!known) {
    SharedTile shared;
    if (failed(describeTile(load, shared)))
      return failure();
    FailureOr<scf::ForOp> loop = loopAround(load);
    if (failed(loop))
      return failure();
    for (Operation *user : load->getUsers())
      if (!isa<tile::DotOp>(user))
        return unsupported(load)
               << "a tile that is a dot operand and used "
               << "elementwise by '" << user->getName() << "'";
    if (*loop) {
      unsigned group = 0;
      while (group < operands.groups.size() &&
             (operands.groups[group].loop != *loop ||
              operands.groups[group].readers.front() != dot))
        ++group;
      if (group == operands.groups.size()) {
        operands.groups.push_back({});
        operands.groups.back().loop = *loop;
      }
      operands.groups[group].tiles.push_back(operands.tiles.size());
      shared.group = group;
    }
    operands.tiles.push_back(shared);
    known = &operands.tiles.back();
  }
  bool termsLast = isLeft ? !dot.getTransposeA() : bool(dot.getTransposeB());
  if (dot.getTf32() && (known->contiguousDim == 1) != termsLast)
    return unsupported(dot) << "operands in tf32 that do not run along the "
                               "terms (wgmma turns 16 bits only)";
  if (known->group &&
      !llvm::is_contained(operands.groups[*known->group].readers, dot)) {
    if (dot->getParentOp() != load->getParentOp())
      return unsupported(dot) << "a tile loaded in another loop than its dot";
    operands.groups[*known->group].readers.push_back(dot);
  }
  return success();
}

/// Places tiles and barriers in the arena, and chooses the ring's depth.
LogicalResult place(tile::KernelOp kernel, Operands &operands,
                    const CudaOptions &options) {
  int64_t perStage = 0;
  auto align = [](int64_t bytes) { return llvm::alignTo(bytes, 1024); };
  for (SharedTile &shared : operands.tiles)
    (shared.group ? perStage : operands.onceBytes) += align(shared.bytes());
  int64_t barriers = 8 * (1 + 2 * maxStages * operands.groups.size());
  int64_t left = sharedLimit - barriers - operands.onceBytes;
  int64_t fit = perStage ? left / perStage : 1;
  operands.stages =
      options.stages ? options.stages
                     : std::min<int64_t>(maxStages, std::max<int64_t>(fit, 0));
  if (left < 0 || (perStage && (fit < 2 || operands.stages > fit)))
    return unsupported(kernel)
           << "tiles that need " << operands.onceBytes + 2 * perStage
           << " bytes of shared memory and more (limit " << sharedLimit << ")";
  if (perStage && operands.stages < 2)
    return unsupported(kernel) << "a ring of one stage";
  int64_t offset = 0;
  for (SharedTile &shared : operands.tiles) {
    shared.offset = offset;
    offset += align(shared.bytes()) * (shared.group ? operands.stages : 1);
  }
  operands.onceBarrier = offset;
  offset += operands.onceBytes ? 8 : 0;
  for (RingGroup &group : operands.groups) {
    group.barrierOffset = offset;
    offset += 16 * operands.stages;
  }
  operands.sharedBytes = offset;
  return success();
}

} // namespace

InFlightDiagnostic cuda::unsupported(Operation *op) {
  auto kernel = dyn_cast<tile::KernelOp>(op);
  if (!kernel)
    kernel = op->getParentOfType<tile::KernelOp>();
  return op->emitError("the CUDA emitter cannot write kernel `")
         << kernel.getSymName() << "` yet: ";
}

SharedTile *Operands::find(Value value) {
  for (SharedTile &shared : tiles)
    if (shared.load.getResult() == value)
      return &shared;
  return nullptr;
}

SmallVector<int64_t> cuda::boxOf(const SharedTile &shared) {
  tile::LoadOp load = shared.load;
  SmallVector<int64_t> box(load.getBuffer().getType().getRank(), 1);
  SmallVector<int64_t> dims = load.getTileDims();
  box[dims[shared.contiguousDim]] = shared.perRow;
  box[dims[1 - shared.contiguousDim]] = shared.rows;
  return box;
}

FailureOr<Operands> cuda::analyseOperands(tile::KernelOp kernel,
                                          const CudaOptions &options) {
  Operands operands;
  WalkResult walked = kernel.walk([&](tile::DotOp dot) {
    operands.dots.push_back(dot);
    if (failed(loopAround(dot)) || failed(checkDot(dot)) ||
        failed(addTile(operands, /*isLeft=*/true, dot)) ||
        failed(addTile(operands, /*isLeft=*/false, dot)))
      return WalkResult::interrupt();
    unsigned consumers = dot.getResult().getType().getDimSize(0) / 64;
    if (operands.consumers && operands.consumers != consumers) {
      unsupported(dot) << "dots with different numbers of rows";
      return WalkResult::interrupt();
    }
    operands.consumers = consumers;
    return WalkResult::advance();
  });
  if (walked.wasInterrupted() || failed(place(kernel, operands, options)))
    return failure();
  return operands;
}
