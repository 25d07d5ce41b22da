//===- Buffer.cpp - Aligned memory ----------------------------------------===//

#include "runtime/Buffer.h"

#include <cerrno>
#include <sys/mman.h>
#include <unistd.h>

using namespace tarn::rt;

static constexpr uint64_t hugePage = uint64_t(2) << 20;
/// No machine has more; keeps the arithmetic below from overflowing.
static constexpr uint64_t sizeLimit = uint64_t(1) << 46;

Buffer::~Buffer() {
  if (!begin)
    return;
  ::munmap(begin, mapped);
  if (account)
    account->remove(bytes);
}

Result<Buffer> Buffer::allocate(uint64_t size, const char *what,
                                Account *account) {
  Buffer buffer;
  if (!size)
    return Result<Buffer>(std::move(buffer));
  auto failed = [&] {
    return Status(Code::OutOfMemory, "cannot allocate " + std::to_string(size) +
                                         " bytes for " + what);
  };
  if (size > sizeLimit)
    return failed();
  uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  uint64_t rounded = (size + page - 1) / page * page;
  bool large = size >= 2 * hugePage;
  uint64_t reserved = rounded + (large ? hugePage : 0);
  void *memory = ::mmap(nullptr, reserved, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return failed();
  auto *start = static_cast<uint8_t *>(memory);
  if (large) {
    // Give back what lies before and after the aligned part.
    uint64_t skip =
        (hugePage - reinterpret_cast<uintptr_t>(start) % hugePage) % hugePage;
    if (skip)
      ::munmap(start, skip);
    if (uint64_t rest = hugePage - skip)
      ::munmap(start + skip + rounded, rest);
    start += skip;
    ::madvise(start, rounded, MADV_HUGEPAGE);
  }
  buffer.begin = start;
  buffer.bytes = size;
  buffer.mapped = rounded;
  buffer.account = account;
  if (account)
    account->add(size);
  return Result<Buffer>(std::move(buffer));
}

void Buffer::protect() {
  if (begin)
    ::mprotect(begin, mapped, PROT_READ);
}
