//===- SimtSweep.cpp - roots and sweeps -----------------------------------===//

#include "compiler/Target/Cuda/SimtSweep.h"

#include "llvm/ADT/ScopeExit.h"

using namespace tarn;
using namespace tarn::cuda;
using namespace mlir;

Expression cuda::rowOf(const Layout &layout) { return {"r", Expression::row}; }

Expression cuda::columnOf(const Layout &layout) {
  return {layout.vector > 1 ? "c + e" : "c", Expression::element};
}

std::string cuda::groupColumn() { return "c"; }

std::string SimtEmitter::Sweep::rowIndex() const {
  return layout.heldRows > 1 ? "p" : "0";
}

std::string SimtEmitter::Sweep::registerIndex() const {
  std::string index;
  auto add = [&](int64_t extent, const char *loop) {
    if (extent == 1)
      return;
    if (!index.empty())
      index = (StringRef(index).contains(' ') ? "(" + index + ")" : index) +
              " * " + std::to_string(extent) + " + " + loop;
    else
      index = loop;
  };
  add(layout.heldRows, "p");
  if (!index.empty() && layout.groups == 1 && layout.vector > 1) {
    add(layout.vector, "e");
    return index;
  }
  add(layout.groups, "n");
  add(layout.vector, "e");
  return index.empty() ? "0" : index;
}

void SimtEmitter::Sweep::write(Text &text) const {
  auto indented = [&](const Text &part) {
    std::string line;
    for (char c : part.buffer) {
      line += c;
      if (c != '\n')
        continue;
      // Directives are not indented.
      if (line[0] != '#')
        text.buffer.append(2 * text.depth, ' ');
      text.buffer += line;
      line.clear();
    }
  };
  auto loop = [&](int64_t count, const char *name) {
    text.directive(usesRegisters ? "#pragma unroll" : "#pragma unroll 1");
    text.open("for (int " + llvm::Twine(name) + " = 0; " + name + " < " +
              llvm::Twine(count) + "; ++" + name + ") {");
  };
  // What is the same for all elements has a scope of its own.
  bool scope = StringRef(before.buffer).contains("const ");
  if (scope)
    text.open("{");
  auto leave = llvm::scope_exit([&] {
    if (scope)
      text.close();
  });
  indented(before);
  if (layout.kind == Layout::Kind::uniform) {
    indented(row);
    indented(element);
    indented(elementEnd);
    indented(after);
    return;
  }
  bool byRows = layout.kind != Layout::Kind::flat;
  bool rowGuard = byRows && layout.coveredRows() > layout.rows;
  bool rowLoop = byRows && layout.heldRows > 1;
  bool hasGroups = layout.kind != Layout::Kind::row;
  if (rowLoop)
    loop(layout.heldRows, "p");
  else
    text.open("{");
  std::string start = rowStart.empty() ? "" : rowStart + " + ";
  if (byRows) {
    std::string base =
        layout.free ? "thread / " + std::to_string(layout.lanes) : "row";
    std::string r = base;
    if (layout.heldRows > 1 && !layout.fragment)
      r += " + " + std::to_string(layout.rowStep) + " * p";
    if (layout.fragment)
      r += layout.heldRows == 2
               ? " + 8 * p"
               : " + 8 * (p % 2) + " + std::to_string(2 * layout.rowStep) +
                     " * (p / 2)";
    text.line("const int r = " + start + r + ";");
  }
  indented(rowHead);
  if (rowGuard)
    text.open("if (r < " +
              llvm::Twine(rowStart.empty() ? "" : rowStart + " + ") +
              llvm::Twine(layout.rows) + ") {");
  indented(row);
  if (hasGroups) {
    bool groupLoop = layout.groups > 1;
    if (groupLoop)
      loop(layout.groups, "n");
    std::string first = layout.kind == Layout::Kind::flat ? "thread"
                        : layout.free
                            ? "thread % " + std::to_string(layout.lanes)
                            : "lane";
    if (layout.lanes == 1)
      first = "0";
    std::string c = columnStart.empty() ? "" : columnStart + " + ";
    c += layout.vector == 1 ? first
                            : first + " * " + std::to_string(layout.vector);
    if (groupLoop)
      c += " + " + std::to_string(layout.lanes * layout.vector) + " * n";
    text.line("const int c = " + c + ";");
    bool tail = layout.coveredColumns() > layout.columns;
    std::string end = (columnStart.empty() ? "" : columnStart + " + ") +
                      std::to_string(layout.columns);
    bool whole = layout.columns % layout.vector == 0;
    if (tail && whole)
      text.open("if (c < " + end + ") {");
    indented(group);
    if (!element.buffer.empty() || !elementEnd.buffer.empty()) {
      if (layout.vector > 1) {
        text.directive("#pragma unroll");
        text.open("for (int e = 0; e < " + llvm::Twine(layout.vector) +
                  "; ++e) {");
        if (tail && !whole)
          text.open("if (c + e < " + end + ") {");
      }
      indented(element);
      indented(elementEnd);
      if (layout.vector > 1) {
        if (tail && !whole)
          text.close();
        text.close();
      }
    }
    indented(groupEnd);
    if (tail && whole)
      text.close();
    if (groupLoop)
      text.close();
  }
  indented(rowEnd);
  if (rowGuard)
    text.close();
  indented(rowTail);
  text.close();
  indented(after);
}

