//===- KernelText.h - kernels of the cost tests -----------------*- C++ -*-===//

#ifndef TEST_COMPILER_COST_KERNELTEXT_H
#define TEST_COMPILER_COST_KERNELTEXT_H

#include "dialects/Tile/TileDialect.h"
#include "dialects/Tile/TileOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Parser/Parser.h"

#include <cstdarg>
#include <gtest/gtest.h>

namespace tarn::test {

/// A parsed module and its first kernel.
class KernelText {
public:
  explicit KernelText(const std::string &text) {
    context.loadDialect<tile::TileDialect, mlir::arith::ArithDialect,
                        mlir::math::MathDialect, mlir::scf::SCFDialect>();
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(module) << text;
    kernel = *module->getOps<tile::KernelOp>().begin();
  }
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  tile::KernelOp kernel;
};

/// printf into a string.
__attribute__((format(printf, 1, 2))) inline std::string
format(const char *text, ...) {
  va_list arguments;
  va_start(arguments, text);
  char buffer[8192];
  int length = std::vsnprintf(buffer, sizeof buffer, text, arguments);
  va_end(arguments);
  EXPECT_LT(size_t(length), sizeof buffer);
  return buffer;
}

/// C = A B in tiles of bm by bn, whole K.
inline std::string gemm(int m, int n, int k, int bm, int bn,
                        const char *element = "f32",
                        const char *name = "gemm") {
  return format(
      R"(tile.kernel @%s(%%A: memref<%dx%dx%s>, %%B: memref<%dx%dx%s>,
             %%C: memref<%dx%dxf32>)
    access ["read", "read", "write"] grid (%%m = %d by %d, %%n = %d by %d) {
  %%zero = arith.constant dense<0.0> : tensor<%dx%dxf32>
  %%a = tile.load %%A[%%m, 0] : memref<%dx%dx%s> -> tensor<%dx%dx%s>
  %%b = tile.load %%B[0, %%n] : memref<%dx%dx%s> -> tensor<%dx%dx%s>
  %%c = tile.dot %%a, %%b, %%zero
      : tensor<%dx%dx%s>, tensor<%dx%dx%s> -> tensor<%dx%dxf32>
  tile.store %%c, %%C[%%m, %%n] : tensor<%dx%dxf32>, memref<%dx%dxf32>
  tile.return
})",
      name, m, k, element, k, n, element, m, n, m, bm, n, bn, bm, bn, m, k,
      element, bm, k, element, k, n, element, k, bn, element, bm, k, element, k,
      bn, element, bm, bn, bm, bn, m, n);
}

} // namespace tarn::test

#endif // TEST_COMPILER_COST_KERNELTEXT_H
