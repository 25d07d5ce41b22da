//===- Noise.h - numbers to measure with ------------------------*- C++ -*-===//

#ifndef TOOLS_TARN_NOISE_H
#define TOOLS_TARN_NOISE_H

#include <cstdint>

namespace tarn::cli {

/// Numbers without a pattern, the same in every run, so that runs compare.
class Noise {
public:
  uint32_t next() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return uint32_t(state >> 32);
  }

private:
  uint64_t state = 1;
};

} // namespace tarn::cli

#endif // TOOLS_TARN_NOISE_H
