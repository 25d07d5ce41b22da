#include "runtime/Checkpoint.h"

#include "runtime/File.h"
#include "test/runtime/TestModel.h"

#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define TARN_ADDRESS_SANITIZER
#endif
#endif

using namespace tarn::rt;
using namespace tarn::rt::test;

static std::unique_ptr<Session> started(uint64_t seed) {
  std::unique_ptr<Session> session = bigramSession();
  EXPECT_TRUE(session->initialize(seed).ok());
  return session;
}

static std::string content(const std::string &path) {
  return *readFile(path, 1 << 24);
}

TEST(Checkpoint, GivesBackTheState) {
  TemporaryFolder folder;
  std::unique_ptr<Session> a = started(1), b = started(2);
  Result<std::string> path =
      saveCheckpoint(*a, folder / "run", 100, {{"note", "hello"}});
  ASSERT_TRUE(path.ok()) << path.status().message();
  EXPECT_EQ(*path, folder / "run/100/state.safetensors");
  for (std::string place : {*path, folder / "run/100", folder / "run"}) {
    ASSERT_TRUE(b->initialize(2).ok());
    EXPECT_NE(b->weightHash(), a->weightHash());
    Result<CheckpointInfo> info = loadCheckpoint(*b, place);
    ASSERT_TRUE(info.ok()) << info.status().message();
    EXPECT_EQ(info->step, 100);
    EXPECT_EQ(info->model, "bigram");
    EXPECT_EQ(info->text("note"), "hello");
    EXPECT_TRUE(info->notes.empty());
    EXPECT_EQ(b->weightHash(), a->weightHash());
  }
}

TEST(Checkpoint, HoldsOnlyWhatIsSavedUnderLogicalNames) {
  TemporaryFolder folder;
  std::unique_ptr<Session> session = started(1);
  Result<std::string> path = saveCheckpoint(*session, folder.path, 0);
  ASSERT_TRUE(path.ok());
  Result<SafetensorsFile> file = SafetensorsFile::open(*path);
  ASSERT_TRUE(file.ok());
  std::vector<std::string> names;
  for (const SafetensorsEntry &entry : file->index().tensors)
    names.push_back(entry.name);
  EXPECT_EQ(names, (std::vector<std::string>{"optimizer.step", "table.weight",
                                             "table.weight.momentum"}));
}

/// A line of /proc/self/status in bytes; -1 if there is none.
static int64_t residentBytes(const std::string &field) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.compare(0, field.size() + 1, field + ":") == 0)
      return std::atoll(line.c_str() + field.size() + 1) * 1024;
  return -1;
}

/// How much more memory was resident while `work` ran than before; -1 where the
/// system does not say.
static int64_t mostResident(const std::function<void()> &work) {
  std::ofstream("/proc/self/clear_refs") << "5"; // the high water begins anew
  int64_t before = residentBytes("VmRSS"), water = residentBytes("VmHWM");
  if (before < 0 || water > before + (1 << 20))
    return -1;
  work();
  return residentBytes("VmHWM") - before;
}

// What reports say of loading and saving, by the system's own count.
TEST(Checkpoint, ReadsThroughAsMuchHostMemoryAsIsSaid) {
#ifdef TARN_ADDRESS_SANITIZER
  GTEST_SKIP() << "sanitizers keep memory of their own";
#endif
  Manifest manifest = bigramManifest();
  TensorDesc large;
  large.name = "large";
  large.role = "optimizer";
  large.dtype = DType::F32;
  large.shape = {12 << 20};
  large.bytes = 48 << 20;
  large.offset = manifest.stateBytes;
  large.save = true;
  manifest.state.push_back(large);
  manifest.stateBytes += large.bytes;
  std::string bytes = bigramArtifact(manifest);
  auto model = Model::parse(bytes.data(), bytes.size());
  ASSERT_TRUE(model.ok()) << model.status().message();
  auto session = Session::create(*model);
  ASSERT_TRUE(session.ok()) << session.status().message();
  ASSERT_TRUE((*session)->initialize(1).ok());
  std::memset((*session)->stateData(large), 1, large.bytes);
  TemporaryFolder folder;
  constexpr int64_t slack = 1 << 20;
  int64_t saving = mostResident(
      [&] { EXPECT_TRUE(saveCheckpoint(**session, folder.path, 1).ok()); });
  int64_t loading = mostResident(
      [&] { EXPECT_TRUE(loadCheckpoint(**session, folder.path).ok()); });
  if (saving < 0 || loading < 0)
    GTEST_SKIP() << "this system keeps no high water";
  EXPECT_LT(saving, slack);
  EXPECT_LT(loading, int64_t(checkpointStagingBytes) + slack);
  EXPECT_GT(loading, int64_t(checkpointStagingBytes) - slack);
}

