//===- CudaProgram.cpp - A function's program on a GPU --------------------===//

#include "runtime/CudaProgram.h"

#include <algorithm>

using namespace tarn::rt;

/// Operations of an unrolled program: each is a node of the graph, which takes
/// memory of the driver's.
static constexpr size_t operationsLimit = size_t(1) << 20;

Result<std::unique_ptr<CudaProgram>>
CudaProgram::create(const Gpu &gpu, const CudaCode &code,
                    const CudaLibrary &library, const Target &target,
                    const Function &function, const CudaBases &bases,
                    const CudaStreams &streams) {
  std::unique_ptr<CudaProgram> program(
      new CudaProgram(gpu, code, library, target, streams));
  Status status = program->newEvent(program->forkEvent);
  if (status.ok())
    status = program->bind(function.program, bases, 0);
  if (!status.ok())
    return status.code() == Code::OutOfMemory
               ? status
               : status.within("function `" + function.name + "`");
  program->mapOf.clear();
  for (const Param &param : program->params)
    program->paramPointers.push_back(
        param.isMap ? static_cast<void *>(&program->maps[param.index])
                    : static_cast<void *>(&program->addresses[param.index]));
  return Result<std::unique_ptr<CudaProgram>>(std::move(program));
}

Status CudaProgram::newEvent(size_t &index) {
  void *event = nullptr;
  if (int error = gpu.driver().eventCreate(&event, eventDisableTiming))
    return gpu.failed("cannot create an event", error);
  index = events.size();
  events.emplace_back(event, CudaDestroy{gpu.driver().eventDestroy});
  return {};
}

static CudaAddress place(const CudaBases &bases, const Slice &slice,
                         uint64_t iteration) {
  CudaAddress base = bases[static_cast<unsigned>(slice.space)];
  // An empty space has no memory; only empty slices lie in it.
  return base ? base + slice.offset + slice.stride * iteration : 0;
}

Status CudaProgram::bind(const std::vector<Op> &ops, const CudaBases &bases,
                         uint64_t iteration) {
  for (const Op &op : ops) {
    if (op.kind == Op::Kind::Repeat) {
      for (int64_t n = 0; n < op.count; ++n)
        if (Status status = bind(op.body, bases, static_cast<uint64_t>(n));
            !status.ok())
          return status;
      continue;
    }
    if (steps.size() == operationsLimit)
      return Status(Code::Unsupported,
                    "more than " + std::to_string(operationsLimit) +
                        " operations with its repeats unrolled are too many "
                        "for a graph; fewer micro-batches make it shorter");
    Step step{&op};
    Status status;
    switch (op.kind) {
    case Op::Kind::Launch:
      status = bindLaunch(op, bases, iteration, step);
      break;
    case Op::Kind::CopyStart:
      // A token's turns follow each other, each waited for before the next.
      if (auto [known, isNew] = eventOf.try_emplace(op.tokens.front()); isNew)
        status = newEvent(known->second);
      step.event = eventOf.at(op.tokens.front());
      [[fallthrough]];
    case Op::Kind::Copy:
      step.to = place(bases, op.to, iteration);
      step.from = place(bases, op.from, iteration);
      if (op.bytes && step.to < step.from + op.bytes &&
          step.from < step.to + op.bytes)
        status = Status(Code::Invalid, "a copy onto itself, of " +
                                           std::to_string(op.bytes) +
                                           " bytes; a GPU has no such copies");
      break;
    case Op::Kind::Fill:
      step.to = place(bases, op.to, iteration);
      break;
    case Op::Kind::Wait:
    case Op::Kind::Repeat:
      break;
    }
    if (!status.ok())
      return status;
    steps.push_back(step);
  }
  return {};
}

Status CudaProgram::bindLaunch(const Op &op, const CudaBases &bases,
                               uint64_t iteration, Step &step) {
  const Kernel &kernel = target.kernels[op.kernel];
  if (kernel.library) {
    step.firstParam = addresses.size();
    for (const Slice &slice : op.args)
      addresses.push_back(place(bases, slice, iteration));
    return {};
  }
  step.firstParam = params.size();
  for (const KernelParam &param : kernel.params) {
    if (!param.table.empty()) {
      // The driver copies the words from the first one on.
      params.push_back({false, addresses.size()});
      for (const TableWord &word : param.table)
        addresses.push_back(word.isAddress
                                ? place(bases, op.args[word.value], iteration)
                                : word.value);
      continue;
    }
    CudaAddress address = place(bases, op.args[param.buffer], iteration);
    if (!param.map) {
      params.push_back({false, addresses.size()});
      addresses.push_back(address);
      continue;
    }
    auto [known, isNew] =
        mapOf.try_emplace({&*param.map, address}, maps.size());
    if (isNew) {
      maps.emplace_back();
      if (Status status = encode(*param.map, address, maps.back());
          !status.ok())
        return status.within("kernel `" + kernel.symbol + "`");
    }
    params.push_back({true, known->second});
  }
  return {};
}

