//===- Summary.cpp - what is told of a compiled model ---------------------===//
//
// All that `tarn compile` prints of an artifact beside the figures that are in
// it: the cache keeps these lines with it.
//
//===----------------------------------------------------------------------===//

#include "tools/tarn/Model.h"
#include "tools/tarn/Terminal.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <set>

using namespace tarn;
using namespace tarn::cli;

/// Precision, symbolic dimensions, targets.
static std::string describeModel(const CompileResult &result) {
  std::string line = "  " + result.precision;
  const char *separator = "  ";
  for (const auto &[name, extent] : result.manifest.shape.asObject()) {
    line += separator + name + "=" + extent.dump();
    separator = " ";
  }
  for (const rt::Target &target : result.manifest.targets)
    line += (target.kind == rt::TargetKind::Cuda ? "  cuda:" : "  cpu:") +
            target.isa;
  return line;
}

/// Who runs the products of the CUDA targets; `all`: each, and why.
static void printProducts(const CompileResult &result, bool all,
                          llvm::raw_ostream &out) {
  size_t libraries = 0;
  std::set<std::string> used;
  for (const ProductNote &note : result.products) {
    libraries += note.isLibrary;
    if (!note.tunedBy.empty())
      used.insert(note.tunedBy);
  }
  out << " products  " << libraries << " by cuBLASLt, "
      << result.products.size() - libraries << " by kernels of their own\n";
  if (const auto &tuning = result.tuning) {
    out << " tuning    " << used.size() << " of " << tuning->products.size()
        << " entries, measured on " << tuning->device << ", " << tuning->date
        << (used.size() == tuning->products.size()
                ? "\n"
                : "; the others are of no product here\n");
  }
  if (!all)
    return;
  for (const ProductNote &note : result.products) {
    out << "   " << llvm::left_justify(note.architecture, 7) << " "
        << llvm::left_justify(note.isLibrary ? "cuBLASLt" : "own", 9) << " "
        << llvm::left_justify(note.kernel, 24) << " "
        << (note.product.empty() ? "cuBLASLt cannot: " + note.why
                                 : note.product)
        << (note.tunedBy.empty() ? "" : ", measured") << "\n";
    for (const std::string &block : note.blocks)
      out << "             " << block << "\n";
    for (const cuda::CompiledKernels &code : result.cuda)
      for (const cuda::CudaKernel &kernel : code.kernels)
        if (code.architecture == note.architecture &&
            kernel.name == note.kernel)
          for (const std::string &copies : kernel.copyNotes)
            out << "             stages of copies, modelled: " << copies
                << "\n";
  }
}

std::string tarn::cli::summarize(const CompileRequest &request,
                                 const CompileResult &result,
                                 bool explainGemm) {
  std::string text;
  llvm::raw_string_ostream out(text);
  out << " " << request.model << "  " << formatCount(result.parameters)
      << " parameters" << describeModel(result) << "\n";
  if (!result.products.empty() &&
      (request.gemm != "own" || result.tuning || explainGemm))
    printProducts(result, explainGemm, out);
  if (result.precisionIsDefault && result.precision != "fp32" &&
      request.forcedPrecision.empty())
    out << " note: the model says no precision: compiled in "
        << result.precision << ", the default for GPUs\n";
  if (result.precision == "tf32" && result.cuda.empty())
    out << " note: processors round factors to tf32 as a GPU does, and are not "
           "faster with it\n";
  return text;
}
