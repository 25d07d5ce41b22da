//===- Warp.cpp - ldmatrix, mma.sync and cp.async -------------------------===//
//
// Instructions of a warp take what all 32 threads give: values are exchanged
// as by shuffles, so that a thread that does not take part is a deadlock.
//
//===----------------------------------------------------------------------===//

#include "test/gpu/host_model/Block.h"

#include <cstring>

using namespace tarn::gpu;

void host_check_aligned(const void *, u32 bytes, int line) {
  fault("access that is not a multiple of " + std::to_string(bytes) + " bytes",
        line);
}

void host_ldmatrix(u32 *registers, const void *address, bool transposed,
                   int line) {
  host_check_shared(address, 16, line);
  if (block->checker)
    block->checker->access(address, 16, false, __builtin_return_address(0));
  uint32_t lane = fiber->thread.number % 32;
  const uint64_t *rows =
      gatherWarp(reinterpret_cast<uint64_t>(address), ~0u, false, line);
  for (uint32_t matrix = 0; matrix < 4; ++matrix) {
    uint16_t elements[2];
    for (uint32_t half = 0; half < 2; ++half) {
      uint32_t row = transposed ? 2 * (lane % 4) + half : lane / 4;
      uint32_t column = transposed ? lane / 4 : 2 * (lane % 4) + half;
      elements[half] =
          reinterpret_cast<const uint16_t *>(rows[8 * matrix + row])[column];
    }
    memcpy(&registers[matrix], elements, 4);
  }
}

/// Element i of those in a register: a pair, or one of tf32, of which the lower
/// bits are not read.
static float element(uint32_t bits, int i, HostFactor factor) {
  if (factor == host_tf32)
    return __uint_as_float(bits & ~0x1FFFu);
  uint16_t half = bits >> 16 * i;
  if (factor == host_bf16)
    return to_float(bf16{half});
  return to_float(f16{half});
}

void host_mma(float *upper, float *lower, const u32 *a, u32 b0, u32 b1,
              HostFactor factor, int line) {
  uint32_t lane = fiber->thread.number % 32;
  // Two registers of a thread at once: rows g and g + 8 of A, for the first
  // and the second half of the terms; both halves of B.
  uint64_t lowA[32], highA[32];
  auto both = [](u32 x, u32 y) { return x | static_cast<uint64_t>(y) << 32; };
  memcpy(lowA, gatherWarp(both(a[0], a[1]), ~0u, false, line), sizeof lowA);
  memcpy(highA, gatherWarp(both(a[2], a[3]), ~0u, false, line), sizeof highA);
  const uint64_t *allB = gatherWarp(both(b0, b1), ~0u, false, line);
  int each = factor == host_tf32 ? 1 : 2; // elements of a register
  float rows[2][16], columns[2][16];
  // Row g of A lies in the threads 4 g to 4 g + 3, column n of B in 4 n and
  // the following.
  for (uint32_t t = 0; t < 4; ++t)
    for (int half = 0; half < 2; ++half)
      for (int i = 0; i < each; ++i) {
        uint32_t owner = lane / 4 * 4 + t;
        uint32_t holder = 4 * (2 * (lane % 4) + half) + t;
        int low = each * t + i, high = 4 * each + low;
        rows[half][low] = element(lowA[owner] >> 32 * half, i, factor);
        rows[half][high] = element(highA[owner] >> 32 * half, i, factor);
        columns[half][low] = element(allB[holder], i, factor);
        columns[half][high] = element(allB[holder] >> 32, i, factor);
      }
  for (int column = 0; column < 2; ++column) {
    float first = 0, second = 0;
    for (int k = 0; k < 8 * each; ++k) {
      first += rows[0][k] * columns[column][k];
      second += rows[1][k] * columns[column][k];
    }
    upper[column] += first;
    lower[column] += second;
  }
}

//===----------------------------------------------------------------------===//
// cp.async
//===----------------------------------------------------------------------===//

void host_copy_async(void *to, const void *address, bool inside, int line) {
  host_check_shared(to, 16, line);
  if (inside && reinterpret_cast<uintptr_t>(address) % 16 != 0)
    fault("cp.async from an address that is not a multiple of 16", line);
  Flight flight;
  if (block->checker)
    flight = block->checker->begin(fiber->clock);
  fiber->copies.start(block->schedule->copies, flight, [=] {
    if (block->checker) {
      if (inside)
        block->checker->accessAsync(flight, address, 16, false, true, line);
      block->checker->accessAsync(flight, to, 16, true, true, line);
    }
    if (inside)
      memcpy(to, address, 16);
    else
      memset(to, 0, 16);
  });
}

void host_copy_async_commit() { fiber->copies.commit(); }

void host_copy_async_wait(int pending) { fiber->copies.wait(pending); }

void CopyGroups::start(Completion when, Flight flight,
                       std::function<void()> run) {
  if (block->completesNow(when)) {
    run();
    run = nullptr;
  }
  copies.push_back({open, std::move(flight), std::move(run)});
}

void CopyGroups::wait(int pending) {
  for (Copy &copy : copies) {
    if (copy.group >= open - pending)
      continue;
    if (copy.run)
      copy.run();
    acquireFrom(copy.flight.clock);
  }
  std::erase_if(copies,
                [&](const Copy &copy) { return copy.group < open - pending; });
}
