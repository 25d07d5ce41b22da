//===- TestModel.cpp - A small artifact written by hand -------------------===//

#include "test/runtime/TestModel.h"

#include "runtime/File.h"

#include <cfloat>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace tarn::rt::test {

namespace {

constexpr uint64_t V = 64, B = 4, T = 16, micro = 2;
constexpr uint64_t tableBytes = V * V * 4, batchBytes = B * T * 4;

using Access = KernelArg::Access;

TensorDesc tensor(std::string name, std::string role, DType dtype,
                  std::vector<int64_t> shape, uint64_t offset,
                  bool save = false) {
  TensorDesc out;
  out.name = std::move(name);
  out.role = std::move(role);
  out.dtype = dtype;
  out.shape = std::move(shape);
  out.offset = offset;
  out.bytes = *elementCount(out.shape) * dtypeSize(dtype);
  out.save = save;
  return out;
}

Kernel kernel(std::string name, uint64_t scratch, std::vector<KernelArg> args) {
  Kernel out;
  out.symbol = "k_" + name;
  out.name = std::move(name);
  out.location = 0;
  out.scratch = scratch;
  out.flops = 1;
  out.args = std::move(args);
  return out;
}

Op launch(uint32_t index, int64_t blocks, std::vector<Slice> args) {
  Op op;
  op.kernel = index;
  op.blocks = blocks;
  op.args = std::move(args);
  return op;
}

Op fill(Slice to, uint64_t bytes) {
  Op op;
  op.kind = Op::Kind::Fill;
  op.to = to;
  op.bytes = bytes;
  return op;
}

Op copy(Slice to, Slice from, uint64_t bytes) {
  Op op;
  op.kind = Op::Kind::Copy;
  op.to = to;
  op.from = from;
  op.bytes = bytes;
  return op;
}

Op copyStart(uint32_t token, Slice to, Slice from, uint64_t bytes) {
  Op op = copy(to, from, bytes);
  op.kind = Op::Kind::CopyStart;
  op.tokens = {token};
  return op;
}

Op wait(std::vector<uint32_t> tokens) {
  Op op;
  op.kind = Op::Kind::Wait;
  op.tokens = std::move(tokens);
  return op;
}

Op repeat(int64_t count, std::vector<Op> body) {
  Op op;
  op.kind = Op::Kind::Repeat;
  op.count = count;
  op.body = std::move(body);
  return op;
}

Slice state(uint64_t at) { return {Space::State, at, 0}; }
Slice arena(uint64_t at) { return {Space::Arena, at, 0}; }
Slice output(uint64_t at) { return {Space::Output, at, 0}; }
Slice host(uint64_t at) { return {Space::Host, at, 0}; }
Slice input(uint64_t at, uint64_t stride = 0) {
  return {Space::Input, at, stride};
}

enum : uint32_t {
  Init,
  Forward,
  Loss,
  Reduce,
  Finish,
  Update,
  Mean,
  Next,
  Subnormal,
  Peek,
  Stray,
  Scribble,
  Meddle,
  Spill
};

std::vector<Kernel> kernels() {
  auto reads = [](uint64_t bytes) { return KernelArg{bytes, Access::Read}; };
  auto writes = [](uint64_t bytes) { return KernelArg{bytes, Access::Write}; };
  auto both = [](uint64_t bytes) {
    return KernelArg{bytes, Access::ReadWrite};
  };
  return {
      kernel("init", 0, {reads(8), writes(tableBytes)}),
      kernel("forward", V * 4,
             {reads(tableBytes), reads(batchBytes), reads(batchBytes),
              both(B * 4), both(B * tableBytes)}),
      kernel("loss", V * 4,
             {reads(tableBytes), reads(batchBytes), reads(batchBytes),
              writes(B * 4)}),
      kernel("reduce", 0,
             {reads(B * tableBytes), writes(tableBytes), writes(V * 4)}),
      kernel("finish", 0,
             {reads(B * 4), reads(V * 4), writes(4), writes(4), writes(1),
              both(4)}),
      kernel("update", 0,
             {reads(tableBytes), reads(1), both(tableBytes), both(tableBytes)}),
      kernel("mean", 0, {reads(B * 4), writes(4)}),
      kernel("next", 0, {reads(tableBytes), reads(4), both(4), writes(V * 4)}),
      kernel("subnormal", 0, {reads(4), writes(256 * 4)}),
      kernel("peek", 0, {reads(64), writes(64)}),
      kernel("stray", 0, {reads(64), reads(4), writes(64)}),
      kernel("scribble", 0, {writes(64), reads(4)}),
      kernel("scribble", 0, {reads(64), reads(4)}),
      kernel("spill", 64, {reads(4), writes(64)}),
  };
}

// Places in the state.
constexpr uint64_t tableAt = 0, momentumAt = tableBytes,
                   stepAt = 2 * tableBytes, lengthAt = stepAt + 64,
                   stateBytes = lengthAt + 64;

Function makeInit() {
  Function f;
  f.name = "init";
  f.kind = "init";
  f.inputs = {tensor("seed", "input", DType::I32, {2}, 0)};
  f.inputBytes = 64;
  f.program = {launch(Init, V, {input(0), state(tableAt)})};
  return f;
}

Function makeStep() {
  Function f;
  f.name = "step";
  f.kind = "train";
  f.inputs = {tensor("tokens", "input", DType::I32, {micro, B, T}, 0),
              tensor("targets", "input", DType::I32, {micro, B, T},
                     micro * batchBytes)};
  f.inputBytes = 2 * micro * batchBytes;
  f.outputs = {tensor("loss", "loss", DType::F32, {}, 0),
               tensor("grad_norm", "grad_norm", DType::F32, {}, 64),
               tensor("finite", "finite", DType::I1, {}, 128),
               tensor("steps_taken", "metric", DType::I32, {}, 192)};
  f.outputBytes = 256;
  uint64_t gradients = 0, losses = B * tableBytes, mean = losses + 64,
           squares = mean + tableBytes;
  f.arenaBytes = squares + V * 4;
  f.program = {
      fill(arena(gradients), B * tableBytes + 64),
      repeat(micro, {launch(Forward, B,
                            {state(tableAt), input(0, batchBytes),
                             input(micro * batchBytes, batchBytes),
                             arena(losses), arena(gradients)})}),
      launch(Reduce, V, {arena(gradients), arena(mean), arena(squares)}),
      launch(Finish, 1,
             {arena(losses), arena(squares), output(0), output(64), output(128),
              state(stepAt)}),
      launch(Update, V,
             {arena(mean), output(128), state(tableAt), state(momentumAt)}),
      copy(output(192), state(stepAt), 4)};
  return f;
}

Function makeValidate() {
  Function f;
  f.name = "validate";
  f.kind = "eval";
  f.inputs = {tensor("tokens", "input", DType::I32, {B, T}, 0),
              tensor("targets", "input", DType::I32, {B, T}, batchBytes)};
  f.inputBytes = 2 * batchBytes;
  f.outputs = {tensor("loss", "loss", DType::F32, {}, 0)};
  f.outputBytes = 64;
  f.arenaBytes = 64;
  f.program = {
      launch(Loss, B, {state(tableAt), input(0), input(batchBytes), arena(0)}),
      launch(Mean, 1, {arena(0), output(0)})};
  return f;
}

Function makeSample() {
  Function f;
  f.name = "sample";
  f.kind = "generate";
  f.inputs = {tensor("tokens", "input", DType::I32, {1, 1}, 0)};
  f.inputBytes = 64;
  f.outputs = {tensor("logits", "", DType::F32, {1, V}, 0)};
  f.outputBytes = V * 4;
  f.program = {
      launch(Next, 1, {state(tableAt), input(0), state(lengthAt), output(0)})};
  return f;
}

Function makeSubnormal() {
  Function f;
  f.name = "subnormal";
  f.kind = "forward";
  f.outputs = {tensor("out", "", DType::F32, {256}, 0)};
  f.outputBytes = 1024;
  f.program = {
      launch(Subnormal, 256, {Slice{Space::Constant, 0, 0}, output(0)})};
  return f;
}

Function makePeek() {
  Function f;
  f.name = "peek";
  f.kind = "forward";
  f.outputs = {tensor("out", "", DType::F32, {16}, 0)};
  f.outputBytes = 64;
  f.arenaBytes = 64;
  f.program = {launch(Peek, 16, {arena(0), output(0)})};
  return f;
}

/// Four turns; in each the table goes to the host in two copies and comes back
/// to a place that was zeroed meanwhile.
Function makePark() {
  Function f;
  f.name = "park";
  f.kind = "forward";
  f.outputs = {tensor("out", "", DType::F32, {V, V}, 0)};
  f.outputBytes = tableBytes;
  f.arenaBytes = f.hostBytes = 2 * tableBytes;
  uint64_t half = tableBytes / 2;
  f.program = {
      repeat(4, {copy(arena(0), state(tableAt), tableBytes),
                 copyStart(0, host(tableBytes), arena(0), half),
                 copyStart(1, host(half), arena(half), half), wait({1, 0}),
                 fill(arena(0), 2 * tableBytes),
                 copyStart(2, arena(tableBytes), host(tableBytes), half),
                 copyStart(3, arena(half), host(half), half), wait({2}),
                 copyStart(5, output(0), arena(tableBytes), half), wait({3, 5}),
                 copy(output(half), arena(half), half)})};
  return f;
}

/// The table's head goes to the arena, a kernel reads or writes near it, and
/// the output gets it. The input says where.
Function makeStraying(std::string name, Op launch) {
  Function f;
  f.name = std::move(name);
  f.kind = "forward";
  f.inputs = {tensor("place", "input", DType::I32, {1}, 0)};
  f.inputBytes = 64;
  f.outputs = {tensor("out", "", DType::F32, {16}, 0)};
  f.outputBytes = 64;
  f.arenaBytes = 192;
  launch.location = 0;
  f.program = {copy(arena(64), state(tableAt), 64), std::move(launch),
               copy(output(0), arena(128), 64)};
  f.values = {{"head", "activation", Space::Arena, 64, 64, 0, 1, 1, 0, 0},
              {"out", "activation", Space::Arena, 128, 64, 1, 2, 1, 0, 0}};
  return f;
}

/// Its plan says that what it reads last has died before: in each of two turns,
/// and of the two halves only the second.
Function makeLate() {
  Function f;
  f.name = "late";
  f.kind = "forward";
  f.outputs = {tensor("out", "", DType::F32, {32}, 0)};
  f.outputBytes = 128;
  f.arenaBytes = 128;
  f.program = {repeat(2, {copy(arena(0), state(tableAt), 128),
                          copy(output(0), arena(0), 64),
                          copy(output(0), arena(0), 128)})};
  f.values = {{"both", "activation", Space::Arena, 0, 128, 0, 1, 2, 3, 0},
              {"first", "activation", Space::Arena, 0, 64, 1, 2, 2, 3, 0}};
  return f;
}

} // namespace

