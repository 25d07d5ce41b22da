//===- SimtReduce.cpp - reductions ----------------------------------------===//
//
// Along rows: in the thread's registers, then among the lanes of the row, all
// of which get the result. Along columns: in registers, then among the threads
// of a warp that have the column, then from warp to warp through shared memory.
// Everything else: a thread per result. Orders are fixed.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cuda/SimtSweep.h"

using namespace tarn;
using namespace tarn::cuda;
using namespace mlir;

/// What a reduction starts with.
static std::string neutralOf(tile::ReduceOp reduce) {
  Type type = getElementTypeOrSelf(reduce.getResult().getType());
  bool sum = reduce.getKind() == tile::ReduceKind::Sum;
  if (isa<FloatType>(type))
    return sum ? (type.isF64() ? "0.0" : "0.0f")
               : (type.isF64() ? "-(double)INFINITY" : "-INFINITY");
  if (sum)
    return "0";
  int64_t least =
      type.isInteger(1)
          ? 0
          : llvm::APInt::getSignedMinValue(type.getIntOrFloatBitWidth())
                .getSExtValue();
  return least == INT32_MIN   ? "(-2147483647 - 1)"
         : least == INT64_MIN ? "(-9223372036854775807ll - 1)"
                              : std::to_string(least);
}

/// `total` and one more.
static std::string combined(tile::ReduceOp reduce, const std::string &total,
                            const std::string &x) {
  if (reduce.getKind() == tile::ReduceKind::Sum)
    return total + " + " + wrap(x);
  return "max_nan(" + total + ", " + x + ")";
}

/// Rounds a result as its type does.
static std::string rounded(tile::ReduceOp reduce, const std::string &x) {
  Type type = getElementTypeOrSelf(reduce.getResult().getType());
  return type.isBF16()  ? "round_bf16(" + x + ")"
         : type.isF16() ? "round_f16(" + x + ")"
                        : x;
}

LogicalResult SimtEmitter::reduceRoot(Sweep &sweep, const Root &root) {
  auto reduce = cast<tile::ReduceOp>(root.op);
  RankedTensorType type = reduce.getOperand().getType();
  if (type.getRank() == 2 && reduce.getAxis() == 0)
    return reduceColumns(sweep, root);
  const Layout &layout = sweep.layout;
  Value result = reduce.getResult();
  std::string cType =
      variableType(type.getElementType(), unsignedValues.contains(result));
  SmallVector<Expression> at = identity(reduce.getOperand(), layout);
  Element e = element(sweep, reduce.getOperand(), at);
  if (failed(e))
    return failure();
  const char *kind = reduce.getKind() == tile::ReduceKind::Sum ? "sum" : "max";
  bool flat = layout.kind == Layout::Kind::flat;
  std::string wish = nameFor(result);
  std::string total = flat ? declare(result, wish) : names.unique(wish);
  (flat ? sweep.before : sweep.rowHead)
      .line((flat ? "" : cType + " ") + total + " = " + neutralOf(reduce) +
            ";");
  sweep.element.at(reduce.getLoc());
  sweep.element.line(total + " = " + combined(reduce, total, e->text) + ";");
  // Among the lanes.
  std::string all = "lanes_" + std::string(kind) + "<" +
                    std::to_string(layout.lanes) + ">(" + total + ")";
  if (layout.lanes == 1)
    all = total;
  if (layout.lanes > 32) {
    const BlockTile &scratch = allocate(
        "partial_results",
        type.getElementType().isF64() ? type.getElementType()
                                      : Float32Type::get(kernel.getContext()),
        1, threads / 32);
    willWrite(scratch.name);
    all = "block_" + std::string(kind) + "<" + std::to_string(layout.lanes) +
          ">(" + total + ", (" + cType + " *)" + scratch.name + ")";
  }
  all = rounded(reduce, all);
  if (flat) {
    if (all != total)
      sweep.after.line(total + " = " + all + ";");
    held[result] = {total, Layout()};
    return success();
  }
  if (type.getRank() == 2 && rowVectors.contains(result)) {
    Layout own = rowLayout(layout.rows);
    std::string array = declare(result, wish + "_of_row");
    held[result] = {array, own};
    sweep.usesRegisters = true;
    sweep.rowTail.line(array + "[" + sweep.rowIndex() + "] = " + all + ";");
    return success();
  }
  // A tile of rank 3: its rows' results go to shared memory.
  RankedTensorType resultType = reduce.getResult().getType();
  const BlockTile &tile =
      allocate(wish, resultType.getElementType(),
               resultType.getRank() == 2 ? resultType.getDimSize(0) : 1,
               resultType.getDimSize(resultType.getRank() - 1));
  willWrite(tile.name);
  shared[result] = &tile;
  if (all != total)
    sweep.rowTail.line(total + " = " + all + ";");
  std::string inner =
      std::to_string(resultType.getDimSize(resultType.getRank() - 1));
  std::string place =
      tile.pitch == resultType.getDimSize(resultType.getRank() - 1)
          ? "r"
          : "r / " + inner + " * " + std::to_string(tile.pitch) + " + r % " +
                inner;
  std::string guard = layout.coveredRows() > layout.rows
                          ? "lane == 0 && r < " + std::to_string(layout.rows)
                          : "lane == 0";
  sweep.rowTail.line("if (" + guard + ")");
  sweep.rowTail.line("  store_one(&" + tile.name + "[" + place + "], " + total +
                     ");");
  return success();
}

