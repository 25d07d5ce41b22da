//===- Lives.h - Who owns which bytes at which step ------------*- C++ -*-===//
//
// Replays the `values` of a function's plan beside a run: for poisoning what
// nobody owns any more, and for names in messages.
//
//===----------------------------------------------------------------------===//
#ifndef TARN_RUNTIME_LIVES_H
#define TARN_RUNTIME_LIVES_H

#include "runtime/Manifest.h"

#include <functional>
#include <vector>

namespace tarn::rt {

class Lives {
public:
  /// Before the first step of a run of `function`, which must outlive this.
  explicit Lives(const Function &function);

  /// The value that owns the byte before or in the step that runs next; null if
  /// the plan does not say.
  const PlanValue *ownerOf(Space space, uint64_t offset) const;
  /// Ends the step that ran; calls `free(space, begin, end)` for all bytes
  /// whose owner ended with it and that nobody else owns.
  void finishStep(const std::function<void(Space, uint64_t, uint64_t)> &free);

private:
  /// A value, in one of its turns.
  struct Life {
    const PlanValue *value;
    int64_t turn;
    int64_t first() const { return value->first + turn * value->period; }
    int64_t last() const { return value->last + turn * value->period; }
  };
  void begin();

  std::vector<Life> coming; ///< a heap, the next to begin at the front
  std::vector<Life> alive;
  int64_t step = 0;
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_LIVES_H
