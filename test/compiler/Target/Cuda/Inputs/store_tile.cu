#include "tarn_device.h"

// Y = X + X for tiles of 64 x 64 bf16: TMA brings a tile, threads change it in
// place, TMA takes it away. Two tiles a block, one after the other in the same
// place.
SIMT_KERNEL(128)
store_tile(TENSOR_MAP x_map, TENSOR_MAP y_map) {
  SHARED_ARENA(arena);
  u64 *full = (u64 *)(arena + 8192);
  if (threadIdx.x == 0) {
    mbarrier_init(full, 1);
    mbarrier_init_fence();
  }
  __syncthreads();
  for (int turn = 0; turn < 2; ++turn) {
    const int row = ((int)blockIdx.x * 2 + turn) * 64;
    if (threadIdx.x == 0) {
      mbarrier_expect(full, 8192);
      tma_load_2d(arena, &x_map, full, 0, row);
    }
    mbarrier_wait(full, turn & 1);
    for (int i = threadIdx.x; i < 4096; i += 128) {
      bf16 *element = (bf16 *)arena + i;
      *element = to_bf16(to_float(*element) + to_float(*element));
    }
    proxy_fence();
    __syncthreads();
    if (threadIdx.x == 0) {
      tma_store_2d(&y_map, arena, 0, row);
      tma_store_commit();
      tma_store_wait<0>();
    }
    __syncthreads();
  }
}
