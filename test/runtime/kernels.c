/* The kernels of the test model: a bigram language model with SGD and momentum,
   two micro-batches a step. They stand in for what the compiler emits: block
   functions that need nothing from outside. */
#include <stdint.h>

enum { V = 64, B = 4, T = 16, MICRO = 2 };

static float exponential(float x) {
  if (x < -80)
    return 0;
  float scaled = x * 1.44269504f;
  int k = (int)(scaled < 0 ? scaled - 0.5f : scaled + 0.5f);
  float r = (scaled - (float)k) * 0.693147181f, term = 1, sum = 1;
  for (int i = 1; i < 9; ++i)
    sum += term *= r / (float)i;
  union {
    uint32_t bits;
    float value;
  } power = {(uint32_t)(k + 127) << 23};
  return sum * power.value;
}

static float logarithm(float x) {
  union {
    float value;
    uint32_t bits;
  } u = {x};
  if (!(x > 0))
    return x - x ? x : -1e30f;
  int k = (int)(u.bits >> 23) - 127;
  u.bits = (u.bits & 0x7fffff) | 0x3f800000;
  float y = (u.value - 1) / (u.value + 1), square = y * y, term = y, sum = 0;
  for (int i = 1; i < 20; i += 2, term *= square)
    sum += term / (float)i;
  return 2 * sum + (float)k * 0.693147181f;
}

/* seed i32[2], table [V, V]; a block per row */
void k_init(void *const *args, int64_t block, void *scratch) {
  const uint32_t *seed = args[0];
  float *row = (float *)args[1] + block * V;
  (void)scratch;
  for (int i = 0; i < V; ++i) {
    uint32_t h = seed[0] ^ seed[1] * 2654435761u ^ (uint32_t)(block * V + i);
    h = (h ^ h >> 16) * 0x7feb352du;
    h = (h ^ h >> 15) * 0x846ca68bu;
    h ^= h >> 16;
    row[i] = ((float)(h >> 8) / 16777216.0f - 0.5f) * 0.2f;
  }
}

/* table, tokens [B, T], targets [B, T], loss [B] (+=), gradient [B, V, V] (+=);
   a block per row of the batch; scratch V floats */
void k_forward(void *const *args, int64_t block, void *scratch) {
  const float *table = args[0];
  const int32_t *tokens = (const int32_t *)args[1] + block * T;
  const int32_t *targets = (const int32_t *)args[2] + block * T;
  float *loss = (float *)args[3] + block;
  float *gradient = (float *)args[4] + block * V * V;
  float *p = scratch;
  for (int t = 0; t < T; ++t) {
    const float *logits = table + tokens[t] * V;
    float highest = logits[0], sum = 0;
    for (int i = 1; i < V; ++i)
      highest = logits[i] > highest ? logits[i] : highest;
    for (int i = 0; i < V; ++i)
      sum += p[i] = exponential(logits[i] - highest);
    *loss += logarithm(sum) + highest - logits[targets[t]];
    for (int i = 0; i < V; ++i)
      gradient[tokens[t] * V + i] += p[i] / sum - (i == targets[t]);
  }
}

/* The loss alone: table, tokens, targets, loss [B] */
void k_loss(void *const *args, int64_t block, void *scratch) {
  const float *table = args[0];
  const int32_t *tokens = (const int32_t *)args[1] + block * T;
  const int32_t *targets = (const int32_t *)args[2] + block * T;
  float *p = scratch, total = 0;
  for (int t = 0; t < T; ++t) {
    const float *logits = table + tokens[t] * V;
    float sum = 0;
    for (int i = 0; i < V; ++i)
      sum += p[i] = exponential(logits[i]);
    total += logarithm(sum) - logits[targets[t]];
  }
  ((float *)args[3])[block] = total;
}

