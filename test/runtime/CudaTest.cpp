// The runtime on a GPU that the host driver stands in for.
#include "runtime/Checkpoint.h"
#include "runtime/File.h"
#include "runtime/Generate.h"
#include "runtime/Parameters.h"
#include "runtime/Trainer.h"
#include "runtime/tarn.h"
#include "test/runtime/CudaModel.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace tarn::rt;
using namespace tarn::rt::test;

namespace {
constexpr size_t stepIndex = 1, validateIndex = 2, peekIndex = 5, parkIndex = 6;

struct Trained {
  std::string hash;
  std::vector<float> losses;
};
} // namespace

static Trained train(Session &session, int steps, int first = 0) {
  Trained out;
  for (int i = first; i < first + steps; ++i) {
    Batch batch(i);
    Status status = session.run(stepIndex, batch.inputs, batch.outputs);
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(batch.steps, i + 1);
    out.losses.push_back(batch.loss);
  }
  Result<Digest> hash = session.hashWeights();
  EXPECT_TRUE(hash.ok()) << hash.status().message();
  out.hash = toHex(*hash);
  return out;
}

static Trained trainOn(const std::string &isa, int steps) {
  std::unique_ptr<Session> session = openOn(isa);
  EXPECT_TRUE(session->initialize(3).ok());
  return train(*session, steps);
}

TEST(Cuda, TrainsLikeTheCpuInEveryOrder) {
  Trained cpu = trainOn("cpu", 20);
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    HostDriver host("", "", seed);
    Trained gpu = trainOn("cuda", 20);
    EXPECT_EQ(gpu.hash, cpu.hash) << "seed " << seed;
    EXPECT_EQ(gpu.losses, cpu.losses) << "seed " << seed;
    // One graph for each function, captured once.
    EXPECT_EQ(HostDriver::count("cuStreamBeginCapture_v2"), 2u);
    EXPECT_EQ(HostDriver::count("cuGraphInstantiateWithFlags"), 2u);
    EXPECT_EQ(HostDriver::count("cuGraphUpload"), 2u);
    EXPECT_EQ(HostDriver::count("cuGraphLaunch"), 21u);
    EXPECT_EQ(HostDriver::count("live"), 0u) << "everything went back";
  }
}

TEST(Cuda, ASecondRunMayStartBeforeTheFirstIsFinished) {
  Trained one = trainOn("cpu", 12);
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    HostDriver host("", "", seed);
    std::unique_ptr<Session> session = openOn("cuda");
    ASSERT_TRUE(session->initialize(3).ok());
    std::vector<float> losses;
    auto start = [&](int step) {
      Batch batch(step); // gone when start() returns
      Status status = session->start(stepIndex, batch.inputs);
      EXPECT_TRUE(status.ok()) << status.message();
      std::memset(batch.tokens, 0x7F, sizeof batch.tokens);
    };
    auto finish = [&] {
      Batch batch;
      EXPECT_TRUE(session->finish(batch.outputs).ok());
      losses.push_back(batch.loss);
    };
    start(0);
    for (int i = 1; i < 12; ++i) {
      start(i);
      if (i == 5) {
        Batch batch;
        EXPECT_EQ(session->start(stepIndex, batch.inputs).code(),
                  Code::BadArgument);
        EXPECT_EQ(session->run(stepIndex, batch.inputs, nullptr).code(),
                  Code::BadArgument);
      }
      finish();
    }
    finish();
    EXPECT_EQ(session->finish(nullptr).code(), Code::BadArgument);
    EXPECT_EQ(losses, one.losses) << "seed " << seed;
    EXPECT_EQ(toHex(session->weightHash()), one.hash) << "seed " << seed;
  }
}

