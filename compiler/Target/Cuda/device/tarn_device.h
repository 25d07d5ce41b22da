//===- tarn_device.h - what emitted CUDA text may use -----------*- C++ -*-===//
//
// The only header of emitted kernels. Every wrapper is one whole instruction,
// so that it means the same in both back ends: inline PTX for NVRTC (what is
// for sm_90a only is a template or a macro's expansion that others do not use),
// and the host model of test/gpu/host_model, which runs the same text.
//
//===----------------------------------------------------------------------===//

#ifndef TARN_DEVICE_H
#define TARN_DEVICE_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char i8;
typedef long long i64;

/// A bf16 number by its bits.
struct bf16 {
  u16 bits;
};

/// An f16 number by its bits.
struct f16 {
  u16 bits;
};

/// What cuTensorMapEncodeTiled writes; a kernel takes it by value.
struct alignas(64) TensorMap {
  u64 words[16];
};

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)

#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#endif
#ifndef NAN
#define NAN __int_as_float(0x7fffffff)
#endif

#define DEVICE static __device__ __forceinline__
#define DEVICE_MEMBER __device__ __forceinline__
// The host model finds accesses that are not aligned.
#define TARN_ACCESS
#define TARN_PASS
DEVICE void check_aligned(const void *, unsigned) {}
// One block of `threads` threads per multiprocessor: setmaxnreg needs both
// bounds.
#define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 1)
// Several blocks may share a multiprocessor.
#define SIMT_KERNEL(threads)                                                   \
  extern "C" __global__ void __launch_bounds__(threads)
// A parameter that holds a tensor map.
#define TENSOR_MAP const __grid_constant__ TensorMap
// A parameter that is a struct, which threads read where the launch put it.
#define BY_VALUE(type) const __grid_constant__ type
// All shared memory is one dynamic arena: 128-byte swizzling needs tiles that
// start at multiples of 1024 bytes.
#define SHARED_ARENA(p) extern __shared__ __align__(1024) u8 p[]

/// The 32-bit address of a pointer into the shared arena.
DEVICE u32 shared_address(const void *p) {
  return (u32)__cvta_generic_to_shared(p);
}

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

DEVICE void mbarrier_init(u64 *barrier, u32 count) {
  asm volatile(
      "mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)),
      "r"(count));
}
/// Makes inits visible to TMA; __syncthreads follows.
DEVICE void mbarrier_init_fence() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
DEVICE void mbarrier_arrive(u64 *barrier) {
  asm volatile(
      "mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier))
      : "memory");
}
/// Arrives, and makes the phase wait for `bytes` of TMA loads.
DEVICE void mbarrier_expect(u64 *barrier, u32 bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(
                   shared_address(barrier)),
               "r"(bytes)
               : "memory");
}
/// Waits until the phase of this parity is complete.
DEVICE void mbarrier_wait(u64 *barrier, u32 parity) {
  asm volatile("{ .reg .pred p;\n"
               "L: mbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1;\n"
               "@!p bra L; }" ::"r"(shared_address(barrier)),
               "r"(parity)
               : "memory");
}
/// A named barrier of `threads` threads; number 0 is __syncthreads.
DEVICE void bar_sync(int number, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(number), "r"(threads) : "memory");
}

//===----------------------------------------------------------------------===//
// TMA
//===----------------------------------------------------------------------===//

DEVICE void tma_prefetch(const TensorMap *map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map));
}

/// Loads a box at element (x); elements outside are zero.
DEVICE void tma_load_1d(void *to, const TensorMap *map, u64 *barrier, int x) {
  asm volatile(
      "cp.async.bulk.tensor.1d.shared::cluster.global.mbarrier::"
      "complete_tx::bytes [%0], [%1, {%3}], [%2];" ::"r"(shared_address(to)),
      "l"(map), "r"(shared_address(barrier)), "r"(x)
      : "memory");
}

/// Loads a box at element (x, y); elements outside are zero.
DEVICE void tma_load_2d(void *to, const TensorMap *map, u64 *barrier, int x,
                        int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::"
               "complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::"r"(
                   shared_address(to)),
               "l"(map), "r"(shared_address(barrier)), "r"(x), "r"(y)
               : "memory");
}

/// Loads a box at element (x, y, z); elements outside are zero.
DEVICE void tma_load_3d(void *to, const TensorMap *map, u64 *barrier, int x,
                        int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::"
               "complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];" ::"r"(
                   shared_address(to)),
               "l"(map), "r"(shared_address(barrier)), "r"(x), "r"(y), "r"(z)
               : "memory");
}

