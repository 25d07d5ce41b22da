//===- Repair.cpp - packings that are made lower --------------------------===//
//
// The arena is made a little lower; what stands out of it is taken away and put
// back where it costs least: whoever lies there goes, and is put elsewhere in
// turn. Who was in the way of others is harder to take away each time, so that
// nothing goes round in circles. Once all are placed, the arena is made lower
// still. Only large buffers take part; the small ones fill what is left.
//
//===----------------------------------------------------------------------===//

#include "passes/Plan/Packing/Repair.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace tarn::packing;

namespace {

class Repairer {
public:
  explicit Repairer(std::span<const Buffer> buffers);
  /// Places all in `order`, each at the lowest free offset; those that
  /// `fromTop` names at the highest free one below `capacity`, if there is one.
  Placement place(std::span<const unsigned> order,
                  std::span<const char> fromTop, int64_t capacity,
                  uint64_t &work);
  /// Whether what `start` places fits below `capacity`, once repaired.
  bool reach(Placement &start, int64_t capacity, uint64_t workLimit,
             uint64_t &work);

private:
  struct Span {
    int64_t begin, end;
    bool operator<(const Span &other) const { return begin < other.begin; }
  };
  /// From this offset on it costs so much more to lie there.
  struct Event {
    int64_t offset;
    double cost;
    bool operator<(const Event &other) const {
      return offset != other.offset ? offset < other.offset : cost < other.cost;
    }
  };
  std::span<const unsigned> neighboursOf(unsigned buffer) const {
    return std::span(neighbours)
        .subspan(firstOf[buffer], firstOf[buffer + 1] - firstOf[buffer]);
  }
  int64_t endOf(unsigned buffer) const {
    return offsets[buffer] + buffers[buffer].size;
  }
  int64_t lowestFree(unsigned buffer, bool isMirrored, int64_t capacity);
  int64_t cheapest(unsigned buffer, int64_t capacity, uint64_t &work);

