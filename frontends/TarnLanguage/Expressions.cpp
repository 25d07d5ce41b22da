//===- Expressions.cpp - what expressions mean ----------------------------===//

#include "frontends/TarnLanguage/Elaborator.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>

using namespace tarn::lang;
namespace graph = tarn::graph;
using mlir::RankedTensorType;

static RankedTensorType typeOf(mlir::Value value) {
  return llvm::cast<RankedTensorType>(value.getType());
}

/// A parameter becomes the function's argument; a tensor is itself.
mlir::Value Elaborator::resolve(const Datum &value, Range range) {
  if (value.isTensor())
    return value.tensor;
  if (value.kind == Datum::Kind::Parameter)
    return parameterValue(unsigned(value.number), range);
  if (!value.isNone() || !failed)
    error(range, "expected a tensor, found " + std::string(value.kindName()));
  return {};
}

/// A number becomes a constant of `like`'s shape and type.
mlir::Value Elaborator::asTensor(const Datum &value, Range range,
                                 mlir::Type like) {
  if (value.isNumber() || value.kind == Datum::Kind::Bool) {
    if (!like)
      like = RankedTensorType::get({}, b.getF32Type());
    return graph::splat(b, loc, like, value.number);
  }
  return resolve(value, range);
}

bool Elaborator::truth(const Datum &value, Range range) {
  switch (value.kind) {
  case Datum::Kind::None:
    return false;
  case Datum::Kind::Bool:
  case Datum::Kind::Int:
  case Datum::Kind::Float:
    return value.number != 0;
  case Datum::Kind::Tensor:
  case Datum::Kind::Parameter:
    error(range, "conditions are known at compile time; a tensor is not");
    return false;
  default:
    return true; // it is there
  }
}

/// Two operands over one shape: the one of lower rank is repeated along the
/// leading dims of the other.
std::pair<mlir::Value, mlir::Value>
Elaborator::sameShape(const Datum &x, const Datum &y, Range range) {
  auto number = [](const Datum &d) {
    return d.isNumber() || d.kind == Datum::Kind::Bool;
  };
  // A whole number beside a float becomes one.
  auto widened = [&](Value value, bool besideFloat) -> Value {
    auto type = value ? typeOf(value) : RankedTensorType();
    if (!besideFloat || !type || !type.getElementType().isInteger(32))
      return value;
    return graph::CastOp::create(b, loc, type.clone(b.getF32Type()), value);
  };
  auto isFloat = [](Value value) {
    return llvm::isa<mlir::FloatType>(typeOf(value).getElementType());
  };
  if (number(x)) {
    Value right = widened(resolve(y, range), x.kind == Datum::Kind::Float);
    return right ? std::pair(asTensor(x, range, right.getType()), right)
                 : std::pair(Value(), Value());
  }
  Value left = resolve(x, range);
  if (!left)
    return {};
  if (number(y)) {
    left = widened(left, y.kind == Datum::Kind::Float);
    return {left, asTensor(y, range, left.getType())};
  }
  Value right = resolve(y, range);
  if (!right)
    return {};
  left = widened(left, isFloat(right));
  right = widened(right, isFloat(left));
  auto spread = [&](Value small, Value large) -> Value {
    auto from = typeOf(small), to = typeOf(large);
    if (from.getShape() == to.getShape())
      return small;
    int64_t lead = to.getRank() - from.getRank();
    if (lead < 0 || to.getShape().drop_front(lead) != from.getShape())
      return {};
    return graph::BroadcastOp::create(
        b, loc, RankedTensorType::get(to.getShape(), from.getElementType()),
        small, llvm::to_vector(llvm::seq<int64_t>(lead, to.getRank())));
  };
  bool leftSmaller = typeOf(left).getRank() < typeOf(right).getRank();
  Value &small = leftSmaller ? left : right;
  Value moved = spread(small, leftSmaller ? right : left);
  if (!moved) {
    if (!failed)
      diagnostics
          .error(range, "the shapes of the two sides differ: " +
                            shapeText(left.getType()) + " and " +
                            shapeText(right.getType()))
          .withHelp("a tensor is repeated along leading dimensions only, as "
                    "[8] against [4, 8]");
    failed = true;
    return {};
  }
  small = moved;
  if (typeOf(left).getElementType() != typeOf(right).getElementType()) {
    error(range, "the two sides hold different types of elements: " +
                     typeText(left.getType()) + " and " +
                     typeText(right.getType()));
    return {};
  }
  return {left, right};
}

