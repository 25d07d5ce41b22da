//===- Repair.cpp - packings that are made lower --------------------------===//
//
// The arena is made a little lower; what stands out of it is taken away and put
// back where it costs least: whoever lies there goes, and is put elsewhere in
// turn. Who was in the way of others is harder to take away each time, so that
// nothing goes round in circles. Once all are placed, the arena is made lower
// still: of the large buffers alone first, then of nearly all.
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
  /// Whether what `start` places fits below `capacity`, once repaired.
  bool reach(Placement &start, int64_t capacity, uint64_t workLimit,
             uint64_t &work);

private:
  /// Placed buffers by rising offset of an edge of theirs: when they live, one
  /// array each, since all are looked at for each that is placed.
  struct Edges {
    std::vector<int64_t> offset;
    std::vector<int> first, last;
    std::vector<unsigned> buffer;
    size_t find(int64_t at, unsigned of) const {
      size_t k = size_t(std::lower_bound(offset.begin(), offset.end(), at) -
                        offset.begin());
      while (k != offset.size() && offset[k] == at && buffer[k] < of)
        ++k;
      return k;
    }
  };
  int64_t endOf(unsigned buffer) const {
    return offsets[buffer] + buffers[buffer].size;
  }
  void append(Edges &edges, unsigned buffer, int64_t offset) const;
  void insert(Edges &edges, unsigned buffer, int64_t offset) const;
  static void erase(Edges &edges, unsigned buffer, int64_t offset);
  /// Those of `edges` that live together with a buffer.
  void together(const Edges &edges, unsigned buffer,
                std::vector<unsigned> &found) const;
  void placeAll(std::vector<unsigned> kept);
  void place(unsigned buffer);
  void takeAway(unsigned buffer);
  int64_t cheapest(unsigned buffer, int64_t capacity, uint64_t &work);

  std::span<const Buffer> buffers;
  std::vector<int64_t> offsets;
  /// What it costs to take a buffer away, and how much more each time that it
  /// was put where another one lay.
  std::vector<double> price, worth;
  /// The first and the last section of each.
  std::vector<int> first, last;
  Edges begins, ends;
  /// Of these, what lives together with the buffer that was last asked about.
  std::vector<unsigned> from, to;
};

Repairer::Repairer(std::span<const Buffer> buffers)
    : buffers(buffers), offsets(buffers.size(), 0) {
  Sections sections = makeSections(buffers);
  first.assign(sections.first.begin(), sections.first.end());
  last.assign(sections.last.begin(), sections.last.end());
  for (const Buffer &buffer : buffers)
    worth.push_back(double(buffer.size) *
                    std::pow(double(buffer.upper - buffer.lower), 0.8));
  price = worth;
}

void Repairer::append(Edges &edges, unsigned buffer, int64_t offset) const {
  edges.offset.push_back(offset);
  edges.first.push_back(first[buffer]);
  edges.last.push_back(last[buffer]);
  edges.buffer.push_back(buffer);
}

void Repairer::insert(Edges &edges, unsigned buffer, int64_t offset) const {
  auto k = long(edges.find(offset, buffer));
  edges.offset.insert(edges.offset.begin() + k, offset);
  edges.first.insert(edges.first.begin() + k, first[buffer]);
  edges.last.insert(edges.last.begin() + k, last[buffer]);
  edges.buffer.insert(edges.buffer.begin() + k, buffer);
}

void Repairer::erase(Edges &edges, unsigned buffer, int64_t offset) {
  auto k = long(edges.find(offset, buffer));
  edges.offset.erase(edges.offset.begin() + k);
  edges.first.erase(edges.first.begin() + k);
  edges.last.erase(edges.last.begin() + k);
  edges.buffer.erase(edges.buffer.begin() + k);
}

void Repairer::together(const Edges &edges, unsigned buffer,
                        std::vector<unsigned> &found) const {
  size_t all = edges.offset.size(), count = 0;
  found.resize(all);
  const int *firsts = edges.first.data(), *lasts = edges.last.data();
  int born = first[buffer], dead = last[buffer];
  for (size_t k = 0; k != all; ++k) {
    found[count] = unsigned(k);
    count += size_t(firsts[k] <= dead) & size_t(lasts[k] >= born);
  }
  found.resize(count);
}

/// Places these at their offsets, and nothing else.
void Repairer::placeAll(std::vector<unsigned> kept) {
  begins = ends = {};
  auto byOffset = [&](auto offsetOf) {
    std::sort(kept.begin(), kept.end(), [&](unsigned x, unsigned y) {
      return std::pair(offsetOf(x), x) < std::pair(offsetOf(y), y);
    });
  };
  byOffset([&](unsigned i) { return offsets[i]; });
  for (unsigned i : kept)
    append(begins, i, offsets[i]);
  byOffset([&](unsigned i) { return endOf(i); });
  for (unsigned i : kept)
    append(ends, i, endOf(i));
}

void Repairer::place(unsigned buffer) {
  insert(begins, buffer, offsets[buffer]);
  insert(ends, buffer, endOf(buffer));
}

void Repairer::takeAway(unsigned buffer) {
  erase(begins, buffer, offsets[buffer]);
  erase(ends, buffer, endOf(buffer));
}