//===----------------------------------------------------------------------===//
// Gathering roots
//===----------------------------------------------------------------------===//

LogicalResult SimtEmitter::addRoot(Root root) {
  llvm::DenseSet<Value> seen;
  if (!pending.empty() &&
      (!(pending.front().layout == root.layout) ||
       dependsOn(root.value, pendingResults, seen)) &&
      failed(flush()))
    return failure();
  pending.push_back(root);
  if (root.op && isa<tile::ReduceOp>(root.op))
    pendingResults.insert(root.op->getResult(0));
  return success();
}

/// Stores over what other roots may read: one sweep for those of a layout, in
/// which each thread reads an element before it writes it.
LogicalResult SimtEmitter::addLast(ArrayRef<tile::StoreOp> stores) {
  SmallVector<Root> left;
  for (tile::StoreOp store : stores) {
    Root root;
    root.op = store;
    root.value = store.getValue();
    root.layout = home(root.value);
    left.push_back(root);
  }
  while (!left.empty()) {
    Layout layout = left.front().layout;
    auto isOther = [&](const Root &root) { return !(root.layout == layout); };
    auto others = std::stable_partition(
        left.begin(), left.end(), [&](const Root &r) { return !isOther(r); });
    SmallVector<Root> group(left.begin(), others);
    left.erase(left.begin(), others);
    if (llvm::any_of(group,
                     [&](const Root &root) {
                       llvm::DenseSet<Value> seen;
                       return dependsOn(root.value, pendingResults, seen);
                     }) &&
        failed(flush()))
      return failure();
    for (const Root &root : group)
      if (failed(addRoot(root)))
        return failure();
  }
  return success();
}

LogicalResult SimtEmitter::flush() {
  if (pending.empty())
    return success();
  SmallVector<Root> roots;
  std::swap(roots, pending);
  pendingResults.clear();
  return emitSweep(roots);
}

LogicalResult SimtEmitter::emitSweep(ArrayRef<Root> roots) {
  const Layout &layout = roots.front().layout;
  std::set<std::pair<void *, std::string>> seen;
  for (const Root &root : roots)
    if (failed(prepare(root.value, identity(root.value, layout), layout, seen)))
      return failure();
  // Behind what the preparation wrote, which may have been a barrier.
  for (const Root &root : roots) {
    if (root.shared)
      willWrite(root.shared->name);
    // Other threads may have added to the same elements before.
    if (auto add = dyn_cast_or_null<tile::AccumulateOp>(root.op)) {
      willWrite(buffers[add.getBuffer()]);
      readSinceBarrier.insert(buffers[add.getBuffer()]);
    }
  }
  ++sweepNumber;
  NameScope scope(names, lasting);
  Sweep sweep(layout, options.lines);
  sweep.rowStart = roots.front().rowOffset;
  sweep.columnStart = roots.front().columnOffset;
  for (const Root &root : roots)
    if (failed(finishRoot(sweep, root)))
      return failure();
  sweep.write(text);
  return success();
}

