//===- Buffer.h - Aligned memory -------------------------------*- C++ -*-===//
#ifndef TARN_RUNTIME_BUFFER_H
#define TARN_RUNTIME_BUFFER_H

#include "runtime/Ledger.h"
#include "runtime/Status.h"

#include <cstddef>
#include <cstdint>
#include <utility>

namespace tarn::rt {

/// One allocation, zeroed, at a multiple of 64 bytes; large ones at a multiple
/// of 2 MiB and backed by huge pages where the kernel grants them. Not being
/// able to get the memory is an error value.
class Buffer {
public:
  Buffer() = default;
  Buffer(Buffer &&other) noexcept { swap(other); }
  Buffer &operator=(Buffer &&other) noexcept {
    Buffer moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~Buffer();

  /// Allocates `size` bytes for `what` (named in the error). They are counted
  /// in `account`, which outlives the buffer, for as long as it holds them.
  static Result<Buffer> allocate(uint64_t size, const char *what,
                                 Account *account = nullptr);
  uint8_t *data() const { return begin; }
  /// Exactly the bytes that were asked for.
  uint64_t size() const { return bytes; }
  /// Makes the bytes read-only; a write is a fault from here on.
  void protect();

private:
  void swap(Buffer &other) {
    std::swap(begin, other.begin);
    std::swap(bytes, other.bytes);
    std::swap(mapped, other.mapped);
    std::swap(account, other.account);
  }

  uint8_t *begin = nullptr;
  uint64_t bytes = 0;
  uint64_t mapped = 0;
  Account *account = nullptr;
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_BUFFER_H
