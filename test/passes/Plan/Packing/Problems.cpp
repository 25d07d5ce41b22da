//===- Problems.cpp - packing problems for tests and benchmarks -----------===//

#include "test/passes/Plan/Packing/Problems.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace tarn::packing;
using namespace tarn::packing::test;

uint64_t test::below(std::mt19937_64 &random, uint64_t limit) {
  return random() % limit;
}

namespace {

/// A piece of the rectangle: times [left, right), offsets [low, high).
struct Piece {
  int64_t left, right, low, high;
};

/// A number strictly between `from` and `to`; not in the outer eighths, where
/// there is room for that.
int64_t between(std::mt19937_64 &random, int64_t from, int64_t to) {
  int64_t margin = std::max<int64_t>((to - from) / 8, 1);
  return from + margin + below(random, to - from - 2 * margin + 1);
}

/// Cuts around a middle piece: five pieces, like the blades of a pinwheel.
bool cutPinwheel(std::mt19937_64 &random, Piece p, std::vector<Piece> &pieces) {
  if (p.right - p.left < 3 || p.high - p.low < 3)
    return false;
  int64_t a = between(random, p.left, p.right - 1);
  int64_t b = a + 1 + below(random, p.right - 1 - a);
  int64_t c = between(random, p.low, p.high - 1);
  int64_t d = c + 1 + below(random, p.high - 1 - c);
  pieces.push_back({p.left, b, p.low, c});
  pieces.push_back({b, p.right, p.low, d});
  pieces.push_back({a, p.right, d, p.high});
  pieces.push_back({p.left, a, c, p.high});
  pieces.push_back({a, b, c, d});
  return true;
}

/// Cuts through the whole piece, in time or in bytes.
bool cutThrough(std::mt19937_64 &random, Piece p, std::vector<Piece> &pieces) {
  bool inTime = below(random, 2);
  if (p.right - p.left < 2 && p.high - p.low < 2)
    return false;
  if (p.right - p.left < 2)
    inTime = false;
  if (p.high - p.low < 2)
    inTime = true;
  if (inTime) {
    int64_t at = between(random, p.left, p.right);
    pieces.push_back({p.left, at, p.low, p.high});
    pieces.push_back({at, p.right, p.low, p.high});
  } else {
    int64_t at = between(random, p.low, p.high);
    pieces.push_back({p.left, p.right, p.low, at});
    pieces.push_back({p.left, p.right, at, p.high});
  }
  return true;
}

} // namespace

std::vector<Buffer> test::cutRectangle(std::mt19937_64 &random,
                                       int64_t capacity, int64_t steps,
                                       unsigned count, bool pinwheels) {
  std::vector<Piece> pieces{{0, steps, 0, capacity}};
  for (unsigned tries = 0; pieces.size() < count && tries != 20 * count;
       ++tries) {
    // The larger of two: pieces of about one size are harder than few large
    // ones among crumbs.
    size_t x = below(random, pieces.size()), y = below(random, pieces.size());
    auto area = [&](size_t i) {
      return double(pieces[i].right - pieces[i].left) *
             double(pieces[i].high - pieces[i].low);
    };
    size_t chosen = area(x) > area(y) ? x : y;
    Piece piece = pieces[chosen];
    if (pinwheels && below(random, 2) ? cutPinwheel(random, piece, pieces)
                                      : cutThrough(random, piece, pieces))
      pieces.erase(pieces.begin() + chosen);
  }
  std::vector<Buffer> buffers;
  for (const Piece &piece : pieces) {
    Buffer &buffer = buffers.emplace_back();
    buffer.lower = piece.left;
    buffer.upper = piece.right;
    buffer.size = piece.high - piece.low;
  }
  for (size_t i = buffers.size(); i > 1; --i)
    std::swap(buffers[i - 1], buffers[below(random, i)]);
  return buffers;
}

std::vector<Buffer> test::tinyProblem(std::mt19937_64 &random, unsigned count) {
  bool aligned = below(random, 3) == 0, fixed = below(random, 4) == 0;
  std::vector<Buffer> buffers(count);
  for (Buffer &buffer : buffers) {
    buffer.lower = below(random, 7);
    buffer.upper = buffer.lower + 1 + below(random, 5);
    buffer.size = 1 + below(random, 5);
    if (aligned)
      buffer.alignment = 1 + below(random, 4);
    if (fixed && below(random, 4) == 0)
      buffer.fixed = below(random, 4) * buffer.alignment;
  }
  return buffers;
}

std::string test::minimallocFolder() {
  namespace fs = std::filesystem;
  std::string folder;
  if (const char *given = std::getenv("TARN_MINIMALLOC"))
    folder = given;
  else
    folder = TARN_SOURCE_ROOT "/../shared/data/minimalloc";
  std::error_code error;
  return fs::is_directory(folder, error) ? folder : "";
}

std::vector<Buffer> test::readInstance(const std::string &path) {
  std::ifstream file(path);
  std::vector<Buffer> buffers;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    long long lower, upper, size;
    if (std::sscanf(line.c_str(), "%*[^,],%lld,%lld,%lld", &lower, &upper,
                    &size) != 3)
      return {};
    Buffer &buffer = buffers.emplace_back();
    buffer.lower = lower;
    buffer.upper = upper;
    buffer.size = size;
  }
  return buffers;
}

std::string test::faultOf(const std::vector<Buffer> &buffers,
                          const std::vector<int64_t> &offsets,
                          int64_t capacity) {
  if (offsets.size() != buffers.size())
    return "one offset for each buffer";
  for (size_t i = 0; i != buffers.size(); ++i) {
    const Buffer &x = buffers[i];
    std::string name = "buffer " + std::to_string(i);
    if (offsets[i] < 0 || offsets[i] > capacity - x.size)
      return name + " is outside";
    if (offsets[i] % x.alignment)
      return name + " is not aligned";
    if (x.fixed >= 0 && offsets[i] != x.fixed)
      return name + " was moved";
    for (size_t j = 0; j != i; ++j) {
      const Buffer &y = buffers[j];
      bool together = x.lower < y.upper && y.lower < x.upper;
      if (together && offsets[i] < offsets[j] + y.size &&
          offsets[j] < offsets[i] + x.size)
        return name + " overlaps buffer " + std::to_string(j);
    }
  }
  return "";
}
