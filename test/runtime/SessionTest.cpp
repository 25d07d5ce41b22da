#include "runtime/Session.h"

#include "runtime/CopyStream.h"
#include "runtime/Cpu.h"
#include "runtime/Pool.h"
#include "test/runtime/TestModel.h"

#include <cfloat>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

using namespace tarn::rt;
using namespace tarn::rt::test;

namespace {
/// A batch for the step function, and its outputs.
struct Batch {
  int32_t tokens[128], targets[128];
  float loss = 0, norm = 0;
  uint8_t finite = 2;
  int32_t steps = 0;
  const void *inputs[2] = {tokens, targets};
  void *outputs[4] = {&loss, &norm, &finite, &steps};
  explicit Batch(int salt = 0) {
    for (int i = 0; i < 128; ++i) {
      tokens[i] = (i * 7 + salt) & 63;
      targets[i] = (tokens[i] + 3) & 63;
    }
  }
};

std::string hashAfter(unsigned threads, int steps) {
  SessionOptions options;
  options.threads = threads;
  std::unique_ptr<Session> session = bigramSession(options);
  EXPECT_EQ(session->threads(), threads);
  EXPECT_TRUE(session->initialize(3).ok());
  for (int i = 0; i < steps; ++i) {
    Batch batch(i);
    EXPECT_TRUE(session->run(1, batch.inputs, batch.outputs).ok());
  }
  return toHex(session->weightHash());
}
} // namespace

TEST(Session, Learns) {
  std::unique_ptr<Session> session = bigramSession();
  ASSERT_TRUE(session->initialize(0).ok());
  float first = 0, last = 0;
  for (int i = 0; i < 60; ++i) {
    Batch batch(i);
    ASSERT_TRUE(session->run(1, batch.inputs, batch.outputs).ok());
    EXPECT_EQ(batch.finite, 1);
    EXPECT_EQ(batch.steps, i + 1);
    (i ? last : first) = batch.loss;
  }
  EXPECT_NEAR(first, 4.16f, 0.1f); // log 64
  EXPECT_LT(last, 1.0f);
}

TEST(Session, ThreadsDoNotChangeABit) {
  std::string one = hashAfter(1, 50);
  for (unsigned threads : {2u, 3u, 8u})
    EXPECT_EQ(hashAfter(threads, 50), one) << threads;
  EXPECT_NE(hashAfter(1, 49), one);
}

TEST(Session, ThreadsMayChangeBetweenSteps) {
  std::unique_ptr<Session> session = bigramSession();
  ASSERT_TRUE(session->initialize(3).ok());
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(session->setThreads(1 + i % 5).ok());
    Batch batch(i);
    ASSERT_TRUE(session->run(1, batch.inputs, nullptr).ok());
  }
  EXPECT_EQ(toHex(session->weightHash()), hashAfter(1, 50));
  EXPECT_EQ(session->setThreads(100000).code(), Code::BadArgument);
}

TEST(Session, SeedMatters) {
  std::unique_ptr<Session> session = bigramSession();
  ASSERT_TRUE(session->initialize(1).ok());
  Digest one = session->weightHash();
  ASSERT_TRUE(session->initialize(uint64_t(1) << 32).ok());
  EXPECT_NE(session->weightHash(), one);
  ASSERT_TRUE(session->initialize(1).ok());
  EXPECT_EQ(session->weightHash(), one);
}

TEST(Session, AllocatesWhatTheManifestSays) {
  SessionOptions options;
  options.threads = 3;
  std::unique_ptr<Session> session = bigramSession(options);
  const Manifest &manifest = session->manifest();
  EXPECT_EQ(session->allocatedBytes(Space::State), manifest.stateBytes);
  EXPECT_EQ(session->allocatedBytes(Space::Constant), manifest.constantBytes);
  EXPECT_EQ(session->allocatedBytes(Space::Arena), 0u);
  EXPECT_EQ(session->scratchBytes(), 3 * 64 * 4u);
  Batch batch;
  const Function &validate = session->functions()[2];
  ASSERT_TRUE(session->run(2, batch.inputs, nullptr).ok());
  EXPECT_EQ(session->allocatedBytes(Space::Arena), validate.arenaBytes);
  const Function &step = session->functions()[1];
  ASSERT_TRUE(session->run(1, batch.inputs, nullptr).ok());
  EXPECT_EQ(session->allocatedBytes(Space::Arena), step.arenaBytes);
  EXPECT_EQ(session->allocatedBytes(Space::Input), step.inputBytes);
  EXPECT_EQ(session->allocatedBytes(Space::Output), step.outputBytes);
  // A smaller function runs in what is there.
  ASSERT_TRUE(session->run(2, batch.inputs, nullptr).ok());
  EXPECT_EQ(session->allocatedBytes(Space::Arena), step.arenaBytes);
}

