//===- Hash.h - SHA-256 ----------------------------------------*- C++ -*-===//
//
// One strong hash for artifacts, checkpoints and weights; its values can be
// checked with `sha256sum`. Uses the processor's SHA instructions if present.
//
//===----------------------------------------------------------------------===//
#ifndef TARN_RUNTIME_HASH_H
#define TARN_RUNTIME_HASH_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace tarn::rt {

using Digest = std::array<uint8_t, 32>;

/// SHA-256 over bytes that come in pieces.
class Sha256 {
public:
  /// `portable` forces the plain C++ code (for tests).
  explicit Sha256(bool portable = false);
  /// Adds bytes.
  void update(const void *data, size_t size);
  /// Ends the message; call once.
  Digest finish();

private:
  void compress(const uint8_t *blocks, size_t count);

  uint32_t state[8];
  uint8_t pending[64];
  size_t pendingSize = 0;
  uint64_t total = 0;
  bool useInstructions;
};

/// The digest of one piece of memory.
Digest sha256(const void *data, size_t size);

/// 64 lower-case hexadecimal digits.
std::string toHex(const Digest &digest);

} // namespace tarn::rt

#endif // TARN_RUNTIME_HASH_H
