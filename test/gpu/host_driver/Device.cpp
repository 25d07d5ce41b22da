//===- Device.cpp - Settings, device, context, memory ---------------------===//

#include "test/gpu/host_driver/HostDriver.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace tarn::gpu;

static constexpr uint64_t page = 4096;
/// The real one gives whole pieces of this size.
static constexpr uint64_t granularity = uint64_t(2) << 20;
/// What a context takes.
static constexpr uint64_t contextBytes = uint64_t(300) << 20;
/// Above this, memory stays untouched until it is used: tensors larger than
/// the host's memory are fine as long as little of them is.
static constexpr uint64_t sparseBytes = uint64_t(64) << 20;
static constexpr int leakExit = 97;

Driver &tarn::gpu::driver() {
  static Driver the;
  return the;
}

Driver::~Driver() {
  if (uint64_t count = live()) {
    fprintf(stderr,
            "host driver: at exit %llu things of the driver's are left: %zu "
            "allocations, %zu streams, %zu events, %zu graphs, %zu executable "
            "graphs, %zu libraries, %d contexts\n",
            static_cast<unsigned long long>(count), allocations.size(),
            streams.size(), events.size(), graphs.size(), execs.size(),
            libraries.size(), contexts);
    _exit(leakExit);
  }
}

uint64_t Driver::live() const {
  return allocations.size() + streams.size() + events.size() + graphs.size() +
         execs.size() + libraries.size() + static_cast<uint64_t>(contexts);
}

static std::vector<std::string> split(const char *text, char separator) {
  std::vector<std::string> parts;
  std::string rest = text ? text : "";
  while (!rest.empty()) {
    size_t end = std::min(rest.find(separator), rest.size());
    parts.push_back(rest.substr(0, end));
    rest.erase(0, end + 1);
  }
  return parts;
}

void Driver::readEnvironment() {
  const char *seed = getenv("TARN_HOST_DRIVER_SEED");
  random.seed(seed ? strtoull(seed, nullptr, 10) : 1);
  initResult = 0;
  deviceCount = 1;
  major = 9;
  minor = 0;
  version = 13000;
  memory = pinnedMemory = uint64_t(64) << 30;
  shared = 232448;
  faults.clear();
  calls.clear();
  for (const std::string &part :
       split(getenv("TARN_HOST_DRIVER_DEVICE"), ',')) {
    size_t equal = part.find('=');
    std::string name = part.substr(0, equal);
    const char *value = equal == std::string::npos ? "" : &part[equal + 1];
    uint64_t number = strtoull(value, nullptr, 10);
    if (name == "count")
      deviceCount = static_cast<int>(number);
    else if (name == "capability")
      sscanf(value, "%d.%d", &major, &minor);
    else if (name == "memory")
      memory = number;
    else if (name == "pinned")
      pinnedMemory = number;
    else if (name == "version")
      version = static_cast<int>(number);
    else if (name == "shared")
      shared = number;
    else if (name == "multiprocessors")
      multiprocessors = static_cast<int>(number);
    else if (name == "init")
      initResult = static_cast<int>(number);
    else
      fprintf(stderr, "host driver: no setting `%s`\n", part.c_str());
  }
  times.clear();
  for (const std::string &part : split(getenv("TARN_HOST_DRIVER_TIMES"), ',')) {
    size_t equal = part.find('=');
    if (equal == std::string::npos)
      fprintf(stderr, "host driver: no time `%s`\n", part.c_str());
    else
      times.emplace_back(part.substr(0, equal),
                         strtoull(&part[equal + 1], nullptr, 10));
  }
  for (const std::string &part :
       split(getenv("TARN_HOST_DRIVER_FAULTS"), ',')) {
    size_t colon = part.rfind(':');
    Fault fault;
    fault.name = part.substr(0, colon);
    unsigned long long call = 0;
    if (colon == std::string::npos ||
        sscanf(&part[colon], ":%llu=%d", &call, &fault.code) != 2)
      fprintf(stderr, "host driver: no fault `%s`\n", part.c_str());
    fault.call = call;
    fault.sticky = part.back() == '!';
    faults.push_back(fault);
  }
}

int Driver::begin(const char *name, bool needsContext) {
  uint64_t call = ++calls[name];
  for (const Fault &fault : faults)
    if (fault.name == name && fault.call == call) {
      if (fault.sticky && contexts) // it is the context that ends
        sticky = fault.code;
      return fault.code;
    }
  if (needsContext && !initialized)
    return notInitialized;
  if (needsContext && sticky)
    return sticky;
  // A device works while the host calls.
  if (random() % 4 == 0)
    runOne();
  return needsContext ? sticky : 0;
}

void Driver::countKernel(const std::string &name) {
  uint64_t call = ++calls["@" + name];
  for (const Fault &fault : faults)
    if (fault.name == "@" + name && fault.call == call)
      sticky = fault.code;
}

void Driver::spend(const std::string &name) {
  uint64_t nanoseconds = 1000;
  for (const auto &[end, time] : times)
    if (name.size() >= end.size() &&
        name.compare(name.size() - end.size(), end.size(), end) == 0)
      nanoseconds = time;
  spent += std::chrono::nanoseconds(nanoseconds);
}

