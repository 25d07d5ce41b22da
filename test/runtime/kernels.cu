// The kernels of the test model for a GPU, in the language of the device
// header: the same sums in the same order as kernels.c, so the same bits. A
// block's threads stand for the elements of a row.
#include "tarn_device.h"

enum { V = 64, B = 4, T = 16, MICRO = 2 };

DEVICE float exponential(float x) {
  if (x < -80)
    return 0;
  float scaled = x * 1.44269504f;
  int k = (int)(scaled < 0 ? scaled - 0.5f : scaled + 0.5f);
  float r = (scaled - (float)k) * 0.693147181f, term = 1, sum = 1;
  for (int i = 1; i < 9; ++i)
    sum += term *= r / (float)i;
  return sum * __uint_as_float((u32)(k + 127) << 23);
}

DEVICE float logarithm(float x) {
  if (!(x > 0))
    return x - x ? x : -1e30f;
  u32 bits = __float_as_uint(x);
  int k = (int)(bits >> 23) - 127;
  float f = __uint_as_float((bits & 0x7fffff) | 0x3f800000);
  float y = (f - 1) / (f + 1), square = y * y, term = y, sum = 0;
  for (int i = 1; i < 20; i += 2, term *= square)
    sum += term / (float)i;
  return 2 * sum + (float)k * 0.693147181f;
}

KERNEL(64) k_init(const u32 *seed, float *table) {
  int i = threadIdx.x, block = blockIdx.x;
  u32 h = seed[0] ^ seed[1] * 2654435761u ^ (u32)(block * V + i);
  h = (h ^ h >> 16) * 0x7feb352du;
  h = (h ^ h >> 15) * 0x846ca68bu;
  h ^= h >> 16;
  table[block * V + i] = ((float)(h >> 8) / 16777216.0f - 0.5f) * 0.2f;
}

KERNEL(64)
k_forward(const float *table, const int *allTokens, const int *allTargets,
          float *losses, float *gradients) {
  SHARED_ARENA(arena);
  float *p = (float *)arena;
  int i = threadIdx.x, block = blockIdx.x;
  const int *tokens = allTokens + block * T, *targets = allTargets + block * T;
  float *gradient = gradients + block * V * V;
  for (int t = 0; t < T; ++t) {
    const float *logits = table + tokens[t] * V;
    float highest = logits[0], sum = 0;
    for (int j = 1; j < V; ++j)
      highest = logits[j] > highest ? logits[j] : highest;
    p[i] = exponential(logits[i] - highest);
    __syncthreads();
    for (int j = 0; j < V; ++j)
      sum += p[j];
    if (i == 0)
      losses[block] += logarithm(sum) + highest - logits[targets[t]];
    gradient[tokens[t] * V + i] += p[i] / sum - (float)(i == targets[t]);
    __syncthreads();
  }
}

KERNEL(64)
k_loss(const float *table, const int *allTokens, const int *allTargets,
       float *losses) {
  int block = blockIdx.x;
  const int *tokens = allTokens + block * T, *targets = allTargets + block * T;
  if (threadIdx.x != 0)
    return;
  float total = 0;
  for (int t = 0; t < T; ++t) {
    const float *logits = table + tokens[t] * V;
    float sum = 0;
    for (int j = 0; j < V; ++j)
      sum += exponential(logits[j]);
    total += logarithm(sum) - logits[targets[t]];
  }
  losses[block] = total;
}

KERNEL(64) k_reduce(const float *gradient, float *means, float *squares) {
  SHARED_ARENA(arena);
  float *mean = (float *)arena;
  int i = threadIdx.x, block = blockIdx.x;
  float sum = 0;
  for (int b = 0; b < B; ++b)
    sum += gradient[(b * V + block) * V + i];
  means[block * V + i] = mean[i] = sum / (float)(B * T * MICRO);
  __syncthreads();
  if (i != 0)
    return;
  float square = 0;
  for (int j = 0; j < V; ++j)
    square += mean[j] * mean[j];
  squares[block] = square;
}

