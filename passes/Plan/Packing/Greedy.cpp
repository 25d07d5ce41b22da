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

Placement tarn::packing::placeInOrder(std::span<const Buffer> buffers,
                                      std::span<const unsigned> order,
                                      uint64_t &work) {
  Placement result;
  result.offsets.assign(buffers.size(), 0);
  Places places;
  auto put = [&](unsigned index, int64_t offset) {
    places.insert(buffers[index], offset);
    result.offsets[index] = offset;
    result.bytes = std::max(result.bytes, offset + buffers[index].size);
  };
  for (unsigned index : order)
    if (buffers[index].fixed >= 0)
      put(index, buffers[index].fixed);
  for (unsigned index : order)
    if (buffers[index].fixed < 0)
      put(index, places.find(buffers[index], work));
  work += order.size();
  return result;
}

Placement tarn::packing::packGreedy(std::span<const Buffer> buffers,
                                    int64_t enough, uint64_t workLimit) {
  Placement best;
  std::vector<unsigned> bestOrder;
  uint64_t work = 0;
  auto attempt = [&](const std::vector<unsigned> &order) {
    Placement placement = placeInOrder(buffers, order, work);
    if (bestOrder.empty() || placement.bytes < best.bytes) {
      best = std::move(placement);
      bestOrder = order;
    }
    return best.bytes <= enough || work >= workLimit;
  };
  auto by = [&](auto key) {
    std::vector<unsigned> order(buffers.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](unsigned x, unsigned y) {
      auto left = key(buffers[x]), right = key(buffers[y]);
      return left != right ? left > right : x < y;
    });
    return order;
  };
  using B = const Buffer &;
  if (buffers.empty() ||
      attempt(by([](B b) { return std::pair(b.size, b.upper - b.lower); })) ||
      attempt(
          by([](B b) { return double(b.size) * double(b.upper - b.lower); })) ||
      attempt(by([](B b) { return std::pair(b.upper - b.lower, b.size); })) ||
      attempt(by([](B b) { return -b.lower; })) ||
      attempt(by([](B b) { return b.upper; })))
    return best;
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