/// Loads a box at element (x, y, z, u); elements outside are zero.
DEVICE void tma_load_4d(void *to, const TensorMap *map, u64 *barrier, int x,
                        int y, int z, int u) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::"
               "complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(
                   shared_address(to)),
               "l"(map), "r"(shared_address(barrier)), "r"(x), "r"(y), "r"(z),
               "r"(u)
               : "memory");
}

/// Loads a box at element (x, y, z, u, v); elements outside are zero.
DEVICE void tma_load_5d(void *to, const TensorMap *map, u64 *barrier, int x,
                        int y, int z, int u, int v) {
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::"
      "complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2];" ::"r"(
          shared_address(to)),
      "l"(map), "r"(shared_address(barrier)), "r"(x), "r"(y), "r"(z), "r"(u),
      "r"(v)
      : "memory");
}

/// Stores a box at element (x); elements outside are dropped. One thread
/// stores, commits and waits.
DEVICE void tma_store_1d(const TensorMap *map, const void *from, int x) {
  asm volatile("cp.async.bulk.tensor.1d.global.shared::cta.bulk_group "
               "[%0, {%2}], [%1];" ::"l"(map),
               "r"(shared_address(from)), "r"(x)
               : "memory");
}

/// Stores a box at element (x, y); elements outside are dropped.
DEVICE void tma_store_2d(const TensorMap *map, const void *from, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group "
               "[%0, {%2, %3}], [%1];" ::"l"(map),
               "r"(shared_address(from)), "r"(x), "r"(y)
               : "memory");
}

/// Stores a box at element (x, y, z); elements outside are dropped.
DEVICE void tma_store_3d(const TensorMap *map, const void *from, int x, int y,
                         int z) {
  asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.bulk_group "
               "[%0, {%2, %3, %4}], [%1];" ::"l"(map),
               "r"(shared_address(from)), "r"(x), "r"(y), "r"(z)
               : "memory");
}

/// Stores a box at element (x, y, z, u); elements outside are dropped.
DEVICE void tma_store_4d(const TensorMap *map, const void *from, int x, int y,
                         int z, int u) {
  asm volatile("cp.async.bulk.tensor.4d.global.shared::cta.bulk_group "
               "[%0, {%2, %3, %4, %5}], [%1];" ::"l"(map),
               "r"(shared_address(from)), "r"(x), "r"(y), "r"(z), "r"(u)
               : "memory");
}

/// Ends a group of stores.
DEVICE void tma_store_commit() {
  asm volatile("cp.async.bulk.commit_group;" ::: "memory");
}
/// Waits until at most `Pending` groups of this thread's stores are in flight.
template <int Pending> DEVICE void tma_store_wait() {
  asm volatile("cp.async.bulk.wait_group %0;" ::"n"(Pending) : "memory");
}

/// After ordinary stores to shared memory that TMA or wgmma read next.
DEVICE void proxy_fence() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

//===----------------------------------------------------------------------===//
// Warpgroups
//===----------------------------------------------------------------------===//

DEVICE void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
DEVICE void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
/// Waits until at most `Pending` groups are in flight.
template <int Pending> DEVICE void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
}
template <int Registers> DEVICE void registers_increase() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
}
template <int Registers> DEVICE void registers_decrease() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

/// Two floats rounded to bf16, the first in the low half.
DEVICE u32 pack_bf16(float low, float high) {
  u32 packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}
DEVICE float to_float(bf16 x) { return __uint_as_float((u32)x.bits << 16); }
DEVICE u32 pack_f16(float low, float high) {
  u32 packed;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}
DEVICE float to_float(f16 x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
  return y;
}
/// A float rounded to tf32, ties away from zero; the lower 13 bits are zero.
DEVICE u32 to_tf32(float x) {
  u32 rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
  return rounded;
}
/// The larger number; NaN if one of them is.
DEVICE float max_nan(float a, float b) {
  float c;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(c) : "f"(a), "f"(b));
  return c;
}
/// The smaller number; NaN if one of them is.
DEVICE float min_nan(float a, float b) {
  float c;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(c) : "f"(a), "f"(b));
  return c;
}
/// The upper half of a product.
DEVICE u64 high_product(u64 a, u64 b) { return __umul64hi(a, b); }
/// 2^x.
DEVICE float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

