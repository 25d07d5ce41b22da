//===- Session.cpp - A model's state and the means to run steps -----------===//

#include "runtime/Session.h"

#include "runtime/Cpu.h"
#include "runtime/CpuDevice.h"
#include "runtime/CudaDevice.h"

#include <algorithm>
#include <cstdlib>

using namespace tarn::rt;

/// The spaces that grow to what the functions run so far need.
static constexpr Space functionSpaces[] = {Space::Arena, Space::Input,
                                           Space::Output, Space::Host};

/// Bytes of a tensor that leave a GPU at a time.
static constexpr uint64_t stateChunk = uint64_t(4) << 20;

/// What the environment asks for besides.
static Result<SessionOptions> withEnvironment(SessionOptions options) {
  auto variable = [](const char *name) {
    const char *text = std::getenv(name);
    return std::string(text ? text : "");
  };
  std::string poison = variable("TARN_POISON"), guard = variable("TARN_GUARD");
  std::string oneByOne = variable("TARN_ONE_BY_ONE");
  if (options.isa.empty())
    options.isa = variable("TARN_ISA");
  if (oneByOne == "1")
    options.oneByOne = true;
  else if (!oneByOne.empty() && oneByOne != "0")
    return Status(Code::BadArgument,
                  "TARN_ONE_BY_ONE may be 1 or 0, not `" + oneByOne + "`");
  if (poison == "1")
    options.poison = true;
  else if (!poison.empty() && poison != "0")
    return Status(Code::BadArgument,
                  "TARN_POISON may be 1 or 0, not `" + poison + "`");
  if (guard == "1" || guard == "end")
    options.guard = GuardSide::End;
  else if (guard == "front")
    options.guard = GuardSide::Front;
  else if (!guard.empty() && guard != "0")
    return Status(Code::BadArgument,
                  "TARN_GUARD may be end, front or 0, not `" + guard + "`");
  return options;
}

/// The targets of a kind, by their place in the manifest.
static std::vector<size_t> targetsOf(const Manifest &manifest,
                                     TargetKind kind) {
  std::vector<size_t> found;
  for (size_t i = 0; i < manifest.targets.size(); ++i)
    if (manifest.targets[i].kind == kind)
      found.push_back(i);
  return found;
}

namespace {
/// A target, and the GPU for it, if it is one's.
struct Choice {
  const Target *target = nullptr;
  std::unique_ptr<Gpu> gpu;
  std::string fallback;
};
} // namespace

/// The GPU and the target of the artifact for it; `wanted` may be empty.
static Result<Choice> chooseGpu(const Manifest &manifest,
                                const std::vector<size_t> &cuda,
                                const std::string &wanted) {
  Result<std::unique_ptr<Gpu>> gpu = Gpu::open();
  if (!gpu.ok())
    return gpu.status();
  std::vector<std::string> isas;
  for (size_t index : cuda)
    isas.push_back(manifest.targets[index].isa);
  Result<size_t> picked = (*gpu)->pick(isas, wanted);
  if (!picked.ok())
    return picked.status();
  Choice choice;
  choice.target = &manifest.targets[cuda[*picked]];
  if (Status status = (*gpu)->checkDriver(*choice.target); !status.ok())
    return status;
  choice.gpu = gpu.take();
  return Result<Choice>(std::move(choice));
}

static Result<Choice> chooseTarget(const Manifest &manifest,
                                   const std::string &wanted) {
  std::vector<size_t> cuda = targetsOf(manifest, TargetKind::Cuda);
  std::vector<size_t> cpu = targetsOf(manifest, TargetKind::Cpu);
  std::string all;
  bool wantsGpu = wanted == "cuda";
  for (const Target &target : manifest.targets) {
    all += (all.empty() ? "" : ", ") + target.isa;
    wantsGpu |= target.kind == TargetKind::Cuda && target.isa == wanted;
  }
  if (wantsGpu && cuda.empty())
    return Status(Code::Unsupported,
                  "the artifact has no code for a GPU, only for " + all +
                      "; `tarn compile --target cuda:sm_90a` makes it");
  if (wantsGpu)
    return chooseGpu(manifest, cuda, wanted == "cuda" ? "" : wanted);
  std::string fallback;
  if (wanted.empty() && !cuda.empty()) {
    Result<Choice> choice = chooseGpu(manifest, cuda, "");
    if (choice.ok() || cpu.empty())
      return choice;
    fallback = choice.status().message();
  }
  std::vector<std::string> isas;
  bool any = wanted.empty() || wanted == "cpu";
  for (size_t index : cpu)
    isas.push_back(manifest.targets[index].isa);
  if (cpu.empty())
    return Status(Code::Unsupported,
                  "the artifact has no code for processors, only for " + all);
  Result<size_t> index = pickIsa(isas, any ? "" : wanted);
  if (!index.ok())
    return index.status();
  Choice choice;
  choice.target = &manifest.targets[cpu[*index]];
  choice.fallback = std::move(fallback);
  return Result<Choice>(std::move(choice));
}

