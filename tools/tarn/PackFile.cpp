//===- PackFile.cpp - packing problems as CSV -----------------------------===//

#include "tools/tarn/PackFile.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <unordered_map>

using namespace tarn;
using namespace tarn::cli;

namespace {

/// Placing takes time by the square of it.
constexpr size_t mostBuffers = 100'000;
constexpr int64_t mostBytes = int64_t(1) << 62;

enum Column { id, lower, upper, size, alignment, offset, columnCount };
constexpr std::array<std::string_view, columnCount> columnNames = {
    "id", "lower", "upper", "size", "alignment", "offset"};

std::vector<std::string_view> splitFields(std::string_view line) {
  std::vector<std::string_view> fields;
  for (;;) {
    size_t comma = line.find(',');
    fields.push_back(line.substr(0, comma));
    if (comma == std::string_view::npos)
      return fields;
    line.remove_prefix(comma + 1);
  }
}

/// A field in a message: short, whatever it holds.
std::string quote(std::string_view field) {
  return field.size() <= 40 ? "`" + std::string(field) + "`"
                            : "`" + std::string(field.substr(0, 37)) + "...`";
}

class Parser {
public:
  Parser(std::string_view text, const std::string &name)
      : rest(text), name(name) {}

  rt::Result<PackFile> parse() {
    if (!nextLine()) {
      lineNumber = 1;
      return failure.ok() ? fail("is empty; the first line names the columns")
                          : failure;
    }
    if (!readHeader())
      return failure;
    while (nextLine())
      if (!readBuffer())
        return failure;
    if (!failure.ok())
      return failure;
    if (file.buffers.empty())
      return fail("holds no buffers");
    return std::move(file);
  }

private:
  const rt::Status &fail(const std::string &what) {
    failure = rt::Status(rt::Code::Invalid,
                         name + ":" + std::to_string(lineNumber) + ": " + what);
    return failure;
  }

  /// Takes the next line; false at the end, and where it can't be read.
  bool nextLine() {
    if (rest.empty())
      return false;
    ++lineNumber;
    size_t end = rest.find('\n');
    line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.ends_with('\r'))
      line.remove_suffix(1);
    for (unsigned char c : line)
      if (c < 0x20 || c == 0x7f) {
        (void)fail(c ? "holds a control character" : "holds a NUL byte");
        return false;
      }
    if (line.empty()) {
      if (rest.find_first_not_of("\r\n") == std::string_view::npos) {
        rest = {};
        return false; // blank lines at the end
      }
      (void)fail("is an empty line");
      return false;
    }
    if (line.find('"') != std::string_view::npos) {
      (void)fail("holds a quote; fields are plain");
      return false;
    }
    file.lines.push_back(line);
    return true;
  }

  bool readHeader() {
    columns.fill(-1);
    std::vector<std::string_view> fields = splitFields(line);
    fieldCount = fields.size();
    for (size_t i = 0; i != fields.size(); ++i) {
      auto known = std::find(columnNames.begin(), columnNames.end(), fields[i]);
      if (known == columnNames.end()) {
        (void)fail("unknown column " + quote(fields[i]) +
                   "; known are id, lower, upper, size, alignment, offset");
        return false;
      }
      int &column = columns[known - columnNames.begin()];
      if (column >= 0) {
        (void)fail("column " + quote(fields[i]) + " is there twice");
        return false;
      }
      column = i;
    }
    for (Column needed : {id, lower, upper, size})
      if (columns[needed] < 0) {
        (void)fail("no column `" + std::string(columnNames[needed]) + "`");
        return false;
      }
    file.offsetColumn = columns[offset];
    return true;
  }

