//===- Device.cpp - what a device can do, and who says so -----------------===//

#include "compiler/Cost/Device.h"

#include "runtime/File.h"
#include "runtime/Json.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cassert>
#include <cmath>

using namespace tarn;
using rt::Json;

const Rate &DeviceTarget::dot(DotType type) const {
  // The next wider type that holds all values; f64 has none.
  static const std::map<DotType, std::vector<const char *>> wider = {
      {DotType::f64, {"f64", "f32"}},
      {DotType::f32, {"f32"}},
      {DotType::tf32, {"tf32", "f32"}},
      {DotType::f16, {"f16", "f32"}},
      {DotType::bf16, {"bf16", "f32"}},
      {DotType::fp8, {"fp8", "f16", "bf16", "f32"}}};
  for (const char *name : wider.at(type))
    if (auto it = dots.find(name); it != dots.end())
      return it->second;
  return dots.begin()->second; // parsing made sure that there is f32
}

const DeviceTarget *Device::findTarget(std::string_view target) const {
  if (target.empty())
    return &targets.back();
  for (const DeviceTarget &candidate : targets)
    if (candidate.target == target)
      return &candidate;
  return nullptr;
}

bool Device::isCpu() const {
  return llvm::StringRef(targets.front().target).starts_with("cpu:");
}

namespace {

/// Reads members of objects; the first error stays.
class Reader {
public:
  explicit Reader(std::string origin) : origin(std::move(origin)) {}

  const Json *member(const Json &object, const std::string &where,
                     const char *key) {
    const Json *found = object.find(key);
    if (!found)
      fail(where + key, "is missing");
    return found;
  }
  std::string text(const Json &object, const std::string &where,
                   const char *key) {
    const Json *found = member(object, where, key);
    if (found && found->isString() && !found->asString().empty())
      return found->asString();
    if (found)
      fail(where + key, "must be a string that is not empty");
    return "";
  }
  double number(const Json &object, const std::string &where, const char *key,
                double least, double most) {
    const Json *found = member(object, where, key);
    if (!found)
      return 0;
    if (!found->isNumber() || !std::isfinite(found->asDouble()) ||
        found->asDouble() < least || found->asDouble() > most) {
      fail(where + key, "must be a number from " + describe(least) + " to " +
                            describe(most));
      return 0;
    }
    return found->asDouble();
  }
  /// `{"value": N, "error": SHARE, "source": "..."}`.
  Figure figure(const Json &object, const std::string &where, const char *key,
                double least, double most) {
    Figure result;
    const Json *found = member(object, where, key);
    if (!found)
      return result;
    std::string inside = where + key + ".";
    result.value = number(*found, inside, "value", least, most);
    if (found->find("error"))
      result.error = number(*found, inside, "error", 0, 10);
    result.source = text(*found, inside, "source");
    only(*found, where + key, {"value", "error", "source"});
    return result;
  }
  /// `{"peak": FIGURE, "efficiency": FIGURE}`.
  Rate rate(const Json &object, const std::string &where, const char *key) {
    Rate result;
    const Json *found = member(object, where, key);
    if (!found)
      return result;
    std::string inside = where + key + ".";
    result.peak = figure(*found, inside, "peak", 1, 1e21);
    result.efficiency = figure(*found, inside, "efficiency", 1e-3, 1);
    only(*found, where + key, {"peak", "efficiency"});
    return result;
  }
  /// Unknown members are slips of the pen.
  void only(const Json &object, const std::string &where,
            llvm::ArrayRef<llvm::StringRef> keys) {
    if (!object.isObject())
      return fail(where, "must be an object");
    for (const Json::Member &member : object.asObject())
      if (!llvm::is_contained(keys, llvm::StringRef(member.first)))
        fail(where, "has an unknown member `" + member.first + "`");
  }
  void fail(const std::string &where, const std::string &what) {
    if (status.ok())
      status =
          rt::Status(rt::Code::Invalid, origin + ": `" + where + "` " + what);
  }
  rt::Status status;

private:
  static std::string describe(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", value);
    return text;
  }
  std::string origin;
};

} // namespace

