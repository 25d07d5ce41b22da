//===- Source.h - a file's text, and errors that point into it --*- C++ -*-===//

#ifndef FRONTENDS_TARNLANGUAGE_SOURCE_H
#define FRONTENDS_TARNLANGUAGE_SOURCE_H

#include "llvm/Support/raw_ostream.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tarn::lang {

/// Whole numbers are less than this, so that a double holds each of them.
inline constexpr double mostWhole = 9e15;

/// The text of one file.
struct SourceFile {
  std::string name;
  std::string text;
  /// Part of the compiler: errors in it are the caller's.
  bool library = false;
};

/// A stretch of a file.
struct Range {
  const SourceFile *file = nullptr;
  uint32_t begin = 0, end = 0;

  /// From the start of this to the end of `other`.
  Range to(const Range &other) const { return {file, begin, other.end}; }
  /// 1-based line and column of the start.
  std::pair<unsigned, unsigned> lineAndColumn() const;
};

/// One error with its notes and a way out.
struct Diagnostic {
  std::string message;
  Range range;
  struct Note {
    std::string message;
    Range range;
  };
  std::vector<Note> notes;
  std::string help;

  Diagnostic &note(std::string text, Range where) {
    notes.push_back({std::move(text), where});
    return *this;
  }
  Diagnostic &withHelp(std::string text) {
    help = std::move(text);
    return *this;
  }
};

/// Collects the errors of one run.
class Diagnostics {
public:
  /// An error at `range`; inside the library, at the call from the user's file.
  Diagnostic &error(Range range, std::string message);
  /// Where the calls in progress were written, outermost first.
  std::vector<Range> calls;
  bool any() const { return !all.empty(); }
  /// The first one; call only if there is any.
  const Diagnostic &first() const { return *all.front(); }
  /// Prints all, in the order of the file, at most twenty.
  void render(llvm::raw_ostream &out) const;

private:
  std::vector<std::unique_ptr<Diagnostic>> all;
};

/// Prints `error: MESSAGE`, `--> FILE:LINE:COLUMN` and the line with carets
/// below columns [begin, end).
void renderSnippet(llvm::raw_ostream &out, llvm::StringRef kind,
                   llvm::StringRef message, llvm::StringRef file,
                   llvm::StringRef line, unsigned number, unsigned column,
                   unsigned length);

} // namespace tarn::lang

#endif // FRONTENDS_TARNLANGUAGE_SOURCE_H
