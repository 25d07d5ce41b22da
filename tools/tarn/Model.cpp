//===- Model.cpp - a model as the commands see it -------------------------===//

#include "tools/tarn/Model.h"

#include "compiler/Driver/Cache.h"
#include "compiler/Driver/Registry.h"
#include "tools/tarn/CrashGuard.h"
#include "tools/tarn/Terminal.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
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
  request.budgetBytes = options.budgetBytes;
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

int tarn::cli::obtainArtifact(const ModelOptions &options,
                              std::vector<char> &artifact, double &seconds) {
  seconds = 0;
  std::string error;
  if (!isModel(options.model)) {
    if (readWhole(options.model, artifact, error))
      return success;
    printError(error);
    return userError;
  }
  CompileRequest request = requestFor(options);
  // A dump or a check of numerics is asked for its own sake: compile.
  bool cached =
      !options.noCache && options.dump.empty() && !options.verifyEachNumerics;
  ArtifactCache cache;
  if (cached && cache.lookup(request, artifact))
    return success;
  auto start = std::chrono::steady_clock::now();
  CompileResult result;
  CompileStatus status = compile(request, result);
  if (status != CompileStatus::success)
    return exitCodeFor(status);
  seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  artifact = std::move(result.artifact);
  if (cached)
    cache.store(request, artifact);
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
