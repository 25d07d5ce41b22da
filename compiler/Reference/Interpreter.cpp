//===- Interpreter.cpp - running graph functions in float64 ---------------===//

#include "compiler/Reference/Interpreter.h"

#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace tarn;

// Functions call each other at most this deep: recursion is an error.
static constexpr int deepestCall = 64;

static FailureOr<SmallVector<HostTensor>>
run(func::FuncOp function, ArrayRef<HostTensor> arguments,
    const graph::ReferenceOptions &options, int depth) {
  if (function.isExternal())
    return function.emitError("has no body to run"), failure();
  if (depth > deepestCall)
    return function.emitError("is called more than ")
               << deepestCall << " levels deep",
           failure();
  if (arguments.size() != function.getNumArguments())
    return function.emitError("has ")
               << function.getNumArguments() << " arguments but was given "
               << arguments.size(),
           failure();
  for (auto [i, argument, type] :
       llvm::enumerate(arguments, function.getArgumentTypes()))
    if (argument.type != type)
      return function.emitError("takes ") << type << " as argument " << i
                                          << " but was given " << argument.type,
             failure();

  auto call = [&](Operation *op, ArrayRef<HostTensor> operands,
                  SmallVectorImpl<HostTensor> &results) -> LogicalResult {
    auto callOp = dyn_cast<func::CallOp>(op);
    if (!callOp)
      return op->emitOpError("has no reference");
    auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
        op, callOp.getCalleeAttr());
    if (!callee)
      return op->emitOpError("calls ")
             << callOp.getCallee() << ", which does not exist";
    auto produced = run(callee, operands, options, depth + 1);
    if (failed(produced))
      return failure();
    llvm::append_range(results, *produced);
    return success();
  };
  graph::ReferenceOptions inner = options;
  inner.other = call;
  SmallVector<HostTensor> results;
  if (failed(graph::evaluateBlock(function.front(), arguments, results, inner)))
    return failure();
  return results;
}

FailureOr<SmallVector<HostTensor>>
tarn::evaluateFunction(func::FuncOp function, ArrayRef<HostTensor> arguments,
                       const graph::ReferenceOptions &options) {
  return run(function, arguments, options, 0);
}
