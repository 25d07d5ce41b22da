//===- run_on_gpu.cpp - run recorded kernels on a GPU ---------------------===//
//
// run-on-gpu --device: which GPU there is, and how fast it copies.
// run-on-gpu [--json FILE] CASE...: loads kernel.cubin, or compiles kernel.cu
// with NVRTC, runs the kernel, compares with what was recorded, and times it.
// The cases run one after the other in a child, each with a time limit: a wrong
// kernel may hang or take the context with it, and then the next case gets a
// new child. FILE gets a line for each case.
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
#include <map>
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
constexpr int mapF16 = 6, mapBf16 = 9, mapTf32 = 11, mapSwizzle128 = 3,
              mapPromote128 = 2;

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
  static const std::map<std::string, int> types = {
      {"bf16", mapBf16}, {"f16", mapF16}, {"f32", mapTf32}};
  if (!types.count(buffer.element))
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
            &map, types.at(buffer.element), sizes.size(),
            reinterpret_cast<void *>(address), sizes.data(), strides.data(),
            box.data(), steps.data(), 0, mapSwizzle128, mapPromote128, 0),
        "cuTensorMapEncodeTiled");
}

/// A GPU and a context on it; one for each child.
struct Gpu {
  Driver driver;
  int device = 0, processors = 1;

  void open();
  /// Bytes read and written in a second where nothing is computed; for 256 MiB.
  double copySpeed() const;
  /// The least and the median seconds of something, by the device's clock.
  template <typename Queue>
  std::pair<double, double> time(const Queue &queue) const;
};

void Gpu::open() {
  std::string error = driver.load();
  if (!error.empty())
    stop(error);
  int major = 0, minor = 0;
  void *context = nullptr;
  check(driver, driver.cuDeviceGet(&device, 0), "cuDeviceGet");
  driver.cuDeviceGetAttribute(&major, attributeMajor, device);
  driver.cuDeviceGetAttribute(&minor, attributeMinor, device);
  driver.cuDeviceGetAttribute(&processors, attributeProcessors, device);
  if (major != 9 || minor != 0)
    stop("the kernels are for sm_90a, and this GPU is sm_" +
         std::to_string(10 * major + minor));
  check(driver, driver.cuDevicePrimaryCtxRetain(&context, device), "context");
  check(driver, driver.cuCtxSetCurrent(context), "cuCtxSetCurrent");
}

template <typename Queue>
std::pair<double, double> Gpu::time(const Queue &queue) const {
  void *start = nullptr, *end = nullptr;
  check(driver, driver.cuEventCreate(&start, 0), "cuEventCreate");
  check(driver, driver.cuEventCreate(&end, 0), "cuEventCreate");
  std::vector<float> times;
  for (int i = 0; i < timedRuns; ++i) {
    float milliseconds = 0;
    driver.cuEventRecord(start, nullptr);
    queue();
    driver.cuEventRecord(end, nullptr);
    check(driver, driver.cuEventSynchronize(end), "the kernel");
    driver.cuEventElapsedTime(&milliseconds, start, end);
    times.push_back(milliseconds);
  }
  check(driver, driver.cuEventDestroy(start), "cuEventDestroy");
  check(driver, driver.cuEventDestroy(end), "cuEventDestroy");
  std::sort(times.begin(), times.end());
  return {1e-3 * times.front(), 1e-3 * times[times.size() / 2]};
}

double Gpu::copySpeed() const {
  constexpr size_t bytes = size_t(256) << 20;
  uint64_t from = 0, to = 0;
  check(driver, driver.cuMemAlloc(&from, bytes), "cuMemAlloc");
  check(driver, driver.cuMemAlloc(&to, bytes), "cuMemAlloc");
  check(driver, driver.cuMemsetD8(from, 1, bytes), "cuMemsetD8");
  double least = time([&] {
                   check(driver, driver.cuMemcpyAsync(to, from, bytes, nullptr),
                         "cuMemcpyAsync");
                 }).first;
  check(driver, driver.cuMemFree(from), "cuMemFree");
  check(driver, driver.cuMemFree(to), "cuMemFree");
  return least > 0 ? 2 * double(bytes) / least : 0;
}

/// The last part of a path.
std::string nameOf(const std::string &folder) {
  size_t end = folder.find_last_not_of('/') + 1;
  size_t slash = folder.find_last_of('/', end - 1);
  size_t start = slash == std::string::npos ? 0 : slash + 1;
  return folder.substr(start, end - start);
}

