//===- Package.h - phase `package`: one file from code and plan -*- C++ -*-===//

#ifndef COMPILER_PACKAGE_PACKAGE_H
#define COMPILER_PACKAGE_PACKAGE_H

#include "runtime/Manifest.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace tarn {

struct PackageOptions {
  /// Instruction-set levels to make code for, by name; each known.
  std::vector<std::string> levels;
  /// Threads that compile; 0 = all.
  unsigned threads = 0;
};

struct PackageResult {
  /// The artifact's bytes.
  std::string artifact;
  rt::Manifest manifest;
};

/// Compiles the kernels of a planned module for every level and writes the
/// artifact (runtime/README.md has its format).
mlir::LogicalResult packageModule(mlir::ModuleOp module,
                                  const PackageOptions &options,
                                  PackageResult &result);

} // namespace tarn

#endif // COMPILER_PACKAGE_PACKAGE_H
