//===- CompareKernel.cpp - compiled kernels against the interpreter -------===//

#include "test/compiler/Target/Cpu/CompareKernel.h"

#include <cmath>

using namespace mlir;
using namespace tarn;
using namespace tarn::cpu;
using namespace tarn::cpu::test;
using namespace tarn::tile::test;

static int64_t elements(Type type) {
  return cast<MemRefType>(type).getNumElements();
}

static Type elementTypeOf(tile::KernelOp kernel, unsigned i) {
  return kernel.getBufferType(i).getElementType();
}

void CompareKernel::compare(const std::string &text, double tolerance,
                            const std::map<int, Numbers> &inputs) {
  OwningOpRef<ModuleOp> module = parse(context, text);
  ASSERT_TRUE(module);
  tile::KernelOp kernel = firstKernel(*module);
  std::vector<Numbers> start;
  for (unsigned i = 0; i != kernel.getNumBuffers(); ++i) {
    int64_t count = elements(kernel.getBufferType(i));
    if (inputs.count(i))
      start.push_back(inputs.at(i));
    else if (kernel.getBufferAccess(i) == tile::Access::Read)
      start.push_back(randomNumbers(count, i + 1));
    else if (kernel.getBufferAccess(i) == tile::Access::Accumulate)
      start.push_back(Numbers(count, 0));
    else
      start.push_back(
          Numbers(count, isa<FloatType>(elementTypeOf(kernel, i)) ? NAN : -7));
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
