//===- Architecture.cpp - what a GPU architecture has ---------------------===//
//
// Figures of the CUDA C++ Programming Guide, "Compute Capabilities"; numbers
// of multiprocessors are those of A100, L40 and H100.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cuda/Architecture.h"

#include <iterator>

using namespace tarn::cuda;

static const struct {
  Architecture architecture;
  const char *name;
  Limits limits;
} architectures[] = {
    {Architecture::sm_80,
     "sm_80",
     {163 * 1024, 164 * 1024, 65536, 255, 2048, 32, 108}},
    {Architecture::sm_89,
     "sm_89",
     {99 * 1024, 100 * 1024, 65536, 255, 1536, 24, 142}},
    {Architecture::sm_90a,
     "sm_90a",
     {227 * 1024, 228 * 1024, 65536, 255, 2048, 32, 132}},
};

llvm::StringRef tarn::cuda::getName(Architecture architecture) {
  return architectures[static_cast<int>(architecture)].name;
}

std::optional<Architecture> tarn::cuda::findArchitecture(llvm::StringRef name) {
  for (const auto &entry : architectures)
    if (name == entry.name)
      return entry.architecture;
  return std::nullopt;
}

std::string tarn::cuda::getArchitectureNames() {
  std::string names;
  for (const auto &entry : architectures)
    names += std::string(names.empty() ? "" : ", ") + entry.name;
  return names;
}

const Limits &tarn::cuda::getLimits(Architecture architecture) {
  return architectures[static_cast<int>(architecture)].limits;
}