  std::span<const Buffer> buffers;
  std::vector<unsigned> firstOf, neighbours;
  std::vector<int64_t> offsets;
  std::vector<char> isPlaced;
  /// What it costs to take a buffer away, and how much more each time that it
  /// was put where another one lay.
  std::vector<double> price, worth;
  std::vector<Span> spans;
  std::vector<Event> events;
};

Repairer::Repairer(std::span<const Buffer> buffers)
    : buffers(buffers), firstOf(buffers.size() + 1, 0),
      offsets(buffers.size(), 0), isPlaced(buffers.size(), 0) {
  std::vector<unsigned> byStart(buffers.size()), alive;
  std::iota(byStart.begin(), byStart.end(), 0u);
  std::sort(byStart.begin(), byStart.end(), [&](unsigned x, unsigned y) {
    return std::pair(buffers[x].lower, x) < std::pair(buffers[y].lower, y);
  });
  std::vector<std::pair<unsigned, unsigned>> together;
  for (unsigned i : byStart) {
    std::erase_if(alive, [&](unsigned j) {
      return buffers[j].upper <= buffers[i].lower;
    });
    for (unsigned j : alive) {
      together.push_back({i, j});
      ++firstOf[i + 1];
      ++firstOf[j + 1];
    }
    alive.push_back(i);
  }
  std::partial_sum(firstOf.begin(), firstOf.end(), firstOf.begin());
  neighbours.resize(2 * together.size());
  std::vector<unsigned> next(firstOf.begin(), firstOf.end() - 1);
  for (auto [i, j] : together) {
    neighbours[next[i]++] = j;
    neighbours[next[j]++] = i;
  }
  for (const Buffer &buffer : buffers)
    worth.push_back(double(buffer.size) *
                    std::pow(double(buffer.upper - buffer.lower), 0.8));
  price = worth;
}

int64_t Repairer::lowestFree(unsigned buffer, bool isMirrored,
                             int64_t capacity) {
  spans.clear();
  for (unsigned other : neighboursOf(buffer))
    if (isPlaced[other])
      spans.push_back(
          isMirrored ? Span{capacity - endOf(other), capacity - offsets[other]}
                     : Span{offsets[other], endOf(other)});
  std::sort(spans.begin(), spans.end());
  int64_t offset = 0;
  for (const Span &span : spans) {
    if (span.begin >= offset + buffers[buffer].size)
      break;
    offset = std::max(offset, alignUp(span.end, buffers[buffer].alignment));
  }
  return offset;
}

Placement Repairer::place(std::span<const unsigned> order,
                          std::span<const char> fromTop, int64_t capacity,
                          uint64_t &work) {
  std::fill(isPlaced.begin(), isPlaced.end(), 0);
  int64_t bytes = 0;
  for (unsigned i : order) {
    const Buffer &buffer = buffers[i];
    int64_t offset = -1;
    if (!fromTop.empty() && fromTop[i] && buffer.alignment == 1)
      offset = capacity - buffer.size - lowestFree(i, true, capacity);
    offsets[i] = offset >= 0 ? offset : lowestFree(i, false, capacity);
    isPlaced[i] = 1;
    bytes = std::max(bytes, endOf(i));
    work += neighboursOf(i).size();
  }
  return {offsets, bytes};
}

/// The offset below `capacity` where the least lies in the way: 0, above or
/// right below another buffer, or at the top.
int64_t Repairer::cheapest(unsigned buffer, int64_t capacity, uint64_t &work) {
  auto [lower, upper, size, alignment, fixed] = buffers[buffer];
  int64_t last = (capacity - size) / alignment * alignment, best = 0;
  double cost = 0;
  events.clear();
  for (unsigned other : neighboursOf(buffer)) {
    if (!isPlaced[other])
      continue;
    // In the way of offsets from here to there.
    int64_t from = offsets[other] - size + 1, to = endOf(other);
    if (from <= 0)
      cost += price[other];
    else if (from <= last)
      events.push_back({from, price[other]});
    if (to <= last)
      events.push_back({to, -price[other]});
  }
  work += neighboursOf(buffer).size() + 4 * events.size();
  std::sort(events.begin(), events.end());
  double least = cost;
  auto consider = [&](int64_t offset, double at) {
    // Sums of prices that were added and taken away again are not exact.
    if (at < least * (1 - 1e-9) - 1e-9) {
      least = at;
      best = offset;
    }
  };
  for (size_t e = 0; e != events.size();) {
    int64_t offset = events[e].offset;
    double before = cost;
    bool ends = events[e].cost < 0, begins = false;
    for (; e != events.size() && events[e].offset == offset; ++e) {
      cost += events[e].cost;
      begins |= events[e].cost > 0;
    }
    if (begins && alignment == 1)
      consider(offset - 1, before);
    int64_t up = alignUp(offset, alignment);
    if (ends && up < (e == events.size() ? last + 1 : events[e].offset))
      consider(up, cost);
  }
  consider(last, cost);
  return best;
}

bool Repairer::reach(Placement &start, int64_t capacity, uint64_t workLimit,
                     uint64_t &work) {
  offsets = start.offsets;
  std::fill(isPlaced.begin(), isPlaced.end(), 1);
  auto isLess = [&](unsigned x, unsigned y) {
    return std::pair(worth[x], x) < std::pair(worth[y], y);
  };
  // The last one is put back first.
  std::vector<unsigned> pool, away;
  for (unsigned i = 0; i != buffers.size(); ++i)
    if (endOf(i) > capacity) {
      isPlaced[i] = 0;
      pool.push_back(i);
    }
  std::sort(pool.begin(), pool.end(), isLess);
  while (!pool.empty()) {
    if (work > workLimit)
      return false;
    unsigned i = pool.back();
    pool.pop_back();
    offsets[i] = cheapest(i, capacity, work);
    away.clear();
    for (unsigned other : neighboursOf(i))
      if (isPlaced[other] && offsets[other] < endOf(i) &&
          offsets[i] < endOf(other)) {
        isPlaced[other] = 0;
        away.push_back(other);
      }
    isPlaced[i] = 1;
    if (!away.empty())
      price[i] += worth[i];
    std::sort(away.begin(), away.end(), isLess);
    pool.insert(pool.end(), away.begin(), away.end());
  }
  start.offsets = offsets;
  start.bytes = 0;
  for (unsigned i = 0; i != buffers.size(); ++i)
    start.bytes = std::max(start.bytes, endOf(i));
  return true;
}

/// How many pairs live together.
uint64_t countPairs(std::span<const Buffer> buffers) {
  std::vector<int64_t> starts, ends;
  for (const Buffer &buffer : buffers) {
    starts.push_back(buffer.lower);
    ends.push_back(buffer.upper);
  }
  std::sort(starts.begin(), starts.end());
  std::sort(ends.begin(), ends.end());
  uint64_t pairs = 0;
  for (size_t i = 0, ended = 0; i != starts.size(); ++i) {
    while (ends[ended] <= starts[i])
      ++ended;
    pairs += i - ended;
  }
  return pairs;
}

double areaOf(const Buffer &buffer) {
  return double(buffer.size) * double(buffer.upper - buffer.lower);
}

/// The lowest of some orders of placing, or `best`.
void tryOrders(Repairer &repairer, std::span<const Buffer> buffers,
               Placement &best, uint64_t workLimit, uint64_t &work) {
  Sections sections = makeSections(buffers);
  auto fullest = std::max_element(sections.total.begin(), sections.total.end());
  size_t moment = size_t(fullest - sections.total.begin());
  // As in packGreedy: what does not live at the fullest moment from the top.
  std::vector<char> fromTop;
  for (size_t i = 0; i != buffers.size(); ++i)
    fromTop.push_back(sections.first[i] > moment || sections.last[i] < moment);
  auto attempt = [&](const std::vector<unsigned> &order, bool bothEnds) {
    if (work > workLimit)
      return;
    Placement found = repairer.place(
        order, bothEnds ? std::span<const char>(fromTop) : std::span<char>(),
        *fullest, work);
    if (found.bytes < best.bytes)
      best = std::move(found);
  };
  using B = const Buffer &;
  auto byEnd = ordered(buffers, [](B b) { return std::pair(b.upper, b.size); }),
       byStart =
           ordered(buffers, [](B b) { return std::pair(-b.lower, b.upper); });
  attempt(ordered(buffers,
                  [](B b) { return std::pair(b.size, b.upper - b.lower); }),
          false);
  attempt(ordered(buffers, areaOf), false);
  attempt(ordered(buffers,
                  [](B b) {
                    return double(b.size) * std::sqrt(b.upper - b.lower);
                  }),
          false);
  for (const auto &order : {byEnd, byStart})
    for (bool bothEnds : {false, true})
      attempt(order, bothEnds);
}

} // namespace

