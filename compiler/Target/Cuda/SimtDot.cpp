//===- SimtDot.cpp - products ---------------------------------------------===//
//
// Operands lie in shared memory; long contracted dims go through it in parts.
// Without tensor cores every thread has a rectangle of the result, and adds
// term after term by fma. With them, a warp has 16 rows and all columns.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cuda/SimtSweep.h"

using namespace tarn;
using namespace tarn::cuda;
using namespace mlir;

/// Terms of a part, at most, and bytes of an operand that is not split.
static constexpr int64_t partTerms = 32, partTermsTensor = 64;
static constexpr int64_t wholeBytes = 20 * 1024;

/// An operand of a product.
struct SimtEmitter::Operand {
  Value value;
  /// Whether the contracted dim runs along the tile's columns.
  bool depthLast = true;
  /// Extents in memory's order: rows and columns of the tile.
  int64_t rows = 0, columns = 0;
  const BlockTile *tile = nullptr;
  /// Whether shared memory has the current part only.
  bool inParts = false;
  /// For left operands that the threads hold: the array to pack.
  std::string registers;
};

/// A value that is rounded when it is packed or written.
static Value unrounded(Value value) {
  auto cast = value.getDefiningOp<arith::TruncFOp>();
  if (cast && getElementTypeOrSelf(cast.getIn().getType()).isF32())
    return cast.getIn();
  return value;
}

static bool isZero(Value value) {
  auto constant = value.getDefiningOp<arith::ConstantOp>();
  auto elements =
      constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : nullptr;
  return elements && elements.isSplat() &&
         isa<FloatType>(elements.getElementType()) &&
         elements.getSplatValue<APFloat>().isPosZero();
}

/// Whether threads have a value in the accumulators' fragment: it is made of
/// products or of what a loop carries.
static bool isOfProducts(Value value, llvm::DenseSet<Value> &seen) {
  Operation *op = value.getDefiningOp();
  if (!isa<RankedTensorType>(value.getType()) || !seen.insert(value).second)
    return false;
  return !op || isa<tile::DotOp>(op) ||
         (!isa<tile::LoadOp, tile::GatherOp>(op) &&
          llvm::any_of(op->getOperands(), [&](Value operand) {
            return isOfProducts(operand, seen);
          }));
}

/// A tile for an operand. Rows and columns that threads read beyond its end
/// exist, whatever is in them.
const BlockTile &SimtEmitter::allocateOperand(Value value, int64_t rows,
                                              int64_t columns, int64_t stages) {
  auto type = cast<RankedTensorType>(value.getType());
  // Columns of a transposed right operand are rows here: an odd distance puts
  // those of a warp into different banks. Terms of tf32 that are rows are read
  // four at a time, beside eight elements of each.
  Pitch pitch = Pitch::padded;
  int64_t coveredRows = rows, coveredColumns = columns;
  for (OpOperand &use : value.getUses()) {
    auto dot = dyn_cast<tile::DotOp>(use.getOwner());
    if (!dot)
      continue;
    bool left = use.getOperandNumber() == 0;
    bool transposed = left ? dot.getTransposeA() : dot.getTransposeB();
    if (!tensorCores && !left && transposed)
      pitch = Pitch::odd;
    llvm::DenseSet<Value> seen;
    if (tensorCores && dot.getTf32() && left == transposed &&
        (left || dot.getTransposeA() || !isOfProducts(dot.getA(), seen)))
      pitch = Pitch::paddedTwice;
    auto covered = [&](int64_t extent) {
      return left ? rowLayout(extent).coveredRows()
                  : matrixLayout(1, extent).coveredColumns();
    };
    // The dim that is not contracted: rows of a left one, columns of a right.
    bool ownIsRow = left != transposed;
    if (ownIsRow)
      coveredRows = std::max(coveredRows, covered(rows));
    else
      coveredColumns = std::max(coveredColumns, covered(columns));
  }
  return allocate(nameFor(value), type.getElementType(), coveredRows,
                  coveredColumns, pitch, stages);
}

