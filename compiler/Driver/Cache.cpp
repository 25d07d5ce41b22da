//===- Cache.cpp - compiled artifacts on disk -----------------------------===//

#include "compiler/Driver/Cache.h"

#include "compiler/Target/Targets.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/TargetParser/Host.h"

#include <dlfcn.h>

using namespace tarn;

static constexpr const char *extension = ".art";

/// Adds a program's file: name, size and time stand for what it does. False if
/// it cannot be seen.
static bool addProgram(CacheKey &key, const std::string &path) {
  llvm::sys::fs::file_status status;
  if (llvm::sys::fs::status(path, status))
    return false;
  key.add(path)
      .add(std::to_string(status.getSize()))
      .add(std::to_string(
          status.getLastModificationTime().time_since_epoch().count()));
  return true;
}

/// Adds the compiler: its binary, and the libraries of LLVM where those lie in
/// files of their own.
static bool addCompiler(CacheKey &key) {
  const void *const functions[] = {
      reinterpret_cast<const void *>(&llvm::sys::getHostCPUName),
      reinterpret_cast<const void *>(&mlir::registerMLIRContextCLOptions)};
  for (const void *function : functions) {
    Dl_info info;
    if (!dladdr(function, &info) || !addProgram(key, info.dli_fname))
      return false;
  }
  return addProgram(key, llvm::sys::fs::getMainExecutable(nullptr, nullptr));
}

/// Adds a file's name and text; false for one that cannot be read.
static bool addFile(CacheKey &key, const std::string &path) {
  key.add(path);
  if (path.empty())
    return true;
  auto file = llvm::MemoryBuffer::getFile(path);
  if (file)
    key.add((*file)->getBuffer());
  return bool(file);
}

template <typename T>
static void addPairs(CacheKey &key, const std::map<std::string, T> &pairs) {
  key.add(std::to_string(pairs.size()));
  for (const auto &[name, value] : pairs) {
    key.add(name);
    if constexpr (std::is_integral_v<T>)
      key.add(std::to_string(value));
    else
      key.add(value);
  }
}

/// Adds what `--target` names, as this machine understands it, and what makes
/// their code; false where that is missing.
static bool addTargets(CacheKey &key, const std::vector<std::string> &words) {
  std::vector<Target> targets;
  std::string error, help;
  if (!resolveTargets(words, targets, error, help))
    return false;
  key.add(std::to_string(words.size()));
  for (const std::string &word : words)
    // A device may be a file of the user's, whose figures make the plan.
    if (!addFile(key, word))
      key.add("no file");
  key.add(llvm::sys::getHostCPUName());
  std::unique_ptr<cuda::Nvrtc> nvrtc;
  for (const Target &target : targets) {
    key.add(target.name());
    if (target.kind != Target::Kind::cuda)
      continue;
    if (!nvrtc)
      nvrtc = cuda::Nvrtc::load(error);
    if (!nvrtc)
      return false;
    key.add(nvrtc->identity(target.isa));
  }
  return true;
}

// In the order of CompileRequest's fields. Left out is what changes no byte of
// an artifact: dump, visit, errors, locations, verifyEachNumerics, offers,
// cache.
std::string ArtifactCache::findKey() const {
  // Nobody knows what another compiler makes.
  if (!folder || request.cudaCompiler)
    return "";
  CacheKey key;
  key.add("artifact 2");
  // Errors' places inside the artifact name the model's file.
  if (!addCompiler(key) || !addFile(key, request.model))
    return "";
  addPairs(key, request.set);
  addPairs(key, request.shape);
  if (!addTargets(key, request.targets))
    return "";
  key.add(request.policy).add(request.gemm);
  if (!addFile(key, request.tuneFile))
    return "";
  for (int64_t number :
       {int64_t(request.tuneCandidates), request.budgetBytes, request.hostBytes,
        int64_t(request.keepAllFirst), int64_t(request.orSmallest)})
    key.add(std::to_string(number));
  key.add(std::to_string(request.effort));
  for (int number : {int(request.allowed), int(request.deviceBudget)})
    key.add(std::to_string(number));
  key.add(request.from).add(request.to).add(request.device);
  if (!addFile(key, request.times))
    return "";
  key.add(request.defaultPrecision).add(request.forcedPrecision);
  for (bool flag : {request.emitOnly, request.keepSource, request.explainFusion,
                    request.ungrouped})
    key.add(std::to_string(flag));
  key.add(request.gradientOf);
  return key.text();
}

/// An entry in a file: the length of the summary in eight digits, the summary,
/// and the artifact.
std::optional<ArtifactCache::Entry> ArtifactCache::lookup() const {
  if (key.empty())
    return std::nullopt;
  std::optional<std::string> bytes = folder.lookup(key, extension);
  uint64_t length;
  llvm::StringRef rest = bytes ? llvm::StringRef(*bytes) : "";
  if (rest.size() < 8 || rest.take_front(8).getAsInteger(16, length) ||
      rest.size() - 8 < length)
    return std::nullopt;
  Entry entry;
  entry.summary = rest.substr(8, length).str();
  rest = rest.drop_front(8 + length);
  entry.artifact.assign(rest.begin(), rest.end());
  return entry;
}

void ArtifactCache::store(const Entry &entry) {
  if (key.empty() || findKey() != key)
    return;
  char length[16];
  std::snprintf(length, sizeof length, "%08zx", entry.summary.size());
  std::string bytes = length + entry.summary;
  bytes.append(entry.artifact.data(), entry.artifact.size());
  folder.store(key, extension, bytes);
}