static DeviceTarget readTarget(Reader &in, const Json &json,
                               const std::string &where) {
  DeviceTarget target;
  target.target = in.text(json, where, "target");
  llvm::StringRef word(target.target);
  if (in.status.ok() && !word.starts_with("cpu:") &&
      !word.starts_with("cuda:") && !word.starts_with("hip:"))
    in.fail(where + "target", "must begin with `cpu:`, `cuda:` or `hip:`");
  if (const Json *dots = in.member(json, where, "dots")) {
    in.only(*dots, where + "dots",
            {"f64", "f32", "tf32", "f16", "bf16", "fp8"});
    in.member(*dots, where + "dots.", "f32");
    if (in.status.ok())
      for (const Json::Member &dot : dots->asObject())
        target.dots[dot.first] =
            in.rate(*dots, where + "dots.", dot.first.c_str());
  }
  target.vector = in.rate(json, where, "vector");
  target.special = in.rate(json, where, "special");
  in.only(json, where.substr(0, where.size() - 1),
          {"target", "dots", "vector", "special"});
  return target;
}

rt::Result<Device> tarn::parseDevice(std::string_view text,
                                     const std::string &origin) {
  rt::Result<Json> parsed = rt::parseJson(text);
  if (!parsed.ok())
    return parsed.status().within(origin);
  const Json &json = *parsed;
  Reader in(origin);
  if (!json.isObject() || !json.find("tarn_device")) {
    return rt::Status(rt::Code::Invalid,
                      origin + ": this is no device file (`tarn_device` is "
                               "missing)");
  }
  in.number(json, "", "tarn_device", 1, 1);
  in.only(json, "device",
          {"tarn_device", "name", "aliases", "targets", "units", "memory_bytes",
           "context_bytes", "memory", "unit_memory", "cache_bytes", "cache",
           "operands", "load_seconds", "host_to_device", "device_to_host",
           "launch_seconds", "block_seconds", "tile_op_seconds"});
  Device device;
  device.name = in.text(json, "", "name");
  if (const Json *aliases = json.find("aliases")) {
    if (!aliases->isArray() ||
        llvm::any_of(aliases->asArray(),
                     [](const Json &alias) { return !alias.isString(); }))
      in.fail("aliases", "must be an array of strings");
    else
      for (const Json &alias : aliases->asArray())
        device.aliases.push_back(alias.asString());
  }
  const Json *targets = in.member(json, "", "targets");
  if (targets && (!targets->isArray() || targets->asArray().empty()))
    in.fail("targets", "must be an array with at least one target");
  if (in.status.ok())
    for (auto [i, target] : llvm::enumerate(targets->asArray()))
      device.targets.push_back(
          readTarget(in, target, "targets[" + std::to_string(i) + "]."));
  device.units = in.figure(json, "", "units", 1, 1e6);
  device.memoryBytes = in.figure(json, "", "memory_bytes", 1, 1e15);
  device.contextBytes = in.figure(json, "", "context_bytes", 0, 1e12);
  device.memory = in.rate(json, "", "memory");
  if (json.find("unit_memory"))
    device.unitMemory = in.rate(json, "", "unit_memory");
  if (json.find("cache") || json.find("cache_bytes")) {
    device.cacheBytes = in.figure(json, "", "cache_bytes", 1, 1e12);
    device.cache = in.rate(json, "", "cache");
  }
  if (json.find("operands"))
    device.operands = in.rate(json, "", "operands");
  if (json.find("load_seconds"))
    device.load = in.figure(json, "", "load_seconds", 0, 1);
  device.hostToDevice = in.rate(json, "", "host_to_device");
  device.deviceToHost = in.rate(json, "", "device_to_host");
  device.launch = in.figure(json, "", "launch_seconds", 0, 1);
  if (json.find("block_seconds"))
    device.block = in.figure(json, "", "block_seconds", 0, 1);
  if (json.find("tile_op_seconds"))
    device.tileOp = in.figure(json, "", "tile_op_seconds", 0, 1);
  if (!in.status.ok())
    return in.status;
  return device;
}

