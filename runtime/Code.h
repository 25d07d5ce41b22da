//===- Code.h - Machine code of an artifact, loaded ------------*- C++ -*-===//
#ifndef TARN_RUNTIME_CODE_H
#define TARN_RUNTIME_CODE_H

#include "runtime/Status.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace tarn::rt {

/// A block of a kernel: pointers to its arguments, the block's number, memory
/// of the thread that runs it.
using KernelFunction = void (*)(void *const *args, int64_t block,
                                void *scratch);

/// A shared object that came as bytes.
class CodeImage {
public:
  CodeImage() = default;
  CodeImage(CodeImage &&other) noexcept { swap(other); }
  CodeImage &operator=(CodeImage &&other) noexcept {
    CodeImage moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~CodeImage();

  /// Loads an ELF shared object. It runs with the rights of this process.
  static Result<CodeImage> load(std::string_view elf);
  /// The function that it exports as `symbol`.
  Result<KernelFunction> find(const std::string &symbol) const;

private:
  void swap(CodeImage &other) {
    std::swap(handle, other.handle);
    std::swap(descriptor, other.descriptor);
    std::swap(path, other.path);
  }
  Status loadFromMemory(std::string_view elf);
  Status loadFromFile(std::string_view elf);

  void *handle = nullptr;
  int descriptor = -1;
  std::string path;
};

} // namespace tarn::rt

#endif // TARN_RUNTIME_CODE_H
