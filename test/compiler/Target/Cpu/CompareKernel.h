//===- CompareKernel.h - compiled kernels against the interpreter -*- C++ -*-=//

#ifndef TEST_COMPILER_TARGET_CPU_COMPAREKERNEL_H
#define TEST_COMPILER_TARGET_CPU_COMPAREKERNEL_H

#include "test/compiler/Target/Cpu/RunKernel.h"
#include "test/dialects/Tile/Programs.h"

#include "gtest/gtest.h"

#include <map>

namespace tarn::cpu::test {

using Numbers = std::vector<double>;

/// Compares compiled kernels with the interpreter.
class CompareKernel : public ::testing::Test {
protected:
  mlir::MLIRContext context;

  /// Runs the first kernel of `text` on every level that this machine has and
  /// compares all buffers with the interpreter's; then, for bits, once more for
  /// each pair of buffers that may share a place, and with all of them at once.
  /// `inputs` gives buffers by index; others are filled with random numbers
  /// (reads), NaN or -7 (writes) or zeros (accumulates).
  void compare(const std::string &text, double tolerance,
               const std::map<int, Numbers> &inputs = {});
};

} // namespace tarn::cpu::test

#endif // TEST_COMPILER_TARGET_CPU_COMPAREKERNEL_H