Manifest bigramManifest(const std::string &isa) {
  Manifest m;
  m.model = "bigram";
  m.hyper.set("vocab", int64_t(V));
  m.hyper.set("context", 8);
  m.shape.set("B", int64_t(B));
  m.shape.set("T", int64_t(T));
  m.seed = 7;
  m.state = {
      tensor("table.weight", "parameter", DType::F32, {V, V}, tableAt, true),
      tensor("table.weight.momentum", "optimizer", DType::F32, {V, V},
             momentumAt, true),
      tensor("optimizer.step", "optimizer", DType::I32, {}, stepAt, true),
      tensor("past.length", "cache", DType::I32, {}, lengthAt)};
  m.state[0].trainable = true;
  m.stateBytes = stateBytes;
  m.constantBytes = 64;
  m.locations = {{"bigram.tarn", 3, 5}};
  Target target;
  target.isa = isa;
  target.code = "code.0";
  target.kernels = kernels();
  target.functions = {
      makeInit(),
      makeStep(),
      makeValidate(),
      makeSample(),
      makeSubnormal(),
      makePeek(),
      makePark(),
      makeStraying("stray",
                   launch(Stray, 16, {arena(64), input(0), arena(128)})),
      makeStraying("scribble", launch(Scribble, 16, {arena(128), input(0)})),
      makeStraying("meddle", launch(Meddle, 16, {arena(64), input(0)})),
      makeStraying("spill", launch(Spill, 16, {input(0), arena(128)})),
      makeLate()};
  m.targets = {target};
  return m;
}

