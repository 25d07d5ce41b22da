//===- VerifyNumerics.h - hold every pass to what it declares ---*- C++ -*-===//

#ifndef COMPILER_REFERENCE_VERIFYNUMERICS_H
#define COMPILER_REFERENCE_VERIFYNUMERICS_H

#include "mlir/Pass/PassInstrumentation.h"

#include <memory>

namespace tarn {

/// What a pass may do to the numbers.
enum class NumericsClass {
  exact,    ///< no bit of a float64 evaluation changes
  rounding, ///< sums may be taken in another order
  precision ///< values may be held in fewer bits
};

/// The class that the pass with this argument declares; passes that are not
/// ours (canonicalize, cse) may fold constants: rounding.
NumericsClass numericsClassOf(llvm::StringRef passArgument);

/// An instrumentation that evaluates the module's functions with the float64
/// reference before and after every pass, on inputs made from their names, and
/// compares all results of the same name. The first pass that breaks its class
/// is an error that names it, the function and the result; `failed` is set.
/// Slow: a developer's tool. Needs a context without multithreading.
std::unique_ptr<mlir::PassInstrumentation> createVerifyNumerics(bool &failed);

} // namespace tarn

#endif // COMPILER_REFERENCE_VERIFYNUMERICS_H
