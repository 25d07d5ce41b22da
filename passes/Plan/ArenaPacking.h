//===- ArenaPacking.h - offsets for values with lifetimes -------*- C++ -*-===//

#ifndef PASSES_PLAN_ARENAPACKING_H
#define PASSES_PLAN_ARENAPACKING_H

#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace tarn {

/// A value that owns `bytes` from step `first` to step `last`, both included.
struct PackedValue {
  int64_t bytes = 0;
  int64_t first = 0, last = 0;
  /// Chosen by packArena; a multiple of 64 and of `alignment`.
  int64_t offset = 0;
  int64_t alignment = 1;
};

/// The bytes that live at the fullest step (each value rounded up to 64): no
/// packing needs less.
int64_t maxLive(llvm::ArrayRef<PackedValue> values);

/// How long packing may take: `rough` is what many plans can be compared with;
/// `full` repairs what ends more than 0.1 % above what lives, and ends no
/// higher.
enum class PackingEffort { rough, full };

/// Gives each value an offset such that values that live together are apart.
/// Returns the bytes of the arena. Deterministic; tries several orders of
/// placing and stops at the first that reaches maxLive, else searches on within
/// a limit that depends on the number of values alone.
int64_t packArena(llvm::MutableArrayRef<PackedValue> values,
                  PackingEffort effort = PackingEffort::full);

/// Whether packArena reaches so many bytes. Asks less where the answer is
/// plain: more than that lives, or an early order fits.
bool fitsArena(llvm::ArrayRef<PackedValue> values, int64_t bytes,
               PackingEffort effort = PackingEffort::full);

} // namespace tarn

#endif // PASSES_PLAN_ARENAPACKING_H
