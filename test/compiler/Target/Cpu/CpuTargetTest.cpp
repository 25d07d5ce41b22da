//===- CpuTargetTest.cpp - compiled tile programs against the interpreter -===//

#include "test/compiler/Target/Cpu/RunKernel.h"
#include "test/dialects/Tile/Programs.h"

#include "gtest/gtest.h"

#include <cmath>

using namespace mlir;
using namespace tarn;
using namespace tarn::cpu;
using namespace tarn::cpu::test;
using namespace tarn::tile::test;

namespace {

using Numbers = std::vector<double>;

std::string str(int64_t number) { return std::to_string(number); }

int64_t elements(Type type) { return cast<MemRefType>(type).getNumElements(); }

class CpuTargetTest : public ::testing::Test {
protected:
  MLIRContext context;

  /// Runs the program's kernel on every level and compares all buffers with
  /// the interpreter's. `inputs` gives the buffers by index; others are filled
  /// with random numbers (reads), NaN (writes) or zeros (accumulates).
  void compare(const std::string &text, double tolerance,
               std::map<int, Numbers> inputs = {}) {
    OwningOpRef<ModuleOp> module = parse(context, text);
    ASSERT_TRUE(module);
    tile::KernelOp kernel = firstKernel(*module);
    std::vector<Numbers> start;
    for (unsigned i = 0; i != kernel.getNumBuffers(); ++i) {
      int64_t count = elements(kernel.getBufferType(i));
      if (inputs.count(i))
        start.push_back(inputs[i]);
      else if (kernel.getBufferAccess(i) == tile::Access::Read)
        start.push_back(randomNumbers(count, i + 1));
      else if (kernel.getBufferAccess(i) == tile::Access::Accumulate)
        start.push_back(Numbers(count, 0));
      else
        start.push_back(Numbers(count, NAN));
      for (double &number : start.back())
        if (isa<FloatType>(kernel.getBufferType(i).getElementType()))
          number =
              tile::roundTo(kernel.getBufferType(i).getElementType(), number);
    }
    std::vector<Numbers> expected = start;
    std::vector<tile::HostBuffer> views;
    for (Numbers &numbers : expected)
      views.push_back(numbers);
    ASSERT_TRUE(succeeded(
        tile::interpretKernel(kernel, views, {tile::Rounding::exact64})));

    for (const Isa *isa : runnableIsas()) {
      SCOPED_TRACE(isa->name.str());
      LoadedKernel loaded(kernel, *isa);
      ASSERT_EQ(loaded.error(), "");
      std::vector<RawBuffer> raw;
      for (unsigned i = 0; i != kernel.getNumBuffers(); ++i)
        raw.emplace_back(kernel.getBufferType(i).getElementType(), start[i]);
      std::vector<void *> pointers;
      for (RawBuffer &buffer : raw)
        pointers.push_back(buffer.data());
      loaded.run(pointers);
      for (unsigned i = 0; i != kernel.getNumBuffers(); ++i) {
        EXPECT_TRUE(raw[i].intact()) << "wrote outside of buffer " << i;
        EXPECT_LE(maxError(raw[i].numbers(), expected[i]), tolerance)
            << "buffer " << i;
      }
    }
  }
};

Sizes gemmSizes(int64_t m, int64_t n, int64_t k, int64_t bm, int64_t bn,
                int64_t bk) {
  return {{"M", str(m)},   {"N", str(n)},   {"K", str(k)},
          {"BM", str(bm)}, {"BN", str(bn)}, {"BK", str(bk)}};
}

TEST_F(CpuTargetTest, Gemm) {
  compare(instantiate("gemm", gemmSizes(32, 32, 32, 16, 16, 16)), 1e-4);
  compare(instantiate("gemm", gemmSizes(96, 64, 40, 48, 32, 40)), 1e-4);
}

TEST_F(CpuTargetTest, GemmRagged) {
  compare(instantiate("gemm", gemmSizes(37, 29, 41, 16, 32, 8)), 1e-4);
  compare(instantiate("gemm", gemmSizes(1, 1, 1, 1, 1, 1)), 1e-5);
  compare(instantiate("gemm", gemmSizes(7, 257, 13, 4, 96, 13)), 1e-4);
}

} // namespace