/// Operands from outside a loop are copied once, before it, where they fit.
LogicalResult SimtEmitter::stageBefore(scf::ForOp loop) {
  if (chunkOperands)
    return success();
  llvm::SetVector<Value> outside;
  loop.walk([&](tile::DotOp dot) {
    for (Value operand : {Value(dot.getA()), Value(dot.getB())}) {
      Operation *op = operand.getDefiningOp();
      if (op && !loop->isAncestor(op) && !shared.contains(operand))
        outside.insert(operand);
    }
  });
  for (Value value : outside) {
    auto type = cast<RankedTensorType>(value.getType());
    Operand operand;
    operand.value = value;
    operand.rows = type.getDimSize(0);
    operand.columns = type.getDimSize(1);
    operand.tile = &allocateOperand(value, operand.rows, operand.columns);
    if (failed(stage(operand, "", "")))
      return failure();
    shared[value] = operand.tile;
  }
  return success();
}

/// Copies an operand, or the part of it that starts at a row and a column, to
/// its tile.
LogicalResult SimtEmitter::stage(Operand &operand, StringRef rowStart,
                                 StringRef columnStart) {
  llvm::DenseSet<Value> seen;
  Root root;
  root.value = operand.value;
  root.shared = operand.tile;
  root.rowOffset = rowStart.str();
  root.columnOffset = columnStart.str();
  int64_t bytes = memoryBytes(operand.tile->element);
  bool aligned = operand.tile->pitch * bytes % 16 == 0;
  root.layout =
      holdsMatrix(operand.value, seen)
          ? home(operand.value)
          : copyLayout(operand.rows, operand.columns, aligned ? 16 / bytes : 1);
  return emitSweep({root});
}

/// Decides where an operand lies, and copies it there unless it comes in parts.
LogicalResult SimtEmitter::prepareOperand(Operand &operand, tile::DotOp dot,
                                          bool left) {
  operand.value = left ? dot.getA() : dot.getB();
  bool transposed = left ? dot.getTransposeA() : dot.getTransposeB();
  operand.depthLast = left != transposed;
  auto type = cast<RankedTensorType>(operand.value.getType());
  operand.rows = type.getDimSize(0);
  operand.columns = type.getDimSize(1);
  auto copied = shared.find(operand.value);
  if (copied != shared.end()) {
    operand.tile = copied->second;
    return success();
  }
  llvm::DenseSet<Value> seen;
  bool isHeld = holdsMatrix(operand.value, seen);
  if (left && tensorCores && !transposed && isHeld) {
    // The accumulators' fragment is the left operand's: nothing moves.
    Value source = unrounded(operand.value);
    auto known = held.find(source);
    if (known == held.end()) {
      Root root;
      root.value = source;
      root.layout = home(source);
      root.array = declare(source, nameFor(source));
      if (failed(emitSweep({root})))
        return failure();
      held[source] = {root.array, root.layout};
      known = held.find(source);
    }
    operand.registers = known->second.name;
    return success();
  }
  int64_t bytes = type.getNumElements() * memoryBytes(type.getElementType());
  int64_t most = tensorCores ? partTermsTensor : partTerms;
  operand.inParts =
      !isHeld && dot.getK() > most && (chunkOperands || bytes > wholeBytes);
  if (operand.inParts)
    return success();
  operand.tile = &allocateOperand(operand.value, operand.rows, operand.columns);
  if (failed(stage(operand, "", "")))
    return failure();
  shared[operand.value] = operand.tile;
  return success();
}

/// Terms of a part: as many as there may be, evenly.
static int64_t termsOf(int64_t depth, int64_t most, int64_t multiple) {
  for (int64_t terms = most; terms > multiple; terms -= multiple)
    if (depth % terms == 0)
      return terms;
  return depth % multiple == 0 ? multiple : 1;
}

