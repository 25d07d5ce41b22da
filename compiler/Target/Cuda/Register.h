//===- Register.h - what passes may ask about CUDA code ---------*- C++ -*-===//

#ifndef COMPILER_TARGET_CUDA_REGISTER_H
#define COMPILER_TARGET_CUDA_REGISTER_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace tarn::cuda {

/// Answers for GPUs (dialects/Tile/GpuCode.h) in contexts of this registry.
void registerCode(mlir::DialectRegistry &registry);

} // namespace tarn::cuda

#endif // COMPILER_TARGET_CUDA_REGISTER_H
