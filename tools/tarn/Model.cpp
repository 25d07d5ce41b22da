//===- Model.cpp - a model as the commands see it -------------------------===//

#include "tools/tarn/Model.h"

#include "compiler/Driver/Cache.h"
#include "compiler/Driver/Registry.h"
#include "runtime/Model.h"
#include "tools/tarn/CrashGuard.h"
#include "tools/tarn/Memory.h"
#include "tools/tarn/Terminal.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/raw_ostream.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

using namespace tarn;
using namespace tarn::cli;

CompileRequest tarn::cli::requestFor(const ModelOptions &options) {
  CompileRequest request;
  request.model = options.model;
  request.set = options.set;
  request.shape = options.shape;
  request.targets = options.targets;
  request.policy = options.policy;
  request.gemm = options.gemm;
  request.ungrouped = options.ungrouped;
  request.tuneFile = options.tuneFile;
  request.budgetBytes = options.budgetBytes;
  request.hostBytes = options.hostBytes;
  for (const std::string &word : options.allow)
    request.allowed =
        std::max(request.allowed,
                 word == "meaning" ? Allowed::meaning : Allowed::rounding);
  request.deviceBudget = options.budget != "none";
  request.forcedPrecision = options.precision;
  request.cache = !options.noCache;
  request.gradientOf = options.gradientOf;
  request.dump = options.dump;
  request.verifyEachNumerics = options.verifyEachNumerics;
  return request;
}

int tarn::cli::exitCodeFor(CompileStatus status) {
  switch (status) {
  case CompileStatus::success:
    return success;
  case CompileStatus::userError:
    return userError;
  case CompileStatus::internalError:
    return reportInternalError("compilation failed inside Tarn");
  }
  return internalError;
}

/// The system's word for what went wrong with `path`.
static std::string systemError(const char *what, const std::string &path) {
  return std::string(what) + " `" + path + "`: " + std::strerror(errno);
}

bool tarn::cli::writeWhole(const std::string &path,
                           const std::vector<char> &bytes, std::string &error) {
  std::string part = path + ".part-" + std::to_string(getpid());
  std::FILE *file = std::fopen(part.c_str(), "wbx");
  if (!file) {
    error = systemError("cannot write", path);
    return false;
  }
  bool good = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  good = std::fflush(file) == 0 && good;
  good = fsync(fileno(file)) == 0 && good;
  if (!good)
    error = systemError("cannot write", path);
  good = std::fclose(file) == 0 && good;
  if (good && std::rename(part.c_str(), path.c_str()) != 0) {
    error = systemError("cannot write", path);
    good = false;
  }
  if (!good)
    std::remove(part.c_str());
  return good;
}

bool tarn::cli::isWritable(const std::string &path, std::string &error) {
  struct stat status{};
  if (stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    errno = EISDIR;
    error = systemError("cannot write", path);
    return false;
  }
  std::string part = path + ".part-" + std::to_string(getpid());
  std::FILE *file = std::fopen(part.c_str(), "wbx");
  if (!file) {
    error = systemError("cannot write", path);
    return false;
  }
  std::fclose(file);
  std::remove(part.c_str());
  return true;
}

bool tarn::cli::readWhole(const std::string &path, std::vector<char> &bytes,
                          std::string &error) {
  std::FILE *file = std::fopen(path.c_str(), "rb");
  if (!file) {
    error = systemError("cannot read", path);
    return false;
  }
  bytes.clear();
  char chunk[1 << 16];
  while (size_t got = std::fread(chunk, 1, sizeof chunk, file))
    bytes.insert(bytes.end(), chunk, chunk + got);
  bool good = !std::ferror(file);
  if (!good)
    error = systemError("cannot read", path);
  std::fclose(file);
  return good;
}

