//===- TarnDialect.td - the dialect `tarn` --------------------------------===//

#ifndef DIALECTS_TARN_TARNDIALECT_TD
#define DIALECTS_TARN_TARNDIALECT_TD

include "mlir/IR/OpBase.td"

def Tarn_Dialect : Dialect {
  let name = "tarn";
  let cppNamespace = "::tarn::graph";
  let summary = "the value-semantic training graph";
}

#endif
