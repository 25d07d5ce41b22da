// The host driver itself: what the real one would refuse, it refuses.
#include "runtime/Gpu.h"
#include "test/runtime/CudaModel.h"

#include <cstring>
#include <gtest/gtest.h>

using namespace tarn::rt;
using namespace tarn::rt::test;

namespace {
/// A context with three streams, two events and two pieces of memory.
class Driver : public ::testing::Test {
protected:
  void SetUp() override {
    Result<std::unique_ptr<Gpu>> opened = Gpu::open();
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    gpu = opened.take();
    cuda = &gpu->driver();
    for (void *&stream : streams)
      ASSERT_EQ(cuda->streamCreate(&stream, streamNonBlocking, 0), cudaOk);
    for (void *&event : events)
      ASSERT_EQ(cuda->eventCreate(&event, 0), cudaOk);
    ASSERT_EQ(cuda->memAlloc(&device, 4096), cudaOk);
    void *memory = nullptr;
    ASSERT_EQ(cuda->memHostAlloc(&memory, 4096, 0), cudaOk);
    pinned = static_cast<uint8_t *>(memory);
  }
  void TearDown() override {
    for (void *stream : streams)
      EXPECT_EQ(cuda->streamDestroy(stream), cudaOk);
    for (void *event : events)
      EXPECT_EQ(cuda->eventDestroy(event), cudaOk);
    EXPECT_EQ(cuda->memFree(device), cudaOk);
    EXPECT_EQ(cuda->memFreeHost(pinned), cudaOk);
    gpu.reset();
    EXPECT_EQ(HostDriver::count("live"), 0u);
  }

  int fill(int stream, unsigned char value = 1, uint64_t at = 0) {
    return cuda->memsetD8Async(device + at, value, 64, streams[stream]);
  }
  int begin(int stream = 0) {
    return cuda->streamBeginCapture(streams[stream], captureThreadLocal);
  }
  /// Ends a capture and gives its graph back.
  int end(int stream = 0) {
    void *graph = nullptr;
    int error = cuda->streamEndCapture(streams[stream], &graph);
    EXPECT_EQ(graph == nullptr, error != cudaOk);
    if (graph)
      cuda->graphDestroy(graph);
    return error;
  }
  int record(int event, int stream) {
    return cuda->eventRecord(events[event], streams[stream]);
  }
  int wait(int stream, int event) {
    return cuda->streamWaitEvent(streams[stream], events[event], 0);
  }

  HostDriver host;
  std::unique_ptr<Gpu> gpu;
  const CudaDriver *cuda = nullptr;
  void *streams[3] = {}, *events[2] = {};
  CudaAddress device = 0;
  uint8_t *pinned = nullptr;
};
} // namespace

using HostDriverRules = Driver;

TEST_F(HostDriverRules, WaitingEndsACapture) {
  ASSERT_EQ(begin(), cudaOk);
  EXPECT_EQ(cuda->streamSynchronize(streams[0]), 900);
  EXPECT_EQ(fill(0), 901);
  EXPECT_EQ(end(), 901);
  EXPECT_EQ(fill(0), cudaOk) << "the stream is its own again";
}

TEST_F(HostDriverRules, AllocatingEndsACapture) {
  ASSERT_EQ(begin(), cudaOk);
  CudaAddress more = 0;
  EXPECT_EQ(cuda->memAlloc(&more, 64), 900);
  EXPECT_EQ(end(), 901);
  ASSERT_EQ(begin(), cudaOk);
  void *memory = nullptr;
  EXPECT_EQ(cuda->memHostAlloc(&memory, 64, 0), 900);
  EXPECT_EQ(end(), 901);
}

TEST_F(HostDriverRules, MergesAreRefused) {
  ASSERT_EQ(begin(0), cudaOk);
  ASSERT_EQ(begin(1), cudaOk);
  ASSERT_EQ(fill(1), cudaOk);
  ASSERT_EQ(record(0, 1), cudaOk);
  EXPECT_EQ(wait(0, 0), 902);
  EXPECT_EQ(end(0), 901);
  EXPECT_EQ(end(1), 901);
}

TEST_F(HostDriverRules, ACaptureEndsWhereItBegan) {
  ASSERT_EQ(begin(0), cudaOk);
  ASSERT_EQ(record(0, 0), cudaOk);
  ASSERT_EQ(wait(1, 0), cudaOk);
  EXPECT_EQ(end(1), 903);
  EXPECT_EQ(end(0), 901);
  EXPECT_EQ(end(0), 401) << "no capture";
}

