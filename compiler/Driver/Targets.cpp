//===- Targets.cpp - `--target` as a list of instruction sets -------------===//

#include "compiler/Driver/Targets.h"

#include "compiler/Target/Cpu/CpuTarget.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"

bool tarn::resolveTargets(const std::vector<std::string> &words,
                          std::vector<std::string> &levels, std::string &error,
                          std::string &help) {
  levels.clear();
  auto add = [&](llvm::StringRef level) {
    if (!llvm::is_contained(levels, level))
      levels.push_back(level.str());
  };
  for (llvm::StringRef word : words) {
    if (word == "auto" || word == "cpu") {
      add(cpu::hostIsa().name);
      continue;
    }
    llvm::StringRef level = word;
    if (!level.consume_front("cpu:")) {
      error = "unknown target `" + word.str() + "`";
      help = "targets are auto, cpu and cpu:LEVEL, where LEVEL is " +
             cpu::isaNames();
      return false;
    }
    if (!cpu::lookupIsa(level)) {
      error = "unknown instruction set `" + level.str() + "`";
      help = "the CPU levels are " + cpu::isaNames();
      return false;
    }
    add(level);
  }
  if (levels.empty())
    add(cpu::hostIsa().name);
  return true;
}
