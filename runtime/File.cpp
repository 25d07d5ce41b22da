//===- File.cpp - Files that are read checked and written atomically ------===//

#include "runtime/File.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace tarn::rt;

/// Larger single transfers are refused by the kernel anyway.
static constexpr size_t transferLimit = size_t(1) << 30;

Status tarn::rt::ioError(const std::string &what, const std::string &path,
                         int error) {
  Code code = error == ENOENT ? Code::NotFound : Code::Io;
  return Status(code, what + " `" + path + "`: " + std::strerror(error));
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

InputFile::InputFile(InputFile &&other) noexcept { *this = std::move(other); }

InputFile &InputFile::operator=(InputFile &&other) noexcept {
  std::swap(descriptor, other.descriptor);
  std::swap(bytes, other.bytes);
  std::swap(name, other.name);
  return *this;
}

InputFile::~InputFile() {
  if (descriptor >= 0)
    ::close(descriptor);
}

Result<InputFile> InputFile::open(const std::string &path) {
  InputFile file;
  file.name = path;
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  file.descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file.descriptor < 0)
    return ioError("cannot open", path, errno);
  struct stat info;
  if (::fstat(file.descriptor, &info) != 0)
    return ioError("cannot open", path, errno);
  if (S_ISDIR(info.st_mode))
    return ioError("cannot open", path, EISDIR);
  if (!S_ISREG(info.st_mode))
    return Status(Code::Io, "cannot open `" + path + "`: not a regular file");
  file.bytes = static_cast<uint64_t>(info.st_size);
  return Result<InputFile>(std::move(file));
}

Status InputFile::readAt(uint64_t offset, void *to, size_t count) const {
  char *p = static_cast<char *>(to);
  while (count) {
    ssize_t n = ::pread(descriptor, p, std::min(count, transferLimit),
                        static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return ioError("cannot read", name, errno);
    if (n == 0)
      return Status(Code::Damaged, "`" + name + "` ends at byte " +
                                       std::to_string(offset) +
                                       ", before it should");
    p += n;
    offset += static_cast<uint64_t>(n);
    count -= static_cast<size_t>(n);
  }
  return {};
}

Result<std::string> tarn::rt::readFile(const std::string &path,
                                       uint64_t limit) {
  Result<InputFile> file = InputFile::open(path);
  if (!file.ok())
    return file.status();
  if (file->size() > limit)
    return Status(Code::Invalid,
                  "`" + path + "` has " + std::to_string(file->size()) +
                      " bytes; the limit is " + std::to_string(limit));
  std::string data(file->size(), '\0');
  if (Status status = file->readAt(0, data.data(), data.size()); !status.ok())
    return status;
  return data;
}

//===----------------------------------------------------------------------===//
// Atomic writing
//===----------------------------------------------------------------------===//

static std::string folderOf(const std::string &path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos)
    return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

static std::string nameOf(const std::string &path) {
  return path.substr(path.rfind('/') + 1);
}

AtomicFile::AtomicFile(AtomicFile &&other) noexcept {
  *this = std::move(other);
}

AtomicFile &AtomicFile::operator=(AtomicFile &&other) noexcept {
  std::swap(descriptor, other.descriptor);
  std::swap(target, other.target);
  std::swap(temporary, other.temporary);
  return *this;
}

AtomicFile::~AtomicFile() {
  if (descriptor < 0)
    return;
  ::close(descriptor);
  ::unlink(temporary.c_str());
}

Result<AtomicFile> AtomicFile::create(const std::string &path,
                                      const std::string &temporaryFolder) {
  static std::atomic<unsigned> counter{0};
  AtomicFile file;
  file.target = path;
  std::string folder =
      temporaryFolder.empty() ? folderOf(path) : temporaryFolder;
  // Names carry the process id, so that removeStaleTemporaries can tell what
  // is still being written.
  for (int attempt = 0; attempt < 100; ++attempt) {
    file.temporary = folder + "/." + nameOf(path) + ".tmp-" +
                     std::to_string(::getpid()) + "-" +
                     std::to_string(counter++);
    file.descriptor =
        ::open(file.temporary.c_str(),
               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file.descriptor >= 0)
      return Result<AtomicFile>(std::move(file));
    if (errno != EEXIST)
      break;
  }
  return ioError("cannot write", path, errno);
}

namespace {
/// Keeps SIGXFSZ from killing the process while a write runs: a file that may
/// grow no more is an error of that write (EFBIG), like a full disk.
class FileSizeSignalBlocked {
public:
  FileSizeSignalBlocked() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &set, &before);
  }
  ~FileSizeSignalBlocked() {
    if (sigismember(&before, SIGXFSZ))
      return;
    int error = errno;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGXFSZ);
    timespec now = {0, 0};
    while (sigtimedwait(&set, nullptr, &now) > 0)
      ;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = error;
  }

