//===- GptText.h - a GPT as a graph -----------------------------*- C++ -*-===//

#ifndef TEST_COMPILER_PACKAGE_GPTTEXT_H
#define TEST_COMPILER_PACKAGE_GPTTEXT_H

#include <cstdint>
#include <string>

namespace tarn::test {

struct GptSizes {
  int64_t layers = 2, heads = 2, width = 16, context = 12, batch = 3,
          vocabulary = 31;
};

/// A module with GPT-2's training step (`step`, before phase train) and its
/// loss alone (`validate`), tied embeddings, AdamW, clipping.
std::string gptText(const GptSizes &sizes);

} // namespace tarn::test

#endif // TEST_COMPILER_PACKAGE_GPTTEXT_H
