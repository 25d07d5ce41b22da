//===- tarn_host.h - the host back end of tarn_device.h ---------*- C++ -*-===//
//
// Declarations only, so that emitted kernels compile fast. Every wrapper that
// may block or find a fault has a last parameter with the line it is called
// from; `#line` in the text makes that the model's line.
//
//===----------------------------------------------------------------------===//

#ifndef TARN_HOST_H
#define TARN_HOST_H

// The C library's header alone: what libstdc++ puts around it takes longer to
// read than most kernels to compile.
#define _GLIBCXX_INCLUDE_NEXT_C_HEADERS
#include <math.h>
#undef _GLIBCXX_INCLUDE_NEXT_C_HEADERS
#include <string.h>

#define DEVICE [[maybe_unused]] static inline
#define DEVICE_MEMBER inline
#define TARN_ACCESS , int line = __builtin_LINE()
#define TARN_PASS , line
#define KERNEL(threads) extern "C" void
#define SIMT_KERNEL(threads) extern "C" void
// By reference: so all parameters are pointers, and the model can call a kernel
// whose type it does not know.
#define TENSOR_MAP const TensorMap &
#define BY_VALUE(type) const type &
#define SHARED_ARENA(p) u8 *p = host_block->shared
#define TARN_LINE int line = __builtin_LINE()

struct dim3 {
  u32 x = 1, y = 1, z = 1;
};

struct float2 {
  float x, y;
};
struct uint2 {
  u32 x, y;
};
struct uint4 {
  u32 x, y, z, w;
};

/// What a kernel sees of its thread.
struct HostThread {
  dim3 position;
  u32 number;
};
/// What a kernel sees of its block.
struct HostBlock {
  u8 *shared;
  u32 bytes;
  dim3 position, threads, grid;
};
extern thread_local HostThread *host_thread;
extern thread_local HostBlock *host_block;

#define threadIdx (host_thread->position)
#define blockIdx (host_block->position)
#define blockDim (host_block->threads)
#define gridDim (host_block->grid)

/// What a cubin says of a kernel: bytes of each parameter.
struct HostKernelInfo {
  u32 count;
  u32 bytes[64];
};
template <class Parameter> struct HostParameter {
  static constexpr u32 bytes = sizeof(Parameter);
};
template <class Parameter> struct HostParameter<const Parameter &> {
  static constexpr u32 bytes = sizeof(Parameter);
};
template <class... Parameters>
constexpr HostKernelInfo host_kernel_info(void (*)(Parameters...)) {
  return {sizeof...(Parameters), {HostParameter<Parameters>::bytes...}};
}
/// Once for each kernel of an image for the host driver, after the text.
#define HOST_KERNEL(name)                                                      \
  extern "C" {                                                                 \
  extern const HostKernelInfo name##_host;                                     \
  const HostKernelInfo name##_host = host_kernel_info(&name);                  \
  }

void host_bar_sync(int number, u32 threads, int line);
u64 host_exchange(u64 value, u32 source, u32 mask, int line);
void host_syncwarp(u32 mask, int line);
void host_mbarrier_init(u64 *barrier, u32 count, int line);
void host_mbarrier_init_fence();
void host_mbarrier_arrive(u64 *barrier, int line);
void host_mbarrier_expect(u64 *barrier, u32 bytes, int line);
void host_mbarrier_wait(u64 *barrier, u32 parity, int line);
void host_tma_load(void *to, const TensorMap *map, u64 *barrier, int rank,
                   const int *position, int line);
void host_tma_store(const void *from, const TensorMap *map, int rank,
                    const int *position, int line);
void host_tma_store_commit();
void host_tma_store_wait(int pending);
/// What a product multiplies.
enum HostFactor { host_bf16, host_f16, host_tf32 };
void host_wgmma(float *d, int n, HostFactor factor, u64 a, const u32 *registers,
                u64 b, int add, int transposeA, int transposeB, int line);
void host_proxy_fence();
void host_wgmma_fence();
void host_wgmma_commit(int line);
void host_wgmma_wait(int pending, int line);
void host_set_registers(int registers, int line);
u32 host_shared_address(const void *p);
void host_check_aligned(const void *p, u32 bytes, int line);
void host_ldmatrix(u32 *registers, const void *from, bool transposed, int line);
void host_mma(float *upper, float *lower, const u32 *a, u32 b0, u32 b1,
              HostFactor factor, int line);
void host_copy_async(void *to, const void *from, bool inside, int line);
void host_copy_async_commit();
void host_copy_async_wait(int pending);

