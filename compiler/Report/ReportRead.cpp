//===- ReportRead.cpp - a report from JSON --------------------------------===//
//
// Files may be hostile or of another version: every member is looked up with
// its kind, and the first that is missing or wrong is the error.
//
//===----------------------------------------------------------------------===//

#include "compiler/Report/Report.h"

#include <set>

using namespace tarn;
using namespace tarn::report;
using rt::Json;

namespace {

/// Reads members of objects; keeps the first complaint.
class Reader {
public:
  std::string error;

  void wrong(const std::string &what) {
    if (error.empty())
      error = what;
  }
  const Json *member(const Json &object, const char *key) {
    const Json *found = object.find(key);
    if (!found)
      wrong(std::string("`") + key + "` is missing");
    return found;
  }
  void read(const Json &object, const char *key, int64_t &value) {
    const Json *found = member(object, key);
    // No figure of a plan comes near the end of 63 bits: sums of them may not
    // overflow.
    if (found && (!found->isInt() || found->asInt() < -1 ||
                  found->asInt() > int64_t(1) << 53))
      wrong(std::string("`") + key + "` is no size");
    else if (found)
      value = found->asInt();
  }
  void read(const Json &object, const char *key, double &value) {
    const Json *found = member(object, key);
    if (found && (!found->isNumber() || !(found->asDouble() >= 0)))
      wrong(std::string("`") + key + "` is no time or share");
    else if (found)
      value = found->asDouble();
  }
  void read(const Json &object, const char *key, std::string &value) {
    const Json *found = member(object, key);
    if (found && !found->isString())
      wrong(std::string("`") + key + "` is no text");
    else if (found)
      value = found->asString();
  }
  void read(const Json &object, const char *key, bool &value) {
    const Json *found = member(object, key);
    if (found && !found->isBool())
      wrong(std::string("`") + key + "` is neither true nor false");
    else if (found)
      value = found->asBool();
  }
  template <typename T, typename F>
  void list(const Json &object, const char *key, std::vector<T> &items, F one) {
    const Json *found = member(object, key);
    if (found && !found->isArray())
      return wrong(std::string("`") + key + "` is no list");
    if (found)
      for (const Json &item : found->asArray()) {
        if (!item.isObject())
          return wrong(std::string("`") + key + "` holds " + item.kindName());
        items.emplace_back();
        one(item, items.back());
      }
  }
  Json object(const Json &from, const char *key) {
    const Json *found = member(from, key);
    if (found && !found->isObject())
      wrong(std::string("`") + key + "` is no object");
    return found && found->isObject() ? *found : Json::object();
  }

  void place(const Json &from, Place &place) {
    const Json *found = member(from, "place");
    if (!found || found->isNull())
      return;
    std::string text = found->isString() ? found->asString() : "";
    size_t second = text.rfind(':');
    size_t first = second == 0 || second == text.npos
                       ? text.npos
                       : text.rfind(':', second - 1);
    if (first == text.npos)
      return wrong("a place is FILE:LINE:COLUMN");
    place.file = text.substr(0, first);
    place.line = std::strtoll(text.c_str() + first + 1, nullptr, 10);
    place.column = std::strtoll(text.c_str() + second + 1, nullptr, 10);
  }
  void step(const Json &from, Step &step);
  void kernel(const Json &from, Kernel &kernel);
  void tensor(const Json &from, Tensor &tensor);
  void function(const Json &from, Function &function);
  void row(const Json &from, Row &row) {
    read(from, "name", row.name);
    read(from, "bytes", row.bytes);
    read(from, "tensors", row.tensors);
  }
  void report(const Json &from, Report &report);
  void lists(const Json &from, Report &report);
};

} // namespace

void Reader::step(const Json &from, Step &step) {
  read(from, "kernel", step.kernel);
  read(from, "op", step.op);
  if (from.find("group"))
    read(from, "group", step.group);
  read(from, "layer", step.layer);
  read(from, "phase", step.phase);
  read(from, "seconds", step.seconds);
  place(from, step.place);
  if (from.find("borders"))
    list(from, "borders", step.borders, [&](const Json &json, Border &border) {
      read(json, "reason", border.reason);
      if (!json.find("op"))
        return;
      read(json, "op", border.op);
      place(json, border.place);
    });
  if (from.find("repeats"))
    read(from, "repeats", step.repeats);
  if (from.find("beside_seconds"))
    read(from, "beside_seconds", step.beside);
  if (from.find("measured"))
    read(from, "measured", step.measured);
  if (from.find("prologue"))
    list(from, "prologue", step.prologue, [&](const Json &json, Made &made) {
      read(json, "op", made.op);
      read(json, "layer", made.layer);
      read(json, "bytes", made.bytes);
      place(json, made.place);
    });
}