TEST(Session, OtherBytesThanPlannedAreABug) {
  std::unique_ptr<Session> session = bigramSession();
  ASSERT_TRUE(session->initialize(0).ok());
  Batch batch;
  ASSERT_TRUE(session->run(1, batch.inputs, nullptr).ok());
  ASSERT_TRUE(session->checkMemory().ok());
  Account &arena = session->accounts()[unsigned(Space::Arena)];
  arena.bytes += 64;
  Status status = session->run(1, batch.inputs, nullptr);
  EXPECT_EQ(status.code(), Code::Internal);
  std::string planned = std::to_string(session->functions()[1].arenaBytes);
  EXPECT_EQ(status.message(),
            "the arena takes " +
                std::to_string(session->functions()[1].arenaBytes + 64) +
                " bytes in 1 allocations, but " + planned +
                " in one are planned");
  arena.bytes -= 64;
  // The same bytes in two pieces are not the plan either.
  arena.allocations += 1;
  EXPECT_EQ(session->checkMemory().code(), Code::Internal);
  arena.allocations -= 1;
  EXPECT_TRUE(session->checkMemory().ok());
}

TEST(Session, WithoutMemoryNothingIsHeldAndLaterRunsWork) {
  Manifest manifest = bigramManifest();
  Function huge = manifest.targets[0].functions[2];
  huge.name = "huge";
  huge.outputBytes = uint64_t(1) << 46;
  manifest.targets[0].functions.push_back(huge);
  std::string bytes = bigramArtifact(manifest);
  auto model = Model::parse(bytes.data(), bytes.size());
  ASSERT_TRUE(model.ok()) << model.status().message();
  auto session = Session::create(*model);
  ASSERT_TRUE(session.ok());
  Batch batch;
  ASSERT_TRUE((*session)->run(1, batch.inputs, nullptr).ok());
  size_t last = manifest.targets[0].functions.size() - 1;
  EXPECT_EQ((*session)->run(last, batch.inputs, nullptr).code(),
            Code::OutOfMemory);
  EXPECT_EQ((*session)->allocatedBytes(Space::Arena), 0u);
  EXPECT_TRUE((*session)->checkMemory().ok());
  ASSERT_TRUE((*session)->run(2, batch.inputs, nullptr).ok());
  ASSERT_TRUE((*session)->run(1, batch.inputs, nullptr).ok());
}

TEST(Session, CopiesRunBesideTheKernels) {
  for (int threads : {1, 3}) {
    SessionOptions options;
    options.threads = unsigned(threads);
    options.poison = true;
    std::unique_ptr<Session> session = bigramSession(options);
    ASSERT_TRUE(session->initialize(3).ok());
    const Function &park = session->functions()[6];
    const TensorDesc &table = session->manifest().state[0];
    std::vector<float> out(table.bytes / 4);
    void *outputs[] = {out.data()};
    for (int i = 0; i < 50; ++i) {
      std::fill(out.begin(), out.end(), 0.0f);
      ASSERT_TRUE(session->run(6, nullptr, outputs).ok());
      ASSERT_EQ(std::memcmp(out.data(), session->stateData(table), table.bytes),
                0);
    }
    EXPECT_EQ(session->allocatedBytes(Space::Host), park.hostBytes);
    EXPECT_EQ(session->allocatedBytes(Space::Arena), park.arenaBytes);
  }
}

TEST(CopyStream, MakesCopiesInOrder) {
  std::vector<char> a(1 << 20, 'a'), b(1 << 20, 'b'), target(1 << 20);
  for (int round = 0; round < 20; ++round) {
    auto stream = CopyStream::create();
    ASSERT_TRUE(stream.ok());
    (*stream)->start(target.data(), a.data(), a.size());
    CopyStream::Ticket last =
        (*stream)->start(target.data(), b.data(), b.size());
    (*stream)->start(nullptr, nullptr, 0);
    if (round % 2)
      (*stream)->wait(last);
    else
      stream->reset(); // what is queued is made before the end
    ASSERT_EQ(target, b);
  }
}