DEVICE void check_aligned(const void *p, u32 bytes, int line) {
  if ((u64)p % bytes != 0)
    host_check_aligned(p, bytes, line);
}
DEVICE u32 shared_address(const void *p) { return host_shared_address(p); }
DEVICE void __syncthreads(TARN_LINE) {
  host_bar_sync(0, blockDim.x * blockDim.y * blockDim.z, line);
}
DEVICE void __syncwarp(u32 mask = ~0u, TARN_LINE) { host_syncwarp(mask, line); }
template <class T> T host_shuffle(u32 mask, T value, u32 source, int line) {
  u64 bits = 0;
  memcpy(&bits, &value, sizeof value);
  bits = host_exchange(bits, source, mask, line);
  memcpy(&value, &bits, sizeof value);
  return value;
}
template <class T>
DEVICE T __shfl_xor_sync(u32 mask, T value, int lanes, TARN_LINE) {
  return host_shuffle(mask, value, host_thread->number % 32 ^ lanes, line);
}
template <class T>
DEVICE T __shfl_up_sync(u32 mask, T value, u32 lanes, TARN_LINE) {
  u32 lane = host_thread->number % 32;
  return host_shuffle(mask, value, lane < lanes ? lane : lane - lanes, line);
}
template <class T>
DEVICE T __shfl_sync(u32 mask, T value, int lane, TARN_LINE) {
  return host_shuffle(mask, value, lane, line);
}

DEVICE void mbarrier_init(u64 *b, u32 count, TARN_LINE) {
  host_mbarrier_init(b, count, line);
}
DEVICE void mbarrier_init_fence() { host_mbarrier_init_fence(); }
DEVICE void mbarrier_arrive(u64 *b, TARN_LINE) {
  host_mbarrier_arrive(b, line);
}
DEVICE void mbarrier_expect(u64 *b, u32 bytes, TARN_LINE) {
  host_mbarrier_expect(b, bytes, line);
}
DEVICE void mbarrier_wait(u64 *b, u32 parity, TARN_LINE) {
  host_mbarrier_wait(b, parity, line);
}
DEVICE void bar_sync(int number, int threads, TARN_LINE) {
  host_bar_sync(number, threads, line);
}

DEVICE void tma_prefetch(const TensorMap *) {}
DEVICE void tma_load_1d(void *to, const TensorMap *map, u64 *b, int x,
                        TARN_LINE) {
  const int position[] = {x};
  host_tma_load(to, map, b, 1, position, line);
}
DEVICE void tma_load_2d(void *to, const TensorMap *map, u64 *b, int x, int y,
                        TARN_LINE) {
  const int position[] = {x, y};
  host_tma_load(to, map, b, 2, position, line);
}
DEVICE void tma_load_3d(void *to, const TensorMap *map, u64 *b, int x, int y,
                        int z, TARN_LINE) {
  const int position[] = {x, y, z};
  host_tma_load(to, map, b, 3, position, line);
}
DEVICE void tma_load_4d(void *to, const TensorMap *map, u64 *b, int x, int y,
                        int z, int u, TARN_LINE) {
  const int position[] = {x, y, z, u};
  host_tma_load(to, map, b, 4, position, line);
}
DEVICE void tma_load_5d(void *to, const TensorMap *map, u64 *b, int x, int y,
                        int z, int u, int v, TARN_LINE) {
  const int position[] = {x, y, z, u, v};
  host_tma_load(to, map, b, 5, position, line);
}
DEVICE void tma_store_1d(const TensorMap *map, const void *from, int x,
                         TARN_LINE) {
  const int position[] = {x};
  host_tma_store(from, map, 1, position, line);
}
DEVICE void tma_store_2d(const TensorMap *map, const void *from, int x, int y,
                         TARN_LINE) {
  const int position[] = {x, y};
  host_tma_store(from, map, 2, position, line);
}
DEVICE void tma_store_3d(const TensorMap *map, const void *from, int x, int y,
                         int z, TARN_LINE) {
  const int position[] = {x, y, z};
  host_tma_store(from, map, 3, position, line);
}
DEVICE void tma_store_4d(const TensorMap *map, const void *from, int x, int y,
                         int z, int u, TARN_LINE) {
  const int position[] = {x, y, z, u};
  host_tma_store(from, map, 4, position, line);
}
DEVICE void tma_store_commit() { host_tma_store_commit(); }
template <int Pending> DEVICE void tma_store_wait() {
  host_tma_store_wait(Pending);
}
DEVICE void proxy_fence() { host_proxy_fence(); }

DEVICE void wgmma_fence() { host_wgmma_fence(); }
DEVICE void wgmma_commit(TARN_LINE) { host_wgmma_commit(line); }
template <int Pending> DEVICE void wgmma_wait(TARN_LINE) {
  host_wgmma_wait(Pending, line);
}
template <int Registers> DEVICE void registers_increase(TARN_LINE) {
  host_set_registers(Registers, line);
}
template <int Registers> DEVICE void registers_decrease(TARN_LINE) {
  host_set_registers(-Registers, line);
}

