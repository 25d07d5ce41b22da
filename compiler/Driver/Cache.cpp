//===- Cache.cpp - compiled artifacts on disk -----------------------------===//

#include "compiler/Driver/Cache.h"

#include "compiler/Cost/Device.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/TargetParser/Host.h"

using namespace tarn;

std::string ArtifactCache::keyFor(const CompileRequest &request) {
  auto model = llvm::MemoryBuffer::getFile(request.model);
  if (!model || !folder)
    return "";
  auto tuning = llvm::MemoryBuffer::getFile(request.tuneFile);
  if (!request.tuneFile.empty() && !tuning)
    return "";
  CacheKey key;
  // The compiler's own binary stands for its version: name, size and time.
  llvm::sys::fs::file_status self;
  std::string program = llvm::sys::fs::getMainExecutable(nullptr, nullptr);
  if (llvm::sys::fs::status(program, self))
    return "";
  key.add(program)
      .add(std::to_string(self.getSize()))
      .add(std::to_string(
          self.getLastModificationTime().time_since_epoch().count()))
      .add(llvm::sys::getHostCPUName())
      // Error locations inside the artifact name the file, so its path counts.
      .add(request.model)
      .add((*model)->getBuffer());
  for (const auto &[name, value] : request.set)
    key.add(name).add(value);
  key.add("shape");
  for (const auto &[name, value] : request.shape)
    key.add(name).add(std::to_string(value));
  key.add("targets");
  for (const std::string &target : request.targets) {
    key.add(target);
    // A device may be a file of the user's, whose figures make the plan.
    if (rt::Result<Device> device = findDevice(target); device.ok())
      key.add(writeDevice(*device));
  }
  key.add(request.policy)
      .add(std::to_string(request.budgetBytes))
      .add(std::to_string(request.hostBytes))
      .add(std::to_string(int(request.allowed)))
      .add(request.gradientOf)
      .add(request.gemm)
      .add(tuning ? (*tuning)->getBuffer() : "")
      .add(request.defaultPrecision)
      .add(request.forcedPrecision)
      .add(request.keepSource ? "source" : "")
      .add(request.ungrouped ? "ungrouped" : "")
      .add(request.keepAllFirst ? "keep-all first" : "")
      .add(request.deviceBudget ? "device" : "");
  return key.text();
}

bool ArtifactCache::lookup(const CompileRequest &request,
                           std::vector<char> &artifact) {
  std::string key = keyFor(request);
  if (key.empty())
    return false;
  std::optional<std::string> bytes = folder.lookup(key, ".art");
  if (bytes)
    artifact.assign(bytes->begin(), bytes->end());
  return bytes.has_value();
}

void ArtifactCache::store(const CompileRequest &request,
                          const std::vector<char> &artifact) {
  std::string key = keyFor(request);
  if (!key.empty())
    folder.store(key, ".art", {artifact.data(), artifact.size()});
}
