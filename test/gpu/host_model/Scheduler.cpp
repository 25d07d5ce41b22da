//===- Scheduler.cpp - fibers, blocks, deadlocks --------------------------===//

#include "test/gpu/host_model/Block.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#if !defined(__x86_64__)
#error "the stack switch of the host model is written for x86-64"
#endif

using namespace tarn::gpu;

thread_local HostThread *host_thread;
thread_local HostBlock *host_block;

namespace tarn::gpu {
thread_local Block *block;
thread_local Fiber *fiber;
} // namespace tarn::gpu

// Saves the callee-saved registers, stores the stack pointer to `from`, and
// goes on with the stack `to`.
extern "C" void tarn_switch_stack(void **from, void *to);
asm(".text\n.globl tarn_switch_stack\ntarn_switch_stack:\n"
    " push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
    " mov %rsp,(%rdi)\n mov %rsi,%rsp\n"
    " pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n ret\n");

namespace {

thread_local const std::function<void()> *threadBody;

/// Stacks are kept between blocks.
struct Stacks {
  std::vector<char *> stacks;
  char *get(size_t i) {
    while (stacks.size() <= i)
      stacks.push_back(
          static_cast<char *>(aligned_alloc(4096, fiberStackBytes)));
    return stacks[i];
  }
  ~Stacks() {
    for (char *stack : stacks)
      free(stack);
  }
};
thread_local Stacks stacks;

void runFiber() {
  (*threadBody)();
  fiber->done = true;
  void *ignored;
  tarn_switch_stack(&ignored, block->schedulerStack);
}

/// Lays out a stack so that switching to it enters runFiber.
void *prepareStack(char *stack) {
  void **top = reinterpret_cast<void **>(stack + fiberStackBytes - 64);
  *--top = nullptr;
  *--top = reinterpret_cast<void *>(&runFiber);
  for (int i = 0; i < 6; ++i)
    *--top = nullptr;
  return top;
}

/// Where the threads that are not done wait.
std::string describeDeadlock(const Block &b) {
  std::map<std::pair<std::string, int>, int> groups;
  for (const Fiber &f : b.fibers)
    if (!f.done)
      ++groups[{f.waitsFor, f.line}];
  std::string text = "deadlock:";
  for (const auto &[where, count] : groups)
    text += " " + std::to_string(count) + " threads in " + where.first +
            " at line " + std::to_string(where.second) + ";";
  text.pop_back();
  return text;
}

/// Lets one pending TMA load land.
void landTma(Block &b) {
  size_t which =
      b.schedule->tma == Completion::random ? b.random() % b.tma.size() : 0;
  std::function<void()> land = std::move(b.tma[which]);
  b.tma.erase(b.tma.begin() + which);
  fiber = nullptr;
  land();
}

void runBlock(Block &b, const std::function<void()> &body) {
  block = &b;
  host_block = &b.view;
  threadBody = &body;
  dim3 threads = b.view.threads;
  uint32_t count = threads.x * threads.y * threads.z;
  b.fibers.resize(count);
  b.warps.resize((count + 31) / 32);
  b.warpgroups.resize((count + 127) / 128);
  for (uint32_t i = 0; i < count; ++i) {
    Fiber &f = b.fibers[i];
    f.thread.number = i;
    f.thread.position = {i % threads.x, i / threads.x % threads.y,
                         i / (threads.x * threads.y)};
    f.stack = stacks.get(i);
    f.stackPointer = prepareStack(f.stack);
    if (b.checker)
      f.clock.entry(i) = 1;
    b.ready.push_back(&f);
  }

  uint32_t done = 0;
  while (done < count && !b.abandoned) {
    bool anyTma = !b.tma.empty();
    if (b.ready.empty() && !anyTma) {
      fault(describeDeadlock(b), 0);
      break;
    }
    if (b.ready.empty() || (anyTma && b.schedule->tma == Completion::random &&
                            b.random() % 8 == 0)) {
      landTma(b);
      continue;
    }
    size_t which = b.schedule->shuffled ? b.random() % b.ready.size() : 0;
    Fiber *next = b.ready[which];
    b.ready.erase(b.ready.begin() + which);
    fiber = next;
    host_thread = &next->thread;
    tarn_switch_stack(&b.schedulerStack, next->stackPointer);
    done += next->done;
  }
  fiber = nullptr;
  if (!b.abandoned && done == count) {
    for (const Warpgroup &g : b.warpgroups)
      if (!g.ops.empty())
        fault("wgmma still in flight at the end of the kernel",
              g.ops.front().line);
    if (!b.tma.empty())
      fault("TMA load still in flight at the end of the kernel", 0);
    for (const auto &[address, barrier] : b.mbarriers)
      if (barrier.bytes != 0)
        fault("mbarrier at the end of the kernel that expected other bytes "
              "than came",
              0);
    for (const Fiber &f : b.fibers) {
      if (!f.stores.areOver())
        fault("TMA store still in flight at the end of the kernel", 0);
      if (!f.copies.areOver())
        fault("cp.async still in flight at the end of the kernel", 0);
    }
  }
  block = nullptr;
}

} // namespace

