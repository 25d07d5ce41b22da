//===- CudaModel.cpp - The test model for the host driver -----------------===//

#include "test/runtime/CudaModel.h"

#include "runtime/File.h"

#include <cfloat>
#include <cstdlib>
#include <dlfcn.h>
#include <gtest/gtest.h>

namespace tarn::rt::test {

Manifest cudaManifest(const std::string &isa) {
  Manifest manifest = bigramManifest();
  Target target = cudaTarget(manifest.targets[0], isa, cudaImage().size());
  for (Kernel &kernel : target.kernels) {
    if (kernel.name == "reduce")
      kernel.shared = 64 * sizeof(float);
    if (kernel.name == "update") {
      KernelParam given;
      given.table = {{false, 64}, {true, 0}, {true, 1}, {true, 2}, {true, 3}};
      kernel.params = {given};
    }
    if (kernel.name != "next")
      continue;
    kernel.shared = 3 * 1024;
    TensorMapDesc map;
    map.dtype = DType::F32;
    map.sizes = {64, 64};
    map.strides = {256};
    map.box = {32, 1};
    kernel.params[0].map = map;
  }
  manifest.targets.push_back(std::move(target));
  return manifest;
}

const std::string &cudaImage() {
  static const std::string image = [] {
    Result<std::string> read = readFile(TARN_TEST_CUDA_KERNELS, 1 << 24);
    if (!read.ok())
      std::abort();
    return read.take();
  }();
  return image;
}

std::string cudaArtifact(const Manifest &manifest, const std::string &image) {
  ArtifactWriter writer;
  writer.add("manifest", writeManifest(manifest));
  Result<std::string> code = readFile(TARN_TEST_KERNELS, 1 << 24);
  if (!code.ok())
    std::abort();
  writer.add("code.0", code.take());
  writer.add("code.1", image);
  std::string constants(64, '\0');
  float smallest = FLT_MIN;
  constants.replace(0, 4, reinterpret_cast<const char *>(&smallest), 4);
  writer.add("constants", constants);
  Result<std::string> file = writer.finish();
  if (!file.ok())
    std::abort();
  return file.take();
}

HostDriver::HostDriver(const std::string &device, const std::string &faults,
                       uint64_t seed) {
  ::setenv("TARN_CUDA_DRIVER", TARN_TEST_HOST_DRIVER, 1);
  ::setenv("TARN_HOST_DRIVER_DEVICE", device.c_str(), 1);
  ::setenv("TARN_HOST_DRIVER_FAULTS", faults.c_str(), 1);
  ::setenv("TARN_HOST_DRIVER_SEED", std::to_string(seed).c_str(), 1);
}

HostDriver::~HostDriver() {
  for (const char *name : {"TARN_CUDA_DRIVER", "TARN_HOST_DRIVER_DEVICE",
                           "TARN_HOST_DRIVER_FAULTS", "TARN_HOST_DRIVER_SEED"})
    ::unsetenv(name);
}

uint64_t HostDriver::count(const char *what) {
  static auto *counter = [] {
    void *library = ::dlopen(TARN_TEST_HOST_DRIVER, RTLD_NOW);
    void *found =
        library ? ::dlsym(library, "tarn_host_driver_count") : nullptr;
    if (!found)
      std::abort();
    return reinterpret_cast<uint64_t (*)(const char *)>(found);
  }();
  return counter(what);
}

Result<std::unique_ptr<Session>> open(const std::string &artifact,
                                      const SessionOptions &options) {
  Result<std::shared_ptr<const Model>> model =
      Model::parse(artifact.data(), artifact.size());
  if (!model.ok())
    return model.status();
  return Session::create(*model, options);
}

std::unique_ptr<Session> openOn(const std::string &isa,
                                SessionOptions options) {
  options.isa = isa;
  Result<std::unique_ptr<Session>> session = open(cudaArtifact(), options);
  EXPECT_TRUE(session.ok()) << session.status().message();
  if (!session.ok())
    std::abort();
  return session.take();
}

} // namespace tarn::rt::test