/// Sums of columns. Each thread has those of its columns; threads of a warp
/// with the same columns combine, then the warps through shared memory.
LogicalResult SimtEmitter::reduceColumns(Sweep &sweep, const Root &root) {
  auto reduce = cast<tile::ReduceOp>(root.op);
  const Layout &layout = sweep.layout;
  Value result = reduce.getResult();
  Type element = getElementTypeOrSelf(result.getType());
  std::string cType = variableType(element, unsignedValues.contains(result));
  Element e = this->element(sweep, reduce.getOperand(),
                            identity(reduce.getOperand(), layout));
  if (failed(e))
    return failure();
  std::string wish = nameFor(result);
  int64_t own = layout.groups * layout.vector;
  std::string mine = lastingName(wish + "_part");
  text.line(cType + " " + mine + "[" + llvm::Twine(own) + "];");
  text.directive("#pragma unroll");
  text.line("for (int n = 0; n < " + llvm::Twine(own) + "; ++n)");
  text.line("  " + mine + "[n] = " + neutralOf(reduce) + ";");
  std::string index = layout.groups == 1 && layout.vector == 1 ? "0"
                      : layout.vector == 1                     ? "n"
                      : layout.groups == 1
                          ? "e"
                          : "n * " + std::to_string(layout.vector) + " + e";
  std::string slot = mine + "[" + index + "]";
  sweep.usesRegisters = true;
  sweep.element.at(reduce.getLoc());
  sweep.element.line(slot + " = " + combined(reduce, slot, e->text) + ";");

  // Threads with the same columns: in a warp, and groups of warps.
  int64_t nearest = layout.fragment ? 4 : layout.lanes;
  int64_t groups = layout.lanes >= 32 ? threads / layout.lanes : threads / 32;
  const BlockTile &tile = allocate(wish, element, 1, layout.columns);
  const BlockTile &parts =
      groups > 1 ? allocate(wish + "_parts", element, groups, layout.columns)
                 : tile;
  willWrite(parts.name);
  shared[result] = &tile;
  Text &after = sweep.after;
  const char *kind = reduce.getKind() == tile::ReduceKind::Sum ? "sum" : "max";
  after.directive("#pragma unroll");
  after.open("for (int n = 0; n < " + llvm::Twine(own) + "; ++n) {");
  if (nearest < 32)
    after.line(mine + "[n] = warp_" + kind + "_from<" + llvm::Twine(nearest) +
               ">(" + mine + "[n]);");
  std::string column = layout.vector == 1
                           ? (layout.lanes == 1 ? "0" : "lane")
                           : "lane * " + std::to_string(layout.vector) +
                                 " + n % " + std::to_string(layout.vector);
  if (layout.groups > 1)
    column +=
        " + " + std::to_string(layout.lanes * layout.vector) + " * " +
        (layout.vector == 1 ? "n"
                            : "(n / " + std::to_string(layout.vector) + ")");
  after.line("const int c = " + column + ";");
  std::string guard =
      nearest < 32 ? "thread % 32 < " + std::to_string(nearest) : "";
  if (layout.coveredColumns() > layout.columns)
    guard +=
        (guard.empty() ? "c < " : " && c < ") + std::to_string(layout.columns);
  if (!guard.empty())
    after.line("if (" + guard + ")");
  std::string group =
      "thread / " + std::to_string(std::max<int64_t>(32, layout.lanes));
  after.line(
      (guard.empty() ? "store_one(&" : "  store_one(&") + parts.name + "[" +
      (groups > 1 ? group + " * " + std::to_string(parts.pitch) + " + " : "") +
      "c], " + (groups > 1 ? mine + "[n]" : rounded(reduce, mine + "[n]")) +
      ");");
  after.close();
  if (groups == 1)
    return success();
  after.line("__syncthreads();");
  willWrite(tile.name);
  after.open("for (int c = thread; c < " + llvm::Twine(layout.columns) +
             "; c += " + llvm::Twine(threads) + ") {");
  bool narrow = element.isBF16() || element.isF16();
  auto part = [&](const std::string &g) {
    std::string read =
        parts.name + "[" + g + " * " + std::to_string(parts.pitch) + " + c]";
    return narrow ? "to_float(" + read + ")" : read;
  };
  after.line(cType + " total = " + part("0") + ";");
  after.line("for (int k = 1; k < " + llvm::Twine(groups) + "; ++k)");
  after.line("  total = " + combined(reduce, "total", part("k")) + ";");
  after.line("store_one(&" + tile.name + "[c], " + rounded(reduce, "total") +
             ");");
  after.close();
  // Whoever writes the parts again comes after this loop.
  readSinceBarrier.insert(parts.name);
  return success();
}

