//===- DType.h - Element types ---------------------------------*- C++ -*-===//
#ifndef TARN_RUNTIME_DTYPE_H
#define TARN_RUNTIME_DTYPE_H

#include <cstdint>
#include <optional>
#include <string_view>

namespace tarn::rt {

/// Element types; the values are those of `tarn_dtype` in tarn.h. An I1 is one
/// byte that holds 0 or 1.
enum class DType : uint8_t { F32, BF16, F16, F64, I32, I64, U8, I1 };

constexpr unsigned dtypeCount = 8;

/// Bytes of one element.
constexpr uint64_t dtypeSize(DType dtype) {
  constexpr uint8_t sizes[dtypeCount] = {4, 2, 2, 8, 4, 8, 1, 1};
  return sizes[static_cast<unsigned>(dtype)];
}

/// The manifest's name: "f32", "i1", ...
constexpr const char *dtypeName(DType dtype) {
  constexpr const char *names[dtypeCount] = {"f32", "bf16", "f16", "f64",
                                             "i32", "i64",  "u8",  "i1"};
  return names[static_cast<unsigned>(dtype)];
}

/// The name in a safetensors header: "F32", "BOOL", ...
constexpr const char *safetensorsName(DType dtype) {
  constexpr const char *names[dtypeCount] = {"F32", "BF16", "F16", "F64",
                                             "I32", "I64",  "U8",  "BOOL"};
  return names[static_cast<unsigned>(dtype)];
}

/// The element type with the manifest's name `name`.
inline std::optional<DType> dtypeFromName(std::string_view name) {
  for (unsigned i = 0; i < dtypeCount; ++i)
    if (name == dtypeName(static_cast<DType>(i)))
      return static_cast<DType>(i);
  return std::nullopt;
}

/// The element type with the safetensors name `name`.
inline std::optional<DType> dtypeFromSafetensors(std::string_view name) {
  for (unsigned i = 0; i < dtypeCount; ++i)
    if (name == safetensorsName(static_cast<DType>(i)))
      return static_cast<DType>(i);
  return std::nullopt;
}

} // namespace tarn::rt

#endif // TARN_RUNTIME_DTYPE_H