LogicalResult SimtEmitter::emitDot(tile::DotOp dot) {
  RankedTensorType type = dot.getResult().getType();
  if (!type.getElementType().isF32() && !type.getElementType().isF64())
    return unsupported(dot) << "a product of " << type.getElementType();
  Layout layout = matrixLayout(type.getDimSize(0), type.getDimSize(1));
  Operand a, b;
  if (failed(prepareOperand(a, dot, /*left=*/true)) ||
      failed(prepareOperand(b, dot, /*left=*/false)))
    return failure();
  std::string acc = declare(dot.getResult(), nameFor(dot.getResult()));
  auto start = held.find(dot.getAcc());
  if (isZero(dot.getAcc()) || start != held.end()) {
    text.directive("#pragma unroll");
    text.line("for (int n = 0; n < " + Twine(layout.registers()) + "; ++n)");
    text.line("  " + acc + "[n] = " +
              (start != held.end() ? start->second.name + "[n]"
                                   : std::string("0.0f")) +
              ";");
  } else {
    Root root;
    root.value = dot.getAcc();
    root.layout = layout;
    root.array = acc;
    if (failed(emitSweep({root})))
      return failure();
  }
  held[dot.getResult()] = {acc, layout};

  int64_t depth = dot.getK();
  int64_t terms = depth;
  std::string from;
  if (a.inParts || b.inParts) {
    terms = tensorCores ? termsOf(depth, partTermsTensor, 16)
                        : termsOf(depth, partTerms, 4);
    from = names.unique("from");
    text.directive("#pragma unroll 1");
    text.open("for (int " + from + " = 0; " + from + " < " + Twine(depth) +
              "; " + from + " += " + Twine(terms) + ") {");
    for (Operand *operand : {&a, &b}) {
      if (!operand->inParts)
        continue;
      bool depthIsColumn = operand->depthLast;
      (depthIsColumn ? operand->columns : operand->rows) = terms;
      const BlockTile *&known =
          parts[{operand == &a, depthIsColumn, operand->rows, operand->columns,
                 memoryType(getElementTypeOrSelf(operand->value.getType()))}];
      if (!known)
        known =
            &allocateOperand(operand->value, operand->rows, operand->columns);
      operand->tile = known;
      if (failed(stage(*operand, depthIsColumn ? "" : from,
                       depthIsColumn ? from : "")))
        return failure();
    }
  }
  if (a.registers.empty())
    willRead(a.tile->name);
  willRead(b.tile->name);
  text.at(dot.getLoc());
  // Operands that are there as a whole are read from the part's start on.
  std::string startA = a.inParts || from.empty() ? "" : from + " + ";
  std::string startB = b.inParts || from.empty() ? "" : from + " + ";
  if (tensorCores)
    emitMma(dot, a, b, terms, acc, layout, startA, startB);
  else
    emitFma(dot, a, b, terms, acc, layout, startA, startB);
  if (!from.empty()) {
    barrier();
    text.close();
  }
  return success();
}

/// Every thread adds its rectangle, term after term.
void SimtEmitter::emitFma(tile::DotOp dot, Operand &a, Operand &b,
                          int64_t depth, StringRef acc, const Layout &layout,
                          StringRef startA, StringRef startB) {
  bool aDepthLast = !dot.getTransposeA(), bDepthLast = dot.getTransposeB();
  std::string type = variableType(dot.getResult().getType().getElementType());
  bool tf32 = dot.getTf32();
  auto value = [&](const BlockTile *tile, const std::string &index) {
    std::string read = tile->name + "[" + index + "]";
    return tile->element.isBF16() || tile->element.isF16()
               ? "to_float(" + read + ")"
           : tf32 ? "round_tf32(" + read + ")"
                  : read;
  };
  std::string vectorLoad = tf32 ? "load_tf32" : "load_vector";
  std::string rows = std::to_string(layout.heldRows);
  std::string vector = std::to_string(layout.vector);
  std::string groups = std::to_string(layout.groups);
  std::string pitchA = std::to_string(a.tile->pitch);
  std::string pitchB = std::to_string(b.tile->pitch);
  std::string r = layout.heldRows > 1
                      ? "(row + " + std::to_string(layout.rowStep) + " * p)"
                      : "row";
  std::string column = layout.lanes == 1    ? "0"
                       : layout.vector == 1 ? "lane"
                                            : "lane * " + vector;
  if (layout.groups > 1)
    column += " + " + std::to_string(layout.lanes * layout.vector) + " * n";
  // Threads without a row or a column of their own read the last one.
  auto upTo = [](const std::string &index, int64_t last) {
    std::string end = std::to_string(last);
    return "(" + index + " < " + end + " ? " + index + " : " + end + ")";
  };
  if (layout.coveredRows() > layout.rows)
    r = upTo(r, layout.rows - 1);
  if (layout.coveredColumns() > layout.columns)
    column = upTo(column, layout.columns - layout.vector);
  // Four terms of the left operand at once, where they are neighbours.
  bool fours = aDepthLast && depth % 4 == 0 &&
               a.tile->pitch * memoryBytes(a.tile->element) % 16 == 0;
  std::string term = fours ? "k + j" : "k";
  text.directive("#pragma unroll " + Twine(fours ? 2 : 4));
  text.open("for (int k = 0; k < " + Twine(depth) +
            "; k += " + Twine(fours ? 4 : 1) + ") {");
  text.line(type + " left[" + rows + "]" + (fours ? "[4]" : "") + ";");
  text.directive("#pragma unroll");
  text.line("for (int p = 0; p < " + rows + "; ++p)");
  if (fours)
    text.line("  " + vectorLoad + "(left[p], &" + a.tile->name + "[" + r +
              " * " + pitchA + " + " + startA + "k]);");
  else
    text.line(
        "  left[p] = " +
        value(a.tile, aDepthLast
                          ? r + " * " + pitchA + " + " + startA.str() + "k"
                          : "(" + startA.str() + "k) * " + pitchA + " + " + r) +
        ";");
  if (fours) {
    text.directive("#pragma unroll");
    text.open("for (int j = 0; j < 4; ++j) {");
  }
  text.line(type + " right[" + groups + "][" + vector + "];");
  text.directive("#pragma unroll");
  text.line("for (int n = 0; n < " + groups + "; ++n)");
  std::string at = "(" + startB.str() + term + ") * " + pitchB + " + " + column;
  if (!bDepthLast && b.tile->pitch * memoryBytes(b.tile->element) % 16 == 0) {
    text.line("  " + vectorLoad + "(right[n], &" + b.tile->name + "[" + at +
              "]);");
  } else {
    text.line("  for (int e = 0; e < " + vector + "; ++e)");
    text.line("    right[n][e] = " +
              value(b.tile, bDepthLast ? "(" + column + " + e) * " + pitchB +
                                             " + " + startB.str() + term
                                       : at + " + e") +
              ";");
  }
  text.directive("#pragma unroll");
  text.line("for (int p = 0; p < " + rows + "; ++p)");
  text.line("  for (int n = 0; n < " + groups + "; ++n)");
  text.line("    for (int e = 0; e < " + vector + "; ++e)");
  std::string index = "(p * " + groups + " + n) * " + vector + " + e";
  std::string fma = type == "double" ? "fma" : "fmaf";
  text.line("      " + acc + "[" + index + "] = " + fma + "(left[p]" +
            (fours ? "[j]" : "") + ", right[n][e], " + acc + "[" + index +
            "]);");
  if (fours)
    text.close();
  text.close();
}

