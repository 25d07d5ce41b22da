//===- Exports.cpp - a report for viewers that people have ----------------===//

#include "compiler/Report/Exports.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

using namespace tarn;
using namespace tarn::report;
using rt::Json;

/// Where the segment lies; any address does, but viewers show it.
static constexpr int64_t segmentBase = int64_t(1) << 44;

static Json framesOf(const Tensor &tensor) {
  Json frame = Json::object(), frames = Json::array();
  frame.set("filename", tensor.place.line ? tensor.place.file : "(none)");
  frame.set("line", tensor.place.line);
  frame.set("name", tensor.name + " (" + tensor.role + ")");
  frames.push(std::move(frame));
  if (!tensor.layer.empty()) {
    Json outer = Json::object();
    outer.set("filename", tensor.place.line ? tensor.place.file : "(none)");
    outer.set("line", tensor.place.line);
    outer.set("name", tensor.layer);
    frames.push(std::move(outer));
  }
  return frames;
}

namespace {

/// A value at its address in the one segment.
struct Placed {
  const Tensor *tensor;
  int64_t address;
};

/// The spaces of one function, one after the other.
std::vector<Placed> placeAll(const Report &report, const Function &function,
                             int64_t &total) {
  std::map<std::string, int64_t> base;
  total = 0;
  for (const auto &[space, bytes] :
       {std::pair("state", report.stateBytes),
        std::pair("constant", report.constantBytes),
        std::pair("input", function.inputBytes),
        std::pair("output", function.outputBytes),
        std::pair("arena", function.arenaBytes)}) {
    base[space] = total;
    total += bytes;
  }
  std::vector<Placed> placed;
  for (const std::vector<Tensor> *tensors : {&report.state, &function.tensors})
    for (const Tensor &tensor : *tensors)
      if (auto found = base.find(tensor.space);
          found != base.end() && tensor.bytes > 0)
        placed.push_back(
            {&tensor, segmentBase + found->second + tensor.offset});
  return placed;
}

} // namespace

static Json event(const char *action, int64_t address, int64_t size,
                  int64_t step, Json frames) {
  Json out = Json::object();
  out.set("action", action);
  out.set("addr", address);
  out.set("size", size);
  out.set("stream", 0);
  out.set("time_us", step);
  out.set("frames", std::move(frames));
  return out;
}

/// The segment as it is after the step: the state and free stretches.
static Json blocksAtEnd(std::vector<Placed> placed, int64_t total) {
  std::sort(placed.begin(), placed.end(), [](const Placed &x, const Placed &y) {
    return x.address < y.address;
  });
  Json blocks = Json::array();
  int64_t at = segmentBase;
  auto add = [&](int64_t size, const char *state, Json frames) {
    if (size <= 0)
      return;
    Json block = Json::object();
    block.set("address", at);
    block.set("size", size);
    block.set("requested_size", size);
    block.set("state", state);
    block.set("frames", std::move(frames));
    blocks.push(std::move(block));
    at += size;
  };
  for (const Placed &one : placed) {
    if (one.tensor->space != "state" || one.address < at)
      continue;
    add(one.address - at, "inactive", Json::array());
    add(one.tensor->bytes, "active_allocated", framesOf(*one.tensor));
  }
  add(segmentBase + total - at, "inactive", Json::array());
  return blocks;
}

Json tarn::report::toPytorchSnapshot(const Report &report) {
  Json out = Json::object(), segments = Json::array(), traces = Json::array();
  const Function *function = mainFunction(report);
  if (function) {
    int64_t total = 0, active = 0;
    std::vector<Placed> placed = placeAll(report, *function, total);
    int64_t steps = int64_t(function->steps.size());
    std::map<int64_t, std::vector<const Placed *>> begins, ends;
    for (const Placed &one : placed) {
      bool state = one.tensor->space == "state";
      begins[state ? -1 : std::max<int64_t>(one.tensor->first, -1)].push_back(
          &one);
      if (state)
        active += one.tensor->bytes;
      else
        ends[std::min(one.tensor->last, steps)].push_back(&one);
    }
    Json events = Json::array();
    events.push(event("segment_alloc", segmentBase, total, 0, Json::array()));
    for (int64_t step = -1; step <= steps; ++step) {
      for (const Placed *one : begins[step])
        events.push(event("alloc", one->address, one->tensor->bytes, step + 1,
                          framesOf(*one->tensor)));
      for (const Placed *one : ends[step])
        for (const char *action : {"free_requested", "free_completed"})
          events.push(event(action, one->address, one->tensor->bytes, step + 1,
                            framesOf(*one->tensor)));
    }
    traces.push(std::move(events));
    Json segment = Json::object();
    segment.set("device", 0);
    segment.set("address", segmentBase);
    segment.set("total_size", total);
    segment.set("allocated_size", active);
    segment.set("active_size", active);
    segment.set("requested_size", active);
    segment.set("stream", 0);
    segment.set("segment_type", "large");
    segment.set("frames", Json::array());
    segment.set("blocks", blocksAtEnd(placed, total));
    segments.push(std::move(segment));
  }
  out.set("segments", std::move(segments));
  out.set("device_traces", std::move(traces));
  return out;
}

/// Little-endian bytes.
static void put(std::string &out, uint64_t value, int bytes) {
  for (int i = 0; i != bytes; ++i)
    out += char(value >> (8 * i) & 0xff);
}

