//===- Threefry.h - the counter-based generator -----------------*- C++ -*-===//
//
// Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as
// easy as 1, 2, 3").
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_TARN_THREEFRY_H
#define DIALECTS_TARN_THREEFRY_H

#include <array>
#include <cstdint>

namespace tarn::threefry {

inline constexpr int rounds = 20;
inline constexpr int rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
inline constexpr uint32_t parity = 0x1BD11BDA;

/// Encrypts a counter of two words under a key of two words.
inline std::array<uint32_t, 2> block(std::array<uint32_t, 2> key,
                                     std::array<uint32_t, 2> counter) {
  uint32_t keys[3] = {key[0], key[1], key[0] ^ key[1] ^ parity};
  uint32_t x0 = counter[0] + keys[0], x1 = counter[1] + keys[1];
  for (int round = 0; round != rounds; ++round) {
    x0 += x1;
    int left = rotations[round % 8];
    x1 = ((x1 << left) | (x1 >> (32 - left))) ^ x0;
    if (round % 4 == 3) {
      uint32_t turn = round / 4 + 1;
      x0 += keys[turn % 3];
      x1 += keys[(turn + 1) % 3] + turn;
    }
  }
  return {x0, x1};
}

} // namespace tarn::threefry

#endif // DIALECTS_TARN_THREEFRY_H
