//===- ArenaPacking.cpp - offsets for values with lifetimes ---------------===//
//
// Placing one value after the other at the lowest offset where it fits is good
// or bad by its order alone. Orders by size, by bytes times steps and by time
// are tried; then values that stand at the top of the arena are moved to the
// front of the best order, some rounds, which repairs what a fixed order got
// wrong.
//
//===----------------------------------------------------------------------===//

#include "passes/Plan/ArenaPacking.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace tarn;

static int64_t rounded(int64_t bytes) {
  return llvm::alignTo(std::max<int64_t>(bytes, 1), 64);
}

int64_t tarn::maxLive(llvm::ArrayRef<PackedValue> values) {
  llvm::SmallVector<std::pair<int64_t, int64_t>> events;
  for (const PackedValue &value : values) {
    events.push_back({value.first, rounded(value.bytes)});
    events.push_back({value.last + 1, -rounded(value.bytes)});
  }
  llvm::sort(events); // at one step what ends goes before what begins
  int64_t live = 0, most = 0;
  for (auto [step, bytes] : events)
    most = std::max(most, live += bytes);
  return most;
}

/// Places all values in `order`, each at the lowest free offset.
static int64_t place(llvm::MutableArrayRef<PackedValue> values,
                     llvm::ArrayRef<unsigned> order) {
  // Placed values, sorted by offset.
  llvm::SmallVector<unsigned> placed;
  int64_t total = 0;
  for (unsigned index : order) {
    PackedValue &value = values[index];
    int64_t bytes = rounded(value.bytes), offset = 0;
    for (unsigned other : placed) {
      const PackedValue &there = values[other];
      if (there.last < value.first || value.last < there.first)
        continue;
      if (there.offset >= offset + bytes)
        break; // sorted: a gap large enough lies before it
      offset = std::max(offset, there.offset + rounded(there.bytes));
    }
    value.offset = offset;
    total = std::max(total, offset + bytes);
    auto position =
        llvm::upper_bound(placed, index, [&](unsigned x, unsigned y) {
          return values[x].offset < values[y].offset;
        });
    placed.insert(position, index);
  }
  return total;
}

int64_t tarn::packArena(llvm::MutableArrayRef<PackedValue> values) {
  int64_t bound = maxLive(values);
  llvm::SmallVector<unsigned> order, best;
  for (unsigned i = 0; i != values.size(); ++i)
    order.push_back(i);
  int64_t least = -1;
  auto attempt = [&](llvm::ArrayRef<unsigned> candidate) {
    int64_t total = place(values, candidate);
    if (least < 0 || total < least) {
      least = total;
      best.assign(candidate.begin(), candidate.end());
    }
    return least <= bound;
  };
  auto by = [&](auto key) {
    llvm::SmallVector<unsigned> sorted(order);
    llvm::stable_sort(sorted, [&](unsigned x, unsigned y) {
      return key(values[x]) > key(values[y]);
    });
    return sorted;
  };
  using Value = const PackedValue &;
  bool done = values.empty() || attempt(by([](Value v) {
                return std::pair(v.bytes, v.last - v.first);
              })) ||
              attempt(by([](Value v) {
                return double(v.bytes) * double(v.last - v.first + 1);
              })) ||
              attempt(by([](Value v) { return v.last - v.first; })) ||
              attempt(by([](Value v) { return -v.first; })) ||
              attempt(by([](Value v) { return v.last; }));
  // Whoever ends up at the top is placed earlier next time.
  for (int round = 0; !done && round != 60; ++round) {
    llvm::SmallVector<unsigned> candidate(best);
    place(values, candidate);
    auto end = [&](unsigned i) {
      return values[i].offset + rounded(values[i].bytes);
    };
    auto *top = std::max_element(
        candidate.begin(), candidate.end(),
        [&](unsigned x, unsigned y) { return end(x) < end(y); });
    size_t from = top - candidate.begin(), to = from * round / 60;
    std::rotate(candidate.begin() + to, candidate.begin() + from,
                candidate.begin() + from + 1);
    done = attempt(candidate);
  }
  return values.empty() ? 0 : place(values, best);
}
