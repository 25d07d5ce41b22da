//===- Statements.cpp - what a block does ---------------------------------===//

#include "frontends/TarnLanguage/Elaborator.h"

#include "llvm/ADT/STLExtras.h"

using namespace tarn::lang;
namespace graph = tarn::graph;
using mlir::RankedTensorType;
using mlir::Value;

//===----------------------------------------------------------------------===//
// Statements
//===----------------------------------------------------------------------===//

Datum Elaborator::runBlock(const Block &block, std::shared_ptr<Scope> scope,
                           const std::string &path) {
  Datum last;
  for (const Statement &statement : block.statements) {
    last = {};
    runStatement(statement, scope, last, path);
    if (failed)
      return {};
  }
  return last;
}

/// A value as `count` values: a list's items, or a tensor's slices along its
/// first dim.
std::vector<Datum> Elaborator::unpack(const Datum &value, size_t count,
                                      Range range) {
  if (value.isList()) {
    if (value.list->size() != count) {
      error(range, "there are " + std::to_string(count) + " names for " +
                       std::to_string(value.list->size()) + " values");
      return {};
    }
    return *value.list;
  }
  Value tensor = value.isTensor() ? value.tensor : Value();
  if (!tensor) {
    error(range, std::string(value.kindName()) + " has no parts to name");
    return {};
  }
  auto type = llvm::cast<RankedTensorType>(tensor.getType());
  if (type.getRank() == 0 || type.getDimSize(0) != int64_t(count)) {
    error(range, "there are " + std::to_string(count) +
                     " names for a tensor of the shape " + shapeText(type));
    return {};
  }
  std::vector<Datum> parts;
  for (size_t i = 0; i != count; ++i) {
    llvm::SmallVector<int64_t> offsets(type.getRank(), 0),
        sizes(type.getShape());
    offsets[0] = i;
    sizes[0] = 1;
    Value slice = graph::SliceOp::create(b, loc, tensor, offsets, sizes);
    parts.push_back(Datum::ofTensor(
        graph::ReshapeOp::create(b, loc, slice, type.getShape().drop_front())));
  }
  return parts;
}

void Elaborator::assign(const std::vector<std::string> &names,
                        const Datum &value, Range range, Scope &scope,
                        bool rebind) {
  auto set = [&](const std::string &name, const Datum &part) {
    Scope *holder = rebind ? scope.holder(name) : &scope;
    (holder ? holder : &scope)->names[name] = part;
  };
  if (names.size() == 1) {
    set(names[0], value);
    return;
  }
  std::vector<Datum> parts = unpack(value, names.size(), range);
  for (size_t i = 0; i != parts.size(); ++i)
    set(names[i], parts[i]);
}

/// `update NAME = value`: what a state is in the next step. Only training does
/// it; elsewhere the line is checked and has no effect.
void Elaborator::updateState(const Statement &statement,
                             std::shared_ptr<Scope> scope) {
  const std::string &name = statement.names[0];
  const Datum *found = scope->find(name);
  if (!found || found->kind != Datum::Kind::Parameter ||
      !parameters[size_t(found->number)].state) {
    diagnostics.error(statement.range, "`" + name + "` is no state")
        .withHelp("`state " + name + ": [n] = 0` in the module makes one");
    failed = true;
    return;
  }
  unsigned index = unsigned(found->number);
  Value old = resolve(*found, statement.range);
  Datum next = evaluate(*statement.value, scope);
  Value value = failed || !old
                    ? Value()
                    : asTensor(next, statement.value->range, old.getType());
  if (!value)
    return;
  if (value.getType() != old.getType()) {
    error(statement.value->range, "the state `" + name + "` is " +
                                      typeText(old.getType()) + ", not " +
                                      typeText(value.getType()));
    return;
  }
  if (training && !parameters[index].fixed &&
      !updates.emplace(index, value).second)
    error(statement.range, "`" + name + "` is updated twice in one step");
}

void Elaborator::runStatement(const Statement &statement,
                              std::shared_ptr<Scope> scope, Datum &last,
                              const std::string &path) {
  if (--budget < 0) {
    error(statement.range, "the model is too large: evaluation was stopped");
    return;
  }
  switch (statement.kind) {
  case Statement::Kind::Let: {
    Datum value = evaluate(*statement.value, scope);
    if (!failed)
      assign(statement.names, value, statement.range, *scope, false);
    return;
  }
  case Statement::Kind::Assign: {
    const std::string &name = statement.names[0];
    Datum value = evaluate(*statement.value, scope);
    if (failed)
      return;
    // In the body of a step a new name is a setting or an output.
    if (stepResult && running.empty() && !scope->find(name)) {
      stepResult->settings[name] = value;
      stepResult->ranges[name] = statement.range;
      if (!statement.excepts.empty())
        stepResult->excepts = &statement.excepts;
      if (value.isTensor())
        scope->names[name] = value;
      return;
    }
    if (!scope->find(name)) {
      if (!failed)
        diagnostics
            .error(statement.range, "`" + name + "` has no value to replace")
            .withHelp("`let " + name + " = ...` makes a new name");
      failed = true;
      return;
    }
    assign(statement.names, value, statement.range, *scope, true);
    return;
  }
  case Statement::Kind::For: {
    Datum items = evaluate(*statement.value, scope);
    if (failed)
      return;
    if (!items.isList()) {
      error(statement.value->range,
            "for goes over a list, not " + std::string(items.kindName()));
      return;
    }
    for (const Datum &item : *items.list) {
      auto inner = scopeIn(scope);
      assign(statement.names, item, statement.range, *inner, false);
      if (!failed)
        runBlock(*statement.block, inner);
      if (failed)
        return;
    }
    return;
  }
  case Statement::Kind::Metric: {
    Datum value = evaluate(*statement.value, scope);
    if (failed)
      return;
    if (!stepResult) {
      error(statement.range, "metrics belong into train or eval");
      return;
    }
    stepResult->metrics.push_back({statement.names[0], value});
    return;
  }
  case Statement::Kind::Cache: {
    Datum value = evaluate(*statement.value, scope);
    if (!failed)
      scope->names[statement.names[0]] = value;
    return;
  }
  case Statement::Kind::Update:
    updateState(statement, scope);
    return;
  case Statement::Kind::Expr:
  case Statement::Kind::If:
    last = evaluate(*statement.value, scope, path);
    return;
  }
}
