//===- Case.cpp - a recorded kernel, its inputs and results ---------------===//

#include "test/gpu/Case.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

using namespace tarn::gpu;

int64_t CaseBuffer::elements() const {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

unsigned CaseBuffer::elementBytes() const {
  return element == "bf16" || element == "f16"  ? 2
         : element == "i1" || element == "i8"   ? 1
         : element == "i64" || element == "f64" ? 8
                                                : 4;
}

int64_t CaseBuffer::stride(size_t dim) const {
  int64_t stride = elementBytes();
  for (size_t d = dim + 1; d < shape.size(); ++d)
    stride *= shape[d];
  return stride;
}

bool tarn::gpu::readFile(const std::string &path, std::string &text) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return false;
  std::ostringstream content;
  content << file.rdbuf();
  text = content.str();
  return true;
}

/// Reads one line of launch.txt.
static bool readLine(const std::string &line, Case &c) {
  std::istringstream words(line);
  std::string what;
  if (!(words >> what))
    return true;
  if (what == "kernel")
    return static_cast<bool>(words >> c.kernel);
  if (what == "blocks")
    return static_cast<bool>(words >> c.blocks);
  if (what == "threads")
    return static_cast<bool>(words >> c.threads);
  if (what == "shared")
    return static_cast<bool>(words >> c.sharedBytes);
  if (what == "flops")
    return static_cast<bool>(words >> c.flops);
  if (what == "bytes")
    return static_cast<bool>(words >> c.bytes);
  if (what == "time-only") {
    c.timeOnly = true;
    return true;
  }
  if (what == "persistent") {
    c.persistent = true;
    return true;
  }
  if (what == "bound")
    return static_cast<bool>(words >> c.absolute >> c.relative);
  if (what == "noise") {
    unsigned buffer;
    return words >> buffer && buffer < c.buffers.size() &&
           words >> c.buffers[buffer].noise;
  }
  if (what == "in-place") {
    auto &[read, written] = c.inPlace.emplace_back();
    return words >> read >> written && read < c.buffers.size() &&
           written < c.buffers.size();
  }
  if (what == "buffer") {
    CaseBuffer buffer;
    words >> buffer.access >> buffer.element;
    for (int64_t size; words >> size;)
      buffer.shape.push_back(size);
    c.buffers.push_back(buffer);
    return !buffer.element.empty();
  }
  CaseParameter parameter;
  if (what == "table") {
    for (std::string word; words >> word;) {
      bool isAddress = word[0] == '@';
      uint64_t value = strtoull(word.c_str() + isAddress, nullptr, 10);
      if (isAddress && value >= c.buffers.size())
        return false;
      parameter.table.push_back({isAddress, value});
    }
    c.parameters.push_back(parameter);
    return !parameter.table.empty();
  }
  parameter.isTensorMap = what == "map";
  if (what != "map" && what != "pointer")
    return false;
  if (!(words >> parameter.buffer) || parameter.buffer >= c.buffers.size())
    return false;
  std::string box;
  words >> box;
  for (int64_t extent; words >> extent;)
    parameter.box.push_back(extent);
  c.parameters.push_back(parameter);
  return !parameter.isTensorMap ||
         parameter.box.size() == c.buffers[parameter.buffer].shape.size();
}

std::vector<uint64_t>
tarn::gpu::tableWords(const CaseParameter &parameter,
                      const std::vector<uint64_t> &addresses) {
  std::vector<uint64_t> words;
  for (const CaseWord &word : parameter.table)
    words.push_back(word.isAddress ? addresses[word.value] : word.value);
  return words;
}

std::string tarn::gpu::readCase(const std::string &folder, Case &result) {
  result = Case();
  result.folder = folder;
  std::string text;
  if (!readFile(folder + "/launch.txt", text))
    return "can't read " + folder + "/launch.txt";
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (!readLine(line, result))
      return folder + "/launch.txt: can't understand '" + line + "'";
  for (size_t i = 0; i < result.buffers.size() && !result.timeOnly; ++i) {
    CaseBuffer &buffer = result.buffers[i];
    std::string name = (buffer.isOutput() ? "/expected" : "/input") +
                       std::to_string(i) + ".bin";
    if (!readFile(folder + name, text))
      return "can't read " + folder + name;
    size_t wanted = buffer.isOutput() ? 8 * buffer.elements() : buffer.bytes();
    if (text.size() != wanted)
      return folder + name + " has " + std::to_string(text.size()) +
             " bytes instead of " + std::to_string(wanted);
    if (buffer.isOutput()) {
      buffer.expected.resize(buffer.elements());
      memcpy(buffer.expected.data(), text.data(), text.size());
    } else {
      buffer.input.assign(text.begin(), text.end());
    }
  }
  return "";
}

double tarn::gpu::readElement(const CaseBuffer &buffer, const uint8_t *bytes,
                              int64_t i) {
  if (buffer.element == "bf16") {
    uint16_t half;
    memcpy(&half, bytes + 2 * i, 2);
    uint32_t wide = static_cast<uint32_t>(half) << 16;
    float x;
    memcpy(&x, &wide, 4);
    return x;
  }
  if (buffer.element == "f16") {
    uint16_t half;
    memcpy(&half, bytes + 2 * i, 2);
    int exponent = half >> 10 & 31, fraction = half & 1023;
    double size = exponent == 31  ? fraction ? NAN : INFINITY
                  : exponent == 0 ? std::ldexp(fraction, -24)
                                  : std::ldexp(1024 + fraction, exponent - 25);
    return half & 0x8000 ? -size : size;
  }
  if (buffer.element == "f32") {
    float x;
    memcpy(&x, bytes + 4 * i, 4);
    return x;
  }
  if (buffer.element == "f64") {
    double x;
    memcpy(&x, bytes + 8 * i, 8);
    return x;
  }
  if (buffer.element == "i1" || buffer.element == "i8")
    return static_cast<int8_t>(bytes[i]);
  if (buffer.element == "i32") {
    int32_t x;
    memcpy(&x, bytes + 4 * i, 4);
    return x;
  }
  if (buffer.element == "i64") {
    int64_t x;
    memcpy(&x, bytes + 8 * i, 8);
    return static_cast<double>(x);
  }
  return NAN;
}

double tarn::gpu::largestError(const Case &c, const CaseBuffer &buffer,
                               const uint8_t *bytes) {
  double largest = 0;
  for (int64_t i = 0; i < buffer.elements(); ++i) {
    double wanted = buffer.expected[i];
    double got = readElement(buffer, bytes, i);
    if (std::isnan(wanted) && std::isnan(got))
      continue;
    if (wanted == got)
      continue;
    double error =
        std::fabs(got - wanted) /
        (std::max(c.absolute, buffer.noise) + c.relative * std::fabs(wanted));
    if (!(error <= 1e300))
      return INFINITY;
    largest = std::max(largest, error);
  }
  return largest;
}