Result<std::unique_ptr<Session>>
Session::create(std::shared_ptr<const Model> model,
                const SessionOptions &given) {
  Result<SessionOptions> options = withEnvironment(given);
  if (!options.ok())
    return options.status();
  std::unique_ptr<Session> session(new Session);
  session->source = std::move(model);
  Result<Choice> choice = chooseTarget(session->manifest(), options->isa);
  if (!choice.ok())
    return choice.status();
  session->chosen = choice->target;
  session->fallback = choice->fallback;
  Result<std::unique_ptr<Device>> device =
      choice->gpu ? CudaDevice::create(std::move(choice->gpu), session->model(),
                                       *session->chosen, session->ledger,
                                       options->oneByOne)
                  : CpuDevice::create(session->model(), *session->chosen,
                                      options->threads, session->ledger);
  if (!device.ok())
    return device.status();
  session->device = device.take();
  session->hasRun.resize(session->functions().size());
  session->setProfile(options->profile);
  Status status = session->reserveFor(nullptr);
  if (status.ok())
    status = session->setDebug(options->poison, options->guard);
  if (!status.ok())
    return status;
  return Result<std::unique_ptr<Session>>(std::move(session));
}

/// The spaces that all functions share, and those of `function` (null: none),
/// which grow to the largest of the functions run so far. After an error there
/// are none but what functions share.
Status Session::reserveFor(const Function *function) {
  SpaceSizes wanted = sizes;
  wanted[unsigned(Space::State)] = manifest().stateBytes;
  wanted[unsigned(Space::Constant)] = manifest().constantBytes;
  if (function)
    for (Space space : functionSpaces)
      wanted[unsigned(space)] =
          std::max(wanted[unsigned(space)], function->spaceBytes(space));
  if (function && wanted == sizes)
    return {};
  Status status = device->reserve(wanted);
  if (status.ok()) {
    sizes = wanted;
    return {};
  }
  for (Space space : functionSpaces)
    sizes[unsigned(space)] = 0;
  hasRun.assign(hasRun.size(), false);
  return status;
}

uint64_t Session::predictedBytes(Space space) const {
  if (space == Space::State)
    return manifest().stateBytes;
  if (space == Space::Constant)
    return manifest().constantBytes;
  uint64_t most = 0;
  for (size_t i = 0; i < functions().size(); ++i)
    if (hasRun[i])
      most = std::max(most, functions()[i].spaceBytes(space));
  return most;
}

uint64_t Session::predictedScratchBytes() const {
  SpaceSizes predicted;
  for (unsigned i = 0; i < spaceCount; ++i)
    predicted[i] = predictedBytes(static_cast<Space>(i));
  return device->besideBytes(predicted);
}

Status Session::checkMemory() const {
  auto check = [](const char *what, const Account &account,
                  uint64_t predicted) -> Status {
    if (account.bytes == predicted &&
        account.allocations == (predicted ? 1 : 0))
      return {};
    return Status(Code::Internal,
                  std::string("the ") + what + " takes " +
                      std::to_string(account.bytes) + " bytes in " +
                      std::to_string(account.allocations) +
                      " allocations, but " + std::to_string(predicted) +
                      " in one are planned");
  };
  for (unsigned i = 0; i < spaceCount; ++i) {
    auto space = static_cast<Space>(i);
    if (Status status =
            check(spaceName(space), ledger[i], predictedBytes(space));
        !status.ok())
      return status;
  }
  return check("scratch", ledger[spaceCount], predictedScratchBytes());
}

std::optional<size_t> Session::findFunction(std::string_view name) const {
  for (size_t i = 0; i < functions().size(); ++i)
    if (functions()[i].name == name)
      return i;
  return std::nullopt;
}

std::optional<size_t> Session::findKind(std::string_view kind) const {
  for (size_t i = 0; i < functions().size(); ++i)
    if (functions()[i].kind == kind)
      return i;
  return std::nullopt;
}

