//===- Status.h - Errors as values -----------------------------*- C++ -*-===//
//
// The runtime reports errors as values: its headers are included by code that
// is built without exceptions, and its C ABI must never throw.
//
//===----------------------------------------------------------------------===//
#ifndef TARN_RUNTIME_STATUS_H
#define TARN_RUNTIME_STATUS_H

#include <optional>
#include <string>
#include <utility>

namespace tarn::rt {

/// What kind of error it is. The values are those of `tarn_status` in tarn.h.
enum class Code : int {
  Ok = 0,
  BadArgument = 1,
  Io = 2,
  Damaged = 3,
  Invalid = 4,
  Unsupported = 5,
  NotFound = 6,
  Mismatch = 7,
  NotFinite = 8,
  OutOfMemory = 9,
  Internal = 10,
};

/// Success, or a code with one sentence for the user.
class [[nodiscard]] Status {
public:
  Status() = default;
  Status(Code code, std::string message)
      : errorCode(code), text(std::move(message)) {}

  /// True on success.
  bool ok() const { return errorCode == Code::Ok; }
  Code code() const { return errorCode; }
  /// The sentence; empty on success.
  const std::string &message() const { return text; }
  /// The same error with `prefix` (usually a file's name) before its text.
  Status within(const std::string &prefix) const {
    return ok() ? *this : Status(errorCode, prefix + ": " + text);
  }

private:
  Code errorCode = Code::Ok;
  std::string text;
};

/// A value, or the Status that says why there is none.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : held(std::move(value)) {}
  Result(Status status) : error(std::move(status)) {}

  bool ok() const { return held.has_value(); }
  /// The error; success when there is a value.
  const Status &status() const { return error; }
  T &operator*() { return *held; }
  const T &operator*() const { return *held; }
  T *operator->() { return &*held; }
  const T *operator->() const { return &*held; }
  /// Moves the value out; call only after ok().
  T take() { return std::move(*held); }

private:
  std::optional<T> held;
  Status error;
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_STATUS_H
