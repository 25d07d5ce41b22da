//===- Code.cpp - Machine code of an artifact, loaded ---------------------===//
//
// The dynamic linker loads files, so the bytes become a file without a name
// (memfd). It tells libraries apart by path, and /proc/self/fd/N comes back
// when N is closed and used again: dlopen would then return the older library.
// So the descriptor stays open as long as the library is loaded, and a number
// whose path the linker already knows is not used.
//
//===----------------------------------------------------------------------===//

#include "runtime/Code.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#ifndef MFD_CLOEXEC
#define MFD_CLOEXEC 1u
#endif
#ifndef MFD_ALLOW_SEALING
#define MFD_ALLOW_SEALING 2u
#endif

using namespace tarn::rt;

/// A shared object for this machine? dlopen's own message would not say what
/// the user can do about it.
static Status checkElf(std::string_view elf) {
  Elf64_Ehdr header;
  if (elf.size() < sizeof header)
    return Status(Code::Invalid, "the code section is no ELF file");
  std::memcpy(&header, elf.data(), sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_type != ET_DYN)
    return Status(Code::Invalid,
                  "the code section is no 64-bit ELF shared object");
#if defined(__x86_64__)
  constexpr unsigned machine = EM_X86_64;
#elif defined(__aarch64__)
  constexpr unsigned machine = EM_AARCH64;
#else
  const unsigned machine = header.e_machine;
#endif
  if (header.e_machine != machine)
    return Status(Code::Unsupported,
                  "the code section is for another kind of processor (ELF "
                  "machine " +
                      std::to_string(header.e_machine) + ")");
  return {};
}

static bool writeAll(int descriptor, std::string_view data) {
  while (!data.empty()) {
    ssize_t n = ::write(descriptor, data.data(),
                        std::min(data.size(), size_t(1) << 30));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    data.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

static std::string linkerError() {
  const char *text = ::dlerror();
  return text ? text : "unknown reason";
}

Status CodeImage::loadFromMemory(std::string_view elf) {
  auto failed = [](const char *what) {
    return Status(Code::Io, std::string(what) + ": " + std::strerror(errno));
  };
  descriptor = static_cast<int>(
      ::memfd_create("tarn-code", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (descriptor < 0)
    return failed("memfd_create");
  if (!writeAll(descriptor, elf))
    return failed("cannot write code to memory");
  ::fcntl(descriptor, F_ADD_SEALS,
          F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  auto pathOf = [](int number) {
    return "/proc/self/fd/" + std::to_string(number);
  };
  // Somebody else may have loaded a library through this number and closed it.
  std::vector<int> used;
  while (void *known =
             ::dlopen(pathOf(descriptor).c_str(), RTLD_LAZY | RTLD_NOLOAD)) {
    ::dlclose(known);
    int other = ::fcntl(descriptor, F_DUPFD_CLOEXEC, descriptor + 1);
    used.push_back(descriptor);
    descriptor = other;
    if (descriptor < 0)
      break;
  }
  ::dlerror(); // "not loaded" was the answer that was wanted
  for (int number : used)
    ::close(number);
  if (descriptor < 0)
    return failed("cannot duplicate a descriptor");
  path = pathOf(descriptor);
  handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return Status(Code::Invalid, linkerError());
  return {};
}

/// For systems that have no memfd, or do not let code be mapped from one.
Status CodeImage::loadFromFile(std::string_view elf) {
  const char *base = std::getenv("TMPDIR");
  std::string folder =
      std::string(base && *base ? base : "/tmp") + "/tarn-XXXXXX";
  // mkdtemp: readable and writable for this user alone.
  if (!::mkdtemp(folder.data()))
    return Status(Code::Io,
                  "cannot create `" + folder + "`: " + std::strerror(errno));
  std::string file = folder + "/code.so";
  int output = ::open(
      file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700);
  Status status;
  if (output < 0 || !writeAll(output, elf))
    status = Status(Code::Io,
                    "cannot write `" + file + "`: " + std::strerror(errno));
  if (output >= 0)
    ::close(output);
  if (status.ok()) {
    handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle)
      status = Status(Code::Invalid, linkerError());
  }
  ::unlink(file.c_str());
  ::rmdir(folder.c_str());
  return status;
}

Result<CodeImage> CodeImage::load(std::string_view elf) {
  if (Status status = checkElf(elf); !status.ok())
    return status;
  CodeImage image;
  Status memory = image.loadFromMemory(elf);
  if (memory.ok())
    return Result<CodeImage>(std::move(image));
  if (image.descriptor >= 0)
    ::close(image.descriptor);
  image.descriptor = -1;
  Status file = image.loadFromFile(elf);
  if (file.ok())
    return Result<CodeImage>(std::move(image));
  return Status(file.code(), "cannot load the artifact's code: " +
                                 memory.message() + "; " + file.message());
}

CodeImage::~CodeImage() {
  if (handle)
    ::dlclose(handle);
  if (descriptor < 0)
    return;
  // A library that stays loaded keeps its path: then keep the number busy.
  if (handle)
    if (void *known = ::dlopen(path.c_str(), RTLD_LAZY | RTLD_NOLOAD)) {
      ::dlclose(known);
      return;
    }
  ::close(descriptor);
}

Result<KernelFunction> CodeImage::find(const std::string &symbol) const {
  void *address = ::dlsym(handle, symbol.c_str());
  if (!address)
    return Status(Code::Invalid,
                  "the artifact's code has no symbol `" + symbol + "`");
  return reinterpret_cast<KernelFunction>(address);
}
