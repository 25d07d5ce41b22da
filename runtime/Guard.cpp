//===- Guard.cpp - Kernels between pages that must not be touched ---------===//

#include "runtime/Guard.h"

#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <cstring>
#include <mutex>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

using namespace tarn::rt;

/// Forbidden bytes on each side: a kernel that is off by a row is caught too.
static constexpr uint64_t forbidden = uint64_t(1) << 20;

static uint64_t pageSize() {
  static const auto size = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

static uint64_t pagesOf(uint64_t bytes) {
  return (bytes + pageSize() - 1) / pageSize() * pageSize();
}

void tarn::rt::poisonBytes(void *at, uint64_t bytes) {
  auto *to = static_cast<uint8_t *>(at);
  const uint8_t low = poisonPattern & 0xFF, high = poisonPattern >> 8;
  for (uint64_t i = 0; i < bytes; ++i)
    to[i] = i % 2 ? high : low;
}

//===----------------------------------------------------------------------===//
// Traps
//===----------------------------------------------------------------------===//

namespace {
/// A launch that may be stopped, on the thread that runs it.
struct Frame {
  sigjmp_buf back;
  volatile int64_t block = 0;
  uint8_t *volatile fault = nullptr;
  volatile bool write = false;
};
thread_local Frame *volatile running = nullptr;

/// Handlers belong to the process: one guarded launch at a time.
std::mutex handlers;
struct sigaction before[2];
constexpr int faults[2] = {SIGSEGV, SIGBUS};
} // namespace

static void onFault(int signal, siginfo_t *info, void *context) {
  Frame *frame = running;
  if (!frame) {
    // Not ours: the next try of the same access meets who was there before.
    ::sigaction(signal, &before[signal == SIGBUS], nullptr);
    return;
  }
  frame->fault = static_cast<uint8_t *>(info->si_addr);
#if defined(__x86_64__)
  frame->write =
      static_cast<ucontext_t *>(context)->uc_mcontext.gregs[REG_ERR] & 2;
#else
  (void)context;
#endif
  running = nullptr;
  siglongjmp(frame->back, 1);
}

/// No object with a destructor may live here: a trap jumps out of the middle.
static bool runBlocks(Frame &frame, KernelFunction code, void *const *args,
                      int64_t blocks, void *scratch) {
  if (sigsetjmp(frame.back, 1))
    return false;
  running = &frame;
  for (frame.block = 0; frame.block < blocks; frame.block = frame.block + 1)
    code(args, frame.block, scratch);
  running = nullptr;
  return true;
}

//===----------------------------------------------------------------------===//
// Pages
//===----------------------------------------------------------------------===//

Result<std::unique_ptr<Guard>> Guard::create(const std::vector<Kernel> &kernels,
                                             GuardSide side) {
  std::unique_ptr<Guard> guard(new Guard);
  guard->side = side;
  std::vector<uint64_t> most;
  uint64_t scratch = 0;
  for (const Kernel &kernel : kernels) {
    if (kernel.args.size() > most.size())
      most.resize(kernel.args.size());
    for (size_t i = 0; i < kernel.args.size(); ++i)
      most[i] = std::max(most[i], kernel.args[i].bytes);
    scratch = std::max(scratch, kernel.scratch);
  }
  most.push_back(scratch);
  for (uint64_t bytes : most) {
    guard->regions.emplace_back();
    if (Status status = guard->reserve(guard->regions.back(), bytes);
        !status.ok())
      return status;
  }
  return Result<std::unique_ptr<Guard>>(std::move(guard));
}

Guard::~Guard() {
  for (Region &region : regions)
    if (region.mapped)
      ::munmap(region.mapped, region.size + 2 * forbidden);
}

Status Guard::reserve(Region &region, uint64_t bytes) {
  uint64_t size = std::max(pagesOf(bytes), pageSize());
  void *memory = ::mmap(nullptr, size + 2 * forbidden, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return Status(Code::OutOfMemory, "cannot allocate " + std::to_string(size) +
                                         " bytes for a guarded argument");
  region.mapped = static_cast<uint8_t *>(memory);
  region.begin = region.mapped + forbidden;
  region.size = size;
  return {};
}

/// Opens the pages of `bytes` bytes at the guarded side and poisons them.
bool Guard::open(Region &region, uint64_t bytes) {
  region.bytes = bytes;
  region.openedSize = std::max(pagesOf(bytes), pageSize());
  region.opened = side == GuardSide::End
                      ? region.begin + region.size - region.openedSize
                      : region.begin;
  region.data = side == GuardSide::End ? region.begin + region.size - bytes
                                       : region.begin;
  if (::mprotect(region.opened, region.openedSize, PROT_READ | PROT_WRITE))
    return false;
  poisonBytes(region.opened, region.openedSize);
  return true;
}

void Guard::close(Region &region) {
  ::mprotect(region.opened, region.openedSize, PROT_NONE);
}

/// Nobody wrote between the argument and the forbidden page on its other side.
bool Guard::slackIsWhole(const Region &region) const {
  const uint8_t *from =
      side == GuardSide::End ? region.opened : region.data + region.bytes;
  const uint8_t *to =
      side == GuardSide::End ? region.data : region.opened + region.openedSize;
  for (const uint8_t *at = from; at != to; ++at) {
    uint8_t pattern =
        (at - region.opened) % 2 ? poisonPattern >> 8 : poisonPattern & 0xFF;
    if (*at != pattern)
      return false;
  }
  return true;
}

std::string Guard::describe(const Region &region, uint8_t *fault,
                            bool write) const {
  std::string verb = write ? "writes " : "reads ";
  if (fault < region.data)
    return verb + std::to_string(region.data - fault) + " bytes before";
  if (fault >= region.data + region.bytes)
    return verb + std::to_string(fault - region.data - int64_t(region.bytes)) +
           " bytes past the end of";
  return "writes, though it may only read,";
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

static bool reads(KernelArg::Access access) {
  return access == KernelArg::Access::Read ||
         access == KernelArg::Access::ReadWrite;
}

bool Guard::launch(const Kernel &kernel, KernelFunction code, void *const *args,
                   int64_t blocks, Trap &trap) {
  size_t count = kernel.args.size();
  // One argument in the place of another stays there.
  std::vector<size_t> place(count);
  std::vector<bool> isRead(count), isWritten(count);
  for (size_t i = 0; i < count; ++i) {
    place[i] = i;
    for (size_t j = 0; j < i; ++j)
      if (args[j] == args[i] && kernel.args[j].bytes == kernel.args[i].bytes)
        place[i] = std::min(place[i], place[j]);
    if (reads(kernel.args[i].access))
      isRead[place[i]] = true;
    if (kernel.args[i].access != KernelArg::Access::Read)
      isWritten[place[i]] = true;
  }
  std::vector<void *> inside(count);
  Region &scratch = regions.back();
  bool opened = open(scratch, kernel.scratch);
  for (size_t i = 0; i < count; ++i) {
    Region &region = regions[i];
    if (place[i] == i) {
      opened = opened && open(region, kernel.args[i].bytes);
      if (opened && isRead[i] && region.bytes)
        std::memcpy(region.data, args[i], region.bytes);
      if (opened && !isWritten[i])
        ::mprotect(region.opened, region.openedSize, PROT_READ);
    }
    inside[i] = regions[place[i]].data;
  }
  if (!opened) {
    trap.what = "cannot be guarded: the pages of";
    trap.argument = static_cast<int64_t>(count);
    return false;
  }

  std::unique_lock<std::mutex> lock(handlers);
  Frame frame;
  struct sigaction action{};
  action.sa_sigaction = onFault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < 2; ++i)
    ::sigaction(faults[i], &action, &before[i]);
  bool good = runBlocks(frame, code, inside.data(), blocks, scratch.data);
  for (int i = 0; i < 2; ++i)
    ::sigaction(faults[i], &before[i], nullptr);
  lock.unlock();

  auto visit = [&](auto body) {
    for (size_t i = 0; i < count; ++i)
      if (place[i] == i)
        body(regions[i], static_cast<int64_t>(i));
    body(scratch, static_cast<int64_t>(count));
  };
  trap = {};
  trap.block = frame.block;
  if (!good) {
    trap.what = frame.write ? "writes to memory far from all arguments, near"
                            : "reads memory far from all arguments, near";
    visit([&](Region &region, int64_t argument) {
      if (frame.fault >= region.mapped &&
          frame.fault < region.mapped + region.size + 2 * forbidden) {
        trap.argument = argument;
        trap.what = describe(region, frame.fault, frame.write);
      }
    });
  } else {
    visit([&](Region &region, int64_t argument) {
      if (good && !slackIsWhole(region)) {
        good = false;
        trap.argument = argument;
        trap.what =
            side == GuardSide::End ? "writes before" : "writes past the end of";
      }
    });
  }
  if (good)
    for (size_t i = 0; i < count; ++i)
      if (place[i] == i && isWritten[i] && regions[i].bytes)
        std::memcpy(args[i], regions[i].data, regions[i].bytes);
  visit([&](Region &region, int64_t) { close(region); });
  return good;
}