//===----------------------------------------------------------------------===//
// Products of a warp
//===----------------------------------------------------------------------===//

/// Four matrices of 8 x 8 elements of 16 bits; thread i has the address of row
/// i % 8 of matrix i / 8. Register j holds row t / 4 of matrix j, columns
/// 2 (t % 4) and the next.
DEVICE void ldmatrix_x4(u32 (&r)[4], const void *from) {
  asm volatile(
      "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
      : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
      : "r"(shared_address(from))
      : "memory");
}
/// The same, each matrix transposed.
DEVICE void ldmatrix_x4_transposed(u32 (&r)[4], const void *from) {
  asm volatile(
      "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
      : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
      : "r"(shared_address(from))
      : "memory");
}
// D (16 x 8) += A (16 x 16) B (16 x 8): thread t has row t / 4 (`upper`) and
// row t / 4 + 8 (`lower`) of D, columns 2 (t % 4) and the next.
#define TARN_MMA(type)                                                         \
  DEVICE void mma_m16n8k16_##type(float *upper, float *lower,                  \
                                  const u32(&a)[4], u32 b0, u32 b1) {          \
    asm volatile(                                                              \
        "mma.sync.aligned.m16n8k16.row.col.f32." #type "." #type               \
        ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "                  \
        "{%0, %1, %2, %3};"                                                    \
        : "+f"(upper[0]), "+f"(upper[1]), "+f"(lower[0]), "+f"(lower[1])       \
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));       \
  }
TARN_MMA(bf16)
TARN_MMA(f16)
#undef TARN_MMA
/// D (16 x 8) += A (16 x 8) B (8 x 8) in tf32, D as above. Thread t has rows
/// t / 4 and t / 4 + 8 of A in column t % 4, then both in column t % 4 + 4; and
/// of column t / 4 of B rows t % 4 and t % 4 + 4.
DEVICE void mma_m16n8k8_tf32(float *upper, float *lower, const u32 (&a)[4],
                             u32 b0, u32 b1) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
               "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(upper[0]), "+f"(upper[1]), "+f"(lower[0]), "+f"(lower[1])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

//===----------------------------------------------------------------------===//
// Copies to shared memory that go on while the thread does
//===----------------------------------------------------------------------===//

/// Copies 16 bytes, or writes zeros where `inside` is false.
DEVICE void copy_async(void *to, const void *from, bool inside) {
  asm volatile(
      "cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)),
      "l"(from), "r"(inside ? 16 : 0)
      : "memory");
}
DEVICE void copy_async_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
/// Waits until at most `Pending` of the thread's groups are on their way.
template <int Pending> DEVICE void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

//===----------------------------------------------------------------------===//
// wgmma: D (64 x N, f32) += A (64 x 16) B (16 x N); of tf32 8 terms, whose
// lower 13 bits are not read, in operands that run along them
//===----------------------------------------------------------------------===//

// Lists of the first n accumulator registers.
#define TARN_REGS_8 "%0,%1,%2,%3,%4,%5,%6,%7"
#define TARN_ACCS_8                                                            \
  "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]),      \
      "+f"(d[6]), "+f"(d[7])
#define TARN_REGS_16                                                           \
  TARN_REGS_8 ","                                                              \
              "%8,%9,%10,%11,%12,%13,%14,%15"
#define TARN_ACCS_16                                                           \
  TARN_ACCS_8, "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]),  \
      "+f"(d[13]), "+f"(d[14]), "+f"(d[15])
#define TARN_REGS_24                                                           \
  TARN_REGS_16 ","                                                             \
               "%16,%17,%18,%19,%20,%21,%22,%23"
#define TARN_ACCS_24                                                           \
  TARN_ACCS_16, "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]),            \
      "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23])
#define TARN_REGS_32                                                           \
  TARN_REGS_24 ","                                                             \
               "%24,%25,%26,%27,%28,%29,%30,%31"
#define TARN_ACCS_32                                                           \
  TARN_ACCS_24, "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),            \
      "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
#define TARN_REGS_40                                                           \
  TARN_REGS_32 ","                                                             \
               "%32,%33,%34,%35,%36,%37,%38,%39"
#define TARN_ACCS_40                                                           \
  TARN_ACCS_32, "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]),            \
      "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39])
#define TARN_REGS_48                                                           \
  TARN_REGS_40 ","                                                             \
               "%40,%41,%42,%43,%44,%45,%46,%47"
