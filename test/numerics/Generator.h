//===- Generator.h - numbers that references make as well -------*- C++ -*-===//
//
// Number i of tensor NAME is a hash of (FNV-1a(NAME), i): nothing is stored,
// and generator.py makes the same.
//
//===----------------------------------------------------------------------===//

#ifndef TEST_NUMERICS_GENERATOR_H
#define TEST_NUMERICS_GENERATOR_H

#include <cstdint>
#include <string>

namespace tarn::test {

/// splitmix64's finalizer.
inline uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

inline uint64_t fnv(const std::string &name) {
  uint64_t h = 1469598103934665603u;
  for (unsigned char c : name)
    h = (h ^ c) * 1099511628211u;
  return h;
}

/// Number `i` of the tensor with this seed, uniform in [-scale / 2, scale / 2).
inline float numberAt(uint64_t seed, uint64_t i, double scale) {
  return float((double(mix(seed + i) >> 40) / (1 << 24) - 0.5) * scale);
}

} // namespace tarn::test

#endif // TEST_NUMERICS_GENERATOR_H