/// x [.., K] times w [K, N] (or [N, K] when transposed): all leading dims of x
/// are rows.
mlir::Value Elaborator::matmul(Value x, Value w, bool transposed, Range range) {
  auto left = typeOf(x), right = typeOf(w);
  if (left.getRank() < 1 || right.getRank() != 2) {
    error(range, "a product is of [.., K] and a matrix, not of " +
                     shapeText(left) + " and " + shapeText(right));
    return {};
  }
  int64_t depth = left.getShape().back();
  int64_t inner = right.getDimSize(transposed ? 1 : 0);
  int64_t columns = right.getDimSize(transposed ? 0 : 1);
  if (depth != inner) {
    error(range, "the product sums over " + std::to_string(depth) +
                     " elements on its left and " + std::to_string(inner) +
                     " on its right: " + shapeText(left) + " and " +
                     shapeText(right));
    return {};
  }
  int64_t rows = left.getNumElements() / depth;
  Value flat = x;
  if (left.getRank() != 2)
    flat = graph::ReshapeOp::create(b, loc, x,
                                    llvm::ArrayRef<int64_t>{rows, depth});
  auto type = RankedTensorType::get({rows, columns}, left.getElementType());
  Value product =
      graph::DotOp::create(b, loc, type, flat, w, false, transposed);
  if (left.getRank() == 2)
    return product;
  llvm::SmallVector<int64_t> shape(left.getShape());
  shape.back() = columns;
  return graph::ReshapeOp::create(b, loc, product, shape);
}

Datum Elaborator::numbers(const std::string &symbol, const Datum &x,
                          const Datum &y, Range range) {
  double a = x.number, c = y.number, result;
  if (symbol == "+")
    result = a + c;
  else if (symbol == "-")
    result = a - c;
  else if (symbol == "*")
    result = a * c;
  else if (symbol == "**")
    result = std::pow(a, c);
  else if (symbol == "/") {
    if (c == 0)
      return error(range, "division by zero");
    result = a / c;
  } else if (symbol == "==")
    return Datum::ofBool(a == c);
  else if (symbol == "!=")
    return Datum::ofBool(a != c);
  else if (symbol == "<")
    return Datum::ofBool(a < c);
  else if (symbol == "<=")
    return Datum::ofBool(a <= c);
  else if (symbol == ">")
    return Datum::ofBool(a > c);
  else if (symbol == ">=")
    return Datum::ofBool(a >= c);
  else
    return error(range, "numbers have no `" + symbol + "`");
  if (!std::isfinite(result))
    return error(range, "this number is too large");
  // Whole numbers stay whole where the result is: 768 / 12 is 64.
  if (x.isInt() && y.isInt() && result == std::floor(result) &&
      std::fabs(result) < mostWhole)
    return Datum::ofInt(int64_t(result));
  return Datum::ofFloat(result);
}