Placement tarn::packing::repair(std::span<const Buffer> buffers,
                                Placement start, int64_t enough,
                                uint64_t workLimit) {
  int64_t live = makeSections(buffers).mostLive();
  std::vector<unsigned> isLarge;
  std::vector<Buffer> large;
  Placement best;
  for (unsigned i = 0; i != buffers.size(); ++i)
    if (buffers[i].size >= live / 1024) {
      isLarge.push_back(i);
      large.push_back(buffers[i]);
      best.offsets.push_back(start.offsets[i]);
      best.bytes = std::max(best.bytes, start.offsets[i] + buffers[i].size);
    }
  uint64_t work = countPairs(large);
  bool isFixed = std::any_of(buffers.begin(), buffers.end(),
                             [](const Buffer &b) { return b.fixed >= 0; });
  if (isFixed || work > workLimit)
    return start;
  int64_t least = makeSections(large).mostLive();
  Repairer repairer(large);
  tryOrders(repairer, large, best, workLimit / 2, work);
  // In small steps, and after a miss in smaller ones.
  constexpr int mostMisses = 6;
  for (int misses = 0; misses != mostMisses && best.bytes > enough &&
                       best.bytes > least && work < workLimit;) {
    int64_t step =
        std::max((best.bytes - least) / (int64_t(16) << misses), least / 4096);
    uint64_t share = work + (workLimit - work) / 4;
    misses =
        repairer.reach(best, std::max(best.bytes - step, least), share, work)
            ? 0
            : misses + 1;
  }
  std::vector<Buffer> placed(buffers.begin(), buffers.end());
  for (size_t k = 0; k != large.size(); ++k)
    placed[isLarge[k]].fixed = best.offsets[k];
  Placement all = placeInOrder(placed, ordered(buffers, areaOf), work);
  return all.bytes < start.bytes ? all : start;
}