// The same state from another plan: other offsets, another order, more caches.
TEST(Checkpoint, DoesNotDependOnThePlan) {
  TemporaryFolder folder;
  std::unique_ptr<Session> a = started(1);
  Result<std::string> first = saveCheckpoint(*a, folder / "a", 5);
  ASSERT_TRUE(first.ok());

  Manifest manifest = bigramManifest();
  manifest.targets[0].functions.clear();
  std::swap(manifest.state[0], manifest.state[3]);
  uint64_t next = 0;
  for (TensorDesc &tensor : manifest.state) {
    tensor.offset = next;
    next += (tensor.bytes + 127) / 64 * 64;
  }
  manifest.stateBytes = next;
  manifest.shape = Json::object();
  std::string bytes = bigramArtifact(manifest);
  auto model = Model::parse(bytes.data(), bytes.size());
  ASSERT_TRUE(model.ok()) << model.status().message();
  auto b = Session::create(*model);
  ASSERT_TRUE(b.ok());
  ASSERT_TRUE(loadCheckpoint(**b, *first).ok());
  EXPECT_EQ((*b)->weightHash(), a->weightHash());
  Result<std::string> second = saveCheckpoint(**b, folder / "b", 5);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(content(*first), content(*second));
}

TEST(Checkpoint, FindsEveryChangedByte) {
  TemporaryFolder folder;
  std::unique_ptr<Session> session = started(1);
  // A small state, so that every byte can be tried.
  Manifest manifest = bigramManifest();
  manifest.targets[0].functions.clear();
  manifest.state.resize(1);
  manifest.state[0].shape = {2, 8};
  manifest.state[0].bytes = 64;
  std::string artifact = bigramArtifact(manifest);
  auto small = Session::create(*Model::parse(artifact.data(), artifact.size()));
  ASSERT_TRUE(small.ok());
  Result<std::string> path = saveCheckpoint(**small, folder.path, 1);
  ASSERT_TRUE(path.ok());
  const std::string bytes = content(*path);
  Digest before = (*small)->weightHash();
  std::string changedPath = folder / "changed.safetensors";
  for (size_t i = 0; i < bytes.size(); ++i)
    for (int flip : {0x01, 0x20, 0x80}) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ flip);
      FILE *file = std::fopen(changedPath.c_str(), "wb");
      ASSERT_NE(file, nullptr);
      std::fwrite(changed.data(), 1, changed.size(), file);
      std::fclose(file);
      EXPECT_FALSE(loadCheckpoint(**small, changedPath).ok())
          << "byte " << i << " ^ " << flip;
      EXPECT_EQ((*small)->weightHash(), before) << "byte " << i;
    }
  for (size_t size = 0; size < bytes.size(); size += 13) {
    ASSERT_TRUE(writeFile(changedPath, bytes.substr(0, size)).ok());
    EXPECT_FALSE(loadCheckpoint(**small, changedPath).ok()) << size;
  }
  ASSERT_TRUE(writeFile(changedPath, bytes).ok());
  EXPECT_TRUE(loadCheckpoint(**small, changedPath).ok());
}

TEST(Checkpoint, DamageInTheWeightsIsNamed) {
  TemporaryFolder folder;
  std::unique_ptr<Session> session = started(1);
  Result<std::string> path = saveCheckpoint(*session, folder.path, 1);
  std::string bytes = content(*path);
  bytes[bytes.size() - 5000] ^= 4;
  ASSERT_TRUE(writeFile(*path, bytes).ok());
  Status status = loadCheckpoint(*session, folder.path).status();
  EXPECT_EQ(status.code(), Code::Damaged);
  EXPECT_EQ(status.message(), "`" + *path +
                                  "`: the checkpoint is damaged: its checksum "
                                  "does not match");
}

// A checkpoint of `session` loaded into a model that `change` made different.
static std::string mismatch(void (*change)(Manifest &)) {
  TemporaryFolder folder;
  std::unique_ptr<Session> session = started(1);
  Result<std::string> path = saveCheckpoint(*session, folder.path, 1);
  Manifest manifest = bigramManifest();
  manifest.targets[0].functions.clear();
  change(manifest);
  std::string bytes = bigramArtifact(manifest);
  auto model = Model::parse(bytes.data(), bytes.size());
  if (!model.ok())
    return model.status().message();
  auto other = Session::create(*model);
  Status status = loadCheckpoint(**other, *path).status();
  EXPECT_EQ(status.code(), Code::Mismatch);
  std::string text = status.message();
  std::string start = "`" + *path + "`: a checkpoint of another model: ";
  EXPECT_EQ(text.substr(0, start.size()), start);
  return text.substr(std::min(text.size(), start.size()));
}

