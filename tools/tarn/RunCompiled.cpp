//===- RunCompiled.cpp - `tarn run` by compiled code ----------------------===//

#include "tools/tarn/Model.h"
#include "tools/tarn/Reference.h"
#include "tools/tarn/Session.h"
#include "tools/tarn/Terminal.h"

#include "runtime/Parameters.h"
#include "runtime/Safetensors.h"

using namespace tarn;
using namespace tarn::cli;

/// The function to run: the one named, else evaluation, else the first that
/// needs no training state.
static std::optional<size_t> chooseFunction(const rt::Session &session,
                                            const std::string &name) {
  if (!name.empty())
    return session.findFunction(name);
  for (const char *kind : {"forward", "eval", "train", "generate"})
    if (std::optional<size_t> found = session.findKind(kind))
      return found;
  return std::nullopt;
}

int tarn::cli::runCompiled(const Invocation &in) {
  std::vector<char> bytes;
  double seconds = 0;
  ModelOptions model = in.model;
  // One function runs, and what it needs is not known before it is chosen.
  if (model.budget.empty())
    model.budget = "none";
  if (in.run.grad) {
    if (!isModel(in.model.model)) {
      printError("--grad compiles the model again, so it needs its text");
      return usageError;
    }
    model.gradientOf =
        in.run.function.empty() ? defaultFunction(model) : in.run.function;
    if (model.gradientOf.empty())
      return userError;
  }
  if (int code = obtainArtifact(model, bytes, seconds))
    return code;
  auto loaded = rt::Model::parse(bytes.data(), bytes.size());
  if (!loaded.ok())
    return reportRuntimeError(loaded.status());
  rt::SessionOptions options;
  options.threads = unsigned(in.run.threads);
  auto created = rt::Session::create(*loaded, options);
  if (!created.ok())
    return reportRuntimeError(created.status());
  rt::Session &session = **created;
  std::optional<size_t> index = chooseFunction(session, in.run.function);
  if (!index) {
    std::string names;
    for (const rt::Function &function : session.functions())
      names += (names.empty() ? "" : ", ") + function.name;
    printError("there is no function `" + in.run.function + "`",
               "the model has " + names);
    return userError;
  }
  if (rt::Status status = session.initialize(in.run.seed); !status.ok())
    return reportRuntimeError(status);
  if (!in.run.params.empty()) {
    auto weights = rt::loadParameters(session, in.run.params);
    if (!weights.ok())
      return reportRuntimeError(weights.status());
    if (!in.output.quiet)
      for (const std::string &name : weights->missing)
        std::fprintf(stderr, "note: no weights for `%s`\n", name.c_str());
  }
  const rt::Function &function = session.functions()[*index];
  std::vector<std::vector<uint8_t>> inputs, outputs;
  std::vector<const void *> inputPointers;
  std::vector<void *> outputPointers;
  if (!function.inputs.empty()) {
    if (in.run.inputs.empty()) {
      printError("`" + function.name + "` needs --inputs");
      return userError;
    }
    auto file = rt::SafetensorsFile::open(in.run.inputs);
    if (!file.ok())
      return reportRuntimeError(file.status());
    for (const rt::TensorDesc &wanted : function.inputs) {
      const rt::SafetensorsEntry *entry = file->index().find(wanted.name);
      if (!entry || entry->dtype != wanted.dtype ||
          entry->shape != wanted.shape) {
        printError("`" + in.run.inputs + "`: " +
                   (entry ? "`" + wanted.name + "` is " +
                                rt::typeText(entry->dtype, entry->shape) +
                                ", but `" + function.name + "` takes " +
                                rt::typeText(wanted.dtype, wanted.shape)
                          : "there is no tensor `" + wanted.name + "`"));
        return userError;
      }
      inputs.emplace_back(wanted.bytes);
      if (rt::Status status = file->read(*entry, inputs.back().data());
          !status.ok())
        return reportRuntimeError(status);
    }
  }
  for (const rt::TensorDesc &tensor : function.outputs)
    outputs.emplace_back(tensor.bytes);
  for (auto &buffer : inputs)
    inputPointers.push_back(buffer.data());
  for (auto &buffer : outputs)
    outputPointers.push_back(buffer.data());
  if (rt::Status status =
          session.run(*index, inputPointers.data(), outputPointers.data());
      !status.ok())
    return reportRuntimeError(status);
  std::vector<rt::SafetensorsTensor> tensors;
  for (size_t i = 0; i != outputs.size(); ++i)
    tensors.push_back({function.outputs[i].name, function.outputs[i].dtype,
                       function.outputs[i].shape, outputs[i].data()});
  rt::Status status = rt::writeSafetensors(in.run.outputs, {}, tensors);
  return status.ok() ? int(success) : reportRuntimeError(status);
}
