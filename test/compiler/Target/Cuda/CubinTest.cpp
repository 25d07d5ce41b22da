//===- CubinTest.cpp - cubins read, whole and damaged ---------------------===//

#include "compiler/Target/Cuda/Cubin.h"
#include "compiler/Target/Cuda/EmitCuda.h"
#include "compiler/Target/Cuda/Nvrtc.h"

#include "gtest/gtest.h"

#include <random>

using namespace tarn::cuda;

namespace {

const char *const text = R"(#include "tarn_device.h"
SIMT_KERNEL(256) second(const float *x, float *y) {
  y[threadIdx.x] = x[threadIdx.x];
}
KERNEL(128) first(TENSOR_MAP map, const float *x, float *y) {
  SHARED_ARENA(arena);
  tma_prefetch(&map);
  y[threadIdx.x] = x[threadIdx.x] + arena[0];
}
struct Table {
  u64 words[4094];
};
SIMT_KERNEL(32) third(BY_VALUE(Table) table, float *y) {
  y[threadIdx.x] = (float)table.words[blockIdx.x];
}
)";

/// The code of `text`; empty where there is no NVRTC.
std::string compiled(const char *architecture) {
  std::string error;
  std::unique_ptr<Nvrtc> nvrtc = Nvrtc::load(error);
  if (!nvrtc)
    return "";
  CompiledKernel code;
  EXPECT_TRUE(nvrtc->compile(text, getDeviceHeader().str(), "two.cu",
                             architecture, code))
      << code.log;
  return code.cubin;
}

TEST(Cubin, SaysParametersAndRegisters) {
  std::string bytes = compiled("sm_90a");
  if (bytes.empty())
    GTEST_SKIP() << "there is no NVRTC";
  llvm::Expected<Cubin> cubin = readCubin(bytes);
  ASSERT_TRUE(bool(cubin)) << llvm::toString(cubin.takeError());
  EXPECT_EQ(cubin->sm, 90u);
  ASSERT_EQ(cubin->kernels.size(), 3u);
  const CubinKernel *first = cubin->find("first");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->parameters, (std::vector<unsigned>{128, 8, 8}));
  EXPECT_EQ(first->maxThreads, 128u);
  EXPECT_GT(first->registers, 0u);
  EXPECT_FALSE(first->spills);
  const CubinKernel *second = cubin->find("second");
  ASSERT_TRUE(second);
  EXPECT_EQ(second->parameters, (std::vector<unsigned>{8, 8}));
  EXPECT_EQ(second->maxThreads, 256u);
  // As many parameters as there may be.
  const CubinKernel *third = cubin->find("third");
  ASSERT_TRUE(third);
  EXPECT_EQ(third->parameters, (std::vector<unsigned>{32752, 8}));
}

TEST(Cubin, DamageIsAnErrorOrHarmless) {
  std::string bytes = compiled("sm_90a");
  if (bytes.empty())
    GTEST_SKIP() << "there is no NVRTC";
  for (size_t length = 0; length < bytes.size(); length += 37)
    llvm::consumeError(readCubin(bytes.substr(0, length)).takeError());
  std::mt19937 random(1);
  for (unsigned round = 0; round < 3000; ++round) {
    std::string damaged = bytes;
    for (unsigned i = 0; i <= round % 8; ++i)
      damaged[random() % (round % 2 ? damaged.size() : 64)] = char(random());
    llvm::consumeError(readCubin(damaged).takeError());
  }
}

TEST(Cubin, OtherFilesAreRefused) {
  for (std::string bytes :
       {std::string(), std::string("no ELF"), std::string(4096, '\0'),
        std::string("\x7f"
                    "ELF\2\1\1",
                    7) +
            std::string(57, '\0')})
    EXPECT_TRUE(llvm::errorToBool(readCubin(bytes).takeError()))
        << bytes.size();
}

} // namespace