#define TARN_WGMMA_OF(type, n)                                                 \
  template <int TransposeA, int TransposeB>                                    \
  DEVICE void wgmma_m64n##n##k16_##type(float (&d)[n / 2], u64 a, u64 b,       \
                                        int add, TARN_LINE) {                  \
    host_wgmma(d, n, host_##type, a, nullptr, b, add, TransposeA, TransposeB,  \
               line);                                                          \
  }                                                                            \
  template <int TransposeB>                                                    \
  DEVICE void wgmma_m64n##n##k16_##type(float (&d)[n / 2], const u32(&a)[4],   \
                                        u64 b, int add, TARN_LINE) {           \
    host_wgmma(d, n, host_##type, 0, a, b, add, 0, TransposeB, line);          \
  }
#define TARN_WGMMA(n)                                                          \
  TARN_WGMMA_OF(bf16, n)                                                       \
  TARN_WGMMA_OF(f16, n)                                                        \
  DEVICE void wgmma_m64n##n##k8_tf32(float (&d)[n / 2], u64 a, u64 b, int add, \
                                     TARN_LINE) {                              \
    host_wgmma(d, n, host_tf32, a, nullptr, b, add, 0, 0, line);               \
  }
TARN_WGMMA(16)
TARN_WGMMA(32)
TARN_WGMMA(48)
TARN_WGMMA(64)
TARN_WGMMA(80)
TARN_WGMMA(96)
TARN_WGMMA(112)
TARN_WGMMA(128)
TARN_WGMMA(144)
TARN_WGMMA(160)
TARN_WGMMA(176)
TARN_WGMMA(192)
TARN_WGMMA(208)
TARN_WGMMA(224)
TARN_WGMMA(240)
TARN_WGMMA(256)
#undef TARN_WGMMA
#undef TARN_WGMMA_OF

DEVICE void ldmatrix_x4(u32 (&r)[4], const void *from, TARN_LINE) {
  host_ldmatrix(r, from, false, line);
}
DEVICE void ldmatrix_x4_transposed(u32 (&r)[4], const void *from, TARN_LINE) {
  host_ldmatrix(r, from, true, line);
}
DEVICE void mma_m16n8k16_bf16(float *upper, float *lower, const u32 (&a)[4],
                              u32 b0, u32 b1, TARN_LINE) {
  host_mma(upper, lower, a, b0, b1, host_bf16, line);
}
DEVICE void mma_m16n8k16_f16(float *upper, float *lower, const u32 (&a)[4],
                             u32 b0, u32 b1, TARN_LINE) {
  host_mma(upper, lower, a, b0, b1, host_f16, line);
}
DEVICE void mma_m16n8k8_tf32(float *upper, float *lower, const u32 (&a)[4],
                             u32 b0, u32 b1, TARN_LINE) {
  host_mma(upper, lower, a, b0, b1, host_tf32, line);
}
DEVICE void copy_async(void *to, const void *from, bool inside, TARN_LINE) {
  host_copy_async(to, from, inside, line);
}
DEVICE void copy_async_commit() { host_copy_async_commit(); }
template <int Pending> DEVICE void copy_async_wait() {
  host_copy_async_wait(Pending);
}

DEVICE float __uint_as_float(u32 bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}
DEVICE u32 __float_as_uint(float x) {
  u32 bits;
  memcpy(&bits, &x, 4);
  return bits;
}
DEVICE u32 host_to_bf16(float x) {
  if (x != x)
    return 0x7FFF;
  u32 bits = __float_as_uint(x);
  return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
}
DEVICE u32 pack_bf16(float low, float high) {
  return host_to_bf16(low) | host_to_bf16(high) << 16;
}
DEVICE float to_float(bf16 x) { return __uint_as_float((u32)x.bits << 16); }
DEVICE u32 pack_f16(float low, float high) {
  // Rounds to nearest even by the compiler's own half type.
  _Float16 halves[2] = {(_Float16)low, (_Float16)high};
  u32 packed;
  memcpy(&packed, halves, 4);
  return packed;
}
DEVICE float to_float(f16 x) {
  _Float16 half;
  memcpy(&half, &x, 2);
  return (float)half;
}
DEVICE u32 to_tf32(float x) {
  if (x != x)
    return 0x7FFFFFFF;
  return (__float_as_uint(x) + 0x1000) & ~0x1FFFu;
}
DEVICE u64 high_product(u64 a, u64 b) {
  return (u64)((unsigned __int128)a * b >> 64);
}
DEVICE float max_nan(float a, float b) {
  return a != a || b != b ? NAN : a > b ? a : b;
}
DEVICE float min_nan(float a, float b) {
  return a != a || b != b ? NAN : a < b ? a : b;
}
DEVICE float exp2_fast(float x) { return exp2f(x); }
DEVICE float rsqrtf(float x) { return 1.f / sqrtf(x); }
DEVICE double rsqrt(double x) { return 1. / sqrt(x); }

#endif // TARN_HOST_H
