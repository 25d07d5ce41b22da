//===- MeasureDevice.cpp - the speeds of this machine ---------------------===//

#include "compiler/Cost/MeasureDevice.h"

#include "runtime/Cpu.h"
#include "runtime/Pool.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <unistd.h>
#include <vector>

using namespace tarn;

static double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

/// Independent multiply-adds that stay in registers, `args[0]` times twelve:
/// enough to hide their latency. In assembly, so that all of them are there.
#if defined(__x86_64__)
static void multiplyAdd256(void *const *args, int64_t, void *) {
  int64_t turns = *static_cast<const int64_t *>(args[0]);
  asm volatile("vpxor %%xmm15, %%xmm15, %%xmm15\n"
               "1:\n"
#define FMA(r) "vfmadd231ps %%ymm15, %%ymm15, %%ymm" #r "\n"
               FMA(0) FMA(1) FMA(2) FMA(3) FMA(4) FMA(5) FMA(6) FMA(7) FMA(8)
                   FMA(9) FMA(10) FMA(11)
#undef FMA
                       "dec %0\n jnz 1b\n"
                       "vzeroupper\n"
               : "+r"(turns)
               :
               : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                 "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm15");
}

static void multiplyAdd512(void *const *args, int64_t, void *) {
  int64_t turns = *static_cast<const int64_t *>(args[0]);
  asm volatile("vpxor %%xmm15, %%xmm15, %%xmm15\n"
               "1:\n"
#define FMA(r) "vfmadd231ps %%zmm15, %%zmm15, %%zmm" #r "\n"
               FMA(0) FMA(1) FMA(2) FMA(3) FMA(4) FMA(5) FMA(6) FMA(7) FMA(8)
                   FMA(9) FMA(10) FMA(11)
#undef FMA
                       "dec %0\n jnz 1b\n"
                       "vzeroupper\n"
               : "+r"(turns)
               :
               : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                 "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm15");
}
#endif

namespace {
/// What a copying block needs: block `i` copies part `i`.
struct CopyWork {
  const char *from;
  char *to;
  size_t part;
};
} // namespace

static void copyPart(void *const *args, int64_t block, void *) {
  const CopyWork &work = *static_cast<const CopyWork *>(args[0]);
  std::memcpy(work.to + size_t(block) * work.part,
              work.from + size_t(block) * work.part, work.part);
}

static void nothing(void *const *, int64_t, void *) {}

//===----------------------------------------------------------------------===//
// Measuring
//===----------------------------------------------------------------------===//

/// The least seconds of `rounds` launches.
static double least(rt::Pool &pool, rt::KernelFunction kernel, void *work,
                    int64_t blocks, int rounds) {
  void *args[] = {work};
  rt::Pool::Step awake(pool);
  pool.run(kernel, args, blocks);
  double best = 1e9;
  for (int round = 0; round != rounds; ++round) {
    double start = now();
    pool.run(kernel, args, blocks);
    best = std::min(best, now() - start);
  }
  return best;
}

/// Multiply-adds of a level, and the lanes of its vectors; null for a processor
/// that no code is made for.
static std::pair<rt::KernelFunction, int64_t>
multiplyAddOf(std::string_view isa) {
#if defined(__x86_64__)
  if (llvm::StringRef(isa).starts_with("x86-64-v4"))
    return {multiplyAdd512, 16};
  if (isa == "x86-64-v3")
    return {multiplyAdd256, 8};
#endif
  return {nullptr, 0};
}

static double measurePeak(rt::Pool &pool, std::string_view isa) {
  auto [kernel, lanes] = multiplyAddOf(isa);
  if (!kernel || !llvm::is_contained(rt::hostIsas(), isa))
    return 0;
  // Blocks enough that a thread that is held up leaves its share to others.
  int64_t turns = 400'000, blocks = 16 * int64_t(pool.threads());
  return double(turns) * 12 * 2 * double(lanes) * double(blocks) /
         least(pool, kernel, &turns, blocks, 8);
}

/// Bytes a second, read and written together, of copies of `bytes`.
static double measureCopies(rt::Pool &pool, size_t bytes, int rounds) {
  std::vector<char> from(bytes, 1), to(bytes);
  int64_t blocks = 4 * int64_t(pool.threads());
  CopyWork work{from.data(), to.data(), bytes / size_t(blocks)};
  return 2 * double(work.part) * double(blocks) /
         least(pool, copyPart, &work, blocks, rounds);
}

/// Seconds that a launch with a block for each thread takes longer than one of
/// these blocks, which are long enough for the threads to share them.
static double measureLaunch(rt::Pool &all, rt::Pool &one,
                            std::string_view isa) {
  rt::KernelFunction kernel = multiplyAddOf(isa).first;
  int64_t turns = 2'000;
  double alone = least(one, kernel, &turns, 1, 2000),
         shared = least(all, kernel, &turns, all.threads(), 2000);
  return std::max(shared - alone, 1e-8);
}

