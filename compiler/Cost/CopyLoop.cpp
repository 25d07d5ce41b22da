//===- CopyLoop.cpp - loads beside products, or before them ---------------===//

#include "compiler/Cost/CopyLoop.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace tarn;

/// Shared memory that the system takes of each block.
static constexpr int64_t systemBytes = 1024;

/// Blocks that a multiprocessor has room for; 0 = not even one.
static int64_t countResident(const CopyLoop &loop, const UnitRoom &room,
                             int64_t sharedBytes) {
  if (sharedBytes > room.blockSharedBytes)
    return 0;
  return std::max<int64_t>(
      1, std::min({room.sharedBytes / (sharedBytes + systemBytes),
                   room.registers / (loop.registers * loop.threads),
                   room.threads / loop.threads, room.blocks}));
}

llvm::SmallVector<CopyChoice> tarn::copyChoices(const CopyLoop &loop,
                                                const UnitRoom &room,
                                                const Device &device,
                                                llvm::StringRef target) {
  const DeviceTarget *code = device.findTarget(target.str());
  if (!code)
    code = &device.targets.back();
  double units = device.units.value;
  const Rate &loads =
      device.operands.peak.value > 0 ? device.operands : device.cache;
  // Seconds of a turn's products and copies, if nothing else went on in the
  // multiprocessor.
  double multiplied = loop.flops * units / code->dot(loop.type).reached();
  double copied = double(loop.copiedBytes) * units / loads.reached();
  double arrives = device.load.value + copied;

  llvm::SmallVector<CopyChoice> choices;
  for (int64_t stages = 1; stages <= mostCopyStages; ++stages) {
    CopyChoice choice;
    choice.stages = stages;
    choice.sharedBytes = loop.otherBytes + stages * loop.stageBytes;
    int64_t resident = countResident(loop, room, choice.sharedBytes);
    if (resident == 0)
      break;
    int64_t ofUnit = llvm::divideCeil(loop.blocks, int64_t(units));
    choice.atATime = std::min(resident, ofUnit);
    double beside = double(choice.atATime);
    // What one block takes for a turn: its copies are awaited, or they had the
    // turns of the other stages to arrive. Other blocks use the time.
    double alone =
        stages == 1
            ? double(loop.waits) * device.load.value + copied + multiplied
            : std::max(multiplied, arrives / double(stages - 1));
    double turn = std::max({alone, beside * multiplied, beside * copied});
    double first = stages == 1 ? 0 : arrives;
    choice.seconds = double(llvm::divideCeil(ofUnit, choice.atATime)) *
                     (loop.turns * turn + first);
    choices.push_back(choice);
  }
  return choices;
}

CopyChoice tarn::chooseCopies(llvm::ArrayRef<CopyChoice> choices) {
  constexpr double worthIt = 0.98;
  CopyChoice best = choices.front();
  for (const CopyChoice &choice : choices.drop_front())
    if (choice.seconds < worthIt * best.seconds)
      best = choice;
  return best;
}
