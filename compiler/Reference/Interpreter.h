//===- Interpreter.h - running graph functions in float64 -------*- C++ -*-===//

#ifndef COMPILER_REFERENCE_INTERPRETER_H
#define COMPILER_REFERENCE_INTERPRETER_H

#include "dialects/Tarn/HostTensor.h"
#include "dialects/Tarn/Reference.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tarn {

/// Runs a function of `tarn` ops, func.call and clusters. `options.typed`
/// rounds every value to its element type; `options.watch` sees every op.
/// Fails with an error where the arguments do not fit or an op has no
/// reference.
mlir::FailureOr<llvm::SmallVector<HostTensor>>
evaluateFunction(mlir::func::FuncOp function,
                 llvm::ArrayRef<HostTensor> arguments,
                 const graph::ReferenceOptions &options = {});

} // namespace tarn

#endif // COMPILER_REFERENCE_INTERPRETER_H
