//===- Launches.h - what a planned module launches --------------*- C++ -*-===//

#ifndef COMPILER_PACKAGE_LAUNCHES_H
#define COMPILER_PACKAGE_LAUNCHES_H

#include "compiler/Target/Cuda/Group.h"
#include "dialects/Step/StepOps.h"

#include "mlir/IR/BuiltinOps.h"

#include <map>

namespace tarn {

/// The kernels and groups of a module, each once: groups of the same kernels in
/// the same order are one, whatever they work on. A kernel that groups alone
/// launch is not among the others.
class Launches {
public:
  explicit Launches(mlir::ModuleOp module);

  /// Kernels that are launched alone, those of libraries too.
  llvm::ArrayRef<tile::KernelOp> alone() const { return aloneKernels; }
  /// What code is made for: kernels that no library runs, and groups.
  const cuda::LaunchedKernels &compiled() const { return launched; }

  /// The place of what is launched among `alone()` and, behind them, the
  /// groups.
  size_t indexOf(step::LaunchOp launch) const;
  size_t indexOf(step::LaunchGroupOp group) const {
    return aloneKernels.size() + numberOf(group);
  }
  /// The place of a group in what is compiled.
  size_t codeOf(step::LaunchGroupOp group) const {
    return launched.alone.size() + numberOf(group);
  }
  /// The kernels that a group launches, and their name together.
  const cuda::KernelGroup &groupOf(step::LaunchGroupOp group) const {
    return launched.groups[numberOf(group)];
  }

private:
  size_t numberOf(step::LaunchGroupOp group) const;

  llvm::SmallVector<tile::KernelOp> aloneKernels;
  cuda::LaunchedKernels launched;
  llvm::DenseMap<mlir::StringAttr, size_t> aloneIndex;
  std::map<std::vector<const void *>, size_t> groupIndex;
};

} // namespace tarn

#endif // COMPILER_PACKAGE_LAUNCHES_H
