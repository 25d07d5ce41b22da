//===- Session.cpp - A model's state and the means to run steps -----------===//

#include "runtime/Session.h"

#include "runtime/Cpu.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace tarn::rt;

/// The spaces that grow to what the functions run so far need.
static constexpr Space functionSpaces[] = {Space::Arena, Space::Input,
                                           Space::Output, Space::Host};

static uint64_t largestScratch(const Target &target) {
  uint64_t bytes = 0;
  for (const Kernel &kernel : target.kernels)
    bytes = std::max(bytes, kernel.scratch);
  return bytes;
}

/// What the environment asks for besides.
static Result<SessionOptions> withEnvironment(SessionOptions options) {
  auto variable = [](const char *name) {
    const char *text = std::getenv(name);
    return std::string(text ? text : "");
  };
  std::string poison = variable("TARN_POISON"), guard = variable("TARN_GUARD");
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

Result<std::unique_ptr<Session>>
Session::create(std::shared_ptr<const Model> model,
                const SessionOptions &options) {
  std::unique_ptr<Session> session(new Session);
  const Manifest &manifest = model->manifest();
  std::vector<std::string> isas;
  for (const Target &target : manifest.targets)
    isas.push_back(target.isa);
  Result<size_t> index = pickIsa(isas, options.isa);
  if (!index.ok())
    return index.status();
  session->chosen = &manifest.targets[*index];
  session->source = model;

  Result<CodeImage> code =
      CodeImage::load(model->artifact().section(session->chosen->code));
  if (!code.ok())
    return code.status();
  session->code = code.take();
  for (const Kernel &kernel : session->chosen->kernels) {
    Result<KernelFunction> function = session->code.find(kernel.symbol);
    if (!function.ok())
      return function.status();
    session->kernels.push_back(*function);
  }

  Status status = session->reserve(Space::State, manifest.stateBytes);
  if (status.ok())
    status = session->reserve(Space::Constant, manifest.constantBytes);
  if (status.ok())
    status = session->setThreads(options.threads);
  if (!status.ok())
    return status;
  if (manifest.constantBytes) {
    Buffer &constants = session->spaces[unsigned(Space::Constant)];
    std::memcpy(constants.data(), model->artifact().section("constants").data(),
                manifest.constantBytes);
    constants.protect();
  }
  if (startsCopies(*session->chosen)) {
    for (std::unique_ptr<CopyStream> *stream :
         {&session->streams.toHost, &session->streams.others}) {
      Result<std::unique_ptr<CopyStream>> made = CopyStream::create();
      if (!made.ok())
        return made.status();
      *stream = made.take();
    }
  }
  session->programs.resize(session->functions().size());
  session->hasRun.resize(session->functions().size());
  session->setProfile(options.profile);
  Result<SessionOptions> debug = withEnvironment(options);
  if (!debug.ok())
    return debug.status();
  if (status = session->setDebug(debug->poison, debug->guard); !status.ok())
    return status;
  return Result<std::unique_ptr<Session>>(std::move(session));
}

/// Makes a space at least `bytes` large. A space that must grow is given back
/// first and then made exactly that large, so that what is allocated is always
/// some function's own figure.
Status Session::reserve(Space space, uint64_t bytes) {
  Buffer &buffer = spaces[static_cast<unsigned>(space)];
  if (buffer.size() >= bytes)
    return {};
  for (std::unique_ptr<Program> &program : programs)
    program.reset(); // they hold addresses
  buffer = Buffer();
  Result<Buffer> larger =
      Buffer::allocate(bytes, (std::string("the ") + spaceName(space)).c_str(),
                       &ledger[static_cast<unsigned>(space)]);
  if (!larger.ok())
    return larger.status();
  buffer = larger.take();
  return {};
}

/// All spaces that a function needs; without them all, none but what functions
/// share.
Status Session::reserveFor(const Function &function) {
  Status status;
  for (Space space : functionSpaces)
    if (status.ok())
      status = reserve(space, function.spaceBytes(space));
  if (status.ok())
    return status;
  for (Space space : functionSpaces)
    spaces[static_cast<unsigned>(space)] = Buffer();
  for (std::unique_ptr<Program> &program : programs)
    program.reset();
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
  return Pool::scratchFor(pool->threads(), largestScratch(*chosen));
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

Status Session::setThreads(unsigned count) {
  Result<std::unique_ptr<Pool>> made =
      Pool::create(count, largestScratch(*chosen), &ledger[spaceCount]);
  if (!made.ok())
    return made.status();
  pool = made.take();
  return {};
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
  uint8_t *state = spaces[unsigned(Space::State)].data();
  if (state)
    std::memset(state, 0, manifest().stateBytes);
  return run(*init, inputs.data(), nullptr);
}

Status Session::run(size_t index, const void *const *inputs,
                    void *const *outputs) {
  if (index >= functions().size())
    return Status(Code::BadArgument,
                  "there is no function " + std::to_string(index));
  const Function &function = functions()[index];
  for (size_t i = 0; i < function.inputs.size(); ++i)
    if (!inputs || !inputs[i])
      return Status(Code::BadArgument, "`" + function.name +
                                           "` needs the input `" +
                                           function.inputs[i].name + "`, " +
                                           typeText(function.inputs[i].dtype,
                                                    function.inputs[i].shape));
  Status status = reserveFor(function);
  if (!status.ok())
    return status;
  hasRun[index] = true;
  if (status = checkMemory(); !status.ok())
    return status;

  SpaceBases bases;
  for (unsigned i = 0; i < spaceCount; ++i)
    bases[i] = spaces[i].data();
  uint8_t *in = bases[unsigned(Space::Input)];
  uint8_t *out = bases[unsigned(Space::Output)];
  for (size_t i = 0; i < function.inputs.size(); ++i)
    if (const TensorDesc &input = function.inputs[i]; input.bytes)
      std::memcpy(in + input.offset, inputs[i], input.bytes);
  if (debugger)
    debugger->beginRun(function, bases);

  if (!programs[index])
    programs[index] =
        std::make_unique<Program>(function, kernels, bases, streams);
  {
    StrictFloats floats;
    Pool::Step step(*pool);
    status = programs[index]->run(*pool, profiling ? &measured : nullptr,
                                  debugger.get());
  }
  if (!status.ok())
    return status;
  if (outputs)
    for (size_t i = 0; i < function.outputs.size(); ++i)
      if (const TensorDesc &output = function.outputs[i];
          outputs[i] && output.bytes)
        std::memcpy(outputs[i], out + output.offset, output.bytes);
  return {};
}

void Session::clearRole(std::string_view role) {
  for (const TensorDesc &tensor : manifest().state)
    if (tensor.role == role && tensor.bytes)
      std::memset(stateData(tensor), 0, tensor.bytes);
}

Digest Session::weightHash() const {
  Sha256 hash;
  for (const TensorDesc *tensor : savedTensors(manifest())) {
    std::string head =
        tensor->name + ' ' + typeText(tensor->dtype, tensor->shape) + '\n';
    hash.update(head.data(), head.size());
    if (tensor->bytes)
      hash.update(stateData(*tensor), tensor->bytes);
  }
  return hash.finish();
}

Status Session::setDebug(bool poison, GuardSide guard) {
  debugger.reset();
  if (!poison && guard == GuardSide::None)
    return {};
  Result<std::unique_ptr<Debugger>> made =
      Debugger::create(manifest(), *chosen, poison, guard);
  if (!made.ok())
    return made.status();
  debugger = made.take();
  return {};
}

void Session::setProfile(bool on) {
  profiling = on;
  measured = Profile();
  measured.kernels.resize(kernels.size());
}
