//===- Nvrtc.cpp - compile CUDA text with NVRTC ---------------------------===//
//
// NVRTC opens the driver library by itself, so it must not be used between a
// fork and an exec. Needs no LLVM: test/gpu builds it alone.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cuda/Nvrtc.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <glob.h>
#include <sstream>
#include <unistd.h>

using namespace tarn::cuda;

/// The functions of nvrtc.h that are used; a program is an opaque pointer.
struct Nvrtc::Api {
  void *library = nullptr;
  int (*version)(int *, int *) = nullptr;
  int (*create)(void **, const char *, const char *, int, const char *const *,
                const char *const *) = nullptr;
  int (*compile)(void *, int, const char *const *) = nullptr;
  int (*logSize)(void *, size_t *) = nullptr;
  int (*log)(void *, char *) = nullptr;
  int (*cubinSize)(void *, size_t *) = nullptr;
  int (*cubin)(void *, char *) = nullptr;
  int (*ptxSize)(void *, size_t *) = nullptr;
  int (*ptx)(void *, char *) = nullptr;
  int (*archCount)(int *) = nullptr;
  int (*archs)(int *) = nullptr;
  int (*destroy)(void **) = nullptr;

  template <class F> bool find(F &function, const char *name) {
    function = reinterpret_cast<F>(dlsym(library, name));
    return function;
  }
  bool findAll() {
    return find(version, "nvrtcVersion") &&
           find(create, "nvrtcCreateProgram") &&
           find(compile, "nvrtcCompileProgram") &&
           find(logSize, "nvrtcGetProgramLogSize") &&
           find(log, "nvrtcGetProgramLog") &&
           find(cubinSize, "nvrtcGetCUBINSize") &&
           find(cubin, "nvrtcGetCUBIN") && find(ptxSize, "nvrtcGetPTXSize") &&
           find(ptx, "nvrtcGetPTX") &&
           find(archCount, "nvrtcGetNumSupportedArchs") &&
           find(archs, "nvrtcGetSupportedArchs") &&
           find(destroy, "nvrtcDestroyProgram");
  }
};

/// Files that match a pattern, the last (newest version) first.
static std::vector<std::string> matches(const std::string &pattern) {
  std::vector<std::string> paths;
  glob_t found;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
    for (size_t i = found.gl_pathc; i-- > 0;)
      paths.push_back(found.gl_pathv[i]);
  globfree(&found);
  return paths;
}

/// The folder that this program lies in.
static std::string programFolder() {
  char path[4096];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  if (length <= 0)
    return "";
  std::string text(path, length);
  return text.substr(0, text.rfind('/'));
}

/// Where NVRTC may lie, best first.
static std::vector<std::string> candidates() {
  if (const char *given = getenv("TARN_NVRTC"))
    return {given};
  const std::string file = "libnvrtc.so.1[0-9]",
                    wheel = "/nvidia/*/lib/" + file;
  std::vector<std::string> paths, patterns;
  auto add = [&](const std::string &pattern) {
    for (const std::string &path : matches(pattern))
      paths.push_back(path);
  };
  // What came with the build: the same code on every machine.
  if (std::string folder = programFolder(); !folder.empty())
    add(folder + "/../nvrtc" + wheel);
  for (const char *name : {"libnvrtc.so.13", "libnvrtc.so.12"})
    paths.push_back(name);
  for (const char *variable : {"CUDA_HOME", "CUDA_PATH"})
    if (const char *toolkit = getenv(variable))
      add(std::string(toolkit) + "/lib64/" + file);
  add("/usr/local/cuda/lib64/" + file);
  add("/usr/local/cuda-*/lib64/" + file);
  for (const char *variable : {"VIRTUAL_ENV", "CONDA_PREFIX"})
    if (const char *environment = getenv(variable))
      add(std::string(environment) + "/lib/python3*/site-packages" + wheel);
  if (const char *home = getenv("HOME")) {
    add(std::string(home) + "/.local/lib/python3*/site-packages" + wheel);
    add(std::string(home) + "/.pyenv/versions/*/lib/python3*/site-packages" +
        wheel);
  }
  // Every Python on the path.
  std::istringstream folders(getenv("PATH") ? getenv("PATH") : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (!folder.empty() && access((folder + "/python3").c_str(), X_OK) == 0)
      add(folder + "/../lib/python3*/*-packages" + wheel);
  return paths;
}

static constexpr const char *wayOut =
    "pip install nvidia-cuda-nvrtc brings it; TARN_NVRTC names the file "
    "libnvrtc.so.13 where it lies elsewhere";

std::unique_ptr<Nvrtc> Nvrtc::load(std::string &error) {
  error.clear();
  for (const std::string &path : candidates()) {
    void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      if (access(path.c_str(), F_OK) == 0 || getenv("TARN_NVRTC"))
        error = std::string("NVRTC cannot be loaded: ") + dlerror();
      continue;
    }
    std::unique_ptr<Nvrtc> nvrtc(new Nvrtc);
    nvrtc->api = std::make_unique<Api>();
    nvrtc->api->library = library;
    nvrtc->path = path;
    if (!nvrtc->api->findAll()) {
      error = "`" + path + "` is not NVRTC, or older than CUDA 11.2";
      continue;
    }
    nvrtc->release = nvrtc->findRelease();
    return nvrtc;
  }
  error = (error.empty() ? "NVRTC, NVIDIA's compiler library, was not found"
                         : error) +
          "\nhelp: " + wayOut;
  return nullptr;
}