#define TARN_ACCS_48                                                           \
  TARN_ACCS_40, "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]),            \
      "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47])
#define TARN_REGS_56                                                           \
  TARN_REGS_48 ","                                                             \
               "%48,%49,%50,%51,%52,%53,%54,%55"
#define TARN_ACCS_56                                                           \
  TARN_ACCS_48, "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]),            \
      "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55])
#define TARN_REGS_64                                                           \
  TARN_REGS_56 ","                                                             \
               "%56,%57,%58,%59,%60,%61,%62,%63"
#define TARN_ACCS_64                                                           \
  TARN_ACCS_56, "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]),            \
      "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
#define TARN_REGS_72                                                           \
  TARN_REGS_64 ","                                                             \
               "%64,%65,%66,%67,%68,%69,%70,%71"
#define TARN_ACCS_72                                                           \
  TARN_ACCS_64, "+f"(d[64]), "+f"(d[65]), "+f"(d[66]), "+f"(d[67]),            \
      "+f"(d[68]), "+f"(d[69]), "+f"(d[70]), "+f"(d[71])
#define TARN_REGS_80                                                           \
  TARN_REGS_72 ","                                                             \
               "%72,%73,%74,%75,%76,%77,%78,%79"
#define TARN_ACCS_80                                                           \
  TARN_ACCS_72, "+f"(d[72]), "+f"(d[73]), "+f"(d[74]), "+f"(d[75]),            \
      "+f"(d[76]), "+f"(d[77]), "+f"(d[78]), "+f"(d[79])
#define TARN_REGS_88                                                           \
  TARN_REGS_80 ","                                                             \
               "%80,%81,%82,%83,%84,%85,%86,%87"
#define TARN_ACCS_88                                                           \
  TARN_ACCS_80, "+f"(d[80]), "+f"(d[81]), "+f"(d[82]), "+f"(d[83]),            \
      "+f"(d[84]), "+f"(d[85]), "+f"(d[86]), "+f"(d[87])
#define TARN_REGS_96                                                           \
  TARN_REGS_88 ","                                                             \
               "%88,%89,%90,%91,%92,%93,%94,%95"
#define TARN_ACCS_96                                                           \
  TARN_ACCS_88, "+f"(d[88]), "+f"(d[89]), "+f"(d[90]), "+f"(d[91]),            \
      "+f"(d[92]), "+f"(d[93]), "+f"(d[94]), "+f"(d[95])
#define TARN_REGS_104                                                          \
  TARN_REGS_96 ","                                                             \
               "%96,%97,%98,%99,%100,%101,%102,%103"
#define TARN_ACCS_104                                                          \
  TARN_ACCS_96, "+f"(d[96]), "+f"(d[97]), "+f"(d[98]), "+f"(d[99]),            \
      "+f"(d[100]), "+f"(d[101]), "+f"(d[102]), "+f"(d[103])
#define TARN_REGS_112                                                          \
  TARN_REGS_104 ","                                                            \
                "%104,%105,%106,%107,%108,%109,%110,%111"
#define TARN_ACCS_112                                                          \
  TARN_ACCS_104, "+f"(d[104]), "+f"(d[105]), "+f"(d[106]), "+f"(d[107]),       \
      "+f"(d[108]), "+f"(d[109]), "+f"(d[110]), "+f"(d[111])
#define TARN_REGS_120                                                          \
  TARN_REGS_112 ","                                                            \
                "%112,%113,%114,%115,%116,%117,%118,%119"
#define TARN_ACCS_120                                                          \
  TARN_ACCS_112, "+f"(d[112]), "+f"(d[113]), "+f"(d[114]), "+f"(d[115]),       \
      "+f"(d[116]), "+f"(d[117]), "+f"(d[118]), "+f"(d[119])
#define TARN_REGS_128                                                          \
  TARN_REGS_120 ","                                                            \
                "%120,%121,%122,%123,%124,%125,%126,%127"
#define TARN_ACCS_128                                                          \
  TARN_ACCS_120, "+f"(d[120]), "+f"(d[121]), "+f"(d[122]), "+f"(d[123]),       \
      "+f"(d[124]), "+f"(d[125]), "+f"(d[126]), "+f"(d[127])