uint64_t Driver::bytesOf(Allocation::Kind kind) const {
  uint64_t bytes = 0;
  for (const auto &[address, allocation] : allocations)
    if (allocation.kind == kind)
      bytes += (allocation.bytes + granularity - 1) / granularity * granularity;
  return bytes;
}

const Allocation *Driver::find(Address at, uint64_t &offset) const {
  auto next = allocations.upper_bound(at);
  if (next == allocations.begin())
    return nullptr;
  --next;
  offset = at - next->first;
  return offset < next->second.bytes ? &next->second : nullptr;
}

//===----------------------------------------------------------------------===//
// Base and device
//===----------------------------------------------------------------------===//

TARN_DRIVER_EXPORT cuInit(unsigned) {
  Driver &d = driver();
  std::lock_guard<std::recursive_mutex> lock(d.mutex);
  d.readEnvironment();
  if (int error = d.begin("cuInit", false))
    return error;
  if (d.initResult)
    return d.initResult;
  d.initialized = true;
  return d.deviceCount > 0 ? ok : noDevice;
}

TARN_DRIVER_EXPORT cuDriverGetVersion(int *version) {
  *version = driver().version;
  return ok;
}

TARN_DRIVER_EXPORT cuGetProcAddress_v2(const char *name, void **function, int,
                                       uint64_t, int *status) {
  *function = dlsym(RTLD_DEFAULT, name);
  Dl_info self;
  if (dladdr(reinterpret_cast<void *>(&cuInit), &self))
    if (void *library = dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD)) {
      *function = dlsym(library, name);
      dlclose(library);
    }
  if (status)
    *status = *function ? 0 : 1;
  return *function ? ok : notFound;
}

namespace {
struct ErrorName {
  int code;
  const char *name, *text;
};
} // namespace

