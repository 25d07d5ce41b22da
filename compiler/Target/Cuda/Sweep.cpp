//===- Sweep.cpp - elementwise ops and row reductions on fragments --------===//
//
// Ops of one shape that follow each other become one unrolled loop over the
// registers of a thread. A sweep ends where an op needs the finished result of
// a reduction of the same sweep, at dots, loops and stores. Values that are
// used after their sweep get an array, in place of a dead one if there is one.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cuda/TensorCore.h"

using namespace tarn;
using namespace tarn::cuda;
using namespace mlir;

/// Whether `op` reads a result of an op of `group`, directly or through values
/// that are evaluated where they are used.
bool TensorCoreEmitter::dependsOn(Operation *op, ArrayRef<Operation *> group) {
  for (Value operand : op->getOperands()) {
    Operation *definition = resolve(operand).getDefiningOp();
    if (!definition)
      continue;
    if (llvm::is_contained(group, definition))
      return true;
    if (isInline(definition) && dependsOn(definition, group))
      return true;
  }
  return false;
}

bool TensorCoreEmitter::usedOutside(Value value, ArrayRef<Operation *> group) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    return !llvm::is_contained(group, user);
  });
}

/// Whether nothing after the sweep `group` uses `value`.
bool TensorCoreEmitter::diesIn(Value value, ArrayRef<Operation *> group) {
  return llvm::all_of(value.getUsers(), [&](Operation *user) {
    return llvm::is_contained(group, user) || emitted.contains(user);
  });
}

LogicalResult TensorCoreEmitter::addToSweep(Operation *op) {
  auto reduce = dyn_cast<tile::ReduceOp>(op);
  Value shape = reduce ? Value(reduce.getOperand()) : op->getResult(0);
  auto type = cast<RankedTensorType>(shape.getType());
  if (reduce && (type.getRank() != 2 || reduce.getAxis() != 1))
    return unsupported(op) << "a reduction over rows, or of a vector";
  if (type.getRank() == 0 || type.getRank() > 2)
    return unsupported(op) << "tiles of rank " << type.getRank();
  if (type.getDimSize(0) != layout.rows)
    return unsupported(op) << "a tile of " << type.getDimSize(0)
                           << " rows beside others of " << layout.rows;
  if (type.getRank() == 1) {
    if (dependsOn(op, matrixSweep) && failed(flushMatrix()))
      return failure();
    rowSweep.push_back(op);
    return success();
  }
  if (type.getDimSize(1) % layout.columnMultiple != 0)
    return unsupported(op) << "a tile of " << type.getDimSize(1)
                           << " columns (multiples of " << layout.columnMultiple
                           << ")";
  if (dependsOn(op, rowSweep) && failed(flushRow()))
    return failure();
  if (!matrixSweep.empty()) {
    Operation *first = matrixSweep.front();
    Value sameShape =
        isa<tile::ReduceOp>(first) ? first->getOperand(0) : first->getResult(0);
    SmallVector<Operation *> reductions;
    for (Operation *earlier : matrixSweep)
      if (isa<tile::ReduceOp>(earlier))
        reductions.push_back(earlier);
    if (elementsOf(sameShape) != elementsOf(shape) || dependsOn(op, reductions))
      if (failed(flushMatrix()))
        return failure();
  }
  matrixSweep.push_back(op);
  return success();
}

/// Waits for the dots whose accumulators the ops of `group` read.
void TensorCoreEmitter::waitForReads(ArrayRef<Operation *> group) {
  for (Operation *op : group)
    for (Value operand : op->getOperands()) {
      auto array = arrays.find(resolve(operand));
      if (array != arrays.end())
        waitForArray(array->second);
    }
}

/// The array for a value that outlives its sweep: that of an operand which
/// dies in the sweep, or a new one.
std::string
TensorCoreEmitter::chooseArray(Value value, ArrayRef<Operation *> group,
                               SmallVectorImpl<std::string> &taken) {
  Type element = cast<RankedTensorType>(value.getType()).getElementType();
  SmallVector<Value> work = {value};
  llvm::SmallPtrSet<void *, 8> seen;
  while (!work.empty() && viewOf(value) == View::matrix) {
    Operation *op = work.pop_back_val().getDefiningOp();
    if (!op || !llvm::is_contained(group, op))
      continue;
    for (Value operand : op->getOperands()) {
      Value source = resolve(operand);
      if (!seen.insert(source.getAsOpaquePointer()).second)
        continue;
      work.push_back(source);
      auto array = arrays.find(source);
      if (array == arrays.end() || source.getType() != value.getType() ||
          !element.isF32() || llvm::is_contained(taken, array->second))
        continue;
      if (!diesIn(source, group))
        continue;
      // A value from outside a loop is read again by the next turn.
      if (source.getParentBlock() != value.getParentBlock())
        continue;
      taken.push_back(array->second);
      return array->second;
    }
  }
  FailureOr<std::string> array = declare(value, wishedName(value));
  if (failed(array))
    return "";
  taken.push_back(*array);
  return *array;
}

