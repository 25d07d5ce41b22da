//===- Programs.cpp - the tile programs of the test suite -----------------===//

#include "test/dialects/Tile/Programs.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cmath>
#include <limits>
#include <random>

using namespace mlir;
using namespace tarn::tile;

void test::loadDialects(MLIRContext &context) {
  context.loadDialect<TileDialect, arith::ArithDialect, func::FuncDialect,
                      math::MathDialect, scf::SCFDialect>();
}

std::string test::instantiate(const std::string &name, const Sizes &sizes) {
  auto file = llvm::MemoryBuffer::getFile(std::string(TARN_TILE_PROGRAMS) +
                                          "/" + name + ".mlir");
  if (!file)
    return {};
  std::string text = (*file)->getBuffer().str();
  for (const auto &[key, value] : sizes) {
    std::string word = "@" + key + "@";
    for (size_t at; (at = text.find(word)) != std::string::npos;)
      text.replace(at, word.size(), value);
  }
  return text;
}

OwningOpRef<ModuleOp> test::parse(MLIRContext &context,
                                  const std::string &text) {
  loadDialects(context);
  return parseSourceString<ModuleOp>(text, &context);
}

KernelOp test::firstKernel(ModuleOp module) {
  auto kernels = module.getOps<KernelOp>();
  return kernels.empty() ? KernelOp() : *kernels.begin();
}

std::vector<double> test::randomNumbers(int64_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<double> numbers(count);
  for (double &number : numbers)
    number =
        static_cast<float>(static_cast<double>(random() >> 11) * 0x1p-52 - 1.0);
  return numbers;
}

std::vector<double> test::toBf16(std::vector<double> numbers) {
  MLIRContext context;
  Type type = BFloat16Type::get(&context);
  for (double &number : numbers)
    number = roundTo(type, number);
  return numbers;
}

double test::maxError(const std::vector<double> &a,
                      const std::vector<double> &b) {
  double error =
      a.size() == b.size() ? 0 : std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    // Equal infinities have no difference.
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i])))
      continue;
    double here = std::fabs(a[i] - b[i]);
    // A NaN compares false with everything and must not get lost.
    if (!(here <= error))
      error = std::isnan(here) ? std::numeric_limits<double>::infinity() : here;
  }
  return error;
}