Status Session::initialize(uint64_t seed) {
  std::optional<size_t> init = findKind("init");
  if (!init)
    return Status(Code::NotFound, "the artifact has no function that makes "
                                  "the first state");
  const Function &function = functions()[*init];
  uint32_t words[2] = {static_cast<uint32_t>(seed),
                       static_cast<uint32_t>(seed >> 32)};
  std::vector<const void *> inputs;
  for (const TensorDesc &input : function.inputs) {
    if (input.bytes > sizeof words || input.name != "seed")
      return Status(Code::Invalid, "the function `" + function.name +
                                       "` wants the input `" + input.name +
                                       "`; only a seed of at most 8 bytes is "
                                       "known");
    inputs.push_back(words);
  }
  if (Status status = device->clear(Space::State, 0, manifest().stateBytes);
      !status.ok())
    return status;
  return run(*init, inputs.data(), nullptr);
}

Status Session::run(size_t index, const void *const *inputs,
                    void *const *outputs) {
  if (!inFlight.empty())
    return Status(Code::BadArgument, "a run was started and not finished");
  Status status = start(index, inputs);
  return status.ok() ? finish(outputs) : status;
}

Status Session::start(size_t index, const void *const *inputs) {
  if (index >= functions().size())
    return Status(Code::BadArgument,
                  "there is no function " + std::to_string(index));
  if (inFlight.size() >= device->depth())
    return Status(Code::BadArgument,
                  "no more than " + std::to_string(device->depth()) +
                      " runs may be started before one is finished");
  const Function &function = functions()[index];
  for (size_t i = 0; i < function.inputs.size(); ++i)
    if (!inputs || !inputs[i])
      return Status(Code::BadArgument, "`" + function.name +
                                           "` needs the input `" +
                                           function.inputs[i].name + "`, " +
                                           typeText(function.inputs[i].dtype,
                                                    function.inputs[i].shape));
  Status status = reserveFor(&function);
  if (!status.ok())
    return status;
  hasRun[index] = true;
  if (status = checkMemory(); !status.ok())
    return status;
  status = device->start(index, inputs, profiling ? &measured : nullptr);
  if (status.ok())
    inFlight.push_back(index);
  return status;
}

Status Session::finish(void *const *outputs) {
  if (inFlight.empty())
    return Status(Code::BadArgument, "no run was started");
  size_t index = inFlight.front();
  inFlight.pop_front();
  return device->finish(index, outputs);
}

Status Session::readState(const TensorDesc &tensor, void *to) const {
  return readState(tensor, 0, to, tensor.bytes);
}

Status Session::readState(const TensorDesc &tensor, uint64_t from, void *to,
                          uint64_t bytes) const {
  return device->read(Space::State, tensor.offset + from, to, bytes);
}

Status Session::writeState(const TensorDesc &tensor, const void *from) {
  return device->write(Space::State, tensor.offset, from, tensor.bytes);
}

Status Session::clearRole(std::string_view role) {
  for (const TensorDesc &tensor : manifest().state)
    if (tensor.role == role)
      if (Status status =
              device->clear(Space::State, tensor.offset, tensor.bytes);
          !status.ok())
        return status;
  return {};
}

Status Session::forState(
    const TensorDesc &tensor,
    const std::function<Status(const void *, uint64_t)> &each) const {
  if (const uint8_t *here = stateData(tensor))
    return tensor.bytes ? each(here, tensor.bytes) : Status();
  std::vector<uint8_t> chunk(std::min(tensor.bytes, stateChunk));
  Status status;
  for (uint64_t at = 0; at < tensor.bytes && status.ok(); at += chunk.size()) {
    uint64_t bytes = std::min<uint64_t>(chunk.size(), tensor.bytes - at);
    status = readState(tensor, at, chunk.data(), bytes);
    if (status.ok())
      status = each(chunk.data(), bytes);
  }
  return status;
}

Result<Digest> Session::hashWeights() const {
  Sha256 hash;
  for (const TensorDesc *tensor : savedTensors(manifest())) {
    std::string head =
        tensor->name + ' ' + typeText(tensor->dtype, tensor->shape) + '\n';
    hash.update(head.data(), head.size());
    Status status = forState(*tensor, [&](const void *data, uint64_t bytes) {
      hash.update(data, bytes);
      return Status();
    });
    if (!status.ok())
      return status;
  }
  return hash.finish();
}

Digest Session::weightHash() const {
  Result<Digest> digest = hashWeights();
  return digest.ok() ? *digest : Digest{};
}

void Session::setProfile(bool on) {
  profiling = on;
  measured = Profile();
  measured.kernels.resize(target().kernels.size());
}
