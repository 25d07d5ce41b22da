//===- PackCommand.cpp - `tarn plan --pack` -------------------------------===//

#include "tools/tarn/Options.h"
#include "tools/tarn/PackFile.h"
#include "tools/tarn/Terminal.h"

#include "passes/Plan/Packing/Certificate.h"
#include "passes/Plan/Packing/Pack.h"
#include "runtime/File.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

using namespace tarn;
using namespace tarn::cli;

namespace {

/// `[lower, upper)` of the moment at which most bytes live.
std::string describeFullest(const PackFile &file) {
  packing::Bound bound = packing::lowerBound(file.buffers);
  int64_t from = 0, to = INT64_MAX;
  for (unsigned index : bound.buffers) {
    from = std::max(from, file.buffers[index].lower);
    to = std::min(to, file.buffers[index].upper);
  }
  return formatCount(bound.bytes) + " bytes are needed at [" +
         std::to_string(from) + ", " + std::to_string(to) + ")";
}

/// Says on stderr which buffers alone do not fit.
void printConflict(const PackFile &file, const packing::Conflict &conflict) {
  if (conflict.buffers.empty())
    return;
  std::vector<unsigned> shown = conflict.buffers;
  std::sort(shown.begin(), shown.end(), [&](unsigned x, unsigned y) {
    int64_t a = file.buffers[x].size, b = file.buffers[y].size;
    return a != b ? a > b : x < y;
  });
  std::fprintf(stderr, "note: %s of them %s not fit%s:\n",
               formatCount(shown.size()).c_str(),
               shown.size() == 1 ? "alone does" : "alone do",
               conflict.irreducible && shown.size() > 1
                   ? ", and without any one of these the others do"
                   : "");
  constexpr size_t most = 20;
  for (size_t i = 0; i != std::min(shown.size(), most); ++i) {
    const packing::Buffer &buffer = file.buffers[shown[i]];
    std::string id(file.ids[shown[i]].substr(0, 60));
    std::fprintf(stderr, "  %-12s %16s bytes  [%lld, %lld)%s%s\n", id.c_str(),
                 formatCount(buffer.size).c_str(), (long long)buffer.lower,
                 (long long)buffer.upper, buffer.fixed >= 0 ? " at " : "",
                 buffer.fixed >= 0 ? formatCount(buffer.fixed).c_str() : "");
  }
  if (shown.size() > most)
    std::fprintf(stderr, "  and %zu more\n", shown.size() - most);
}

/// The error of a problem that was not packed, and why.
int reportFailure(const PackFile &file, const PlanOptions &options,
                  const packing::Packing &packed) {
  std::string buffers = formatCount(file.buffers.size()) + " buffers";
  if (packed.outcome == packing::Outcome::unknown) {
    printError(
        "no packing of " + buffers + " into " + formatCount(options.capacity) +
            " bytes was found in " + formatCount(packed.nodes) +
            " nodes of search; nor was it proven that there is none: " +
            describeFullest(file),
        "the orders by size alone need " + formatCount(packed.greedyBytes) +
            " bytes; --nodes searches longer, without --capacity the "
            "smallest arena found is taken");
    return userError;
  }
  // Impossible at its own bound: only fixed buffers can be the reason.
  if (options.capacity && packed.bound > options.capacity)
    printError(buffers + " do not fit into " + formatCount(options.capacity) +
               " bytes (proven, " + formatCount(packed.nodes) +
               " nodes of search): at least " + formatCount(packed.bound) +
               " are needed; " + describeFullest(file));
  else
    printError("fixed buffers are in each other's way");
  int64_t capacity = options.capacity ? options.capacity : INT64_MAX;
  printConflict(file, packing::findConflict(file.buffers, capacity));
  return userError;
}

} // namespace

int tarn::cli::runPack(const Invocation &in) {
  const PlanOptions &options = in.plan;
  rt::Result<std::string> text = rt::readFile(options.pack, uint64_t(1) << 30);
  if (!text.ok()) {
    printError(text.status().message());
    return userError;
  }
  rt::Result<PackFile> file = parsePackFile(*text, options.pack);
  if (!file.ok()) {
    printError(file.status().message());
    return userError;
  }
  packing::Limits limits;
  limits.nodes = options.nodes;
  auto begin = std::chrono::steady_clock::now();
  packing::Packing packed =
      options.capacity
          ? packing::packInto(file->buffers, options.capacity, limits)
          : packing::packSmallest(file->buffers, limits);
  double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
          .count();
  if (packed.outcome != packing::Outcome::packed)
    return reportFailure(*file, options, packed);
  if (!options.offsets.empty()) {
    rt::Status written =
        rt::writeFile(options.offsets, writePackFile(*file, packed.offsets));
    if (!written.ok()) {
      printError(written.message());
      return userError;
    }
  }
  int64_t live = packing::makeSections(file->buffers).mostLive();
  double ratio = double(packed.bytes) / double(live);
  if (in.output.json)
    std::printf("{\"buffers\":%zu,\"arena_bytes\":%lld,\"max_live\":%lld,"
                "\"bound\":%lld,\"nodes\":%llu,\"seconds\":%.3f}\n",
                file->buffers.size(), (long long)packed.bytes, (long long)live,
                (long long)packed.bound, (unsigned long long)packed.nodes,
                seconds);
  else if (!in.output.quiet)
    std::printf("arena %s bytes, max-live %s, ratio %.4f%s, %.3f s\n",
                formatCount(packed.bytes).c_str(), formatCount(live).c_str(),
                ratio, packed.bytes == packed.bound ? " (smallest)" : "",
                seconds);
  return success;
}