TEST(Cuda, ParksInHostMemory) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    HostDriver host("", "", seed);
    std::unique_ptr<Session> session = openOn("cuda");
    ASSERT_TRUE(session->initialize(seed).ok());
    const TensorDesc &table = session->manifest().state[0];
    std::vector<float> out(64 * 64), wanted(64 * 64);
    ASSERT_TRUE(session->readState(table, wanted.data()).ok());
    for (int round = 0; round < 2; ++round) {
      std::fill(out.begin(), out.end(), -1.0f);
      void *outputs[] = {out.data()};
      Status status = session->run(parkIndex, nullptr, outputs);
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(out, wanted) << "seed " << seed;
    }
  }
}

// A larger function takes other places; what was bound to the old ones is bound
// again.
TEST(Cuda, ProgramsFollowTheirSpaces) {
  HostDriver host;
  std::unique_ptr<Session> session = openOn("cuda");
  ASSERT_TRUE(session->initialize(3).ok());
  Trained first = train(*session, 3);
  ASSERT_TRUE(session->run(parkIndex, nullptr, nullptr).ok());
  Trained second = train(*session, 3, 3);
  EXPECT_EQ(HostDriver::count("cuStreamBeginCapture_v2"), 4u);
  Trained whole = trainOn("cpu", 6);
  EXPECT_EQ(second.hash, whole.hash);
  first.losses.insert(first.losses.end(), second.losses.begin(),
                      second.losses.end());
  EXPECT_EQ(first.losses, whole.losses);
}

TEST(Cuda, IsChosenWhereItIs) {
  SessionOptions options;
  {
    HostDriver host;
    std::unique_ptr<Session> session = openOn("");
    EXPECT_EQ(session->target().isa, "sm_90a");
    EXPECT_EQ(session->describeDevice(), "host model (not a GPU)");
    EXPECT_EQ(session->notOnGpu(), "");
    EXPECT_EQ(session->stateData(session->manifest().state[0]), nullptr);
    EXPECT_EQ(openOn("cpu")->target().isa, "x86-64");
    EXPECT_EQ(openOn("cpu")->notOnGpu(), "");
    EXPECT_EQ(openOn("x86-64")->target().isa, "x86-64");
    EXPECT_EQ(openOn("sm_90a")->target().isa, "sm_90a");
    ::setenv("TARN_ISA", "cpu", 1);
    EXPECT_EQ(openOn("")->target().isa, "x86-64");
    EXPECT_EQ(openOn("cuda")->target().isa, "sm_90a") << "an option wins";
    ::unsetenv("TARN_ISA");
    options.isa = "x86-64-v9";
    Status unknown = open(cudaArtifact(), options).status();
    EXPECT_EQ(unknown.code(), Code::Unsupported);
    options.isa = "cuda";
    EXPECT_EQ(open(bigramArtifact(), options).status().message(),
              "the artifact has no code for a GPU, only for x86-64; `tarn "
              "compile --target cuda:sm_90a` makes it");
    // The best of two, and kernels for the host where there is nothing better.
    Manifest both = cudaManifest("sm_90");
    both.targets.push_back(cudaManifest("sm_90a").targets[1]);
    both.targets.push_back(cudaManifest("sm_80").targets[0]);
    both.targets.pop_back();
    EXPECT_EQ((*open(cudaArtifact(both)))->target().isa, "sm_90a");
    EXPECT_EQ((*open(cudaArtifact(cudaManifest("host"))))->target().isa,
              "host");
  }
  // Without a driver the processors do it, and say why.
  ::setenv("TARN_CUDA_DRIVER", "/nowhere/libcuda.so.1", 1);
  std::unique_ptr<Session> session = openOn("");
  EXPECT_EQ(session->target().isa, "x86-64");
  EXPECT_NE(session->notOnGpu().find("no CUDA driver: /nowhere"),
            std::string::npos)
      << session->notOnGpu();
  ::unsetenv("TARN_CUDA_DRIVER");
}

