//===- Options.cpp - the command line as data -----------------------------===//
//
// The only file of Tarn that sees CLI11, which reports by exceptions: it is
// compiled apart from the rest, with them on.
//
//===----------------------------------------------------------------------===//

#include "tools/tarn/Options.h"

#include <CLI/CLI.hpp>

#include <charconv>
#include <cmath>

using namespace tarn::cli;

namespace {

/// Splits `B=8,T=1024` pairs given once or several times into a map.
void splitPairs(const std::vector<std::string> &words, const char *option,
                std::map<std::string, std::string> &pairs) {
  for (const std::string &word : words) {
    size_t equals = word.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == word.size())
      throw CLI::ValidationError(option, "`" + word +
                                             "` is not of the form NAME=VALUE");
    std::string name = word.substr(0, equals);
    if (!pairs.emplace(name, word.substr(equals + 1)).second)
      throw CLI::ValidationError(option, "`" + name + "` is given twice");
  }
}

/// A dimension's size: a positive decimal number that fits 63 bits.
int64_t parseDimension(const std::string &name, const std::string &text) {
  int64_t value = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value <= 0)
    throw CLI::ValidationError("--shape", "`" + name + "` needs a positive " +
                                              "number, got `" + text + "`");
  // More than this no machine addresses, whatever the elements are.
  if (value > int64_t(1) << 47)
    throw CLI::ValidationError("--shape", "`" + name + "` is too large: " +
                                              text + " is more than 2^47");
  return value;
}

/// `1.5GiB`, `800MB`, `123456`: bytes, whole where they have no unit.
int64_t parseBytes(const std::string &option, const std::string &text) {
  static const std::pair<const char *, double> units[] = {
      {"", 1},         {"B", 1},       {"kB", 1e3},     {"MB", 1e6},
      {"GB", 1e9},     {"TB", 1e12},   {"KiB", 0x1p10}, {"MiB", 0x1p20},
      {"GiB", 0x1p30}, {"TiB", 0x1p40}};
  double number = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  std::string unit(end, text.data() + text.size());
  unit.erase(0, unit.find_first_not_of(' '));
  for (auto [name, factor] : units)
    if (error == std::errc() && unit == name && number * factor >= 1 &&
        number * factor < 0x1p62 &&
        (factor > 1 || number == std::floor(number)))
      return int64_t(number * factor);
  throw CLI::ValidationError(option, "needs bytes such as 22GiB, 800MB or " +
                                         std::string("1048576, got `") + text +
                                         "`");
}

/// Raw words of the options that need more than CLI11's own conversion.
struct RawOptions {
  std::vector<std::string> set, shape;
  std::string budget, hostMemory;
};

