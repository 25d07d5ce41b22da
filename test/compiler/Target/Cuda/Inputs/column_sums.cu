#include "tarn_device.h"

// Sums of the columns of X (256 x 128, f32), 32 columns a block: four columns a
// thread at once, eight rows of threads; partial sums meet in shared memory in a
// fixed order, and lanes hand over what they found by way of it.
SIMT_KERNEL(64)
column_sums(const float *__restrict__ x, float *sums) {
  SHARED_ARENA(arena);
  float *partial = (float *)arena;        // 8 x 32
  float *total = (float *)(arena + 1024); // 32
  const int column = threadIdx.x % 8 * 4;
  const int row = threadIdx.x / 8;
  const int first = (int)blockIdx.x * 32;
  float sum[4] = {0.f, 0.f, 0.f, 0.f};
  for (int r = row; r < 256; r += 8) {
    float four[4];
    load_vector(four, x + r * 128 + first + column);
    for (int i = 0; i < 4; ++i)
      sum[i] += four[i];
  }
  for (int i = 0; i < 4; ++i)
    partial[row * 32 + column + i] = sum[i];
  __syncthreads();
  if (threadIdx.x < 32) {
    float all = 0.f;
    for (int r = 0; r < 8; ++r)
      all += partial[r * 32 + threadIdx.x];
    total[threadIdx.x] = all;
    __syncwarp();
    sums[first + 31 - threadIdx.x] = total[31 - threadIdx.x];
  }
}
