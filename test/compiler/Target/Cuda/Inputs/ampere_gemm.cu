#include "tarn_device.h"

// C (64 x 64, f32) = A (64 x 160, bf16) B (160 x 64, bf16), a block of four
// warps with 16 rows each: a ring of three stages that cp.async fills, ldmatrix,
// mma.sync. Rows in shared memory are 16 bytes longer than they must be.
#define STAGES 3
#define TURNS 5
#define A_ROW 80
#define B_ROW 144
#define A_STAGE (64 * A_ROW)
#define B_STAGE (32 * B_ROW)

DEVICE void load_stage(u8 *arena, const bf16 *a, const bf16 *b, int turn) {
  u8 *a_tile = arena + turn % STAGES * A_STAGE;
  u8 *b_tile = arena + STAGES * A_STAGE + turn % STAGES * B_STAGE;
  for (int i = threadIdx.x; i < 256; i += 128) {
    copy_async(a_tile + i / 4 * A_ROW + i % 4 * 16, a + i / 4 * 160 + turn * 32 + i % 4 * 8, true);
    copy_async(b_tile + i / 8 * B_ROW + i % 8 * 16, b + (turn * 32 + i / 8) * 64 + i % 8 * 8, true);
  }
}

SIMT_KERNEL(128)
ampere_gemm(const bf16 *__restrict__ a, const bf16 *__restrict__ b, float *c) {
  SHARED_ARENA(arena);
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  float acc[8][4];
  for (int n = 0; n < 8; ++n)
    for (int i = 0; i < 4; ++i)
      acc[n][i] = 0.f;
  for (int turn = 0; turn < STAGES - 1; ++turn) {
    load_stage(arena, a, b, turn);
    copy_async_commit();
  }
  for (int turn = 0; turn < TURNS; ++turn) {
    copy_async_wait<STAGES - 2>();
    __syncthreads();
    if (turn + STAGES - 1 < TURNS)
      load_stage(arena, a, b, turn + STAGES - 1);
    copy_async_commit();
    const u8 *a_tile = arena + turn % STAGES * A_STAGE;
    const u8 *b_tile = arena + STAGES * A_STAGE + turn % STAGES * B_STAGE;
    for (int k = 0; k < 32; k += 16) {
      u32 fa[4];
      ldmatrix_x4(fa, a_tile + (warp * 16 + lane % 16) * A_ROW + (k + lane / 16 * 8) * 2);
      for (int n = 0; n < 8; n += 2) {
        u32 fb[4];
        ldmatrix_x4_transposed(fb, b_tile + (k + lane % 16) * B_ROW + (n * 8 + lane / 16 * 8) * 2);
        mma_m16n8k16_bf16(acc[n], acc[n] + 2, fa, fb[0], fb[1]);
        mma_m16n8k16_bf16(acc[n + 1], acc[n + 1] + 2, fa, fb[2], fb[3]);
      }
    }
  }
  copy_async_wait<0>();
  for (int n = 0; n < 8; ++n) {
    float *at = c + (warp * 16 + lane / 4) * 64 + n * 8 + lane % 4 * 2;
    store_pair(at, acc[n][0], acc[n][1]);
    store_pair(at + 8 * 64, acc[n][2], acc[n][3]);
  }
}
