//===- BuiltinImpl.h - what a built-in function works with ------*- C++ -*-===//

#ifndef FRONTENDS_TARNLANGUAGE_BUILTINIMPL_H
#define FRONTENDS_TARNLANGUAGE_BUILTINIMPL_H

#include "frontends/TarnLanguage/Elaborator.h"

namespace tarn::lang {

inline mlir::RankedTensorType typeOf(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}

/// The arguments of one call, taken by place or name, and what a built-in does
/// with them.
class Call {
public:
  using Evaluate = std::function<Datum(const Expr &)>;
  Call(const Expr &expr, Evaluate evaluate) : expr(expr) {
    for (const Argument &argument : expr.arguments) {
      Datum value = evaluate(*argument.value);
      if (argument.name.empty())
        places.push_back(value);
      else
        named.push_back({argument.name, value});
    }
  }
  /// The argument at the next place, or of this name.
  std::optional<Datum> take(const std::string &name) {
    for (auto &[word, value] : named)
      if (word == name) {
        used.insert(name);
        return value;
      }
    if (next < places.size())
      return places[next++];
    return std::nullopt;
  }
  /// Only by name.
  std::optional<Datum> option(const std::string &name) {
    for (auto &[word, value] : named)
      if (word == name) {
        used.insert(name);
        return value;
      }
    return std::nullopt;
  }
  /// What nobody took, for the message; empty if all is well.
  std::string leftOver() const {
    if (next < places.size())
      return "takes " + std::to_string(next) +
             " arguments by place, but gets " + std::to_string(places.size());
    for (auto &[word, value] : named)
      if (!used.count(word))
        return "has no parameter `" + word + "`";
    return "";
  }
  const Expr &expr;
  std::vector<Datum> places;
  std::vector<std::pair<std::string, Datum>> named;

private:
  size_t next = 0;
  std::set<std::string> used;
};

/// Implementations, as members so that they may use the elaborator.
class BuiltinImpl {
public:
  BuiltinImpl(Elaborator &e, Call &call, std::shared_ptr<Scope> scope)
      : e(e), call(call), range(call.expr.range), scope(scope) {}

  Elaborator &e;
  Call &call;
  Range range;
  std::shared_ptr<Scope> scope;

  Datum none(const std::string &name) {
    return e.error(range, "`" + name + "` is missing an argument");
  }
  mlir::Value tensor(const std::string &name) {
    std::optional<Datum> value = call.take(name);
    if (!value) {
      none(name);
      return {};
    }
    return e.resolve(*value, range);
  }
  std::optional<double> number(const std::string &name,
                               std::optional<double> fallback = {}) {
    std::optional<Datum> value = call.take(name);
    if (!value && fallback)
      return fallback;
    if (!value || !value->isNumber()) {
      e.error(range, "`" + name + "` must be a number");
      return std::nullopt;
    }
    return value->number;
  }
  Datum of(mlir::Value value) {
    return value ? Datum::ofTensor(value) : Datum();
  }
  template <typename OpTy, typename... Args> mlir::Value make(Args &&...args) {
    return OpTy::create(e.b, e.loc, std::forward<Args>(args)...);
  }
  int64_t lastDim(mlir::Value x) { return typeOf(x).getRank() - 1; }

  /// exp and its like, on numbers and tensors.
  template <typename OpTy> Datum unary(double (*function)(double)) {
    std::optional<Datum> value = call.take("x");
    if (!value)
      return none("x");
    if (value->isNumber() && function)
      return Datum::ofFloat(function(value->number));
    mlir::Value x = e.resolve(*value, range);
    return x ? of(make<OpTy>(x)) : Datum();
  }
  Datum
  record(const std::string &what,
         std::vector<std::pair<std::string, std::optional<double>>> fields);
  Datum initializer(const std::string &what, std::vector<std::string> fields);
  Datum optimizer(const std::string &what);
  Datum attention();
  Datum crossEntropy();
  Datum rearrange();
  Datum dropout();
  /// What dropout makes of x in training.
  mlir::Value drop(mlir::Value x, double rate);
  Datum rope();
  mlir::Value ropeFrequencies(int64_t half);
  Datum positions();
  Datum append();
  Datum mean(bool divide);
  Datum round(double (*function)(double));
  Datum extreme(bool larger);
  // BuiltinsConv.cpp.
  Datum conv();
  std::optional<llvm::SmallVector<int64_t, 3>>
  perDim(const std::string &name, unsigned rank, int64_t fallback);
  bool padding(unsigned rank, llvm::SmallVectorImpl<int64_t> &before,
               llvm::SmallVectorImpl<int64_t> &behind);
  // BuiltinsOrder.cpp.
  Datum cumsum();
  graph::SortOp sorted();
  // BuiltinsRouting.cpp.
  Datum topK();
  Datum oneHot();
  Datum select();
  Datum pick();
  Datum repeat();
  Datum concat();
  Datum groupRows();
  Datum groupedLinear();
  std::optional<int64_t> axis(const std::string &name, int64_t rank,
                              int64_t fallback);
  std::optional<int64_t> count(const std::string &name);
  bool buildRegion(const Datum &lambda, mlir::Region &region, bool isScore);
  Datum asNumber(mlir::Value x);
};

} // namespace tarn::lang

#endif // FRONTENDS_TARNLANGUAGE_BUILTINIMPL_H