LogicalResult TensorCoreEmitter::flushMatrix() {
  if (matrixSweep.empty())
    return success();
  SmallVector<Operation *> group = std::move(matrixSweep);
  matrixSweep.clear();
  waitForReads(group);
  text.at(group.front()->getLoc());

  SmallVector<std::pair<Value, std::string>> kept;
  SmallVector<std::string> taken;
  for (Operation *op : group) {
    Value result = op->getResult(0);
    if (auto reduce = dyn_cast<tile::ReduceOp>(op)) {
      FailureOr<std::string> array = declare(result, wishedName(result));
      if (failed(array))
        return failure();
      std::string start =
          reduce.getKind() == tile::ReduceKind::Max ? "-INFINITY" : "0.0f";
      if (!getElementTypeOrSelf(result.getType()).isF32())
        return unsupported(op)
               << "a reduction of " << getElementTypeOrSelf(result.getType());
      std::string targets;
      for (int64_t held = 0; held < layout.heldRows; ++held)
        targets += *array + "[" + std::to_string(held) + "] = ";
      text.line(targets + start + ";");
      arrays[result] = *array;
    } else if (usedOutside(result, group)) {
      std::string array = chooseArray(result, group, taken);
      if (array.empty())
        return failure();
      // A dot in flight may still accumulate into it.
      waitForArray(array);
      kept.push_back({result, array});
    }
  }
  Value shape = isa<tile::ReduceOp>(group.front())
                    ? group.front()->getOperand(0)
                    : group.front()->getResult(0);
  text.openUnrolled(elementsOf(shape));
  for (Operation *op : group) {
    Value result = op->getResult(0);
    SmallVector<std::string> inputs;
    for (Value operand : op->getOperands()) {
      FailureOr<std::string> input = expression(operand, View::matrix);
      if (failed(input))
        return failure();
      inputs.push_back(*input);
    }
    if (auto reduce = dyn_cast<tile::ReduceOp>(op)) {
      std::string into = arrays[result] + "[" + layout.heldRow + "]";
      bool max = reduce.getKind() == tile::ReduceKind::Max;
      text.line(max ? into + " = max_nan(" + into + ", " + inputs[0] + ");"
                    : into + " += " + inputs[0] + ";");
      continue;
    }
    FailureOr<std::string> right = apply(op, inputs);
    FailureOr<std::string> type =
        cType(op, getElementTypeOrSelf(result.getType()));
    if (failed(right) || failed(type))
      return failure();
    std::string name = names.unique(wishedName(result) + "_i");
    text.line("const " + *type + " " + name + " = " + *right + ";");
    locals[result] = name;
  }
  for (auto &[value, array] : kept)
    text.line(array + "[i] = " + locals[value] + ";");
  text.close();
  for (Operation *op : group)
    if (auto reduce = dyn_cast<tile::ReduceOp>(op)) {
      std::string array = arrays[reduce.getResult()];
      std::string combine =
          layout.combine +
          (reduce.getKind() == tile::ReduceKind::Max ? "_max(" : "_sum(");
      for (int64_t held = 0; held < layout.heldRows; ++held) {
        std::string element = array + "[" + std::to_string(held) + "]";
        text.line(element + " = " + combine + element + ");");
      }
    }
  for (auto &[value, array] : kept)
    arrays[value] = array;
  emitted.insert(group.begin(), group.end());
  locals.clear();
  return success();
}

LogicalResult TensorCoreEmitter::flushRow() {
  if (rowSweep.empty())
    return success();
  SmallVector<Operation *> group = std::move(rowSweep);
  rowSweep.clear();
  text.at(group.front()->getLoc());
  SmallVector<std::pair<Value, std::string>> kept;
  text.openUnrolled(layout.heldRows);
  for (Operation *op : group) {
    Value result = op->getResult(0);
    SmallVector<std::string> inputs;
    for (Value operand : op->getOperands()) {
      FailureOr<std::string> input = expression(operand, View::row);
      if (failed(input))
        return failure();
      inputs.push_back(*input);
    }
    FailureOr<std::string> right = apply(op, inputs);
    FailureOr<std::string> type =
        cType(op, getElementTypeOrSelf(result.getType()));
    if (failed(right) || failed(type))
      return failure();
    if (!usedOutside(result, group)) {
      std::string name = names.unique(wishedName(result) + "_i");
      text.line("const " + *type + " " + name + " = " + *right + ";");
      locals[result] = name;
      continue;
    }
    FailureOr<std::string> array = declare(result, wishedName(result));
    if (failed(array))
      return failure();
    text.line(*array + "[i] = " + *right + ";");
    locals[result] = *array + "[i]";
    kept.push_back({result, *array});
  }
  text.close();
  for (auto &[value, array] : kept)
    arrays[value] = array;
  emitted.insert(group.begin(), group.end());
  locals.clear();
  return success();
}

LogicalResult TensorCoreEmitter::flush() {
  return failure(failed(flushRow()) || failed(flushMatrix()));
}

/// Fills `array` with the elements of `value`.
LogicalResult TensorCoreEmitter::materialise(Value value, StringRef array) {
  auto from = arrays.find(resolve(value));
  if (from != arrays.end()) {
    if (from->second == array)
      return success();
    waitForArray(from->second);
  }
  waitForArray(array);
  FailureOr<std::string> element = expression(value, viewOf(value));
  if (failed(element))
    return failure();
  text.openUnrolled(elementsOf(value));
  text.line(array + "[i] = " + *element + ";");
  text.close();
  return success();
}
