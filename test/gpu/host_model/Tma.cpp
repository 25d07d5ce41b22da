//===- Tma.cpp - tensor maps and TMA loads --------------------------------===//

#include "test/gpu/host_model/Block.h"

using namespace tarn::gpu;

namespace {

/// What a TensorMap's 128 bytes hold on the host.
struct HostMap {
  const u8 *address;
  u64 sizes[5];
  u64 strides[4];
  u16 box[5];
  u8 rank, elementBytes;
  bool isTf32;
};
static_assert(sizeof(HostMap) <= sizeof(TensorMap));

/// 128-byte swizzling: bits 4 to 6 of an address get bits 7 to 9 added.
u32 swizzle(u32 address) { return address ^ (address >> 7 & 7) << 4; }

/// The elements of the box at `position`, as visit(address in shared memory,
/// place in global memory or null for what lies outside).
template <typename Visit>
void forBox(u8 *shared, u32 to, const HostMap &map, const int *position,
            Visit visit) {
  u32 rowBytes = map.box[0] * map.elementBytes;
  u64 rows = 1;
  for (int d = 1; d < map.rank; ++d)
    rows *= map.box[d];
  for (u64 row = 0; row < rows; ++row) {
    u64 rest = row, offset = 0;
    bool inside = true;
    for (int d = 1; d < map.rank; ++d) {
      int64_t at = position[d] + static_cast<int64_t>(rest % map.box[d]);
      rest /= map.box[d];
      inside &= at >= 0 && at < static_cast<int64_t>(map.sizes[d]);
      offset += at * map.strides[d - 1];
    }
    for (u32 c = 0; c < map.box[0]; ++c) {
      u8 *out = shared + swizzle(to + row * rowBytes + c * map.elementBytes);
      int64_t x = position[0] + static_cast<int64_t>(c);
      bool isThere = inside && x >= 0 && x < static_cast<int64_t>(map.sizes[0]);
      visit(out,
            isThere ? map.address + offset + x * map.elementBytes : nullptr);
    }
  }
}

HostMap mapOf(const TensorMap *map) {
  HostMap host;
  memcpy(&host, map, sizeof host);
  return host;
}

/// What TMA checks of a box in shared memory; its bytes.
u32 checkBox(const void *shared, const HostMap &map, int rank, const char *what,
             int line) {
  if (map.rank != rank)
    fatalFault(std::string(what) + " with the wrong number of coordinates",
               line);
  u32 address = host_shared_address(shared), bytes = map.elementBytes;
  for (int d = 0; d < rank; ++d)
    bytes *= map.box[d];
  if (address % 1024 != 0)
    fault(std::string(what) + " at an address that is not a multiple of 1024",
          line);
  if (static_cast<u64>(address) + bytes > block->view.bytes)
    fatalFault(std::string(what) + " outside of shared memory", line);
  return bytes;
}

} // namespace

std::string tarn::gpu::encodeTensorMap(const void *address,
                                       const TensorMapShape &shape,
                                       TensorMap &map) {
  size_t rank = shape.sizes.size();
  if (rank < 1 || rank > 5)
    return "a tensor map has 1 to 5 dims";
  if (shape.strides.size() + 1 != rank || shape.box.size() != rank)
    return "a tensor map has a box size per dim, and a stride per dim but one";
  if (reinterpret_cast<uintptr_t>(address) % 16)
    return "the address of a tensor map is not 16-byte aligned";
  HostMap host = {};
  host.address = static_cast<const u8 *>(address);
  host.rank = rank;
  host.elementBytes = shape.elementBytes;
  host.isTf32 = shape.isTf32;
  for (size_t d = 0; d < rank; ++d) {
    if (shape.sizes[d] < 1 || shape.sizes[d] > 1ull << 32)
      return "a size of a tensor map is not in 1 to 2^32";
    if (shape.box[d] < 1 || shape.box[d] > 256)
      return "a box size is not in 1 to 256";
    host.sizes[d] = shape.sizes[d];
    host.box[d] = shape.box[d];
    if (d == 0)
      continue;
    if (shape.strides[d - 1] % 16 || shape.strides[d - 1] >= 1ull << 40)
      return "a stride of a tensor map is not a multiple of 16 below 2^40";
    host.strides[d - 1] = shape.strides[d - 1];
  }
  if (shape.box[0] * shape.elementBytes != 128)
    return "with 128-byte swizzling the box has rows of 128 bytes";
  map = {};
  memcpy(&map, &host, sizeof host);
  return "";
}

void host_tma_load(void *to, const TensorMap *map, u64 *barrier, int rank,
                   const int *position, int line) {
  HostMap host = mapOf(map);
  u32 bytes = checkBox(to, host, rank, "TMA load", line);
  MBarrier *m = &mbarrierAt(barrier, line);
  if (!m->isFenced)
    fault("TMA load on an mbarrier whose initialisation is not fenced", line);
  std::vector<int> at(position, position + rank);
  u8 *shared = block->view.shared;
  u32 address = host_shared_address(to);
  Flight flight;
  if (block->checker)
    flight = block->checker->begin(fiber->clock);
  auto land = [=] {
    forBox(shared, address, host, at.data(), [&](u8 *out, const u8 *in) {
      if (in)
        memcpy(out, in, host.elementBytes);
      else
        memset(out, 0, host.elementBytes);
      if (host.isTf32) {
        float x;
        memcpy(&x, out, 4);
        x = round_tf32(x);
        memcpy(out, &x, 4);
      }
      if (!block->checker)
        return;
      if (in)
        block->checker->accessAsync(flight, in, host.elementBytes, false, false,
                                    line);
      block->checker->accessAsync(flight, out, host.elementBytes, true, false,
                                  line);
    });
    if (block->checker)
      m->arriving.join(flight.clock);
    m->bytes -= bytes;
    m->completeIfDone();
  };
  if (block->schedule->tma == Completion::early)
    land();
  else
    block->tma.push_back(land);
}

void host_tma_store(const void *from, const TensorMap *map, int rank,
                    const int *position, int line) {
  HostMap host = mapOf(map);
  checkBox(from, host, rank, "TMA store", line);
  std::vector<int> at(position, position + rank);
  u8 *shared = block->view.shared;
  u32 address = host_shared_address(from);
  Flight flight;
  if (block->checker)
    flight = block->checker->begin(fiber->clock);
  fiber->stores.start(block->schedule->stores, flight, [=] {
    forBox(shared, address, host, at.data(), [&](u8 *in, const u8 *out) {
      if (block->checker)
        block->checker->accessAsync(flight, in, host.elementBytes, false, false,
                                    line);
      if (!out)
        return;
      if (block->checker)
        block->checker->accessAsync(flight, out, host.elementBytes, true, false,
                                    line);
      memcpy(const_cast<u8 *>(out), in, host.elementBytes);
    });
  });
}

void host_tma_store_commit() { fiber->stores.commit(); }

void host_tma_store_wait(int pending) { fiber->stores.wait(pending); }