TEST_F(HostDriverRules, ForksMustJoin) {
  ASSERT_EQ(begin(0), cudaOk);
  ASSERT_EQ(fill(0), cudaOk);
  ASSERT_EQ(record(0, 0), cudaOk);
  ASSERT_EQ(wait(1, 0), cudaOk);
  ASSERT_EQ(fill(1, 2, 64), cudaOk);
  EXPECT_EQ(end(0), 904);
  ASSERT_EQ(begin(0), cudaOk);
  ASSERT_EQ(record(0, 0), cudaOk);
  ASSERT_EQ(wait(1, 0), cudaOk);
  ASSERT_EQ(fill(1, 2, 64), cudaOk);
  ASSERT_EQ(record(1, 1), cudaOk);
  ASSERT_EQ(wait(0, 1), cudaOk);
  EXPECT_EQ(end(0), cudaOk);
}

TEST_F(HostDriverRules, WorkOutsideCannotBeWaitedFor) {
  ASSERT_EQ(fill(1), cudaOk);
  ASSERT_EQ(record(0, 1), cudaOk);
  ASSERT_EQ(begin(0), cudaOk);
  EXPECT_EQ(wait(0, 0), 905);
  EXPECT_EQ(end(0), 901);
}

TEST_F(HostDriverRules, TheNullStreamEndsACapture) {
  ASSERT_EQ(begin(0), cudaOk);
  EXPECT_EQ(cuda->memsetD8Async(device, 1, 64, nullptr), 906);
  EXPECT_EQ(end(0), 901);
}

TEST_F(HostDriverRules, CapturedEventsTellNothing) {
  ASSERT_EQ(begin(0), cudaOk);
  ASSERT_EQ(record(0, 0), cudaOk);
  EXPECT_EQ(cuda->eventSynchronize(events[0]), 907);
  EXPECT_EQ(end(0), 901);
  EXPECT_EQ(wait(1, 0), 907) << "its capture is gone";
}

TEST_F(HostDriverRules, AKernelThatNobodyTouchedCannotBeCaptured) {
  void *library = nullptr, *kernel = nullptr;
  ASSERT_EQ(cuda->libraryLoadData(&library, cudaImage().data(), nullptr,
                                  nullptr, 0, nullptr, nullptr, 0),
            cudaOk);
  ASSERT_EQ(cuda->libraryGetKernel(&kernel, library, "k_mean"), cudaOk);
  CudaAddress at[2] = {device, device + 64};
  void *parameters[2] = {&at[0], &at[1]};
  CudaLaunchConfig config;
  config.stream = streams[0];
  config.blockX = 64;
  ASSERT_EQ(begin(0), cudaOk);
  EXPECT_EQ(cuda->launchKernelEx(&config, kernel, parameters, nullptr), 900);
  EXPECT_EQ(end(0), 901);
  int value = 0;
  ASSERT_EQ(cuda->kernelGetAttribute(&value, kernelRegisters, kernel, 0),
            cudaOk);
  ASSERT_EQ(begin(0), cudaOk);
  EXPECT_EQ(cuda->launchKernelEx(&config, kernel, parameters, nullptr), cudaOk);
  EXPECT_EQ(end(0), cudaOk);
  // The limits of launches.
  config.sharedBytes = 48 * 1024 + 1;
  EXPECT_EQ(cuda->launchKernelEx(&config, kernel, parameters, nullptr), 1);
  EXPECT_EQ(cuda->kernelSetAttribute(kernelMaxDynamicShared, 232449, kernel, 0),
            1);
  EXPECT_EQ(cuda->kernelSetAttribute(kernelMaxDynamicShared, 65536, kernel, 0),
            cudaOk);
  EXPECT_EQ(cuda->launchKernelEx(&config, kernel, parameters, nullptr), cudaOk);
  config.blockX = 1025;
  EXPECT_EQ(cuda->launchKernelEx(&config, kernel, parameters, nullptr), 1);
  config.blockX = 64;
  config.gridX = 1u << 31;
  EXPECT_EQ(cuda->launchKernelEx(&config, kernel, parameters, nullptr), 1);
  CudaLaunchAttribute cluster;
  cluster.value[0] = 16;
  config.gridX = 16;
  config.attributes = &cluster;
  config.attributeCount = 1;
  EXPECT_EQ(cuda->launchKernelEx(&config, kernel, parameters, nullptr), 1)
      << "not portable";
  EXPECT_EQ(cuda->kernelSetAttribute(kernelWideClusters, 1, kernel, 0), cudaOk);
  EXPECT_EQ(cuda->launchKernelEx(&config, kernel, parameters, nullptr), cudaOk);
  config.gridX = 17;
  EXPECT_EQ(cuda->launchKernelEx(&config, kernel, parameters, nullptr), 1);
  EXPECT_EQ(cuda->libraryUnload(library), cudaOk);
}

