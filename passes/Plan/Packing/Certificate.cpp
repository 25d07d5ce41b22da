//===- Certificate.cpp - why buffers do not fit ---------------------------===//

#include "passes/Plan/Packing/Certificate.h"
#include "passes/Plan/Packing/Search.h"

#include <algorithm>

using namespace tarn::packing;

namespace {

std::vector<Buffer> select(std::span<const Buffer> buffers,
                           const std::vector<unsigned> &indices) {
  std::vector<Buffer> selected;
  for (unsigned index : indices)
    selected.push_back(buffers[index]);
  return selected;
}

/// True if two fixed buffers are in each other's way.
bool collide(const Buffer &x, const Buffer &y) {
  return x.fixed >= 0 && y.fixed >= 0 && x.lower < y.upper &&
         y.lower < x.upper && x.fixed < y.fixed + y.size &&
         y.fixed < x.fixed + x.size;
}

/// Reasons that need no search: a buffer that does not fit alone, two that
/// collide, a moment at which too much lives.
Conflict findPlainConflict(std::span<const Buffer> buffers, int64_t capacity) {
  Conflict conflict;
  conflict.irreducible = true;
  std::vector<unsigned> fixed;
  for (unsigned i = 0; i != buffers.size(); ++i) {
    if (std::max<int64_t>(buffers[i].fixed, 0) + buffers[i].size > capacity) {
      conflict.buffers = {i};
      return conflict;
    }
    if (buffers[i].fixed >= 0)
      fixed.push_back(i);
  }
  std::sort(fixed.begin(), fixed.end(), [&](unsigned x, unsigned y) {
    return std::pair(buffers[x].fixed, x) < std::pair(buffers[y].fixed, y);
  });
  for (size_t i = 0; i != fixed.size(); ++i)
    for (size_t j = i + 1; j != fixed.size(); ++j) {
      const Buffer &x = buffers[fixed[i]], &y = buffers[fixed[j]];
      if (y.fixed >= x.fixed + x.size)
        break;
      if (!collide(x, y))
        continue;
      conflict.buffers = {std::min(fixed[i], fixed[j]),
                          std::max(fixed[i], fixed[j])};
      return conflict;
    }
  Bound bound = lowerBound(buffers);
  if (bound.bytes <= capacity)
    return {};
  // The largest of the fullest section until they are too much; then none can
  // go, as even the smallest of them was needed to get above the capacity.
  std::sort(bound.buffers.begin(), bound.buffers.end(),
            [&](unsigned x, unsigned y) {
              return buffers[x].size != buffers[y].size
                         ? buffers[x].size > buffers[y].size
                         : x < y;
            });
  int64_t sum = 0;
  for (unsigned index : bound.buffers) {
    conflict.buffers.push_back(index);
    // Without the sum, gaps before aligned or fixed buffers may still be too
    // much: the caller goes on deleting.
    if (buffers[index].alignment > 1 || buffers[index].fixed >= 0)
      conflict.irreducible = false;
    if ((sum += buffers[index].size) > capacity)
      break;
  }
  std::sort(conflict.buffers.begin(), conflict.buffers.end());
  return conflict;
}

} // namespace

Conflict tarn::packing::findConflict(std::span<const Buffer> buffers,
                                     int64_t capacity, uint64_t nodeLimit) {
  Conflict conflict = findPlainConflict(buffers, capacity);
  if (conflict.irreducible && !conflict.buffers.empty())
    return conflict;
  uint64_t spent = 0;
  auto isImpossible = [&](const std::vector<unsigned> &indices,
                          uint64_t limit) {
    // Without some buffers the rest may fall into parts.
    std::vector<Buffer> chosen = select(buffers, indices);
    Outcome all = Outcome::packed;
    for (const std::vector<unsigned> &part : partition(chosen)) {
      Effort effort;
      effort.nodeLimit = limit;
      std::vector<int64_t> offsets;
      Outcome outcome = search(select(chosen, part), capacity, effort, offsets);
      spent += effort.nodes;
      if (outcome == Outcome::impossible)
        return outcome;
      if (outcome == Outcome::unknown)
        all = outcome;
    }
    return all;
  };
  // Start from the part that is to blame.
  std::vector<unsigned> kept = std::move(conflict.buffers);
  for (std::vector<unsigned> &part : partition(buffers))
    if (kept.empty() && part.size() <= mostSearched &&
        isImpossible(part, nodeLimit / 4) == Outcome::impossible)
      kept = std::move(part);
  if (kept.empty())
    return {};
  std::sort(kept.begin(), kept.end());
  conflict.irreducible = true;
  // Whole stretches first, then single buffers. What could not go while more
  // was there can't go later: fewer buffers only fit better.
  for (size_t stretch = kept.size() / 2; stretch; stretch /= 2) {
    for (size_t at = 0; at < kept.size();) {
      size_t length = std::min(stretch, kept.size() - at);
      std::vector<unsigned> rest(kept.begin(), kept.begin() + at);
      rest.insert(rest.end(), kept.begin() + at + length, kept.end());
      uint64_t left = nodeLimit > spent ? nodeLimit - spent : 0;
      Outcome outcome =
          rest.empty() ? Outcome::packed : isImpossible(rest, left / 8);
      if (outcome == Outcome::impossible) {
        kept = std::move(rest);
        continue;
      }
      if (stretch == 1 && outcome == Outcome::unknown)
        conflict.irreducible = false;
      at += length;
    }
  }
  conflict.buffers = std::move(kept);
  return conflict;
}
