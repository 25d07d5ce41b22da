//===- Registry.h - what every Tarn tool knows ------------------*- C++ -*-===//

#ifndef COMPILER_DRIVER_REGISTRY_H
#define COMPILER_DRIVER_REGISTRY_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace tarn {

/// Adds the dialects that Tarn programs are written in: its own three and the
/// upstream ones they lean on, and what passes ask of targets. Nothing else is
/// registered, so that tools start fast.
void registerDialects(mlir::DialectRegistry &registry);

/// Registers every Tarn pass and pipeline, and canonicalize and cse.
void registerPasses();

} // namespace tarn

#endif // COMPILER_DRIVER_REGISTRY_H
