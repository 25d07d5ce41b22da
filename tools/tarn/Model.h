//===- Model.h - a model as the commands see it -----------------*- C++ -*-===//

#ifndef TOOLS_TARN_MODEL_H
#define TOOLS_TARN_MODEL_H

#include "compiler/Driver/Compile.h"
#include "tools/tarn/Options.h"

#include <string>
#include <vector>

namespace tarn::cli {

/// The compile request that a command line's model options ask for.
CompileRequest requestFor(const ModelOptions &options);

/// The exit code of a compilation's end; an internal error also leaves a
/// reproducer.
int exitCodeFor(CompileStatus status);

/// Writes a whole file beside its final name and renames it, so that an error
/// leaves an existing file as it was. Returns false with `error` set.
bool writeWhole(const std::string &path, const std::vector<char> &bytes,
                std::string &error);

/// Whether a file can be written there; tried and taken back. Returns false
/// with `error` set.
bool isWritable(const std::string &path, std::string &error);

/// Reads a whole file. Returns false with `error` set.
bool readWhole(const std::string &path, std::vector<char> &bytes,
               std::string &error);

/// What the spaces of an artifact take when all of its functions run: the most
/// of its targets. `isHere`: of this machine's memory, which is that of CPU
/// targets with their host space; else without the host space.
int64_t plannedBytes(const rt::Manifest &manifest, bool isHere = false);

/// `   budget 22.0 GiB`, `   of 21.9 GiB free`; empty without a limit.
std::string describeLimit(const ModelOptions &options);

/// The phase of a result that the cache had: the only one.
inline constexpr const char *cachePhase = "cache";

/// Compiles `request` within the budget of the options. `auto` changes nothing
/// where all that the step keeps fits into the free memory; else the request is
/// given that as its budget. Errors were printed. `cached`: the artifact may
/// come from the cache, with its manifest, `summary` and nothing else of a
/// result. What was compiled without a word on stderr is kept there.
CompileStatus compileWithin(const ModelOptions &options,
                            CompileRequest &request, bool cached,
                            CompileResult &result, std::string &summary);

/// What `tarn compile` prints of a result: the line of the model, and those
/// behind its figures. `explainGemm`: with who runs each product, and why.
std::string summarize(const CompileRequest &request,
                      const CompileResult &result, bool explainGemm = false);

/// The artifact of MODEL: its bytes when it is one, else compiled through the
/// cache. Returns an ExitCode; `seconds` is the time compiling took (0 from the
/// cache).
int obtainArtifact(const ModelOptions &options, std::vector<char> &artifact,
                   double &seconds);

/// The function that `run` runs when none is named; empty after an error.
std::string defaultFunction(const ModelOptions &options);

} // namespace tarn::cli

#endif // TOOLS_TARN_MODEL_H
