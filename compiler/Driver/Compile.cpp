//===- Compile.cpp - from a model's text to an artifact -------------------===//

#include "compiler/Driver/Compile.h"

#include "compiler/Driver/Registry.h"
#include "compiler/Driver/Targets.h"
#include "compiler/Package/Package.h"
#include "compiler/Pipeline/Phases.h"
#include "compiler/Reference/VerifyNumerics.h"
#include "frontends/TarnLanguage/Import.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>

using namespace mlir;
using namespace tarn;

namespace {

/// Notes the seconds of each step of a compilation.
class Stopwatch {
public:
  explicit Stopwatch(CompileResult &result) : result(result) {}
  /// Ends the running step and gives it its name.
  void lap(StringRef name) {
    auto now = std::chrono::steady_clock::now();
    std::chrono::duration<double> took = now - start;
    result.seconds.emplace_back(name.str(), took.count());
    start = now;
  }

private:
  CompileResult &result;
  std::chrono::steady_clock::time_point start =
      std::chrono::steady_clock::now();
};

} // namespace