/// Runs one case; whether it was right. A line about its time goes to the end
/// of `json`, unless that is empty.
bool runCase(const Gpu &gpu, const std::string &folder,
             const std::string &json) {
  Case c;
  std::string error = readCase(folder, c);
  if (!error.empty())
    stop(error);
  const Driver &driver = gpu.driver;
  std::string code = loadCode(c);
  void *module = nullptr, *kernel = nullptr;
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
  int64_t blocks =
      c.persistent ? std::min<int64_t>(c.blocks, gpu.processors) : c.blocks;
  auto launch = [&] {
    check(driver,
          driver.cuLaunchKernel(kernel, blocks, 1, 1, c.threads, 1, 1,
                                c.sharedBytes, nullptr, arguments.data(),
                                nullptr),
          "cuLaunchKernel");
  };

  // Twice: the same bits, and the right numbers.
  bool wrong = false;
  if (!c.timeOnly) {
    std::vector<std::vector<uint8_t>> results[2];
    for (auto &result : results) {
      for (size_t i = 0; i < c.buffers.size(); ++i)
        if (c.buffers[i].access == "accumulate")
          check(driver,
                driver.cuMemsetD8(addresses[i], 0, c.buffers[i].bytes()),
                "cuMemsetD8");
      launch();
      check(driver, driver.cuCtxSynchronize(), "the kernel");
      for (size_t i = 0; i < c.buffers.size(); ++i) {
        if (!c.buffers[i].isOutput())
          continue;
        result.emplace_back(c.buffers[i].bytes());
        check(driver,
              driver.cuMemcpyDtoH(result.back().data(), addresses[i],
                                  c.buffers[i].bytes()),
              "cuMemcpyDtoH");
      }
    }
    wrong = results[0] != results[1];
    if (wrong)
      printf("two runs differ; ");
    double largest = 0;
    size_t output = 0;
    for (const CaseBuffer &buffer : c.buffers)
      if (buffer.isOutput())
        largest = std::max(
            largest, largestError(c, buffer, results[0][output++].data()));
    printf("error %.3f of the bound; ", largest);
    wrong |= !(largest <= 1);
  }

  auto [least, median] = gpu.time(launch);
  printf("min %.1f us, median %.1f us", 1e6 * least, 1e6 * median);
  if (c.flops > 0 && least > 0)
    printf(", %.0f TFLOPS", c.flops / least * 1e-12);
  if (c.bytes > 0 && least > 0)
    printf(", %.0f GB/s", c.bytes / least * 1e-9);
  printf("%s\n", wrong ? ": WRONG" : ": right");
  fflush(stdout);
  if (!json.empty()) {
    FILE *file = fopen(json.c_str(), "a");
    if (!file)
      stop("cannot write " + json);
    fprintf(file,
            "{\"case\":\"%s\",\"seconds_min\":%.9g,\"seconds_median\":%.9g,"
            "\"flops\":%.0f,\"bytes\":%.0f}\n",
            nameOf(folder).c_str(), least, median, c.flops, c.bytes);
    fclose(file);
  }
  for (uint64_t address : addresses)
    check(driver, driver.cuMemFree(address), "cuMemFree");
  check(driver, driver.cuModuleUnload(module), "cuModuleUnload");
  return !wrong;
}

/// Runs cases from `next` on in a child, until one takes it along; counts those
/// that were wrong and moves `next` behind the last that was tried.
void runInChild(const std::vector<std::string> &folders,
                const std::string &json, size_t &next, int &failures) {
  int ends[2];
  if (pipe(ends) != 0)
    stop("no pipe");
  pid_t child = fork();
  if (child == 0) {
    Gpu gpu;
    gpu.open();
    for (size_t i = next; i != folders.size(); ++i) {
      printf("%-28s ", nameOf(folders[i]).c_str());
      fflush(stdout);
      alarm(secondsPerCase);
      char right = runCase(gpu, folders[i], json);
      if (write(ends[1], &right, 1) != 1)
        _exit(1);
    }
    _exit(0);
  }
  close(ends[1]);
  for (char right; read(ends[0], &right, 1) == 1; ++next)
    failures += !right;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status))
    printf("FAILED: %s\n", WTERMSIG(status) == SIGALRM
                               ? "no result in time (a deadlock?)"
                               : strsignal(WTERMSIG(status)));
  if (next != folders.size()) {
    ++failures;
    ++next;
  }
}

/// Says which GPU there is; in a child, because the driver may not be used
/// before a fork.
int describeDevice() {
  pid_t child = fork();
  if (child == 0) {
    Gpu gpu;
    std::string error = gpu.driver.load();
    int version = 0;
    char name[200] = "?";
    if (!error.empty()) {
      fprintf(stderr, "run-on-gpu: %s\n", error.c_str());
      _exit(2);
    }
    gpu.driver.cuDriverGetVersion(&version);
    if (gpu.driver.cuDeviceGet(&gpu.device, 0) == 0)
      gpu.driver.cuDeviceGetName(name, sizeof name, gpu.device);
    printf("GPU %s, driver for CUDA %d.%d\n", name, version / 1000,
           version % 1000 / 10);
    gpu.open();
    printf("a copy moves %.0f GB/s\n", gpu.copySpeed() * 1e-9);
    fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status == 0 ? 0 : 2;
}

} // namespace

int main(int argc, char **argv) {
  std::vector<std::string> folders(argv + 1, argv + argc);
  if (folders == std::vector<std::string>{"--device"})
    return describeDevice();
  std::string json;
  if (folders.size() >= 2 && folders.front() == "--json") {
    json = folders[1];
    folders.erase(folders.begin(), folders.begin() + 2);
  }
  int failures = 0;
  for (size_t next = 0; next != folders.size();)
    runInChild(folders, json, next, failures);
  printf("%zu of %zu cases right\n", folders.size() - failures, folders.size());
  return failures != 0;
}
