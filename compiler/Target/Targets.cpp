//===- Targets.cpp - what `--target` names --------------------------------===//

#include "compiler/Target/Targets.h"

#include "compiler/Cost/Device.h"
#include "compiler/Target/Cpu/CpuTarget.h"
#include "compiler/Target/Cuda/Architecture.h"

#include "llvm/ADT/STLExtras.h"

using namespace tarn;

std::string Target::name() const {
  return (kind == Kind::cpu ? "cpu:" : "cuda:") + isa;
}

/// Names of the devices that code is made for.
static std::string namesOfDevices() {
  std::string names;
  for (const Device &device : knownDevices())
    for (const DeviceTarget &code : device.targets)
      if (llvm::StringRef target = code.target;
          target.consume_front("cuda:") && cuda::findArchitecture(target))
        names += (names.empty() ? "" : ", ") + device.name;
  return names;
}

static std::string help() {
  return "targets are auto, cpu, cpu:LEVEL where LEVEL is " + cpu::isaNames() +
         ", cuda:ARCHITECTURE where ARCHITECTURE is " +
         cuda::getArchitectureNames() + ", and the devices " + namesOfDevices();
}

static Target cpuTarget(llvm::StringRef level) {
  Target target{Target::Kind::cpu, level.str(), "cpu", -1};
  // Most levels have figures of their own.
  if (findDevice(target.name()).ok())
    target.device = target.name();
  return target;
}

static Target cudaTarget(llvm::StringRef architecture) {
  Target target{Target::Kind::cuda, architecture.str(), "cpu", -1};
  if (const Device *device = usualDevice(target.name()))
    target.device = device->name;
  return target;
}

/// What a device's name or file stands for; false if it is none, or none that
/// code is made for.
static bool fromDevice(llvm::StringRef word, Target &target,
                       std::string &error) {
  rt::Result<Device> found = findDevice(word.str());
  if (!found.ok())
    return false;
  for (const DeviceTarget &code : llvm::reverse(found->targets)) {
    llvm::StringRef isa = code.target;
    if (isa.consume_front("cpu:") && cpu::lookupIsa(isa)) {
      target = {Target::Kind::cpu, isa.str(), word.str(), -1};
      return true;
    }
    if (!isa.consume_front("cuda:") || !cuda::findArchitecture(isa))
      continue;
    target.kind = Target::Kind::cuda;
    target.isa = isa.str();
    target.device = word.str();
    target.memoryBytes = std::max<int64_t>(
        int64_t(found->memoryBytes.value - found->contextBytes.value), 0);
    return true;
  }
  error = "there is no code for `" + word.str() + "` yet, which is " +
          found->targets.back().target;
  return false;
}

bool tarn::resolveTargets(const std::vector<std::string> &words,
                          std::vector<Target> &targets, std::string &error,
                          std::string &help) {
  targets.clear();
  auto add = [&](Target target) {
    if (llvm::none_of(targets, [&](const Target &other) {
          return other.name() == target.name();
        }))
      targets.push_back(std::move(target));
  };
  for (llvm::StringRef word : words) {
    llvm::StringRef rest = word;
    Target named;
    if (word == "auto" || word == "cpu") {
      add(cpuTarget(cpu::hostIsa().name));
    } else if (rest.consume_front("cpu:")) {
      if (!cpu::lookupIsa(rest)) {
        error = "unknown instruction set `" + rest.str() + "`";
        help = "the CPU levels are " + cpu::isaNames();
        return false;
      }
      add(cpuTarget(rest));
    } else if (rest.consume_front("cuda:")) {
      if (!cuda::findArchitecture(rest)) {
        error = "there is no code for `" + word.str() + "`";
        help = "the GPU architectures are " + cuda::getArchitectureNames();
        return false;
      }
      add(cudaTarget(rest));
    } else if (fromDevice(word, named, error)) {
      add(named);
    } else {
      if (error.empty())
        error = "unknown target `" + word.str() + "`";
      help = ::help();
      return false;
    }
  }
  if (targets.empty())
    add(cpuTarget(cpu::hostIsa().name));
  return true;
}
