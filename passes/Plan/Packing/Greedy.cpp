//===- Greedy.cpp - packing one buffer after the other --------------------===//
//
// Placing one buffer after the other at the lowest offset where it fits is good
// or bad by its order alone. Orders by size, by bytes times steps and by time
// are tried; then buffers that stand at the top of the arena are moved towards
// the front of the best order, some rounds, which repairs what a fixed order
// got wrong.
//
//===----------------------------------------------------------------------===//

#include "passes/Plan/Packing/Greedy.h"

#include <algorithm>
#include <numeric>

using namespace tarn::packing;

namespace {

struct Place {
  int64_t offset, end, lower, upper;
};

/// The placed buffers by rising offset, in chunks: one long array would be
/// moved about for each new place.
class Places {
public:
  /// The lowest free offset for `buffer`.
  int64_t find(const Buffer &buffer, uint64_t &work) const {
    int64_t offset = 0;
    for (const std::vector<Place> &chunk : chunks) {
      for (const Place &there : chunk) {
        if (there.upper <= buffer.lower || buffer.upper <= there.lower)
          continue;
        if (there.offset >= offset + buffer.size) {
          work += &there - chunk.data();
          return offset; // sorted: a large enough gap lies before it
        }
        offset = std::max(offset, alignUp(there.end, buffer.alignment));
      }
      work += chunk.size();
    }
    return offset;
  }

  void insert(const Buffer &buffer, int64_t offset) {
    constexpr size_t most = 512;
    auto chunk = std::upper_bound(
        chunks.begin(), chunks.end(), offset,
        [](int64_t x, const auto &c) { return x < c.front().offset; });
    if (chunk != chunks.begin())
      --chunk;
    else if (chunks.empty())
      chunk = chunks.emplace(chunk);
    auto at = std::upper_bound(
        chunk->begin(), chunk->end(), offset,
        [](int64_t x, const Place &place) { return x < place.offset; });
    chunk->insert(at,
                  {offset, offset + buffer.size, buffer.lower, buffer.upper});
    if (chunk->size() > most) {
      std::vector<Place> back(chunk->begin() + most / 2, chunk->end());
      chunk->resize(most / 2);
      chunks.insert(chunk + 1, std::move(back));
    }
  }

private:
  std::vector<std::vector<Place>> chunks;
};

} // namespace

/// Places the fixed buffers, then the others in `order`: those that `fromTop`
/// names at the highest free offset below `capacity`, while there is one.
static Placement placeFromBothEnds(std::span<const Buffer> buffers,
                                   std::span<const unsigned> order,
                                   std::span<const char> fromTop,
                                   int64_t capacity, uint64_t &work) {
  Placement result;
  result.offsets.assign(buffers.size(), 0);
  // The same places, the second time as seen from the top.
  Places places, mirrored;
  bool bothEnds = !fromTop.empty();
  auto put = [&](unsigned index, int64_t offset) {
    const Buffer &buffer = buffers[index];
    places.insert(buffer, offset);
    if (bothEnds)
      mirrored.insert(buffer, capacity - offset - buffer.size);
    result.offsets[index] = offset;
    result.bytes = std::max(result.bytes, offset + buffer.size);
  };
  for (unsigned index : order)
    if (buffers[index].fixed >= 0)
      put(index, buffers[index].fixed);
  for (unsigned index : order) {
    const Buffer &buffer = buffers[index];
    if (buffer.fixed >= 0)
      continue;
    int64_t offset = -1;
    if (bothEnds && fromTop[index] && buffer.alignment == 1)
      offset = capacity - buffer.size - mirrored.find(buffer, work);
    put(index, offset >= 0 ? offset : places.find(buffer, work));
  }
  work += order.size();
  return result;
}

Placement tarn::packing::placeInOrder(std::span<const Buffer> buffers,
                                      std::span<const unsigned> order,
                                      uint64_t &work) {
  return placeFromBothEnds(buffers, order, {}, 0, work);
}

Placement tarn::packing::packGreedy(std::span<const Buffer> buffers,
                                    int64_t enough, uint64_t workLimit) {
  Placement best;
  std::vector<unsigned> bestOrder;
  std::vector<char> fromTop, bestFromTop;
  int64_t capacity = 0;
  uint64_t work = 0;
  auto attempt = [&](const std::vector<unsigned> &order) {
    Placement placement =
        placeFromBothEnds(buffers, order, fromTop, capacity, work);
    if (bestOrder.empty() || placement.bytes < best.bytes) {
      best = std::move(placement);
      bestOrder = order;
      bestFromTop = fromTop;
    }
    return best.bytes <= enough || work >= workLimit;
  };
  auto by = [&](auto key) { return ordered(buffers, key); };
  using B = const Buffer &;
  if (buffers.empty() ||
      attempt(by([](B b) { return std::pair(b.size, b.upper - b.lower); })) ||
      attempt(
          by([](B b) { return double(b.size) * double(b.upper - b.lower); })) ||
      attempt(by([](B b) { return std::pair(b.upper - b.lower, b.size); })))
    return best;
  // Where something piles up while something else shrinks, as gradients while
  // saved values are used up: what does not live at the fullest moment comes
  // from the other end.
  Sections sections = makeSections(buffers);
  size_t fullest =
      size_t(std::max_element(sections.total.begin(), sections.total.end()) -
             sections.total.begin());
  capacity = sections.total[fullest];
  for (size_t i = 0; i != buffers.size(); ++i)
    fromTop.push_back(sections.first[i] > fullest ||
                      sections.last[i] < fullest);
  if (attempt(by([](B b) { return std::pair(b.upper, b.size); })) ||
      attempt(by([](B b) { return std::pair(-b.lower, b.upper); })) ||
      attempt(by([](B b) { return std::pair(b.upper, -b.lower); })))
    return best;
  fromTop.clear();
  if (attempt(by([](B b) { return -b.lower; })) ||
      attempt(by([](B b) { return b.upper; })))
    return best;
  fromTop = bestFromTop;
  constexpr size_t rounds = 60;
  for (size_t round = 0; round != rounds; ++round) {
    std::vector<unsigned> order = bestOrder;
    auto end = [&](unsigned i) { return best.offsets[i] + buffers[i].size; };
    auto top = std::max_element(
        order.begin(), order.end(),
        [&](unsigned x, unsigned y) { return end(x) < end(y); });
    size_t from = top - order.begin(), to = from * round / rounds;
    std::rotate(order.begin() + to, top, top + 1);
    if (attempt(order))
      break;
  }
  return best;
}