TEST(Session, LargeBuffersAreAlignedForHugePages) {
  for (uint64_t size : {uint64_t(1), uint64_t(4096), uint64_t(5) << 20,
                        (uint64_t(9) << 20) + 1}) {
    Result<Buffer> buffer = Buffer::allocate(size, "a test");
    ASSERT_TRUE(buffer.ok());
    EXPECT_EQ(buffer->size(), size);
    uint64_t alignment = size >= uint64_t(4) << 20 ? uint64_t(2) << 20 : 64;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % alignment, 0u);
    buffer->data()[size - 1] = 1;
    EXPECT_EQ(buffer->data()[0], size == 1 ? 1 : 0);
  }
  EXPECT_EQ(Buffer::allocate(uint64_t(1) << 60, "a test").status().code(),
            Code::OutOfMemory);
}

TEST(Session, PoisonFillsTheArena) {
  std::unique_ptr<Session> session = bigramSession();
  uint32_t seen[16];
  void *outputs[] = {seen};
  ASSERT_TRUE(session->run(5, nullptr, outputs).ok());
  EXPECT_EQ(seen[7], 0u);
  ASSERT_TRUE(session->setDebug(true, GuardSide::None).ok());
  ASSERT_TRUE(session->run(5, nullptr, outputs).ok());
  for (uint32_t word : seen)
    EXPECT_EQ(word, 0x7FF17FF1u);
  // A correct program does not mind.
  ASSERT_TRUE(session->initialize(3).ok());
  for (int i = 0; i < 50; ++i) {
    Batch batch(i);
    ASSERT_TRUE(session->run(1, batch.inputs, nullptr).ok());
  }
  EXPECT_EQ(toHex(session->weightHash()), hashAfter(1, 50));
}

#if defined(__x86_64__)
TEST(Session, SubnormalsStayOnEveryThreadWhateverTheCallerDoes) {
  SessionOptions options;
  options.threads = 4;
  unsigned before = _mm_getcsr();
  unsigned flushing = before | 0x8040; // FTZ and DAZ
  _mm_setcsr(flushing);
  std::unique_ptr<Session> session = bigramSession(options);
  float out[256];
  void *outputs[] = {out};
  Status status = session->run(4, nullptr, outputs);
  unsigned after = _mm_getcsr();
  _mm_setcsr(before);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(after & ~0x3fu, flushing & ~0x3fu) << "the caller's mode is back";
  for (float value : out)
    EXPECT_EQ(value, FLT_MIN / 2);
}
#endif

TEST(Session, ANaNUpdatesNothing) {
  std::unique_ptr<Session> session = bigramSession();
  ASSERT_TRUE(session->initialize(0).ok());
  float *table = reinterpret_cast<float *>(
      session->stateData(session->manifest().state[0]));
  table[5] = NAN;
  Digest before = session->weightHash();
  Batch batch;
  ASSERT_TRUE(session->run(1, batch.inputs, batch.outputs).ok());
  EXPECT_EQ(batch.finite, 0);
  EXPECT_EQ(session->weightHash(), before);
}

TEST(Session, ProfileCountsLaunches) {
  SessionOptions options;
  options.profile = true;
  std::unique_ptr<Session> session = bigramSession(options);
  ASSERT_TRUE(session->initialize(0).ok());
  session->setProfile(true);
  Batch batch;
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(session->run(1, batch.inputs, nullptr).ok());
  const Profile &profile = session->profile();
  EXPECT_EQ(profile.steps.launches, 3u);
  EXPECT_EQ(profile.kernels[0].launches, 0u);
  EXPECT_EQ(profile.kernels[1].launches, 6u) << "two micro-batches a step";
  EXPECT_EQ(profile.kernels[3].launches, 3u);
  EXPECT_EQ(profile.moves.launches, 6u);
  uint64_t parts = profile.moves.nanoseconds;
  for (const KernelTime &kernel : profile.kernels)
    parts += kernel.nanoseconds;
  EXPECT_GT(parts, 0u);
  EXPECT_LE(parts, profile.steps.nanoseconds);
}