Status CudaProgram::encode(const TensorMapDesc &map, CudaAddress address,
                           CudaTensorMap &out) const {
  if (!gpu.driver().tensorMapEncodeTiled)
    return Status(Code::Unsupported, "the CUDA driver makes no tensor maps; "
                                     "one of CUDA 12 or later is needed");
  // CUtensorMapDataType, by DType.
  static constexpr int types[dtypeCount] = {11, 9, 6, 8, 3, 5, 0, 0};
  int swizzle = map.swizzle == 128  ? 3
                : map.swizzle == 64 ? 2
                : map.swizzle == 32 ? 1
                                    : 0;
  constexpr int noInterleave = 0, promoteL2To128 = 2, zeroFill = 0;
  std::vector<uint32_t> steps(map.sizes.size(), 1);
  int error = gpu.driver().tensorMapEncodeTiled(
      &out, types[static_cast<unsigned>(map.dtype)],
      static_cast<uint32_t>(map.sizes.size()),
      reinterpret_cast<void *>(address), map.sizes.data(), map.strides.data(),
      map.box.data(), steps.data(), noInterleave, swizzle, promoteL2To128,
      zeroFill);
  return error ? gpu.failed("cannot encode a tensor map", error) : Status();
}

int CudaProgram::launchKernel(const Step &step) const {
  const Kernel &kernel = target.kernels[step.op->kernel];
  if (kernel.library) {
    int status =
        library.run(step.op->kernel, addresses.data() + step.firstParam, main);
    return status ? cudaFirstLibraryError + status : cudaOk;
  }
  CudaLaunchConfig config;
  int64_t blocks = step.op->blocks;
  if (kernel.persistent)
    blocks = std::min<int64_t>(blocks, gpu.multiprocessors());
  config.gridX = static_cast<unsigned>(blocks);
  config.blockX = kernel.threads;
  config.sharedBytes = kernel.shared;
  config.stream = main;
  CudaLaunchAttribute cluster;
  if (kernel.cluster > 1) {
    cluster.value[0] = kernel.cluster;
    cluster.value[1] = cluster.value[2] = 1;
    config.attributes = &cluster;
    config.attributeCount = 1;
  }
  return gpu.driver().launchKernelEx(
      &config, code.kernel(step.op->kernel),
      const_cast<void **>(paramPointers.data()) + step.firstParam, nullptr);
}

int CudaProgram::issueStep(const Step &step) const {
  const CudaDriver &driver = gpu.driver();
  const Op &op = *step.op;
  switch (op.kind) {
  case Op::Kind::Launch:
    return op.blocks ? launchKernel(step) : cudaOk;
  case Op::Kind::Copy:
    return op.bytes ? driver.memcpyAsync(step.to, step.from, op.bytes, main)
                    : cudaOk;
  case Op::Kind::Fill:
    return op.bytes ? driver.memsetD8Async(step.to, op.value, op.bytes, main)
                    : cudaOk;
  case Op::Kind::CopyStart: {
    // Forks from the kernels' stream; the wait joins.
    void *beside = op.to.space == Space::Host ? streams.toHost.get()
                                              : streams.others.get();
    void *fork = events[forkEvent].get(), *done = events[step.event].get();
    int error = driver.eventRecord(fork, main);
    if (!error)
      error = driver.streamWaitEvent(beside, fork, 0);
    if (!error && op.bytes)
      error = driver.memcpyAsync(step.to, step.from, op.bytes, beside);
    if (!error)
      error = driver.eventRecord(done, beside);
    return error;
  }
  case Op::Kind::Wait:
    for (uint32_t token : op.tokens)
      if (int error =
              driver.streamWaitEvent(main, events[eventOf.at(token)].get(), 0))
        return error;
    return cudaOk;
  case Op::Kind::Repeat:
    break;
  }
  return cudaOk;
}

int CudaProgram::issue(const std::function<int(size_t)> &after,
                       size_t &failedAt) const {
  for (size_t i = 0; i < steps.size(); ++i) {
    int error = issueStep(steps[i]);
    if (!error && after)
      error = after(i);
    if (error) {
      failedAt = i;
      return error;
    }
  }
  return cudaOk;
}

Status CudaProgram::capture() {
  if (graph)
    return {};
  const CudaDriver &driver = gpu.driver();
  if (int error = driver.streamBeginCapture(main, captureThreadLocal))
    return gpu.failed("cannot begin to capture a step", error);
  size_t failedAt = 0;
  int error = issue(nullptr, failedAt);
  void *captured = nullptr, *executable = nullptr;
  int ended = driver.streamEndCapture(main, &captured);
  CudaHandle owner(captured, CudaDestroy{driver.graphDestroy});
  if (error)
    return gpu.failed("cannot capture operation " + std::to_string(failedAt) +
                          " of " + std::to_string(steps.size()),
                      error);
  if (ended)
    return gpu.failed("cannot capture a step", ended);
  if (int failed = driver.graphInstantiate(&executable, captured, 0))
    return gpu.failed("cannot make a graph of " + std::to_string(steps.size()) +
                          " operations",
                      failed);
  graph = CudaHandle(executable, CudaDestroy{driver.graphExecDestroy});
  // Uploaded now, so that the first step takes no longer than the others.
  if (int failed = driver.graphUpload(executable, main)) {
    graph.reset();
    return gpu.failed("cannot upload a graph", failed);
  }
  return {};
}