/// Any axis of any tile: a thread per result, one element after the other.
LogicalResult SimtEmitter::emitGenericReduce(tile::ReduceOp reduce) {
  if (failed(flush()))
    return failure();
  RankedTensorType type = reduce.getOperand().getType();
  RankedTensorType resultType = reduce.getResult().getType();
  Value result = reduce.getResult();
  int64_t columns = resultType.getDimSize(resultType.getRank() - 1);
  Layout layout = copyLayout(resultType.getNumElements() / columns, columns, 1);
  SmallVector<Expression> at = identity(result, layout);
  if (resultType.getRank() == 1)
    at = {columnOf(layout)};
  at.insert(at.begin() + reduce.getAxis(), {"k", Expression::element});
  std::set<std::pair<void *, std::string>> seen;
  if (failed(prepare(reduce.getOperand(), at, layout, seen)))
    return failure();
  const BlockTile &tile =
      allocate(nameFor(result), resultType.getElementType(),
               resultType.getNumElements() / columns, columns);
  willWrite(tile.name);
  ++sweepNumber;
  NameScope scope(names, lasting);
  Sweep sweep(layout, options.lines);
  Element e = element(sweep, reduce.getOperand(), at);
  if (failed(e))
    return failure();
  std::string cType =
      variableType(type.getElementType(), unsignedValues.contains(result));
  Text body = sweep.element;
  sweep.element.buffer.clear();
  sweep.element.at(reduce.getLoc());
  sweep.element.line(cType + " total = " + neutralOf(reduce) + ";");
  sweep.element.open("for (int k = 0; k < " +
                     llvm::Twine(type.getDimSize(reduce.getAxis())) +
                     "; ++k) {");
  sweep.element.append(body);
  sweep.element.line("total = " + combined(reduce, "total", e->text) + ";");
  sweep.element.close();
  sweep.element.line("store_one(&" + tile.name + "[" +
                     (layout.rows > 1
                          ? "r * " + std::to_string(tile.pitch) + " + c"
                          : std::string("c")) +
                     "], " + rounded(reduce, "total") + ");");
  sweep.write(text);
  shared[result] = &tile;
  return success();
}
