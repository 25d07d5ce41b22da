//===- make-gpt.cpp - print a GPT as a graph ------------------------------===//
//
// make-gpt LAYERS HEADS WIDTH CONTEXT BATCH VOCABULARY
//
//===----------------------------------------------------------------------===//

#include "GptText.h"

#include <cstdio>
#include <cstdlib>

int main(int count, char **words) {
  if (count != 7) {
    std::fprintf(stderr, "usage: make-gpt LAYERS HEADS WIDTH CONTEXT BATCH "
                         "VOCABULARY\n");
    return 2;
  }
  tarn::test::GptSizes sizes;
  int64_t *fields[] = {&sizes.layers,  &sizes.heads, &sizes.width,
                       &sizes.context, &sizes.batch, &sizes.vocabulary};
  for (int i = 0; i != 6; ++i)
    *fields[i] = std::atoll(words[i + 1]);
  std::fputs(tarn::test::gptText(sizes).c_str(), stdout);
}
