//===- Random.h - Counter-based random numbers -----------------*- C++ -*-===//
#ifndef TARN_RUNTIME_RANDOM_H
#define TARN_RUNTIME_RANDOM_H

#include <cstdint>

namespace tarn::rt {

/// Threefry-2x32 with 20 rounds: 64 random bits that are a function of a key
/// and a counter alone, so that no generator has a state to save.
inline uint64_t threefry(uint64_t key, uint64_t counter) {
  constexpr unsigned rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
  uint32_t keys[3] = {static_cast<uint32_t>(key),
                      static_cast<uint32_t>(key >> 32), 0x1BD11BDA};
  keys[2] ^= keys[0] ^ keys[1];
  uint32_t x = static_cast<uint32_t>(counter) + keys[0];
  uint32_t y = static_cast<uint32_t>(counter >> 32) + keys[1];
  for (unsigned round = 0; round < 20; ++round) {
    x += y;
    unsigned r = rotations[round % 8];
    y = (y << r | y >> (32 - r)) ^ x;
    if (round % 4 == 3) {
      unsigned group = round / 4 + 1;
      x += keys[group % 3];
      y += keys[(group + 1) % 3] + group;
    }
  }
  return uint64_t(y) << 32 | x;
}

/// A number in [0, bound) from 64 random bits.
inline uint64_t scaleTo(uint64_t bits, uint64_t bound) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(bits) * bound >>
                               64);
}

} // namespace tarn::rt

#endif // TARN_RUNTIME_RANDOM_H
