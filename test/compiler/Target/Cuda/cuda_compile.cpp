//===- cuda_compile.cpp - compile a kernel's text, look at the log --------===//
//
// cuda-compile KERNEL.cu [--arch sm_80] [-o CUBIN]: fails if registers spill,
// or if ptxas says that it serialises products. cuda-compile --available:
// whether there is an NVRTC.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cuda/EmitCuda.h"
#include "compiler/Target/Cuda/Nvrtc.h"
#include "test/gpu/Case.h"

#include <cstdio>

int main(int argc, char **argv) {
  std::string input, output, error, text, architecture = "sm_90a";
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    if (word == "-o" && i + 1 < argc)
      output = argv[++i];
    else if (word == "--arch" && i + 1 < argc)
      architecture = argv[++i];
    else
      input = word;
  }
  std::unique_ptr<tarn::cuda::Nvrtc> nvrtc = tarn::cuda::Nvrtc::load(error);
  if (!nvrtc) {
    fprintf(stderr, "cuda-compile: %s\n", error.c_str());
    return 2;
  }
  if (input == "--available") {
    printf("NVRTC %s\n", nvrtc->version().c_str());
    return 0;
  }
  if (!tarn::gpu::readFile(input, text)) {
    fprintf(stderr, "cuda-compile: can't read %s\n", input.c_str());
    return 1;
  }
  tarn::cuda::CompiledKernel kernel;
  bool compiled = nvrtc->compile(text, tarn::cuda::getDeviceHeader().str(),
                                 input, architecture, kernel);
  if (!compiled) {
    fprintf(stderr, "%s\n", kernel.log.c_str());
    return 1;
  }
  printf("registers %u, spilled bytes %u, serialisation notes %zu, cubin %zu "
         "bytes\n",
         kernel.registers, kernel.spilledBytes, kernel.serialisation.size(),
         kernel.cubin.size());
  for (const std::string &note : kernel.serialisation)
    printf("%s\n", note.c_str());
  if (!output.empty()) {
    FILE *file = fopen(output.c_str(), "wb");
    if (!file ||
        fwrite(kernel.cubin.data(), 1, kernel.cubin.size(), file) !=
            kernel.cubin.size() ||
        fclose(file) != 0) {
      fprintf(stderr, "cuda-compile: can't write %s\n", output.c_str());
      return 1;
    }
  }
  return kernel.spilledBytes != 0 || !kernel.serialisation.empty();
}
