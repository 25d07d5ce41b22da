//===- run_on_gpu.cpp - run recorded kernels on a GPU ---------------------===//
//
// run-on-gpu CASE...: loads kernel.cubin, or compiles kernel.cu with NVRTC,
// runs the kernel, compares with what was recorded, and times it. Each case
// runs in a process of its own with a time limit: a wrong kernel may hang or
// take the context with it.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cuda/Nvrtc.h"
#include "test/gpu/Case.h"
#include "test/gpu/Driver.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <sys/wait.h>
#include <unistd.h>

using namespace tarn::gpu;

namespace {

constexpr int secondsPerCase = 60, timedRuns = 20;
// Numbers of cuda.h.
constexpr int attributeProcessors = 16, attributeMajor = 75,
              attributeMinor = 76;
constexpr int functionDynamicShared = 8;
constexpr int mapBf16 = 9, mapSwizzle128 = 3, mapPromote128 = 2;

[[noreturn]] void stop(const std::string &why) {
  printf("FAILED: %s\n", why.c_str());
  fflush(stdout);
  _exit(1);
}

void check(const Driver &driver, int error, const char *what) {
  if (error)
    stop(std::string(what) + ": " + driver.describe(error));
}

/// The machine code of a case.
std::string loadCode(const Case &c) {
  std::string code, text, header, error;
  if (readFile(c.folder + "/kernel.cubin", code))
    return code;
  if (!readFile(c.folder + "/kernel.cu", text) ||
      !readFile(c.folder + "/tarn_device.h", header))
    stop("no kernel.cubin, and no kernel.cu with tarn_device.h");
  std::unique_ptr<tarn::cuda::Nvrtc> nvrtc = tarn::cuda::Nvrtc::load(error);
  if (!nvrtc)
    stop("no kernel.cubin, and " + error);
  tarn::cuda::CompiledKernel kernel;
  if (!nvrtc->compile(text, header, "kernel.cu", "sm_90a", kernel))
    stop("NVRTC: " + kernel.log);
  return kernel.cubin;
}

/// Buffers of the case on the device: what is read filled, what is added to
/// zero, the rest NaN.
std::vector<uint64_t> makeBuffers(const Driver &driver, Case &c) {
  std::mt19937 random(3);
  std::vector<uint64_t> addresses;
  for (CaseBuffer &buffer : c.buffers) {
    uint64_t address = 0;
    check(driver, driver.cuMemAlloc(&address, buffer.bytes()), "cuMemAlloc");
    // Additions start from zeros, as the runtime gives them.
    unsigned char fill = buffer.access == "accumulate" ? 0 : 0xFF;
    check(driver, driver.cuMemsetD8(address, fill, buffer.bytes()),
          "cuMemsetD8");
    if (!buffer.isOutput() && c.timeOnly) {
      // Random bits of numbers in [-2, 2]: zeros would need less power.
      buffer.input.resize(buffer.bytes());
      for (size_t i = 0; i + 1 < buffer.input.size(); i += 2) {
        uint16_t half = (random() & 0x807F) | (0x3E80 + (random() & 0x180));
        memcpy(&buffer.input[i], &half, 2);
      }
    }
    if (!buffer.isOutput())
      check(driver,
            driver.cuMemcpyHtoD(address, buffer.input.data(), buffer.bytes()),
            "cuMemcpyHtoD");
    addresses.push_back(address);
  }
  return addresses;
}

struct alignas(64) DeviceMap {
  uint64_t words[16];
};

void encode(const Driver &driver, const Case &c, const CaseParameter &parameter,
            uint64_t address, DeviceMap &map) {
  const CaseBuffer &buffer = c.buffers[parameter.buffer];
  if (buffer.element != "bf16")
    stop("a tensor map of " + buffer.element);
  std::vector<uint64_t> sizes, strides;
  std::vector<uint32_t> box;
  for (size_t d = buffer.shape.size(); d-- > 0;) {
    sizes.push_back(buffer.shape[d]);
    box.push_back(parameter.box[d]);
    if (d + 1 < buffer.shape.size())
      strides.push_back(buffer.stride(d));
  }
  std::vector<uint32_t> steps(sizes.size(), 1);
  check(driver,
        driver.cuTensorMapEncodeTiled(
            &map, mapBf16, sizes.size(), reinterpret_cast<void *>(address),
            sizes.data(), strides.data(), box.data(), steps.data(), 0,
            mapSwizzle128, mapPromote128, 0),
        "cuTensorMapEncodeTiled");
}

/// Runs one case in this process.
void runCase(const std::string &folder) {
  Case c;
  std::string error = readCase(folder, c);
  if (!error.empty())
    stop(error);
  Driver driver;
  error = driver.load();
  if (!error.empty())
    stop(error);
  std::string code = loadCode(c);
  int device = 0, major = 0, minor = 0;
  void *context = nullptr, *module = nullptr, *kernel = nullptr;
  check(driver, driver.cuDeviceGet(&device, 0), "cuDeviceGet");
  driver.cuDeviceGetAttribute(&major, attributeMajor, device);
  driver.cuDeviceGetAttribute(&minor, attributeMinor, device);
  if (major != 9 || minor != 0)
    stop("the kernels are for sm_90a, and this GPU is sm_" +
         std::to_string(10 * major + minor));
  check(driver, driver.cuDevicePrimaryCtxRetain(&context, device), "context");
  check(driver, driver.cuCtxSetCurrent(context), "cuCtxSetCurrent");
  check(driver, driver.cuModuleLoadData(&module, code.data()),
        "cuModuleLoadData");
  check(driver, driver.cuModuleGetFunction(&kernel, module, c.kernel.c_str()),
        "cuModuleGetFunction");
  check(driver,
        driver.cuFuncSetAttribute(kernel, functionDynamicShared, c.sharedBytes),
        "shared memory");

  std::vector<uint64_t> addresses = makeBuffers(driver, c);
  std::vector<DeviceMap> maps(c.parameters.size());
  std::vector<std::vector<uint64_t>> tables(c.parameters.size());
  std::vector<void *> arguments;
  for (size_t i = 0; i < c.parameters.size(); ++i) {
    const CaseParameter &parameter = c.parameters[i];
    if (!parameter.table.empty()) {
      tables[i] = tableWords(parameter, addresses);
      arguments.push_back(tables[i].data());
    } else if (parameter.isTensorMap) {
      encode(driver, c, parameter, addresses[parameter.buffer], maps[i]);
      arguments.push_back(&maps[i]);
    } else {
      arguments.push_back(&addresses[parameter.buffer]);
    }
  }
  // A null ends the list for the stand-in driver; the real one knows the count.
  arguments.push_back(nullptr);
  int processors = 1;
  driver.cuDeviceGetAttribute(&processors, attributeProcessors, device);
  int64_t blocks =
      c.persistent ? std::min<int64_t>(c.blocks, processors) : c.blocks;
  auto launch = [&] {
    check(driver,
          driver.cuLaunchKernel(kernel, blocks, 1, 1, c.threads, 1, 1,
                                c.sharedBytes, nullptr, arguments.data(),
                                nullptr),
          "cuLaunchKernel");
  };
  launch();
  check(driver, driver.cuCtxSynchronize(), "the kernel");

  // Twice: the same bits, and the right numbers.
  std::vector<std::vector<uint8_t>> results[2];
  for (auto &result : results) {
    for (size_t i = 0; i < c.buffers.size(); ++i) {
      if (!c.buffers[i].isOutput())
        continue;
      result.emplace_back(c.buffers[i].bytes());
      check(driver,
            driver.cuMemcpyDtoH(result.back().data(), addresses[i],
                                c.buffers[i].bytes()),
            "cuMemcpyDtoH");
    }
    launch();
    check(driver, driver.cuCtxSynchronize(), "the kernel");
  }
  bool wrong = results[0] != results[1];
  if (wrong)
    printf("two runs differ; ");
  double largest = 0;
  size_t output = 0;
  for (const CaseBuffer &buffer : c.buffers)
    if (buffer.isOutput() && !c.timeOnly)
      largest = std::max(largest,
                         largestError(c, buffer, results[0][output++].data()));
  if (!c.timeOnly)
    printf("error %.3f of the bound; ", largest);
  wrong |= !(largest <= 1);

  void *start = nullptr, *end = nullptr;
  check(driver, driver.cuEventCreate(&start, 0), "cuEventCreate");
  check(driver, driver.cuEventCreate(&end, 0), "cuEventCreate");
  std::vector<float> times;
  for (int i = 0; i < timedRuns; ++i) {
    float milliseconds = 0;
    driver.cuEventRecord(start, nullptr);
    launch();
    driver.cuEventRecord(end, nullptr);
    check(driver, driver.cuEventSynchronize(end), "the kernel");
    driver.cuEventElapsedTime(&milliseconds, start, end);
    times.push_back(milliseconds);
  }
  std::sort(times.begin(), times.end());
  printf("min %.1f us, median %.1f us", 1e3 * times.front(),
         1e3 * times[times.size() / 2]);
  if (c.flops > 0 && times.front() > 0)
    printf(", %.0f TFLOPS", c.flops / times.front() * 1e-9);
  printf("%s\n", wrong ? ": WRONG" : ": right");
  fflush(stdout);
  _exit(wrong);
}

/// Runs a case in a child; whether it was right.
bool runInChild(const std::string &folder) {
  size_t end = folder.find_last_not_of('/') + 1;
  size_t slash = folder.find_last_of('/', end - 1);
  size_t start = slash == std::string::npos ? 0 : slash + 1;
  printf("%-28s ", folder.substr(start, end - start).c_str());
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    alarm(secondsPerCase);
    runCase(folder);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status))
    printf("FAILED: %s\n", WTERMSIG(status) == SIGALRM
                               ? "no result in time (a deadlock?)"
                               : strsignal(WTERMSIG(status)));
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

} // namespace

int main(int argc, char **argv) {
  // The driver may not be used before a fork: a child looks at the device.
  pid_t child = fork();
  if (child == 0) {
    Driver driver;
    std::string error = driver.load();
    int device = 0, version = 0;
    char name[200] = "?";
    if (!error.empty()) {
      fprintf(stderr, "run-on-gpu: %s\n", error.c_str());
      _exit(2);
    }
    driver.cuDriverGetVersion(&version);
    if (driver.cuDeviceGet(&device, 0) == 0)
      driver.cuDeviceGetName(name, sizeof name, device);
    printf("GPU %s, driver for CUDA %d.%d\n", name, version / 1000,
           version % 1000 / 10);
    fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0)
    return 2;
  int failures = 0;
  for (int i = 1; i < argc; ++i)
    failures += !runInChild(argv[i]);
  printf("%d of %d cases right\n", argc - 1 - failures, argc - 1);
  return failures != 0;
}