  /// The number in `column`; `absent` where the column or the field is left
  /// out, if that is allowed.
  std::optional<int64_t> number(const std::vector<std::string_view> &fields,
                                Column column, int64_t least,
                                std::optional<int64_t> absent = std::nullopt) {
    std::string called = "`" + std::string(columnNames[column]) + "`";
    if (columns[column] < 0)
      return absent;
    std::string_view text = fields[columns[column]];
    if (text.empty() && absent)
      return absent;
    int64_t value = 0;
    auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::result_out_of_range || value >= mostBytes)
      (void)fail(called + " is too large: " + quote(text));
    else if (error != std::errc() || end != text.data() + text.size())
      (void)fail(called + " is not a number: " + quote(text));
    else if (value < least)
      (void)fail(called + " must be at least " + std::to_string(least) +
                 ", not " + quote(text));
    else
      return value;
    return std::nullopt;
  }

  bool readBuffer() {
    std::vector<std::string_view> fields = splitFields(line);
    if (fields.size() != fieldCount) {
      (void)fail("has " + std::to_string(fields.size()) +
                 " fields, the header " + std::to_string(fieldCount));
      return false;
    }
    if (file.buffers.size() == mostBuffers) {
      (void)fail("more than " + std::to_string(mostBuffers) + " buffers");
      return false;
    }
    std::string_view called = fields[columns[id]];
    if (called.empty()) {
      (void)fail("`id` is empty");
      return false;
    }
    auto [there, isNew] = firstLine.try_emplace(called, lineNumber);
    if (!isNew) {
      (void)fail("id " + quote(called) + " is also in line " +
                 std::to_string(there->second));
      return false;
    }
    packing::Buffer buffer;
    auto read = [&](int64_t &to, Column column, int64_t least,
                    std::optional<int64_t> absent = std::nullopt) {
      auto value = number(fields, column, least, absent);
      to = value.value_or(0);
      return value.has_value();
    };
    if (!read(buffer.lower, lower, 0) || !read(buffer.upper, upper, 0) ||
        !read(buffer.size, size, 1) ||
        !read(buffer.alignment, alignment, 1, 1) ||
        !read(buffer.fixed, offset, 0, -1))
      return false;
    if (buffer.lower >= buffer.upper) {
      (void)fail("`lower` " + std::to_string(buffer.lower) +
                 " is not below `upper` " + std::to_string(buffer.upper));
      return false;
    }
    if (buffer.fixed >= 0 && buffer.fixed % buffer.alignment) {
      (void)fail("`offset` " + std::to_string(buffer.fixed) +
                 " is not a multiple of `alignment` " +
                 std::to_string(buffer.alignment));
      return false;
    }
    // Each term is below 2^62, so that the sum can't wrap before it is seen.
    for (int64_t term :
         {buffer.size, buffer.alignment, std::max<int64_t>(buffer.fixed, 0)})
      if ((sum += term) >= mostBytes) {
        (void)fail("sizes, alignments and offsets add up to 2^62 or more");
        return false;
      }
    file.ids.push_back(called);
    file.buffers.push_back(buffer);
    return true;
  }

  std::string_view rest, line;
  const std::string &name;
  size_t lineNumber = 0, fieldCount = 0;
  int64_t sum = 0;
  std::array<int, columnCount> columns;
  std::unordered_map<std::string_view, size_t> firstLine;
  PackFile file;
  rt::Status failure;
};

} // namespace

rt::Result<PackFile> tarn::cli::parsePackFile(std::string_view text,
                                              const std::string &name) {
  return Parser(text, name).parse();
}

std::string tarn::cli::writePackFile(const PackFile &file,
                                     const std::vector<int64_t> &offsets) {
  std::string text;
  for (size_t i = 0; i != file.lines.size(); ++i) {
    std::string value = i ? std::to_string(offsets[i - 1]) : "offset";
    if (file.offsetColumn < 0) {
      text.append(file.lines[i]).append(",").append(value).append("\n");
      continue;
    }
    std::vector<std::string_view> fields = splitFields(file.lines[i]);
    fields[file.offsetColumn] = value;
    for (size_t k = 0; k != fields.size(); ++k)
      text.append(k ? "," : "").append(fields[k]);
    text.append("\n");
  }
  return text;
}
