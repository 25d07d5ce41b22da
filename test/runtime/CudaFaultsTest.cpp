// What goes wrong with a GPU: each its own message, and nothing is lost.
#include "runtime/Checkpoint.h"
#include "runtime/File.h"
#include "runtime/Trainer.h"
#include "test/runtime/CudaModel.h"

#include <gtest/gtest.h>

using namespace tarn::rt;
using namespace tarn::rt::test;

static constexpr size_t stepIndex = 1, parkIndex = 6;

static SessionOptions onGpu() {
  SessionOptions options;
  options.isa = "cuda";
  return options;
}

namespace {
struct OpenCase {
  const char *device, *faults;
  Code code;
  const char *message; ///< part of it
};
} // namespace

TEST(CudaFaults, EachHasItsMessage) {
  const OpenCase cases[] = {
      {"init=34", "", Code::Unsupported,
       "is the stub of a CUDA toolkit, not a driver"},
      {"init=100", "", Code::Unsupported, "the CUDA driver finds no GPU"},
      {"count=0", "", Code::Unsupported, "the CUDA driver finds no GPU"},
      {"init=803", "", Code::Unsupported,
       "the CUDA driver is too old or does not match its kernel module: "
       "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"},
      {"init=35", "", Code::Unsupported,
       "the CUDA driver is too old or does not match its kernel module"},
      {"init=999", "", Code::Unsupported,
       "the CUDA driver does not start: CUDA error 999"},
      {"version=12080", "", Code::Unsupported,
       "the CUDA driver is too old: it is for CUDA 12.8, the artifact's "
       "kernels for sm_90a were compiled by NVRTC 13.0.88; install a driver "
       "for CUDA 13"},
      {"capability=8.0", "", Code::Unsupported,
       "the artifact has GPU code for sm_90a; `host model (not a GPU)` runs "
       "sm_80; `tarn compile --target cuda:sm_80` makes code for it"},
      {"capability=10.0", "", Code::Unsupported,
       "the artifact has GPU code for sm_90a; `host model (not a GPU)` runs "
       "sm_100a, sm_100;"},
      {"memory=315000000", "", Code::OutOfMemory,
       "not enough memory on host model (not a GPU) (sm_90): 32960 bytes "
       "needed (32896 of them state), "},
      {"pinned=1000", "", Code::OutOfMemory,
       "bytes of host memory for what the step parks there: "
       "CUDA_ERROR_OUT_OF_MEMORY"},
      {"shared=1000", "", Code::Unsupported,
       "kernel `k_next` needs 3072 bytes of shared memory a block, host model "
       "(not a GPU) (sm_90) has 1000"},
      {"", "cuLibraryLoadData:1=200", Code::Damaged,
       "the driver refuses the code for sm_90a (image 0, "},
      {"", "cuKernelGetAttribute:3=209", Code::Damaged,
       "CUDA_ERROR_NO_BINARY_FOR_GPU (no kernel image is available for "
       "execution on the device); it is damaged, or not for host model"},
      {"", "cuDevicePrimaryCtxRetain:1=2", Code::Unsupported,
       "cannot use the GPU `host model (not a GPU)`: CUDA_ERROR_OUT_OF_MEMORY"},
  };
  for (const OpenCase &given : cases) {
    HostDriver host(given.device, given.faults);
    Status status = open(cudaArtifact(), onGpu()).status();
    EXPECT_EQ(status.code(), given.code) << given.device << given.faults;
    EXPECT_NE(status.message().find(given.message), std::string::npos)
        << given.device << given.faults << ": " << status.message();
    EXPECT_EQ(HostDriver::count("live"), 0u) << given.device << given.faults;
  }
  ::setenv("TARN_CUDA_DRIVER", "/nowhere/libcuda.so.1", 1);
  Status status = open(cudaArtifact(), onGpu()).status();
  EXPECT_EQ(status.code(), Code::Unsupported);
  EXPECT_EQ(status.message().find("no CUDA driver: "), 0u) << status.message();
  // A library that is no driver.
  ::setenv("TARN_CUDA_DRIVER", TARN_TEST_KERNELS, 1);
  status = open(cudaArtifact(), onGpu()).status();
  EXPECT_NE(status.message().find("is too old: it has no cuInit"),
            std::string::npos)
      << status.message();
  ::unsetenv("TARN_CUDA_DRIVER");
}

