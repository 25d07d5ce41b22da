//===- Complaint.h - errors with notes on the other party -------*- C++ -*-===//

#ifndef DIALECTS_TARN_COMPLAINT_H
#define DIALECTS_TARN_COMPLAINT_H

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Operation.h"

namespace tarn::graph {

/// An error about an op that may not exist yet (type inference) or that nobody
/// wants to hear of (no location). Converts to failure.
class Complaint {
public:
  Complaint(std::optional<mlir::Location> loc, llvm::StringRef opName) {
    if (loc)
      diagnostic.emplace(mlir::emitError(*loc) << "'" << opName << "' op ");
  }
  explicit Complaint(mlir::Operation *op)
      : Complaint(op->getLoc(), op->getName().getStringRef()) {}

  template <typename T> Complaint &operator<<(T &&value) {
    if (diagnostic)
      *diagnostic << std::forward<T>(value);
    return *this;
  }

  /// Points at a value that the error is about as well.
  Complaint &note(mlir::Value value, llvm::StringRef name) {
    if (diagnostic)
      diagnostic->attachNote(value.getLoc())
          << name << " is " << value.getType();
    return *this;
  }

  operator mlir::LogicalResult() const { return mlir::failure(); }

private:
  std::optional<mlir::InFlightDiagnostic> diagnostic;
};

} // namespace tarn::graph

#endif // DIALECTS_TARN_COMPLAINT_H