void addModelOptions(CLI::App *app, Invocation &in, RawOptions &raw,
                     bool required = true) {
  auto *model =
      app->add_option("MODEL", in.model.model,
                      "a .tarn file, a Hugging Face config.json, or a "
                      "compiled artifact");
  if (required)
    model->required();
  app->add_option("--set", raw.set, "hyper-parameters, NAME=VALUE")
      ->delimiter(',')
      ->allow_extra_args(false);
  app->add_option("--shape", raw.shape, "symbolic dimensions, B=8,T=1024")
      ->delimiter(',')
      ->allow_extra_args(false);
  app->add_option(
         "--target", in.model.targets,
         "auto, cpu, cpu:x86-64-v3, ..., cuda:sm_90a, ..., or a device "
         "(h100: its code, its memory; mine.json: of tarn measure); several "
         "make one artifact for all")
      ->delimiter(',')
      ->allow_extra_args(false);
  app->add_flag("--ungrouped", in.model.ungrouped,
                "launch one by one what a GPU could launch as one");
  app->add_option("--policy", in.model.policy,
                  "what is kept for backward: keep-all, sqrt, recompute-all, "
                  "offload-all (in host memory) or auto")
      ->check(CLI::IsMember(
          {"keep-all", "sqrt", "recompute-all", "offload-all", "auto"}))
      ->each([&in](const std::string &) { in.model.policyGiven = true; });
  app->add_option("--budget,--memory-budget", raw.budget,
                  "bytes that all memory of a step may take, as 22GiB; auto "
                  "(the default: what is free on the device) or none")
      ->check([](const std::string &text) {
        return text.empty() ? "needs bytes such as 22GiB, auto or none" : "";
      });
  app->add_option("--host-memory", raw.hostMemory,
                  "pinned host memory that a plan for a budget may park values "
                  "in, as 64GiB; 0: none");
  app->add_option(
         "--allow", in.model.allow,
         "beyond exact choices: rounding (the loss in chunks, saved values "
         "in bf16, micro-batches of the same batch), meaning (rounding, and "
         "micro-batches under ops that look across the batch)")
      ->delimiter(',')
      ->check(CLI::IsMember({"rounding", "meaning"}))
      ->allow_extra_args(false);
  app->add_option("--precision", in.model.precision,
                  "fp32, tf32 (fp32 whose products round their factors to 10 "
                  "bits) or bf16, whatever the model says (where it says "
                  "nothing, GPUs get bf16)")
      ->check(CLI::IsMember({"fp32", "tf32", "bf16"}));
  app->add_option("--gemm", in.model.gemm,
                  "who runs plain products on a GPU: own kernels, or cublaslt "
                  "(NVIDIA's library, which must be where the model trains)")
      ->check(CLI::IsMember({"own", "cublaslt"}));
  app->add_option("--tune-file", in.model.tuneFile,
                  "the fastest candidate of each product, from tarn bench "
                  "--tune on the GPU");
  app->add_option("--dump", in.model.dump, "folder for the IR after each pass");
  app->add_flag("--verify-each-numerics", in.model.verifyEachNumerics,
                "evaluate before and after each pass and compare");
  app->add_flag("--no-cache", in.model.noCache, "compile even if cached");
}

void addOutputOptions(CLI::App *app, Invocation &in) {
  app->add_flag("--json", in.output.json, "print one JSON object");
  app->add_flag("-q,--quiet", in.output.quiet, "print errors only");
  app->add_flag("--no-progress", in.output.noProgress, "no progress lines");
}

void addThreads(CLI::App *app, int64_t &threads) {
  app->add_option("--threads", threads, "worker threads; 0 = all cores")
      ->check(CLI::Range(int64_t(0), int64_t(1024)));
}

} // namespace

