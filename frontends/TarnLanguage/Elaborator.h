//===- Elaborator.h - runs a file's declarations, builds its graphs -------===//
//
// The language is evaluated, not compiled: modules, lists and loops run here,
// and what is left of them is the graph of tensor operations. Evaluation always
// ends: calls may not recurse, loops go over finite lists, and a budget bounds
// everything.
//
//===----------------------------------------------------------------------===//

#ifndef FRONTENDS_TARNLANGUAGE_ELABORATOR_H
#define FRONTENDS_TARNLANGUAGE_ELABORATOR_H

#include "dialects/Tarn/TarnOps.h"
#include "frontends/TarnLanguage/Datum.h"
#include "frontends/TarnLanguage/Import.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

#include <functional>
#include <set>

namespace tarn::lang {

/// Thrown out of nothing: evaluation goes on with None after an error, and
/// `failed` silences what follows from it.
class Elaborator {
public:
  Elaborator(mlir::MLIRContext &context, Diagnostics &diagnostics,
             const ImportOptions &options)
      : diagnostics(diagnostics), options(options), b(&context),
        loc(b.getUnknownLoc()) {}
  ~Elaborator();

  /// Evaluates `library` and `file`; null after errors.
  mlir::OwningOpRef<mlir::ModuleOp> run(const File &library, const File &file,
                                        const std::string &name);

  // What follows is for the files of this folder only, which are one
  // evaluator in parts.
  using Value = mlir::Value;
  using Arguments = std::vector<std::pair<std::string, Datum>>;

  // Elaborator.cpp: declarations, calls, statements.
  /// What a scope's names hold may hold the scope: those that are left end with
  /// the elaborator.
  std::shared_ptr<Scope> scopeIn(std::shared_ptr<Scope> parent);
  void declare(const File &file, bool isLibrary);
  void bindParams(const File &file);
  void makeModels(const File &file);
  Datum instantiate(const Module &module, const Arguments &arguments,
                    Range call, const std::string &path,
                    const std::map<std::string, std::string> *overrides);
  Datum call(const Datum &callee, const Expr &expr,
             std::shared_ptr<Scope> scope, const std::string &path);
  Datum callFunction(const Function &function, std::shared_ptr<Scope> outer,
                     const Arguments &arguments, Range range);
  bool bindParameters(const std::vector<Parameter> &parameters,
                      const Arguments &arguments, std::shared_ptr<Scope> scope,
                      Range call, const std::string &what);
  bool bindType(const TypeExpr &type, const std::string &name,
                const Datum &value, std::shared_ptr<Scope> scope, Range range);
  Datum runBlock(const Block &block, std::shared_ptr<Scope> scope,
                 const std::string &path = "");
  void runStatement(const Statement &statement, std::shared_ptr<Scope> scope,
                    Datum &last, const std::string &path = "");
  void assign(const std::vector<std::string> &names, const Datum &value,
              Range range, Scope &scope, bool rebind);
  std::vector<Datum> unpack(const Datum &value, size_t count, Range range);
  std::optional<std::vector<int64_t>> dimsOf(const TypeExpr &type,
                                             std::shared_ptr<Scope> scope);
  Datum parseSetting(const std::string &text);
  void updateState(const Statement &statement, std::shared_ptr<Scope> scope);

  // Expressions.cpp.
  Datum evaluate(const Expr &expr, std::shared_ptr<Scope> scope,
                 const std::string &path = "");
  Datum evaluateBinary(const Expr &expr, std::shared_ptr<Scope> scope);
  Datum evaluateIndex(const Expr &expr, std::shared_ptr<Scope> scope);
  Datum evaluateElement(const Expr &expr, const Datum &object,
                        std::shared_ptr<Scope> scope);
  Datum evaluateMember(const Expr &expr, std::shared_ptr<Scope> scope);
  Datum arithmetic(const std::string &symbol, const Datum &x, const Datum &y,
                   Range range);
  Datum numbers(const std::string &symbol, const Datum &x, const Datum &y,
                Range range);
  bool truth(const Datum &value, Range range);
  Value asTensor(const Datum &value, Range range, mlir::Type like = {});
  Value resolve(const Datum &value, Range range);
  std::pair<Value, Value> sameShape(const Datum &x, const Datum &y,
                                    Range range);
  Value matmul(Value x, Value w, bool transposed, Range range);
  Datum error(Range range, const std::string &message);
  std::string shapeText(mlir::Type type);
  /// `f32[B, 8]`.
  std::string typeText(mlir::Type type);

  // Steps.cpp: the functions of the module.
  void emitInit();
  void emitStep(const StepDecl &step);
  struct StepResult;
  void emitTrainSettings(const StepDecl &step, mlir::func::FuncOp function,
                         const StepResult &result);
  mlir::func::FuncOp emitSchedule(const Datum &rate, Range range);
  mlir::func::FuncOp beginFunction(const std::string &name,
                                   const std::string &kind, Range range);
  Value addArgument(const std::string &role, const std::string &name,
                    mlir::Type type, Range range);
  void finishFunction(
      const std::vector<std::tuple<std::string, std::string, Value>> &results);
  Value parameterValue(unsigned index, Range range);
  Value randomKey(Range range);
  mlir::Location locationOf(Range range);

  Diagnostics &diagnostics;
  const ImportOptions &options;
  mlir::OpBuilder b;
  mlir::Location loc;
  /// The path of the layer whose fn runs; empty outside of models.
  std::string layer;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::set<Scope *> scopes; ///< that are in use
  /// The names of the file; behind them those of the library, whose own modules
  /// see only each other.
  std::shared_ptr<Scope> globals = scopeIn(nullptr);
  std::shared_ptr<Scope> libraryGlobals = scopeIn(nullptr);
  std::vector<ModelParameter> parameters;
  std::set<std::string> usedSettings, usedShapes;
  std::map<std::string, Datum> hyper;
  std::map<std::string, int64_t> shapes;
  std::vector<const Function *> running; ///< calls in progress
  int64_t budget = 4'000'000;            ///< evaluations left
  bool failed = false;

  // The function that is being built.
  mlir::func::FuncOp function;
  std::map<unsigned, Value> parameterArguments;
  std::map<unsigned, Value> updates; ///< next values of states
  std::map<std::string, Value> namedArguments;
  bool training = false;
  uint64_t dropouts = 0;
  struct CacheState {
    Value key, value;
    std::string name;
  };
  std::vector<CacheState> caches;
  Value cachePosition, newPosition;
  StepResult *stepResult = nullptr;
};

/// What the body of a train, eval or generate declared.
struct Elaborator::StepResult {
  std::map<std::string, Datum> settings;
  std::map<std::string, Range> ranges;
  std::vector<std::pair<std::string, Datum>> metrics;
  std::vector<std::pair<std::string, Datum>> outputs;
  std::vector<Statement::Except> const *excepts = nullptr;
};

/// The built-in functions, by name.
class Builtins {
public:
  static bool exists(const std::string &name);
  static Datum call(Elaborator &e, const std::string &name, const Expr &expr,
                    std::shared_ptr<Scope> scope);
};

} // namespace tarn::lang

#endif // FRONTENDS_TARNLANGUAGE_ELABORATOR_H