// Operands after the accumulators have the numbers o0, o1, ...
#define TARN_WGMMA_OF(type, n, regs, o0, o1, o2, o3, o4, o5, o6)               \
  template <int TransposeA, int TransposeB>                                    \
  DEVICE void wgmma_m64n##n##k16_##type(float (&d)[regs], u64 a, u64 b,        \
                                        int add) {                             \
    asm volatile("{ .reg .pred p; setp.ne.b32 p, %" #o2 ", 0;\n"               \
                 "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." #type       \
                 "." #type " {" TARN_REGS_##regs                               \
                 "}, %" #o0 ", %" #o1 ", p, 1, 1, %" #o3 ", %" #o4 "; }\n"     \
                 : TARN_ACCS_##regs                                            \
                 : "l"(a), "l"(b), "r"(add), "n"(TransposeA),                  \
                   "n"(TransposeB));                                           \
  }                                                                            \
  template <int TransposeB>                                                    \
  DEVICE void wgmma_m64n##n##k16_##type(float (&d)[regs], const u32(&a)[4],    \
                                        u64 b, int add) {                      \
    asm volatile("{ .reg .pred p; setp.ne.b32 p, %" #o5 ", 0;\n"               \
                 "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." #type       \
                 "." #type " {" TARN_REGS_##regs                               \
                 "}, {%" #o0 ", %" #o1 ", %" #o2 ", %" #o3 "}, %" #o4          \
                 ", p, 1, 1, %" #o6 "; }\n"                                    \
                 : TARN_ACCS_##regs                                            \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b),         \
                   "r"(add), "n"(TransposeB));                                 \
  }
#define TARN_WGMMA_TF32_OF(n, regs, o0, o1, o2, ...)                           \
  DEVICE void wgmma_m64n##n##k8_tf32(float (&d)[regs], u64 a, u64 b,           \
                                     int add) {                                \
    asm volatile("{ .reg .pred p; setp.ne.b32 p, %" #o2 ", 0;\n"               \
                 "wgmma.mma_async.sync.aligned.m64n" #n                        \
                 "k8.f32.tf32.tf32 {" TARN_REGS_##regs "}, %" #o0 ", %" #o1    \
                                                       ", p, 1, 1; }\n"        \
                 : TARN_ACCS_##regs                                            \
                 : "l"(a), "l"(b), "r"(add));                                  \
  }
#define TARN_WGMMA(...)                                                        \
  TARN_WGMMA_OF(bf16, __VA_ARGS__)                                             \
  TARN_WGMMA_OF(f16, __VA_ARGS__)                                              \
  TARN_WGMMA_TF32_OF(__VA_ARGS__)
TARN_WGMMA(16, 8, 8, 9, 10, 11, 12, 13, 14)
TARN_WGMMA(32, 16, 16, 17, 18, 19, 20, 21, 22)
TARN_WGMMA(48, 24, 24, 25, 26, 27, 28, 29, 30)
TARN_WGMMA(64, 32, 32, 33, 34, 35, 36, 37, 38)
TARN_WGMMA(80, 40, 40, 41, 42, 43, 44, 45, 46)
TARN_WGMMA(96, 48, 48, 49, 50, 51, 52, 53, 54)
TARN_WGMMA(112, 56, 56, 57, 58, 59, 60, 61, 62)
TARN_WGMMA(128, 64, 64, 65, 66, 67, 68, 69, 70)
TARN_WGMMA(144, 72, 72, 73, 74, 75, 76, 77, 78)
TARN_WGMMA(160, 80, 80, 81, 82, 83, 84, 85, 86)
TARN_WGMMA(176, 88, 88, 89, 90, 91, 92, 93, 94)
TARN_WGMMA(192, 96, 96, 97, 98, 99, 100, 101, 102)
TARN_WGMMA(208, 104, 104, 105, 106, 107, 108, 109, 110)
TARN_WGMMA(224, 112, 112, 113, 114, 115, 116, 117, 118)
TARN_WGMMA(240, 120, 120, 121, 122, 123, 124, 125, 126)
TARN_WGMMA(256, 128, 128, 129, 130, 131, 132, 133, 134)
#undef TARN_WGMMA
#undef TARN_WGMMA_OF
#undef TARN_WGMMA_TF32_OF

#else
#include "tarn_host.h"
#endif

//===----------------------------------------------------------------------===//
// Both back ends
//===----------------------------------------------------------------------===//

