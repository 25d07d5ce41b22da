//===- Peak.cpp - what a plan holds at its fullest moment -----------------===//

#include "passes/Plan/ForwardPass.h"
#include "passes/Plan/FunctionPlan.h"
#include "passes/Plan/KernelGraph.h"

#include "llvm/Support/FormatVariadic.h"

#include <map>
#include <numeric>

using namespace mlir;
using namespace tarn;

/// The place in the model's text; null if there is none.
static FileLineColLoc lineOf(Location loc) {
  FileLineColLoc line;
  loc->walk([&](Location inner) {
    line = dyn_cast<FileLineColLoc>(inner);
    return line ? WalkResult::interrupt() : WalkResult::advance();
  });
  return line;
}

std::string tarn::lineText(Location loc) {
  FileLineColLoc line = lineOf(loc);
  if (!line)
    return "";
  StringRef path = line.getFilename().getValue();
  return llvm::formatv("{0}:{1}", path.substr(path.rfind('/') + 1),
                       line.getLine())
      .str();
}

/// The steps at which a value holds bytes of its own: what another value takes
/// over in the step that reads it last has none there.
Peak FunctionPlan::peak() const {
  std::map<std::pair<int64_t, int64_t>, Value> begins;
  for (Value value : sequence)
    if (const Home &home = homes.find(value)->second; home.arena)
      begins[{home.slice.getOffset(), home.first}] = value;
  auto lastOf = [&](Value value, const Home &home) {
    auto next = begins.find({home.slice.getOffset(), home.last});
    return next != begins.end() && next->second != value ? home.last - 1
                                                         : home.last;
  };
  std::vector<int64_t> change(length + 2), live(length + 2);
  for (Value value : sequence)
    if (const Home &home = homes.find(value)->second; home.arena) {
      change[home.first] += home.slice.getBytes();
      change[std::max(lastOf(value, home), home.first) + 1] -=
          home.slice.getBytes();
    }
  for (const Workspace &workspace : workspaces) {
    change[workspace.step] += workspace.slice.getBytes();
    change[workspace.step + 1] -= workspace.slice.getBytes();
  }
  std::partial_sum(change.begin(), change.end(), live.begin());
  Peak peak;
  peak.step = std::max_element(live.begin(), live.end()) - live.begin();
  peak.steps = length;
  for (Operation *op : schedule)
    if (stepOf.lookup(op) <= peak.step)
      peak.at = op;
  // By all members, where it is a group.
  llvm::SmallDenseSet<Value> used;
  for (Operation *op : schedule) {
    if (stepOf.lookup(op) != stepOf.lookup(peak.at))
      continue;
    for (Value operand : op->getOperands())
      used.insert(throughReshapes(operand));
    used.insert_range(op->getResults());
  }

  ForwardPass forward(function);
  std::map<std::tuple<std::string, int64_t, PeakLine::Kind>, size_t> known;
  for (Value value : sequence) {
    const Home &home = homes.find(value)->second;
    if (!home.arena || home.first > peak.step ||
        std::max(lastOf(value, home), home.first) < peak.step)
      continue;
    PeakLine::Kind kind = used.contains(value) ? PeakLine::Kind::inUse
                          : forward.isRecomputable(value)
                              ? PeakLine::Kind::kept
                              : PeakLine::Kind::later;
    FileLineColLoc line = lineOf(home.loc);
    auto [found, isNew] = known.insert({{line ? line.getFilename().str() : "",
                                         line ? line.getLine() : 0, kind},
                                        peak.lines.size()});
    if (isNew)
      peak.lines.push_back({kind, home.loc, 0, {}});
    PeakLine &into = peak.lines[found->second];
    into.bytes += home.slice.getBytes();
    into.values.push_back(value);
  }
  // What a library works in counts as its kernel's.
  for (const Workspace &workspace : workspaces)
    for (PeakLine &line : peak.lines)
      if (workspace.step == peak.step && line.kind == PeakLine::Kind::inUse &&
          line.values.front().getDefiningOp() == workspace.cluster) {
        line.bytes += workspace.slice.getBytes();
        break;
      }
  // Each is the first value's line: no two begin with the same one.
  llvm::sort(peak.lines, [&](const PeakLine &x, const PeakLine &y) {
    auto key = [&](const PeakLine &line) {
      const Home &home = homes.find(line.values.front())->second;
      return std::tuple(-line.bytes, home.slice.getOffset(), home.first);
    };
    return key(x) < key(y);
  });
  return peak;
}
