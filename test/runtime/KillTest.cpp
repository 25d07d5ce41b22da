#include "runtime/Checkpoint.h"

#include "runtime/File.h"
#include "test/runtime/TestModel.h"

#include <csignal>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <random>
#include <sys/wait.h>
#include <unistd.h>

using namespace tarn::rt;
using namespace tarn::rt::test;

static pid_t startTraining(const std::string &text, const std::string &folder,
                           const std::string &output) {
  pid_t child = ::fork();
  if (child == 0) {
    int file = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    ::dup2(file, 1);
    ::execl(TARN_TRAIN_BIGRAM, TARN_TRAIN_BIGRAM, text.c_str(), folder.c_str(),
            "2000", "3", nullptr);
    ::_exit(127);
  }
  return child;
}

// SIGKILL at random points: there is always the state of the last checkpoint,
// and going on from it ends where the uninterrupted run ends.
TEST(Kill, NothingIsLostButTheStepsSinceTheLastCheckpoint) {
  TemporaryFolder folder;
  std::string text = folder / "text";
  ASSERT_TRUE(writeFile(text, bigramText(20000)).ok());
  int status = 0;
  pid_t child = startTraining(text, folder / "whole", folder / "hash");
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  std::string expected = *readFile(folder / "hash", 1 << 10);
  ASSERT_EQ(expected.size(), 65u);

  std::mt19937 random(std::random_device{}());
  std::string run = folder / "run";
  int64_t before = -1;
  int kills = 0;
  for (; kills < 100; ++kills) {
    child = startTraining(text, run, folder / "hash");
    ::usleep(random() % 30000);
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status)) {
      ASSERT_EQ(status, 0);
      break;
    }
    std::vector<int64_t> steps = listCheckpoints(run);
    int64_t latest = steps.empty() ? -1 : steps.back();
    ASSERT_GE(latest, before);
    before = latest;
    for (int64_t step : steps) {
      std::string path = *findCheckpoint(run + "/" + std::to_string(step));
      Result<SafetensorsFile> file = SafetensorsFile::open(path);
      ASSERT_TRUE(file.ok()) << file.status().message();
      ASSERT_TRUE(verifyCheckpoint(*file).ok()) << path;
    }
  }
  EXPECT_GT(kills, 5);
  child = startTraining(text, run, folder / "hash");
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_EQ(*readFile(folder / "hash", 1 << 10), expected);
  // The last start removed what the killed ones had left.
  for (const std::string &name : listFolder(run))
    EXPECT_EQ(name.find(".tmp-"), std::string::npos) << name;
}