TEST(Cuda, AllocatesWhatIsPlanned) {
  HostDriver host;
  std::unique_ptr<Session> session = openOn("cuda");
  const Manifest &manifest = session->manifest();
  auto expect = [&](const char *when) {
    for (unsigned i = 0; i < spaceCount; ++i) {
      auto space = static_cast<Space>(i);
      EXPECT_EQ(session->allocatedBytes(space), session->predictedBytes(space))
          << spaceName(space) << " " << when;
    }
    EXPECT_EQ(session->scratchBytes(), session->predictedScratchBytes());
    EXPECT_TRUE(session->checkMemory().ok());
  };
  EXPECT_EQ(session->allocatedBytes(Space::State), manifest.stateBytes);
  EXPECT_EQ(session->allocatedBytes(Space::Constant), 64u);
  EXPECT_EQ(session->allocatedBytes(Space::Arena), 0u);
  expect("at first");
  ASSERT_TRUE(session->initialize(0).ok());
  Batch batch;
  ASSERT_TRUE(session->run(validateIndex, batch.inputs, nullptr).ok());
  expect("after validate");
  const Function &step = session->functions()[stepIndex];
  ASSERT_TRUE(session->run(stepIndex, batch.inputs, nullptr).ok());
  expect("after a step");
  EXPECT_EQ(session->allocatedBytes(Space::Arena), step.arenaBytes);
  EXPECT_EQ(session->allocatedBytes(Space::Input), step.inputBytes);
  // Pinned: inputs and outputs twice, and what a checkpoint goes through.
  EXPECT_EQ(session->scratchBytes(),
            2 * (step.inputBytes + step.outputBytes) +
                (manifest.stateBytes + 255) / 256 * 256);
  ASSERT_TRUE(session->run(parkIndex, nullptr, nullptr).ok());
  expect("after parking");
  EXPECT_EQ(session->allocatedBytes(Space::Host),
            session->functions()[parkIndex].hostBytes);
  // The larger arena does not change what the state is.
  ASSERT_TRUE(session->run(stepIndex, batch.inputs, nullptr).ok());
  session->accounts()[unsigned(Space::Arena)].bytes += 64;
  EXPECT_EQ(session->run(stepIndex, batch.inputs, nullptr).code(),
            Code::Internal);
  session->accounts()[unsigned(Space::Arena)].bytes -= 64;
}

TEST(Cuda, CheckpointsGoBetweenDevices) {
  HostDriver host;
  TemporaryFolder folder;
  Trained whole = trainOn("cuda", 10);
  {
    std::unique_ptr<Session> session = openOn("cuda");
    ASSERT_TRUE(session->initialize(3).ok());
    train(*session, 5);
    Result<std::string> saved = saveCheckpoint(*session, folder.path, 5);
    ASSERT_TRUE(saved.ok()) << saved.status().message();
  }
  for (const char *isa : {"cuda", "cpu"}) {
    std::unique_ptr<Session> session = openOn(isa);
    ASSERT_TRUE(session->initialize(77).ok());
    Result<CheckpointInfo> info = loadCheckpoint(*session, folder.path);
    ASSERT_TRUE(info.ok()) << info.status().message();
    EXPECT_EQ(train(*session, 5, 5).hash, whole.hash) << isa;
  }
  // Weights alone, and single tensors.
  std::unique_ptr<Session> gpu = openOn("cuda"), cpu = openOn("cpu");
  const TensorDesc &table = gpu->manifest().state[0];
  for (Session *session : {gpu.get(), cpu.get()}) {
    ASSERT_TRUE(session->initialize(1).ok());
    ASSERT_TRUE(loadParameters(*session, folder.path).ok());
  }
  EXPECT_EQ(gpu->weightHash(), cpu->weightHash());
  std::vector<float> values(64 * 64), back(64 * 64);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(i);
  ASSERT_TRUE(gpu->writeState(table, values.data()).ok());
  ASSERT_TRUE(gpu->readState(table, back.data()).ok());
  EXPECT_EQ(back, values);
  float middle[3];
  ASSERT_TRUE(gpu->readState(table, 400, middle, sizeof middle).ok());
  EXPECT_EQ(middle[1], 101.0f);
}

