//===- ReportJson.cpp - a report as JSON ----------------------------------===//

#include "compiler/Report/Report.h"

using namespace tarn;
using namespace tarn::report;
using rt::Json;

static Json placeJson(const Place &place) {
  if (!place.line)
    return Json();
  return place.file + ":" + std::to_string(place.line) + ":" +
         std::to_string(place.column);
}

static Json madeJson(const Made &made) {
  Json out = Json::object();
  out.set("op", made.op);
  out.set("layer", made.layer);
  out.set("place", placeJson(made.place));
  out.set("bytes", made.bytes);
  return out;
}

template <typename T, typename F>
static Json listJson(const std::vector<T> &items, F one) {
  Json out = Json::array();
  for (const T &item : items)
    out.push(one(item));
  return out;
}

static Json borderJson(const Border &border) {
  Json out = Json::object();
  out.set("reason", border.reason);
  if (border.op.empty())
    return out;
  out.set("op", border.op);
  out.set("place", placeJson(border.place));
  return out;
}

static Json stepJson(const Step &step) {
  Json out = Json::object();
  out.set("kernel", step.kernel);
  out.set("op", step.op);
  if (!step.group.empty())
    out.set("group", step.group);
  out.set("layer", step.layer);
  out.set("phase", step.phase);
  out.set("place", placeJson(step.place));
  if (!step.borders.empty())
    out.set("borders", listJson(step.borders, borderJson));
  if (step.repeats != 1)
    out.set("repeats", step.repeats);
  out.set("seconds", step.seconds);
  if (step.beside > 0)
    out.set("beside_seconds", step.beside);
  if (step.measured)
    out.set("measured", true);
  if (!step.prologue.empty())
    out.set("prologue", listJson(step.prologue, madeJson));
  return out;
}

static Json partJson(const Kernel::Part &part) {
  Json out = Json::object();
  out.set("kernel", part.kernel);
  out.set("launches", part.launches);
  return out;
}

static Json kernelJson(const Kernel &kernel) {
  Json out = Json::object();
  out.set("name", kernel.name);
  out.set("op", kernel.op);
  if (!kernel.members.empty())
    out.set("members", listJson(kernel.members, partJson));
  out.set("place", placeJson(kernel.place));
  out.set("launches", kernel.launches);
  out.set("seconds", kernel.seconds);
  out.set("measured", kernel.measured);
  out.set("bound", kernel.bound);
  out.set("flops", kernel.flops);
  out.set("bytes", kernel.bytes);
  out.set("roof", kernel.roof);
  return out;
}

static Json tensorJson(const Tensor &tensor) {
  Json out = Json::object();
  out.set("name", tensor.name);
  out.set("role", tensor.role);
  out.set("type", tensor.type);
  out.set("layer", tensor.layer);
  out.set("op", tensor.op);
  out.set("space", tensor.space);
  out.set("place", placeJson(tensor.place));
  out.set("offset", tensor.offset);
  out.set("bytes", tensor.bytes);
  out.set("first", tensor.first);
  out.set("last", tensor.last);
  if (!tensor.readers.empty()) {
    Json readers = Json::array();
    for (int64_t reader : tensor.readers)
      readers.push(reader);
    out.set("readers", std::move(readers));
  }
  if (!tensor.why.empty())
    out.set("why", tensor.why);
  if (tensor.againSeconds >= 0) {
    out.set("again_seconds", tensor.againSeconds);
    out.set("again_kernels", tensor.againKernels);
  }
  return out;
}

static Json rowJson(const Row &row) {
  Json out = Json::object();
  out.set("name", row.name);
  out.set("bytes", row.bytes);
  out.set("tensors", row.tensors);
  return out;
}

static Json functionJson(const Function &function) {
  Json out = Json::object();
  out.set("name", function.name);
  out.set("kind", function.kind);
  out.set("total_bytes", function.totalBytes);
  out.set("arena_bytes", function.arenaBytes);
  out.set("input_bytes", function.inputBytes);
  out.set("output_bytes", function.outputBytes);
  out.set("host_bytes", function.hostBytes);
  out.set("fullest_step", function.fullestStep);
  out.set("live_bytes", function.liveBytes);
  out.set("seconds", function.seconds);
  out.set("error", function.error);
  out.set("steps", listJson(function.steps, stepJson));
  out.set("kernels", listJson(function.kernels, kernelJson));
  out.set("tensors", listJson(function.tensors, tensorJson));
  return out;
}

static Json deviceJson(const DeviceLine &device) {
  Json out = Json::object();
  out.set("name", device.name);
  out.set("target", device.target);
  out.set("memory_bytes", device.memoryBytes);
  out.set("memory_source", device.memorySource);
  out.set("driver_bytes", device.driverBytes);
  out.set("driver_error", device.driverError);
  out.set("driver_source", device.driverSource);
  return out;
}