int tarn::cli::parseCommandLine(int argc, char **argv, Invocation &in) {
  CLI::App app("Tarn compiles model training.", "tarn");
  app.require_subcommand(1);
  app.set_version_flag("--version", "tarn 0.1");
  RawOptions raw;
  in.words.assign(argv, argv + argc);

  auto *check = app.add_subcommand("check", "parse and check a model");
  addModelOptions(check, in, raw);
  addOutputOptions(check, in);

  auto *compile = app.add_subcommand("compile", "compile a model");
  addModelOptions(compile, in, raw);
  addOutputOptions(compile, in);
  compile->add_option("-o,--output", in.compile.output,
                      "the artifact to write (with --to: the IR)");
  compile->add_option("--from", in.compile.from,
                      "begin with this phase, on IR that --to printed");
  compile->add_option("--to", in.compile.to,
                      "stop after this phase; its IR goes to the output or is "
                      "printed");
  compile
      ->add_option("--emit", in.compile.emit,
                   "cuda: the kernels' text, into the folder or .cu file of "
                   "--output, or printed")
      ->check(CLI::IsMember({"cuda"}));
  compile->add_flag("--explain-gemm", in.compile.explainGemm,
                    "print who runs each product on a GPU, and why");
  compile->add_flag("--tune-candidates", in.compile.tuneCandidates,
                    "make an artifact with all candidates of each product, for "
                    "tarn bench --tune on the GPU");
  compile->add_flag("--keep-source", in.compile.keepSource,
                    "put the CUDA kernels' text into the artifact");

  auto *train = app.add_subcommand("train", "train a model on data");
  addModelOptions(train, in, raw, /*required=*/false);
  addOutputOptions(train, in);
  train->add_option("DATA", in.train.data,
                    "text files (as bytes) or one file of tokens (.bin)");
  train
      ->add_option("--token-bytes", in.train.tokenBytes,
                   "bytes a token takes in a .bin file")
      ->check(CLI::IsMember({2, 4}));
  const auto positive = CLI::Range(int64_t(1), int64_t(1) << 40);
  const auto notNegative = CLI::Range(int64_t(0), int64_t(1) << 40);
  train->add_option("--steps", in.train.steps, "train up to this step")
      ->check(positive);
  train->add_option("--seed", in.train.seed, "of weights, data and dropout");
  train->add_option("--eval-every", in.train.evalEvery, "steps; 0 = never")
      ->check(notNegative);
  train
      ->add_option("--eval-batches", in.train.evalBatches,
                   "batches a validation takes")
      ->check(positive);
  train->add_option("--save-every", in.train.saveEvery, "steps; 0 = at the end")
      ->check(notNegative);
  train->add_option("--log-every", in.train.logEvery, "steps")->check(positive);
  train
      ->add_option("--held-out", in.train.heldOut,
                   "share of the data kept for validation")
      ->check(CLI::Range(0.0, 0.9));
  train->add_option("--out", in.train.out,
                    "the run's folder (default runs/MODEL-N)");
  train->add_option("--resume", in.train.resume, "go on with this run");
  train->add_option("--params", in.train.params, "weights to start from");
  train->add_flag("--profile", in.train.profile, "table of kernels at the end");
  addThreads(train, in.train.threads);

  auto *run = app.add_subcommand("run", "run a function of a model");
  addModelOptions(run, in, raw, /*required=*/false);
  addOutputOptions(run, in);
  run->add_option("--inputs", in.run.inputs, "safetensors file");
  run->add_option("--outputs", in.run.outputs, "safetensors file to write");
  run->add_option("--params", in.run.params, "safetensors file or checkpoint");
  run->add_option("--function", in.run.function,
                  "which function (default: eval, else the first)");
  run->add_flag("--grad", in.run.grad,
                "also gradients of the first scalar output");
  run->add_flag("--reference", in.run.reference,
                "by the float64 interpreter instead of compiled code");
  run->add_option("--seed", in.run.seed, "of weights where none are given");
  run->add_option("--sample", in.run.sample, "generate from this run's folder");
  run->add_option("--prompt", in.run.prompt, "text to go on from");
  run->add_option("--tokens", in.run.tokens, "how many tokens to generate")
      ->check(positive);
  addThreads(run, in.run.threads);

  auto *bench = app.add_subcommand("bench", "time a model's training step");
  addModelOptions(bench, in, raw);
  addOutputOptions(bench, in);
  bench->add_option("--steps", in.bench.steps, "timed steps")->check(positive);
  bench->add_flag("--profile", in.bench.profile, "table of kernels");
  bench->add_option("--times", in.bench.times,
                    "file to write with the measured time of each kernel");
  bench->add_option("--tune", in.bench.tune,
                    "file to write with the fastest candidate of each product "
                    "(of an artifact made with --tune-candidates)");
  bench->add_option("--device", in.bench.device,
                    "device to predict for: a name, or a file (NAME.json); "
                    "default: the target's");
  addThreads(bench, in.bench.threads);

  auto *measure = app.add_subcommand(
      "measure", "measure this machine's speeds, for plans and predictions");
  measure
      ->add_option("FILE", in.measure.output,
                   "device file to write (NAME.json), for --target")
      ->required();
  addThreads(measure, in.measure.threads);
  addOutputOptions(measure, in);

  auto *plan =
      app.add_subcommand("plan", "say what a step takes, and place buffers");
  plan->add_option("--pack", in.plan.pack,
                   "buffers as CSV: id, lower, upper, size (and alignment, "
                   "offset) to place, instead of a model");
  plan->add_option("--capacity", in.plan.capacity,
                   "bytes of the arena (default: the least that is found)")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 62));
  plan->add_option("--offsets", in.plan.offsets,
                   "CSV file to write, with the column `offset`");
  plan->add_option("--nodes", in.plan.nodes, "how long to search")
      ->check(CLI::Range(uint64_t(0), uint64_t(1) << 40));
  plan->add_option("--report", in.plan.report, "HTML page to write");
  plan->add_option("--export-pytorch", in.plan.exportPytorch,
                   "memory snapshot to write, for PyTorch's memory_viz");
  plan->add_option("--export-perfetto", in.plan.exportPerfetto,
                   "trace to write, for ui.perfetto.dev");
  plan->add_option("--times", in.plan.times,
                   "measured times of kernels, from tarn bench --times");
  plan->add_option("--compare", in.plan.compare,
                   "another plan (from --json): how each row differs");
  plan->add_option("--assert", in.plan.asserts,
                   "a condition such as 'peak<=22GiB'; exit code 1 if it fails")
      ->allow_extra_args(false);
  plan->add_flag("--kernels", in.plan.kernels,
                 "print the predicted time of each kernel, and its share of "
                 "the device's roof");
  plan->add_flag("--explain-fusion", in.plan.explainFusion,
                 "print why the step's launches are not fewer");
  plan->add_option("--fit", in.plan.fit,
                   "find the largest size of this dim that fits (B, T, ...)")
      ->delimiter(',')
      ->allow_extra_args(false);
  addModelOptions(plan, in, raw, /*required=*/false);
  addMeshOptions(plan, in.mesh);
  addOutputOptions(plan, in);

  auto *inspect = app.add_subcommand("inspect", "say what an artifact holds");
  inspect->add_option("ARTIFACT", in.model.model, "a compiled artifact")
      ->required();
  inspect->add_flag("--source", in.model.source,
                    "print the CUDA kernels' text (of --keep-source)");
  addOutputOptions(inspect, in);

  try {
    app.parse(argc, argv);
    splitPairs(raw.set, "--set", in.model.set);
    std::map<std::string, std::string> shape;
    splitPairs(raw.shape, "--shape", shape);
    for (const auto &[name, text] : shape)
      in.model.shape[name] = parseDimension(name, text);
    in.model.budget = raw.budget;
    if (!raw.budget.empty() && raw.budget != "none" && raw.budget != "auto")
      in.model.budgetBytes = parseBytes("--budget", raw.budget);
    if (raw.hostMemory == "0")
      in.model.hostBytes = 0;
    else if (!raw.hostMemory.empty())
      in.model.hostBytes = parseBytes("--host-memory", raw.hostMemory);
  } catch (const CLI::CallForHelp &help) {
    return app.exit(help);
  } catch (const CLI::CallForVersion &version) {
    return app.exit(version);
  } catch (const CLI::ParseError &error) {
    std::string word = argc > 1 ? argv[1] : "";
    std::cerr << "error: " << error.what() << "\n"
              << "help: tarn "
              << (app.get_subcommands().empty() ? "" : word + " ")
              << "--help lists the options\n";
    return usageError;
  }
  if (*check)
    in.command = Command::check;
  else if (*compile)
    in.command = Command::compile;
  else if (*train)
    in.command = Command::train;
  else if (*run)
    in.command = Command::run;
  else if (*bench)
    in.command = Command::bench;
  else if (*measure)
    in.command = Command::measure;
  else if (*plan)
    in.command = Command::plan;
  else
    in.command = Command::inspect;
  return -1;
}
