//===- Isa.cpp - instruction-set levels of the CPU target -----------------===//

#include "compiler/Target/Cpu/Isa.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"

#include <iterator>

using namespace tarn::cpu;

/// From the least to the best.
static const Isa levels[] = {
    {"x86-64-v3", "x86-64-v3", "", 8, 16, 32 << 10, 512 << 10, false},
    {"x86-64-v4", "x86-64-v4", "-prefer-256-bit", 16, 32, 32 << 10, 1 << 20,
     false},
    {"x86-64-v4+bf16", "x86-64-v4", "-prefer-256-bit,+avx512bf16", 16, 32,
     32 << 10, 1 << 20, true},
};

const Isa *tarn::cpu::lookupIsa(llvm::StringRef name) {
  const Isa *found =
      llvm::find_if(levels, [&](const Isa &isa) { return isa.name == name; });
  return found == std::end(levels) ? nullptr : found;
}

const Isa &tarn::cpu::hostIsa() {
  llvm::StringMap<bool> has = llvm::sys::getHostCPUFeatures();
  bool v4 = llvm::all_of(
      llvm::ArrayRef<llvm::StringRef>{"avx512f", "avx512bw", "avx512cd",
                                      "avx512dq", "avx512vl"},
      [&](llvm::StringRef feature) { return has.lookup(feature); });
  if (v4 && has.lookup("avx512bf16"))
    return levels[2];
  return v4 ? levels[1] : levels[0];
}

std::string tarn::cpu::isaNames() {
  std::string names;
  for (const Isa &isa : levels)
    names += (names.empty() ? "" : ", ") + isa.name.str();
  return names;
}
