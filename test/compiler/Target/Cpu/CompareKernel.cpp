//===- CompareKernel.cpp - compiled kernels against the interpreter -------===//

#include "test/compiler/Target/Cpu/CompareKernel.h"

#include "dialects/Tile/Analysis.h"

#include <cmath>
#include <cstring>

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

/// The buffers after a run in which written ones lie over read ones.
static std::vector<RawBuffer>
runInPlace(tile::KernelOp kernel, const LoadedKernel &loaded,
           const std::vector<Numbers> &start,
           ArrayRef<std::pair<unsigned, unsigned>> pairs) {
  std::vector<RawBuffer> raw;
  for (unsigned i = 0; i != kernel.getNumBuffers(); ++i)
    raw.emplace_back(elementTypeOf(kernel, i), start[i]);
  std::vector<void *> pointers;
  for (RawBuffer &buffer : raw)
    pointers.push_back(buffer.data());
  for (auto [read, written] : pairs)
    pointers[written] = pointers[read];
  loaded.run(pointers);
  return raw;
}

/// Bits do not depend on which results lie over operands.
static void compareInPlace(tile::KernelOp kernel, const LoadedKernel &loaded,
                           const std::vector<Numbers> &start) {
  auto shared = tile::getSharedBuffers(kernel);
  std::vector<RawBuffer> apart = runInPlace(kernel, loaded, start, {});
  std::vector<SmallVector<std::pair<unsigned, unsigned>>> choices(1);
  llvm::SmallDenseSet<unsigned> taken;
  for (auto pair : shared) {
    if (!taken.contains(pair.first) && !taken.contains(pair.second)) {
      choices[0].push_back(pair);
      taken.insert(pair.first);
      taken.insert(pair.second);
    }
    choices.push_back({pair});
  }
  for (const auto &pairs : choices) {
    std::vector<RawBuffer> raw = runInPlace(kernel, loaded, start, pairs);
    llvm::SmallDenseMap<unsigned, unsigned> over;
    for (auto [read, written] : pairs)
      over[written] = read;
    for (unsigned i = 0; i != kernel.getNumBuffers(); ++i) {
      if (kernel.getBufferAccess(i) == tile::Access::Read)
        continue;
      unsigned at = over.contains(i) ? over[i] : i;
      EXPECT_EQ(std::memcmp(raw[at].data(), apart[i].data(), raw[i].size()), 0)
          << "buffer " << i << " over " << at;
      EXPECT_TRUE(raw[at].intact());
    }
  }
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
    compareInPlace(kernel, loaded, start);
  }
}
