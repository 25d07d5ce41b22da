//===- SimtSweep.h - a sweep while it is being written ----------*- C++ -*-===//

#ifndef COMPILER_TARGET_CUDA_SIMTSWEEP_H
#define COMPILER_TARGET_CUDA_SIMTSWEEP_H

#include "compiler/Target/Cuda/Simt.h"

namespace tarn::cuda {

/// A loop over the elements that a thread owns, from the outside inwards: rows
/// `r`, groups of columns `c`, neighbours `e` of a group. Each part's text is
/// kept apart until all roots have been evaluated.
struct SimtEmitter::Sweep {
  Sweep(const Layout &layout, bool lines)
      : layout(layout), before(lines), rowHead(lines), row(lines),
        rowEnd(lines), group(lines), element(lines), elementEnd(lines),
        groupEnd(lines), rowTail(lines), after(lines) {}

  Layout layout;
  /// Where rows and columns start, for parts of operands.
  std::string rowStart, columnStart;
  /// Before the loops; at the head of a row (for all threads); in a row that
  /// exists, before its groups and behind them; in a group before its elements;
  /// per element, and behind all that is evaluated for it; behind the elements;
  /// at the end of a row (all threads); after the loops.
  Text before, rowHead, row, rowEnd, group, element, elementEnd, groupEnd,
      rowTail, after;
  std::map<std::pair<void *, std::string>, Expression> memo;
  std::map<std::pair<void *, std::string>, std::string> vectorLoads;
  /// Whether arrays of registers are touched: then loops must be unrolled.
  bool usesRegisters = false;

  /// The text that an expression of this level is defined in.
  Text &at(int level) {
    return level == Expression::block ? before
           : level == Expression::row ? row
                                      : element;
  }
  /// The number of the thread's register that holds the current element, or
  /// the current row.
  std::string registerIndex() const;
  std::string rowIndex() const;
  /// Puts the parts together.
  void write(Text &text) const;
};

/// Names of a sweep are free again behind it, except those that last.
class NameScope {
public:
  NameScope(Names &names, llvm::SmallVectorImpl<std::string> &lasting)
      : names(names), before(names), lasting(lasting), from(lasting.size()) {}
  ~NameScope() {
    names = before;
    for (size_t i = from; i < lasting.size(); ++i)
      names.reserve(lasting[i]);
  }

private:
  Names &names;
  Names before;
  llvm::SmallVectorImpl<std::string> &lasting;
  size_t from;
};

/// The row and the column of the current element.
Expression rowOf(const Layout &layout);
Expression columnOf(const Layout &layout);
/// The column of the first element of the current group.
std::string groupColumn();

/// Whether a tile is a constant.
bool isConstant(mlir::Value value);

/// An error that names what the emitter does not carry.
mlir::InFlightDiagnostic unsupported(mlir::Operation *op);

} // namespace tarn::cuda

#endif // COMPILER_TARGET_CUDA_SIMTSWEEP_H
