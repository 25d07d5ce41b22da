//===- Barriers.cpp - barriers, mbarriers, exchanges in a warp ------------===//

#include "test/gpu/host_model/Block.h"

using namespace tarn::gpu;

void MBarrier::completeIfDone() {
  if (pending != 0 || bytes != 0)
    return;
  ++phase;
  pending = count;
  over.join(arriving);
  arriving.clear();
  wake(waiting, &over);
}

MBarrier &tarn::gpu::mbarrierAt(const void *address, int line) {
  auto it = block->mbarriers.find(host_shared_address(address));
  if (it == block->mbarriers.end())
    fatalFault("mbarrier used before its initialisation", line);
  if (fiber && block->checker && !it->second.made.isBefore(fiber->clock))
    fault("race: an mbarrier used by a thread that nothing orders behind its "
          "initialisation",
          line);
  return it->second;
}

u32 host_shared_address(const void *p) {
  return static_cast<u32>(static_cast<const u8 *>(p) - block->view.shared);
}

void host_bar_sync(int number, u32 threads, int line) {
  NamedBarrier &barrier = block->namedBarriers[number];
  if (number < 0 || number > 15)
    fault("named barrier outside 0 to 15", line);
  if (threads % 32 != 0)
    fault("named barrier for a part of a warp", line);
  if (barrier.arrived && barrier.threads != threads)
    fault("named barrier with different counts", line);
  barrier.threads = threads;
  releaseTo(barrier.clock);
  if (++barrier.arrived != threads)
    return blockOn(barrier.waiting, "bar.sync", line);
  barrier.arrived = 0;
  acquireFrom(barrier.clock);
  wake(barrier.waiting, &barrier.clock);
  barrier.clock.clear();
}

const uint64_t *tarn::gpu::gatherWarp(uint64_t value, uint32_t mask,
                                      bool ordersMemory, int line) {
  Warp &warp = block->warps[fiber->thread.number / 32];
  u32 lane = fiber->thread.number % 32;
  u64 generation = warp.generation;
  if (!(mask >> lane & 1))
    fault("exchange in a warp by a lane outside its mask", line);
  warp.values[generation & 1][lane] = value;
  if (ordersMemory)
    releaseTo(warp.clock);
  if (++warp.arrived == static_cast<u32>(__builtin_popcount(mask))) {
    warp.arrived = 0;
    ++warp.generation;
    if (ordersMemory)
      acquireFrom(warp.clock);
    wake(warp.waiting, ordersMemory ? &warp.clock : nullptr);
    warp.clock.clear();
  } else {
    blockOn(warp.waiting, "an exchange in a warp", line);
  }
  return warp.values[generation & 1];
}

u64 host_exchange(u64 value, u32 source, u32 mask, int line) {
  if (source < 32 && !(mask >> source & 1))
    fault("exchange in a warp from a lane outside the mask", line);
  return gatherWarp(value, mask, false, line)[source & 31];
}

void host_syncwarp(u32 mask, int line) { gatherWarp(0, mask, true, line); }

void host_mbarrier_init(u64 *barrier, u32 count, int line) {
  u32 address = host_shared_address(barrier);
  if (address % 8 != 0 || address + 8 > block->view.bytes)
    return fatalFault("mbarrier misaligned or outside shared memory", line);
  if (count == 0)
    fault("mbarrier with a count of 0", line);
  MBarrier &m = block->mbarriers[address];
  m = MBarrier();
  m.count = m.pending = count;
  m.maker = fiber->thread.number;
  if (block->checker)
    m.made = {m.maker, fiber->clock[m.maker]};
}

void host_mbarrier_init_fence() {
  for (auto &[address, m] : block->mbarriers)
    m.isFenced |= m.maker == fiber->thread.number;
}

void host_proxy_fence() { ++fiber->fences; }

void host_mbarrier_arrive(u64 *barrier, int line) {
  MBarrier &m = mbarrierAt(barrier, line);
  if (m.pending == 0)
    return fault("mbarrier: more arrivals than its count", line);
  releaseTo(m.arriving);
  --m.pending;
  m.completeIfDone();
}

void host_mbarrier_expect(u64 *barrier, u32 bytes, int line) {
  MBarrier &m = mbarrierAt(barrier, line);
  m.bytes += bytes;
  if (m.bytes >= 1 << 20)
    fault("mbarrier expects more bytes than it can count", line);
  host_mbarrier_arrive(barrier, line);
}

void host_mbarrier_wait(u64 *barrier, u32 parity, int line) {
  MBarrier &m = mbarrierAt(barrier, line);
  auto [it, first] = m.histories.try_emplace(fiber->thread.number);
  MBarrier::History &history = it->second;
  if (first)
    history.fromFirstPhase = parity == 0;
  uint64_t needed = history.waits++ + history.fromFirstPhase;
  if (((needed + 1) & 1) != parity)
    fault("mbarrier wait with a parity that is not the thread's next phase",
          line);
  while ((m.phase & 1) == parity)
    blockOn(m.waiting, "mbarrier wait", line);
  if (m.phase < needed)
    fault("mbarrier wait passed on an older phase", line);
  acquireFrom(m.over);
}