TEST(CudaFaults, DamagedCodeIsRefused) {
  HostDriver host;
  std::string image = cudaImage();
  auto refused = [&](const std::string &changed) {
    // The checksums are right: it was damaged before it was packaged.
    Status status =
        open(cudaArtifact(cudaManifest(), changed), onGpu()).status();
    EXPECT_EQ(status.code(), Code::Damaged);
    EXPECT_NE(status.message().find("the driver refuses the code for sm_90a"),
              std::string::npos)
        << status.message();
  };
  refused(std::string(image.size(), 'x'));
  std::string cubin = image;
  cubin[18] = static_cast<char>(190); // the machine of NVIDIA's
  cubin[19] = 0;
  refused(cubin);
  std::string holes = image;
  std::fill(holes.begin() + 64, holes.begin() + 1024, '\xFF');
  refused(holes);
}

TEST(CudaFaults, CodeMustBeTheManifests) {
  HostDriver host;
  auto status = [](const std::function<void(Target &)> &change) {
    Manifest manifest = cudaManifest();
    change(manifest.targets[1]);
    return open(cudaArtifact(manifest), onGpu()).status();
  };
  EXPECT_EQ(status([](Target &t) { t.kernels[3].symbol = "k_gone"; }).message(),
            "the artifact's code for sm_90a has no kernel `k_gone`");
  EXPECT_EQ(status([](Target &t) { t.kernels[3].params.pop_back(); }).message(),
            "kernel `k_reduce` has other parameters in its code than in the "
            "manifest: more than 2");
  EXPECT_EQ(status([](Target &t) {
              t.kernels[3].params.push_back({0, {}});
            }).message(),
            "kernel `k_reduce` has other parameters in its code than in the "
            "manifest: no parameter 3");
  EXPECT_EQ(
      status([](Target &t) { t.kernels[7].params[0].map.reset(); }).message(),
      "kernel `k_next` has other parameters in its code than in the "
      "manifest: parameter 0 has 128 bytes, not 8");
  EXPECT_EQ(status([](Target &t) {
              t.kernels[5].params[0].table.pop_back();
            }).message(),
            "kernel `k_update` has other parameters in its code than in the "
            "manifest: parameter 0 has 40 bytes, not 32");
  EXPECT_EQ(HostDriver::count("live"), 0u);
}

TEST(CudaFaults, TooLittleMemoryForAStepLeavesTheState) {
  // A context, the state and the constants fit, and little more.
  HostDriver host("memory=322000000");
  Result<std::unique_ptr<Session>> made = open(cudaArtifact(), onGpu());
  ASSERT_TRUE(made.ok()) << made.status().message();
  Session &session = **made;
  ASSERT_TRUE(session.initialize(3).ok());
  Digest before = session.weightHash();
  Batch batch;
  Status status = session.run(stepIndex, batch.inputs, batch.outputs);
  EXPECT_EQ(status.code(), Code::OutOfMemory);
  EXPECT_NE(status.message().find("; the state alone does not fit"),
            std::string::npos)
      << status.message();
  EXPECT_EQ(session.weightHash(), before);
  EXPECT_TRUE(session.checkMemory().ok()) << session.checkMemory().message();
  EXPECT_TRUE(session.initialize(3).ok()) << "what fits still runs";
}

