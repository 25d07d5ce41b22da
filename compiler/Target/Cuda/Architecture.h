//===- Architecture.h - what a GPU architecture has -------------*- C++ -*-===//

#ifndef COMPILER_TARGET_CUDA_ARCHITECTURE_H
#define COMPILER_TARGET_CUDA_ARCHITECTURE_H

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>
#include <string>

namespace tarn::cuda {

/// The architectures that text is emitted for.
enum class Architecture { sm_80, sm_89, sm_90a };

/// What a multiprocessor of an architecture has.
struct Limits {
  /// Dynamic shared memory of one block, at most, in bytes.
  int64_t blockSharedBytes;
  /// Shared memory of a multiprocessor, in bytes; each block takes 1 KiB more
  /// than it asks for.
  int64_t sharedBytes;
  /// 32-bit registers, and those of one thread at most.
  int64_t registers, threadRegisters;
  /// Resident threads and blocks, at most.
  int64_t threads, blocks;
  /// Multiprocessors of the largest usual device.
  int64_t multiprocessors;
};

/// "sm_90a" for Architecture::sm_90a.
llvm::StringRef getName(Architecture architecture);
/// The architecture of this name, if there is one.
std::optional<Architecture> findArchitecture(llvm::StringRef name);
/// All names, oldest first, for messages: "sm_80, sm_89, sm_90a".
std::string getArchitectureNames();
/// What its multiprocessors have.
const Limits &getLimits(Architecture architecture);

} // namespace tarn::cuda

#endif // COMPILER_TARGET_CUDA_ARCHITECTURE_H