Target cudaTarget(const Target &cpu, const std::string &isa,
                  uint64_t imageBytes) {
  Target target = cpu;
  target.kind = TargetKind::Cuda;
  target.isa = isa;
  target.code = "code.1";
  target.nvrtc = "13.0.88";
  target.images = {{0, imageBytes}};
  for (Kernel &kernel : target.kernels) {
    kernel.threads = 64;
    kernel.shared = static_cast<uint32_t>(kernel.scratch);
    kernel.scratch = 0;
    kernel.registers = 32;
    for (uint32_t i = 0; i < kernel.args.size(); ++i)
      kernel.params.push_back({i, {}});
  }
  return target;
}

std::string artifactWith(const std::string &manifestText) {
  ArtifactWriter writer;
  writer.add("manifest", manifestText);
  Result<std::string> code = readFile(TARN_TEST_KERNELS, 1 << 24);
  if (!code.ok())
    std::abort();
  writer.add("code.0", code.take());
  std::string constants(64, '\0');
  float smallest = FLT_MIN;
  constants.replace(0, 4, reinterpret_cast<const char *>(&smallest), 4);
  writer.add("constants", constants);
  Result<std::string> file = writer.finish();
  if (!file.ok())
    std::abort();
  return file.take();
}

std::string bigramArtifact(const Manifest &manifest) {
  return artifactWith(writeManifest(manifest));
}