/* gradient [B, V, V] -> mean [V, V], squares [V]; a block per row of V */
void k_reduce(void *const *args, int64_t block, void *scratch) {
  const float *gradient = args[0];
  float *mean = (float *)args[1] + block * V, square = 0;
  (void)scratch;
  for (int i = 0; i < V; ++i) {
    float sum = 0;
    for (int b = 0; b < B; ++b)
      sum += gradient[(b * V + block) * V + i];
    mean[i] = sum / (float)(B * T * MICRO);
    square += mean[i] * mean[i];
  }
  ((float *)args[2])[block] = square;
}

/* loss [B], squares [V] -> loss, grad_norm, finite, step (i32, += 1) */
void k_finish(void *const *args, int64_t block, void *scratch) {
  const float *losses = args[0], *squares = args[1];
  float loss = 0, square = 0, root;
  (void)block;
  (void)scratch;
  for (int b = 0; b < B; ++b)
    loss += losses[b];
  for (int v = 0; v < V; ++v)
    square += squares[v];
  root = square > 1 ? square : 1;
  for (int i = 0; i < 30; ++i)
    root = 0.5f * (root + square / root);
  *(float *)args[2] = loss / (float)(B * T * MICRO);
  *(float *)args[3] = root;
  *(uint8_t *)args[4] = loss - loss == 0 && square - square == 0;
  if (*(uint8_t *)args[4])
    ++*(int32_t *)args[5];
}

/* mean [V, V], finite, table (in place), momentum (in place); a row a block */
void k_update(void *const *args, int64_t block, void *scratch) {
  const float *mean = (const float *)args[0] + block * V;
  float *table = (float *)args[2] + block * V;
  float *momentum = (float *)args[3] + block * V;
  (void)scratch;
  if (!*(const uint8_t *)args[1])
    return;
  for (int i = 0; i < V; ++i) {
    momentum[i] = 0.9f * momentum[i] + mean[i];
    table[i] -= 2.0f * momentum[i];
  }
}

/* loss [B] -> mean */
void k_mean(void *const *args, int64_t block, void *scratch) {
  float sum = 0;
  (void)block;
  (void)scratch;
  for (int b = 0; b < B; ++b)
    sum += ((const float *)args[0])[b];
  *(float *)args[1] = sum / (float)(B * T);
}

/* table, token, length (i32, += 1) -> logits [V] */
void k_next(void *const *args, int64_t block, void *scratch) {
  const float *row = (const float *)args[0] + *(const int32_t *)args[1] * V;
  (void)block;
  (void)scratch;
  ++*(int32_t *)args[2];
  for (int i = 0; i < V; ++i)
    ((float *)args[3])[i] = row[i];
}

/* constant x -> out [256]: half of the smallest normal number, each a block;
   0 on a thread that flushes. Busy enough for every thread to get some. */
void k_subnormal(void *const *args, int64_t block, void *scratch) {
  volatile float x = *(const float *)args[0];
  volatile double waste = 1;
  (void)scratch;
  for (int i = 0; i < 20000; ++i)
    waste = waste * 1.0000001;
  ((float *)args[1])[block] = x * 0.5f;
}

/* arena f32[16] -> out: what the arena holds before anything is written */
void k_peek(void *const *args, int64_t block, void *scratch) {
  (void)scratch;
  ((uint32_t *)args[1])[block] = ((const uint32_t *)args[0])[block];
}

/* f32[16], place (i32), out f32[16]: what lies at a place of the first, which
   the caller may choose outside of it */
void k_stray(void *const *args, int64_t block, void *scratch) {
  (void)scratch;
  ((float *)args[2])[block] =
      ((volatile const float *)args[0])[*(const int32_t *)args[1]];
}

/* f32[16], place (i32): writes there; with no arguments' bytes to spare */
void k_scribble(void *const *args, int64_t block, void *scratch) {
  volatile float *to = args[0];
  (void)scratch;
  to[block] = (float)block;
  to[*(const int32_t *)args[1]] = 1;
}

/* place (i32), out f32[16]: writes to that place of 64 bytes of scratch */
void k_spill(void *const *args, int64_t block, void *scratch) {
  volatile float *spilled = scratch;
  spilled[*(const int32_t *)args[0]] = 1;
  ((float *)args[1])[block] = 1;
}
