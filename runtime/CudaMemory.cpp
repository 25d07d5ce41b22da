//===- CudaMemory.cpp - The spaces of a GPU -------------------------------===//

#include "runtime/CudaDevice.h"

#include <algorithm>
#include <cstring>

using namespace tarn::rt;

/// Bytes that move between the host and a space at a time.
static constexpr uint64_t transferLimit = uint64_t(4) << 20;
/// What the driver may lose by rounding allocations up.
static constexpr uint64_t roundingLoss = uint64_t(32) << 20;

static uint64_t aligned(uint64_t bytes) { return (bytes + 255) / 256 * 256; }

static uint64_t at(const SpaceSizes &sizes, Space space) {
  return sizes[static_cast<unsigned>(space)];
}

uint64_t CudaDevice::besideBytes(const SpaceSizes &bytes) const {
  uint64_t largest =
      std::max(at(bytes, Space::State), at(bytes, Space::Constant));
  return slotCount * (aligned(at(bytes, Space::Input)) +
                      aligned(at(bytes, Space::Output))) +
         std::min(aligned(largest), transferLimit);
}

uint64_t CudaDevice::inputAt(unsigned slot) const {
  return slot * (aligned(spaces[unsigned(Space::Input)].size()) +
                 aligned(spaces[unsigned(Space::Output)].size()));
}

uint64_t CudaDevice::outputAt(unsigned slot) const {
  return inputAt(slot) + aligned(spaces[unsigned(Space::Input)].size());
}

/// The error of memory that the GPU, or the host, does not have.
Status CudaDevice::noMemory(Space space, uint64_t bytes, const SpaceSizes &all,
                            int error) const {
  if (error != cudaOutOfMemory)
    return gpu->failed(std::string("cannot allocate the ") + spaceName(space) +
                           " space of " + std::to_string(bytes) + " bytes",
                       error);
  if (space == Space::Host)
    return Status(Code::OutOfMemory,
                  "cannot pin " + std::to_string(bytes) +
                      " bytes of host memory for what the step parks there: " +
                      gpu->driver().describe(error) +
                      "; a limit on locked memory (ulimit -l) or of the "
                      "container may be in the way");
  Gpu::Memory memory = gpu->memory();
  uint64_t needed = 0, held = 0;
  for (unsigned i = 0; i < spaceCount; ++i)
    if (static_cast<Space>(i) != Space::Host) {
      needed += all[i];
      held += spaces[i].size();
    }
  constexpr uint64_t mib = uint64_t(1) << 20;
  uint64_t usable = memory.free + held;
  usable = usable > roundingLoss ? (usable - roundingLoss) / mib : 0;
  std::string text = "not enough memory on " + gpu->describe() + ": " +
                     std::to_string(needed) + " bytes needed (" +
                     std::to_string(at(all, Space::State)) +
                     " of them state), " + std::to_string(memory.free + held) +
                     " free of " + std::to_string(memory.total);
  if (usable * mib <= at(all, Space::State))
    return Status(Code::OutOfMemory,
                  text + "; the state alone does not fit beside what others "
                         "hold");
  return Status(Code::OutOfMemory,
                text + "; `tarn compile --budget " + std::to_string(usable) +
                    "MiB` makes a step that fits, if there is one");
}

Status CudaDevice::reserveStaging(const SpaceSizes &bytes) {
  uint64_t wanted = besideBytes(bytes);
  if (staging.size() == wanted)
    return {};
  staging = GpuBuffer();
  int error = cudaOk;
  staging = GpuBuffer::allocate(*gpu, GpuBuffer::Place::Pinned, wanted,
                                &accounts[spaceCount], error);
  return error ? noMemory(Space::Host, wanted, bytes, error) : Status();
}

void CudaDevice::emptyFunctionSpaces() {
  for (Space space : {Space::Arena, Space::Input, Space::Output, Space::Host})
    spaces[static_cast<unsigned>(space)] = GpuBuffer();
}

