//===- Code.cpp - Images, kernels, launches, tensor maps ------------------===//
//
// An image is a shared object of kernels that were compiled for the host, each
// with HOST_KERNEL, as its bytes.
//
//===----------------------------------------------------------------------===//

#include "test/gpu/host_driver/HostDriver.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <unistd.h>

using namespace tarn::gpu;

static constexpr size_t parameterLimit = 64;

/// Kernels find the host model among the global libraries only.
static void makeModelGlobal() {
  Dl_info model;
  if (dladdr(reinterpret_cast<void *>(&runGrid), &model))
    dlopen(model.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
}

/// Bytes of an image, by its header; 0 if it is none for this machine.
static uint64_t imageBytes(const void *image) {
  Elf64_Ehdr header;
  memcpy(&header, image, sizeof header);
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64 ||
      header.e_shentsize != sizeof(Elf64_Shdr) ||
      header.e_shoff > (uint64_t(1) << 30))
    return 0;
  return header.e_shoff + uint64_t(header.e_shnum) * header.e_shentsize;
}

TARN_DRIVER_EXPORT cuLibraryLoadData(void **library, const void *image, int *,
                                     void **, unsigned, int *, void **,
                                     unsigned) {
  TARN_DRIVER_CALL(cuLibraryLoadData)
  if (int error = d.refuseInCapture())
    return error;
  uint64_t bytes = imageBytes(image);
  if (!bytes)
    return memcmp(image, ELFMAG, SELFMAG) == 0 ? noBinary : invalidImage;
  makeModelGlobal();
  char path[] = "/tmp/tarn-image-XXXXXX";
  int file = mkstemp(path);
  if (file < 0)
    return outOfMemory;
  bool written = write(file, image, bytes) == static_cast<ssize_t>(bytes);
  close(file);
  void *handle = written ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (!handle)
    fprintf(stderr, "host driver: %s\n", written ? dlerror() : "disk full");
  unlink(path);
  if (!handle)
    return invalidImage;
  auto *made = new Library;
  made->handle = handle;
  d.libraries.insert(made);
  *library = made;
  return ok;
}

TARN_DRIVER_EXPORT cuLibraryUnload(void *handle) {
  Driver &d = driver();
  std::lock_guard<std::recursive_mutex> lock(d.mutex);
  auto *library = static_cast<Library *>(handle);
  if (!d.libraries.erase(library))
    return invalidHandle;
  d.runAll();
  for (const auto &[name, kernel] : library->kernels) {
    d.kernels.erase(kernel);
    delete kernel;
  }
  dlclose(library->handle);
  delete library;
  return ok;
}

TARN_DRIVER_EXPORT cuLibraryGetKernel(void **kernel, void *handle,
                                      const char *name) {
  TARN_DRIVER_CALL(cuLibraryGetKernel)
  auto *library = static_cast<Library *>(handle);
  if (!d.libraries.count(library))
    return invalidHandle;
  KernelHandle *&known = library->kernels[name];
  if (!known) {
    void *entry = dlsym(library->handle, name);
    if (!entry) {
      library->kernels.erase(name);
      return notFound;
    }
    known = new KernelHandle;
    known->name = name;
    known->entry = entry;
    known->info = static_cast<const HostKernelInfo *>(
        dlsym(library->handle, (std::string(name) + "_host").c_str()));
    d.kernels.insert(known);
  }
  *kernel = known;
  return ok;
}

TARN_DRIVER_EXPORT cuKernelGetAttribute(int *value, int attribute, void *handle,
                                        int) {
  TARN_DRIVER_CALL(cuKernelGetAttribute)
  auto *kernel = static_cast<KernelHandle *>(handle);
  if (!d.kernels.count(kernel))
    return invalidHandle;
  kernel->touched = true;
  *value = attribute == 0   ? 1024
           : attribute == 4 ? 32
           : attribute == 8 ? static_cast<int>(kernel->dynamicShared)
                            : 0;
  return ok;
}

TARN_DRIVER_EXPORT cuKernelSetAttribute(int attribute, int value, void *handle,
                                        int) {
  TARN_DRIVER_CALL(cuKernelSetAttribute)
  auto *kernel = static_cast<KernelHandle *>(handle);
  if (!d.kernels.count(kernel))
    return invalidHandle;
  if (attribute == 14) {
    kernel->wideClusters = value != 0;
    return ok;
  }
  if (attribute != 8 || value < 0 || static_cast<uint64_t>(value) > d.shared)
    return invalidValue;
  kernel->dynamicShared = static_cast<unsigned>(value);
  return ok;
}

