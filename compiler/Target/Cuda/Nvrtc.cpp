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
           find(cubin, "nvrtcGetCUBIN") && find(destroy, "nvrtcDestroyProgram");
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

/// Where NVRTC may lie, best first.
static std::vector<std::string> candidates() {
  std::vector<std::string> paths;
  if (const char *given = getenv("TARN_NVRTC"))
    return {given};
  for (const char *name : {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"})
    paths.push_back(name);
  std::vector<std::string> patterns = {
      "/usr/local/cuda/lib64/libnvrtc.so.1[0-9]",
      "/usr/lib/python3*/site-packages/nvidia/*/lib/libnvrtc.so.1[0-9]",
      "/usr/local/lib/python3*/*-packages/nvidia/*/lib/libnvrtc.so.1[0-9]"};
  if (const char *home = getenv("HOME"))
    patterns.push_back(std::string(home) +
                       "/.local/lib/python3*/site-packages/nvidia/*/lib/"
                       "libnvrtc.so.1[0-9]");
  if (const char *environment = getenv("VIRTUAL_ENV"))
    patterns.push_back(std::string(environment) +
                       "/lib/python3*/site-packages/nvidia/*/lib/"
                       "libnvrtc.so.1[0-9]");
  for (const std::string &pattern : patterns)
    for (const std::string &path : matches(pattern))
      paths.push_back(path);
  return paths;
}

std::unique_ptr<Nvrtc> Nvrtc::load(std::string &error) {
  for (const std::string &path : candidates()) {
    void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library)
      continue;
    std::unique_ptr<Nvrtc> nvrtc(new Nvrtc);
    nvrtc->api = std::make_unique<Api>();
    nvrtc->api->library = library;
    if (nvrtc->api->findAll())
      return nvrtc;
    error = path + " is not NVRTC";
  }
  if (error.empty())
    error = "NVRTC (libnvrtc.so.13 or .12) was not found: install the CUDA "
            "toolkit or the PyPI package nvidia-cuda-nvrtc, or name the file "
            "in TARN_NVRTC";
  return nullptr;
}

// The library stays loaded: it starts threads of its own.
Nvrtc::~Nvrtc() = default;

std::string Nvrtc::version() const {
  int major = 0, minor = 0;
  api->version(&major, &minor);
  return std::to_string(major) + "." + std::to_string(minor);
}

/// Reads registers, spills and notes out of the log.
static void readLog(CompiledKernel &result) {
  std::istringstream lines(result.log);
  for (std::string line; std::getline(lines, line);) {
    unsigned registers, stack, stores, loads;
    if (line.find("(C75") != std::string::npos)
      result.serialisation.push_back(line);
    size_t used = line.find("Used ");
    if (used != std::string::npos &&
        sscanf(line.c_str() + used, "Used %u registers", &registers) == 1)
      result.registers = std::max(result.registers, registers);
    if (sscanf(line.c_str(),
               " %u bytes stack frame, %u bytes spill stores, %u bytes spill",
               &stack, &stores, &loads) == 3)
      result.spilledBytes = std::max(result.spilledBytes, stores + loads);
  }
}

bool Nvrtc::compile(const std::string &text, const std::string &header,
                    const std::string &name, const std::string &architecture,
                    CompiledKernel &result) const {
  const char *headers[] = {header.c_str()}, *headerNames[] = {"tarn_device.h"};
  void *program = nullptr;
  if (api->create(&program, text.c_str(), name.c_str(), 1, headers,
                  headerNames) != 0) {
    result.log = "NVRTC can't create a program";
    return false;
  }
  std::string target = "--gpu-architecture=" + architecture;
  // Products and sums contract where the program says fma, nowhere else.
  const char *options[] = {
      target.c_str(),       "--std=c++17",
      "--fmad=false",       "--device-as-default-execution-space",
      "--ptxas-options=-v", "-lineinfo"};
  bool compiled = api->compile(program, std::size(options), options) == 0;
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
  readLog(result);
  return compiled && !result.cubin.empty();
}
