#include "runtime/File.h"

#include "test/runtime/TestModel.h"

#include <csignal>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace tarn::rt;
using namespace tarn::rt::test;

static std::string content(const std::string &path) {
  return *readFile(path, 1 << 20);
}

TEST(File, ReplacesAtomically) {
  TemporaryFolder folder;
  ASSERT_TRUE(writeFile(folder / "a", "old").ok());
  {
    Result<AtomicFile> file = AtomicFile::create(folder / "a");
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->write("new", 3).ok());
    EXPECT_EQ(content(folder / "a"), "old");
    EXPECT_EQ(listFolder(folder.path).size(), 2u);
  } // given up
  EXPECT_EQ(content(folder / "a"), "old");
  EXPECT_EQ(listFolder(folder.path).size(), 1u);
  ASSERT_TRUE(writeFile(folder / "a", "new").ok());
  EXPECT_EQ(content(folder / "a"), "new");
  EXPECT_EQ(listFolder(folder.path).size(), 1u);
}

TEST(File, FullDiskIsAnErrorThatLeavesTheOldFile) {
  TemporaryFolder folder;
  ASSERT_TRUE(writeFile(folder / "a", "old").ok());
  // In a child: the limit cannot be raised again by everyone. The signal that
  // comes with it must not kill, even at its default.
  pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_DFL);
    rlimit limit = {4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    Status status = writeFile(folder / "a", std::string(100000, 'x'));
    bool clean = listFolder(folder.path).size() == 1;
    ::_exit(!status.ok() && status.code() == Code::Io && clean ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(content(folder / "a"), "old");
}

TEST(File, RemovesWhatTheDeadLeft) {
  TemporaryFolder folder;
  pid_t child = ::fork();
  if (child == 0) {
    Result<AtomicFile> file = AtomicFile::create(folder / "a");
    ::_exit(file.ok() && file->write("x", 1).ok() ? 0 : 1); // no destructor
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(listFolder(folder.path).size(), 1u);
  Result<AtomicFile> alive = AtomicFile::create(folder / "b");
  ASSERT_TRUE(writeFile(folder / ".c.tmp-x", "not ours").ok());
  removeStaleTemporaries(folder.path);
  EXPECT_EQ(listFolder(folder.path).size(), 2u);
}

TEST(File, FoldersAreMadeAndErrorsNameThem) {
  TemporaryFolder folder;
  EXPECT_TRUE(makeFolders(folder / "a/b/c").ok());
  EXPECT_TRUE(isFolder(folder / "a/b/c"));
  EXPECT_TRUE(makeFolders(folder / "a/b/c").ok());
  ASSERT_TRUE(writeFile(folder / "file", "").ok());
  Status status = makeFolders(folder / "file/x");
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find(folder / "file"), std::string::npos);
  EXPECT_FALSE(writeFile("/proc/tarn/x", "x").ok());
  EXPECT_FALSE(writeFile(folder / "none/x", "x").ok());
}
