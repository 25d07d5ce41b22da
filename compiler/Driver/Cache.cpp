//===- Cache.cpp - compiled artifacts on disk -----------------------------===//

#include "compiler/Driver/Cache.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SHA256.h"
#include "llvm/TargetParser/Host.h"

#include <sys/stat.h>
#include <unistd.h>

using namespace tarn;

/// Whether only this user may write to `folder`.
static bool isPrivate(const std::string &folder) {
  struct stat status{};
  return stat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == geteuid() && !(status.st_mode & (S_IWGRP | S_IWOTH));
}

ArtifactCache::ArtifactCache() {
  llvm::SmallString<128> path;
  if (auto own = llvm::sys::Process::GetEnv("TARN_CACHE")) {
    path = *own;
  } else if (auto xdg = llvm::sys::Process::GetEnv("XDG_CACHE_HOME")) {
    path = *xdg;
    llvm::sys::path::append(path, "tarn");
  } else if (llvm::sys::path::home_directory(path)) {
    llvm::sys::path::append(path, ".cache", "tarn");
  } else {
    return;
  }
  if (llvm::sys::fs::create_directories(path, true, llvm::sys::fs::owner_all))
    return;
  if (isPrivate(path.str().str()))
    folder = path.str().str();
}

/// Adds a length and then the bytes, so that fields cannot run together.
static void add(llvm::SHA256 &hash, llvm::StringRef text) {
  hash.update(std::to_string(text.size()) + ":");
  hash.update(text);
}

std::string ArtifactCache::pathFor(const CompileRequest &request) {
  auto model = llvm::MemoryBuffer::getFile(request.model);
  if (!model || folder.empty())
    return "";
  llvm::SHA256 hash;
  // The compiler's own binary stands for its version: name, size and time.
  llvm::sys::fs::file_status self;
  std::string program = llvm::sys::fs::getMainExecutable(nullptr, nullptr);
  if (llvm::sys::fs::status(program, self))
    return "";
  add(hash, program);
  add(hash, std::to_string(self.getSize()));
  add(hash, std::to_string(
                self.getLastModificationTime().time_since_epoch().count()));
  add(hash, llvm::sys::getHostCPUName());
  // Error locations inside the artifact name the file, so its path counts.
  add(hash, request.model);
  add(hash, (*model)->getBuffer());
  for (const auto &[name, value] : request.set)
    add(hash, name), add(hash, value);
  add(hash, "shape");
  for (const auto &[name, value] : request.shape)
    add(hash, name), add(hash, std::to_string(value));
  add(hash, "targets");
  for (const std::string &target : request.targets)
    add(hash, target);
  add(hash, request.policy);
  add(hash, std::to_string(request.budgetBytes));
  add(hash, std::to_string(request.hostBytes));
  add(hash, std::to_string(int(request.allowed)));
  add(hash, request.gradientOf);
  return folder + "/" + llvm::toHex(hash.final(), true) + ".art";
}

bool ArtifactCache::lookup(const CompileRequest &request,
                           std::vector<char> &artifact) {
  std::string path = pathFor(request);
  if (path.empty())
    return false;
  auto file = llvm::MemoryBuffer::getFile(path, false, false);
  if (!file)
    return false;
  artifact.assign((*file)->getBufferStart(), (*file)->getBufferEnd());
  return true;
}

void ArtifactCache::store(const CompileRequest &request,
                          const std::vector<char> &artifact) {
  std::string path = pathFor(request);
  if (path.empty())
    return;
  llvm::Error error = llvm::writeToOutput(path, [&](llvm::raw_ostream &out) {
    out.write(artifact.data(), artifact.size());
    return llvm::Error::success();
  });
  llvm::consumeError(std::move(error));
}