int64_t tarn::cli::plannedBytes(const rt::Manifest &manifest, bool isHere) {
  uint64_t most = 0;
  bool any = false;
  for (const rt::Target &target : manifest.targets) {
    if (isHere && target.kind != rt::TargetKind::Cpu)
      continue;
    uint64_t arena = 0, input = 0, output = 0, host = 0;
    for (const rt::Function &function : target.functions) {
      arena = std::max(arena, function.spaceBytes(rt::Space::Arena));
      input = std::max(input, function.spaceBytes(rt::Space::Input));
      output = std::max(output, function.spaceBytes(rt::Space::Output));
      host = std::max(host, function.spaceBytes(rt::Space::Host));
    }
    most = std::max(most, arena + input + output + (isHere ? host : 0));
    any = true;
  }
  if (!any)
    return 0;
  return int64_t(manifest.stateBytes + manifest.constantBytes + most);
}

/// Bytes that may be taken; negative: no limit.
static int64_t limitOf(const ModelOptions &options) {
  if (options.budgetBytes >= 0)
    return options.budgetBytes;
  return options.budget == "none" ? -1 : freeMemory();
}

std::string tarn::cli::describeLimit(const ModelOptions &options) {
  int64_t limit = limitOf(options);
  if (limit < 0)
    return "";
  std::string bytes = formatBytes(uint64_t(limit));
  return options.budgetBytes >= 0 ? "   budget " + bytes
                                  : "   of " + bytes + " free";
}

/// What is compared with that limit. What is free here is free once, for host
/// memory too, and no matter of GPUs.
static int64_t limitedBytes(const ModelOptions &options,
                            const rt::Manifest &manifest) {
  return plannedBytes(manifest, /*isHere=*/options.budgetBytes < 0);
}

/// Prints that what is there takes more than it may.
static void printTooLarge(const ModelOptions &options, const std::string &what,
                          int64_t planned, int64_t limit,
                          const std::string &help) {
  bool given = options.budgetBytes >= 0;
  printError(what + " takes " + formatBytes(uint64_t(planned)) + " (" +
                 std::to_string(planned) + " bytes), " +
                 (given ? "the budget is " + formatBytes(uint64_t(limit))
                        : formatBytes(uint64_t(limit)) + " of memory are free"),
             help);
}

/// Compiles, and once more into the free memory where all that is kept is too
/// much for it.
static CompileStatus compileToFit(const ModelOptions &options,
                                  CompileRequest &request,
                                  CompileResult &result) {
  CompileStatus status = compile(request, result);
  if (status != CompileStatus::success || result.artifact.empty())
    return status;
  int64_t limit = limitOf(options),
          planned = limitedBytes(options, result.manifest);
  if (limit < 0 || planned <= limit)
    return status;
  bool chooses = !options.policyGiven || options.policy == "auto";
  if (options.budgetBytes < 0 && chooses) {
    // Keeping everything is the fastest: only what does not fit is planned
    // again, so artifacts do not depend on how much is free elsewhere.
    llvm::errs() << "note: a step that keeps everything takes "
                 << formatBytes(uint64_t(planned))
                 << "; planned into the free memory, "
                 << formatBytes(uint64_t(limit)) << "\n";
    request.budgetBytes = limit;
    request.hostBytes = 0; // it is the same memory
    request.policy = "auto";
    result = {};
    status = compile(request, result);
    if (status != CompileStatus::success)
      return status;
    planned = limitedBytes(options, result.manifest);
    if (planned <= limit)
      return status;
  }
  // Without a training step, or with a policy, there is nothing to choose.
  printTooLarge(options, "this plan", planned, limit,
                chooses ? "smaller dimensions (--shape) take less"
                        : "--policy auto looks for plans that take less");
  return CompileStatus::userError;
}

static double secondsSince(std::chrono::steady_clock::time_point start) {
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  return took.count();
}

/// Whether an artifact that is there may run; an error was printed if not.
static bool checkLimit(const ModelOptions &options,
                       const std::vector<char> &artifact) {
  int64_t limit = limitOf(options);
  auto model = rt::Model::parse(artifact.data(), artifact.size());
  // What is wrong with it is told by who runs it.
  if (limit < 0 || !model.ok())
    return true;
  int64_t planned = limitedBytes(options, (*model)->manifest());
  if (planned <= limit)
    return true;
  printTooLarge(
      options, "`" + options.model + "`", planned, limit,
      std::string("compile the model again with --budget") +
          (options.budgetBytes < 0 ? "; --budget none tries it" : ""));
  return false;
}