TEST(Cuda, GeneratesTheSameText) {
  HostDriver host;
  std::vector<int32_t> texts[2];
  for (int i : {0, 1}) {
    std::unique_ptr<Session> session = openOn(i ? "cuda" : "cpu");
    ASSERT_TRUE(session->initialize(3).ok());
    train(*session, 30);
    GenerateOptions options;
    options.tokens = 40;
    options.temperature = 1;
    options.seed = 4;
    Status status = generate(*session, {1, 2, 3}, options, [&](int32_t token) {
      texts[i].push_back(token);
      return true;
    });
    ASSERT_TRUE(status.ok()) << status.message();
  }
  EXPECT_EQ(texts[0].size(), 40u);
  EXPECT_EQ(texts[1], texts[0]);
}

TEST(Cuda, TrainerWritesTheSameRun) {
  HostDriver host;
  TemporaryFolder folder;
  ASSERT_TRUE(writeFile(folder / "text", bigramText(20000)).ok());
  DataOptions dataOptions;
  dataOptions.vocabulary = 64;
  Result<Dataset> data = Dataset::open({folder / "text"}, dataOptions);
  ASSERT_TRUE(data.ok());
  std::string files[2];
  for (int i : {0, 1}) {
    std::unique_ptr<Session> session = openOn(i ? "cuda" : "cpu");
    TrainOptions options;
    options.folder = folder / std::to_string(i);
    options.seed = 5;
    options.steps = 30;
    options.validateEvery = 10;
    options.checkpointEvery = 7;
    Result<std::unique_ptr<Trainer>> trainer =
        Trainer::create(*session, *data, options);
    ASSERT_TRUE(trainer.ok());
    ASSERT_TRUE((*trainer)->start().ok());
    Result<Trainer::Outcome> outcome = (*trainer)->run();
    ASSERT_TRUE(outcome.ok()) << outcome.status().message();
    // On the way, resumed elsewhere.
    std::unique_ptr<Session> other = openOn(i ? "cpu" : "cuda");
    options.folder = "";
    Result<std::unique_ptr<Trainer>> resumed =
        Trainer::create(*other, *data, options);
    ASSERT_TRUE(resumed.ok());
    ASSERT_TRUE((*resumed)->resume(folder / (std::to_string(i) + "/14")).ok());
    ASSERT_TRUE((*resumed)->run().ok());
    EXPECT_EQ(other->weightHash(), session->weightHash());
    files[i] = *readFile(folder / (std::to_string(i) + "/30/state.safetensors"),
                         1 << 20);
  }
  EXPECT_EQ(files[0], files[1]);
}

TEST(Cuda, ABatchThatIsNotFiniteCanBeReplayed) {
  HostDriver host;
  TemporaryFolder folder;
  ASSERT_TRUE(writeFile(folder / "text", bigramText(20000)).ok());
  DataOptions dataOptions;
  dataOptions.vocabulary = 64;
  Result<Dataset> data = Dataset::open({folder / "text"}, dataOptions);
  ASSERT_TRUE(data.ok());
  std::vector<uint8_t> batches[2];
  for (int i : {0, 1}) {
    std::unique_ptr<Session> session = openOn(i ? "cuda" : "cpu");
    TrainOptions options;
    options.steps = 10;
    Result<std::unique_ptr<Trainer>> trainer =
        Trainer::create(*session, *data, options);
    ASSERT_TRUE(trainer.ok());
    ASSERT_TRUE((*trainer)->start().ok());
    ASSERT_TRUE((*trainer)->step().ok());
    std::vector<float> broken(64 * 64, NAN);
    ASSERT_TRUE(
        session->writeState(session->manifest().state[0], broken.data()).ok());
    EXPECT_EQ((*trainer)->step().status().code(), Code::NotFinite);
    batches[i] = (*trainer)->lastInputs().input(0);
  }
  EXPECT_EQ(batches[1], batches[0]);
}

