//===- KernelTimes.cpp - measured times of kernels ------------------------===//

#include "compiler/Cost/KernelTimes.h"

#include "runtime/File.h"
#include "runtime/Json.h"

#include <cmath>

using namespace tarn;
using rt::Json;

std::string tarn::writeKernelTimes(const KernelTimes &times) {
  Json kernels = Json::array();
  for (const auto &[hash, time] : times.kernels) {
    Json entry = Json::object();
    entry.set("program", hash);
    entry.set("name", time.name);
    entry.set("seconds", time.seconds);
    entry.set("launches", time.launches);
    kernels.push(std::move(entry));
  }
  Json file = Json::object();
  file.set("tarn_kernel_times", 1);
  file.set("model", times.model);
  file.set("device", times.device);
  file.set("target", times.target);
  file.set("threads", times.threads);
  file.set("kernels", std::move(kernels));
  return file.dump() + "\n";
}

static rt::Status invalid(const std::string &message) {
  return rt::Status(rt::Code::Invalid, message);
}

rt::Result<KernelTimes> tarn::parseKernelTimes(std::string_view text,
                                               const std::string &origin) {
  auto bad = [&](const std::string &message) {
    return invalid(origin + ": " + message);
  };
  rt::Result<Json> json = rt::parseJson(text);
  if (!json.ok())
    return json.status().within(origin);
  const Json *format = json->find("tarn_kernel_times");
  if (!format)
    return bad("this is no file of kernel times (`tarn bench --times` "
               "writes one)");
  if (!format->isInt() || format->asInt() != 1)
    return bad("kernel times of a format that this version does not know");
  KernelTimes times;
  for (auto [key, to] : {std::pair("model", &times.model),
                         {"device", &times.device},
                         {"target", &times.target}}) {
    const Json *member = json->find(key);
    if (!member || !member->isString())
      return bad(std::string("`") + key + "` must be a string");
    *to = member->asString();
  }
  const Json *threads = json->find("threads");
  if (!threads || !threads->isInt() || threads->asInt() < 1 ||
      threads->asInt() > 1 << 20)
    return bad("`threads` must be a positive number");
  times.threads = threads->asInt();
  const Json *kernels = json->find("kernels");
  if (!kernels || !kernels->isArray())
    return bad("`kernels` must be an array");
  for (const Json &entry : kernels->asArray()) {
    std::string at = "kernel " + std::to_string(times.kernels.size());
    const Json *program = entry.find("program"), *name = entry.find("name");
    const Json *seconds = entry.find("seconds");
    const Json *launches = entry.find("launches");
    if (!program || !program->isString() || program->asString().size() != 16 ||
        program->asString().find_first_not_of("0123456789abcdef") !=
            std::string::npos)
      return bad(at + ": `program` must be 16 hexadecimal digits");
    if (!name || !name->isString())
      return bad(at + ": `name` must be a string");
    at += " (" + name->asString() + ")";
    if (!seconds || !seconds->isNumber() ||
        !std::isfinite(seconds->asDouble()) || seconds->asDouble() <= 0)
      return bad(at + ": `seconds` must be a positive number");
    if (!launches || !launches->isInt() || launches->asInt() < 1)
      return bad(at + ": `launches` must be a positive number");
    KernelTime time{name->asString(), seconds->asDouble(),
                    uint64_t(launches->asInt())};
    if (!times.kernels.emplace(program->asString(), time).second)
      return bad(at + ": its program is in the file twice");
  }
  if (times.kernels.empty())
    return bad("there are no kernels in it");
  return times;
}

rt::Result<KernelTimes> tarn::readKernelTimes(const std::string &path) {
  rt::Result<std::string> text = rt::readFile(path, 256u << 20);
  if (!text.ok())
    return text.status();
  return parseKernelTimes(*text, path);
}
