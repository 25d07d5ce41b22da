//===- Parameters.cpp - Weights from other programs -----------------------===//

#include "runtime/Parameters.h"

#include "runtime/Checkpoint.h"
#include "runtime/Safetensors.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace tarn::rt;

//===----------------------------------------------------------------------===//
// Conversions: through double, which holds all the others exactly
//===----------------------------------------------------------------------===//

/// Splits a narrow float: `exponentBits` and `mantissaBits` under one sign.
static double decode(uint32_t bits, int exponentBits, int mantissaBits) {
  uint32_t mantissa = bits & ((1u << mantissaBits) - 1);
  int limit = (1 << exponentBits) - 1;
  int exponent = static_cast<int>(bits >> mantissaBits) & limit;
  bool negative = bits >> (exponentBits + mantissaBits) & 1;
  int bias = limit / 2;
  double value;
  if (exponent == limit)
    value = mantissa ? std::nan("") : HUGE_VAL;
  else if (exponent == 0)
    value = std::ldexp(mantissa, 1 - bias - mantissaBits);
  else
    value = std::ldexp(mantissa + (1u << mantissaBits),
                       exponent - bias - mantissaBits);
  return negative ? -value : value;
}

/// The nearest narrow float, ties to even; past the largest is infinity.
static uint32_t encode(double value, int exponentBits, int mantissaBits) {
  uint32_t sign = std::signbit(value) ? 1u << (exponentBits + mantissaBits) : 0;
  uint32_t limit = (1u << exponentBits) - 1;
  int bias = static_cast<int>(limit) / 2;
  if (std::isnan(value))
    return sign | limit << mantissaBits | 1u << (mantissaBits - 1);
  value = std::fabs(value);
  if (std::isinf(value))
    return sign | limit << mantissaBits;
  if (value == 0)
    return sign;
  int exponent = std::max(std::ilogb(value), 1 - bias);
  // A carry out of the mantissa lands in the exponent, where it belongs.
  double steps = std::nearbyint(std::ldexp(value, mantissaBits - exponent));
  if (exponent > bias)
    return sign | limit << mantissaBits;
  uint32_t bits = static_cast<uint32_t>(steps) +
                  (static_cast<uint32_t>(exponent + bias - 1) << mantissaBits);
  return sign | std::min(bits, limit << mantissaBits);
}

template <typename T> static T loadAs(const void *source, uint64_t i) {
  T value;
  std::memcpy(&value, static_cast<const char *>(source) + i * sizeof(T),
              sizeof(T));
  return value;
}

template <typename T> static void storeAs(void *target, uint64_t i, T value) {
  std::memcpy(static_cast<char *>(target) + i * sizeof(T), &value, sizeof(T));
}

static bool isFloat(DType dtype) {
  return dtype == DType::F32 || dtype == DType::F64 || dtype == DType::F16 ||
         dtype == DType::BF16;
}

bool tarn::rt::convertFloats(DType from, const void *source, DType to,
                             void *target, uint64_t count) {
  if (!isFloat(from) || !isFloat(to))
    return false;
  if (from == to) {
    if (count)
      std::memcpy(target, source, count * dtypeSize(from));
    return true;
  }
  for (uint64_t i = 0; i < count; ++i) {
    double value = 0;
    switch (from) {
    case DType::F32:
      value = loadAs<float>(source, i);
      break;
    case DType::F64:
      value = loadAs<double>(source, i);
      break;
    case DType::F16:
      value = decode(loadAs<uint16_t>(source, i), 5, 10);
      break;
    default:
      value = decode(loadAs<uint16_t>(source, i), 8, 7);
    }
    switch (to) {
    case DType::F32:
      storeAs(target, i, static_cast<float>(value));
      break;
    case DType::F64:
      storeAs(target, i, value);
      break;
    case DType::F16:
      storeAs(target, i, static_cast<uint16_t>(encode(value, 5, 10)));
      break;
    default:
      storeAs(target, i, static_cast<uint16_t>(encode(value, 8, 7)));
    }
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

Result<ParameterReport> tarn::rt::loadParameters(Session &session,
                                                 const std::string &path) {
  Result<std::string> found = findCheckpoint(path);
  if (!found.ok())
    return found.status();
  std::string where = "`" + *found + "`";
  Result<SafetensorsFile> file = SafetensorsFile::open(*found);
  if (!file.ok())
    return file.status();
  bool ours = isCheckpoint(*file);
  if (ours)
    if (Status status = verifyCheckpoint(*file); !status.ok())
      return status.within(where);

  ParameterReport report;
  std::vector<std::pair<const TensorDesc *, const SafetensorsEntry *>> pairs;
  for (const TensorDesc &tensor : session.manifest().state) {
    if (tensor.role != "parameter")
      continue;
    const SafetensorsEntry *entry = file->index().find(tensor.name);
    if (!entry) {
      report.missing.push_back(tensor.name);
      continue;
    }
    bool sameType = entry->dtype == tensor.dtype ||
                    (isFloat(entry->dtype) && isFloat(tensor.dtype));
    if (entry->shape != tensor.shape || !sameType)
      return Status(Code::Mismatch, where + ": `" + tensor.name + "` is " +
                                        typeText(entry->dtype, entry->shape) +
                                        " in the file, the model has " +
                                        typeText(tensor.dtype, tensor.shape));
    pairs.emplace_back(&tensor, entry);
    report.matched.push_back(tensor.name);
  }
  for (const SafetensorsEntry &entry : file->index().tensors) {
    const TensorDesc *tensor = findTensor(session.manifest().state, entry.name);
    if (!tensor || (tensor->role != "parameter" && !ours))
      report.unexpected.push_back(entry.name);
  }
  if (pairs.empty())
    return Status(Code::Mismatch,
                  where + ": no tensor has the name of a parameter" +
                      (report.unexpected.empty() || report.missing.empty()
                           ? ""
                           : "; the file has `" + report.unexpected.front() +
                                 "`, the model `" + report.missing.front() +
                                 "`"));
  std::vector<char> bytes;
  for (const auto &[tensor, entry] : pairs) {
    bytes.resize(entry->bytes);
    if (Status status = file->read(*entry, bytes.data()); !status.ok())
      return status;
    if (entry->dtype != tensor->dtype) {
      std::vector<char> converted(tensor->bytes);
      convertFloats(entry->dtype, bytes.data(), tensor->dtype, converted.data(),
                    *elementCount(tensor->shape));
      bytes.swap(converted);
    }
    if (Status status = session.writeState(*tensor, bytes.data()); !status.ok())
      return status;
  }
  return report;
}