std::shared_ptr<const Model> bigramModel() {
  std::string bytes = bigramArtifact();
  Result<std::shared_ptr<const Model>> model =
      Model::parse(bytes.data(), bytes.size());
  if (!model.ok()) {
    std::fprintf(stderr, "%s\n", model.status().message().c_str());
    std::abort();
  }
  return model.take();
}

std::unique_ptr<Session> bigramSession(const SessionOptions &options) {
  Result<std::unique_ptr<Session>> session =
      Session::create(bigramModel(), options);
  if (!session.ok()) {
    std::fprintf(stderr, "%s\n", session.status().message().c_str());
    std::abort();
  }
  return session.take();
}

std::string bigramText(size_t bytes) {
  std::string text;
  uint32_t random = 1;
  while (text.size() < bytes) {
    random = random * 1664525u + 1013904223u;
    // Mostly the successor, sometimes a jump.
    char last = text.empty() ? 0 : text.back();
    text.push_back(random >> 28 == 0 ? static_cast<char>(random >> 20 & 63)
                                     : static_cast<char>((last + 3) & 63));
  }
  return text;
}

static std::string makeFolder() {
  std::string name =
      (std::filesystem::temp_directory_path() / "tarn-test-XXXXXX").string();
  if (!::mkdtemp(name.data()))
    std::abort();
  return name;
}

TemporaryFolder::TemporaryFolder() : path(makeFolder()) {}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

} // namespace tarn::rt::test
