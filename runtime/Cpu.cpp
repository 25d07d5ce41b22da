//===- Cpu.cpp - What the processor can do and how it rounds --------------===//

#include "runtime/Cpu.h"

#include <algorithm>
#include <sched.h>
#include <thread>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

using namespace tarn::rt;

#if defined(__x86_64__)

/// Which register sets the system saves: AVX code on a system that does not
/// save its registers computes garbage.
static uint64_t savedRegisters() {
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

static std::vector<std::string> detect() {
  std::vector<std::string> isas;
  unsigned a, b1, c1, d1, b7 = 0, c7 = 0, d7 = 0, a71 = 0, extended = 0, unused;
  if (!__get_cpuid(1, &a, &b1, &c1, &d1))
    return isas;
  bool hasSeven = __get_cpuid_count(7, 0, &a, &b7, &c7, &d7);
  unsigned subleaves = hasSeven ? a : 0;
  if (subleaves >= 1)
    __get_cpuid_count(7, 1, &a71, &unused, &unused, &unused);
  __get_cpuid(0x80000001, &a, &unused, &extended, &unused);
  auto bits = [](unsigned word, std::initializer_list<int> list) {
    for (int bit : list)
      if (!(word >> bit & 1))
        return false;
    return true;
  };
  // The names and members are those of the psABI's levels.
  bool v2 = bits(c1, {0, 9, 13, 19, 20, 23}) && bits(extended, {0});
  bool saves = bits(c1, {27});
  uint64_t saved = saves ? savedRegisters() : 0;
  bool v3 = v2 && (saved & 0x6) == 0x6 && bits(c1, {12, 22, 28, 29}) &&
            bits(b7, {3, 5, 8}) && bits(extended, {5});
  bool v4 = v3 && (saved & 0xe6) == 0xe6 && bits(b7, {16, 17, 28, 30, 31});
  if (v4 && bits(a71, {5}))
    isas.push_back("x86-64-v4+bf16");
  if (v4)
    isas.push_back("x86-64-v4");
  if (v3)
    isas.push_back("x86-64-v3");
  if (v2)
    isas.push_back("x86-64-v2");
  isas.push_back("x86-64");
  return isas;
}

#elif defined(__aarch64__)
static std::vector<std::string> detect() { return {"aarch64"}; }
#else
static std::vector<std::string> detect() { return {}; }
#endif

const std::vector<std::string> &tarn::rt::hostIsas() {
  static const std::vector<std::string> isas = detect();
  return isas;
}

static std::string join(const std::vector<std::string> &words) {
  std::string out;
  for (const std::string &word : words)
    out += (out.empty() ? "" : ", ") + word;
  return out.empty() ? "nothing known" : out;
}

Result<size_t> tarn::rt::pickIsa(const std::vector<std::string> &available,
                                 const std::string &wanted,
                                 const std::vector<std::string> &host) {
  auto indexOf = [](const std::vector<std::string> &list,
                    const std::string &isa) {
    return static_cast<size_t>(std::find(list.begin(), list.end(), isa) -
                               list.begin());
  };
  std::string sides = "the artifact has code for " + join(available) +
                      "; this processor runs " + join(host);
  if (!wanted.empty()) {
    size_t index = indexOf(available, wanted);
    if (index == available.size())
      return Status(Code::Unsupported,
                    "no code for " + wanted + " in the artifact: " + sides);
    if (indexOf(host, wanted) == host.size())
      return Status(Code::Unsupported,
                    "this processor cannot run " + wanted + ": " + sides);
    return index;
  }
  for (const std::string &isa : host)
    if (size_t index = indexOf(available, isa); index < available.size())
      return index;
  return Status(Code::Unsupported,
                "the artifact has no code for this processor: " + sides);
}

unsigned tarn::rt::usableProcessors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0)
    if (int count = CPU_COUNT(&set); count > 0)
      return static_cast<unsigned>(count);
  return std::max(1u, std::thread::hardware_concurrency());
}

#if defined(__x86_64__)
StrictFloats::StrictFloats() : before(_mm_getcsr()) {
  _mm_setcsr(0x1F80); // all traps masked, nearest, neither FTZ nor DAZ
}
StrictFloats::~StrictFloats() { _mm_setcsr(static_cast<unsigned>(before)); }
#elif defined(__aarch64__)
StrictFloats::StrictFloats() {
  asm volatile("mrs %0, fpcr" : "=r"(before));
  asm volatile("msr fpcr, %0" ::"r"(uint64_t(0)));
}
StrictFloats::~StrictFloats() { asm volatile("msr fpcr, %0" ::"r"(before)); }
#else
StrictFloats::StrictFloats() : before(0) {}
StrictFloats::~StrictFloats() {}
#endif