/// Where a thread is in its warp's part of a fragment.
static const char laneRow[] = "thread % 32 / 4";

/// A part of the left operand, 16 rows of it: `left`, in the instruction's
/// order.
void SimtEmitter::emitLeft(tile::DotOp dot, Operand &a, const Layout &layout,
                           StringRef start) {
  bool tf32 = dot.getTf32();
  std::string k = start.str() + "k";
  auto four = [&](ArrayRef<std::string> parts) {
    text.line("const u32 left[4] = {" + parts[0] + ", " + parts[1] + ",");
    text.line("                     " + parts[2] + ", " + parts[3] + "};");
  };
  if (!a.registers.empty()) {
    // Registers of the accumulators: neighbours are a pair of halves, or terms
    // 2 t and 2 t + 1 in the places of t and t + 4.
    int64_t groups = dot.getK() / 8;
    std::string type =
        dot.getA().getType().getElementType().isBF16() ? "bf16" : "f16";
    auto part = [&](int half, int next) {
      std::string p = layout.heldRows > 2
                          ? "(2 * q + " + std::to_string(half) + ")"
                          : std::to_string(half);
      std::string i = "(" + p + " * " + std::to_string(groups) + " + (" + k +
                      ") / 8" + (tf32 ? "" : " + " + std::to_string(next)) +
                      ") * 2";
      if (tf32)
        return "to_tf32(" + a.registers + "[" + i + (next ? " + 1" : "") + "])";
      return "pack_" + type + "(" + a.registers + "[" + i + "], " +
             a.registers + "[" + i + " + 1])";
    };
    return four({part(0, 0), part(1, 0), part(0, 1), part(1, 1)});
  }
  std::string pitch = std::to_string(a.tile->pitch);
  if (tf32 && dot.getTransposeA()) {
    auto part = [&](int half, int next) {
      return "to_tf32(" + a.tile->name + "[(" + k + " + thread % 4" +
             (next ? " + 4" : "") + ") * " + pitch + " + warp_row + " +
             laneRow + (half ? " + 8" : "") + "])";
    };
    return four({part(0, 0), part(1, 0), part(0, 1), part(1, 1)});
  }
  text.line("u32 left[4];");
  if (dot.getTransposeA())
    text.line("ldmatrix_x4_transposed(left, &" + a.tile->name + "[(" + k +
              " + thread % 8 + thread % 32 / 16 * 8) * " + pitch +
              " + warp_row + thread / 8 % 2 * 8]);");
  else
    text.line("ldmatrix_x4(left, &" + a.tile->name +
              "[(warp_row + thread % 16) * " + pitch + " + " + k +
              " + thread % 32 / 16 * " + (tf32 ? "4" : "8") + "]);");
  if (tf32)
    text.line("round_tf32(left);");
}