/// A value that memory rounds when it is written.
static Value unrounded(Value value) {
  auto cast = value.getDefiningOp<arith::TruncFOp>();
  if (cast && getElementTypeOrSelf(cast.getIn().getType()).isF32())
    return cast.getIn();
  return value;
}

LogicalResult SimtEmitter::finishRoot(Sweep &sweep, const Root &root) {
  if (root.op && isa<tile::ReduceOp>(root.op))
    return reduceRoot(sweep, root);
  if (root.op)
    return storeRoot(sweep, root);
  if (root.copiedTo)
    return copyRoot(sweep, root);
  SmallVector<Expression> at = identity(root.value, sweep.layout);
  Value value = root.shared ? unrounded(root.value) : root.value;
  if (held.contains(root.value))
    value = root.value;
  Element e = element(sweep, value, at);
  if (failed(e))
    return failure();
  const Layout &layout = sweep.layout;
  bool isRow = layout.kind == Layout::Kind::row;
  if (!root.shared) {
    // Into registers of this layout.
    if (layout.kind == Layout::Kind::uniform) {
      sweep.before.line(root.array + " = " + e->text + ";");
      return success();
    }
    sweep.usesRegisters = true;
    Text &part = isRow ? sweep.rowEnd : sweep.element;
    part.line(root.array + "[" +
              (isRow ? sweep.rowIndex() : sweep.registerIndex()) +
              "] = " + e->text + ";");
    return success();
  }
  // Into shared memory: [row][column].
  const BlockTile &tile = *root.shared;
  auto from = [](const std::string &index, const std::string &start) {
    return start.empty() ? index : index + " - " + start;
  };
  if (layout.kind == Layout::Kind::uniform)
    return sweep.before.line("if (thread == 0)"),
           sweep.before.line("  store_one(" + tile.name + ", " + e->text +
                             ");"),
           success();
  if (isRow) {
    sweep.rowEnd.line("if (lane == 0)");
    sweep.rowEnd.line("  store_one(&" + tile.name + "[r], " + e->text + ");");
    return success();
  }
  std::string row = from("r", sweep.rowStart);
  std::string column = from("c", sweep.columnStart);
  std::string place =
      layout.kind == Layout::Kind::flat
          ? column
          : wrap(row) + " * " + std::to_string(tile.pitch) + " + " + column;
  if (layout.vector == 1) {
    sweep.element.line("store_one(&" + tile.name + "[" + place + "], " +
                       e->text + ");");
    return success();
  }
  std::string name = names.unique("copied");
  sweep.group.line(
      variableType(tile.element, unsignedValues.contains(root.value)) + " " +
      name + "[" + llvm::Twine(layout.vector) + "];");
  sweep.element.line(name + "[e] = " + e->text + ";");
  sweep.groupEnd.line("store_vector(&" + tile.name + "[" + place + "], " +
                      name + ");");
  return success();
}

//===----------------------------------------------------------------------===//
// Stores
//===----------------------------------------------------------------------===//

namespace {

/// What is common to the ops that write a tile to a buffer.
struct Target {
  Value buffer;
  SmallVector<OpFoldResult> positions;
  SmallVector<int64_t> dims;
  bool adds = false;
};

} // namespace

