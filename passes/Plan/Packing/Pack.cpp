//===- Pack.cpp - packing a problem ---------------------------------------===//
//
// Buffers fall into parts that never live together. A part is placed by greedy
// orders; one that does not fit so is searched. Without a capacity the proven
// bound is tried first, then the middle between what is known to be reached and
// what was not.
//
//===----------------------------------------------------------------------===//

#include "passes/Plan/Packing/Pack.h"
#include "passes/Plan/Packing/Greedy.h"
#include "passes/Plan/Packing/Repair.h"

#include <algorithm>

using namespace tarn::packing;

namespace {

/// Buffers that live apart in time from all others, with their best placement.
struct Part {
  std::vector<unsigned> indices;
  std::vector<Buffer> buffers;
  Placement placement;
  bool valid = true;
};

/// True if no two buffers that live together share a byte. Greedy placements
/// hold this by construction but for the fixed buffers among themselves.
bool fixedApart(std::span<const Buffer> buffers) {
  std::vector<const Buffer *> fixed;
  for (const Buffer &buffer : buffers)
    if (buffer.fixed >= 0)
      fixed.push_back(&buffer);
  std::sort(fixed.begin(), fixed.end(), [](const Buffer *x, const Buffer *y) {
    return x->fixed < y->fixed;
  });
  for (size_t i = 0; i != fixed.size(); ++i)
    for (size_t j = i + 1; j != fixed.size() &&
                           fixed[j]->fixed < fixed[i]->fixed + fixed[i]->size;
         ++j)
      if (fixed[i]->lower < fixed[j]->upper &&
          fixed[j]->lower < fixed[i]->upper)
        return false;
  return true;
}

std::vector<Part> makeParts(std::span<const Buffer> buffers) {
  std::vector<Part> parts;
  for (std::vector<unsigned> &indices : partition(buffers)) {
    Part &part = parts.emplace_back();
    for (unsigned index : indices)
      part.buffers.push_back(buffers[index]);
    part.indices = std::move(indices);
  }
  return parts;
}

void collect(const std::vector<Part> &parts, Packing &packing) {
  packing.bytes = 0;
  for (const Part &part : parts) {
    packing.bytes = std::max(packing.bytes, part.placement.bytes);
    for (size_t k = 0; k != part.indices.size(); ++k)
      packing.offsets[part.indices[k]] = part.placement.offsets[k];
  }
}

/// Searches every part that ends above `capacity`; `nodes` counts up to
/// `nodeLimit`. A node places one buffer: a part with more buffers than nodes
/// left cannot be packed by them, and is not begun.
Outcome searchParts(std::vector<Part> &parts, int64_t capacity,
                    uint64_t nodeLimit, uint64_t &nodes) {
  Outcome all = Outcome::packed;
  for (Part &part : parts) {
    if (part.placement.bytes <= capacity)
      continue;
    Effort effort;
    effort.nodeLimit = nodeLimit > nodes ? nodeLimit - nodes : 0;
    std::vector<int64_t> offsets;
    Outcome outcome = part.buffers.size() > mostSearched ||
                              part.buffers.size() > effort.nodeLimit
                          ? Outcome::unknown
                          : search(part.buffers, capacity, effort, offsets);
    nodes += effort.nodes;
    if (outcome == Outcome::impossible)
      return outcome;
    if (outcome == Outcome::unknown) {
      all = outcome; // another part may still prove that it can't
      continue;
    }
    part.placement.bytes = 0;
    for (size_t k = 0; k != offsets.size(); ++k)
      part.placement.bytes =
          std::max(part.placement.bytes, offsets[k] + part.buffers[k].size);
    part.placement.offsets = std::move(offsets);
  }
  return all;
}

/// The start of both ways: bounds, parts, greedy placements that stop at
/// `enough` (or at the bound, if that is more).
std::vector<Part> start(std::span<const Buffer> buffers, int64_t enough,
                        const Limits &limits, Packing &packing) {
  packing.offsets.assign(buffers.size(), 0);
  packing.bound = lowerBound(buffers).bytes;
  std::vector<Part> parts = makeParts(buffers);
  for (Part &part : parts) {
    part.placement =
        packGreedy(part.buffers, std::max(enough, packing.bound), limits.pairs);
    packing.greedyBytes = std::max(packing.greedyBytes, part.placement.bytes);
  }
  return parts;
}

} // namespace

Packing tarn::packing::packInto(std::span<const Buffer> buffers,
                                int64_t capacity, const Limits &limits) {
  Packing packing;
  packing.bound = lowerBound(buffers).bytes;
  if (packing.bound > capacity || !fixedApart(buffers)) {
    packing.outcome = Outcome::impossible;
    return packing;
  }
  std::vector<Part> parts = start(buffers, capacity, limits, packing);
  packing.outcome = searchParts(parts, capacity, limits.nodes, packing.nodes);
  if (packing.outcome == Outcome::impossible)
    packing.bound = std::max(packing.bound, capacity + 1);
  if (packing.outcome == Outcome::packed)
    collect(parts, packing);
  return packing;
}

Packing tarn::packing::packSmallest(std::span<const Buffer> buffers,
                                    const Limits &limits) {
  Packing packing;
  if (!fixedApart(buffers)) {
    packing.bound = lowerBound(buffers).bytes;
    packing.outcome = Outcome::impossible;
    return packing;
  }
  int64_t bound = lowerBound(buffers).bytes,
          enough = std::max(limits.enough,
                            bound + int64_t(limits.slack * double(bound)));
  std::vector<Part> parts = start(buffers, enough, limits, packing);
  packing.outcome = Outcome::packed;
  collect(parts, packing);
  if (packing.bytes <= enough)
    return packing;
  bool isFar = double(packing.bytes) > 1.01 * double(packing.bound);
  uint64_t most = isFar && limits.nodesFar ? limits.nodesFar : limits.nodes;
  // Capacities count in units; below `missed` nothing was found.
  int64_t unit = granularity(buffers);
  int64_t missed = packing.bound - 1, next = packing.bound;
  while (packing.bytes > next && packing.nodes < most) {
    // A quarter of what is left each time: the last steps matter as well.
    uint64_t share = std::max<uint64_t>((most - packing.nodes) / 4, 64);
    Outcome outcome = searchParts(
        parts, next, std::min(most, packing.nodes + share), packing.nodes);
    if (outcome == Outcome::packed)
      collect(parts, packing);
    else
      missed = next;
    if (outcome == Outcome::impossible && packing.bound <= next)
      packing.bound = (next / unit + 1) * unit;
    next = missed + (packing.bytes - missed) / 2;
    next = std::max(next / unit * unit, packing.bound);
    if (next <= missed)
      next = (missed / unit + 1) * unit;
  }
  return packing;
}

void tarn::packing::repairPacking(std::span<const Buffer> buffers,
                                  Packing &packing, int64_t enough,
                                  uint64_t workLimit) {
  std::vector<Part> parts = makeParts(buffers);
  enough = std::max(enough, packing.bound);
  for (Part &part : parts) {
    Placement &placement = part.placement;
    for (size_t k = 0; k != part.indices.size(); ++k) {
      placement.offsets.push_back(packing.offsets[part.indices[k]]);
      placement.bytes = std::max(placement.bytes,
                                 placement.offsets[k] + part.buffers[k].size);
    }
    if (placement.bytes > enough)
      placement = repair(part.buffers, std::move(placement), enough, workLimit);
  }
  collect(parts, packing);
}
