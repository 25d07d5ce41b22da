//===- Lives.cpp - Who owns which bytes at which step ---------------------===//

#include "runtime/Lives.h"

#include <algorithm>

using namespace tarn::rt;

static bool beginsLater(int64_t a, int64_t b) { return a > b; }

Lives::Lives(const Function &function) {
  for (const PlanValue &value : function.values)
    coming.push_back({&value, 0});
  std::make_heap(coming.begin(), coming.end(),
                 [](const Life &a, const Life &b) {
                   return beginsLater(a.first(), b.first());
                 });
  begin();
}

/// Takes in what begins with the step that runs next, and what began before.
void Lives::begin() {
  auto later = [](const Life &a, const Life &b) {
    return beginsLater(a.first(), b.first());
  };
  while (!coming.empty() && coming.front().first() <= step) {
    std::pop_heap(coming.begin(), coming.end(), later);
    Life life = coming.back();
    coming.pop_back();
    alive.push_back(life);
    if (life.turn + 1 < life.value->turns && life.value->period > 0) {
      coming.push_back({life.value, life.turn + 1});
      std::push_heap(coming.begin(), coming.end(), later);
    }
  }
}

const PlanValue *Lives::ownerOf(Space space, uint64_t offset) const {
  for (const Life &life : alive)
    if (life.value->space == space && life.value->offset <= offset &&
        offset - life.value->offset < life.value->bytes)
      return life.value;
  return nullptr;
}

void Lives::finishStep(
    const std::function<void(Space, uint64_t, uint64_t)> &free) {
  auto split =
      std::partition(alive.begin(), alive.end(),
                     [this](const Life &life) { return life.last() > step; });
  std::vector<Life> ended(split, alive.end());
  alive.erase(split, alive.end());
  for (const Life &life : ended) {
    // What is left of it besides the living, from the front to the back.
    std::vector<std::pair<uint64_t, uint64_t>> owned;
    uint64_t at = life.value->offset, end = at + life.value->bytes;
    for (const Life &other : alive)
      if (other.value->space == life.value->space &&
          other.value->offset < end &&
          at < other.value->offset + other.value->bytes)
        owned.emplace_back(other.value->offset,
                           other.value->offset + other.value->bytes);
    std::sort(owned.begin(), owned.end());
    for (auto [from, to] : owned) {
      if (at < from)
        free(life.value->space, at, from);
      at = std::max(at, to);
    }
    if (at < end)
      free(life.value->space, at, end);
  }
  ++step;
  begin();
}