LogicalResult SimtEmitter::storeRoot(Sweep &sweep, const Root &root) {
  Target target;
  SmallVector<std::string> slots;
  if (auto store = dyn_cast<tile::StoreOp>(root.op)) {
    target = {store.getBuffer(), store.getMixedPositions(),
              store.getTileDims()};
  } else if (auto add = dyn_cast<tile::AccumulateOp>(root.op)) {
    target = {add.getBuffer(), add.getMixedPositions(), add.getTileDims(),
              true};
  } else {
    auto partial = cast<tile::StorePartialOp>(root.op);
    target = {partial.getBuffer(), {}, partial.getTileDims()};
    for (Value slot : partial.getSlots()) {
      int64_t size = kernel.getGridTiles()[*kernel.getGridDim(slot)];
      FailureOr<std::string> start = scalar(slot);
      if (failed(start))
        return failure();
      slots.push_back(size == 1 ? *start
                                : *start + " / " + std::to_string(size));
      target.positions.push_back(OpFoldResult(
          IntegerAttr::get(IndexType::get(kernel.getContext()), 0)));
    }
    llvm::append_range(target.positions, partial.getMixedPositions());
  }
  auto type = dyn_cast<RankedTensorType>(root.value.getType());
  Value value = unrounded(root.value);
  if (held.contains(root.value))
    value = root.value;
  SmallVector<Expression> at = identity(root.value, sweep.layout);
  Element e = element(sweep, value, at);
  if (failed(e))
    return failure();
  const Layout &layout = sweep.layout;
  SmallVector<Expression> group(at);
  FailureOr<Place> where = place(root.op, target.buffer, target.positions,
                                 target.dims, type.getShape(), at, layout);
  if (failed(where))
    return failure();
  bool vector = where->vector > 1;
  if (vector) {
    group.back().text = groupColumn();
    where = place(root.op, target.buffer, target.positions, target.dims,
                  type.getShape(), group, layout);
  }
  // Slots come first: each is as far from the next as all that follows.
  auto buffer = cast<MemRefType>(target.buffer.getType());
  for (auto [d, slot] : llvm::enumerate(slots)) {
    int64_t stride = 1;
    for (int64_t size : buffer.getShape().drop_front(d + 1))
      stride *= size;
    where->offset = wrap(slot) + " * " + std::to_string(stride) +
                    (where->offset == "0" ? "" : " + " + where->offset);
  }
  std::string to = buffers[target.buffer] +
                   (where->offset == "0" ? "" : " + " + where->offset);
  std::string condition = where->condition;
  auto write = [&](Text &part, const std::string &call, const std::string &what,
                   StringRef only) {
    std::string guard = only.str();
    if (!condition.empty())
      guard += (guard.empty() ? "" : " && ") + condition;
    part.at(root.op->getLoc());
    if (!guard.empty())
      part.line("if (" + guard + ")");
    part.line((guard.empty() ? "" : "  ") + call + "(" + to + ", " + what +
              ");");
  };
  std::string one = target.adds ? "add_one" : "store_one";
  bool overwrites = overwriting.contains(target.buffer);
  // The value gets a name ahead of the store, which may change what it is made
  // of.
  auto nameAhead = [&](Text &part) {
    std::string name = names.unique("stored");
    part.at(root.op->getLoc());
    part.line("const " +
              variableType(type.getElementType(),
                           unsignedValues.contains(root.value)) +
              " " + name + " = " + e->text + ";");
    e->text = name;
  };
  if (layout.kind == Layout::Kind::uniform) {
    if (overwrites) {
      nameAhead(sweep.before);
      sweep.after.line("__syncthreads();");
    }
    write(sweep.after, one, e->text, "thread == 0");
    return success();
  }
  if (layout.kind == Layout::Kind::row) {
    write(sweep.rowEnd, one, e->text, layout.lanes > 1 ? "lane == 0" : "");
    return success();
  }
  if (!vector) {
    if (overwrites)
      nameAhead(sweep.element);
    write(overwrites ? sweep.elementEnd : sweep.element, one, e->text, "");
    return success();
  }
  std::string name = names.unique("stored");
  sweep.group.line(
      variableType(type.getElementType(), unsignedValues.contains(root.value)) +
      " " + name + "[" + llvm::Twine(layout.vector) + "];");
  sweep.element.line(name + "[e] = " + e->text + ";");
  write(sweep.groupEnd, target.adds ? "add_vector" : "store_vector", name, "");
  return success();
}