static void pickle(const Json &value, std::string &out) {
  switch (value.kind()) {
  case Json::Kind::Null:
    out += 'N';
    break;
  case Json::Kind::Bool:
    out += value.asBool() ? '\x88' : '\x89';
    break;
  case Json::Kind::Int:
    if (value.asInt() == int32_t(value.asInt())) {
      out += 'J'; // BININT: 32 bits with sign
      put(out, uint64_t(value.asInt()), 4);
    } else {
      out += "\x8a\x08"; // LONG1 of 8 bytes
      put(out, uint64_t(value.asInt()), 8);
    }
    break;
  case Json::Kind::Double: {
    out += 'G'; // BINFLOAT: big-endian
    uint64_t bits = std::bit_cast<uint64_t>(value.asDouble());
    for (int i = 7; i >= 0; --i)
      out += char(bits >> (8 * i) & 0xff);
    break;
  }
  case Json::Kind::String:
    out += 'X'; // BINUNICODE
    put(out, value.asString().size(), 4);
    out += value.asString();
    break;
  case Json::Kind::Array:
    out += "](";
    for (const Json &item : value.asArray())
      pickle(item, out);
    out += 'e'; // APPENDS
    break;
  case Json::Kind::Object:
    out += "}(";
    for (const auto &[key, item] : value.asObject()) {
      pickle(key, out);
      pickle(item, out);
    }
    out += 'u'; // SETITEMS
    break;
  }
}

std::string tarn::report::toPickle(const Json &value) {
  std::string out = "\x80\x02"; // PROTO 2
  pickle(value, out);
  out += '.';
  return out;
}

/// An entry of a trace.
static Json entry(const char *phase, const std::string &name, int64_t process,
                  int64_t thread, Json args) {
  Json out = Json::object();
  out.set("ph", phase);
  out.set("name", name);
  out.set("pid", process);
  out.set("tid", thread);
  out.set("args", std::move(args));
  return out;
}

static Json nameArgs(const std::string &name) {
  Json args = Json::object();
  args.set("name", name);
  return args;
}

/// Microseconds as multiples of an eighth: they are exact as decimals and as
/// doubles, so that a slice ends where the next one begins. Viewers drop slices
/// that overlap by a rounding.
static double eighths(double seconds) { return std::round(seconds * 8e6) / 8; }

/// One function: its kernels on thread 1, each queue of copies beside them on
/// one of its own, bytes alive as counters.
static void addFunction(const Report &report, const Function &function,
                        int64_t process, Json &events) {
  events.push(entry("M", "process_name", process, 0,
                    nameArgs(function.name + " (" + function.kind + ")")));
  events.push(entry("M", "thread_name", process, 1, nameArgs("kernels")));
  size_t steps = function.steps.size();
  std::map<std::string, std::vector<int64_t>> change;
  auto live = [&](const Tensor &tensor, int64_t first, int64_t last) {
    std::vector<int64_t> &row =
        change.try_emplace(tensor.role, steps + 2, 0).first->second;
    row[std::max<int64_t>(first, 0)] += tensor.bytes;
    row[std::min<int64_t>(last, int64_t(steps)) + 1] -= tensor.bytes;
  };
  for (const Tensor &tensor : report.state)
    live(tensor, 0, int64_t(steps));
  for (const Tensor &tensor : function.tensors)
    if (tensor.space != "host")
      live(tensor, tensor.first, tensor.last);
  std::map<std::string, int64_t> alive;
  // Copies wait for those before them in their queue.
  struct Queue {
    int64_t thread;
    double free; ///< seconds; when the last copy is done
  };
  std::map<std::string, Queue> queues;
  double now = 0;
  for (size_t i = 0; i != steps; ++i) {
    const Step &step = function.steps[i];
    bool changed = i == 0;
    for (const auto &[role, row] : change) {
      alive[role] += row[i];
      changed |= row[i] != 0;
    }
    if (changed) {
      Json args = Json::object();
      int64_t total = 0;
      for (const auto &[role, bytes] : alive) {
        args.set(role, bytes);
        total += bytes;
      }
      args.set("all", total);
      Json counter = entry("C", "bytes alive", process, 0, std::move(args));
      counter.set("ts", eighths(now));
      events.push(std::move(counter));
    }
    Json args = Json::object();
    args.set("step", int64_t(i));
    args.set("kernel", step.kernel);
    args.set("phase", step.phase);
    if (step.place.line)
      args.set("line", step.place.file + ":" + std::to_string(step.place.line));
    if (step.repeats != 1)
      args.set("repeats", step.repeats);
    args.set("time", step.measured ? "measured" : "estimated");
    std::string name = (step.layer.empty() ? "" : step.layer + " ") + step.op;
    int64_t thread = 1;
    double begin = now, end = now + step.seconds;
    if (step.beside > 0) {
      auto [queue, isNew] =
          queues.try_emplace(step.op, Queue{int64_t(queues.size()) + 2, 0});
      if (isNew)
        events.push(entry("M", "thread_name", process, queue->second.thread,
                          nameArgs(step.op)));
      thread = queue->second.thread;
      begin = std::max(queue->second.free, end);
      end = queue->second.free = begin + step.beside;
    }
    Json slice = entry("X", name, process, thread, std::move(args));
    slice.set("cat", step.phase);
    slice.set("ts", eighths(begin));
    slice.set("dur", eighths(end) - eighths(begin));
    events.push(std::move(slice));
    now += step.seconds;
  }
}

Json tarn::report::toPerfetto(const Report &report) {
  Json out = Json::object(), events = Json::array();
  int64_t process = 0;
  for (const Function &function : report.functions)
    addFunction(report, function, ++process, events);
  out.set("traceEvents", std::move(events));
  out.set("displayTimeUnit", "ms");
  Json other = Json::object();
  other.set("model", report.model);
  other.set("target", report.device.target);
  other.set("times", report.times);
  out.set("otherData", std::move(other));
  return out;
}