Status CudaDevice::resize(Space space, uint64_t bytes, const SpaceSizes &all) {
  unsigned i = static_cast<unsigned>(space);
  auto where = space == Space::Host ? GpuBuffer::Place::Pinned
                                    : GpuBuffer::Place::Device;
  int error = cudaOk;
  spaces[i] = GpuBuffer::allocate(*gpu, where, bytes, &accounts[i], error);
  if (error)
    return noMemory(space, bytes, all, error);
  if (!bytes)
    return {};
  if (space == Space::Host) {
    std::memset(spaces[i].data(), 0, bytes);
    return {};
  }
  if (space == Space::Constant)
    return write(space, 0, model.artifact().section("constants").data(), bytes);
  return clear(space, 0, bytes);
}

Status CudaDevice::reserve(const SpaceSizes &bytes) {
  if (!dead.ok())
    return dead;
  gpu->enter();
  bool changes = false;
  for (unsigned i = 0; i < spaceCount; ++i)
    changes |= spaces[i].size() != bytes[i];
  if (!changes && staging.size() == besideBytes(bytes))
    return {};
  Status status = waitFor(gpu->driver().streamSynchronize(streams.main.get()),
                          "cannot wait for");
  if (!status.ok())
    return status;
  for (std::unique_ptr<CudaProgram> &program : programs)
    program.reset(); // they hold addresses
  // What is kept before what comes and goes.
  std::vector<Space> changed;
  for (Space space : {Space::State, Space::Constant, Space::Arena, Space::Input,
                      Space::Output, Space::Host})
    if (spaces[unsigned(space)].size() != at(bytes, space)) {
      changed.push_back(space);
      spaces[unsigned(space)] = GpuBuffer();
    }
  status = reserveStaging(bytes);
  for (Space space : changed)
    if (status.ok())
      status = resize(space, at(bytes, space), bytes);
  if (status.ok())
    return status;
  emptyFunctionSpaces();
  SpaceSizes kept = {};
  for (Space space : {Space::State, Space::Constant})
    kept[unsigned(space)] = spaces[unsigned(space)].size();
  if (Status less = reserveStaging(kept); !less.ok() && dead.ok())
    dead = less;
  return status;
}

/// A call that waits, or asks for a copy, failed.
Status CudaDevice::waitFor(int error, const std::string &what) {
  return error ? die(what, error) : Status();
}

Status CudaDevice::read(Space space, uint64_t offset, void *to,
                        uint64_t bytes) {
  if (!dead.ok())
    return dead;
  gpu->enter();
  auto *out = static_cast<uint8_t *>(to);
  CudaAddress through = staging.address() + transferAt();
  for (uint64_t from = 0; from < bytes; from += transferLimit) {
    uint64_t piece = std::min(transferLimit, bytes - from);
    int error = gpu->driver().memcpyAsync(through, base(space) + offset + from,
                                          piece, streams.main.get());
    if (!error)
      error = gpu->driver().streamSynchronize(streams.main.get());
    if (error)
      return waitFor(error, "cannot read from");
    std::memcpy(out + from, staging.data() + transferAt(), piece);
  }
  return {};
}

Status CudaDevice::write(Space space, uint64_t offset, const void *from,
                         uint64_t bytes) {
  if (!dead.ok())
    return dead;
  gpu->enter();
  const auto *in = static_cast<const uint8_t *>(from);
  CudaAddress through = staging.address() + transferAt();
  for (uint64_t to = 0; to < bytes; to += transferLimit) {
    uint64_t piece = std::min(transferLimit, bytes - to);
    std::memcpy(staging.data() + transferAt(), in + to, piece);
    int error = gpu->driver().memcpyAsync(base(space) + offset + to, through,
                                          piece, streams.main.get());
    // The piece after it goes through the same memory.
    if (!error)
      error = gpu->driver().streamSynchronize(streams.main.get());
    if (error)
      return waitFor(error, "cannot write to");
  }
  return {};
}

Status CudaDevice::clear(Space space, uint64_t offset, uint64_t bytes) {
  if (!dead.ok())
    return dead;
  if (!bytes)
    return {};
  gpu->enter();
  return waitFor(gpu->driver().memsetD8Async(base(space) + offset, 0, bytes,
                                             streams.main.get()),
                 "cannot write to");
}