Datum Elaborator::arithmetic(const std::string &symbol, const Datum &x,
                             const Datum &y, Range range) {
  if (x.isNumber() && y.isNumber())
    return numbers(symbol, x, y, range);
  loc = locationOf(range);
  if (symbol == "@") {
    Value left = resolve(x, range);
    Value right = left ? resolve(y, range) : Value();
    Value product = right ? matmul(left, right, false, range) : Value();
    return product ? Datum::ofTensor(product) : Datum();
  }
  if (x.kind == Datum::Kind::String && y.kind == Datum::Kind::String &&
      (symbol == "==" || symbol == "!="))
    return Datum::ofBool((x.text == y.text) == (symbol == "=="));
  if (x.isNone() || y.isNone()) {
    if (symbol == "==" || symbol == "!=")
      return Datum::ofBool((x.isNone() && y.isNone()) == (symbol == "=="));
  }
  auto [left, right] = sameShape(x, y, range);
  if (!left)
    return {};
  auto make = [&](auto op) { return Datum::ofTensor(op.getResult()); };
  if (symbol == "+")
    return make(graph::AddOp::create(b, loc, left, right));
  if (symbol == "-")
    return make(graph::SubOp::create(b, loc, left, right));
  if (symbol == "*")
    return make(graph::MulOp::create(b, loc, left, right));
  if (symbol == "/")
    return make(graph::DivOp::create(b, loc, left, right));
  if (symbol == "and")
    return make(graph::AndOp::create(b, loc, left, right));
  if (symbol == "or")
    return make(graph::OrOp::create(b, loc, left, right));
  if (symbol == "**") {
    if (y.isInt() && y.integer() == 2)
      return make(graph::MulOp::create(b, loc, left, left));
    return error(range, "tensors are raised to the power of 2 only");
  }
  static const std::pair<const char *, graph::Predicate> comparisons[] = {
      {"==", graph::Predicate::eq}, {"!=", graph::Predicate::ne},
      {"<", graph::Predicate::lt},  {"<=", graph::Predicate::le},
      {">", graph::Predicate::gt},  {">=", graph::Predicate::ge}};
  for (auto &[word, predicate] : comparisons)
    if (symbol == word)
      return make(graph::CompareOp::create(b, loc, predicate, left, right));
  return error(range, "tensors have no `" + symbol + "`");
}

Datum Elaborator::evaluateBinary(const Expr &expr,
                                 std::shared_ptr<Scope> scope) {
  Datum left = evaluate(*expr.args[0], scope);
  if (failed)
    return {};
  // Compile-time conditions need not look at their right side.
  if ((expr.text == "and" || expr.text == "or") && !left.isTensor() &&
      left.kind != Datum::Kind::Parameter) {
    bool value = truth(left, expr.range);
    if (value == (expr.text == "or"))
      return Datum::ofBool(value);
    return Datum::ofBool(
        truth(evaluate(*expr.args[1], scope), expr.args[1]->range));
  }
  Datum right = evaluate(*expr.args[1], scope);
  if (failed)
    return {};
  if (expr.text == "++") {
    if (!left.isList() || !right.isList())
      return error(expr.range, "`++` joins two lists");
    std::vector<Datum> joined(*left.list);
    joined.insert(joined.end(), right.list->begin(), right.list->end());
    return Datum::ofList(std::move(joined));
  }
  return arithmetic(expr.text, left, right, expr.range);
}

Datum Elaborator::evaluateMember(const Expr &expr,
                                 std::shared_ptr<Scope> scope) {
  Datum object = evaluate(*expr.args[0], scope);
  if (failed)
    return {};
  if (object.kind == Datum::Kind::Instance) {
    auto found = object.instance->scope->names.find(expr.text);
    if (found != object.instance->scope->names.end())
      return found->second;
    return error(expr.range, "`" + object.instance->module->name +
                                 "` has no member `" + expr.text + "`");
  }
  if (object.kind == Datum::Kind::Cache && expr.text == "append") {
    Datum method;
    method.kind = Datum::Kind::Builtin;
    method.text = "cache.append";
    return method;
  }
  return error(expr.range, std::string(object.kindName()) + " has no member `" +
                               expr.text + "`");
}

