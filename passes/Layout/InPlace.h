//===- InPlace.h - parts of values that are no copies -----------*- C++ -*-===//
//
// A slice of whole rows lies in memory as a part of what it is taken from, and
// so may what is put together row after row. Ops that are marked here are
// another name for bytes, like a reshape: fusion makes no kernel of them, and
// the plan gives them no place of their own.
//
// Parts that are put together along another dim are many runs of bytes. Each is
// padded to the whole by its kernel, which writes the part alone: the pad is
// open. The sum of open pads is another name for the bytes of all.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_LAYOUT_INPLACE_H
#define PASSES_LAYOUT_INPLACE_H

#include "dialects/Tarn/TarnOps.h"

namespace tarn {

/// Marks a slice or a concatenation as in place, where each of its parts is one
/// run of bytes that begins at a multiple of 64 and no part is put together
/// twice; says whether it did.
bool markInPlace(mlir::Operation *op);

/// Whether an op was marked.
bool isInPlace(mlir::Operation *op);

/// Pads a part to a whole of which other kernels write the rest: `before` and
/// `behind` it along a dim.
mlir::Value padOpen(mlir::OpBuilder &b, mlir::Location loc, mlir::Value part,
                    int64_t dim, int64_t before, int64_t behind);

/// The whole of what is in open pads.
mlir::Value putTogether(mlir::OpBuilder &b, mlir::Location loc,
                        mlir::ValueRange padded);

/// Whether an op pads a part to a whole of which other kernels write the rest.
bool isOpen(mlir::Operation *op);

/// Gives an op the number of the part of the rows that it works on. Ops of
/// different parts never share a kernel: that would bring back what parts save.
void setPart(mlir::Operation *op, int64_t part);

/// The number of the part, or -1.
int64_t partOf(mlir::Operation *op);

/// Forgets the part, so that kernels of several parts are one.
void dropPart(mlir::Operation *op);

/// Another name for a run of bytes: the value they belong to, and where in it
/// they begin.
struct Alias {
  mlir::Value of;
  int64_t offset = 0;
};

/// What a value is another name for: of a reshape its operand, of a slice in
/// place what it is taken from, of a part what it is put together to. Nothing
/// if it has bytes of its own.
std::optional<Alias> aliasOf(mlir::Value value);

/// The value that the bytes belong to, through all names, and where in it they
/// begin.
Alias ownerOf(mlir::Value value);

} // namespace tarn

#endif // PASSES_LAYOUT_INPLACE_H
