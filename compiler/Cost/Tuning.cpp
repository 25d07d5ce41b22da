//===- Tuning.cpp - which candidate of each product is the fastest --------===//

#include "compiler/Cost/Tuning.h"

#include "runtime/File.h"
#include "runtime/Json.h"
#include "runtime/Manifest.h"

#include <algorithm>
#include <cmath>

using namespace tarn;
using rt::Json;

static constexpr int64_t formatNumber = 1;
/// Past these a file is wrong, not large.
static constexpr int64_t extentLimit = 4096;
static constexpr int64_t workspaceLimit = int64_t(1) << 30;

std::string TuningCandidate::text() const {
  if (isLibrary())
    return "cuBLASLt";
  return std::to_string(block[0]) + " x " + std::to_string(block[1]) + " x " +
         std::to_string(block[2]);
}

std::string tarn::writeTuning(const Tuning &tuning) {
  Json kernels = Json::array();
  for (const auto &[key, product] : tuning.products) {
    Json candidates = Json::array();
    for (const TuningCandidate &candidate : product.candidates) {
      Json entry = Json::object();
      if (candidate.isLibrary()) {
        entry.set("algorithm", candidate.algorithm);
        entry.set("workspace", candidate.workspace);
      } else {
        Json block = Json::array();
        for (int64_t extent : candidate.block)
          block.push(extent);
        entry.set("block", std::move(block));
      }
      entry.set("seconds", candidate.seconds);
      candidates.push(std::move(entry));
    }
    Json entry = Json::object();
    entry.set("program", key);
    entry.set("name", product.name);
    entry.set("product", product.product);
    entry.set("candidates", std::move(candidates));
    entry.set("best", product.best);
    kernels.push(std::move(entry));
  }
  Json file = Json::object();
  file.set("tarn_tuning", formatNumber);
  file.set("model", tuning.model);
  file.set("architecture", tuning.architecture);
  file.set("device", tuning.device);
  file.set("driver", tuning.driver);
  file.set("cublaslt", tuning.library);
  file.set("date", tuning.date);
  // A product a line: people read it, and errors name lines.
  std::string text = file.dump();
  text.pop_back();
  text += ",\"kernels\":[";
  const char *separator = "\n";
  for (const Json &entry : kernels.asArray()) {
    text += separator + entry.dump();
    separator = ",\n";
  }
  return text + "\n]}\n";
}

namespace {

/// Reads members; the first error sticks.
class Reader {
public:
  Reader(std::string_view text, const std::string &origin)
      : text(text), origin(origin) {}
  rt::Status error;

  void fail(size_t at, const std::string &message) {
    if (!error.ok())
      return;
    auto line = 1 + std::count(text.begin(),
                               text.begin() + std::min(at, text.size()), '\n');
    error = rt::Status(rt::Code::Invalid,
                       origin + ":" + std::to_string(line) + ": " + message);
  }
  const Json *member(const Json &from, const char *key, bool required = true) {
    const Json *found = from.isObject() ? from.find(key) : nullptr;
    if (!found && required)
      fail(from.offset(), std::string("`") + key + "` is missing");
    return found;
  }
  std::string string(const Json &from, const char *key) {
    const Json *found = member(from, key);
    if (found && found->isString())
      return found->asString();
    if (found)
      fail(found->offset(), std::string("`") + key + "` must be a string");
    return {};
  }
  int64_t number(const Json &from, const char *key, int64_t most) {
    const Json *found = member(from, key);
    if (found && found->isInt() && found->asInt() >= 0 &&
        found->asInt() <= most)
      return found->asInt();
    if (found)
      fail(found->offset(), std::string("`") + key +
                                "` must be a number from 0 to " +
                                std::to_string(most));
    return 0;
  }
  std::string digits(const Json &from, const char *key, size_t count) {
    std::string text = string(from, key);
    if (error.ok() &&
        (text.size() != count ||
         text.find_first_not_of("0123456789abcdef") != std::string::npos))
      fail(from.offset(), std::string("`") + key + "` must be " +
                              std::to_string(count) + " hexadecimal digits");
    return text;
  }
  TuningCandidate candidate(const Json &from);
  TunedProduct product(const Json &from);

private:
  std::string_view text;
  const std::string &origin;
};

} // namespace