static uint32_t alignmentOf(uint32_t bytes) {
  return bytes == sizeof(TensorMap) ? 64 : 8;
}

TARN_DRIVER_EXPORT cuKernelGetParamInfo(void *handle, size_t index,
                                        size_t *offset, size_t *size) {
  TARN_DRIVER_CALL(cuKernelGetParamInfo)
  auto *kernel = static_cast<KernelHandle *>(handle);
  if (!d.kernels.count(kernel))
    return invalidHandle;
  if (!kernel->info)
    return notSupported;
  if (index >= kernel->info->count)
    return invalidValue;
  size_t at = 0;
  for (size_t i = 0;; ++i) {
    uint32_t bytes = kernel->info->bytes[i], align = alignmentOf(bytes);
    at = (at + align - 1) / align * align;
    if (i == index)
      break;
    at += bytes;
  }
  *offset = at;
  *size = kernel->info->bytes[index];
  return ok;
}

TARN_DRIVER_EXPORT cuOccupancyMaxActiveClusters(int *clusters, void *,
                                                const void *) {
  TARN_DRIVER_CALL(cuOccupancyMaxActiveClusters)
  *clusters = 16;
  return ok;
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

/// Calls a kernel with as many parameters as it may have: in the calling
/// convention of C, those that it does not know do no harm.
static void callKernel(void *entry, const uint64_t *a) {
  using P = uint64_t;
  using Kernel =
      void (*)(P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P,
               P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P,
               P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P);
  reinterpret_cast<Kernel>(entry)(
      a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11],
      a[12], a[13], a[14], a[15], a[16], a[17], a[18], a[19], a[20], a[21],
      a[22], a[23], a[24], a[25], a[26], a[27], a[28], a[29], a[30], a[31],
      a[32], a[33], a[34], a[35], a[36], a[37], a[38], a[39], a[40], a[41],
      a[42], a[43], a[44], a[45], a[46], a[47], a[48], a[49], a[50], a[51],
      a[52], a[53], a[54], a[55], a[56], a[57], a[58], a[59], a[60], a[61],
      a[62], a[63]);
}

namespace {
/// The parameters of a launch, copied when it was queued.
struct Parameters {
  uint64_t words[parameterLimit] = {};
  /// What kernels take by reference here.
  std::vector<std::unique_ptr<TensorMap[]>> structs;
};
} // namespace

/// What the CUDA C++ rules and the device's limits say about a launch.
static int checkLaunch(const Driver &d, const KernelHandle &kernel,
                       const Launch &launch, unsigned cluster) {
  uint64_t threads =
      uint64_t(launch.threads.x) * launch.threads.y * launch.threads.z;
  dim3 grid = launch.grid;
  if (!grid.x || !grid.y || !grid.z || grid.x > 0x7FFFFFFF || grid.y > 65535 ||
      grid.z > 65535 || !threads || threads > 1024)
    return invalidValue;
  if (launch.sharedBytes > kernel.dynamicShared ||
      launch.sharedBytes > d.shared)
    return invalidValue;
  if (cluster > 1 && (d.major < 9 || grid.x % cluster ||
                      (cluster > 8 && !kernel.wideClusters) || cluster > 16))
    return invalidValue;
  return ok;
}

int tarn::gpu::queueLaunch(Driver &d, KernelHandle *kernel,
                           const Launch &launch, unsigned cluster,
                           void *streamHandle, void **parameters) {
  if (!d.kernels.count(kernel) || !d.stream(streamHandle))
    return invalidHandle;
  Stream *stream = d.stream(streamHandle);
  if (int error = checkLaunch(d, *kernel, launch, cluster))
    return error;
  // Its code would be loaded now, which a capture does not allow.
  if (stream->capture && !kernel->touched) {
    stream->capture->invalid = true;
    return captureUnsupported;
  }
  uint32_t count = kernel->info ? kernel->info->count : 0;
  if (!kernel->info) // a null ends the list
    while (parameters[count])
      ++count;
  if (count > parameterLimit) {
    fprintf(stderr, "host driver: `%s` has more than %zu parameters\n",
            kernel->name.c_str(), parameterLimit);
    return invalidValue;
  }
  auto values = std::make_shared<Parameters>();
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t bytes = kernel->info ? kernel->info->bytes[i]
                     : d.encodedMaps.count(parameters[i])
                         ? static_cast<uint32_t>(sizeof(TensorMap))
                         : static_cast<uint32_t>(sizeof(uint64_t));
    if (bytes > sizeof(uint64_t)) {
      // In whole maps, for their alignment.
      values->structs.push_back(
          std::make_unique<TensorMap[]>(bytes / sizeof(TensorMap) + 1));
      memcpy(values->structs.back().get(), parameters[i], bytes);
      values->words[i] =
          reinterpret_cast<uint64_t>(values->structs.back().get());
    } else {
      memcpy(&values->words[i], parameters[i], bytes);
    }
  }
  return d.enqueue(stream, [&d, kernel, launch, values] {
    d.countKernel(kernel->name);
    if (d.sticky)
      return;
    Schedule schedule;
    schedule.name = "host driver";
    schedule.wgmma = schedule.tma = schedule.stores = schedule.copies =
        Completion::random;
    schedule.shuffled = true;
    schedule.seed = static_cast<uint32_t>(d.random());
    d.spend(kernel->name);
    Faults faults = runGrid(launch, schedule,
                            [&] { callKernel(kernel->entry, values->words); });
    for (const std::string &fault : faults)
      fprintf(stderr, "host driver: kernel `%s`: %s\n", kernel->name.c_str(),
              fault.c_str());
    if (!faults.empty())
      d.sticky = launchFailed;
  });
}

