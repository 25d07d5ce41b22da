//===- CopyLoop.h - loads beside products, or before them -------*- C++ -*-===//
//
// A loop of a GPU's kernel whose turns copy tiles to shared memory and multiply
// them. With one stage of shared memory a turn waits for its copies, then
// multiplies; with more, copies of later turns are on their way meanwhile. More
// stages hide more of the latency and leave room for fewer blocks.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_COST_COPYLOOP_H
#define COMPILER_COST_COPYLOOP_H

#include "compiler/Cost/Device.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

namespace tarn {

/// What a multiprocessor has room for; each block takes 1 KiB of shared memory
/// more than it asks for.
struct UnitRoom {
  int64_t blockSharedBytes, sharedBytes, registers, threads, blocks;
};

/// The loop, as all blocks of a launch run it.
struct CopyLoop {
  int64_t blocks = 1, threads = 256;
  /// Of a thread.
  int64_t registers = 128;
  double turns = 1;
  /// What a turn copies, and the shared memory that it takes; shared memory of
  /// the block besides.
  int64_t copiedBytes = 0, stageBytes = 0, otherBytes = 0;
  /// Loads of a thread that wait for each other where copies are made in their
  /// turn, through registers.
  int64_t waits = 1;
  /// Two per multiply-add of a turn.
  double flops = 0;
  DotType type = DotType::bf16;
};

/// A number of stages that a block has shared memory for.
struct CopyChoice {
  int64_t stages = 1, sharedBytes = 0;
  /// Blocks that a multiprocessor runs at a time.
  int64_t atATime = 1;
  /// What all turns of the launch take.
  double seconds = 0;
};

/// Stages of a ring, at most.
constexpr int64_t mostCopyStages = 5;

/// All numbers of stages that fit, one (copies before products) first.
llvm::SmallVector<CopyChoice> copyChoices(const CopyLoop &loop,
                                          const UnitRoom &room,
                                          const Device &device,
                                          llvm::StringRef target);

/// The fastest of them; the fewer stages where more gain less than a fiftieth.
CopyChoice chooseCopies(llvm::ArrayRef<CopyChoice> choices);

} // namespace tarn

#endif // COMPILER_COST_COPYLOOP_H