/// Bytes of the last cache that the first processor has; 0 where the system
/// does not say.
static int64_t lastCacheBytes() {
  int64_t found = 0;
  for (int index = 0; index != 8; ++index) {
    std::string path = "/sys/devices/system/cpu/cpu0/cache/index" +
                       std::to_string(index) + "/size";
    std::FILE *file = std::fopen(path.c_str(), "r");
    if (!file)
      break;
    int64_t number = 0;
    char unit = 0;
    if (std::fscanf(file, "%" SCNd64 "%c", &number, &unit) >= 1)
      found = std::max(found, unit == 'K'   ? number << 10
                              : unit == 'M' ? number << 20
                                            : number);
    std::fclose(file);
  }
  return found;
}

double tarn::measurePeak(std::string_view isa, unsigned threads) {
  rt::Result<std::unique_ptr<rt::Pool>> pool = rt::Pool::create(threads, 0);
  return pool.ok() ? ::measurePeak(**pool, isa) : 0;
}

rt::Result<Device>
tarn::measureDevice(const Device &like, const std::string &name,
                    unsigned threads,
                    const std::function<void(const char *)> &tell) {
  rt::Result<std::unique_ptr<rt::Pool>> all = rt::Pool::create(threads, 0);
  if (!all.ok())
    return all.status();
  rt::Result<std::unique_ptr<rt::Pool>> one = rt::Pool::create(1, 0);
  if (!one.ok())
    return one.status();
  std::string who = "measured on " + std::to_string((*all)->threads()) +
                    ((*all)->threads() == 1 ? " thread of " : " threads of ") +
                    name;
  auto measured = [&](double value, const std::string &how) {
    return Figure{value, 0.05, who + ": " + how};
  };

  // How much of these speeds kernels reach is known of another machine.
  auto assume = [](Rate &rate) {
    rate.efficiency.error = std::max(rate.efficiency.error, 0.5);
    rate.efficiency.source = "of another machine: " + rate.efficiency.source;
  };

  Device device = like;
  device.name = name;
  device.aliases.clear();
  device.targets.clear();
  for (Rate *rate : {&device.memory, &device.unitMemory, &device.cache})
    assume(*rate);
  tell("products");
  for (DeviceTarget target : like.targets) {
    std::string isa = target.target.substr(strlen("cpu:"));
    double peak = ::measurePeak(**all, isa);
    if (peak == 0)
      continue;
    // Other speeds are of the same units: they keep their share of this one.
    double share = peak / target.dot(DotType::f32).peak.value;
    for (auto &[type, rate] : target.dots) {
      rate.peak.value *= share;
      assume(rate);
    }
    assume(target.vector);
    assume(target.special);
    target.vector.peak.value *= share;
    target.special.peak.value *= share;
    target.dots["f32"].peak =
        measured(peak, "independent multiply-adds in registers");
    device.targets.push_back(std::move(target));
  }
  if (device.targets.empty())
    return rt::Status(rt::Code::Unsupported,
                      "there is no code for this processor, so there is "
                      "nothing to measure");

  tell("copies");
  constexpr size_t large = 256u << 20;
  device.units = {double((*all)->threads()), 0, who + ": threads"};
  device.memory.peak =
      measured(measureCopies(**all, large, 6),
               "a copy of 256 MiB, bytes read and written together");
  device.unitMemory.peak =
      measured(measureCopies(**one, large, 4), "the same copy by one thread");
  device.hostToDevice.peak = device.deviceToHost.peak = device.unitMemory.peak;
  device.memoryBytes = {double(sysconf(_SC_PHYS_PAGES)) *
                            double(sysconf(_SC_PAGESIZE)),
                        0, who + ": memory of the machine"};
  if (int64_t cache = lastCacheBytes()) {
    device.cacheBytes = {double(cache), 0, who + ": last-level cache"};
    // Both sides of the copy lie in half of it, and not in those of a core. A
    // cache that others fill is no slower than memory.
    device.cache.peak =
        measured(std::max(measureCopies(**all, size_t(cache) / 4, 40),
                          device.memory.peak.value),
                 "a copy of a quarter of the last-level cache");
  }

  tell("launches");
  std::string isa = device.targets.front().target.substr(strlen("cpu:"));
  device.launch = {measureLaunch(**all, **one, isa), 0.5,
                   who + ": a launch of short blocks, without their work"};
  constexpr int64_t many = 20'000;
  device.block = {least(**all, nothing, nullptr, many, 20) / double(many), 0.5,
                  who + ": a block of an empty launch"};
  // What a thread needs to start an op goes with its clock, as products do.
  auto ofThread = [](const Device &device, const DeviceTarget &target) {
    return target.dot(DotType::f32).peak.value / device.units.value;
  };
  device.tileOp.value *=
      ofThread(like, *like.findTarget(device.targets.front().target)) /
      ofThread(device, device.targets.front());
  device.tileOp.source += "; scaled by the products of a thread";
  return device;
}
