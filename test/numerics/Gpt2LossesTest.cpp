//===- Gpt2LossesTest.cpp - GPT-2 nano against a recorded reference -------===//
//
// The losses are those of gpt2_reference.py (torch, float64). Weights and
// tokens come from the generator that both have.
//
//===----------------------------------------------------------------------===//

#include "compiler/Driver/Compile.h"
#include "compiler/Target/Cpu/Isa.h"
#include "runtime/Session.h"
#include "test/checker/CheckPlan.h"
#include "test/numerics/Generator.h"

#include "gtest/gtest.h"

#include <cstring>
#include <set>

using namespace tarn;
using test::fnv, test::mix, test::numberAt;

namespace {

constexpr double recorded[] = {
    4.596038016, 4.585391166, 4.499031936, 4.489893111, 4.355219597,
    4.287264857, 4.141296855, 4.108257141, 4.022657777, 3.970196038};

/// examples/gpt2 as nano, compiled for every level that runs here.
struct Variant {
  int64_t accumulation = 1;
  std::string precision = "fp32", policy = "keep-all";
  auto operator<=>(const Variant &) const = default;
};

const std::vector<char> &artifact(const Variant &variant) {
  static std::map<Variant, std::vector<char>> made;
  std::vector<char> &bytes = made[variant];
  if (!bytes.empty())
    return bytes;
  CompileRequest request;
  request.model = TARN_EXAMPLES "/gpt2/gpt2.tarn";
  request.set = {{"layers", "4"},
                 {"heads", "4"},
                 {"width", "128"},
                 {"context", "64"},
                 {"vocab", "96"},
                 {"rate", "1e-3"},
                 {"warmup", "5"},
                 {"total", "20"},
                 {"beta2", "0.95"},
                 {"accumulation", std::to_string(variant.accumulation)},
                 {"mode", variant.precision}};
  request.policy = variant.policy;
  request.shape = {{"B", 12 / variant.accumulation}, {"T", 64}};
  // Levels are compared for the plan that keeps all; others are about bits.
  bool allLevels = variant.policy == "keep-all";
  request.targets = {"cpu:" +
                     (allLevels ? "x86-64-v3" : cpu::hostIsa().name.str())};
  for (const char *level : {"x86-64-v4", "x86-64-v4+bf16"})
    if (allLevels && (cpu::hostIsa().name == level ||
                      cpu::hostIsa().name == "x86-64-v4+bf16"))
      request.targets.push_back(std::string("cpu:") + level);
  CompileResult result;
  EXPECT_EQ(compile(request, result), CompileStatus::success);
  bytes = result.artifact;
  return bytes;
}

std::unique_ptr<rt::Session> open(const std::string &isa, unsigned threads,
                                  const Variant &variant = {}) {
  const std::vector<char> &bytes = artifact(variant);
  auto model = rt::Model::parse(bytes.data(), bytes.size());
  EXPECT_TRUE(model.ok()) << model.status().message();
  static std::set<Variant> checked;
  if (checked.insert(variant).second)
    EXPECT_EQ(test::checkPlan((*model)->manifestText()), "");
  rt::SessionOptions options;
  options.isa = isa;
  options.threads = threads;
  options.poison = true;
  auto session = rt::Session::create(*model, options);
  EXPECT_TRUE(session.ok()) << session.status().message();
  EXPECT_TRUE((*session)->initialize(0).ok());
  for (const rt::TensorDesc &tensor : (*session)->manifest().state) {
    if (tensor.role != "parameter")
      continue;
    auto *numbers = reinterpret_cast<float *>((*session)->stateData(tensor));
    uint64_t seed = fnv(tensor.name);
    bool norm = tensor.name.find(".ln_") != std::string::npos &&
                tensor.name.ends_with("weight");
    for (uint64_t i = 0; i != tensor.bytes / 4; ++i) {
      float value = numberAt(seed, i, 0.1);
      numbers[i] = norm ? float(double(value) + 1) : value;
    }
  }
  return session.take();
}

std::vector<int32_t> tokens(const char *name, int step) {
  uint64_t seed = fnv(name + std::to_string(step % 2));
  std::vector<int32_t> values(12 * 64);
  for (size_t i = 0; i != values.size(); ++i)
    values[i] = int32_t(mix(seed + i) % 96);
  return values;
}

/// Runs a step; returns its loss.
double runStep(rt::Session &session, int step) {
  size_t index = *session.findKind("train");
  const rt::Function &function = session.functions()[index];
  std::vector<int32_t> x = tokens("tokens", step), y = tokens("targets", step);
  std::vector<const void *> inputs;
  for (const rt::TensorDesc &input : function.inputs)
    inputs.push_back(input.name == "tokens" ? x.data() : y.data());
  std::vector<std::vector<char>> bytes;
  std::vector<void *> outputs;
  size_t loss = 0;
  for (size_t i = 0; i != function.outputs.size(); ++i) {
    bytes.emplace_back(function.outputs[i].bytes);
    if (function.outputs[i].name == "loss")
      loss = i;
  }
  for (auto &buffer : bytes)
    outputs.push_back(buffer.data());
  rt::Status status = session.run(index, inputs.data(), outputs.data());
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(session.allocatedBytes(rt::Space::Arena), function.arenaBytes);
  EXPECT_EQ(session.allocatedBytes(rt::Space::State),
            session.manifest().stateBytes);
  float value;
  std::memcpy(&value, bytes[loss].data(), 4);
  return value;
}

/// Whether this machine has the level: each holds the ones before.
bool runsHere(const std::string &isa) {
  return isa == "x86-64-v3" || cpu::hostIsa().name == isa ||
         cpu::hostIsa().name == "x86-64-v4+bf16";
}

TEST(Gpt2Losses, EqualTheReferenceOnEveryLevel) {
  for (const std::string isa : {"x86-64-v3", "x86-64-v4", "x86-64-v4+bf16"}) {
    if (!runsHere(isa))
      continue;
    SCOPED_TRACE(isa);
    auto session = open(isa, 2);
    for (int step = 1; step <= 10; ++step)
      EXPECT_NEAR(runStep(*session, step), recorded[step - 1], 1e-4)
          << "step " << step;
  }
}

// Four micro-batches of three rows are one batch of twelve.
TEST(Gpt2Losses, AccumulationIsTheSameStep) {
  auto session = open("", 2, {.accumulation = 4});
  for (int step = 1; step <= 10; ++step)
    EXPECT_NEAR(runStep(*session, step), recorded[step - 1], 1e-4)
        << "step " << step;
}

// Factors of 8 bits instead of 24: each loss within half a percent.
TEST(Gpt2Losses, MixedPrecisionStaysNear) {
  for (const std::string isa : {"x86-64-v3", "x86-64-v4", "x86-64-v4+bf16"}) {
    if (!runsHere(isa))
      continue;
    for (int64_t accumulation : {1, 4}) {
      auto session =
          open(isa, 2, {.accumulation = accumulation, .precision = "bf16"});
      for (int step = 1; step <= 10; ++step)
        EXPECT_NEAR(runStep(*session, step), recorded[step - 1],
                    5e-3 * recorded[step - 1])
            << isa << ", step " << step;
    }
  }
}

rt::Digest hashAfter(int steps, unsigned threads, const Variant &variant) {
  auto session = open("", threads, variant);
  for (int step = 1; step <= steps; ++step)
    runStep(*session, step);
  return session->weightHash();
}

TEST(Gpt2Losses, BitsDoNotDependOnThreads) {
  rt::Digest first = hashAfter(50, 1, {});
  for (unsigned threads : {2, 3, 8})
    EXPECT_EQ(hashAfter(50, threads, {}), first) << threads << " threads";
}

// Computing again what was not kept changes no bit, whatever the precision.
TEST(Gpt2Losses, BitsDoNotDependOnThePolicy) {
  for (const char *precision : {"fp32", "bf16"})
    EXPECT_EQ(hashAfter(10, 2, {.precision = precision}),
              hashAfter(10, 3, {.precision = precision, .policy = "sqrt"}))
        << precision;
}

// Poison and forbidden pages find nothing, and change no bit.
TEST(Gpt2Losses, BitsDoNotDependOnDebugging) {
  for (const Variant &variant :
       {Variant{}, Variant{.precision = "bf16"}, Variant{.accumulation = 4},
        Variant{.policy = "sqrt"}, Variant{.policy = "offload-all"}}) {
    std::optional<rt::Digest> wanted;
    for (auto [poison, guard] : {std::pair(false, rt::GuardSide::None),
                                 std::pair(true, rt::GuardSide::None),
                                 std::pair(true, rt::GuardSide::End),
                                 std::pair(true, rt::GuardSide::Front)}) {
      auto session = open("", 2, variant);
      ASSERT_TRUE(session->setDebug(poison, guard).ok());
      for (int step = 1; step <= 2; ++step)
        runStep(*session, step);
      if (!wanted)
        wanted = session->weightHash();
      EXPECT_EQ(session->weightHash(), *wanted)
          << variant.precision << ", " << variant.policy << ", "
          << variant.accumulation << ", guard " << int(guard);
    }
  }
  // Levels differ in how they keep off what lies behind the last element.
  for (const char *isa : {"x86-64-v3", "x86-64-v4"})
    for (rt::GuardSide guard : {rt::GuardSide::End, rt::GuardSide::Front}) {
      if (!runsHere(isa))
        continue;
      auto session = open(isa, 1);
      ASSERT_TRUE(session->setDebug(true, guard).ok());
      EXPECT_NEAR(runStep(*session, 1), recorded[0], 1e-4) << isa;
    }
}

/// The arena of the training step as the artifact has it.
uint64_t arenaOf(const Variant &variant) {
  auto session = open("", 1, variant);
  return session->functions()[*session->findKind("train")].arenaBytes;
}

// Neither does keeping it in host memory, on any number of threads, in a batch
// or in micro-batches; and the arena is smaller.
TEST(Gpt2Losses, BitsDoNotDependOnOffload) {
  for (int64_t accumulation : {1, 4}) {
    Variant kept{.accumulation = accumulation},
        parked{.accumulation = accumulation, .policy = "offload-all"};
    rt::Digest wanted = hashAfter(4, 2, kept);
    for (unsigned threads : {1, 2})
      EXPECT_EQ(hashAfter(4, threads, parked), wanted)
          << accumulation << " micro-batches, " << threads << " threads";
    EXPECT_LT(arenaOf(parked), arenaOf(kept) * 3 / 4);
    auto session = open("", 1, parked);
    runStep(*session, 1);
    EXPECT_GT(session->allocatedBytes(rt::Space::Host), 0u);
  }
}

} // namespace