namespace {
struct LaunchAttribute {
  int id;
  char pad[4];
  unsigned value[16];
};
struct LaunchConfig {
  unsigned grid[3], block[3], shared;
  void *stream;
  LaunchAttribute *attributes;
  unsigned attributeCount;
};
} // namespace

TARN_DRIVER_EXPORT cuLaunchKernelEx(const LaunchConfig *config, void *kernel,
                                    void **parameters, void **) {
  TARN_DRIVER_CALL(cuLaunchKernelEx)
  unsigned cluster = 1;
  for (unsigned i = 0; i < config->attributeCount; ++i)
    if (config->attributes[i].id == 4)
      cluster = config->attributes[i].value[0];
  Launch launch{{config->grid[0], config->grid[1], config->grid[2]},
                {config->block[0], config->block[1], config->block[2]},
                config->shared};
  return queueLaunch(d, static_cast<KernelHandle *>(kernel), launch, cluster,
                     config->stream, parameters);
}

//===----------------------------------------------------------------------===//
// Tensor maps
//===----------------------------------------------------------------------===//

/// Bytes of an element, by CUtensorMapDataType.
static unsigned elementBytes(int type) {
  static constexpr unsigned bytes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
  return type >= 0 && type < 13 ? bytes[type] : 0;
}

TARN_DRIVER_EXPORT cuTensorMapEncodeTiled(
    void *map, int type, uint32_t rank, void *address, const uint64_t *sizes,
    const uint64_t *strides, const uint32_t *box, const uint32_t *steps,
    int interleave, int swizzle, int promotion, int outside) {
  TARN_DRIVER_CALL(cuTensorMapEncodeTiled)
  if (d.major < 9)
    return notSupported;
  unsigned element = elementBytes(type);
  if (!element || rank < 1 || rank > 5 || interleave || outside ||
      promotion < 0 || promotion > 3 || swizzle < 0 || swizzle > 3 ||
      reinterpret_cast<uintptr_t>(map) % 64 ||
      reinterpret_cast<uintptr_t>(address) % 16)
    return invalidValue;
  for (uint32_t i = 0; i < rank; ++i)
    if (sizes[i] < 1 || sizes[i] > (uint64_t(1) << 32) || box[i] < 1 ||
        box[i] > 256 || steps[i] != 1 ||
        (i > 0 &&
         (strides[i - 1] % 16 || strides[i - 1] >= (uint64_t(1) << 40))))
      return invalidValue;
  static constexpr unsigned swizzleBytes[] = {0, 32, 64, 128};
  unsigned row = box[0] * element;
  if (row % 16 || (swizzle && row > swizzleBytes[swizzle]))
    return invalidValue;
  TensorMapShape shape;
  shape.elementBytes = element;
  shape.isTf32 = type == 11;
  shape.sizes.assign(sizes, sizes + rank);
  shape.strides.assign(strides, strides + rank - 1);
  shape.box.assign(box, box + rank);
  if (swizzle != 3) {
    fprintf(stderr, "host driver: the host model has 128-byte swizzles only\n");
    return notSupported;
  }
  std::string error =
      encodeTensorMap(address, shape, *static_cast<TensorMap *>(map));
  if (error.empty()) {
    d.encodedMaps.insert(map);
    return ok;
  }
  fprintf(stderr, "host driver: tensor map: %s\n", error.c_str());
  return invalidValue;
}