TEST(Cuda, ProfilesEveryKernel) {
  HostDriver host;
  SessionOptions options;
  options.profile = true;
  std::unique_ptr<Session> session = openOn("cuda", options);
  ASSERT_TRUE(session->initialize(3).ok());
  session->setProfile(true);
  Trained profiled = train(*session, 4);
  const Profile &profile = session->profile();
  EXPECT_EQ(profile.steps.launches, 4u);
  EXPECT_GT(profile.steps.nanoseconds, 0u);
  EXPECT_EQ(profile.moves.launches, 4 * 2u);
  const std::vector<Kernel> &kernels = session->target().kernels;
  for (size_t i = 0; i < kernels.size(); ++i) {
    uint64_t wanted = kernels[i].name == "forward"  ? 8
                      : kernels[i].name == "reduce" ? 4
                      : kernels[i].name == "finish" ? 4
                      : kernels[i].name == "update" ? 4
                                                    : 0;
    EXPECT_EQ(profile.kernels[i].launches, wanted) << kernels[i].name;
    EXPECT_EQ(profile.kernels[i].nanoseconds > 0, wanted > 0);
  }
  session->setProfile(false);
  train(*session, 1, 4);
  EXPECT_EQ(HostDriver::count("cuGraphLaunch"), 1u);
  EXPECT_EQ(profiled.hash, trainOn("cpu", 4).hash);
}

TEST(Cuda, PoisonFillsTheArena) {
  HostDriver host;
  std::unique_ptr<Session> session = openOn("cuda");
  ASSERT_TRUE(session->setDebug(true, GuardSide::None).ok());
  uint32_t seen[16];
  void *outputs[] = {seen};
  ASSERT_TRUE(session->run(peekIndex, nullptr, outputs).ok());
  for (uint32_t word : seen)
    EXPECT_EQ(word, 0x7FF17FF1u);
  // What a plan gave up too early is poison by then.
  float late[32];
  void *lateOutputs[] = {late};
  std::optional<size_t> index = session->findFunction("late");
  ASSERT_TRUE(session->initialize(3).ok());
  ASSERT_TRUE(session->run(*index, nullptr, lateOutputs).ok());
  EXPECT_TRUE(std::isnan(late[31]));
  EXPECT_EQ(train(*session, 6).hash, trainOn("cpu", 6).hash);
  std::vector<float> parked(64 * 64);
  void *parkOutputs[] = {parked.data()};
  ASSERT_TRUE(session->run(parkIndex, nullptr, parkOutputs).ok());
  std::vector<float> table(64 * 64);
  ASSERT_TRUE(
      session->readState(session->manifest().state[0], table.data()).ok());
  EXPECT_EQ(parked, table);
  EXPECT_EQ(session->setDebug(false, GuardSide::End).code(), Code::Unsupported);
}

TEST(Cuda, OneByOneIsTheSame) {
  HostDriver host;
  SessionOptions options;
  options.oneByOne = true;
  std::unique_ptr<Session> session = openOn("cuda", options);
  ASSERT_TRUE(session->initialize(3).ok());
  EXPECT_EQ(train(*session, 5).hash, trainOn("cpu", 5).hash);
}

TEST(Cuda, HasTheSameCInterface) {
  HostDriver host;
  std::string bytes = cudaArtifact();
  tarn_artifact *artifact = nullptr;
  tarn_session *session = nullptr;
  ASSERT_EQ(tarn_artifact_open_bytes(bytes.data(), bytes.size(), &artifact),
            TARN_OK);
  ASSERT_EQ(tarn_session_create(artifact, nullptr, &session), TARN_OK)
      << tarn_last_error();
  EXPECT_STREQ(tarn_session_isa(session), "sm_90a");
  ASSERT_EQ(tarn_initialize(session, 3), TARN_OK);
  EXPECT_EQ(tarn_state_data(session, "table.weight"), nullptr);
  EXPECT_STREQ(tarn_last_error(),
               "the state lies on a GPU; tarn_state_read copies it");
  std::vector<float> table(64 * 64);
  ASSERT_EQ(tarn_state_read(session, "table.weight", table.data(), 16384),
            TARN_OK);
  char before[65], after[65];
  ASSERT_EQ(tarn_weight_hash(session, before), TARN_OK);
  table[0] += 1;
  ASSERT_EQ(tarn_state_write(session, "table.weight", table.data(), 16384),
            TARN_OK);
  ASSERT_EQ(tarn_weight_hash(session, after), TARN_OK);
  EXPECT_STRNE(before, after);
  Batch batch;
  ASSERT_EQ(tarn_run(session, 1, batch.inputs, batch.outputs), TARN_OK);
  EXPECT_EQ(batch.steps, 1);
  EXPECT_EQ(tarn_check_memory(session), TARN_OK);
  tarn_session_destroy(session);
  tarn_artifact_close(artifact);
  EXPECT_EQ(HostDriver::count("live"), 0u);
}

