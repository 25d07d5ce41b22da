//===- CublasLt.cpp - NVIDIA's library of products, found at run time -----===//

#include "runtime/CublasLt.h"

#include <cstdlib>
#include <dlfcn.h>
#include <glob.h>
#include <map>
#include <mutex>
#include <sstream>
#include <unistd.h>
#include <vector>

using namespace tarn::rt;

std::string tarn::rt::describeCublas(int status) {
  const char *word = status == cublasNotInitialized ? " (not initialized)"
                     : status == cublasAllocFailed  ? " (no memory)"
                     : status == cublasInvalidValue ? " (invalid value)"
                     : status == cublasNotSupported ? " (not supported)"
                                                    : "";
  return "status " + std::to_string(status) + word + " of cuBLASLt";
}

/// Files that match a pattern, the newest version first.
static void addMatches(std::vector<std::string> &paths,
                       const std::string &pattern) {
  glob_t found;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
    for (size_t i = found.gl_pathc; i-- > 0;)
      paths.emplace_back(found.gl_pathv[i]);
  globfree(&found);
}

/// Where the library may lie, best first.
static std::vector<std::string> candidates() {
  auto variable = [](const char *name) {
    const char *text = std::getenv(name);
    return std::string(text ? text : "");
  };
  if (std::string given = variable("TARN_CUBLASLT"); !given.empty())
    return {given};
  const std::string file = "/libcublasLt.so.1[23]";
  const std::string wheel = "/nvidia/*/lib" + file;
  std::vector<std::string> paths = {"libcublasLt.so.13", "libcublasLt.so.12"};
  for (const char *name : {"CUDA_HOME", "CUDA_PATH"})
    if (std::string toolkit = variable(name); !toolkit.empty())
      addMatches(paths, toolkit + "/lib64" + file);
  addMatches(paths, "/usr/local/cuda/lib64" + file);
  addMatches(paths, "/usr/local/cuda-*/lib64" + file);
  for (const char *name : {"VIRTUAL_ENV", "CONDA_PREFIX"})
    if (std::string folder = variable(name); !folder.empty())
      addMatches(paths, folder + "/lib/python3*/site-packages" + wheel);
  if (std::string home = variable("HOME"); !home.empty()) {
    addMatches(paths, home + "/.local/lib/python3*/site-packages" + wheel);
    addMatches(paths,
               home + "/.pyenv/versions/*/lib/python3*/site-packages" + wheel);
  }
  std::istringstream folders(variable("PATH"));
  for (std::string folder; std::getline(folders, folder, ':');)
    if (!folder.empty() && access((folder + "/python3").c_str(), X_OK) == 0)
      addMatches(paths, folder + "/../lib/python3*/*-packages" + wheel);
  return paths;
}

/// The functions of the library at `path`; null, and why, if there are none.
static std::unique_ptr<CublasLt> open(const std::string &path,
                                      std::string &why) {
  void *library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *text = ::dlerror();
    why = text ? text : "cannot load " + path;
    return nullptr;
  }
  auto lt = std::make_unique<CublasLt>();
  lt->path = path;
  const char *missing = nullptr;
#define TARN_CUBLASLT_FIND(name, symbol, parameters)                           \
  lt->name = reinterpret_cast<int(*) parameters>(::dlsym(library, #symbol));   \
  if (!lt->name && !missing)                                                   \
    missing = #symbol;
  TARN_CUBLASLT_ENTRIES(TARN_CUBLASLT_FIND)
#undef TARN_CUBLASLT_FIND
  auto version =
      reinterpret_cast<size_t (*)()>(::dlsym(library, "cublasLtGetVersion"));
  if (!missing && !version)
    missing = "cublasLtGetVersion";
  if (missing) {
    why = "`" + path + "` has no " + missing;
    ::dlclose(library);
    return nullptr;
  }
  lt->version = version();
  return lt;
}

Result<const CublasLt *> CublasLt::load() {
  // Never unloaded: it has threads and memory of its own.
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<CublasLt>> loaded;
  std::lock_guard<std::mutex> lock(mutex);
  std::string first;
  for (const std::string &path : candidates()) {
    std::unique_ptr<CublasLt> &known = loaded[path];
    std::string why;
    if (!known)
      known = open(path, why);
    if (known)
      return static_cast<const CublasLt *>(known.get());
    if (first.empty())
      first = why;
  }
  return Status(
      Code::Unsupported,
      "the artifact asks for cuBLASLt, which cannot be loaded: " + first +
          "; `pip install nvidia-cublas` brings it, TARN_CUBLASLT "
          "names the file, and `tarn compile --gemm own` does "
          "without");
}
