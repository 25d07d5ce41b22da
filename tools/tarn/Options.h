//===- Options.h - the command line as data ---------------------*- C++ -*-===//

#ifndef TOOLS_TARN_OPTIONS_H
#define TOOLS_TARN_OPTIONS_H

#include "tools/tarn/MeshOptions.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tarn::cli {

/// Exit codes of every command.
enum ExitCode {
  success = 0,
  userError = 1,
  usageError = 2,
  internalError = 70
};

/// What names a model and how it is compiled; shared by most commands.
struct ModelOptions {
  /// A .tarn file or a compiled artifact.
  std::string model;
  /// Hyper-parameters, `--set layers=6`.
  std::map<std::string, std::string> set;
  /// Symbolic dimensions, `--shape B=8,T=1024`.
  std::map<std::string, int64_t> shape;
  /// `auto`, `cpu`, `cpu:x86-64-v3`, `cuda:sm_90a`, `h100`, ...; several make
  /// several code sections.
  std::vector<std::string> targets;
  /// What the planner keeps for the backward pass: `keep-all`, `sqrt`,
  /// `recompute-all`, `offload-all` or `auto`.
  std::string policy = "keep-all";
  /// Whether a policy was asked for; `plan` chooses for itself without.
  bool ungrouped = false;
  bool policyGiven = false;
  /// Bytes that all memory spaces together may take; negative: no limit.
  int64_t budgetBytes = -1;
  /// The word given: bytes, `none`, or `auto` (what is free on the device);
  /// empty is `auto` too.
  std::string budget;
  /// Bytes of host memory that a plan may park values in; negative: no limit.
  int64_t hostBytes = -1;
  /// What the planner may do beyond exact choices: `rounding`, `meaning` (which
  /// takes in rounding).
  std::vector<std::string> allow;
  /// `fp32`, `tf32` or `bf16` whatever the model says; empty = what it says.
  std::string precision;
  /// Who runs plain products on a GPU: `own` or `cublaslt`.
  std::string gemm = "own";
  /// The fastest candidate of each product, from `bench --tune`; empty = none.
  std::string tuneFile;
  /// Folder for the IR after each pass; empty = none.
  std::string dump;
  /// Evaluate the module before and after each pass and compare.
  bool verifyEachNumerics = false;
  /// Compile again even if the cache holds the artifact.
  bool noCache = false;
  /// Of an artifact: print the kernels' text.
  bool source = false;
  /// Compile this function with its gradients instead of a step; no option.
  std::string gradientOf;
};

/// Where and how results are printed.
struct OutputOptions {
  bool json = false;
  bool quiet = false;
  bool noProgress = false;
};

struct CompileOptions {
  std::string output;
  /// Stop after this phase and print its IR instead of an artifact.
  std::string from, to;
  /// `cuda`: write the text of the kernels instead of an artifact.
  std::string emit;
  /// The artifact holds that text too.
  bool keepSource = false;
  /// Print who runs each product, and why.
  bool explainGemm = false;
  /// Make an artifact for `bench --tune`.
  bool tuneCandidates = false;
};

struct TrainOptions {
  std::vector<std::string> data;
  /// Bytes a token takes in a `.bin` file: 2 or 4.
  int64_t tokenBytes = 2;
  int64_t steps = 1000;
  uint64_t seed = 0;
  int64_t evalEvery = 250;
  int64_t evalBatches = 20;
  int64_t saveEvery = 500;
  int64_t logEvery = 10;
  double heldOut = 0.1;
  std::string out;
  std::string resume;
  std::string params;
  int64_t threads = 0;
  bool profile = false;
};

struct RunOptions {
  std::string inputs;
  std::string outputs;
  std::string params;
  std::string function;
  bool grad = false;
  bool reference = false;
  uint64_t seed = 0;
  int64_t threads = 0;
  /// Sampling: the checkpoint's folder, the prompt, and how many tokens.
  std::string sample;
  std::string prompt;
  int64_t tokens = 200;
};

struct BenchOptions {
  int64_t steps = 10;
  int64_t threads = 0;
  bool profile = false;
  /// File for the measured time of each kernel; empty = none.
  std::string times;
  /// File for the fastest candidate of each product; empty = none.
  std::string tune;
  /// The device that the prediction is for: a name or a file; empty = the
  /// target's.
  std::string device;
};

struct MeasureOptions {
  /// The device file to write.
  std::string output;
  int64_t threads = 0;
};

enum class Command {
  check,
  compile,
  train,
  run,
  bench,
  measure,
  plan,
  inspect
};

struct PlanOptions {
  /// A packing problem (CSV), the bytes it must fit into (0 = the least that is
  /// found), where the offsets go, and how long is searched.
  std::string pack;
  int64_t capacity = 0;
  std::string offsets;
  uint64_t nodes = 20'000'000;
  /// Files to write: the page, the viewers' formats; empty = none.
  std::string report, exportPytorch, exportPerfetto;
  /// Measured times of kernels; empty = roofline only.
  std::string times;
  /// A report (JSON) to compare with.
  std::string compare;
  /// Conditions on the plan, `peak<=22GiB`.
  std::vector<std::string> asserts;
  /// Print a table of kernels, and why launches are not fewer.
  bool kernels = false, explainFusion = false;
  /// Dims whose largest size is looked for.
  std::vector<std::string> fit;
};

/// One parsed command line.
struct Invocation {
  Command command;
  ModelOptions model;
  OutputOptions output;
  CompileOptions compile;
  TrainOptions train;
  RunOptions run;
  BenchOptions bench;
  MeasureOptions measure;
  PlanOptions plan;
  MeshOptions mesh;
  /// The words as typed, for messages and reproducers.
  std::vector<std::string> words;
};

/// Parses the command line. Returns -1 to go on, or the exit code when there is
/// nothing more to do (help was printed, or the usage was wrong and said so).
int parseCommandLine(int argc, char **argv, Invocation &invocation);

// The commands. Each returns an ExitCode.
int runCheck(const Invocation &invocation);
int runCompile(const Invocation &invocation);
int runTrain(const Invocation &invocation);
int runRun(const Invocation &invocation);
int runBench(const Invocation &invocation);
/// `tarn bench --tune`: the fastest candidate of each product, to a file.
int runTune(const Invocation &invocation);
/// `tarn measure`: the speeds of this machine, as a device file.
int runMeasure(const Invocation &invocation);
int runPlan(const Invocation &invocation);
/// `tarn plan --pack`: offsets for the buffers of a CSV file.
int runPack(const Invocation &invocation);
int runInspect(const Invocation &invocation);

} // namespace tarn::cli

#endif // TOOLS_TARN_OPTIONS_H
