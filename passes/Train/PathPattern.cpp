//===- PathPattern.cpp - patterns over parameter paths --------------------===//

#include "passes/Train/PathPattern.h"

#include "llvm/ADT/SmallVector.h"

using namespace llvm;

/// Matches a list of items against a list of patterns in which some stand for
/// any run of items: the usual table, one row at a time.
template <typename Patterns, typename Items, typename IsRun, typename Matches>
static bool matchRuns(const Patterns &patterns, const Items &items, IsRun isRun,
                      Matches matches) {
  size_t n = items.size();
  // reachable[i]: the patterns so far can match exactly the first i items.
  SmallVector<bool> reachable(n + 1, false);
  reachable[0] = true;
  for (const auto &pattern : patterns) {
    SmallVector<bool> next(n + 1, false);
    if (isRun(pattern)) {
      bool any = false;
      for (size_t i = 0; i <= n; ++i)
        next[i] = any = any || reachable[i];
    } else {
      for (size_t i = 0; i < n; ++i)
        next[i + 1] = reachable[i] && matches(pattern, items[i]);
    }
    reachable = std::move(next);
  }
  return reachable[n];
}

static bool matchesSegment(StringRef pattern, StringRef segment) {
  return matchRuns(
      pattern, segment, [](char c) { return c == '*'; },
      [](char c, char d) { return c == d; });
}

bool tarn::matchesPath(StringRef pattern, StringRef path) {
  SmallVector<StringRef> patterns, segments;
  pattern.split(patterns, '.');
  path.split(segments, '.');
  return matchRuns(
      patterns, segments, [](StringRef p) { return p == "**"; },
      matchesSegment);
}
