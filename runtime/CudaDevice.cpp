//===- CudaDevice.cpp - A GPU as a device ---------------------------------===//

#include "runtime/CudaDevice.h"

#include "runtime/Lives.h"

#include <algorithm>
#include <chrono>
#include <cstring>

using namespace tarn::rt;

Result<std::unique_ptr<Device>>
CudaDevice::create(std::unique_ptr<Gpu> gpu, const Model &model,
                   const Target &target, Accounts &accounts, bool oneByOne) {
  std::unique_ptr<CudaDevice> device(
      new CudaDevice(std::move(gpu), model, target, accounts, oneByOne));
  if (Status status = device->load(); !status.ok())
    return status;
  return Result<std::unique_ptr<Device>>(std::move(device));
}

Status CudaDevice::load() {
  const CudaDriver &driver = gpu->driver();
  Result<CudaCode> loaded =
      CudaCode::load(*gpu, target, model.artifact().section(target.code));
  if (!loaded.ok())
    return loaded.status();
  code = loaded.take();
  Result<std::unique_ptr<CudaLibrary>> products =
      CudaLibrary::load(*gpu, target, said);
  if (!products.ok())
    return products.status();
  library = products.take();
  for (CudaHandle *stream : {&streams.main, &streams.toHost, &streams.others}) {
    void *made = nullptr;
    if (int error = driver.streamCreate(&made, streamNonBlocking, 0))
      return gpu->failed("cannot create a stream", error);
    *stream = CudaHandle(made, CudaDestroy{driver.streamDestroy});
  }
  for (CudaHandle &event : done) {
    void *made = nullptr;
    if (int error = driver.eventCreate(&made, eventDisableTiming))
      return gpu->failed("cannot create an event", error);
    event = CudaHandle(made, CudaDestroy{driver.eventDestroy});
  }
  programs.resize(target.functions.size());
  return {};
}

DeviceVersions CudaDevice::versions() const {
  DeviceVersions versions;
  versions.architecture = gpu->architectures().front();
  gpu->driver().driverGetVersion(&versions.driver);
  versions.library = library->version();
  return versions;
}