TEST(Session, BadCallsAreErrors) {
  std::unique_ptr<Session> session = bigramSession();
  EXPECT_EQ(session->run(99, nullptr, nullptr).code(), Code::BadArgument);
  Status status = session->run(1, nullptr, nullptr);
  EXPECT_EQ(status.message(), "`step` needs the input `tokens`, i32[2, 4, 16]");
}

TEST(Session, CodeMustHaveTheSymbols) {
  Manifest manifest = bigramManifest();
  manifest.targets[0].kernels[2].symbol = "k_missing";
  std::string bytes = bigramArtifact(manifest);
  auto model = Model::parse(bytes.data(), bytes.size());
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(Session::create(*model).status().message(),
            "the artifact's code has no symbol `k_missing`");
}

TEST(Session, CodeMustBeCode) {
  for (std::string code : {std::string("no elf"), std::string(5000, '\0'),
                           std::string("\x7f"
                                       "ELF") +
                               std::string(100, '\0')}) {
    ArtifactWriter writer;
    writer.add("manifest", writeManifest(bigramManifest()));
    writer.add("code.0", code);
    writer.add("constants", std::string(64, '\0'));
    std::string bytes = *writer.finish();
    auto model = Model::parse(bytes.data(), bytes.size());
    ASSERT_TRUE(model.ok());
    EXPECT_EQ(Session::create(*model).status().code(), Code::Invalid);
  }
}

// Each load gets its own library: the linker must not hand out an older one
// that had the same descriptor.
TEST(Session, ManyLoadsDoNotMixUp) {
  Manifest manifest = bigramManifest();
  std::shared_ptr<const Model> model = bigramModel();
  for (int round = 0; round < 20; ++round) {
    std::unique_ptr<Session> a = bigramSession();
    std::unique_ptr<Session> b = bigramSession();
    a.reset();
    std::unique_ptr<Session> c = bigramSession();
    ASSERT_TRUE(b->initialize(1).ok());
    ASSERT_TRUE(c->initialize(1).ok());
    EXPECT_EQ(b->weightHash(), c->weightHash());
  }
}

TEST(Cpu, PicksTheBestOrSaysWhatIsMissing) {
  std::vector<std::string> host = {"x86-64-v3", "x86-64-v2", "x86-64"};
  EXPECT_EQ(*pickIsa({"x86-64", "x86-64-v3", "x86-64-v4"}, "", host), 1u);
  EXPECT_EQ(*pickIsa({"x86-64", "x86-64-v3"}, "x86-64", host), 0u);
  EXPECT_EQ(pickIsa({"x86-64-v4"}, "", host).status().message(),
            "the artifact has no code for this processor: the artifact has "
            "code for x86-64-v4; this processor runs x86-64-v3, x86-64-v2, "
            "x86-64");
  EXPECT_EQ(pickIsa({"x86-64-v4"}, "x86-64-v4", host).status().message(),
            "this processor cannot run x86-64-v4: the artifact has code for "
            "x86-64-v4; this processor runs x86-64-v3, x86-64-v2, x86-64");
  EXPECT_EQ(pickIsa({"x86-64"}, "x86-64-v3", host).status().code(),
            Code::Unsupported);
  EXPECT_FALSE(hostIsas().empty());
}

TEST(Pool, RunsEveryBlockOnce) {
  for (unsigned threads : {1u, 2u, 5u}) {
    Result<std::unique_ptr<Pool>> pool = Pool::create(threads, 0);
    ASSERT_TRUE(pool.ok());
    std::vector<std::atomic<int>> counts(1000);
    void *args[] = {counts.data()};
    auto kernel = [](void *const *args, int64_t block, void *) {
      ++static_cast<std::atomic<int> *>(args[0])[block];
    };
    for (int round = 0; round < 200; ++round) {
      Pool::Step step(**pool);
      for (int64_t blocks :
           {int64_t(0), int64_t(1), int64_t(3), int64_t(counts.size())})
        (*pool)->run(kernel, args, blocks);
    }
    for (size_t i = 0; i < counts.size(); ++i)
      ASSERT_EQ(counts[i], i == 0 ? 600 : i < 3 ? 400 : 200) << i;
  }
}
