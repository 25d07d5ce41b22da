//===- CostModel.cpp - seconds of kernels on a device ---------------------===//

#include "compiler/Cost/CostModel.h"

#include <algorithm>
#include <cmath>

using namespace tarn;

/// Elements that one multiprocessor of a GPU works on at a time.
static constexpr double elementsOfUnit = 16384;

CostModel::CostModel(Device device, std::string_view target, int64_t threads)
    : info(std::move(device)) {
  const DeviceTarget *found = info.findTarget(target);
  code = found ? size_t(found - info.targets.data()) : info.targets.size() - 1;
  units = std::max<int64_t>(int64_t(info.units.value), 1);
  if (info.isCpu() && threads > 0)
    units = threads;
}

rt::Result<unsigned> CostModel::useTimes(KernelTimes measured,
                                         llvm::ArrayRef<std::string> hashes,
                                         llvm::StringRef model) {
  auto differs = [](const std::string &what, const std::string &theirs,
                    const std::string &ours) {
    return rt::Status(rt::Code::Mismatch, "the times were measured with " +
                                              what + " " + theirs +
                                              ", this is about " + ours);
  };
  if (measured.device != info.name)
    return differs("device", "`" + measured.device + "`",
                   "`" + info.name + "`");
  if (measured.target != target().target)
    return differs("target", "`" + measured.target + "`",
                   "`" + target().target + "`");
  if (measured.threads != units)
    return differs("threads", std::to_string(measured.threads),
                   std::to_string(units));
  unsigned found = 0;
  for (const std::string &hash : hashes)
    found += measured.kernels.count(hash);
  bool isOther = !model.empty() && measured.model != model;
  if (!found || (isOther && 2 * found < measured.kernels.size())) {
    std::string message =
        "the times are of another model: of `" + measured.model + "`";
    if (isOther)
      message += ", this is `" + model.str() + "`";
    return rt::Status(rt::Code::Mismatch,
                      message + "; " + std::to_string(found) + " of its " +
                          std::to_string(measured.kernels.size()) +
                          " kernels are among the " +
                          std::to_string(hashes.size()) + " here");
  }
  times = std::move(measured);
  return found;
}

rt::Result<unsigned> CostModel::useTimes(KernelTimes measured,
                                         mlir::ModuleOp module) {
  std::vector<std::string> hashes;
  for (auto kernel : module.getOps<tile::KernelOp>())
    hashes.push_back(programHash(kernel));
  return useTimes(std::move(measured), hashes,
                  module.getSymName().value_or(""));
}

/// How many units a launch keeps busy on the average. The last round of blocks
/// leaves units idle, of products and of whatever runs on a CPU. Other kernels
/// of a GPU have small blocks, many of which run on a multiprocessor at a time;
/// they are counted by elements too.
double CostModel::unitsUsed(const KernelCost &cost) const {
  double blocks = std::max<double>(double(cost.blocks), 1),
         have = double(units);
  if (info.isCpu() || cost.flops() > 0)
    return blocks / std::ceil(blocks / have);
  double elements = double(cost.bytesWritten) / 4 / elementsOfUnit;
  return std::min(have, std::max(blocks, elements));
}

double CostModel::bandwidth(double bytes, double used) const {
  // What fits into the cache beside the values of other kernels comes from
  // there.
  if (info.cacheBytes.value > 0 && bytes <= info.cacheBytes.value / 4)
    return info.cache.reached() * used / info.units.value;
  double unit = info.unitMemory.peak.value > 0
                    ? info.unitMemory.reached()
                    : info.memory.reached() / info.units.value;
  return std::min(info.memory.reached(), unit * used);
}

