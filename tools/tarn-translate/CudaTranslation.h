//===- CudaTranslation.h - tile kernels to CUDA text ------------*- C++ -*-===//

#ifndef TOOLS_TARN_TRANSLATE_CUDATRANSLATION_H
#define TOOLS_TARN_TRANSLATE_CUDATRANSLATION_H

namespace tarn {

/// Registers --tile-to-cuda and --tile-to-cuda-launch.
void registerCudaTranslations();

} // namespace tarn

#endif // TOOLS_TARN_TRANSLATE_CUDATRANSLATION_H
