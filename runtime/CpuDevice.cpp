//===- CpuDevice.cpp - The processors' cores as a device ------------------===//

#include "runtime/CpuDevice.h"

#include "runtime/Cpu.h"

#include <algorithm>
#include <cstring>

using namespace tarn::rt;

static uint64_t largestScratch(const Target &target) {
  uint64_t bytes = 0;
  for (const Kernel &kernel : target.kernels)
    bytes = std::max(bytes, kernel.scratch);
  return bytes;
}

static bool startsCopies(const std::vector<Op> &program) {
  return std::any_of(program.begin(), program.end(), [](const Op &op) {
    return op.kind == Op::Kind::CopyStart || startsCopies(op.body);
  });
}

static bool startsCopies(const Target &target) {
  return std::any_of(
      target.functions.begin(), target.functions.end(),
      [](const Function &function) { return startsCopies(function.program); });
}

Result<std::unique_ptr<Device>> CpuDevice::create(const Model &model,
                                                  const Target &target,
                                                  unsigned threads,
                                                  Accounts &accounts) {
  std::unique_ptr<CpuDevice> device(new CpuDevice(model, target, accounts));
  Status status = device->load();
  if (status.ok())
    status = device->setThreads(threads);
  if (!status.ok())
    return status;
  return Result<std::unique_ptr<Device>>(std::move(device));
}

Status CpuDevice::load() {
  Result<CodeImage> image =
      CodeImage::load(model.artifact().section(target.code));
  if (!image.ok())
    return image.status();
  code = image.take();
  for (const Kernel &kernel : target.kernels) {
    Result<KernelFunction> function = code.find(kernel.symbol);
    if (!function.ok())
      return function.status();
    kernels.push_back(*function);
  }
  programs.resize(target.functions.size());
  if (startsCopies(target)) {
    for (std::unique_ptr<CopyStream> *stream :
         {&streams.toHost, &streams.others}) {
      Result<std::unique_ptr<CopyStream>> made = CopyStream::create();
      if (!made.ok())
        return made.status();
      *stream = made.take();
    }
  }
  return {};
}

std::string CpuDevice::describe() const {
  return std::to_string(pool->threads()) + " threads";
}

void CpuDevice::forgetPrograms() {
  for (std::unique_ptr<Program> &program : programs)
    program.reset(); // they hold addresses
}

Status CpuDevice::reserve(const SpaceSizes &bytes) {
  for (unsigned i = 0; i < spaceCount; ++i) {
    if (spaces[i].size() == bytes[i])
      continue;
    forgetPrograms();
    spaces[i] = Buffer();
    auto space = static_cast<Space>(i);
    Result<Buffer> made = Buffer::allocate(
        bytes[i], (std::string("the ") + spaceName(space)).c_str(),
        &accounts[i]);
    if (!made.ok()) {
      for (Space own : {Space::Arena, Space::Input, Space::Output, Space::Host})
        spaces[static_cast<unsigned>(own)] = Buffer();
      return made.status();
    }
    spaces[i] = made.take();
    if (space == Space::Constant && bytes[i]) {
      std::memcpy(spaces[i].data(),
                  model.artifact().section("constants").data(), bytes[i]);
      spaces[i].protect();
    }
  }
  return {};
}

uint64_t CpuDevice::besideBytes(const SpaceSizes &) const {
  return Pool::scratchFor(pool->threads(), largestScratch(target));
}

Status CpuDevice::read(Space space, uint64_t offset, void *to, uint64_t bytes) {
  if (bytes)
    std::memcpy(to, data(space) + offset, bytes);
  return {};
}

Status CpuDevice::write(Space space, uint64_t offset, const void *from,
                        uint64_t bytes) {
  if (bytes)
    std::memcpy(data(space) + offset, from, bytes);
  return {};
}

Status CpuDevice::clear(Space space, uint64_t offset, uint64_t bytes) {
  if (bytes)
    std::memset(data(space) + offset, 0, bytes);
  return {};
}

Status CpuDevice::setThreads(unsigned count) {
  Result<std::unique_ptr<Pool>> made =
      Pool::create(count, largestScratch(target), &accounts[spaceCount]);
  if (!made.ok())
    return made.status();
  pool = made.take();
  return {};
}

Status CpuDevice::setDebug(bool poison, GuardSide guard) {
  debugger.reset();
  if (!poison && guard == GuardSide::None)
    return {};
  Result<std::unique_ptr<Debugger>> made =
      Debugger::create(model.manifest(), target, poison, guard);
  if (!made.ok())
    return made.status();
  debugger = made.take();
  return {};
}

Status CpuDevice::start(size_t index, const void *const *inputs,
                        Profile *profile) {
  const Function &function = target.functions[index];
  SpaceBases bases;
  for (unsigned i = 0; i < spaceCount; ++i)
    bases[i] = spaces[i].data();
  for (size_t i = 0; i < function.inputs.size(); ++i)
    if (const TensorDesc &input = function.inputs[i]; input.bytes)
      std::memcpy(data(Space::Input) + input.offset, inputs[i], input.bytes);
  if (debugger)
    debugger->beginRun(function, bases);
  if (!programs[index])
    programs[index] =
        std::make_unique<Program>(function, kernels, bases, streams);
  StrictFloats floats;
  Pool::Step step(*pool);
  return programs[index]->run(*pool, profile, debugger.get());
}

Status CpuDevice::finish(size_t index, void *const *outputs) {
  const Function &function = target.functions[index];
  if (outputs)
    for (size_t i = 0; i < function.outputs.size(); ++i)
      if (const TensorDesc &output = function.outputs[i];
          outputs[i] && output.bytes)
        std::memcpy(outputs[i], data(Space::Output) + output.offset,
                    output.bytes);
  return {};
}