/// The offset below `capacity` where the least lies in the way: 0, above or
/// right below another buffer, or at the top.
int64_t Repairer::cheapest(unsigned buffer, int64_t capacity, uint64_t &work) {
  int64_t size = buffers[buffer].size, alignment = buffers[buffer].alignment,
          highest = (capacity - size) / alignment * alignment, best = 0;
  work += begins.offset.size() + ends.offset.size();
  together(begins, buffer, from);
  together(ends, buffer, to);
  // A buffer is in the way of the offsets from `size - 1` below its begin to
  // its end.
  size_t f = 0, t = 0;
  auto nextFrom = [&] {
    return f == from.size() ? highest + 1 : begins.offset[from[f]] - size + 1;
  };
  auto nextTo = [&] {
    return t == to.size() ? highest + 1 : ends.offset[to[t]];
  };
  double cost = 0;
  for (; f != from.size() && nextFrom() <= 0; ++f)
    cost += price[begins.buffer[from[f]]];
  double least = f == 0 ? 0 : cost;
  // Of sums of prices that were added and taken away again none is exact but
  // that of nothing.
  auto consider = [&](int64_t offset, double at, bool isFree) {
    if (isFree || at < least * (1 - 1e-9)) {
      least = isFree ? 0 : at;
      best = offset;
    }
  };
  while (least > 0) {
    int64_t offset = std::min(nextFrom(), nextTo());
    if (offset > highest) {
      consider(highest, cost, f == t);
      break;
    }
    double before = cost;
    bool wasFree = f == t, doesEnd = false, doesBegin = false;
    for (; nextTo() == offset && t != to.size(); ++t, doesEnd = true)
      cost -= price[ends.buffer[to[t]]];
    for (; nextFrom() == offset && f != from.size(); ++f, doesBegin = true)
      cost += price[begins.buffer[from[f]]];
    if (doesBegin && alignment == 1)
      consider(offset - 1, before, wasFree);
    int64_t up = alignUp(offset, alignment);
    if (doesEnd && up <= highest && up < nextFrom() && up < nextTo())
      consider(up, cost, f == t);
  }
  return best;
}

bool Repairer::reach(Placement &start, int64_t capacity, uint64_t workLimit,
                     uint64_t &work) {
  offsets = start.offsets;
  auto isLess = [&](unsigned x, unsigned y) {
    return std::pair(worth[x], x) < std::pair(worth[y], y);
  };
  // The last one is put back first.
  std::vector<unsigned> pool, away, kept;
  for (unsigned i = 0; i != buffers.size(); ++i)
    (endOf(i) > capacity ? pool : kept).push_back(i);
  placeAll(std::move(kept));
  std::sort(pool.begin(), pool.end(), isLess);
  while (!pool.empty()) {
    if (work > workLimit)
      return false;
    unsigned i = pool.back();
    pool.pop_back();
    offsets[i] = cheapest(i, capacity, work);
    away.clear();
    for (unsigned k : from) {
      unsigned other = begins.buffer[k];
      if (offsets[other] >= endOf(i))
        break;
      if (offsets[i] < endOf(other))
        away.push_back(other);
    }
    for (unsigned other : away)
      takeAway(other);
    place(i);
    // What lies behind is moved, in four arrays.
    work += (1 + away.size()) * begins.offset.size();
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

double areaOf(const Buffer &buffer) {
  return double(buffer.size) * double(buffer.upper - buffer.lower);
}

/// Lowers what `start` places until it ends at `enough`, or `workLimit`.
void lower(std::span<const Buffer> buffers, Placement &best, int64_t enough,
           uint64_t workLimit, uint64_t &work) {
  int64_t least = std::max(makeSections(buffers).mostLive(), enough);
  Repairer repairer(buffers);
  // In small steps, and after a miss in smaller ones.
  constexpr int mostMisses = 6;
  for (int misses = 0;
       misses != mostMisses && best.bytes > least && work < workLimit;) {
    int64_t step =
        std::max((best.bytes - least) / (int64_t(16) << misses), least / 4096);
    uint64_t share = work + (workLimit - work) / 4;
    misses =
        repairer.reach(best, std::max(best.bytes - step, least), share, work)
            ? 0
            : misses + 1;
  }
}

} // namespace

Placement tarn::packing::repair(std::span<const Buffer> buffers,
                                Placement start, int64_t enough,
                                uint64_t workLimit) {
  bool isFixed = std::any_of(buffers.begin(), buffers.end(),
                             [](const Buffer &b) { return b.fixed >= 0; });
  if (isFixed)
    return start;
  int64_t live = makeSections(buffers).mostLive();
  uint64_t work = 0;
  std::vector<unsigned> byArea = ordered(buffers, areaOf);
  Placement all = start;
  // The large ones first; the rest of the work is for those that fill what is
  // left. What is smaller still finds room anywhere.
  for (auto [share, until] :
       {std::pair<int64_t, uint64_t>(1024, workLimit / 4 * 3),
        {65536, workLimit}}) {
    std::vector<unsigned> chosen;
    std::vector<Buffer> large;
    Placement best;
    for (unsigned i = 0; i != buffers.size(); ++i) {
      if (buffers[i].size < live / share)
        continue;
      chosen.push_back(i);
      large.push_back(buffers[i]);
      best.offsets.push_back(all.offsets[i]);
      best.bytes = std::max(best.bytes, all.offsets[i] + buffers[i].size);
    }
    lower(large, best, enough, until, work);
    std::vector<Buffer> placed(buffers.begin(), buffers.end());
    for (size_t k = 0; k != chosen.size(); ++k)
      placed[chosen[k]].fixed = best.offsets[k];
    all = placeInOrder(placed, byArea, work);
    if (all.bytes < start.bytes)
      start = all;
  }
  return start;
}
