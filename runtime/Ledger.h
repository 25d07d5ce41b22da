//===- Ledger.h - Bytes that a session holds -------------------*- C++ -*-===//
//
// Counted where memory is mapped and unmapped, and not where it is wanted: so
// what is compared with the plan is what was asked of the system.
//
//===----------------------------------------------------------------------===//
#ifndef TARN_RUNTIME_LEDGER_H
#define TARN_RUNTIME_LEDGER_H

#include <atomic>
#include <cstdint>

namespace tarn::rt {

/// The bytes of one purpose: what buffers on it hold now, and in how many
/// allocations.
struct Account {
  std::atomic<uint64_t> bytes{0};
  std::atomic<uint64_t> allocations{0};

  void add(uint64_t size) {
    bytes += size;
    ++allocations;
  }
  void remove(uint64_t size) {
    bytes -= size;
    --allocations;
  }
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_LEDGER_H