/// Descriptor of a wgmma operand whose rows of 128 bytes run along the
/// contracted dim (K-major, 128-byte swizzle, groups of 8 rows of 1024 bytes).
DEVICE u64 descriptor_k(u32 address) {
  return (u64)((address & 0x3FFFF) >> 4) | (u64)1 << 16 | (u64)64 << 32 |
         (u64)1 << 62;
}
/// Descriptor of an operand whose rows of 64 elements run along the other dim
/// (MN-major); the next 64 elements follow after `next` bytes.
DEVICE u64 descriptor_mn(u32 address, u32 next) {
  return (u64)((address & 0x3FFFF) >> 4) | (u64)(next >> 4) << 16 |
         (u64)64 << 32 | (u64)1 << 62;
}
/// A float rounded to bf16.
DEVICE bf16 to_bf16(float x) { return bf16{(u16)pack_bf16(x, 0.f)}; }
/// A float rounded to bf16 and back.
DEVICE float round_bf16(float x) { return to_float(to_bf16(x)); }
/// A float rounded to tf32 and back.
DEVICE float round_tf32(float x) { return __uint_as_float(to_tf32(x)); }
/// The same of four that ldmatrix has read, in place: its rows of 16 bytes are
/// 4 floats, and a thread has one where it would have two halves.
DEVICE void round_tf32(u32 (&r)[4]) {
  for (int i = 0; i < 4; ++i)
    r[i] = to_tf32(__uint_as_float(r[i]));
}
/// e^x: a multiplication and 2^x.
DEVICE float exp_fast(float x) { return exp2_fast(x * 1.4426950408889634f); }
/// The sum over the four lanes that hold a row of a fragment.
DEVICE float quad_sum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}
/// The largest number of the four lanes that hold a row of a fragment.
DEVICE float quad_max(float x) {
  x = max_nan(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return max_nan(x, __shfl_xor_sync(0xffffffffu, x, 2));
}
/// The sum over a warp.
DEVICE float warp_sum(float x) {
  for (int lanes = 1; lanes < 32; lanes *= 2)
    x += __shfl_xor_sync(0xffffffffu, x, lanes);
  return x;
}
/// The largest number of a warp.
DEVICE float warp_max(float x) {
  for (int lanes = 1; lanes < 32; lanes *= 2)
    x = max_nan(x, __shfl_xor_sync(0xffffffffu, x, lanes));
  return x;
}
/// Stores two neighbours at an even place.
DEVICE void store_pair(float *to, float x, float y) {
  *(float2 *)to = float2{x, y};
}
DEVICE void store_pair(bf16 *to, float x, float y) {
  *(u32 *)to = pack_bf16(x, y);
}
DEVICE void store_pair(f16 *to, float x, float y) {
  *(u32 *)to = pack_f16(x, y);
}
DEVICE float to_float(float x) { return x; }
/// A float rounded to f16, and back.
DEVICE f16 to_f16(float x) { return f16{(u16)pack_f16(x, 0.f)}; }
DEVICE float round_f16(float x) { return to_float(to_f16(x)); }
DEVICE double max_nan(double a, double b) {
  return a != a || b != b ? a + b : a > b ? a : b;
}
DEVICE double min_nan(double a, double b) {
  return a != a || b != b ? a + b : a < b ? a : b;
}
DEVICE int max_nan(int a, int b) { return a > b ? a : b; }
DEVICE i64 max_nan(i64 a, i64 b) { return a > b ? a : b; }
DEVICE u32 max_nan(u32 a, u32 b) { return (int)a > (int)b ? a : b; }
DEVICE bool max_nan(bool a, bool b) { return a || b; }

//===----------------------------------------------------------------------===//
// Elements in memory
//===----------------------------------------------------------------------===//

/// A variable's number as memory holds it, and back.
template <class T> DEVICE void from_memory(T &x, T y) { x = y; }
DEVICE void from_memory(float &x, bf16 y) { x = to_float(y); }
DEVICE void from_memory(float &x, f16 y) { x = to_float(y); }
DEVICE void from_memory(u32 &x, int y) { x = (u32)y; }
DEVICE void from_memory(u64 &x, i64 y) { x = (u64)y; }
DEVICE void from_memory(u8 &x, i8 y) { x = (u8)y; }
template <class T, class V> DEVICE void store_one(T *to, V x) { *to = (T)x; }
DEVICE void store_one(bf16 *to, float x) { *to = to_bf16(x); }
DEVICE void store_one(f16 *to, float x) { *to = to_f16(x); }
/// Adds to an element that no other thread touches.
template <class T, class V> DEVICE void add_one(T *to, V x) { *to = *to + x; }
DEVICE void add_one(bf16 *to, float x) { *to = to_bf16(to_float(*to) + x); }
DEVICE void add_one(f16 *to, float x) { *to = to_f16(to_float(*to) + x); }

/// N neighbours in accesses of up to 16 bytes; the address is a multiple of
/// their size.
template <int Bytes> struct Word {
  typedef uint4 type;
};
template <> struct Word<8> {
  typedef uint2 type;
};
template <> struct Word<4> {
  typedef u32 type;
};
template <> struct Word<2> {
  typedef u16 type;
};
template <> struct Word<1> {
  typedef u8 type;
};
template <class V, class T, int N>
DEVICE void load_vector(V (&x)[N], const T *from TARN_ACCESS) {
  typedef typename Word<N * sizeof(T)>::type word;
  constexpr int count = N * sizeof(T) / sizeof(word);
  check_aligned(from, sizeof(word) TARN_PASS);
  union Both {
    word words[count];
    T elements[N];
  } both;
  for (int i = 0; i < count; ++i)
    both.words[i] = ((const word *)from)[i];
  for (int i = 0; i < N; ++i)
    from_memory(x[i], both.elements[i]);
}
/// The same of floats, rounded to tf32.
template <int N>
DEVICE void load_tf32(float (&x)[N], const float *from TARN_ACCESS) {
  load_vector(x, from TARN_PASS);
  for (int i = 0; i < N; ++i)
    x[i] = round_tf32(x[i]);
}
template <class V, int N> DEVICE void fill_vector(V (&x)[N], V value) {
  for (int i = 0; i < N; ++i)
    x[i] = value;
}
template <class V, class T, int N>
DEVICE void store_vector(T *to, const V (&x)[N] TARN_ACCESS) {
  typedef typename Word<N * sizeof(T)>::type word;
  constexpr int count = N * sizeof(T) / sizeof(word);
  check_aligned(to, sizeof(word) TARN_PASS);
  union Both {
    word words[count];
    T elements[N];
  } both;
  for (int i = 0; i < N; ++i)
    store_one(&both.elements[i], x[i]);
  for (int i = 0; i < count; ++i)
    ((word *)to)[i] = both.words[i];
}
template <class V, class T, int N>
DEVICE void add_vector(T *to, const V (&x)[N] TARN_ACCESS) {
  V sum[N];
  load_vector(sum, (const T *)to TARN_PASS);
  for (int i = 0; i < N; ++i)
    sum[i] = sum[i] + x[i];
  store_vector(to, sum TARN_PASS);
}

//===----------------------------------------------------------------------===//
// Sums and maxima among threads: in one order, and all threads get the result
//===----------------------------------------------------------------------===//

struct Sum {
  template <class T> static DEVICE_MEMBER T of(T a, T b) { return a + b; }
};
struct Max {
  template <class T> static DEVICE_MEMBER T of(T a, T b) {
    return max_nan(a, b);
  }
};
/// Among threads whose numbers differ by multiples of From, up to To.
template <class Kind, int From, int To, class T> DEVICE T combine_lanes(T x) {
  for (int distance = From; distance < To; distance *= 2)
    x = Kind::of(x, __shfl_xor_sync(0xffffffffu, x, distance));
  return x;
}
/// Among `Lanes` neighbours that belong to one or more warps; `scratch` has an
/// element per warp.
template <class Kind, int Lanes, class T>
DEVICE T combine_warps(T x, T *scratch) {
  x = combine_lanes<Kind, 1, 32>(x);
  if (threadIdx.x % 32 == 0)
    scratch[threadIdx.x / 32] = x;
  __syncthreads();
  const T *first = scratch + threadIdx.x / Lanes * (Lanes / 32);
  x = first[0];
  for (int i = 1; i < Lanes / 32; ++i)
    x = Kind::of(x, first[i]);
  __syncthreads();
  return x;
}
template <int Lanes, class T> DEVICE T lanes_sum(T x) {
  return combine_lanes<Sum, 1, Lanes>(x);
}
template <int Lanes, class T> DEVICE T lanes_max(T x) {
  return combine_lanes<Max, 1, Lanes>(x);
}
template <int Lanes, class T> DEVICE T block_sum(T x, T *scratch) {
  return combine_warps<Sum, Lanes>(x, scratch);
}
template <int Lanes, class T> DEVICE T block_max(T x, T *scratch) {
  return combine_warps<Max, Lanes>(x, scratch);
}
template <int From, class T> DEVICE T warp_sum_from(T x) {
  return combine_lanes<Sum, From, 32>(x);
}
template <int From, class T> DEVICE T warp_max_from(T x) {
  return combine_lanes<Max, From, 32>(x);
}

//===----------------------------------------------------------------------===//
// Running sums, in one order
//===----------------------------------------------------------------------===//

/// Of a lane and those before it among `Lanes` neighbours of a warp.
template <int Lanes, class T> DEVICE T lanes_scan(T x) {
  for (int distance = 1; distance < Lanes; distance *= 2) {
    const T before = __shfl_up_sync(0xffffffffu, x, distance);
    if ((int)threadIdx.x % Lanes >= distance)
      x = before + x;
  }
  return x;
}
/// Sums up lines of a tile in shared memory, in place: line l starts at
/// l / inner * outer + l % inner, and has `count` elements, `step` apart.
/// `Lanes` threads have a line, or 32 have one of its `Parts` parts; then
/// `totals` has an element per warp.
template <int Threads, int Lanes, int Parts, class T>
DEVICE void scan_lines(T *tile, int lines, int inner, int outer, int count,
                       int step, T *totals) {
  constexpr int groups = Threads / Lanes / Parts;
  const int lane = threadIdx.x % Lanes, group = threadIdx.x / Lanes / Parts;
  const int part = threadIdx.x / Lanes % Parts;
  const int length = (count + Parts - 1) / Parts;
  const int from = part * length;
  const int to = from + length < count ? from + length : count;
  // All threads of a warp make the same turns.
  for (int first = 0; first < lines; first += groups) {
    const int line = first + group;
    T *start = tile + line / inner * outer + line % inner;
    T before = 0;
    for (int at = from; at < to; at += Lanes) {
      const bool inside = line < lines && at + lane < to;
      T x = inside ? start[(at + lane) * step] : (T)0;
      x = before + lanes_scan<Lanes>(x);
      if (inside)
        start[(at + lane) * step] = x;
      before = __shfl_sync(0xffffffffu, x,
                           threadIdx.x % 32 / Lanes * Lanes + Lanes - 1);
    }
    if (Parts > 1 && lane == 0)
      totals[threadIdx.x / 32] = before;
  }
  if (Parts == 1)
    return;
  __syncthreads();
  if (part == 0 || group >= lines)
    return;
  const T *parts = totals + group * Parts;
  T before = parts[0];
  for (int i = 1; i < part; ++i)
    before = before + parts[i];
  T *start = tile + group / inner * outer + group % inner;
  for (int at = from + lane; at < to; at += Lanes)
    start[at * step] = before + start[at * step];
}

//===----------------------------------------------------------------------===//
// Sorting
//===----------------------------------------------------------------------===//

/// Whether x is smaller; NaN is the largest.
template <class T> DEVICE bool is_less(T x, T y) {
  return x < y || (y != y && x == x);
}
/// The place of each of `count` elements in shared memory in sorted order, of
/// equal ones the first before the others: a bitonic network of `Covered`
/// pairs, a power of two. What `keys` and `order` have is lost.
template <int Threads, int Covered, bool Descending, class T>
DEVICE void sort_places(T *keys, int *order, int *places, int count) {
  for (int i = threadIdx.x; i < Covered; i += Threads) {
    order[i] = i;
    if (i >= count)
      keys[i] = (T)0;
  }
  __syncthreads();
  for (int size = 2; size <= Covered; size *= 2)
    for (int distance = size / 2; distance > 0; distance /= 2) {
      for (int pair = threadIdx.x; pair < Covered / 2; pair += Threads) {
        const int low = 2 * pair - pair % distance, high = low + distance;
        const T x = keys[low], y = keys[high];
        const int n = order[low], m = order[high];
        // What is not of the row comes last.
        const bool all = n < count && m < count;
        const bool less = all && (Descending ? is_less(y, x) : is_less(x, y));
        const bool more = all && (Descending ? is_less(x, y) : is_less(y, x));
        const bool before = less || (!more && n < m);
        if (before == ((low & size) != 0)) {
          keys[low] = y, keys[high] = x;
          order[low] = m, order[high] = n;
        }
      }
      __syncthreads();
    }
  for (int i = threadIdx.x; i < count; i += Threads)
    places[order[i]] = i;
}

#endif // TARN_DEVICE_H
