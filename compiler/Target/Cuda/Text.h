//===- Text.h - writing indented CUDA text ----------------------*- C++ -*-===//

#ifndef COMPILER_TARGET_CUDA_TEXT_H
#define COMPILER_TARGET_CUDA_TEXT_H

#include "mlir/IR/Location.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/Twine.h"

#include <string>

namespace tarn::cuda {

/// Lines of text with an indentation.
class Text {
public:
  explicit Text(bool lines) : lines(lines) {}

  /// Writes one line.
  void line(const llvm::Twine &text) {
    buffer.append(2 * depth, ' ');
    buffer += text.str();
    buffer += '\n';
  }
  /// Writes a line that opens a block.
  void open(const llvm::Twine &text) {
    line(text);
    ++depth;
  }
  /// Ends a block.
  void close(const llvm::Twine &text = "}") {
    --depth;
    line(text);
  }
  /// `#pragma unroll` and the head of a loop over 0 to `count`.
  void openUnrolled(int64_t count, int64_t step = 1) {
    buffer += "#pragma unroll\n";
    std::string next = step == 1 ? "++i" : "i += " + std::to_string(step);
    open("for (int i = 0; i < " + llvm::Twine(count) + "; " + next + ") {");
  }
  /// Says that the lines from here on come from `location`.
  void at(mlir::Location location);
  /// A directive, which is not indented.
  void directive(const llvm::Twine &text) { buffer += text.str() + "\n"; }
  /// Adds the lines of another text.
  void append(const Text &other) { buffer += other.buffer; }

  std::string buffer;
  unsigned depth = 0;
  bool lines;
};

/// Gives names that are C++ identifiers and different from each other.
class Names {
public:
  /// `wish`, with a number if it is taken.
  std::string unique(llvm::StringRef wish);
  /// Takes a name that unique() gave.
  void reserve(llvm::StringRef name) { ++taken[name]; }

private:
  llvm::StringMap<unsigned> taken;
};

/// The name that a location carries, or an empty one.
std::string nameIn(mlir::Location location);

} // namespace tarn::cuda

#endif // COMPILER_TARGET_CUDA_TEXT_H