TuningCandidate Reader::candidate(const Json &from) {
  TuningCandidate result;
  const Json *block = member(from, "block", false);
  const Json *algorithm = member(from, "algorithm", false);
  if (!block == !algorithm)
    fail(from.offset(), "a candidate has a `block` or an `algorithm`");
  if (algorithm && !block) {
    result.algorithm = digits(from, "algorithm", 2 * rt::libraryAlgorithmBytes);
    result.workspace = number(from, "workspace", workspaceLimit);
  } else if (block) {
    bool good = block->isArray() && block->asArray().size() == 3;
    for (size_t i = 0; good && i != 3; ++i) {
      const Json &extent = block->asArray()[i];
      good = extent.isInt() && extent.asInt() >= 1 &&
             extent.asInt() <= extentLimit;
      result.block[i] = good ? extent.asInt() : 1;
    }
    if (!good)
      fail(block->offset(), "`block` must be rows, columns and terms, each "
                            "from 1 to " +
                                std::to_string(extentLimit));
  }
  const Json *seconds = member(from, "seconds");
  if (seconds && seconds->isNumber() && std::isfinite(seconds->asDouble()) &&
      seconds->asDouble() > 0)
    result.seconds = seconds->asDouble();
  else if (seconds)
    fail(seconds->offset(), "`seconds` must be a positive number");
  return result;
}

TunedProduct Reader::product(const Json &from) {
  TunedProduct result;
  result.name = string(from, "name");
  result.product = string(from, "product");
  const Json *candidates = member(from, "candidates");
  if (candidates && candidates->isArray() && !candidates->asArray().empty())
    for (const Json &entry : candidates->asArray())
      result.candidates.push_back(candidate(entry));
  else if (candidates)
    fail(candidates->offset(), "`candidates` must be an array of some");
  if (error.ok())
    result.best =
        size_t(number(from, "best", int64_t(result.candidates.size()) - 1));
  return result;
}

rt::Result<Tuning> tarn::parseTuning(std::string_view text,
                                     const std::string &origin) {
  Reader reader(text, origin);
  size_t errorAt = 0;
  rt::Result<Json> json = rt::parseJson(text, &errorAt);
  if (!json.ok()) {
    reader.fail(errorAt, json.status().message());
    return reader.error;
  }
  const Json *format = json->find("tarn_tuning");
  if (!format) {
    reader.fail(0, "this is no tuning file (`tarn bench --tune` writes one)");
    return reader.error;
  }
  if (!format->isInt() || format->asInt() != formatNumber)
    reader.fail(format->offset(),
                "a tuning file of a format that this version does not know");
  Tuning tuning;
  tuning.model = reader.string(*json, "model");
  tuning.architecture = reader.string(*json, "architecture");
  tuning.device = reader.string(*json, "device");
  tuning.date = reader.string(*json, "date");
  tuning.driver = reader.number(*json, "driver", int64_t(1) << 40);
  tuning.library = reader.number(*json, "cublaslt", int64_t(1) << 40);
  const Json *kernels = reader.member(*json, "kernels");
  if (kernels && !kernels->isArray())
    reader.fail(kernels->offset(), "`kernels` must be an array");
  else if (kernels)
    for (const Json &entry : kernels->asArray()) {
      std::string key = reader.digits(entry, "program", 16);
      TunedProduct product = reader.product(entry);
      bool library = false;
      for (const TuningCandidate &candidate : product.candidates)
        library |= candidate.isLibrary();
      if (library && !tuning.library)
        reader.fail(entry.offset(), "algorithms of no version of cuBLASLt");
      if (!reader.error.ok())
        return reader.error;
      if (!tuning.products.emplace(key, std::move(product)).second)
        reader.fail(entry.offset(),
                    "the program " + key + " is in the file twice");
    }
  if (!reader.error.ok())
    return reader.error;
  return tuning;
}

rt::Result<Tuning> tarn::readTuning(const std::string &path) {
  rt::Result<std::string> text = rt::readFile(path, 64u << 20);
  if (!text.ok())
    return text.status();
  return parseTuning(*text, path);
}
