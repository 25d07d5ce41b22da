//===- Problem.h - buffers with lifetimes that want offsets -----*- C++ -*-===//
//
// One memory space is one problem. Times, sizes and offsets are plain numbers;
// a problem's sizes, fixed offsets and alignments together stay below 2^62, so
// that no sum overflows (`fitsArithmetic` asks).
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_PLAN_PACKING_PROBLEM_H
#define PASSES_PLAN_PACKING_PROBLEM_H

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace tarn::packing {

/// A buffer that lives in the half-open interval [lower, upper).
struct Buffer {
  int64_t lower = 0, upper = 0;
  /// At least 1.
  int64_t size = 0;
  /// Its offset is a multiple of this.
  int64_t alignment = 1;
  /// Where it must lie; negative = anywhere.
  int64_t fixed = -1;
};

/// The lowest multiple of `alignment` that is not below `offset`.
inline int64_t alignUp(int64_t offset, int64_t alignment) {
  return alignment == 1 ? offset
                        : (offset + alignment - 1) / alignment * alignment;
}

/// The numbers of buffers in the order of a key, the largest first; of equals
/// the first.
template <typename Key>
std::vector<unsigned> ordered(std::span<const Buffer> buffers, Key key) {
  std::vector<unsigned> order(buffers.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](unsigned x, unsigned y) {
    auto left = key(buffers[x]), right = key(buffers[y]);
    return left != right ? left > right : x < y;
  });
  return order;
}

/// True if no sum that packing forms can pass 2^62.
bool fitsArithmetic(std::span<const Buffer> buffers);

/// The times at which the set of living buffers is largest: those whose set is
/// inside that of a neighbour are left out. Two buffers live together exactly
/// if they share a section.
struct Sections {
  unsigned count = 0;
  /// For each buffer its first and its last section.
  std::vector<unsigned> first, last;
  /// For each section the bytes that live there.
  std::vector<int64_t> total;
  /// The bytes of the fullest section: max-live.
  int64_t mostLive() const;
};
Sections makeSections(std::span<const Buffer> buffers);

/// What no arena can be smaller than, and the buffers that say so.
struct Bound {
  int64_t bytes = 0;
  /// The buffers of the fullest section, or the one fixed buffer that ends
  /// there.
  std::vector<unsigned> buffers;
};
Bound lowerBound(std::span<const Buffer> buffers);

/// Groups of buffers that never live together with one of another group, in
/// order of time.
std::vector<std::vector<unsigned>> partition(std::span<const Buffer> buffers);

/// A number, at least 1, in which all offsets of a packing without needless
/// gaps may be counted: it divides every size and fixed offset, and each
/// alignment divides it or is a multiple of it.
int64_t granularity(std::span<const Buffer> buffers);

} // namespace tarn::packing

#endif // PASSES_PLAN_PACKING_PROBLEM_H