KERNEL(64)
k_finish(const float *losses, const float *squares, float *lossOut,
         float *normOut, u8 *finite, int *steps) {
  if (threadIdx.x != 0)
    return;
  float loss = 0, square = 0;
  for (int b = 0; b < B; ++b)
    loss += losses[b];
  for (int v = 0; v < V; ++v)
    square += squares[v];
  float root = square > 1 ? square : 1;
  for (int i = 0; i < 30; ++i)
    root = 0.5f * (root + square / root);
  *lossOut = loss / (float)(B * T * MICRO);
  *normOut = root;
  *finite = loss - loss == 0 && square - square == 0;
  if (*finite)
    ++*steps;
}

// What it is given comes in a table, as to a kernel that does the work of
// several launches: the elements of a block, and the addresses.
struct UpdateTable {
  i64 row;
  const float *means;
  const u8 *finite;
  float *tables, *momenta;
};
KERNEL(64) k_update(BY_VALUE(UpdateTable) given) {
  i64 at = blockIdx.x * given.row + threadIdx.x;
  if (!*given.finite)
    return;
  given.momenta[at] = 0.9f * given.momenta[at] + given.means[at];
  given.tables[at] -= 2.0f * given.momenta[at];
}

KERNEL(64) k_mean(const float *losses, float *out) {
  if (threadIdx.x != 0)
    return;
  float sum = 0;
  for (int b = 0; b < B; ++b)
    sum += losses[b];
  *out = sum / (float)(B * T);
}

// The row comes through the tensor memory accelerator, in two boxes.
KERNEL(64)
k_next(TENSOR_MAP table, const int *token, int *length, float *logits) {
  SHARED_ARENA(arena);
  u64 *barrier = (u64 *)(arena + 2048);
  int i = threadIdx.x;
  if (i == 0) {
    mbarrier_init(barrier, 1);
    mbarrier_init_fence();
  }
  __syncthreads();
  if (i == 0) {
    mbarrier_expect(barrier, 2 * 128);
    tma_load_2d(arena, &table, barrier, 0, *token);
    tma_load_2d(arena + 1024, &table, barrier, 32, *token);
    ++*length;
  }
  mbarrier_wait(barrier, 0);
  logits[i] = *(const float *)(arena + i / 32 * 1024 + i % 32 * 4);
}

KERNEL(64) k_subnormal(const float *x, float *out) {
  if (threadIdx.x == 0)
    out[blockIdx.x] = *x * 0.5f;
}

KERNEL(64) k_peek(const u32 *from, u32 *out) {
  if (threadIdx.x == 0)
    out[blockIdx.x] = from[blockIdx.x];
}

KERNEL(64) k_stray(const float *from, const int *place, float *out) {
  if (threadIdx.x == 0)
    out[blockIdx.x] = from[*place];
}

KERNEL(64) k_scribble(float *to, const int *place) {
  if (threadIdx.x != 0)
    return;
  to[blockIdx.x] = (float)blockIdx.x;
  to[*place] = 1;
}

KERNEL(64) k_spill(const int *place, float *out) {
  if (threadIdx.x == 0)
    out[blockIdx.x] = (float)(*place >= 0);
}

// Which block takes each of 64 tiles, from 1 on: blocks stay and walk on.
KERNEL(64) k_walk(float *x) {
  for (int tile = blockIdx.x; tile < 64; tile += gridDim.x)
    if (threadIdx.x == 0)
      x[tile] = 1 + (float)blockIdx.x;
}

// More elements than an int counts: the first from block 0, the last from 1.
KERNEL(64) k_far(float *x) {
  if (threadIdx.x == 0)
    x[blockIdx.x * ((u64)1 << 31) + blockIdx.x * 63] = 1 + (float)blockIdx.x;
}
