//===- host_artifact.cpp - a CUDA artifact for the host driver ------------===//
//
// host-artifact MODEL -o FILE [--target cuda:sm_90a] [--precision fp32]
//   [--set NAME=VALUE]... [--shape NAME=VALUE]... [--budget BYTES]
//   [--gemm cublaslt] [--tune-file FILE] [--tune-candidates] [--ungrouped]
// Compiles a model like `tarn compile`, but with shared objects of the host's
// compiler in place of cubins. With a budget, rounding is allowed.
//
//===----------------------------------------------------------------------===//

#include "compiler/Driver/Compile.h"
#include "test/compiler/Target/Cuda/HostCompiler.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

using namespace tarn;
namespace cl = llvm::cl;

int main(int argc, char **argv) {
  cl::opt<std::string> model(cl::Positional, cl::Required);
  cl::opt<std::string> output("o", cl::Required);
  cl::list<std::string> targets("target", cl::CommaSeparated);
  cl::opt<std::string> precision("precision");
  cl::list<std::string> set("set", cl::CommaSeparated);
  cl::list<std::string> shape("shape", cl::CommaSeparated);
  cl::opt<int64_t> budget("budget", cl::init(-1));
  cl::opt<std::string> gemm("gemm", cl::init("own"));
  cl::opt<bool> ungrouped("ungrouped");
  cl::opt<std::string> tuneFile("tune-file");
  cl::opt<bool> tuneCandidates("tune-candidates");
  cl::ParseCommandLineOptions(argc, argv);
  test::HostCompiler compiler;
  CompileRequest request;
  request.model = model;
  request.targets.assign(targets.begin(), targets.end());
  request.forcedPrecision = precision;
  request.gemm = gemm;
  request.tuneFile = tuneFile;
  request.tuneCandidates = tuneCandidates;
  for (llvm::StringRef word : set)
    request.set[word.split('=').first.str()] = word.split('=').second.str();
  for (llvm::StringRef word : shape)
    if (word.split('=').second.getAsInteger(
            10, request.shape[word.split('=').first.str()]))
      return 2;
  if (budget >= 0) {
    request.budgetBytes = budget;
    request.allowed = Allowed::rounding;
  }
  request.ungrouped = ungrouped;
  request.cudaCompiler = &compiler;
  // The linker of the CPU target empties all options.
  std::string path = output;
  CompileResult result;
  if (compile(request, result) != CompileStatus::success)
    return 1;
  std::error_code error;
  llvm::raw_fd_ostream out(path, error);
  if (error) {
    llvm::errs() << "error: cannot write " << path << "\n";
    return 1;
  }
  out.write(result.artifact.data(), result.artifact.size());
  size_t products = 0;
  for (const ProductNote &note : result.products)
    products += note.isLibrary;
  if (products)
    llvm::outs() << products << " of " << result.products.size()
                 << " products by cuBLASLt\n";
  for (const cuda::CompiledKernels &code : result.cuda)
    llvm::outs() << code.architecture << ": " << code.kernels.size()
                 << " kernels, " << code.cached << " cached\n";
  return 0;
}
