//===- Hooks.cpp - what instrumented kernels call -------------------------===//
//
// `-fsanitize=thread` makes clang call these for each access, and the checks of
// `-fsanitize=alignment,...` end here too (renamed by the linker, so that the
// compiler's own runtime does not take them). No sanitizer's runtime takes
// part: CUDA threads are fibers, and what orders them only the model knows.
//
//===----------------------------------------------------------------------===//

#include "test/gpu/host_model/Block.h"
#include "test/gpu/host_model/Checker.h"

#include <cstring>

using namespace tarn::gpu;

static inline void note(const void *address, uint32_t bytes, bool isWrite,
                        const void *code) {
  if (block && fiber && block->checker)
    block->checker->access(address, bytes, isWrite, code);
}

#define TARN_HOOKS(bytes)                                                      \
  void __tsan_read##bytes(void *p) {                                           \
    note(p, bytes, false, __builtin_return_address(0));                        \
  }                                                                            \
  void __tsan_write##bytes(void *p) {                                          \
    note(p, bytes, true, __builtin_return_address(0));                         \
  }                                                                            \
  void __tsan_unaligned_read##bytes(void *p) {                                 \
    note(p, bytes, false, __builtin_return_address(0));                        \
  }                                                                            \
  void __tsan_unaligned_write##bytes(void *p) {                                \
    note(p, bytes, true, __builtin_return_address(0));                         \
  }

extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void *) {}
void __tsan_func_exit() {}
TARN_HOOKS(1)
TARN_HOOKS(2)
TARN_HOOKS(4)
TARN_HOOKS(8)
TARN_HOOKS(16)

void __tsan_read_range(void *p, uintptr_t bytes) {
  note(p, bytes, false, __builtin_return_address(0));
}
void __tsan_write_range(void *p, uintptr_t bytes) {
  note(p, bytes, true, __builtin_return_address(0));
}
void *__tsan_memcpy(void *to, const void *from, uintptr_t bytes) {
  note(from, bytes, false, __builtin_return_address(0));
  note(to, bytes, true, __builtin_return_address(0));
  return memcpy(to, from, bytes);
}
void *__tsan_memmove(void *to, const void *from, uintptr_t bytes) {
  note(from, bytes, false, __builtin_return_address(0));
  note(to, bytes, true, __builtin_return_address(0));
  return memmove(to, from, bytes);
}
void *__tsan_memset(void *to, int value, uintptr_t bytes) {
  note(to, bytes, true, __builtin_return_address(0));
  return memset(to, value, bytes);
}

/// What every report of the compiler's checks begins with.
struct CheckedPlace {
  const char *file;
  uint32_t line, column;
};

static void noteCheck(const CheckedPlace *place, const char *what) {
  if (block && fiber)
    fault(what, place->line);
}

void __wrap___ubsan_handle_type_mismatch_v1(CheckedPlace *place, uintptr_t) {
  // The host might not survive it either.
  if (block && fiber)
    fatalFault("an access that is not aligned to its size", place->line);
}
void __wrap___ubsan_handle_out_of_bounds(CheckedPlace *place, uintptr_t) {
  if (block && fiber)
    fatalFault("an index outside of a thread's array", place->line);
}
void __wrap___ubsan_handle_shift_out_of_bounds(CheckedPlace *place, uintptr_t,
                                               uintptr_t) {
  noteCheck(place, "a shift by more than the number has bits");
}
void __wrap___ubsan_handle_add_overflow(CheckedPlace *place, uintptr_t,
                                        uintptr_t) {
  noteCheck(place, "an overflow of a sum of signed integers");
}
void __wrap___ubsan_handle_sub_overflow(CheckedPlace *place, uintptr_t,
                                        uintptr_t) {
  noteCheck(place, "an overflow of a difference of signed integers");
}
void __wrap___ubsan_handle_mul_overflow(CheckedPlace *place, uintptr_t,
                                        uintptr_t) {
  noteCheck(place, "an overflow of a product of signed integers");
}
}
