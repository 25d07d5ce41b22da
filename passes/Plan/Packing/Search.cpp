//===- Search.cpp - an exact search for a packing -------------------------===//
//
// Depth first over canonical packings: every buffer rests on another one or on
// the ground, and buffers are placed by rising offset, so that each packing is
// reached once. A state knows the lowest offset each unplaced buffer may still
// take; a section whose lowest such offset plus what it still has to hold is
// above the capacity ends the branch. When a placed buffer leaves no unplaced
// one across a moment, both sides are searched apart.
//
//===----------------------------------------------------------------------===//

#include "passes/Plan/Packing/Search.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <numeric>

using namespace tarn::packing;

namespace {

/// The search over the buffers of one partition in one static order. `Number`
/// holds offsets in units of the problem's granularity.
template <typename Number> class Searcher {
public:
  Searcher(std::span<const Buffer> buffers, const std::vector<unsigned> &order,
           int64_t unit, int64_t capacity, unsigned slotBits);
  Outcome run(uint64_t limit, uint64_t &nodes);
  /// The offset found for the buffer at `rank` of the order.
  int64_t offsetOf(unsigned rank) const { return offset[rank]; }

private:
  struct Saved {
    unsigned buffer;
    Number low;
  };
  struct Placed {
    unsigned buffer;
    size_t trail;
  };
  /// What the future of a state depends on, hashed to 64 bits and a slot: the
  /// unplaced buffers with the lowest offsets they may take.
  struct Key {
    uint64_t tag;
    uint32_t slot;
  };
  /// A state for which nothing was found above (floor, rank): one that is
  /// reached again, by other buffers in the same outline, is not searched
  /// again.
  struct Failure {
    uint64_t tag = 0;
    Number floor = std::numeric_limits<Number>::max();
    unsigned rank = 0;
    bool covers(uint64_t other, Number from, unsigned fromRank) const {
      return tag == other &&
             (floor < from || (floor == from && rank <= fromRank));
    }
  };
  /// Searches sections [left, right] with the unplaced buffers that `open`
  /// holds from `begin` on. Buffers go above (`floor`, `rank`).
  Outcome explore(unsigned left, unsigned right, unsigned begin, Number floor,
                  unsigned rank);
  Outcome descend(unsigned left, unsigned right, unsigned begin,
                  unsigned placed);
  bool sectionsFit(unsigned left, unsigned right, unsigned begin, Number floor,
                   unsigned rank);
  Key keyOf(unsigned begin) const;
  void findNeighbours();
  void place(unsigned buffer);
  void undoTo(size_t mark);

  unsigned count, sectionCount = 0;
  Number capacity;
  std::vector<Number> size, alignment, fixed, low, offset;
  std::vector<unsigned> first, last, identical;
  std::vector<unsigned> neighbourStart, neighbours;
  std::vector<uint8_t> placed;
  /// Per section: what is still to be placed; per moment between two sections:
  /// how many unplaced buffers live across it.
  std::vector<Number> remaining, earliest;
  /// Row k holds for each section s the lowest offset of what covers sections
  /// [s, s + 2^k): two entries say it of any range.
  std::vector<Number> lowest;
  std::vector<unsigned> across;
  std::vector<unsigned> open, passed;
  std::vector<std::pair<Number, unsigned>> candidates;
  std::vector<Saved> trail;
  std::vector<Placed> history;
  std::vector<Failure> failures;
  unsigned slotBits;
  uint64_t nodes = 0, limit = 0;
};

template <typename Number>
Searcher<Number>::Searcher(std::span<const Buffer> buffers,
                           const std::vector<unsigned> &order, int64_t unit,
                           int64_t capacity, unsigned slotBits)
    : count(buffers.size()), capacity(capacity / unit),
      failures(size_t(1) << slotBits), slotBits(slotBits) {
  Sections sections = makeSections(buffers);
  sectionCount = sections.count;
  remaining.assign(sectionCount, 0);
  lowest.assign(size_t(sectionCount) * std::bit_width(sectionCount), 0);
  earliest.assign(count, 0);
  across.assign(sectionCount, 0);
  for (unsigned index : order) {
    const Buffer &buffer = buffers[index];
    size.push_back(buffer.size / unit);
    alignment.push_back(buffer.alignment > unit ? buffer.alignment / unit : 1);
    fixed.push_back(buffer.fixed < 0 ? -1 : buffer.fixed / unit);
    low.push_back(std::max<Number>(fixed.back(), 0));
    first.push_back(sections.first[index]);
    last.push_back(sections.last[index]);
    for (unsigned s = first.back(); s <= last.back(); ++s)
      remaining[s] += size.back();
    for (unsigned s = first.back(); s < last.back(); ++s)
      ++across[s];
  }
  offset.assign(count, 0);
  placed.assign(count, 0);
  identical.assign(count, count);
  findNeighbours();
}

/// Who lives together, by a walk over time; and before whom of those that are
/// alike each may be placed without loss.
template <typename Number> void Searcher<Number>::findNeighbours() {
  std::vector<unsigned> byFirst(count), alive;
  std::iota(byFirst.begin(), byFirst.end(), 0u);
  std::sort(byFirst.begin(), byFirst.end(), [&](unsigned x, unsigned y) {
    return std::pair(first[x], x) < std::pair(first[y], y);
  });
  std::vector<std::pair<unsigned, unsigned>> pairs;
  neighbourStart.assign(count + 1, 0);
  for (unsigned i : byFirst) {
    std::erase_if(alive, [&](unsigned j) { return last[j] < first[i]; });
    for (unsigned j : alive) {
      pairs.push_back({i, j});
      ++neighbourStart[i + 1];
      ++neighbourStart[j + 1];
      // Those that begin together come by rank: the last one stays.
      if (first[i] == first[j] && last[i] == last[j] && size[i] == size[j] &&
          alignment[i] == alignment[j] && fixed[i] < 0 && fixed[j] < 0)
        identical[i] = j;
    }
    alive.push_back(i);
  }
  std::partial_sum(neighbourStart.begin(), neighbourStart.end(),
                   neighbourStart.begin());
  neighbours.resize(2 * pairs.size());
  std::vector<unsigned> next(neighbourStart.begin(), neighbourStart.end() - 1);
  for (auto [i, j] : pairs) {
    neighbours[next[i]++] = j;
    neighbours[next[j]++] = i;
  }
}

template <typename Number>
Outcome Searcher<Number>::run(uint64_t nodeLimit, uint64_t &spent) {
  nodes = 0;
  limit = nodeLimit;
  open.resize(count);
  std::iota(open.begin(), open.end(), 0u);
  for (unsigned i = 0; i != count; ++i)
    placed[i] = 0;
  Outcome outcome = Outcome::packed;
  if (count)
    outcome = descend(0, sectionCount - 1, 0, count);
  spent += nodes;
  return outcome;
}

/// Scatters the bits of a number (the finalizer of splitmix64).
inline uint64_t scatter(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

template <typename Number>
typename Searcher<Number>::Key Searcher<Number>::keyOf(unsigned begin) const {
  uint64_t tag = 0, slot = 0;
  for (unsigned k = begin; k != open.size(); ++k) {
    uint64_t one =
        scatter((uint64_t(low[open[k]]) + 1) * 0x9e3779b97f4a7c15u + open[k]);
    tag += one;
    slot += scatter(one + 1);
  }
  return {tag, uint32_t(slot >> (64 - slotBits))};
}

template <typename Number> void Searcher<Number>::place(unsigned buffer) {
  Number at = low[buffer], top = at + size[buffer];
  placed[buffer] = 1;
  offset[buffer] = at;
  history.push_back({buffer, trail.size()});
  for (unsigned k = neighbourStart[buffer], e = neighbourStart[buffer + 1];
       k != e; ++k) {
    unsigned other = neighbours[k];
    if (placed[other] || low[other] >= top)
      continue;
    trail.push_back({other, low[other]});
    Number up = alignment[other];
    low[other] = up == 1 ? top : (top + up - 1) / up * up;
  }
  for (unsigned s = first[buffer]; s <= last[buffer]; ++s)
    remaining[s] -= size[buffer];
  for (unsigned s = first[buffer]; s < last[buffer]; ++s)
    --across[s];
}

template <typename Number> void Searcher<Number>::undoTo(size_t mark) {
  for (; history.size() != mark; history.pop_back()) {
    auto [buffer, saved] = history.back();
    for (unsigned s = first[buffer]; s <= last[buffer]; ++s)
      remaining[s] += size[buffer];
    for (unsigned s = first[buffer]; s < last[buffer]; ++s)
      ++across[s];
    for (; trail.size() != saved; trail.pop_back())
      low[trail.back().buffer] = trail.back().low;
    placed[buffer] = 0;
  }
}

template <typename Number>
bool Searcher<Number>::sectionsFit(unsigned left, unsigned right,
                                   unsigned begin, Number floor,
                                   unsigned rank) {
  constexpr Number never = std::numeric_limits<Number>::max();
  passed.clear();
  for (unsigned k = begin; k != open.size(); ++k) {
    unsigned i = open[k];
    bool passedOver = low[i] < floor || (low[i] == floor && i < rank);
    if (fixed[i] >= 0 && (passedOver || low[i] != fixed[i]))
      return false;
    earliest[i] = std::max(low[i], floor);
    if (passedOver)
      passed.push_back(i);
  }
  // Passed over: something has to come below it first, and has to be in its
  // way, else it could sink. Lowest offsets rise by each other.
  for (unsigned i : passed) {
    Number rise = never, least = never;
    for (unsigned k = neighbourStart[i], e = neighbourStart[i + 1]; k != e; ++k)
      if (unsigned other = neighbours[k]; !placed[other]) {
        least = std::min(least, earliest[other]);
        rise = std::min<Number>(rise, earliest[other] + size[other]);
      }
    if (least >= low[i] + size[i])
      return false;
    earliest[i] = rise;
  }
  unsigned rows = std::bit_width(right - left + 1);
  auto row = [&](unsigned k) { return lowest.data() + k * sectionCount; };
  for (unsigned k = 0; k != rows; ++k)
    std::fill(row(k) + left, row(k) + right + 1, never);
  for (unsigned k = begin; k != open.size(); ++k) {
    unsigned i = open[k];
    Number at = earliest[i];
    if (at + size[i] > capacity)
      return false;
    unsigned level = std::bit_width(last[i] - first[i] + 1) - 1;
    Number *covers = row(level);
    Number &front = covers[first[i]],
           &back = covers[last[i] + 1 - (1u << level)];
    front = std::min(front, at);
    back = std::min(back, at);
  }
  for (unsigned k = rows - 1; k != 0; --k) {
    unsigned half = 1u << (k - 1);
    const Number *whole = row(k);
    Number *parts = row(k - 1);
    for (unsigned s = left, e = right + 2 - 2 * half; s != e; ++s)
      parts[s] = std::min(parts[s], whole[s]);
    for (unsigned s = left, e = right + 2 - 2 * half; s != e; ++s)
      parts[s + half] = std::min(parts[s + half], whole[s]);
  }
  for (unsigned s = left; s <= right; ++s)
    if (remaining[s] && lowest[s] + remaining[s] > capacity)
      return false;
  return true;
}

/// Splits [left, right] where no unplaced buffer lives across, and explores the
/// parts. Buffers go above the offset and rank of `from`, if there is one.
template <typename Number>
Outcome Searcher<Number>::descend(unsigned left, unsigned right, unsigned begin,
                                  unsigned from) {
  Number floor = from == count ? 0 : offset[from];
  unsigned rank = from == count ? 0 : from;
  unsigned end = open.size();
  for (unsigned part = left; part <= right;) {
    unsigned stop = part;
    while (stop != right && across[stop])
      ++stop;
    for (unsigned k = begin; k != end; ++k)
      if (unsigned i = open[k];
          !placed[i] && part <= first[i] && last[i] <= stop)
        open.push_back(i);
    Outcome outcome = Outcome::packed;
    if (open.size() != end)
      outcome = explore(part, stop, end, floor, rank);
    open.resize(end);
    if (outcome != Outcome::packed)
      return outcome;
    part = stop + 1;
  }
  return Outcome::packed;
}

template <typename Number>
Outcome Searcher<Number>::explore(unsigned left, unsigned right, unsigned begin,
                                  Number floor, unsigned rank) {
  if (++nodes > limit)
    return Outcome::unknown;
  if (!sectionsFit(left, right, begin, floor, rank))
    return Outcome::impossible;
  Key key = keyOf(begin);
  if (failures[key.slot].covers(key.tag, floor, rank))
    return Outcome::impossible;
  // A buffer that would end below where another one is put could lie there.
  Number least = std::numeric_limits<Number>::max();
  for (unsigned k = begin; k != open.size(); ++k)
    least = std::min<Number>(least, low[open[k]] + size[open[k]]);
  size_t firstCandidate = candidates.size();
  for (unsigned k = begin; k != open.size(); ++k) {
    unsigned i = open[k];
    if (low[i] < floor || (low[i] == floor && i < rank) || low[i] >= least)
      continue;
    if (identical[i] != count && !placed[identical[i]])
      continue;
    candidates.push_back({low[i], i});
  }
  std::sort(candidates.begin() + firstCandidate, candidates.end());
  Outcome outcome = Outcome::impossible;
  size_t mark = history.size();
  for (size_t c = firstCandidate; c != candidates.size(); ++c) {
    unsigned i = candidates[c].second;
    if (c != firstCandidate && !sectionsFit(left, right, begin, low[i], i))
      break; // later ones only pass over more
    size_t raised = trail.size();
    place(i);
    bool hatless = trail.size() == raised;
    outcome = descend(left, right, begin, i);
    if (outcome == Outcome::packed)
      break; // stays placed
    undoTo(mark);
    if (outcome == Outcome::unknown || hatless)
      break;
  }
  candidates.resize(firstCandidate);
  if (outcome == Outcome::impossible)
    failures[key.slot] = {key.tag, floor, rank};
  return outcome;
}

/// The static orders: by width (sections or time), area and the fullest
/// section a buffer lives in, each with another key first; largest first.
std::vector<std::vector<unsigned>>
staticOrders(std::span<const Buffer> buffers) {
  Sections sections = makeSections(buffers);
  std::vector<std::array<double, 3>> keys;
  for (unsigned i = 0; i != buffers.size(); ++i) {
    double width = double(buffers[i].upper - buffers[i].lower);
    int64_t total = 0;
    for (unsigned s = sections.first[i]; s <= sections.last[i]; ++s)
      total = std::max(total, sections.total[s]);
    keys.push_back({width, width * double(buffers[i].size), double(total)});
  }
  std::vector<std::vector<unsigned>> orders;
  constexpr unsigned width = 0, area = 1, total = 2;
  const unsigned keyOrders[][3] = {
      {width, area, total}, {total, area, width}, {total, width, area}};
  for (const auto &use : keyOrders) {
    std::vector<unsigned> order(buffers.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](unsigned x, unsigned y) {
      for (unsigned key : use)
        if (keys[x][key] != keys[y][key])
          return keys[x][key] > keys[y][key];
      return x < y;
    });
    orders.push_back(std::move(order));
  }
  return orders;
}

template <typename Number>
Outcome searchOrders(std::span<const Buffer> buffers, int64_t unit,
                     int64_t capacity, Effort &effort,
                     std::vector<int64_t> &offsets) {
  auto orders = staticOrders(buffers);
  std::vector<Searcher<Number>> searchers;
  searchers.reserve(orders.size());
  // Room for as many failures as may be met, up to a few megabytes.
  unsigned slotBits = std::clamp(int(std::bit_width(effort.nodeLimit)), 6, 18);
  // No order is good at all problems: each gets a turn, then a longer one.
  for (uint64_t turn = 256 + buffers.size(); effort.nodes < effort.nodeLimit;
       turn *= 2)
    for (unsigned k = 0; k != orders.size(); ++k) {
      if (effort.nodes >= effort.nodeLimit)
        break;
      if (k == searchers.size())
        searchers.emplace_back(buffers, orders[k], unit, capacity, slotBits);
      uint64_t limit = std::min(turn, effort.nodeLimit - effort.nodes);
      Outcome outcome = searchers[k].run(limit, effort.nodes);
      if (outcome == Outcome::unknown)
        continue;
      if (outcome == Outcome::packed)
        for (unsigned rank = 0; rank != buffers.size(); ++rank)
          offsets[orders[k][rank]] =
              int64_t(searchers[k].offsetOf(rank)) * unit;
      return outcome;
    }
  return Outcome::unknown;
}

} // namespace

Outcome tarn::packing::search(std::span<const Buffer> buffers, int64_t capacity,
                              Effort &effort, std::vector<int64_t> &offsets) {
  offsets.assign(buffers.size(), 0);
  if (lowerBound(buffers).bytes > capacity)
    return Outcome::impossible;
  int64_t unit = granularity(buffers);
  if (capacity / unit < (int64_t(1) << 29))
    return searchOrders<int32_t>(buffers, unit, capacity, effort, offsets);
  return searchOrders<int64_t>(buffers, unit, capacity, effort, offsets);
}
