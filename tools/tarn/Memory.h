//===- Memory.h - what this machine has to give -----------------*- C++ -*-===//

#ifndef TOOLS_TARN_MEMORY_H
#define TOOLS_TARN_MEMORY_H

#include <cstdint>

namespace tarn::cli {

/// Bytes of memory that a new process could have without swapping, within the
/// limit of its control group; -1 where the system does not say.
int64_t freeMemory();

} // namespace tarn::cli

#endif // TOOLS_TARN_MEMORY_H
