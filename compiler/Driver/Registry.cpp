//===- Registry.cpp - what every Tarn tool knows --------------------------===//

#include "compiler/Driver/Registry.h"

#include "compiler/Target/Cuda/Register.h"
#include "dialects/Step/StepDialect.h"
#include "dialects/Tarn/TarnDialect.h"
#include "dialects/Tile/TileDialect.h"
#include "passes/Graph/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Fuse/Passes.h"
#include "passes/Layout/Passes.h"
#include "passes/Plan/Passes.h"
#include "passes/Precision/Passes.h"
#include "passes/Tile/Passes.h"
#include "passes/Train/Passes.h"

#include "mlir/Transforms/Passes.h"

void tarn::registerDialects(mlir::DialectRegistry &registry) {
  registry.insert<graph::TarnDialect, step::StepDialect, tile::TileDialect,
                  mlir::arith::ArithDialect, mlir::func::FuncDialect,
                  mlir::math::MathDialect, mlir::memref::MemRefDialect,
                  mlir::scf::SCFDialect, mlir::vector::VectorDialect>();
  cuda::registerCode(registry);
}

void tarn::registerPasses() {
  mlir::registerCanonicalizerPass();
  mlir::registerCSEPass();
  graph::registerGraphPasses();
  registerTarnTrainPasses();
  registerTarnLayoutPasses();
  registerTarnFusePasses();
  registerTarnTilePasses();
  registerTarnPlanPasses();
  registerTarnPrecisionPasses();
}
