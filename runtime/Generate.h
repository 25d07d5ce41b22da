//===- Generate.h - Text from a trained model ------------------*- C++ -*-===//
#ifndef TARN_RUNTIME_GENERATE_H
#define TARN_RUNTIME_GENERATE_H

#include "runtime/Session.h"
#include "runtime/Status.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace tarn::rt {

struct GenerateOptions {
  uint64_t tokens = 200;    ///< to sample after the prompt
  float temperature = 0.8f; ///< 0: always the likeliest
  uint64_t topK = 0;        ///< sample among the k likeliest; 0: all
  uint64_t seed = 0;
};

/// Feeds the prompt and then its own samples, one token a run, to the function
/// of kind `generate`; its caches are state, cleared at the beginning. The
/// function has an integer input of one element (or one per row: all rows get
/// the same) and either an integer output `next` or floating-point `logits`,
/// then sampled here; inputs called `temperature` and `seed` (i32[2], another
/// value for each position) are filled too. When the model's context is full,
/// its second half is fed again. `each` sees every sampled token and says
/// whether to go on.
Status generate(Session &session, const std::vector<int32_t> &prompt,
                const GenerateOptions &options,
                const std::function<bool(int32_t)> &each);

/// A token from `count` logits. Exposed for tests.
int32_t sampleLogits(const float *logits, size_t count, float temperature,
                     uint64_t topK, uint64_t bits);

} // namespace tarn::rt

#endif // TARN_RUNTIME_GENERATE_H
