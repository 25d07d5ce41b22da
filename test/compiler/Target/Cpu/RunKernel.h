//===- RunKernel.h - compile a tile kernel and run it -----------*- C++ -*-===//

#ifndef TEST_COMPILER_TARGET_CPU_RUNKERNEL_H
#define TEST_COMPILER_TARGET_CPU_RUNKERNEL_H

#include "compiler/Target/Cpu/CpuTarget.h"

#include <string>
#include <vector>

namespace tarn::cpu::test {

/// A compiled kernel, loaded into this process.
class LoadedKernel {
public:
  /// Compiles and loads; `error()` is not empty when that failed.
  LoadedKernel(tile::KernelOp kernel, const Isa &isa);
  ~LoadedKernel();
  LoadedKernel(const LoadedKernel &) = delete;

  const std::string &error() const { return message; }
  const KernelInfo &info() const { return description; }
  /// Runs all blocks on raw buffers.
  void run(const std::vector<void *> &buffers) const;

private:
  using Function = void (*)(void *const *, int64_t, void *);
  std::string message;
  KernelInfo description;
  void *library = nullptr;
  Function function = nullptr;
};

/// Bytes of `numbers` as elements of `type`, 64-byte aligned with a guard of
/// garbage before and after that `intact` checks.
class RawBuffer {
public:
  RawBuffer(mlir::Type elementType, const std::vector<double> &numbers);
  void *data();
  /// Bytes of the elements.
  size_t size() const { return size_t(bytes); }
  /// The elements, as doubles.
  std::vector<double> numbers() const;
  /// Nothing was written outside.
  bool intact() const;

private:
  mlir::Type type;
  int64_t count, bytes;
  std::vector<unsigned char> storage;
  size_t start = 0;
};

/// Levels that this machine can run.
std::vector<const Isa *> runnableIsas();

} // namespace tarn::cpu::test

#endif // TEST_COMPILER_TARGET_CPU_RUNKERNEL_H
