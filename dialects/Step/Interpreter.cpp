//===- Interpreter.cpp - run step programs on the host --------------------===//

#include "dialects/Step/Interpreter.h"

#include "llvm/ADT/TypeSwitch.h"

#include <limits>

using namespace mlir;
using namespace tarn::step;

HostMemory::HostMemory(ProgramOp program) {
  for (unsigned i = 0; i < spaces.size(); ++i)
    spaces[i].assign(program.getSpaceBytes(static_cast<Space>(i)),
                     std::numeric_limits<double>::quiet_NaN());
}

tarn::tile::HostBuffer HostMemory::view(SliceAttr slice, int64_t elementBytes,
                                        int64_t turn) {
  return {space(slice.getSpace()).data() + slice.getOffset() +
              turn * slice.getStride(),
          slice.getBytes() / elementBytes, elementBytes};
}

void HostMemory::write(SliceAttr slice, int64_t elementBytes,
                       ArrayRef<double> values) {
  tile::HostBuffer buffer = view(slice, elementBytes, 0);
  for (size_t i = 0; i < values.size(); ++i)
    buffer[i] = values[i];
}

std::vector<double> HostMemory::read(SliceAttr slice,
                                     int64_t elementBytes) const {
  std::vector<double> values(slice.getBytes() / elementBytes);
  const std::vector<double> &from =
      spaces[static_cast<unsigned>(slice.getSpace())];
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = from[slice.getOffset() + i * elementBytes];
  return values;
}

void HostMemory::copy(SliceAttr to, SliceAttr from, int64_t turn) {
  tile::HostBuffer target = view(to, 1, turn), source = view(from, 1, turn);
  for (int64_t i = 0; i < to.getBytes(); ++i)
    target[i] = source[i];
}

void HostMemory::fill(SliceAttr to, int64_t turn, double number) {
  tile::HostBuffer target = view(to, 1, turn);
  for (int64_t i = 0; i < to.getBytes(); ++i)
    target[i] = number;
}

BindOp tarn::step::findBinding(ProgramOp program, StringRef name,
                               StringRef role) {
  for (BindOp bind : program.getBody().getOps<BindOp>())
    if (bind.getName() == name && (role.empty() || bind.getRole() == role))
      return bind;
  return {};
}

// Runs a launch with all blocks of the tile program; `blocks` is only the
// target's way to call them.
static LogicalResult runLaunch(LaunchOp op, HostMemory &memory, int64_t turn,
                               const tarn::tile::InterpretOptions &options) {
  auto kernel = SymbolTable::lookupNearestSymbolFrom<tarn::tile::KernelOp>(
      op->getParentOfType<ProgramOp>(), op.getKernelAttr());
  if (!kernel)
    return op.emitOpError("launches ")
           << op.getKernelAttr() << ", which is no tile.kernel";
  SmallVector<tarn::tile::HostBuffer> buffers;
  for (unsigned i = 0; i < kernel.getNumBuffers(); ++i) {
    int64_t bits = kernel.getBufferType(i).getElementTypeBitWidth();
    buffers.push_back(
        memory.view(op.getSlice(i), llvm::divideCeil(bits, 8), turn));
  }
  return interpretKernel(kernel, buffers, options);
}

static LogicalResult runSteps(Block &steps, HostMemory &memory, int64_t turn,
                              const tarn::tile::InterpretOptions &options) {
  for (Operation &step : steps) {
    LogicalResult result =
        llvm::TypeSwitch<Operation *, LogicalResult>(&step)
            .Case<BindOp, LiveOp>([](Operation *) { return success(); })
            .Case([&](LaunchOp op) {
              return runLaunch(op, memory, turn, options);
            })
            // The last first: its members are in no order.
            .Case([&](LaunchGroupOp op) -> LogicalResult {
              SmallVector<LaunchOp> members(op.getMembers());
              for (LaunchOp member : llvm::reverse(members))
                if (failed(runLaunch(member, memory, turn, options)))
                  return failure();
              return success();
            })
            .Case([&](CopyOp op) {
              memory.copy(op.getTo(), op.getFrom(), turn);
              return success();
            })
            .Case([&](CopyStartOp op) {
              memory.fill(op.getTo(), turn,
                          std::numeric_limits<double>::quiet_NaN());
              return success();
            })
            .Case([&](WaitOp op) {
              for (Value token : op.getTokens())
                if (auto copy = token.getDefiningOp<CopyStartOp>())
                  memory.copy(copy.getTo(), copy.getFrom(), turn);
              return success();
            })
            .Case([&](FillOp op) {
              memory.fill(op.getTo(), turn);
              return success();
            })
            .Case([&](RepeatOp op) -> LogicalResult {
              for (int64_t i = 0; i < static_cast<int64_t>(op.getCount()); ++i)
                if (failed(runSteps(op.getBody().front(), memory, i, options)))
                  return failure();
              return success();
            })
            .Default([](Operation *op) {
              return op->emitOpError("is not known to the interpreter");
            });
    if (failed(result))
      return failure();
  }
  return success();
}

LogicalResult
tarn::step::interpretProgram(ProgramOp program, HostMemory &memory,
                             const tile::InterpretOptions &options) {
  return runSteps(program.getBody().front(), memory, 0, options);
}
