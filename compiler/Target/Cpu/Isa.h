//===- Isa.h - instruction-set levels of the CPU target ---------*- C++ -*-===//

#ifndef COMPILER_TARGET_CPU_ISA_H
#define COMPILER_TARGET_CPU_ISA_H

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <string>

namespace tarn::cpu {

/// One level that code is made for. Kernels are tuned to a level, never to a
/// processor: the few levels cover what processors differ in.
struct Isa {
  /// `x86-64-v3`, `x86-64-v4`, `x86-64-v4+bf16`: as targets and artifacts
  /// write it.
  llvm::StringRef name;
  /// LLVM's processor and features.
  llvm::StringRef processor, features;
  /// f32 lanes of a vector register, and how many registers there are.
  int64_t lanes, registers;
  /// Bytes of the caches that block sizes are chosen for (the smallest of the
  /// level's common processors).
  int64_t l1Bytes, l2Bytes;
  /// f32 to bf16 is an instruction.
  bool hasBf16;
};

/// The level of this name, or null.
const Isa *lookupIsa(llvm::StringRef name);
/// The best level that this machine runs.
const Isa &hostIsa();
/// All names, for messages.
std::string isaNames();

} // namespace tarn::cpu

#endif // COMPILER_TARGET_CPU_ISA_H