TEST(Checkpoint, OfAnotherModelNamesTheFirstDifference) {
  EXPECT_EQ(mismatch([](Manifest &m) { m.model = "llama"; }),
            "it is of `bigram`, the artifact is `llama`");
  EXPECT_EQ(mismatch([](Manifest &m) { m.state[0].shape = {32, 128}; }),
            "`table.weight` is f32[64, 64] in it, the artifact has "
            "f32[32, 128]");
  EXPECT_EQ(mismatch([](Manifest &m) { m.state[2].dtype = DType::F32; }),
            "`optimizer.step` is i32[] in it, the artifact has f32[]");
  EXPECT_EQ(mismatch([](Manifest &m) { m.state[0].name = "h.0.weight"; }),
            "it has no `h.0.weight`");
  EXPECT_EQ(mismatch([](Manifest &m) { m.state[1].save = false; }),
            "the artifact has no `table.weight.momentum`");
}

TEST(Checkpoint, NotesOtherHyperParameters) {
  TemporaryFolder folder;
  std::unique_ptr<Session> session = started(1);
  Result<std::string> path = saveCheckpoint(*session, folder.path, 1);
  Manifest manifest = bigramManifest();
  manifest.hyper = Json::object();
  manifest.hyper.set("vocab", 65);
  std::string bytes = bigramArtifact(manifest);
  auto other = Session::create(*Model::parse(bytes.data(), bytes.size()));
  Result<CheckpointInfo> info = loadCheckpoint(**other, *path);
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->notes,
            (std::vector<std::string>{"hyper-parameter `vocab` was 64 when "
                                      "the checkpoint was saved, is now 65"}));
}

TEST(Checkpoint, IsNotAnySafetensorsFile) {
  TemporaryFolder folder;
  float x = 1;
  ASSERT_TRUE(writeSafetensors(folder / "x.safetensors", {},
                               {{"table.weight", DType::F32, {}, &x}})
                  .ok());
  std::unique_ptr<Session> session = started(1);
  EXPECT_EQ(loadCheckpoint(*session, folder / "x.safetensors").status().code(),
            Code::Invalid);
  EXPECT_EQ(loadCheckpoint(*session, folder / "none").status().code(),
            Code::NotFound);
  EXPECT_EQ(loadCheckpoint(*session, folder.path).status().message(),
            "there is no checkpoint in `" + folder.path + "`");
}

TEST(Checkpoint, LatestIsTheHighestComplete) {
  TemporaryFolder folder;
  std::unique_ptr<Session> session = started(1);
  for (int64_t step : {9, 10, 2})
    ASSERT_TRUE(saveCheckpoint(*session, folder.path, step).ok());
  ASSERT_TRUE(makeFolders(folder / "11").ok()); // killed before the rename
  ASSERT_TRUE(makeFolders(folder / "abc").ok());
  ASSERT_TRUE(writeFile(folder / ".state.safetensors.tmp-1-1", "x").ok());
  EXPECT_EQ(listCheckpoints(folder.path), (std::vector<int64_t>{2, 9, 10}));
  EXPECT_EQ(*findCheckpoint(folder.path), folder / "10/state.safetensors");
  pruneCheckpoints(folder.path, 1);
  EXPECT_EQ(listCheckpoints(folder.path), (std::vector<int64_t>{10}));
  // Saving a step again replaces it.
  ASSERT_TRUE(session->initialize(2).ok());
  ASSERT_TRUE(saveCheckpoint(*session, folder.path, 10).ok());
  std::unique_ptr<Session> other = started(1);
  ASSERT_TRUE(loadCheckpoint(*other, folder.path).ok());
  EXPECT_EQ(other->weightHash(), session->weightHash());
}

TEST(Checkpoint, FullDiskLeavesTheOldOne) {
  TemporaryFolder folder;
  {
    std::unique_ptr<Session> session = started(1);
    ASSERT_TRUE(saveCheckpoint(*session, folder.path, 1).ok());
  }
  std::string before = content(folder / "1/state.safetensors");
  pid_t child = ::fork();
  if (child == 0) {
    std::unique_ptr<Session> session = started(2);
    rlimit limit = {8192, 8192};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    Status again = saveCheckpoint(*session, folder.path, 1).status();
    Status next = saveCheckpoint(*session, folder.path, 2).status();
    ::_exit(again.code() == Code::Io && next.code() == Code::Io &&
                    listFolder(folder.path).size() == 1
                ? 0
                : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(content(folder / "1/state.safetensors"), before);
  EXPECT_EQ(listCheckpoints(folder.path), (std::vector<int64_t>{1}));
}

TEST(Checkpoint, UnwritableFoldersAreErrors) {
  TemporaryFolder folder;
  std::unique_ptr<Session> session = started(1);
  ASSERT_TRUE(writeFile(folder / "file", "x").ok());
  Status status = saveCheckpoint(*session, folder / "file", 1).status();
  EXPECT_EQ(status.code(), Code::Io);
  EXPECT_NE(status.message().find(folder / "file"), std::string::npos);
  EXPECT_FALSE(saveCheckpoint(*session, "/proc/tarn", 1).ok());
  EXPECT_EQ(saveCheckpoint(*session, folder.path, -1).status().code(),
            Code::BadArgument);
}
