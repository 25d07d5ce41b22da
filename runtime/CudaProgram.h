//===- CudaProgram.h - A function's program on a GPU -----------*- C++ -*-===//
#ifndef TARN_RUNTIME_CUDAPROGRAM_H
#define TARN_RUNTIME_CUDAPROGRAM_H

#include "runtime/CudaCode.h"
#include "runtime/CudaLibrary.h"
#include "runtime/Device.h"

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace tarn::rt {

/// Where kernels run, and the copies beside them: out to the host space, and
/// all others.
struct CudaStreams {
  CudaHandle main, toHost, others;
};

/// Where each space begins, by Space.
using CudaBases = std::array<CudaAddress, spaceCount>;

/// The operations of a function, repeats unrolled, with every address and
/// every tensor map worked out; as one graph, so that a run is one launch.
class CudaProgram {
public:
  /// Binds a validated function.
  static Result<std::unique_ptr<CudaProgram>>
  create(const Gpu &gpu, const CudaCode &code, const CudaLibrary &library,
         const Target &target, const Function &function, const CudaBases &bases,
         const CudaStreams &streams);

  /// Captures the graph and uploads it, unless that was done.
  Status capture();
  /// Queues a run of the graph.
  int launch() { return gpu.driver().graphLaunch(graph.get(), main); }

  /// Queues a run as single operations. After each of them calls `after` (may
  /// be null) with its number; stops at the first result that is not 0. With a
  /// driver's error, `failedAt` is the operation.
  int issue(const std::function<int(size_t)> &after, size_t &failedAt) const;

  size_t operations() const { return steps.size(); }
  /// The operation in the manifest.
  const Op &operation(size_t index) const { return *steps[index].op; }

private:
  /// An operation of the unrolled program.
  struct Step {
    const Op *op;
    CudaAddress to = 0, from = 0;
    size_t firstParam = 0; ///< of a launch; of a library's: first address
    size_t event = 0;      ///< of a start
  };

  CudaProgram(const Gpu &gpu, const CudaCode &code, const CudaLibrary &library,
              const Target &target, const CudaStreams &streams)
      : gpu(gpu), code(code), library(library), target(target),
        main(streams.main.get()), streams(streams) {}
  Status bind(const std::vector<Op> &ops, const CudaBases &bases,
              uint64_t iteration);
  Status bindLaunch(const Op &op, const CudaBases &bases, uint64_t iteration,
                    Step &step);
  Status encode(const TensorMapDesc &map, CudaAddress address,
                CudaTensorMap &out) const;
  Status newEvent(size_t &index);
  int issueStep(const Step &step) const;
  int launchKernel(const Step &step) const;

  const Gpu &gpu;
  const CudaCode &code;
  const CudaLibrary &library;
  const Target &target;
  void *main;
  const CudaStreams &streams;

  std::vector<Step> steps;
  /// A parameter is an address or a map; both stay where they are, since
  /// launches get pointers to them.
  struct Param {
    bool isMap = false;
    size_t index = 0;
  };
  std::vector<Param> params;
  std::vector<CudaAddress> addresses;
  std::vector<CudaTensorMap> maps;
  std::map<std::pair<const TensorMapDesc *, CudaAddress>, size_t> mapOf;
  std::vector<void *> paramPointers;
  std::vector<CudaHandle> events;
  std::map<uint32_t, size_t> eventOf; ///< by token
  size_t forkEvent = 0;
  CudaHandle graph; ///< instantiated
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_CUDAPROGRAM_H