TEST(CudaFaults, TooLittleMemoryNamesTheBudget) {
  HostDriver host("memory=402653184"); // 384 MiB, 300 of them the context's
  Manifest manifest = cudaManifest();
  manifest.targets[1].functions[stepIndex].arenaBytes = 100 << 20;
  Result<std::unique_ptr<Session>> session =
      open(cudaArtifact(manifest), onGpu());
  ASSERT_TRUE(session.ok()) << session.status().message();
  Batch batch;
  Status status = (*session)->run(stepIndex, batch.inputs, batch.outputs);
  EXPECT_EQ(status.code(), Code::OutOfMemory);
  EXPECT_NE(status.message().find(" free of 402653184; `tarn compile --budget "
                                  "48MiB` makes a step that fits"),
            std::string::npos)
      << status.message();
}

TEST(CudaFaults, AKernelThatFaultsEndsTheSession) {
  TemporaryFolder folder;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    HostDriver host("", "@k_update:2=700", seed);
    Result<std::unique_ptr<Session>> made = open(cudaArtifact(), onGpu());
    ASSERT_TRUE(made.ok());
    Session &session = **made;
    ASSERT_TRUE(session.initialize(3).ok());
    Batch batch;
    ASSERT_TRUE(session.run(stepIndex, batch.inputs, batch.outputs).ok());
    Status status = session.run(stepIndex, batch.inputs, batch.outputs);
    EXPECT_EQ(status.code(), Code::Io);
    EXPECT_EQ(status.message(),
              "a kernel or a copy of `step` failed on host model (not a GPU) "
              "(sm_90): CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access "
              "was encountered); which one cannot be told now, "
              "TARN_ONE_BY_ONE=1 tells it; the state on the GPU is lost, "
              "checkpoints are not");
    // Everything after says the same.
    EXPECT_EQ(session.run(stepIndex, batch.inputs, nullptr).message(),
              status.message());
    EXPECT_EQ(session.hashWeights().status().message(), status.message());
    EXPECT_EQ(session.initialize(1).message(), status.message());
    EXPECT_EQ(saveCheckpoint(session, folder.path, 1).status().message(),
              status.message());
    EXPECT_TRUE(listCheckpoints(folder.path).empty());
    made->reset();
    EXPECT_EQ(HostDriver::count("live"), 0u);
    // Another session starts anew.
    HostDriver well("", "", seed);
    EXPECT_TRUE(openOn("cuda")->initialize(3).ok());
  }
}

TEST(CudaFaults, OneByOneNamesTheKernel) {
  HostDriver host("", "@k_update:1=716");
  SessionOptions options = onGpu();
  options.oneByOne = true;
  std::unique_ptr<Session> session = openOn("cuda", options);
  ASSERT_TRUE(session->initialize(3).ok());
  Batch batch;
  EXPECT_EQ(session->run(stepIndex, batch.inputs, batch.outputs).message(),
            "bigram.tarn:3:5: kernel `update`, operation 6 of 7 of `step`, "
            "failed on host model (not a GPU) (sm_90): "
            "CUDA_ERROR_MISALIGNED_ADDRESS (misaligned address); the state on "
            "the GPU is lost, checkpoints are not");
}

TEST(CudaFaults, ALaunchThatIsRefusedIsFound) {
  // The graph is refused, and then, one by one, the launch of `reduce`: the
  // 9th after one of init, five while capturing and two of `forward`.
  HostDriver host("", "cuGraphLaunch:2=701,cuLaunchKernelEx:9=701");
  std::unique_ptr<Session> session = openOn("cuda");
  ASSERT_TRUE(session->initialize(3).ok());
  Batch batch;
  std::string message =
      session->run(stepIndex, batch.inputs, batch.outputs).message();
  EXPECT_EQ(message.find("bigram.tarn:3:5: kernel `reduce`, operation 4 of 7 "
                         "of `step`, failed on "),
            0u)
      << message;
  EXPECT_NE(message.find("found by running the step again, one by one"),
            std::string::npos);
}