TEST_F(HostDriverRules, CopiesStayInTheirAllocation) {
  auto at = reinterpret_cast<CudaAddress>(pinned);
  EXPECT_EQ(cuda->memcpyAsync(device, at, 4096, streams[0]), cudaOk);
  EXPECT_EQ(cuda->memcpyAsync(device, at, 4097, streams[0]), 1);
  EXPECT_EQ(cuda->memcpyAsync(device + 4032, at, 128, streams[0]), 1);
  EXPECT_EQ(cuda->memsetD8Async(device + 4032, 0, 128, streams[0]), 1);
  EXPECT_EQ(cuda->memsetD16Async(device + 1, 0, 1, streams[0]), 1);
  EXPECT_EQ(cuda->memFree(device + 64), 1);
}

TEST_F(HostDriverRules, MapsKeepTheirRules) {
  CudaTensorMap map;
  uint64_t sizes[2] = {64, 8}, strides[1] = {256};
  uint32_t box[2] = {32, 8}, steps[2] = {1, 1};
  auto encode = [&](uint64_t offset = 0, int swizzle = 3) {
    return cuda->tensorMapEncodeTiled(
        &map, 7, 2, reinterpret_cast<void *>(device + offset), sizes, strides,
        box, steps, 0, swizzle, 2, 0);
  };
  EXPECT_EQ(encode(), cudaOk);
  EXPECT_EQ(encode(8), 1) << "address";
  strides[0] = 264;
  EXPECT_EQ(encode(), 1) << "stride";
  strides[0] = 256;
  box[1] = 257;
  EXPECT_EQ(encode(), 1) << "box";
  box[1] = 8;
  box[0] = 64;
  EXPECT_EQ(encode(), 1) << "longer than the swizzle";
  box[0] = 32;
  steps[1] = 2;
  EXPECT_EQ(encode(), 1) << "steps";
}

// Copies out of pinned memory happen when they run: who changes it before
// waiting finds out, in some order.
TEST_F(HostDriverRules, OrdersDifferButForStreamsAndEvents) {
  auto at = reinterpret_cast<CudaAddress>(pinned);
  bool late = false, early = false;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    ::setenv("TARN_HOST_DRIVER_SEED", std::to_string(seed).c_str(), 1);
    ASSERT_EQ(cuda->init(0), cudaOk);
    std::memset(pinned, 1, 128);
    // On one stream, then over an event: always in order.
    ASSERT_EQ(fill(0, 9), cudaOk);
    ASSERT_EQ(cuda->memcpyAsync(device, at, 64, streams[0]), cudaOk);
    ASSERT_EQ(record(0, 0), cudaOk);
    ASSERT_EQ(wait(1, 0), cudaOk);
    ASSERT_EQ(cuda->memcpyAsync(at + 64, device, 64, streams[1]), cudaOk);
    ASSERT_EQ(cuda->streamSynchronize(streams[1]), cudaOk);
    EXPECT_EQ(pinned[64], 1);
    // With neither: either.
    ASSERT_EQ(fill(0, 5), cudaOk);
    ASSERT_EQ(cuda->memcpyAsync(at + 64, device, 64, streams[1]), cudaOk);
    ASSERT_EQ(cuda->streamSynchronize(streams[1]), cudaOk);
    ASSERT_EQ(cuda->streamSynchronize(streams[0]), cudaOk);
    (pinned[64] == 5 ? late : early) = true;
  }
  EXPECT_TRUE(late);
  EXPECT_TRUE(early);
}

TEST_F(HostDriverRules, OneGraphRunsOnceAtATime) {
  auto at = reinterpret_cast<CudaAddress>(pinned);
  ASSERT_EQ(begin(0), cudaOk);
  ASSERT_EQ(cuda->memcpyAsync(device, at, 64, streams[0]), cudaOk);
  ASSERT_EQ(cuda->memcpyAsync(device + 64, device, 64, streams[0]), cudaOk);
  void *graph = nullptr, *exec = nullptr;
  ASSERT_EQ(cuda->streamEndCapture(streams[0], &graph), cudaOk);
  ASSERT_EQ(cuda->graphInstantiate(&exec, graph, 0), cudaOk);
  ASSERT_EQ(cuda->graphDestroy(graph), cudaOk);
  std::memset(pinned, 7, 64);
  ASSERT_EQ(cuda->graphLaunch(exec, streams[0]), cudaOk);
  ASSERT_EQ(cuda->graphLaunch(exec, streams[1]), cudaOk);
  ASSERT_EQ(cuda->streamSynchronize(streams[1]), cudaOk);
  // The second came after the first: both are done.
  ASSERT_EQ(cuda->memcpyAsync(at + 64, device + 64, 64, streams[2]), cudaOk);
  ASSERT_EQ(cuda->streamSynchronize(streams[2]), cudaOk);
  EXPECT_EQ(pinned[64], 7);
  ASSERT_EQ(cuda->graphExecDestroy(exec), cudaOk);
}
