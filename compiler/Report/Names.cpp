//===- Names.cpp - names, layers and rows of a report ---------------------===//

#include "compiler/Report/Names.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <tuple>

using namespace tarn;
using namespace tarn::report;

std::string tarn::report::stateRole(const std::string &role) {
  if (role == "parameter")
    return "weights";
  if (role == "accumulator")
    return "gradients";
  if (role == "optimizer" || role == "cache")
    return role;
  return "state";
}

std::string tarn::report::opOfKernel(const std::string &kernel) {
  std::string op = kernel;
  if (op.rfind("k_", 0) == 0)
    op.erase(0, 2);
  // Numbers that tell kernels apart, and variants of one.
  for (size_t end;
       (end = op.find_last_not_of("0123456789")) != std::string::npos &&
       end + 1 != op.size() && op[end] == '_';)
    op.erase(end);
  return op.empty() ? kernel : op;
}

std::string tarn::report::layerOfState(const std::string &name,
                                       const std::string &role) {
  std::string path = name;
  if (role == "accumulator" && path.rfind("accumulator.", 0) == 0)
    path.erase(0, 12);
  size_t dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

void tarn::report::nameStateLayers(std::vector<Tensor> &state) {
  std::set<std::string> parameters;
  for (const Tensor &tensor : state)
    if (tensor.op == "parameter")
      parameters.insert(tensor.name);
  for (Tensor &tensor : state) {
    std::string path = tensor.name;
    if (tensor.op == "accumulator" && path.rfind("accumulator.", 0) == 0)
      path.erase(0, 12);
    // The parameter that it belongs to, else itself.
    for (std::string of = path; !of.empty();) {
      if (parameters.count(of)) {
        path = of;
        break;
      }
      size_t dot = of.rfind('.');
      of = dot == std::string::npos ? "" : of.substr(0, dot);
    }
    tensor.layer = layerOfState(path, "parameter");
  }
}

std::string tarn::report::layerRow(const std::string &layer) {
  size_t words = 0;
  for (size_t at = 0; at < layer.size(); ++words) {
    size_t end = std::min(layer.find('.', at), layer.size());
    bool number = end > at;
    for (size_t i = at; i != end; ++i)
      number &= std::isdigit(static_cast<unsigned char>(layer[i])) != 0;
    if (number)
      return layer.substr(0, end);
    at = end + 1;
  }
  if (words <= 2)
    return layer;
  return layer.substr(0, layer.find('.', layer.find('.') + 1));
}

namespace {

/// Rows by name, in the order of their first tensor.
class Rows {
public:
  void add(const std::string &name, int64_t bytes, int64_t tensors = 1) {
    auto found = std::find_if(rows.begin(), rows.end(),
                              [&](const Row &row) { return row.name == name; });
    if (found == rows.end())
      found = rows.insert(rows.end(), {name, 0, 0});
    found->bytes += bytes;
    found->tensors += tensors;
  }
  /// The largest first.
  std::vector<Row> take() {
    std::sort(rows.begin(), rows.end(), [](const Row &x, const Row &y) {
      return std::tie(y.bytes, x.name) < std::tie(x.bytes, y.name);
    });
    return std::move(rows);
  }

private:
  std::vector<Row> rows;
};

} // namespace

void tarn::report::addRows(Report &report) {
  Rows role, layer, op;
  int64_t left = report.peakBytes;
  auto add = [&](const std::string &inRole, const std::string &inLayer,
                 const std::string &inOp, int64_t bytes, int64_t tensors = 1) {
    if (!bytes)
      return;
    left -= bytes;
    role.add(inRole, bytes, tensors);
    layer.add(inLayer.empty() ? "(no layer)" : layerRow(inLayer), bytes,
              tensors);
    op.add(inOp, bytes, tensors);
  };
  for (const Tensor &tensor : report.state)
    add(tensor.role, tensor.layer, "(" + tensor.op + ")", tensor.bytes);
  if (report.peakFunction < report.functions.size()) {
    const Function &most = report.functions[report.peakFunction];
    for (const Tensor &tensor : most.tensors)
      if (tensor.space == "arena" && tensor.first <= most.fullestStep &&
          most.fullestStep <= tensor.last)
        add(tensor.role, tensor.layer, tensor.op, tensor.bytes);
  }
  add("inputs", "", "(input)", report.inputBytes, 0);
  add("outputs", "", "(output)", report.outputBytes, 0);
  add("constants", "", "(constant)", report.constantBytes, 0);
  // What is left lies between values: alignment, and places that fit nothing.
  add("gaps", "(gaps)", "(gaps)", left, 0);
  report.byRole = role.take();
  report.byLayer = layer.take();
  report.byOp = op.take();
}
