//===- Package.h - phase `package`: one file from code and plan -*- C++ -*-===//

#ifndef COMPILER_PACKAGE_PACKAGE_H
#define COMPILER_PACKAGE_PACKAGE_H

#include "compiler/Target/Cuda/CompileKernels.h"
#include "compiler/Target/Targets.h"
#include "runtime/Manifest.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace tarn {

struct PackageOptions {
  /// Threads that compile for CPUs; 0 = all.
  unsigned threads = 0;
  /// Whether the text of CUDA kernels goes along, as sections `source.N`.
  bool keepSource = false;
};

/// A planned module, and what it is for: any number of CPU levels, or one GPU
/// with the code of its kernels.
struct PackageInput {
  mlir::ModuleOp module;
  std::vector<Target> targets;
  const cuda::CompiledKernels *cuda = nullptr;
};

struct PackageResult {
  /// The artifact's bytes.
  std::string artifact;
  rt::Manifest manifest;
};

/// Compiles the kernels for CPUs and writes the artifact (runtime/README.md has
/// its format). All modules come from one and have one layout of the state.
mlir::LogicalResult packageModules(llvm::ArrayRef<PackageInput> inputs,
                                   const PackageOptions &options,
                                   PackageResult &result);

/// The same for one module and CPU levels by name.
mlir::LogicalResult packageModule(mlir::ModuleOp module,
                                  llvm::ArrayRef<std::string> levels,
                                  const PackageOptions &options,
                                  PackageResult &result);

} // namespace tarn

#endif // COMPILER_PACKAGE_PACKAGE_H