/// A training run with checkpoints; resumes what is there. The error, or
/// success.
static Status trainSome(const std::string &folder, const Dataset &data,
                        int64_t steps) {
  Result<std::unique_ptr<Session>> session = open(cudaArtifact(), onGpu());
  if (!session.ok())
    return session.status();
  TrainOptions options;
  options.folder = folder;
  options.steps = steps;
  options.checkpointEvery = 1;
  options.validateEvery = 2;
  options.validateBatches = 1;
  Result<std::unique_ptr<Trainer>> trainer =
      Trainer::create(**session, data, options);
  if (!trainer.ok())
    return trainer.status();
  if (listCheckpoints(folder).empty()) {
    if (Status status = (*trainer)->start(); !status.ok())
      return status;
  } else if (Status status = (*trainer)->resume(folder).status();
             !status.ok()) {
    return status;
  }
  if (Status status = (*session)->run(parkIndex, nullptr, nullptr);
      !status.ok())
    return status;
  return (*trainer)->run().status();
}

// Every function of the driver fails once, early and late, for a while and for
// good. The run ends with an error, and goes on from its last checkpoint.
TEST(CudaFaults, NothingIsLost) {
  const char *functions[] = {
      "cuInit",
      "cuDeviceGetCount",
      "cuDeviceGet",
      "cuDeviceGetName",
      "cuDeviceGetAttribute",
      "cuDevicePrimaryCtxRetain",
      "cuLibraryLoadData",
      "cuLibraryGetKernel",
      "cuKernelGetAttribute",
      "cuKernelGetParamInfo",
      "cuTensorMapEncodeTiled",
      "cuLaunchKernelEx",
      "cuMemAlloc_v2",
      "cuMemHostAlloc",
      "cuMemcpyAsync",
      "cuMemsetD8Async",
      "cuStreamCreateWithPriority",
      "cuStreamSynchronize",
      "cuStreamWaitEvent",
      "cuEventCreate",
      "cuEventRecord",
      "cuEventSynchronize",
      "cuStreamBeginCapture_v2",
      "cuStreamEndCapture",
      "cuGraphInstantiateWithFlags",
      "cuGraphUpload",
      "cuGraphLaunch",
      "@k_forward",
      "@k_update",
  };
  TemporaryFolder folder;
  ASSERT_TRUE(writeFile(folder / "text", bigramText(4000)).ok());
  DataOptions dataOptions;
  dataOptions.vocabulary = 64;
  Result<Dataset> data = Dataset::open({folder / "text"}, dataOptions);
  ASSERT_TRUE(data.ok());
  auto hashOf = [](const std::string &run) {
    std::unique_ptr<Session> session = openOn("cpu");
    Result<CheckpointInfo> info = loadCheckpoint(*session, run);
    EXPECT_TRUE(info.ok()) << info.status().message();
    return toHex(session->weightHash());
  };
  std::string wanted;
  {
    HostDriver host;
    Status status = trainSome(folder / "whole", *data, 4);
    ASSERT_TRUE(status.ok()) << status.message();
    wanted = hashOf(folder / "whole");
  }
  int failures = 0, run = 0;
  for (const char *function : functions)
    for (const char *fault : {":1=719!", ":2=719", ":3=2", ":6=700!"}) {
      std::string name = std::string(function) + fault;
      std::string place = folder / std::to_string(run++);
      {
        HostDriver host("", name);
        Status status = trainSome(place, *data, 4);
        failures += !status.ok();
        if (!status.ok()) {
          EXPECT_NE(status.message(), "") << name;
          EXPECT_NE(status.code(), Code::Internal)
              << name << ": " << status.message();
        }
        EXPECT_EQ(HostDriver::count("live"), 0u) << name;
      }
      HostDriver host;
      Status status = trainSome(place, *data, 4);
      EXPECT_TRUE(status.ok()) << name << ": " << status.message();
      EXPECT_EQ(hashOf(place), wanted) << name;
    }
  EXPECT_GT(failures, 60) << "of " << run;
}
