//===- KernelCostJson.h - counts inside of an artifact ----------*- C++ -*-===//

#ifndef COMPILER_COST_KERNELCOSTJSON_H
#define COMPILER_COST_KERNELCOSTJSON_H

#include "compiler/Cost/KernelCost.h"
#include "runtime/Json.h"

#include <optional>

namespace tarn {

/// The counts as the manifest's `work` of a kernel.
rt::Json writeKernelCost(const KernelCost &cost);

/// Reads them back; nothing if they are not there or not whole.
std::optional<KernelCost> readKernelCost(const rt::Json &work);

} // namespace tarn

#endif // COMPILER_COST_KERNELCOSTJSON_H
