//===- CompareCompiled.h - machine code against the reference ---*- C++ -*-===//
//
// Takes a module through all phases to an artifact, runs every function of it
// on random inputs, and compares every result with the graph interpreter. The
// plan checker, which shares no code with the planner, judges each artifact.
//
//===----------------------------------------------------------------------===//

#ifndef TEST_COMPILER_PACKAGE_COMPARECOMPILED_H
#define TEST_COMPILER_PACKAGE_COMPARECOMPILED_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>

namespace tarn::test {

struct CompareOptions {
  unsigned seed = 1;
  /// Error allowed, relative to 1 + the largest reference value of a result.
  double tolerance = 2e-5;
  /// The reference rounds every value to its type: for bf16.
  bool typed = false;
  unsigned threads = 2;
  std::string policy = "keep-all";
  /// Results may lie over operands.
  bool inPlace = true;
  bool checkPlan = true;
};

struct CompareResult {
  /// Empty when everything agrees; else the first difference.
  std::string error;
  /// Clusters of all functions.
  unsigned launches = 0;
  unsigned kernels = 0;
  int64_t arenaBytes = 0, hostBytes = 0;
  /// The bytes of all results of the compiled functions, for bit-identity.
  std::string bits;
};

/// A context with all dialects.
mlir::MLIRContext &context();

/// Arguments are random: floats normal, booleans even, integers below the
/// argument's attribute `test.below` (4).
CompareResult compareCompiled(llvm::StringRef text,
                              const CompareOptions &options = {});
CompareResult compareCompiled(mlir::ModuleOp module,
                              const CompareOptions &options = {});

} // namespace tarn::test

#endif // TEST_COMPILER_PACKAGE_COMPARECOMPILED_H
