//===- Measure.cpp - `tarn measure` ---------------------------------------===//

#include "tools/tarn/Calibrate.h"
#include "tools/tarn/Options.h"
#include "tools/tarn/Terminal.h"

#include "compiler/Cost/MeasureDevice.h"
#include "runtime/File.h"
#include "runtime/Json.h"

#include "llvm/Support/Path.h"

#include <cstdio>

using namespace tarn;
using namespace tarn::cli;

/// A speed and what it is of the one that Tarn brings.
static void printRow(const char *what, const std::string &of, double value,
                     const char *unit, double known) {
  std::printf(" %-9s %-28s %8.1f %-7s %5.2fx\n", what, of.c_str(), value, unit,
              value / known);
}

static void print(const Device &device, const Device &known, double missed,
                  const std::string &path) {
  std::printf(" %s: %d threads, %s of memory; beside `%s`, which Tarn brings\n",
              device.name.c_str(), int(device.units.value),
              formatBytes(uint64_t(device.memoryBytes.value)).c_str(),
              known.name.c_str());
  for (const DeviceTarget &target : device.targets)
    printRow("products", "f32, " + target.target.substr(4),
             target.dot(DotType::f32).peak.value * 1e-9, "GFLOP/s",
             known.findTarget(target.target)->dot(DotType::f32).peak.value *
                 1e-9);
  printRow("copies", "all threads", device.memory.peak.value * 1e-9, "GB/s",
           known.memory.peak.value * 1e-9);
  printRow("", "one thread", device.unitMemory.peak.value * 1e-9, "GB/s",
           known.unitMemory.peak.value * 1e-9);
  if (device.cacheBytes.value > 0)
    printRow(
        "",
        "in " + formatBytes(uint64_t(device.cacheBytes.value)) + " of cache",
        device.cache.peak.value * 1e-9, "GB/s", known.cache.peak.value * 1e-9);
  printRow("launches", "empty", device.launch.value * 1e6, "us",
           known.launch.value * 1e6);
  const DeviceTarget &best = device.targets.back();
  const DeviceTarget &knownBest = *known.findTarget(best.target);
  printRow("kernels", "products, of their peak",
           100 * best.dot(DotType::f32).efficiency.value, "%",
           100 * knownBest.dot(DotType::f32).efficiency.value);
  printRow("", "elements", 100 * best.vector.efficiency.value, "%",
           100 * knownBest.vector.efficiency.value);
  printRow("", "copies", 100 * device.memory.efficiency.value, "%",
           100 * known.memory.efficiency.value);
  std::printf("           with these, each is predicted to +-%.0f %% in the "
              "mean\n",
              100 * missed);
  std::printf(" wrote %s; --target %s plans and predicts with it\n",
              path.c_str(), path.c_str());
}

int tarn::cli::runMeasure(const Invocation &in) {
  const std::string &path = in.measure.output;
  llvm::StringRef stem = llvm::sys::path::stem(path);
  if (llvm::sys::path::extension(path) != ".json" || stem.empty()) {
    printError("`" + path + "` is no name of a device file",
               "device files end in .json, as mine.json");
    return usageError;
  }
  rt::Result<rt::AtomicFile> file = rt::AtomicFile::create(path);
  if (!file.ok()) {
    printError(file.status().message());
    return userError;
  }
  Device known = findDevice("cpu").take();
  ProgressLine progress(!in.output.noProgress && !in.output.quiet);
  rt::Result<Device> device = measureDevice(
      known, stem.str(), unsigned(in.measure.threads), [&](const char *what) {
        progress.show(std::string(" measuring ") + what);
      });
  if (!device.ok()) {
    progress.clear();
    printError(device.status().message());
    return userError;
  }
  double missed = 0;
  int code = calibrate(
      *device, int(in.measure.threads), missed,
      [&](const std::string &what) { progress.show(" measuring " + what); });
  progress.clear();
  if (code != cli::success)
    return code;
  std::string text = writeDevice(*device);
  rt::Status status = file->write(text.data(), text.size());
  if (status.ok())
    status = file->commit();
  if (!status.ok()) {
    printError(status.message());
    return userError;
  }
  if (in.output.json)
    std::printf("%s\n", rt::parseJson(text)->dump().c_str());
  else if (!in.output.quiet)
    print(*device, known, missed, path);
  return success;
}
