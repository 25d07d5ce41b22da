//===- VerifyStep.cpp - the form that phase train ends in -----------------===//

#include "passes/Train/Passes.h"

#include "passes/Train/Roles.h"

#include "llvm/ADT/StringSet.h"

namespace tarn {
#define GEN_PASS_DEF_TARNVERIFYSTEP
#include "passes/Train/Passes.h.inc"
} // namespace tarn

using namespace mlir;
using namespace tarn;

/// Every value has a role and a name, and no two share both.
static LogicalResult verifyNames(func::FuncOp function) {
  llvm::StringSet<> seen;
  for (unsigned i = 0, e = function.getNumArguments(); i != e; ++i) {
    StringRef role = argumentRole(function, i),
              name = argumentName(function, i);
    if (role.empty() || name.empty())
      return function.emitError() << "argument " << i << " has no role or name";
    if (!seen.insert(("in " + role + " " + name).str()).second)
      return function.emitError()
             << "two arguments are the " << role << " `" << name << "`";
  }
  for (unsigned i = 0, e = function.getNumResults(); i != e; ++i) {
    StringRef role = resultRole(function, i), name = resultName(function, i);
    if (role.empty() || name.empty())
      return function.emitError() << "result " << i << " has no role or name";
    if (!seen.insert(("out " + role + " " + name).str()).second)
      return function.emitError()
             << "two results are the " << role << " `" << name << "`";
  }
  return success();
}

/// A next value belongs to an argument of its type.
static LogicalResult verifyDonation(func::FuncOp function, StringRef kind) {
  if (kind == "init")
    return success(); // makes all states from nothing
  ArgumentIndex arguments(function);
  for (unsigned i = 0, e = function.getNumResults(); i != e; ++i) {
    StringRef role = resultRole(function, i), name = resultName(function, i);
    if (!isStateRole(role))
      continue;
    std::optional<unsigned> argument = arguments.find(role, name);
    if (!argument)
      return function.emitError() << "result " << i << " updates the " << role
                                  << " `" << name << "`, which is no argument";
    Type old = function.getArgumentTypes()[*argument];
    Type next = function.getResultTypes()[i];
    if (old != next)
      return function.emitError() << "the " << role << " `" << name << "` is "
                                  << old << " but its next value is " << next;
  }
  return success();
}

/// A step trains every parameter that is not frozen, and advances every
/// optimizer state.
static LogicalResult verifyUpdates(func::FuncOp function) {
  ResultIndex results(function);
  for (unsigned i = 0, e = function.getNumArguments(); i != e; ++i) {
    StringRef role = argumentRole(function, i),
              name = argumentName(function, i);
    bool updated = role == "optimizer" || isTrainable(function, i);
    if (updated && !results.find(role, name))
      return function.emitError()
             << "the " << role << " `" << name << "` has no next value";
  }
  return success();
}

namespace {

struct VerifyStep : tarn::impl::TarnVerifyStepBase<VerifyStep> {
  using Base::Base;
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      auto kind = function->getAttrOfType<StringAttr>("tarn.kind");
      if (!kind)
        continue;
      if (failed(verifyNames(function)) ||
          failed(verifyDonation(function, kind.getValue())) ||
          (kind.getValue() == "train" && failed(verifyUpdates(function))))
        return signalPassFailure();
    }
  }
};

} // namespace