/// A program of one launch of `symbol`, whose only buffer is a state of
/// `count` numbers.
static Manifest oneLaunch(const char *symbol, uint64_t count, uint32_t blocks,
                          KernelArg::Access access) {
  Manifest manifest = cudaManifest();
  manifest.targets.erase(manifest.targets.begin());
  TensorDesc state;
  state.name = "values";
  state.role = "state";
  state.shape = {int64_t(count)};
  state.bytes = count * 4;
  manifest.state = {state};
  manifest.stateBytes = state.bytes;
  Target &target = manifest.targets[0];
  Kernel kernel = target.kernels[0];
  kernel.symbol = symbol;
  kernel.name = symbol;
  kernel.args = {{state.bytes, access}};
  kernel.params = {{0, {}}};
  target.kernels = {kernel};
  Function function;
  function.name = "run";
  function.kind = "forward";
  Op op;
  op.blocks = blocks;
  op.args = {{Space::State, 0, 0}};
  function.program = {op};
  target.functions = {function};
  return manifest;
}

// 2^31 + 64 elements, of which little is touched.
TEST(Cuda, TensorsMayHaveMoreThanTwoToThe31Elements) {
  HostDriver host;
  constexpr uint64_t count = (uint64_t(1) << 31) + 64;
  Manifest manifest =
      oneLaunch("k_far", count, 2, KernelArg::Access::ReadWrite);
  const TensorDesc far = manifest.state[0];
  // And an offset beyond 2^32 in the plan.
  Op copy;
  copy.kind = Op::Kind::Copy;
  copy.to = {Space::State, 64, 0};
  copy.from = {Space::State, far.bytes - 64, 0};
  copy.bytes = 64;
  manifest.targets[0].functions[0].program.push_back(copy);
  Result<std::unique_ptr<Session>> session = open(cudaArtifact(manifest));
  ASSERT_TRUE(session.ok()) << session.status().message();
  Status status = (*session)->run(0, nullptr, nullptr);
  ASSERT_TRUE(status.ok()) << status.message();
  float first[32], last;
  ASSERT_TRUE((*session)->readState(far, 0, first, sizeof first).ok());
  ASSERT_TRUE((*session)->readState(far, far.bytes - 4, &last, 4).ok());
  EXPECT_EQ(first[0], 1.0f);
  EXPECT_EQ(last, 2.0f);
  EXPECT_EQ(first[31], 2.0f);
}

// As many as the device has multiprocessors, or tiles.
TEST(Cuda, PersistentBlocksAreOneForEachMultiprocessor) {
  Manifest manifest = oneLaunch("k_walk", 64, 64, KernelArg::Access::Write);
  manifest.targets[0].kernels[0].persistent = true;
  const TensorDesc tiles = manifest.state[0];
  for (int processors : {3, 132}) {
    HostDriver host("multiprocessors=" + std::to_string(processors));
    Result<std::unique_ptr<Session>> session = open(cudaArtifact(manifest));
    ASSERT_TRUE(session.ok()) << session.status().message();
    ASSERT_TRUE((*session)->run(0, nullptr, nullptr).ok());
    float blocks[64];
    ASSERT_TRUE((*session)->readState(tiles, 0, blocks, sizeof blocks).ok());
    for (int tile = 0; tile < 64; ++tile)
      EXPECT_EQ(blocks[tile], 1 + float(tile % processors));
  }
}
