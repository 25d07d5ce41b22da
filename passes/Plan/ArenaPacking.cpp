//===- ArenaPacking.cpp - offsets for values with lifetimes ---------------===//
//
// The values of a plan as a packing problem in cache lines. What a plan may
// spend on it is bounded by the number of values alone, so that plans take
// milliseconds and are the same on every machine.
//
//===----------------------------------------------------------------------===//

#include "passes/Plan/ArenaPacking.h"
#include "passes/Plan/Packing/Pack.h"

#include "llvm/Support/MathExtras.h"

using namespace tarn;

/// Sizes rounded up to 64 make all offsets multiples of 64. Times count fullest
/// moments instead of steps, so that the packing follows from who lives
/// together, however the steps are numbered.
static std::vector<packing::Buffer>
makeBuffers(llvm::ArrayRef<PackedValue> values) {
  std::vector<packing::Buffer> buffers;
  buffers.reserve(values.size());
  for (const PackedValue &value : values) {
    packing::Buffer &buffer = buffers.emplace_back();
    buffer.lower = value.first;
    buffer.upper = value.last + 1;
    buffer.size = llvm::alignTo(std::max<int64_t>(value.bytes, 1), 64);
    buffer.alignment = value.alignment;
  }
  packing::Sections sections = packing::makeSections(buffers);
  for (size_t i = 0; i != buffers.size(); ++i) {
    buffers[i].lower = sections.first[i];
    buffers[i].upper = int64_t(sections.last[i]) + 1;
  }
  return buffers;
}

int64_t tarn::maxLive(llvm::ArrayRef<PackedValue> values) {
  return packing::lowerBound(makeBuffers(values)).bytes;
}

/// Stops at the first that is at most `enough` bytes.
static packing::Packing pack(llvm::ArrayRef<packing::Buffer> buffers,
                             PackingEffort effort, int64_t enough) {
  size_t values = buffers.size();
  packing::Limits limits;
  limits.pairs = 4'000'000 + 4'000 * values;
  limits.slack = 1.0 / 16384;
  limits.enough = enough;
  // A node costs about as much as there are values.
  uint64_t few = 400'000 / (values + 1);
  // Of so many the greedy orders are near the bound, and a search is not cheap.
  constexpr size_t many = 600;
  limits.nodes = values <= packing::mostSearched ? few : 0;
  limits.nodesFar = values <= many ? few : 10 * limits.nodes;
  packing::Packing packed = packing::packSmallest(buffers, limits);
  auto isFar = [&](double ratio) {
    return packed.bytes > enough &&
           double(packed.bytes) > ratio * double(packed.bound);
  };
  if (values <= many && isFar(1.01)) {
    limits.nodesFar = limits.nodes = 10 * few;
    packed = packing::packSmallest(buffers, limits);
  }
  // Repairs take tenths of a second, of however many values.
  if (effort == PackingEffort::full && isFar(1.001))
    packing::repairPacking(
        buffers, packed,
        std::max(enough,
                 packed.bound + int64_t(limits.slack * double(packed.bound))),
        std::min<uint64_t>(40'000 * values, 200'000'000));
  return packed;
}

int64_t tarn::packArena(llvm::MutableArrayRef<PackedValue> values,
                        PackingEffort effort) {
  packing::Packing packed = pack(makeBuffers(values), effort, 0);
  for (size_t i = 0; i != values.size(); ++i)
    values[i].offset = packed.offsets[i];
  return packed.bytes;
}

bool tarn::fitsArena(llvm::ArrayRef<PackedValue> values, int64_t bytes,
                     PackingEffort effort) {
  std::vector<packing::Buffer> buffers = makeBuffers(values);
  return packing::lowerBound(buffers).bytes <= bytes &&
         pack(buffers, effort, bytes).bytes <= bytes;
}