/// `segment[b, i]` in a mask or score: an element at positions that are known
/// only when it runs. None if this is an index of another kind.
Datum Elaborator::evaluateElement(const Expr &expr, const Datum &object,
                                  std::shared_ptr<Scope> scope) {
  if ((!object.isTensor() && object.kind != Datum::Kind::Parameter) ||
      expr.slices.empty() || expr.slices[0].isRange)
    return {};
  Datum first = evaluate(*expr.slices[0].from, scope);
  if (failed || !first.isTensor())
    return {};
  Value tensor = resolve(object, expr.range);
  llvm::SmallVector<Value> positions;
  auto position = RankedTensorType::get({}, b.getI32Type());
  for (const Expr::Slice &slice : expr.slices) {
    Value at = slice.isRange ? Value()
                             : asTensor(evaluate(*slice.from, scope),
                                        slice.from->range, position);
    if (failed)
      return {};
    if (!at || at.getType() != position)
      return error(expr.range, "positions inside of attention are whole "
                               "numbers, such as b, h, i and j");
    positions.push_back(at);
  }
  auto type = typeOf(tensor);
  if (int64_t(positions.size()) != type.getRank())
    return error(expr.range, std::to_string(positions.size()) +
                                 " positions in a tensor of the shape " +
                                 shapeText(type));
  loc = locationOf(expr.range);
  return Datum::ofTensor(graph::ElementOp::create(
      b, loc, RankedTensorType::get({}, type.getElementType()), tensor,
      positions));
}

Datum Elaborator::evaluateIndex(const Expr &expr,
                                std::shared_ptr<Scope> scope) {
  Datum object = evaluate(*expr.args[0], scope);
  if (failed)
    return {};
  auto number = [&](const ExprPtr &e, int64_t extent, int64_t &value) {
    Datum d = evaluate(*e, scope);
    if (failed)
      return false;
    if (!d.isInt()) {
      error(e->range, "an index is a whole number known at compile time");
      return false;
    }
    value = d.integer() < 0 ? d.integer() + extent : d.integer();
    return true;
  };
  if (Datum element = evaluateElement(expr, object, scope);
      failed || !element.isNone())
    return element;
  if (object.isList()) {
    int64_t at = 0, size = object.list->size();
    if (expr.slices.size() != 1 || expr.slices[0].isRange)
      return error(expr.range, "a list takes one index");
    if (!number(expr.slices[0].from, size, at))
      return {};
    if (at < 0 || at >= size)
      return error(expr.range, "index " + std::to_string(at) +
                                   " is outside of a list of " +
                                   std::to_string(size));
    return (*object.list)[at];
  }
  Value tensor = resolve(object, expr.range);
  if (!tensor)
    return {};
  auto type = typeOf(tensor);
  if (int64_t(expr.slices.size()) > type.getRank())
    return error(expr.range, "there are " + std::to_string(expr.slices.size()) +
                                 " indices for the shape " + shapeText(type));
  llvm::SmallVector<int64_t> offsets(type.getRank(), 0), sizes(type.getShape()),
      kept;
  for (auto [d, extent] : llvm::enumerate(type.getShape())) {
    if (d >= expr.slices.size()) {
      kept.push_back(extent);
      continue;
    }
    const Expr::Slice &slice = expr.slices[d];
    int64_t from = 0, to = extent;
    if (slice.from && !number(slice.from, extent, from))
      return {};
    if (slice.to && !number(slice.to, extent, to))
      return {};
    if (!slice.isRange)
      to = from + 1;
    if (from < 0 || to > extent || from >= to)
      return error(expr.range, "this takes nothing out of dimension " +
                                   std::to_string(d) + ", which has " +
                                   std::to_string(extent) + " elements");
    offsets[d] = from;
    sizes[d] = to - from;
    if (slice.isRange)
      kept.push_back(to - from);
  }
  loc = locationOf(expr.range);
  Value result = tensor;
  if (llvm::ArrayRef(sizes) != type.getShape())
    result = graph::SliceOp::create(b, loc, tensor, offsets, sizes);
  if (kept.size() != sizes.size())
    result = graph::ReshapeOp::create(b, loc, result, kept);
  return Datum::ofTensor(result);
}

