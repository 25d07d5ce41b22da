//===- TarnOps.td - ops of the dialect `tarn` ----------------------------===//

#ifndef DIALECTS_TARN_TARNOPS_TD
#define DIALECTS_TARN_TARNOPS_TD

include "dialects/Tarn/TarnDialect.td"

#endif
