//===- Reference.h - one function on files of tensors -----------*- C++ -*-===//

#ifndef TOOLS_TARN_REFERENCE_H
#define TOOLS_TARN_REFERENCE_H

#include "tools/tarn/Options.h"

namespace tarn::cli {

/// `tarn run` by compiled code. Returns an ExitCode.
int runCompiled(const Invocation &invocation);
/// `tarn run --reference`: the same by the float64 interpreter.
int runReference(const Invocation &invocation);

} // namespace tarn::cli

#endif // TOOLS_TARN_REFERENCE_H