/// The same terms of 16 columns of the right operand: `right`. `inPairs`: as
/// left operands in registers have them.
void SimtEmitter::emitRight(tile::DotOp dot, Operand &b, bool inPairs,
                            StringRef start) {
  bool tf32 = dot.getTf32(), depthLast = dot.getTransposeB();
  std::string pitch = std::to_string(b.tile->pitch), k = start.str() + "k";
  if (tf32 && (inPairs || !depthLast)) {
    auto part = [&](int half, int next) {
      std::string term = inPairs ? " + thread % 4 * 2" : " + thread % 4";
      if (next)
        term += inPairs ? " + 1" : " + 4";
      std::string column = "n + " + std::string(laneRow) + (half ? " + 8" : "");
      return "to_tf32(" + b.tile->name + "[" +
             (depthLast ? "(" + column + ") * " + pitch + " + " + k + term
                        : "(" + k + term + ") * " + pitch + " + " + column) +
             "])";
    };
    text.line("const u32 right[4] = {" + part(0, 0) + ", " + part(0, 1) + ",");
    text.line("                      " + part(1, 0) + ", " + part(1, 1) + "};");
    return;
  }
  text.line("u32 right[4];");
  if (depthLast)
    text.line("ldmatrix_x4(right, &" + b.tile->name +
              "[(n + thread % 8 + thread % 32 / 16 * 8) * " + pitch + " + " +
              k + " + thread / 8 % 2 * " + (tf32 ? "4" : "8") + "]);");
  else
    text.line("ldmatrix_x4_transposed(right, &" + b.tile->name + "[(" + k +
              " + thread % 16) * " + pitch + " + n + thread % 32 / 16 * 8]);");
  if (tf32)
    text.line("round_tf32(right);");
}

/// Every warp multiplies 16 rows with all columns.
void SimtEmitter::emitMma(tile::DotOp dot, Operand &a, Operand &b,
                          int64_t depth, StringRef acc, const Layout &layout,
                          StringRef startA, StringRef startB) {
  int64_t rows = layout.rows, columns = layout.columns;
  int64_t rowTiles = layout.heldRows / 2, step = threads / 2;
  Type element = dot.getA().getType().getElementType();
  std::string product = dot.getTf32()      ? "mma_m16n8k8_tf32"
                        : element.isBF16() ? "mma_m16n8k16_bf16"
                                           : "mma_m16n8k16_f16";
  text.directive("#pragma unroll");
  text.open("for (int k = 0; k < " + Twine(depth) +
            "; k += " + Twine(dot.getTf32() ? 8 : 16) + ") {");
  if (rowTiles > 1) {
    text.directive("#pragma unroll");
    text.open("for (int q = 0; q < " + Twine(rowTiles) + "; ++q) {");
  }
  text.line("const int warp_row = thread / 32 * 16" +
            (rowTiles > 1 ? " + " + Twine(step) + " * q" : Twine()) + ";");
  bool guard = layout.coveredRows() > rows;
  if (guard)
    text.open("if (warp_row < " + Twine(rows) + ") {");
  emitLeft(dot, a, layout, startA);
  text.directive("#pragma unroll");
  text.open("for (int n = 0; n < " + Twine(columns) + "; n += 16) {");
  emitRight(dot, b, /*inPairs=*/!a.registers.empty(), startB);
  int64_t groups = layout.groups;
  for (int half = 0; half < 2; ++half) {
    auto at = [&](int lower) {
      std::string p = rowTiles > 1 ? "(2 * q + " + std::to_string(lower) + ")"
                                   : std::to_string(lower);
      return "&" + acc.str() + "[(" + p + " * " + std::to_string(groups) +
             " + n / 8 + " + std::to_string(half) + ") * 2]";
    };
    text.line(product + "(" + at(0) + ", " + at(1) + ", left, right[" +
              Twine(2 * half) + "], right[" + Twine(2 * half + 1) + "]);");
  }
  text.close();
  if (guard)
    text.close();
  if (rowTiles > 1)
    text.close();
  text.close();
}