// The library stays loaded: it starts threads of its own.
Nvrtc::~Nvrtc() = default;

/// "13.0.88": the head of any PTX text says more than nvrtcVersion does.
std::string Nvrtc::findRelease() const {
  int major = 0, minor = 0;
  api->version(&major, &minor);
  std::string version = std::to_string(major) + "." + std::to_string(minor);
  void *program = nullptr;
  if (api->create(&program, "", "version", 0, nullptr, nullptr) != 0)
    return version;
  size_t size = 0;
  std::string ptx;
  if (api->compile(program, 0, nullptr) == 0 &&
      api->ptxSize(program, &size) == 0) {
    ptx.resize(size);
    if (api->ptx(program, ptx.data()) != 0)
      ptx.clear();
  }
  api->destroy(&program);
  size_t found = ptx.find(", V" + version + ".");
  if (found == std::string::npos)
    return version;
  size_t end = ptx.find_first_not_of("0123456789.", found + 3);
  return ptx.substr(found + 3, end - found - 3);
}

bool Nvrtc::knows(const std::string &architecture, std::string &error) const {
  int count = 0, number = 0;
  for (char c : architecture)
    if (c >= '0' && c <= '9')
      number = 10 * number + (c - '0');
  std::vector<int> known;
  if (api->archCount(&count) == 0 && count > 0) {
    known.resize(count);
    if (api->archs(known.data()) != 0)
      known.clear();
  }
  if (std::find(known.begin(), known.end(), number) != known.end())
    return true;
  error = "NVRTC " + release + " (" + path + ") makes no code for " +
          architecture + ", only for";
  for (int arch : known)
    error += (arch == known.front() ? " sm_" : ", sm_") + std::to_string(arch);
  error += "\nhelp: pip install --upgrade nvidia-cuda-nvrtc brings another; "
           "TARN_NVRTC chooses the file";
  return false;
}

void CompiledKernel::readLog() {
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    unsigned registers, stack, stores, loads;
    if (line.find("(C75") != std::string::npos)
      serialisation.push_back(line);
    size_t used = line.find("Used ");
    if (used != std::string::npos &&
        sscanf(line.c_str() + used, "Used %u registers", &registers) == 1)
      this->registers = std::max(this->registers, registers);
    if (sscanf(line.c_str(),
               " %u bytes stack frame, %u bytes spill stores, %u bytes spill",
               &stack, &stores, &loads) == 3)
      spilledBytes = std::max(spilledBytes, stores + loads);
  }
}

/// Products and sums contract where the program says fma, nowhere else.
static std::vector<std::string> optionsFor(const std::string &architecture) {
  return {"--gpu-architecture=" + architecture,
          "--std=c++17",
          "--fmad=false",
          "--device-as-default-execution-space",
          "--ptxas-options=-v",
          "-lineinfo"};
}

std::string Nvrtc::identity(const std::string &architecture) const {
  std::string line = "NVRTC " + release;
  for (const std::string &option : optionsFor(architecture))
    line += " " + option;
  return line;
}

bool Nvrtc::compile(const std::string &text, const std::string &header,
                    const std::string &name, const std::string &architecture,
                    CompiledKernel &result) const {
  // Line tables hold the working folder where a name is relative.
  std::string lines = "#line 1 \"/tarn/tarn_device.h\"\n" + header;
  std::string path = name.empty() || name[0] != '/' ? "/tarn/" + name : name;
  const char *headers[] = {lines.c_str()}, *headerNames[] = {"tarn_device.h"};
  void *program = nullptr;
  if (api->create(&program, text.c_str(), path.c_str(), 1, headers,
                  headerNames) != 0) {
    result.log = "NVRTC can't create a program";
    return false;
  }
  std::vector<std::string> words = optionsFor(architecture);
  std::vector<const char *> options;
  for (const std::string &word : words)
    options.push_back(word.c_str());
  bool compiled =
      api->compile(program, int(options.size()), options.data()) == 0;
  size_t size = 0;
  if (api->logSize(program, &size) == 0 && size > 1) {
    result.log.resize(size);
    api->log(program, result.log.data());
    result.log.pop_back();
  }
  if (compiled && api->cubinSize(program, &size) == 0 && size > 0) {
    result.cubin.resize(size);
    api->cubin(program, result.cubin.data());
  }
  api->destroy(&program);
  result.readLog();
  return compiled && !result.cubin.empty();
}