std::string tarn::writeDevice(const Device &device) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  llvm::json::OStream out(stream, /*IndentSize=*/2);
  auto number = [&](const char *key, double value) {
    // As short as it can be told apart.
    out.attributeBegin(key);
    out.rawValue(Json(value).dump());
    out.attributeEnd();
  };
  auto figure = [&](llvm::StringRef key, const Figure &figure) {
    out.attributeObject(key, [&] {
      number("value", figure.value);
      if (figure.error > 0)
        number("error", figure.error);
      out.attribute("source", figure.source);
    });
  };
  auto rate = [&](llvm::StringRef key, const Rate &rate) {
    out.attributeObject(key, [&] {
      figure("peak", rate.peak);
      figure("efficiency", rate.efficiency);
    });
  };
  out.object([&] {
    out.attribute("tarn_device", 1);
    out.attribute("name", device.name);
    out.attributeArray("aliases", [&] {
      for (const std::string &alias : device.aliases)
        out.value(alias);
    });
    out.attributeArray("targets", [&] {
      for (const DeviceTarget &target : device.targets)
        out.object([&] {
          out.attribute("target", target.target);
          out.attributeObject("dots", [&] {
            for (const auto &[type, speed] : target.dots)
              rate(type, speed);
          });
          rate("vector", target.vector);
          rate("special", target.special);
        });
    });
    figure("units", device.units);
    figure("memory_bytes", device.memoryBytes);
    figure("context_bytes", device.contextBytes);
    rate("memory", device.memory);
    if (device.unitMemory.peak.value > 0)
      rate("unit_memory", device.unitMemory);
    if (device.cacheBytes.value > 0) {
      figure("cache_bytes", device.cacheBytes);
      rate("cache", device.cache);
    }
    if (device.operands.peak.value > 0)
      rate("operands", device.operands);
    if (!device.load.source.empty())
      figure("load_seconds", device.load);
    rate("host_to_device", device.hostToDevice);
    rate("device_to_host", device.deviceToHost);
    figure("launch_seconds", device.launch);
    if (!device.block.source.empty())
      figure("block_seconds", device.block);
    if (!device.tileOp.source.empty())
      figure("tile_op_seconds", device.tileOp);
  });
  return text + "\n";
}

const std::vector<Device> &tarn::knownDevices() {
  static const std::vector<Device> devices = [] {
    static const std::pair<const char *, const char *> files[] = {
#include "Devices.inc"
    };
    std::vector<Device> all;
    for (auto [name, text] : files) {
      rt::Result<Device> device = parseDevice(text, name);
      // A test reads all of them.
      assert(device.ok() && "an embedded device file is wrong");
      if (device.ok())
        all.push_back(device.take());
    }
    llvm::sort(
        all, [](const Device &a, const Device &b) { return a.name < b.name; });
    return all;
  }();
  return devices;
}

std::string tarn::deviceNames() {
  std::string names;
  for (const Device &device : knownDevices())
    names += (names.empty() ? "" : ", ") + device.name;
  return names;
}

const Device *tarn::usualDevice(std::string_view target) {
  for (const Device &device : knownDevices())
    if (device.findTarget(target))
      return &device;
  return nullptr;
}

rt::Result<Device> tarn::findDevice(const std::string &word) {
  llvm::StringRef text(word);
  if (text.contains('/') || text.ends_with(".json")) {
    rt::Result<std::string> file = rt::readFile(word, 1u << 20);
    if (!file.ok())
      return file.status();
    return parseDevice(*file, word);
  }
  std::vector<const Device *> found;
  for (const Device &device : knownDevices())
    if (text.equals_insensitive(device.name) ||
        llvm::any_of(device.aliases, [&](llvm::StringRef alias) {
          return text.equals_insensitive(alias);
        }))
      return device;
    else if (!text.empty() && device.findTarget(word))
      found.push_back(&device);
  if (found.size() == 1)
    return *found.front();
  if (found.empty())
    return rt::Status(rt::Code::NotFound, "unknown device `" + word +
                                              "`; known are " + deviceNames() +
                                              ", and files of your own "
                                              "(NAME.json)");
  std::string names;
  for (const Device *device : found)
    names += (names.empty() ? "" : " and ") + device->name;
  return rt::Status(rt::Code::BadArgument,
                    "`" + word +
                        "` is the target of several devices: " + names);
}
