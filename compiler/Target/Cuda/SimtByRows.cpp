//===- SimtByRows.cpp - stores to rows that an index tile names -----------===//

#include "compiler/Target/Cuda/SimtSweep.h"

using namespace tarn;
using namespace tarn::cuda;
using namespace mlir;

/// A value that memory rounds when it is written.
static Value unrounded(Value value) {
  auto cast = value.getDefiningOp<arith::TruncFOp>();
  if (cast && getElementTypeOrSelf(cast.getIn().getType()).isF32())
    return cast.getIn();
  return value;
}

/// Gives the number of a row a name: it is used more than once.
void SimtEmitter::nameRow(Sweep &sweep, Expression &row) {
  if (isAtom(row.text))
    return;
  std::string name = names.unique("to");
  sweep.at(row.level).line("const int " + name + " = " + row.text + ";");
  row.text = name;
}

/// Rows are distinct: each thread stores its own elements.
LogicalResult SimtEmitter::emitScatter(tile::ScatterOp op) {
  if (failed(flush()))
    return failure();
  Value value = op.getValue();
  RankedTensorType type = op.getTileType();
  Layout layout = home(value);
  SmallVector<Expression> at = identity(value, layout);
  std::set<std::pair<void *, std::string>> seen;
  if (failed(prepare(value, at, layout, seen)) ||
      failed(prepare(op.getRows(), {at[0]}, layout, seen)))
    return failure();
  ++sweepNumber;
  NameScope scope(names, lasting);
  Sweep sweep(layout, options.lines);
  Element row = element(sweep, op.getRows(), {at[0]});
  Element e =
      element(sweep, held.contains(value) ? value : unrounded(value), at);
  if (failed(row) || failed(e))
    return failure();
  nameRow(sweep, *row);
  FailureOr<Place> where =
      place(op, op.getBuffer(), op.getMixedPositions(), op.getTileDims(),
            type.getShape(), at, layout, &*row);
  if (failed(where))
    return failure();
  bool isRow = layout.kind == Layout::Kind::row;
  std::string guard = where->condition;
  if (isRow && layout.lanes > 1)
    guard = guard.empty() ? "lane == 0" : "lane == 0 && " + guard;
  Text &part = isRow ? sweep.rowEnd : sweep.element;
  part.at(op.getLoc());
  if (!guard.empty())
    part.line("if (" + guard + ")");
  part.line((guard.empty() ? "store_one(" : "  store_one(") +
            buffers[op.getBuffer()] + " + " + where->offset + ", " + e->text +
            ");");
  sweep.write(text);
  return success();
}

/// Additions: a thread owns some columns, and goes through the rows in their
/// order.
LogicalResult SimtEmitter::emitByRows(tile::AccumulateOp op) {
  if (failed(flush()))
    return failure();
  Value value = op.getValue(), buffer = op.getBuffer(), rows = op.getRows();
  SmallVector<OpFoldResult> positions = op.getMixedPositions();
  SmallVector<int64_t> dims = op.getTileDims();
  auto type = cast<RankedTensorType>(value.getType());
  int64_t count = type.getDimSize(0);
  int64_t columns = type.getNumElements() / count;
  // The rows are the loop here, so `r` is a number and not a thread's row.
  Layout layout = flatLayout(columns);
  layout.free = true;
  layout.vector = 1;
  layout.groups = llvm::divideCeil(columns, threads);
  SmallVector<Expression> at{{"k", Expression::element}};
  if (type.getRank() == 2)
    at.push_back(columnOf(layout));
  if (type.getRank() == 3) {
    std::string inner = std::to_string(type.getDimSize(2));
    at.push_back({"c / " + inner, Expression::element});
    at.push_back({"c % " + inner, Expression::element});
  }
  std::set<std::pair<void *, std::string>> seen;
  if (failed(prepare(value, at, layout, seen)) ||
      failed(prepare(rows, {at[0]}, layout, seen)))
    return failure();
  willWrite(buffers[buffer]);
  readSinceBarrier.insert(buffers[buffer]);
  ++sweepNumber;
  NameScope scope(names, lasting);
  Sweep sweep(layout, options.lines);
  Element row = element(sweep, rows, {at[0]});
  Element e = element(sweep, unrounded(value), at);
  if (failed(row) || failed(e))
    return failure();
  nameRow(sweep, *row);
  FailureOr<Place> where =
      place(op, buffer, positions, dims, type.getShape(), at, layout, &*row);
  if (failed(where))
    return failure();
  sweep.element.at(op.getLoc());
  if (!where->condition.empty())
    sweep.element.line("if (" + where->condition + ")");
  sweep.element.line("  add_one(" + buffers[buffer] + " + " + where->offset +
                     ", " + e->text + ");");
  Text body = sweep.element;
  sweep.element.buffer.clear();
  sweep.element.line("// Rows in their order.");
  sweep.element.open("for (int k = 0; k < " + llvm::Twine(count) + "; ++k) {");
  Text inner(options.lines);
  sweep.element.append(body);
  sweep.element.close();
  sweep.write(text);
  return success();
}
