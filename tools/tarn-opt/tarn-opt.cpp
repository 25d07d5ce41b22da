//===- tarn-opt.cpp - run passes on Tarn IR -------------------------------===//

#include "compiler/Driver/Registry.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  tarn::registerDialects(registry);
  tarn::registerPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Tarn optimizer driver\n", registry));
}
