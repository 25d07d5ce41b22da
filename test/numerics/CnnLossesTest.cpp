//===- CnnLossesTest.cpp - a small CNN against a recorded reference -------===//
//
// The losses are those of cnn_reference.py (torch, float64). Weights and images
// come from the generator that both have.
//
//===----------------------------------------------------------------------===//

#include "compiler/Driver/Compile.h"
#include "compiler/Target/Cpu/Isa.h"
#include "runtime/Session.h"
#include "test/checker/CheckPlan.h"
#include "test/compiler/Target/Cuda/HostCompiler.h"
#include "test/numerics/Generator.h"

#include "gtest/gtest.h"

#include <cstring>

using namespace tarn;
using test::fnv, test::mix, test::numberAt;

namespace {

constexpr double recorded[] = {
    1.896034749, 1.701915750, 1.516806055, 1.579794099, 1.393180865,
    1.489716860, 1.342406042, 1.413940285, 1.325739000, 1.337340913};

constexpr int64_t classes = 5, batch = 6, side = 11;

void fill(float *numbers, size_t count, const std::string &name, double scale) {
  for (uint64_t i = 0, seed = fnv(name); i != count; ++i)
    numbers[i] = numberAt(seed, i, scale);
}

std::unique_ptr<rt::Session> open(const std::string &target, unsigned threads,
                                  const std::string &precision) {
  CompileRequest request;
  request.model = TARN_EXAMPLES "/cnn/cnn.tarn";
  request.set = {{"width", "8"},
                 {"classes", std::to_string(classes)},
                 {"rate", "0.01"},
                 {"mode", precision}};
  request.shape = {{"B", batch}, {"H", side}, {"W", side}};
  request.targets = {target};
  test::HostCompiler compiler;
  request.cudaCompiler = &compiler;
  CompileResult result;
  EXPECT_EQ(compile(request, result), CompileStatus::success);
  auto model = rt::Model::parse(result.artifact.data(), result.artifact.size());
  EXPECT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(test::checkPlan((*model)->manifestText()), "");
  rt::SessionOptions options;
  // Code of the host driver has no other name.
  llvm::StringRef isa = llvm::StringRef(target);
  options.isa = isa.consume_front("cpu:") ? isa.str() : "host";
  options.threads = threads;
  options.poison = true;
  auto session = rt::Session::create(*model, options);
  EXPECT_TRUE(session.ok()) << session.status().message();
  EXPECT_TRUE((*session)->initialize(0).ok());
  for (const rt::TensorDesc &tensor : (*session)->manifest().state) {
    if (tensor.role != "parameter")
      continue;
    std::vector<float> numbers(tensor.bytes / 4);
    fill(numbers.data(), numbers.size(),
         tensor.name.substr(std::strlen("net.")), 0.6);
    EXPECT_TRUE((*session)->writeState(tensor, numbers.data()).ok());
  }
  return session.take();
}

/// Runs a step; returns its loss.
double runStep(rt::Session &session, int step) {
  size_t index = *session.findKind("train");
  const rt::Function &function = session.functions()[index];
  std::string turn = std::to_string(step % 2);
  std::vector<float> image(batch * side * side * 3);
  fill(image.data(), image.size(), "image" + turn, 4);
  std::vector<int32_t> label(batch);
  for (size_t i = 0; i != label.size(); ++i)
    label[i] = int32_t(mix(fnv("label" + turn) + i) % classes);
  std::vector<const void *> inputs;
  for (const rt::TensorDesc &input : function.inputs)
    inputs.push_back(input.name == "image"
                         ? static_cast<const void *>(image.data())
                         : label.data());
  std::vector<std::vector<char>> bytes;
  size_t loss = 0;
  for (size_t i = 0; i != function.outputs.size(); ++i) {
    bytes.emplace_back(function.outputs[i].bytes);
    if (function.outputs[i].name == "loss")
      loss = i;
  }
  std::vector<void *> outputs;
  for (auto &buffer : bytes)
    outputs.push_back(buffer.data());
  rt::Status status = session.run(index, inputs.data(), outputs.data());
  EXPECT_TRUE(status.ok()) << status.message();
  float value;
  std::memcpy(&value, bytes[loss].data(), 4);
  return value;
}

TEST(CnnLosses, EqualTheReferenceOnEveryLevel) {
  for (const std::string isa : {"x86-64-v3", "x86-64-v4"}) {
    if (isa != "x86-64-v3" && cpu::hostIsa().name != isa &&
        cpu::hostIsa().name != "x86-64-v4+bf16")
      continue;
    SCOPED_TRACE(isa);
    auto session = open("cpu:" + isa, 2, "fp32");
    for (int step = 0; step != 10; ++step)
      EXPECT_NEAR(runStep(*session, step), recorded[step], 1e-5)
          << "step " << step;
  }
}

// Factors of 8 bits instead of 24: each loss within a hundredth.
TEST(CnnLosses, MixedPrecisionStaysNear) {
  auto session = open("cpu:x86-64-v3", 2, "bf16");
  for (int step = 0; step != 10; ++step)
    EXPECT_NEAR(runStep(*session, step), recorded[step], 1e-2 * recorded[step])
        << "step " << step;
}

#ifdef TARN_TEST_HOST_DRIVER
// The text of the kernels, on the model of a GPU.
TEST(CnnLosses, EqualTheReferenceOnTheHostDriver) {
  ::setenv("TARN_CUDA_DRIVER", TARN_TEST_HOST_DRIVER, 1);
  for (auto [target, capability, precision] :
       {std::tuple("cuda:sm_80", "8.0", "fp32"),
        {"cuda:sm_90a", "9.0", "bf16"}}) {
    SCOPED_TRACE(target);
    ::setenv("TARN_HOST_DRIVER_DEVICE",
             (std::string("capability=") + capability).c_str(), 1);
    auto session = open(target, 1, precision);
    double bound = precision == std::string("fp32") ? 1e-5 : 1e-2;
    for (int step = 0; step != 10; ++step)
      EXPECT_NEAR(runStep(*session, step), recorded[step],
                  bound * recorded[step])
          << "step " << step;
  }
  ::unsetenv("TARN_HOST_DRIVER_DEVICE");
  ::unsetenv("TARN_CUDA_DRIVER");
}
#endif

TEST(CnnLosses, BitsDoNotDependOnThreads) {
  auto hashAfter = [](unsigned threads) {
    auto session = open("cpu:x86-64-v3", threads, "fp32");
    for (int step = 0; step != 4; ++step)
      runStep(*session, step);
    return session->weightHash();
  };
  rt::Digest first = hashAfter(1);
  for (unsigned threads : {2, 3})
    EXPECT_EQ(hashAfter(threads), first) << threads << " threads";
}

} // namespace
