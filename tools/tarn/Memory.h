//===- Memory.h - what this machine has to give -----------------*- C++ -*-===//

#ifndef TOOLS_TARN_MEMORY_H
#define TOOLS_TARN_MEMORY_H

#include <cstdint>

namespace tarn::cli {

/// No machine addresses more: 2^48 bytes.
constexpr int64_t largestMemory = int64_t(1) << 48;

/// Bytes of memory that a new process could have without swapping, within the
/// limit of its control group; -1 where the system does not say. The variable
/// TARN_FREE_MEMORY, a number of bytes, goes over both.
int64_t freeMemory();

} // namespace tarn::cli

#endif // TOOLS_TARN_MEMORY_H
