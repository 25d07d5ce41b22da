//===- CudaLibrary.h - A target's products by cuBLASLt ----------*- C++ -*-===//
#ifndef TARN_RUNTIME_CUDALIBRARY_H
#define TARN_RUNTIME_CUDALIBRARY_H

#include "runtime/CublasLt.h"
#include "runtime/Device.h"
#include "runtime/Gpu.h"

#include <memory>
#include <string>
#include <vector>

namespace tarn::rt {

/// The kernels of a target that a library runs, described to it once, each with
/// the algorithm that it runs by. The library sees column-major matrices: the
/// transpose of our result, as the product of the transposes.
class CudaLibrary {
public:
  /// Without such kernels it asks for no library, and candidates (TuneEntry)
  /// are left out where there is none. `notes` gets a line for that, and for
  /// what was measured elsewhere and is chosen anew here.
  static Result<std::unique_ptr<CudaLibrary>>
  load(const Gpu &gpu, const Target &target, std::vector<std::string> &notes);

  /// Queues a kernel on a stream, with the addresses of its arguments. Returns
  /// the library's status.
  int run(size_t kernel, const CudaAddress *arguments, void *stream) const;

  /// 0 where none is loaded.
  uint64_t version() const { return lt ? lt->version : 0; }
  /// See Device.h.
  Result<std::vector<LibraryAlgorithm>> algorithms(size_t kernel) const;
  void use(size_t kernel, const LibraryAlgorithm &algorithm);

private:
  explicit CudaLibrary(const Target &target) : target(target) {}
  /// A product as the library knows it.
  struct Call {
    CudaHandle matmul, a, b, d;
    CublasAlgorithm algorithm;
  };
  Status start();
  Status describe(size_t kernel);
  Result<CudaHandle> layout(const Kernel &kernel, const LibraryMatrix &matrix,
                            uint64_t rows, uint64_t columns) const;
  Status choose(const Gpu &gpu, size_t kernel, std::vector<std::string> &notes);
  Result<std::vector<CublasChoice>> choices(size_t kernel) const;

  const Target &target;
  const CublasLt *lt = nullptr;
  CudaHandle handle;
  std::vector<Call> calls; ///< by kernel; empty for those of images
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_CUDALIBRARY_H