private:
  sigset_t before;
};
} // namespace

Status AtomicFile::write(const void *data, size_t size) {
  FileSizeSignalBlocked blocked;
  const char *p = static_cast<const char *>(data);
  while (size) {
    ssize_t n = ::write(descriptor, p, std::min(size, transferLimit));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return ioError("cannot write", target, errno);
    p += n;
    size -= static_cast<size_t>(n);
  }
  return {};
}

Status AtomicFile::writeAt(uint64_t offset, const void *data, size_t size) {
  FileSizeSignalBlocked blocked;
  const char *p = static_cast<const char *>(data);
  while (size) {
    ssize_t n = ::pwrite(descriptor, p, std::min(size, transferLimit),
                         static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return ioError("cannot write", target, errno);
    p += n;
    offset += static_cast<uint64_t>(n);
    size -= static_cast<size_t>(n);
  }
  return {};
}

Status AtomicFile::commit() {
  // Some file systems report a full disk only here.
  if (::fsync(descriptor) != 0)
    return ioError("cannot write", target, errno);
  int closed = ::close(descriptor);
  descriptor = -1;
  if (closed != 0 || ::rename(temporary.c_str(), target.c_str()) != 0) {
    int error = errno;
    ::unlink(temporary.c_str());
    return ioError("cannot write", target, error);
  }
  return syncFolder(folderOf(target));
}

Status tarn::rt::writeFile(const std::string &path, std::string_view data) {
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file.ok())
    return file.status();
  if (Status status = file->write(data.data(), data.size()); !status.ok())
    return status;
  return file->commit();
}

void tarn::rt::removeStaleTemporaries(const std::string &folder) {
  for (const std::string &name : listFolder(folder)) {
    size_t mark = name.rfind(".tmp-");
    if (name.empty() || name[0] != '.' || mark == std::string::npos)
      continue;
    long process = std::strtol(name.c_str() + mark + 5, nullptr, 10);
    if (process <= 0 || process == ::getpid())
      continue;
    if (::kill(static_cast<pid_t>(process), 0) != 0 && errno == ESRCH)
      ::unlink((folder + "/" + name).c_str());
  }
}

//===----------------------------------------------------------------------===//
// Folders
//===----------------------------------------------------------------------===//

Status tarn::rt::makeFolders(const std::string &path) {
  if (path.empty() || isFolder(path))
    return {};
  std::string parent = folderOf(path);
  if (parent != path && parent != ".")
    if (Status status = makeFolders(parent); !status.ok())
      return status;
  if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST)
    return ioError("cannot create the folder", path, errno);
  if (!isFolder(path))
    return ioError("cannot create the folder", path, ENOTDIR);
  return {};
}

Status tarn::rt::syncFolder(const std::string &folder) {
  int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0)
    return ioError("cannot sync the folder", folder, errno);
  int result = ::fsync(descriptor);
  int error = errno;
  ::close(descriptor);
  // Some file systems cannot sync folders and say so with EINVAL.
  if (result != 0 && error != EINVAL)
    return ioError("cannot sync the folder", folder, error);
  return {};
}

std::vector<std::string> tarn::rt::listFolder(const std::string &folder) {
  std::vector<std::string> names;
  DIR *open = ::opendir(folder.c_str());
  if (!open)
    return names;
  while (dirent *entry = ::readdir(open)) {
    std::string name = entry->d_name;
    if (name != "." && name != "..")
      names.push_back(std::move(name));
  }
  ::closedir(open);
  std::sort(names.begin(), names.end());
  return names;
}

bool tarn::rt::isFolder(const std::string &path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool tarn::rt::isFile(const std::string &path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}