bool Block::completesNow(Completion when) {
  return when == Completion::early ||
         (when == Completion::random && random() % 2 == 0);
}

void tarn::gpu::fault(const std::string &what, int line,
                      const std::string &detail) {
  dim3 at = block->view.position;
  std::string text = what;
  if (line)
    text += " at line " + std::to_string(line);
  text += detail + ", block (" + std::to_string(at.x) + ", " +
          std::to_string(at.y) + ", " + std::to_string(at.z) + ")";
  // One line for each kind of fault: all blocks tend to have the same ones.
  for (const std::string &old : *block->faults)
    if (old.compare(0, what.size(), what) == 0)
      return;
  block->faults->push_back(text);
}

void tarn::gpu::fatalFault(const std::string &what, int line) {
  fault(what, line);
  block->abandoned = true;
  void *ignored;
  tarn_switch_stack(&ignored, block->schedulerStack);
  abort();
}

void tarn::gpu::blockOn(Queue &queue, const char *what, int line) {
  Fiber *self = fiber;
  queue.push_back(self);
  self->waitsFor = what;
  self->line = line;
  tarn_switch_stack(&self->stackPointer, block->schedulerStack);
}

void tarn::gpu::host_check_shared(const void *p, uint32_t bytes, int line) {
  auto *at = static_cast<const u8 *>(p);
  if (at < block->view.shared ||
      at + bytes > block->view.shared + block->view.bytes)
    fatalFault("access outside the block's shared memory", line);
  if (reinterpret_cast<uintptr_t>(p) % bytes != 0)
    fatalFault("access that is not a multiple of " + std::to_string(bytes) +
                   " bytes",
               line);
}

void tarn::gpu::wake(Queue &queue, const Clock *clock) {
  if (clock && block->checker)
    for (Fiber *waiting : queue)
      waiting->clock.join(*clock);
  block->ready.insert(block->ready.end(), queue.begin(), queue.end());
  queue.clear();
}

void tarn::gpu::releaseTo(Clock &clock) {
  if (block->checker)
    block->checker->release(clock);
}

void tarn::gpu::acquireFrom(const Clock &clock) {
  if (block->checker)
    block->checker->acquire(clock);
}

std::vector<Schedule> tarn::gpu::standardSchedules(unsigned randomOnes) {
  constexpr Completion early = Completion::early, late = Completion::late,
                       random = Completion::random;
  std::vector<Schedule> schedules = {
      {"early", early, early, early, early, false, 1},
      {"late wgmma", late, early, early, late, false, 1},
      {"late tma", early, late, late, early, false, 1}};
  for (unsigned i = 0; i < randomOnes; ++i)
    schedules.push_back({"random " + std::to_string(i + 1), random, random,
                         random, random, true, 17 * i + 5});
  return schedules;
}

Faults tarn::gpu::runGrid(const Launch &launch, const Schedule &schedule,
                          const std::function<void()> &body) {
  dim3 grid = launch.grid;
  std::vector<uint32_t> order(grid.x * grid.y * grid.z);
  for (uint32_t i = 0; i < order.size(); ++i)
    order[i] = i;
  std::mt19937 random(schedule.seed);
  if (schedule.shuffled)
    std::shuffle(order.begin(), order.end(), random);
  Faults faults;
  std::unique_ptr<Checker> checker;
  if (launch.isChecked)
    checker = std::make_unique<Checker>(launch.buffers);
  size_t bytes = (launch.sharedBytes + 1023) / 1024 * 1024;
  std::unique_ptr<u8, decltype(&free)> shared(
      static_cast<u8 *>(aligned_alloc(1024, bytes + 1024)), &free);
  for (uint32_t i : order) {
    // What nobody wrote is NaN, as f32 and as bf16.
    memset(shared.get(), 0xFF, bytes);
    Block b;
    b.view = {shared.get(),
              launch.sharedBytes,
              {i % grid.x, i / grid.x % grid.y, i / (grid.x * grid.y)},
              launch.threads,
              grid};
    b.schedule = &schedule;
    b.random.seed(schedule.seed + i);
    b.faults = &faults;
    b.checker = checker.get();
    if (checker)
      checker->beginBlock(i, shared.get(), launch.sharedBytes,
                          launch.threads.x * launch.threads.y *
                              launch.threads.z);
    runBlock(b, body);
  }
  return faults;
}

/// Parameters of a kernel, at most.
static constexpr size_t maxParameters = 128;

/// Calls a kernel with all of them: in the C calling convention surplus
/// arguments do no harm.
template <size_t... I>
static void callKernel(void *kernel, const void *const *a,
                       std::index_sequence<I...>) {
  auto function =
      reinterpret_cast<void (*)(decltype((void)I, (const void *)nullptr)...)>(
          kernel);
  function(a[I]...);
}

Faults tarn::gpu::runKernel(void *kernel, const Launch &launch,
                            const Schedule &schedule,
                            std::vector<const void *> arguments) {
  arguments.resize(maxParameters, nullptr);
  return runGrid(launch, schedule, [&] {
    callKernel(kernel, arguments.data(),
               std::make_index_sequence<maxParameters>());
  });
}