Estimate CostModel::estimate(const KernelCost &cost,
                             llvm::StringRef hash) const {
  Estimate result;
  if (auto it = times.kernels.find(hash.str()); it != times.kernels.end()) {
    result.seconds = it->second.seconds;
    result.error = 0.05; // from one run to the next
    result.measured = true;
    return result;
  }
  double used = unitsUsed(cost), share = used / info.units.value;
  double compute = 0, doubt = 0;
  auto add = [&](int64_t work, const Rate &rate) {
    if (work == 0)
      return;
    double seconds = double(work) / (rate.reached() * share);
    compute += seconds;
    doubt += seconds * (rate.peak.error + rate.efficiency.error);
  };
  for (unsigned type = 0; type != dotTypeCount; ++type)
    add(cost.dotFlops[type], target().dot(DotType(type)));
  add(cost.vectorOps, target().vector);
  add(cost.specialOps, target().special);
  double starts = double(cost.tileOps) * info.tileOp.value / used;
  compute += starts;
  doubt += starts * info.tileOp.error;
  double bytes = double(cost.bytes());
  double memory = bytes / bandwidth(bytes, used);
  double operands =
      info.operands.peak.value > 0
          ? double(cost.bytesLoaded) / (info.operands.reached() * share)
          : 0;
  // Threads take blocks from one counter, one after the other.
  double launch = info.launch.value + double(cost.blocks) * info.block.value;
  double work = std::max({compute, memory, operands});
  result.seconds = work + launch;
  result.bound = launch > work      ? "launch"
                 : work == operands ? "cache"
                 : work == compute  ? "compute"
                                    : "memory";
  auto doubtOf = [](const Rate &rate) {
    return rate.peak.error + rate.efficiency.error;
  };
  double workDoubt = work == operands  ? operands * doubtOf(info.operands)
                     : work == compute ? doubt
                                       : memory * doubtOf(info.memory);
  result.error = (workDoubt + launch * info.launch.error) / result.seconds;
  return result;
}

double CostModel::roofSeconds(const KernelCost &cost) const {
  double compute = double(cost.vectorOps) / target().vector.peak.value +
                   double(cost.specialOps) / target().special.peak.value;
  for (unsigned type = 0; type != dotTypeCount; ++type)
    if (cost.dotFlops[type])
      compute +=
          double(cost.dotFlops[type]) / target().dot(DotType(type)).peak.value;
  double bytes = double(cost.bytes());
  bool cached = info.cacheBytes.value > 0 && bytes <= info.cacheBytes.value / 4;
  return std::max(compute,
                  bytes / (cached ? info.cache : info.memory).peak.value);
}

Estimate CostModel::estimate(tile::KernelOp kernel) const {
  return estimate(costOf(kernel), hasTimes() ? programHash(kernel) : "");
}

double CostModel::seconds(tile::KernelOp kernel) const {
  return estimate(kernel).seconds;
}

std::string CostModel::sourceOf(tile::KernelOp kernel) const {
  return hasTimes() && times.kernels.count(programHash(kernel)) ? "measured"
                                                                : "roofline";
}

double CostModel::copySeconds(int64_t bytes) const {
  double moved = 2 * double(bytes);
  return moved / bandwidth(moved, double(units)) + info.launch.value;
}

double CostModel::fillSeconds(int64_t bytes) const {
  return double(bytes) / bandwidth(double(bytes), double(units)) +
         info.launch.value;
}

double CostModel::toHostSeconds(int64_t bytes) const {
  return double(bytes) / info.deviceToHost.reached() + info.launch.value;
}

double CostModel::fromHostSeconds(int64_t bytes) const {
  return double(bytes) / info.hostToDevice.reached() + info.launch.value;
}

double CostModel::besideSeconds(int64_t bytes) const {
  double moved = double(bytes);
  if (!info.isCpu())
    return moved / info.memory.reached();
  double core = std::max(moved / info.deviceToHost.reached(),
                         moved / info.hostToDevice.reached()) /
                double(units);
  return std::max(2 * moved / info.memory.reached(), core);
}

rt::Result<CostModel> tarn::findCostModel(const std::string &word,
                                          const std::string &times,
                                          mlir::ModuleOp module) {
  rt::Result<Device> device = findDevice(word);
  if (!device.ok())
    return device.status();
  std::string target = device->findTarget(word) ? word : "";
  CostModel model(device.take(), target);
  if (times.empty())
    return model;
  rt::Result<KernelTimes> measured = readKernelTimes(times);
  if (!measured.ok())
    return measured.status();
  rt::Result<unsigned> used = model.useTimes(measured.take(), module);
  if (!used.ok())
    return used.status().within("`" + times + "`");
  return model;
}