Datum Elaborator::evaluate(const Expr &expr, std::shared_ptr<Scope> scope,
                           const std::string &path) {
  if (failed)
    return {};
  if (--budget < 0)
    return error(expr.range, "the model is too large: evaluation was stopped");
  switch (expr.kind) {
  case Expr::Kind::Number:
    return expr.isInteger ? Datum::ofInt(int64_t(expr.number))
                          : Datum::ofFloat(expr.number);
  case Expr::Kind::String:
    return Datum::ofString(expr.text);
  case Expr::Kind::None:
    return {};
  case Expr::Kind::Bool:
    return Datum::ofBool(expr.number != 0);
  case Expr::Kind::Name: {
    if (expr.text == "training")
      return Datum::ofBool(training);
    if (const Datum *found = scope->find(expr.text))
      return *found;
    if (Builtins::exists(expr.text)) {
      Datum d;
      d.kind = Datum::Kind::Builtin;
      d.text = expr.text;
      return d;
    }
    return error(expr.range, "`" + expr.text + "` is not known here");
  }
  case Expr::Kind::Unary: {
    Datum value = evaluate(*expr.args[0], scope);
    if (failed)
      return {};
    if (expr.text == "not") {
      if (value.isTensor())
        return Datum::ofTensor(graph::NotOp::create(b, loc, value.tensor));
      return Datum::ofBool(!truth(value, expr.range));
    }
    if (value.isNumber()) {
      value.number = -value.number;
      return value;
    }
    Value tensor = resolve(value, expr.range);
    loc = locationOf(expr.range);
    return tensor ? Datum::ofTensor(graph::NegOp::create(b, loc, tensor))
                  : Datum();
  }
  case Expr::Kind::Binary:
    return evaluateBinary(expr, scope);
  case Expr::Kind::Repeat: {
    Datum from = evaluate(*expr.args[0], scope);
    Datum to = evaluate(*expr.args[1], scope);
    if (failed)
      return {};
    if (!from.isInt() || !to.isInt())
      return error(expr.range, "a range goes from one whole number to another");
    if (to.integer() < from.integer())
      return error(expr.range, "this range ends before it starts: " +
                                   std::to_string(from.integer()) + ".." +
                                   std::to_string(to.integer()));
    if (to.integer() - from.integer() > 100'000)
      return error(expr.range, "this range has more than 100,000 numbers");
    std::vector<Datum> items;
    for (int64_t i = from.integer(); i < to.integer(); ++i)
      items.push_back(Datum::ofInt(i));
    return Datum::ofList(std::move(items));
  }
  case Expr::Kind::List: {
    std::vector<Datum> items;
    if (expr.comprehension) {
      Datum source = evaluate(*expr.args[1], scope);
      if (failed)
        return {};
      if (!source.isList())
        return error(expr.args[1]->range, "for goes over a list, not " +
                                              std::string(source.kindName()));
      for (auto [i, item] : llvm::enumerate(*source.list)) {
        auto inner = scopeIn(scope);
        inner->names[expr.text] = item;
        items.push_back(
            evaluate(*expr.args[0], inner,
                     path.empty() ? "" : path + "." + std::to_string(i)));
        if (failed)
          return {};
      }
    } else {
      for (auto [i, item] : llvm::enumerate(expr.args)) {
        items.push_back(evaluate(
            *item, scope, path.empty() ? "" : path + "." + std::to_string(i)));
        if (failed)
          return {};
      }
    }
    return Datum::ofList(std::move(items));
  }
  case Expr::Kind::If: {
    bool condition = truth(evaluate(*expr.args[0], scope), expr.args[0]->range);
    if (failed)
      return {};
    auto inner = scopeIn(scope);
    // A member that is one module or another keeps its place.
    if (condition)
      return runBlock(*expr.block, inner, path);
    return expr.otherwise ? runBlock(*expr.otherwise, inner, path) : Datum();
  }
  case Expr::Kind::Lambda: {
    Datum d;
    d.kind = Datum::Kind::Lambda;
    d.lambda = &expr;
    d.scope = scope;
    return d;
  }
  case Expr::Kind::Index:
    return evaluateIndex(expr, scope);
  case Expr::Kind::Member:
    return evaluateMember(expr, scope);
  case Expr::Kind::Call: {
    Datum callee = evaluate(*expr.args[0], scope);
    return failed ? Datum() : call(callee, expr, scope, path);
  }
  }
  return {};
}
