//===- TarnDialect.td - the dialect `tarn` --------------------------------===//

#ifndef DIALECTS_TARN_TARNDIALECT_TD
#define DIALECTS_TARN_TARNDIALECT_TD

include "mlir/IR/OpBase.td"

def Tarn_Dialect : Dialect {
  let name = "tarn";
  let cppNamespace = "::tarn::graph";
  let summary = "the value-semantic training graph";
  let description = [{
    A training step as a graph of values: static ranked tensors go in, static
    ranked tensors come out, nothing is written in place.

    ```mlir
    func.func @forward(%x: tensor<8x16xf32>, %w: tensor<16x4xf32>,
                       %b: tensor<4xf32>) -> tensor<8x4xf32> {
      %0 = tarn.dot %x, %w : tensor<8x16xf32>, tensor<16x4xf32> -> tensor<8x4xf32>
      %1 = tarn.broadcast %b dims = [1] : tensor<4xf32> -> tensor<8x4xf32>
      %2 = tarn.add %0, %1 : tensor<8x4xf32>
      return %2 : tensor<8x4xf32>
    }
    ```

    What it leaves out, and why, is in README.md beside this file.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
  let hasConstantMaterializer = 1;
  let useDefaultAttributePrinterParser = 1;
}

#endif