void Reader::kernel(const Json &from, Kernel &kernel) {
  read(from, "name", kernel.name);
  read(from, "op", kernel.op);
  if (from.find("members"))
    list(from, "members", kernel.members,
         [&](const Json &json, Kernel::Part &part) {
           read(json, "kernel", part.kernel);
           read(json, "launches", part.launches);
         });
  place(from, kernel.place);
  read(from, "launches", kernel.launches);
  read(from, "seconds", kernel.seconds);
  read(from, "measured", kernel.measured);
  read(from, "bound", kernel.bound);
  // Work has no bound that sums could pass.
  for (auto [key, value] :
       {std::pair("flops", &kernel.flops), std::pair("bytes", &kernel.bytes)})
    if (const Json *found = member(from, key); found && found->isInt())
      *value = found->asInt();
    else if (found)
      wrong(std::string("`") + key + "` is no number");
  read(from, "roof", kernel.roof);
}

void Reader::tensor(const Json &from, Tensor &tensor) {
  read(from, "name", tensor.name);
  read(from, "role", tensor.role);
  read(from, "type", tensor.type);
  read(from, "layer", tensor.layer);
  read(from, "op", tensor.op);
  read(from, "space", tensor.space);
  read(from, "offset", tensor.offset);
  read(from, "bytes", tensor.bytes);
  read(from, "first", tensor.first);
  read(from, "last", tensor.last);
  place(from, tensor.place);
  if (tensor.offset < 0 || tensor.bytes < 0 || tensor.last < tensor.first)
    wrong("`" + tensor.name + "` ends before it begins");
  if (const Json *readers = from.find("readers"); readers && readers->isArray())
    for (const Json &reader : readers->asArray())
      tensor.readers.push_back(reader.isInt() ? reader.asInt() : 0);
  if (from.find("why"))
    read(from, "why", tensor.why);
  if (from.find("again_seconds")) {
    read(from, "again_seconds", tensor.againSeconds);
    read(from, "again_kernels", tensor.againKernels);
  }
}

void Reader::function(const Json &from, Function &function) {
  read(from, "name", function.name);
  read(from, "kind", function.kind);
  read(from, "total_bytes", function.totalBytes);
  read(from, "arena_bytes", function.arenaBytes);
  read(from, "input_bytes", function.inputBytes);
  read(from, "output_bytes", function.outputBytes);
  read(from, "host_bytes", function.hostBytes);
  read(from, "fullest_step", function.fullestStep);
  read(from, "live_bytes", function.liveBytes);
  read(from, "seconds", function.seconds);
  read(from, "error", function.error);
  list(from, "steps", function.steps,
       [&](const Json &json, Step &one) { step(json, one); });
  // Reports of before have none.
  if (from.find("kernels"))
    list(from, "kernels", function.kernels,
         [&](const Json &json, Kernel &one) { kernel(json, one); });
  list(from, "tensors", function.tensors,
       [&](const Json &json, Tensor &one) { tensor(json, one); });
  // Steps index lists of steps.
  int64_t steps = int64_t(function.steps.size());
  for (const Tensor &one : function.tensors) {
    if (one.first > steps || one.last > steps)
      wrong("`" + one.name + "` lives beyond the last step");
    for (int64_t reader : one.readers)
      if (reader < 0 || reader >= steps)
        wrong("`" + one.name + "` is read by no step");
  }
  if (function.fullestStep < 0 || function.fullestStep > steps)
    wrong("`fullest_step` is no step");
}

