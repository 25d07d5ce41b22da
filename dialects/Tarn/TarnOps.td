//===- TarnOps.td - ops of the dialect `tarn` ----------------------------===//

#ifndef DIALECTS_TARN_TARNOPS_TD
#define DIALECTS_TARN_TARNOPS_TD

include "mlir/Interfaces/ControlFlowInterfaces.td"
include "dialects/Tarn/StructureOps.td"
include "dialects/Tarn/ElementwiseOps.td"
include "dialects/Tarn/ShapeOps.td"
include "dialects/Tarn/ReduceOps.td"
include "dialects/Tarn/DotOps.td"
include "dialects/Tarn/ConvOps.td"
include "dialects/Tarn/RandomOps.td"
include "dialects/Tarn/OrderOps.td"
include "dialects/Tarn/RoutingOps.td"
include "dialects/Tarn/NormOps.td"
include "dialects/Tarn/AttentionOps.td"

#endif