CudaDevice::~CudaDevice() {
  gpu->enter();
  // Nothing goes while it is in use.
  for (CudaHandle *stream : {&streams.main, &streams.toHost, &streams.others})
    if (*stream)
      gpu->driver().streamSynchronize(stream->get());
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

Result<CudaProgram *> CudaDevice::program(size_t index) {
  std::unique_ptr<CudaProgram> &held = programs[index];
  if (!held) {
    CudaBases bases;
    for (unsigned i = 0; i < spaceCount; ++i)
      bases[i] = spaces[i].address();
    Result<std::unique_ptr<CudaProgram>> made = CudaProgram::create(
        *gpu, code, *library, target, target.functions[index], bases, streams);
    if (!made.ok())
      return made.status();
    held = made.take();
  }
  return held.get();
}

Status CudaDevice::start(size_t index, const void *const *inputs,
                         Profile *profile) {
  if (!dead.ok())
    return dead;
  gpu->enter();
  const CudaDriver &driver = gpu->driver();
  const Function &function = target.functions[index];
  // The run that had this slot is finished: its pinned memory is free.
  unsigned slot = nextSlot;
  void *main = streams.main.get();
  for (size_t i = 0; i < function.inputs.size(); ++i)
    if (const TensorDesc &input = function.inputs[i]; input.bytes)
      std::memcpy(staging.data() + inputAt(slot) + input.offset, inputs[i],
                  input.bytes);
  int error = cudaOk;
  if (function.inputBytes)
    error = driver.memcpyAsync(base(Space::Input),
                               staging.address() + inputAt(slot),
                               function.inputBytes, main);
  if (error)
    return faulted(index, error);
  Status status = queueRun(index, profile);
  if (!status.ok()) {
    // The slot is used again: no copy out of it may be on its way.
    driver.streamSynchronize(main);
    return status;
  }
  if (function.outputBytes)
    error = driver.memcpyAsync(staging.address() + outputAt(slot),
                               base(Space::Output), function.outputBytes, main);
  if (!error)
    error = driver.eventRecord(done[slot].get(), main);
  if (error)
    return faulted(index, error);
  running.push_back(slot);
  nextSlot = (slot + 1) % slotCount;
  return {};
}

Status CudaDevice::queueRun(size_t index, Profile *profile) {
  if (oneByOne || poison || profile)
    return runSingly(index, poison ? nullptr : profile);
  Result<CudaProgram *> program = this->program(index);
  if (!program.ok())
    return program.status();
  if (Status status = (*program)->capture(); !status.ok())
    return status;
  if (int error = (*program)->launch())
    return faulted(index, error);
  return {};
}

Status CudaDevice::finish(size_t index, void *const *outputs) {
  unsigned slot = running.front();
  running.pop_front();
  if (!dead.ok())
    return dead;
  gpu->enter();
  if (int error = gpu->driver().eventSynchronize(done[slot].get()))
    return faulted(index, error);
  const Function &function = target.functions[index];
  if (outputs)
    for (size_t i = 0; i < function.outputs.size(); ++i)
      if (const TensorDesc &output = function.outputs[i];
          outputs[i] && output.bytes)
        std::memcpy(outputs[i], staging.data() + outputAt(slot) + output.offset,
                    output.bytes);
  return {};
}

//===----------------------------------------------------------------------===//
// Runs that are looked at: operation by operation
//===----------------------------------------------------------------------===//

static uint64_t nanosecondsNow() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(
          std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

Status CudaDevice::runSingly(size_t index, Profile *profile) {
  const CudaDriver &driver = gpu->driver();
  Result<CudaProgram *> made = program(index);
  if (!made.ok())
    return made.status();
  const CudaProgram &program = **made;
  void *main = streams.main.get();
  auto waitForAll = [&] {
    int error = driver.streamSynchronize(main);
    for (const CudaHandle *stream : {&streams.toHost, &streams.others})
      if (!error)
        error = driver.streamSynchronize(stream->get());
    return error;
  };
  const Function &function = target.functions[index];
  std::optional<Lives> lives;
  Status poisoned;
  if (poison) {
    lives.emplace(function);
    for (Space space : {Space::Arena, Space::Host, Space::Output})
      if (poisoned.ok())
        poisoned =
            poisonRange(base(space), space, 0, function.spaceBytes(space));
  }
  if (!poisoned.ok())
    return poisoned;
  while (profile && marks.size() <= program.operations()) {
    void *event = nullptr;
    if (int error = driver.eventCreate(&event, 0))
      return gpu->failed("cannot create an event", error);
    marks.emplace_back(event, CudaDestroy{driver.eventDestroy});
  }
  uint64_t since = nanosecondsNow();
  int error = profile ? driver.eventRecord(marks[0].get(), main) : cudaOk;
  auto after = [&](size_t done) {
    int error = cudaOk;
    if (profile)
      error = driver.eventRecord(marks[done + 1].get(), main);
    if (oneByOne && !error)
      error = waitForAll();
    if (lives && !error) {
      lives->finishStep([&](Space space, uint64_t begin, uint64_t end) {
        // State is kept, outputs are the caller's, constants are nobody's.
        if (poisoned.ok() && (space == Space::Arena || space == Space::Host ||
                              space == Space::Input))
          poisoned = poisonRange(base(space), space, begin, end - begin);
      });
    }
    return error;
  };
  size_t failedAt = 0;
  if (!error)
    error = program.issue(after, failedAt);
  if (error && oneByOne)
    return die(describeStep(index, program, failedAt) + " failed on", error);
  if (!error && profile)
    error = waitForAll();
  if (error)
    return faulted(index, error);
  if (profile) {
    ++profile->steps.launches;
    profile->steps.nanoseconds += nanosecondsNow() - since;
    return addProfile(program, *profile);
  }
  return poisoned;
}

Status CudaDevice::addProfile(const CudaProgram &program, Profile &profile) {
  for (size_t i = 0; i < program.operations(); ++i) {
    float milliseconds = 0;
    if (int error = gpu->driver().eventElapsedTime(
            &milliseconds, marks[i].get(), marks[i + 1].get()))
      return gpu->failed("cannot measure", error);
    const Op &op = program.operation(i);
    KernelTime &time = op.kind == Op::Kind::Launch ? profile.kernels[op.kernel]
                                                   : profile.moves;
    ++time.launches;
    time.nanoseconds += static_cast<uint64_t>(milliseconds * 1e6);
  }
  return {};
}

Status CudaDevice::setDebug(bool on, GuardSide guard) {
  if (guard != GuardSide::None)
    return Status(Code::Unsupported,
                  "guards watch kernels on processors (TARN_ISA=cpu); on a GPU "
                  "`compute-sanitizer` does that");
  poison = on;
  return {};
}

/// Poison, in the order of the kernels' stream.
Status CudaDevice::poisonRange(CudaAddress from, Space space, uint64_t offset,
                               uint64_t bytes) {
  const CudaDriver &driver = gpu->driver();
  void *main = streams.main.get();
  int error = cudaOk;
  if (space == Space::Host) {
    error = driver.streamSynchronize(main);
    if (!error && bytes)
      poisonBytes(spaces[unsigned(space)].data() + offset, bytes);
  } else {
    if (bytes > 1)
      error =
          driver.memsetD16Async(from + offset, poisonPattern, bytes / 2, main);
    if (!error && bytes % 2)
      error = driver.memsetD8Async(from + offset + bytes - 1,
                                   poisonPattern & 0xFF, 1, main);
  }
  return waitFor(error, "cannot write to");
}

//===----------------------------------------------------------------------===//
// Faults
//===----------------------------------------------------------------------===//

std::string CudaDevice::describeStep(size_t function,
                                     const CudaProgram &program,
                                     size_t index) const {
  const Op &op = program.operation(index);
  std::string text;
  int64_t location = op.location;
  if (op.kind == Op::Kind::Launch) {
    const Kernel &kernel = target.kernels[op.kernel];
    if (location < 0)
      location = kernel.location;
    text = "kernel `" + kernel.name + "`";
  } else {
    text = op.kind == Op::Kind::Fill ? "a fill" : "a copy";
  }
  text += ", operation " + std::to_string(index + 1) + " of " +
          std::to_string(program.operations()) + " of `" +
          target.functions[function].name + "`,";
  if (location < 0)
    return text;
  const Location &place =
      model.manifest().locations[static_cast<size_t>(location)];
  return place.file + ":" + std::to_string(place.line) + ":" +
         std::to_string(place.column) + ": " + text;
}

/// A run failed, and a graph does not say where. If the device still answers,
/// the operations are run again one by one to find out; most faults of kernels
/// end the context for good.
Status CudaDevice::faulted(size_t function, int error) {
  const CudaDriver &driver = gpu->driver();
  void *main = streams.main.get();
  std::string where, how;
  if (driver.streamSynchronize(main) == cudaOk) {
    Result<CudaProgram *> again = program(function);
    size_t failedAt = 0;
    auto wait = [&](size_t) { return driver.streamSynchronize(main); };
    if (again.ok())
      if (int found = (*again)->issue(wait, failedAt)) {
        error = found;
        where = describeStep(function, **again, failedAt);
        how = "; found by running the step again, one by one";
      }
  }
  if (where.empty()) {
    where = "a kernel or a copy of `" + target.functions[function].name + "`";
    how = "; which one cannot be told now, TARN_ONE_BY_ONE=1 tells it";
  }
  return die(where + " failed on", error, how);
}

/// The device cannot be used any more.
Status CudaDevice::die(const std::string &what, int error,
                       const std::string &how) {
  dead = Status(Code::Io, what + " " + gpu->describe() + ": " +
                              gpu->driver().describe(error) + how +
                              "; the state on the GPU is lost, checkpoints "
                              "are not");
  return dead;
}