void Reader::lists(const Json &from, Report &report) {
  list(from, "rungs", report.rungs, [&](const Json &json, Rung &rung) {
    read(json, "name", rung.name);
    read(json, "arena_bytes", rung.arenaBytes);
    read(json, "total_bytes", rung.totalBytes);
    read(json, "seconds", rung.seconds);
    read(json, "repeats", rung.repeats);
    read(json, "again_seconds", rung.againSeconds);
    read(json, "offloaded_bytes", rung.offloadedBytes);
    read(json, "host_bytes", rung.hostBytes);
    read(json, "copy_seconds", rung.copySeconds);
    if (json.find("prologues"))
      read(json, "prologues", rung.prologues);
    if (json.find("slow"))
      read(json, "slow", rung.isSlow);
  });
  list(from, "repeats", report.repeats, [&](const Json &json, Alike &alike) {
    read(json, "count", alike.count);
    read(json, "kernels", alike.kernels);
  });
  list(from, "numerics", report.numerics,
       [&](const Json &json, Choice &choice) {
         read(json, "class", choice.numerics);
         read(json, "text", choice.text);
         read(json, "function", choice.function);
         read(json, "bytes", choice.bytes);
         place(json, choice.place);
       });
  list(from, "advice", report.advice, [&](const Json &json, Advice &advice) {
    read(json, "what", advice.what);
    read(json, "how", advice.how);
    read(json, "bytes", advice.bytes);
    read(json, "seconds", advice.seconds);
    read(json, "fits", advice.fits);
    read(json, "numerics", advice.numerics);
  });
  list(from, "largest", report.largest, [&](const Json &json, Fit &fit) {
    read(json, "dim", fit.dim);
    read(json, "largest", fit.largest);
    read(json, "bytes", fit.bytes);
    read(json, "seconds", fit.seconds);
    read(json, "next", fit.next);
    read(json, "next_bytes", fit.nextBytes);
    read(json, "reason", fit.reason);
    read(json, "others", fit.others);
  });
  list(from, "state", report.state,
       [&](const Json &json, Tensor &one) { tensor(json, one); });
  list(from, "functions", report.functions,
       [&](const Json &json, Function &one) { function(json, one); });
  if (const Json *notes = from.find("notes"); notes && notes->isArray())
    for (const Json &note : notes->asArray())
      if (note.isString())
        report.notes.push_back(note.asString());
}

void Reader::report(const Json &from, Report &report) {
  read(from, "model", report.model);
  read(from, "path", report.path);
  Json shape = object(from, "shape"), hyper = object(from, "hyper");
  for (const auto &[name, value] : shape.asObject())
    report.shape[name] = value.isInt() ? value.asInt() : 0;
  for (const auto &[name, value] : hyper.asObject())
    report.hyper[name] = value.isString() ? value.asString() : "";
  read(from, "parameters", report.parameters);
  read(from, "precision", report.precision);
  read(from, "precision_is_default", report.precisionIsDefault);
  Json device = object(from, "device");
  read(device, "name", report.device.name);
  read(device, "target", report.device.target);
  read(device, "memory_bytes", report.device.memoryBytes);
  read(device, "memory_source", report.device.memorySource);
  read(device, "driver_bytes", report.device.driverBytes);
  read(device, "driver_error", report.device.driverError);
  read(device, "driver_source", report.device.driverSource);
  read(from, "fits", report.fits);
  if (const Json *budget = member(from, "budget_bytes");
      budget && !budget->isNull())
    read(from, "budget_bytes", report.budgetBytes);
  read(from, "budget_from", report.budgetFrom);
  Json peak = object(from, "peak");
  read(peak, "bytes", report.peakBytes);
  read(peak, "state_bytes", report.stateBytes);
  read(peak, "arena_bytes", report.arenaBytes);
  read(peak, "input_bytes", report.inputBytes);
  read(peak, "output_bytes", report.outputBytes);
  read(peak, "constant_bytes", report.constantBytes);
  auto rowInto = [&](const Json &json, Row &one) { row(json, one); };
  list(peak, "by_role", report.byRole, rowInto);
  list(peak, "by_layer", report.byLayer, rowInto);
  list(peak, "by_op", report.byOp, rowInto);
  read(from, "seconds", report.seconds);
  read(from, "error", report.error);
  read(from, "times", report.times);
  read(from, "chosen", report.chosen);
  read(from, "least_bytes", report.leastBytes);
  read(from, "bound_bytes", report.boundBytes);
  read(from, "other_bytes", report.otherBytes);
  read(from, "plan_seconds", report.planSeconds);
  read(from, "bound_seconds", report.boundSeconds);
  read(from, "bound_method", report.boundMethod);
  Json host = object(from, "host");
  read(host, "bytes", report.hostBytes);
  read(host, "pinned_bytes", report.pinnedBytes);
  read(host, "checkpoint_bytes", report.checkpointBytes);
  read(host, "staging_bytes", report.stagingBytes);
  lists(from, report);
  std::string most;
  if (peak.find("function"))
    read(peak, "function", most);
  for (size_t i = 0; i != report.functions.size(); ++i)
    if (report.functions[i].name == most)
      report.peakFunction = i;
}

rt::Result<Report> tarn::report::fromJson(const Json &json) {
  const Json *version = json.find("tarn_plan");
  if (!version)
    return rt::Status(rt::Code::Invalid,
                      "this is no plan (`tarn plan MODEL --json` writes one)");
  if (!version->isInt() || version->asInt() != 1)
    return rt::Status(rt::Code::Unsupported,
                      "a plan of version " + version->dump() +
                          "; this program reads version 1");
  Reader reader;
  Report report;
  reader.report(json, report);
  if (!reader.error.empty())
    return rt::Status(rt::Code::Damaged, "a damaged plan: " + reader.error);
  return report;
}
