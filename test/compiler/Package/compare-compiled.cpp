//===- compare-compiled.cpp - a graph's machine code against the reference ===//
//
// compare-compiled FILE.mlir [TOLERANCE [POLICY]]: exit code 0 when every
// function gives what the interpreter gives.
//
//===----------------------------------------------------------------------===//

#include "CompareCompiled.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace tarn::test;

int main(int count, char **words) {
  if (count < 2) {
    llvm::errs() << "usage: compare-compiled FILE.mlir [TOLERANCE [POLICY]]\n";
    return 2;
  }
  auto file = llvm::MemoryBuffer::getFileOrSTDIN(words[1]);
  if (!file) {
    llvm::errs() << words[1] << ": " << file.getError().message() << "\n";
    return 1;
  }
  CompareOptions options;
  options.tolerance = count > 2 ? std::stod(words[2]) : 1e-4;
  if (count > 3)
    options.policy = words[3];
  CompareResult result = compareCompiled((*file)->getBuffer(), options);
  llvm::outs() << (result.error.empty() ? "equal" : result.error) << ", "
               << result.launches << " launches, " << result.kernels
               << " kernels, arena " << result.arenaBytes << " bytes\n";
  return result.error.empty() ? 0 : 1;
}
