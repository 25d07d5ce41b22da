//===- Source.cpp - a file's text, and errors that point into it ----------===//

#include "frontends/TarnLanguage/Source.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"

#include <algorithm>
#include <map>
#include <tuple>

using namespace tarn::lang;

std::pair<unsigned, unsigned> Range::lineAndColumn() const {
  llvm::StringRef before = llvm::StringRef(file->text).take_front(begin);
  size_t lineStart = before.rfind('\n') + 1; // npos + 1 = 0
  return {unsigned(before.count('\n') + 1), unsigned(begin - lineStart + 1)};
}

/// The line that holds byte `at`.
static llvm::StringRef lineAt(llvm::StringRef text, size_t at) {
  at = std::min(at, text.size());
  size_t from = text.take_front(at).rfind('\n') + 1;
  return text.substr(from).split('\n').first;
}

void tarn::lang::renderSnippet(llvm::raw_ostream &out, llvm::StringRef kind,
                               llvm::StringRef message, llvm::StringRef file,
                               llvm::StringRef line, unsigned number,
                               unsigned column, unsigned length) {
  std::string digits = std::to_string(number);
  std::string margin(digits.size(), ' ');
  out << kind << ": " << message << "\n";
  out << margin << "--> " << file << ":" << number << ":" << column << "\n";
  out << margin << " |\n" << digits << " | ";
  size_t start = std::min<size_t>(column ? column - 1 : 0, line.size());
  // Of a very long line, what is near.
  constexpr size_t most = 120;
  if (line.size() > most) {
    size_t first = start > most / 2 ? start - most / 2 : 0;
    line = line.substr(first, most);
    start -= first;
  }
  // Control characters would move the carets, or the terminal.
  for (char c : line)
    out << (llvm::isPrint(c) || (c & 0x80) ? c : ' ');
  length =
      std::clamp<unsigned>(length, 1, std::max<size_t>(line.size() - start, 1));
  out << "\n"
      << margin << " | " << std::string(start, ' ') << std::string(length, '^')
      << "\n";
}

Diagnostic &Diagnostics::error(Range range, std::string message) {
  all.push_back(std::make_unique<Diagnostic>());
  Diagnostic &made = *all.back();
  made.message = std::move(message);
  made.range = range;
  if (range.file && range.file->library)
    for (auto call = calls.rbegin(); call != calls.rend(); ++call)
      if (call->file && !call->file->library) {
        made.range = *call;
        made.note("found in the library", range);
        break;
      }
  return made;
}

/// Text in lines of 80 columns, further ones set in.
static std::string wrapped(llvm::StringRef text) {
  std::string lines;
  size_t column = 0;
  while (!text.empty()) {
    auto [word, rest] = text.split(' ');
    if (column && column + 1 + word.size() > 80) {
      lines += "\n      ";
      column = 6;
    } else if (column) {
      lines += " ";
      ++column;
    }
    lines += word;
    column += word.size();
    text = rest;
  }
  return lines;
}

void Diagnostics::render(llvm::raw_ostream &out) const {
  // By place; what has none, and the library's own, comes last.
  using Key = std::tuple<bool, uint32_t, size_t>;
  std::map<Key, const Diagnostic *> byPlace;
  for (size_t i = 0; i != all.size(); ++i) {
    const Range &range = all[i]->range;
    byPlace[{!range.file || range.file->library, range.begin, i}] =
        all[i].get();
  }
  std::vector<const Diagnostic *> sorted;
  for (const auto &[key, diagnostic] : byPlace)
    sorted.push_back(diagnostic);
  constexpr size_t most = 20;
  for (size_t i = 0; i != std::min(sorted.size(), most); ++i) {
    const Diagnostic &d = *sorted[i];
    if (i)
      out << "\n";
    if (d.range.file) {
      auto [line, column] = d.range.lineAndColumn();
      renderSnippet(out, "error", d.message, d.range.file->name,
                    lineAt(d.range.file->text, d.range.begin), line, column,
                    d.range.end - d.range.begin);
    } else {
      out << "error: " << d.message << "\n";
    }
    for (const Diagnostic::Note &note : d.notes) {
      out << "note: " << note.message;
      if (note.range.file) {
        auto [line, column] = note.range.lineAndColumn();
        out << "  " << note.range.file->name << ":" << line << ":" << column;
      }
      out << "\n";
    }
    if (!d.help.empty())
      out << wrapped("help: " + d.help) << "\n";
  }
  if (sorted.size() > most)
    out << "\n" << sorted.size() - most << " more errors\n";
}
