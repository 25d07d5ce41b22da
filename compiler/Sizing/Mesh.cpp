//===- Mesh.cpp - ranks as a grid -----------------------------------------===//

#include "compiler/Sizing/Mesh.h"

#include <charconv>
#include <limits>
#include <set>

using namespace tarn;

static rt::Status wrong(const std::string &message) {
  return rt::Status(rt::Code::BadArgument, message);
}

std::string Mesh::describe() const {
  std::string text;
  for (auto [name, size] : {std::pair<const char *, int64_t>{"dp", dp},
                            {"tp", tp},
                            {"ep", ep},
                            {"pp", pp}})
    if (size > 1)
      text += (text.empty() ? "" : " ") + std::string(name) + "=" +
              std::to_string(size);
  return text.empty() ? "1 rank" : text;
}

rt::Result<Mesh> tarn::parseMesh(std::string_view text) {
  Mesh mesh;
  std::set<std::string_view> seen;
  while (true) {
    size_t comma = text.find(',');
    std::string_view word = text.substr(0, comma);
    size_t equals = word.find('=');
    std::string_view name = word.substr(0, equals);
    if (equals == std::string_view::npos || equals == 0)
      return wrong("`" + std::string(word) +
                   "` is no axis of a mesh: it is AXIS=RANKS, such as tp=8");
    std::string_view number = word.substr(equals + 1);
    int64_t *axis = name == "dp"   ? &mesh.dp
                    : name == "tp" ? &mesh.tp
                    : name == "ep" ? &mesh.ep
                    : name == "pp" ? &mesh.pp
                                   : nullptr;
    if (!axis)
      return wrong("unknown axis `" + std::string(name) +
                   "` of the mesh; axes are dp, tp, ep and pp");
    if (!seen.insert(name).second)
      return wrong("the axis `" + std::string(name) + "` is given twice");
    auto [end, error] =
        std::from_chars(number.data(), number.data() + number.size(), *axis);
    if (error == std::errc::result_out_of_range)
      return wrong("`" + std::string(word) +
                   "` has more ranks than 63 bits "
                   "count");
    if (error != std::errc() || end != number.data() + number.size())
      return wrong("`" + std::string(word) + "` needs a whole number of ranks");
    if (*axis < 1)
      return wrong("`" + std::string(word) + "`: an axis has at least 1 rank");
    if (comma == std::string_view::npos)
      break;
    text.remove_prefix(comma + 1);
  }
  int64_t ranks = mesh.dp;
  if (__builtin_mul_overflow(ranks, mesh.tp, &ranks) ||
      __builtin_mul_overflow(ranks, mesh.pp, &ranks))
    return wrong("the mesh has more ranks than 63 bits count");
  if (mesh.dp % mesh.ep != 0)
    return wrong("ep=" + std::to_string(mesh.ep) +
                 " does not divide dp=" + std::to_string(mesh.dp) +
                 ": the ranks that share the experts are some of dp's");
  return mesh;
}
