//===- HostCompiler.cpp - emitted text as code of this machine ------------===//

#include "test/compiler/Target/Cuda/HostCompiler.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/SHA256.h"
#include "llvm/Support/raw_ostream.h"

using namespace tarn;
using namespace tarn::test;

static const llvm::StringRef options[] = {
    "-std=c++20", "-O1",          "-ffp-contract=off",  "-w", "-fPIC",
    "-shared",    "-fuse-ld=lld", "-I" TARN_HOST_MODEL, "-x", "c++"};

std::string HostCompiler::identity(const std::string &architecture) const {
  llvm::SHA256 hash;
  // The model's header is part of what is compiled.
  for (const char *path : {TARN_HOST_MODEL "/tarn_host.h", TARN_HOST_CXX})
    if (auto file = llvm::MemoryBuffer::getFile(path))
      hash.update((*file)->getBuffer());
  for (llvm::StringRef option : options)
    hash.update(option);
  return "host " + llvm::toHex(hash.final());
}

bool HostCompiler::compile(const std::string &text, const std::string &header,
                           const std::string &name, const std::string &,
                           cuda::CompiledKernel &result) const {
  llvm::SmallString<128> folder;
  if (llvm::sys::fs::createUniqueDirectory("tarn-host", folder)) {
    result.log = "no folder for temporary files";
    return false;
  }
  llvm::scope_exit clean([&] { llvm::sys::fs::remove_directories(folder); });
  std::string base = folder.str().str();
  auto write = [&](const std::string &path, const std::string &bytes) {
    std::error_code error;
    llvm::raw_fd_ostream out(path, error);
    out << bytes;
  };
  write(base + "/tarn_device.h", header);
  // What a cubin says of its parameters.
  llvm::StringRef symbol = llvm::StringRef(name).split('.').first;
  write(base + "/kernel.cu", text + "HOST_KERNEL(" + symbol.str() + ")\n");
  std::string input = base + "/kernel.cu", output = base + "/kernel.so",
              log = base + "/log";
  std::vector<llvm::StringRef> words = {TARN_HOST_CXX};
  words.insert(words.end(), std::begin(options), std::end(options));
  words.insert(words.end(), {input, "-o", output});
  std::optional<llvm::StringRef> to[] = {std::nullopt, llvm::StringRef(log),
                                         llvm::StringRef(log)};
  int status =
      llvm::sys::ExecuteAndWait(TARN_HOST_CXX, words, std::nullopt, to);
  auto read = [](const std::string &path) {
    auto file = llvm::MemoryBuffer::getFile(path);
    return file ? (*file)->getBuffer().str() : std::string();
  };
  result.log = read(log);
  if (status == 0)
    result.cubin = read(output);
  return !result.cubin.empty();
}
