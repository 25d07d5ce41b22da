//===- Group.h - several launches as one kernel -----------------*- C++ -*-===//
//
// A kernel whose blocks are those of many launches that do not depend on each
// other (`step.launch_group`). What each of them is given lies in a table that
// is the kernel's only parameter; a block finds its row by the number of the
// first block of each. Kernels that do the same with tensors of different
// shapes, elementwise, are one function, which takes the elements as a number.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_TARGET_CUDA_GROUP_H
#define COMPILER_TARGET_CUDA_GROUP_H

#include "compiler/Target/Cuda/EmitCuda.h"

#include <optional>

namespace tarn::cuda {

/// Several launches of kernels as one, under a name of its own.
struct KernelGroup {
  std::string name;
  llvm::SmallVector<tile::KernelOp> members;
};

/// What a module launches.
struct LaunchedKernels {
  /// Kernels that are launched alone.
  llvm::SmallVector<tile::KernelOp> alone;
  std::vector<KernelGroup> groups;

  /// The kernels, then the groups.
  size_t size() const { return alone.size() + groups.size(); }
  /// A kernel to say errors at.
  tile::KernelOp at(size_t index) const {
    return index < alone.size() ? alone[index]
                                : groups[index - alone.size()].members.front();
  }
};

/// Bytes that the parameters of a kernel may take.
constexpr int64_t parameterBytesLimit = 32764;
/// Bytes of a group's table: a row for each member, with room for the largest
/// number of buffers of a member.
int64_t tableBytes(int64_t members, int64_t buffers);

/// The threads of a block of a kernel that may be a member: one without
/// products, so that its blocks may run beside others. Members of a group have
/// the same.
std::optional<unsigned> threadsInGroup(tile::KernelOp kernel);

/// Writes the kernel of a group. Its buffers are those of all members, one
/// behind the other.
llvm::FailureOr<CudaKernel> emitGroup(const KernelGroup &group,
                                      const CudaOptions &options,
                                      llvm::raw_ostream &os);

} // namespace tarn::cuda

#endif // COMPILER_TARGET_CUDA_GROUP_H
