//===- Roles.h - names and roles of a step's values -------------*- C++ -*-===//

#ifndef PASSES_TRAIN_ROLES_H
#define PASSES_TRAIN_ROLES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>
#include <string>

namespace tarn {

/// `tarn.role` of an argument ("input", "parameter", ...); empty if none.
llvm::StringRef argumentRole(mlir::func::FuncOp function, unsigned index);
/// `tarn.name` of an argument; empty if none.
llvm::StringRef argumentName(mlir::func::FuncOp function, unsigned index);
/// `tarn.role` of a result; empty if none.
llvm::StringRef resultRole(mlir::func::FuncOp function, unsigned index);
/// `tarn.name` of a result; empty if none.
llvm::StringRef resultName(mlir::func::FuncOp function, unsigned index);

/// Roles whose results are next values of arguments; the others are inputs and
/// what a caller gets (output, loss, metric, finite).
bool isStateRole(llvm::StringRef role);

/// Whether the optimizer changes argument `index`: a parameter, of floats, that
/// is not `tarn.frozen`.
bool isTrainable(mlir::func::FuncOp function, unsigned index);

/// The index of the result with this role and name, or nothing.
std::optional<unsigned> findResult(mlir::func::FuncOp function,
                                   llvm::StringRef role, llvm::StringRef name);
/// The index of the argument with this role and name, or nothing.
std::optional<unsigned> findArgument(mlir::func::FuncOp function,
                                     llvm::StringRef role,
                                     llvm::StringRef name);

/// Places by role and name.
class RoleIndex {
public:
  std::optional<unsigned> find(llvm::StringRef role,
                               llvm::StringRef name) const;

protected:
  std::map<std::pair<llvm::StringRef, llvm::StringRef>, unsigned> indices;
};

/// findArgument for all of a function's.
class ArgumentIndex : public RoleIndex {
public:
  explicit ArgumentIndex(mlir::func::FuncOp function);
};

/// findResult for all of a function's.
class ResultIndex : public RoleIndex {
public:
  explicit ResultIndex(mlir::func::FuncOp function);
};

/// An argument to come.
struct NewArgument {
  std::string role, name;
  mlir::Type type;
};
/// A result to come.
struct NewResult {
  std::string role, name;
  mlir::Value value;
};

/// Adds arguments at the end; the first of them. Each change of a function's
/// type writes all of it anew: many are better added at once.
unsigned addArguments(mlir::func::FuncOp function,
                      llvm::ArrayRef<NewArgument> arguments);
mlir::Value addArgument(mlir::func::FuncOp function, llvm::StringRef role,
                        llvm::StringRef name, mlir::Type type);
/// Adds results at the end, returning their values.
void addResults(mlir::func::FuncOp function, llvm::ArrayRef<NewResult> results);
void addResult(mlir::func::FuncOp function, llvm::StringRef role,
               llvm::StringRef name, mlir::Value value);

/// The function's one `return`.
mlir::func::ReturnOp returnOf(mlir::func::FuncOp function);

} // namespace tarn

#endif // PASSES_TRAIN_ROLES_H
