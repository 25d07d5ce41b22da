//===- Mesh.h - ranks as a grid, and what ZeRO shards -----------*- C++ -*-===//

#ifndef COMPILER_SIZING_MESH_H
#define COMPILER_SIZING_MESH_H

#include "runtime/Status.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace tarn {

/// Ranks by axis. The ranks of `ep` are some of `dp`'s, as in Megatron-LM and
/// DeepSeek-V3: each holds other tokens, and a share of the experts.
struct Mesh {
  int64_t dp = 1, tp = 1, ep = 1, pp = 1;
  int64_t ranks() const { return dp * tp * pp; }
  /// `dp=64 tp=8`: the axes that are larger than 1, or `1 rank`.
  std::string describe() const;
};

/// Reads `dp=64,tp=8,ep=64,pp=8`. Fails on unknown axes, axes given twice,
/// numbers that are not positive, more ranks than 63 bits count, and an ep that
/// does not divide dp.
rt::Result<Mesh> parseMesh(std::string_view text);

} // namespace tarn

#endif // COMPILER_SIZING_MESH_H