static const ErrorName errorNames[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {35, "CUDA_ERROR_INSUFFICIENT_DRIVER",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {200, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU",
     "no kernel image is available for execution on the device"},
    {400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {401, "CUDA_ERROR_ILLEGAL_STATE",
     "the operation cannot be performed in the present state"},
    {500, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS",
     "an illegal memory access was encountered"},
    {701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES",
     "too many resources requested for launch"},
    {716, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {801, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
     "system has unsupported display driver / cuda driver combination"},
    {900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
     "operation not permitted when stream is capturing"},
    {901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
     "operation failed due to a previous error during capture"},
    {902, "CUDA_ERROR_STREAM_CAPTURE_MERGE",
     "operation would result in a merge of separate capture sequences"},
    {903, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED",
     "capture was not ended in the same stream as it began"},
    {904, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED",
     "capturing stream has unjoined work"},
    {905, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION",
     "dependency created on uncaptured work in another stream"},
    {906, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT",
     "operation would make the legacy stream depend on a capturing blocking "
     "stream"},
    {907, "CUDA_ERROR_CAPTURED_EVENT",
     "operation not permitted on an event last recorded in a capturing stream"},
    {908, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD",
     "attempt to terminate a thread-local capture sequence from another "
     "thread"},
};

static int errorText(int error, const char **out, bool name) {
  *out = nullptr;
  if (driver().initResult == 34) // a stub cannot even do this
    return 34;
  for (const ErrorName &known : errorNames)
    if (known.code == error) {
      *out = name ? known.name : known.text;
      return ok;
    }
  return invalidValue;
}

TARN_DRIVER_EXPORT cuGetErrorName(int error, const char **name) {
  return errorText(error, name, true);
}
TARN_DRIVER_EXPORT cuGetErrorString(int error, const char **text) {
  return errorText(error, text, false);
}

TARN_DRIVER_EXPORT cuDeviceGetCount(int *count) {
  TARN_DRIVER_CALL(cuDeviceGetCount)
  *count = d.deviceCount;
  return ok;
}
TARN_DRIVER_EXPORT cuDeviceGet(int *device, int ordinal) {
  TARN_DRIVER_CALL(cuDeviceGet)
  if (ordinal < 0 || ordinal >= d.deviceCount)
    return invalidDevice;
  *device = ordinal;
  return ok;
}
TARN_DRIVER_EXPORT cuDeviceGetName(char *name, int size, int) {
  TARN_DRIVER_CALL(cuDeviceGetName)
  snprintf(name, static_cast<size_t>(size), "host model (not a GPU)");
  return ok;
}
TARN_DRIVER_EXPORT cuDeviceGetAttribute(int *value, int attribute, int) {
  TARN_DRIVER_CALL(cuDeviceGetAttribute)
  *value = attribute == 75   ? d.major
           : attribute == 76 ? d.minor
           : attribute == 97 ? static_cast<int>(d.shared)
           : attribute == 16 ? d.multiprocessors
           : attribute == 1  ? 1024
                             : 0;
  return ok;
}
TARN_DRIVER_EXPORT cuDeviceTotalMem_v2(size_t *bytes, int) {
  TARN_DRIVER_CALL(cuDeviceTotalMem_v2)
  *bytes = d.memory;
  return ok;
}
TARN_DRIVER_EXPORT cuDevicePrimaryCtxRetain(void **context, int) {
  TARN_DRIVER_CALL(cuDevicePrimaryCtxRetain)
  ++d.contexts;
  *context = &d;
  return ok;
}
TARN_DRIVER_EXPORT cuDevicePrimaryCtxRelease_v2(int) {
  Driver &d = driver();
  std::lock_guard<std::recursive_mutex> lock(d.mutex);
  if (d.contexts == 0)
    return invalidContext;
  // With the last user the context goes, and its error with it.
  if (--d.contexts == 0) {
    d.runAll();
    d.sticky = 0;
  }
  return ok;
}
TARN_DRIVER_EXPORT cuCtxSetCurrent(void *) { return ok; }
TARN_DRIVER_EXPORT cuCtxSynchronize() {
  TARN_DRIVER_CALL(cuCtxSynchronize)
  if (int error = d.refuseInCapture())
    return error;
  d.runAll();
  return d.sticky;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// Memory with a forbidden page after it, and something in it.
static Address take(Driver &d, uint64_t bytes, Allocation::Kind kind) {
  uint64_t mapped = (bytes + page - 1) / page * page;
  void *memory = mmap(nullptr, mapped + page, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return 0;
  mprotect(static_cast<char *>(memory) + mapped, page, PROT_NONE);
  if (bytes < sparseBytes)
    memset(memory, 0xA5, mapped);
  Address address = reinterpret_cast<Address>(memory);
  d.allocations[address] = {bytes, mapped + page, kind};
  return address;
}

static int give(Driver &d, Address address, Allocation::Kind kind) {
  auto found = d.allocations.find(address);
  if (found == d.allocations.end() || found->second.kind != kind)
    return invalidValue;
  d.runAll(); // freeing waits, as the real one does
  munmap(reinterpret_cast<void *>(address), found->second.mapped);
  d.allocations.erase(found);
  return ok;
}

TARN_DRIVER_EXPORT cuMemAlloc_v2(Address *address, size_t bytes) {
  TARN_DRIVER_CALL(cuMemAlloc_v2)
  if (int error = d.refuseInCapture())
    return error;
  if (!bytes)
    return invalidValue;
  uint64_t rounded = (bytes + granularity - 1) / granularity * granularity;
  if (contextBytes + d.bytesOf(Allocation::Device) + rounded > d.memory)
    return outOfMemory;
  *address = take(d, bytes, Allocation::Device);
  return *address ? ok : outOfMemory;
}
TARN_DRIVER_EXPORT cuMemFree_v2(Address address) {
  Driver &d = driver();
  std::lock_guard<std::recursive_mutex> lock(d.mutex);
  return give(d, address, Allocation::Device);
}
TARN_DRIVER_EXPORT cuMemGetInfo_v2(size_t *free, size_t *total) {
  TARN_DRIVER_CALL(cuMemGetInfo_v2)
  uint64_t used = contextBytes + d.bytesOf(Allocation::Device);
  *total = d.memory;
  *free = used < d.memory ? d.memory - used : 0;
  return ok;
}
TARN_DRIVER_EXPORT cuMemHostAlloc(void **memory, size_t bytes, unsigned) {
  TARN_DRIVER_CALL(cuMemHostAlloc)
  if (int error = d.refuseInCapture())
    return error;
  if (!bytes)
    return invalidValue;
  if (d.bytesOf(Allocation::Pinned) + bytes > d.pinnedMemory)
    return outOfMemory;
  Address address = take(d, bytes, Allocation::Pinned);
  *memory = reinterpret_cast<void *>(address);
  return address ? ok : outOfMemory;
}
TARN_DRIVER_EXPORT cuMemFreeHost(void *memory) {
  Driver &d = driver();
  std::lock_guard<std::recursive_mutex> lock(d.mutex);
  return give(d, reinterpret_cast<Address>(memory), Allocation::Pinned);
}
TARN_DRIVER_EXPORT cuMemHostRegister_v2(void *memory, size_t bytes, unsigned) {
  TARN_DRIVER_CALL(cuMemHostRegister_v2)
  d.allocations[reinterpret_cast<Address>(memory)] = {bytes, 0,
                                                      Allocation::Registered};
  return ok;
}
TARN_DRIVER_EXPORT cuMemHostUnregister(void *memory) {
  Driver &d = driver();
  std::lock_guard<std::recursive_mutex> lock(d.mutex);
  auto found = d.allocations.find(reinterpret_cast<Address>(memory));
  if (found == d.allocations.end() ||
      found->second.kind != Allocation::Registered)
    return invalidValue;
  d.runAll();
  d.allocations.erase(found);
  return ok;
}

/// For tests: calls of a function (runs of a kernel, "@name") since cuInit;
/// "live": what was made and is not destroyed.
extern "C" __attribute__((visibility("default"))) uint64_t
tarn_host_driver_count(const char *what) {
  Driver &d = driver();
  std::lock_guard<std::recursive_mutex> lock(d.mutex);
  if (!strcmp(what, "live"))
    return d.live();
  auto found = d.calls.find(what);
  return found == d.calls.end() ? 0 : found->second;
}
