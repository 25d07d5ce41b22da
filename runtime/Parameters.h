//===- Parameters.h - Weights from other programs --------------*- C++ -*-===//
#ifndef TARN_RUNTIME_PARAMETERS_H
#define TARN_RUNTIME_PARAMETERS_H

#include "runtime/Session.h"
#include "runtime/Status.h"

#include <string>
#include <vector>

namespace tarn::rt {

/// What a file of weights had to do with the model's parameters.
struct ParameterReport {
  std::vector<std::string> matched;    ///< loaded
  std::vector<std::string> missing;    ///< in the model only; left as they were
  std::vector<std::string> unexpected; ///< in the file only
};

/// Loads parameters by name from a safetensors file (a checkpoint of Tarn
/// too). Floating-point types are converted; another shape is an error, and so
/// is a file in which no name fits. Nothing is loaded after an error.
Result<ParameterReport> loadParameters(Session &session,
                                       const std::string &path);

/// Converts `count` elements between floating-point types, to nearest even.
/// False if a type is not a floating-point one.
bool convertFloats(DType from, const void *source, DType to, void *target,
                   uint64_t count);

} // namespace tarn::rt

#endif // TARN_RUNTIME_PARAMETERS_H