static Json peakJson(const Report &report) {
  Json out = Json::object();
  out.set("bytes", report.peakBytes);
  out.set("state_bytes", report.stateBytes);
  out.set("arena_bytes", report.arenaBytes);
  out.set("input_bytes", report.inputBytes);
  out.set("output_bytes", report.outputBytes);
  out.set("constant_bytes", report.constantBytes);
  if (report.peakFunction < report.functions.size()) {
    const Function &most = report.functions[report.peakFunction];
    out.set("function", most.name);
    out.set("step", most.fullestStep);
    if (most.fullestStep < int64_t(most.steps.size()))
      out.set("at", stepJson(most.steps[most.fullestStep]));
  }
  out.set("by_role", listJson(report.byRole, rowJson));
  out.set("by_layer", listJson(report.byLayer, rowJson));
  out.set("by_op", listJson(report.byOp, rowJson));
  return out;
}

static Json alikeJson(const Alike &alike) {
  Json out = Json::object();
  out.set("count", alike.count);
  out.set("kernels", alike.kernels);
  return out;
}

static Json rungJson(const Rung &rung) {
  Json out = Json::object();
  out.set("name", rung.name);
  out.set("arena_bytes", rung.arenaBytes);
  out.set("total_bytes", rung.totalBytes);
  out.set("seconds", rung.seconds);
  out.set("repeats", rung.repeats);
  out.set("again_seconds", rung.againSeconds);
  out.set("offloaded_bytes", rung.offloadedBytes);
  out.set("host_bytes", rung.hostBytes);
  out.set("copy_seconds", rung.copySeconds);
  if (rung.prologues)
    out.set("prologues", rung.prologues);
  if (rung.isSlow)
    out.set("slow", true);
  return out;
}

static Json adviceJson(const Advice &advice) {
  Json out = Json::object();
  out.set("what", advice.what);
  out.set("how", advice.how);
  out.set("bytes", advice.bytes);
  out.set("seconds", advice.seconds);
  out.set("fits", advice.fits);
  out.set("numerics", advice.numerics);
  return out;
}

static Json choiceJson(const Choice &choice) {
  Json out = Json::object();
  out.set("class", choice.numerics);
  out.set("text", choice.text);
  out.set("function", choice.function);
  out.set("place", placeJson(choice.place));
  out.set("bytes", choice.bytes);
  return out;
}

static Json fitJson(const Fit &fit) {
  Json out = Json::object();
  out.set("dim", fit.dim);
  out.set("largest", fit.largest);
  out.set("bytes", fit.bytes);
  out.set("seconds", fit.seconds);
  out.set("next", fit.next);
  out.set("next_bytes", fit.nextBytes);
  out.set("reason", fit.reason);
  out.set("others", fit.others);
  return out;
}

Json tarn::report::toJson(const Report &report) {
  Json out = Json::object();
  out.set("tarn_plan", 1);
  out.set("model", report.model);
  out.set("path", report.path);
  Json shape = Json::object(), hyper = Json::object();
  for (const auto &[name, value] : report.shape)
    shape.set(name, value);
  for (const auto &[name, value] : report.hyper)
    hyper.set(name, value);
  out.set("shape", std::move(shape));
  out.set("hyper", std::move(hyper));
  out.set("parameters", report.parameters);
  out.set("precision", report.precision);
  out.set("precision_is_default", report.precisionIsDefault);
  out.set("device", deviceJson(report.device));
  out.set("fits", report.fits);
  out.set("budget_bytes",
          report.budgetBytes < 0 ? Json() : Json(report.budgetBytes));
  out.set("budget_from", report.budgetFrom);
  out.set("peak_bytes", report.peakBytes);
  out.set("peak", peakJson(report));
  out.set("seconds", report.seconds);
  out.set("error", report.error);
  out.set("times", report.times);
  out.set("chosen", report.chosen);
  out.set("least_bytes", report.leastBytes);
  out.set("bound_bytes", report.boundBytes);
  out.set("other_bytes", report.otherBytes);
  out.set("plan_seconds", report.planSeconds);
  out.set("bound_seconds", report.boundSeconds);
  out.set("bound_method", report.boundMethod);
  out.set("repeats", listJson(report.repeats, alikeJson));
  out.set("rungs", listJson(report.rungs, rungJson));
  Json host = Json::object();
  host.set("bytes", report.hostBytes);
  host.set("pinned_bytes", report.pinnedBytes);
  host.set("checkpoint_bytes", report.checkpointBytes);
  host.set("staging_bytes", report.stagingBytes);
  out.set("host", std::move(host));
  out.set("numerics", listJson(report.numerics, choiceJson));
  out.set("advice", listJson(report.advice, adviceJson));
  out.set("largest", listJson(report.largest, fitJson));
  out.set("notes",
          listJson(report.notes, [](const std::string &x) { return Json(x); }));
  out.set("state", listJson(report.state, tensorJson));
  out.set("functions", listJson(report.functions, functionJson));
  return out;
}
