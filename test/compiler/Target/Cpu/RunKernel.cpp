//===- RunKernel.cpp - compile a tile kernel and run it -------------------===//

#include "test/compiler/Target/Cpu/RunKernel.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/APSInt.h"

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace mlir;
using namespace tarn;
using namespace tarn::cpu;
using namespace tarn::cpu::test;

LoadedKernel::LoadedKernel(tile::KernelOp kernel, const Isa &isa) {
  FailureOr<CompiledKernels> compiled = compileKernels(kernel, isa);
  if (failed(compiled)) {
    message = "compilation failed";
    return;
  }
  description = compiled->kernels[0];
  char path[] = "/tmp/tarn-kernel-XXXXXX";
  int fd = mkstemp(path);
  if (fd < 0 || write(fd, compiled->object.data(), compiled->object.size()) !=
                    ssize_t(compiled->object.size()))
    message = "cannot write the shared object";
  close(fd);
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  unlink(path);
  if (!library) {
    message = dlerror();
    return;
  }
  function = reinterpret_cast<Function>(
      dlsym(library, kernel.getSymName().str().c_str()));
  if (!function)
    message = "the kernel's symbol is missing";
}

LoadedKernel::~LoadedKernel() {
  if (library)
    dlclose(library);
}

void LoadedKernel::run(const std::vector<void *> &buffers) const {
  void *scratch = std::aligned_alloc(64, description.scratchBytes + 64);
  // Nothing may depend on what a thread did before.
  std::memset(scratch, 0xff, description.scratchBytes + 64);
  for (int64_t block = 0; block != description.blocks; ++block)
    function(buffers.data(), block, scratch);
  std::free(scratch);
}

static constexpr size_t guardBytes = 256;
static constexpr unsigned char guardByte = 0xa5;

RawBuffer::RawBuffer(Type elementType, const std::vector<double> &numbers)
    : type(elementType), count(numbers.size()) {
  int64_t width = type.isInteger(1) ? 1 : type.getIntOrFloatBitWidth() / 8;
  bytes = count * width;
  storage.assign(bytes + 2 * guardBytes + 64, guardByte);
  start = guardBytes;
  while (reinterpret_cast<uintptr_t>(&storage[start]) % 64)
    ++start;
  for (int64_t i = 0; i != count; ++i) {
    unsigned char *at = &storage[start + i * width];
    if (auto floats = dyn_cast<FloatType>(type)) {
      llvm::APFloat value(numbers[i]);
      bool loses;
      value.convert(floats.getFloatSemantics(),
                    llvm::APFloat::rmNearestTiesToEven, &loses);
      uint64_t bits = value.bitcastToAPInt().getZExtValue();
      std::memcpy(at, &bits, width);
    } else {
      int64_t value = int64_t(numbers[i]);
      std::memcpy(at, &value, width);
    }
  }
}

void *RawBuffer::data() { return &storage[start]; }

std::vector<double> RawBuffer::numbers() const {
  std::vector<double> result(count);
  int64_t width = count ? bytes / count : 1;
  for (int64_t i = 0; i != count; ++i) {
    uint64_t bits = 0;
    std::memcpy(&bits, &storage[start + i * width], width);
    if (auto floats = dyn_cast<FloatType>(type)) {
      llvm::APFloat value(floats.getFloatSemantics(),
                          llvm::APInt(floats.getWidth(), bits));
      bool loses;
      value.convert(llvm::APFloat::IEEEdouble(),
                    llvm::APFloat::rmNearestTiesToEven, &loses);
      result[i] = value.convertToDouble();
    } else {
      result[i] = width == 4 ? int32_t(bits) : double(int64_t(bits));
    }
  }
  return result;
}

bool RawBuffer::intact() const {
  for (size_t i = 0; i != storage.size(); ++i)
    if ((i < start || i >= start + bytes) && storage[i] != guardByte)
      return false;
  return true;
}

std::vector<const Isa *> tarn::cpu::test::runnableIsas() {
  std::vector<const Isa *> found;
  for (const char *name : {"x86-64-v3", "x86-64-v4", "x86-64-v4+bf16"}) {
    found.push_back(lookupIsa(name));
    if (found.back() == &hostIsa())
      break;
  }
  return found;
}