/// Takes what the cache holds; false if that is not to be had, or needs more
/// than may be taken.
static bool takeCached(const ModelOptions &options, const ArtifactCache &cache,
                       CompileResult &result, std::string &summary) {
  std::optional<ArtifactCache::Entry> entry = cache.lookup();
  if (!entry)
    return false;
  auto model = rt::Model::parse(entry->artifact.data(), entry->artifact.size());
  int64_t limit = limitOf(options);
  if (!model.ok() ||
      (limit >= 0 && limitedBytes(options, (*model)->manifest()) > limit))
    return false;
  result.artifact = std::move(entry->artifact);
  result.manifest = (*model)->manifest();
  summary = std::move(entry->summary);
  return true;
}

CompileStatus tarn::cli::compileWithin(const ModelOptions &options,
                                       CompileRequest &request, bool cached,
                                       CompileResult &result,
                                       std::string &summary) {
  if (options.budgetBytes > largestMemory) {
    printError("the budget of " + formatBytes(uint64_t(options.budgetBytes)) +
                   " is more than any machine has: " +
                   formatBytes(uint64_t(largestMemory)),
               "--budget none plans without a limit");
    return CompileStatus::userError;
  }
  // Who says that all is kept gets that, or an error.
  if (options.policyGiven && options.policy == "keep-all") {
    request.budgetBytes = -1;
    request.deviceBudget = false;
  }
  auto start = std::chrono::steady_clock::now();
  // A dump or a check of numerics is asked for its own sake: compile.
  std::optional<ArtifactCache> cache;
  if (cached && !options.noCache && options.dump.empty() &&
      !options.verifyEachNumerics)
    cache.emplace(request);
  if (cache && takeCached(options, *cache, result, summary)) {
    result.seconds = {{cachePhase, secondsSince(start)}};
    return CompileStatus::success;
  }
  uint64_t said = llvm::errs().tell();
  CompileStatus status = compileToFit(options, request, result);
  if (status != CompileStatus::success || result.artifact.empty())
    return status;
  summary = summarize(request, result);
  // What is said of a model is said whenever it is compiled.
  if (cache && llvm::errs().tell() == said)
    cache->store({result.artifact, summary});
  return status;
}

int tarn::cli::obtainArtifact(const ModelOptions &options,
                              std::vector<char> &artifact, double &seconds) {
  seconds = 0;
  std::string error, summary;
  if (!isModel(options.model)) {
    if (readWhole(options.model, artifact, error))
      return checkLimit(options, artifact) ? success : userError;
    printError(error);
    return userError;
  }
  CompileRequest request = requestFor(options);
  auto start = std::chrono::steady_clock::now();
  CompileResult result;
  CompileStatus status =
      compileWithin(options, request, /*cached=*/true, result, summary);
  if (status != CompileStatus::success)
    return exitCodeFor(status);
  if (result.seconds.front().first != cachePhase)
    seconds = secondsSince(start);
  artifact = std::move(result.artifact);
  return success;
}

std::string tarn::cli::defaultFunction(const ModelOptions &options) {
  mlir::DialectRegistry registry;
  registerDialects(registry);
  mlir::MLIRContext context(registry);
  mlir::OwningOpRef<mlir::ModuleOp> module;
  if (importModel(requestFor(options), context, module) !=
      CompileStatus::success)
    return "";
  for (const char *wanted : {"forward", "eval", "train"})
    for (auto function : module->getOps<mlir::func::FuncOp>()) {
      auto kind = function->getAttrOfType<mlir::StringAttr>("tarn.kind");
      if (kind && kind.getValue() == wanted)
        return function.getName().str();
    }
  printError("the model has no function to run");
  return "";
}
