//===- MeshOptions.cpp - options of sizing one rank of many ---------------===//
//
// Compiled with Options.cpp: the other file that sees CLI11.
//
//===----------------------------------------------------------------------===//

#include "tools/tarn/MeshOptions.h"

#include <CLI/CLI.hpp>

#include <charconv>
#include <cmath>

using namespace tarn::cli;

/// `1e12`, `300_000_000_000`: a finite number above zero.
static double parseCount(const std::string &option, std::string text) {
  std::erase(text, '_');
  double value = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() ||
      !(value > 0) || !std::isfinite(value))
    throw CLI::ValidationError(option,
                               "needs a number above 0, got `" + text + "`");
  return value;
}

void tarn::cli::addMeshOptions(CLI::App *plan, MeshOptions &options) {
  auto *group = plan->add_option_group("Many GPUs on paper",
                                       "the memory of one rank of a mesh");
  auto asked = [&](CLI::Option *option) {
    return option->each([&](const std::string &) { options.asked = true; });
  };
  asked(group->add_option("--mesh", options.mesh,
                          "ranks by axis, dp=64,tp=8,ep=64,pp=8: data, tensor, "
                          "expert (some of dp's) and pipeline parallel"));
  asked(group->add_option("--zero", options.zero,
                          "what dp's ranks share: 1 optimizer state, 2 "
                          "gradients too, 3 weights too"))
      ->check(CLI::IsMember({0, 1, 2, 3}));
  group->add_flag_callback(
      "--sequence-parallel",
      [&] { options.sequenceParallel = options.asked = true; },
      "tp's ranks share the tokens of what they would all hold");
  asked(group->add_option("--recipe", options.recipe,
                          "bytes by role: graph (as typed), megatron, "
                          "megatron-main-grads, deepseek-v3, "
                          "deepseek-v3-fp8 (factors of products in 8 bits)"))
      ->check(CLI::IsMember({"graph", "megatron", "megatron-main-grads",
                             "deepseek-v3", "deepseek-v3-fp8"}));
  asked(group->add_option("--recompute", options.recompute,
                          "none, cheap (elementwise of what is kept), "
                          "narrow (cheap, norms, what products widen), "
                          "selective (what relates tokens with tokens), full "
                          "(a layer from its input)"))
      ->check(CLI::IsMember({"none", "cheap", "narrow", "selective", "full"}));
  asked(group->add_option("--dropout-masks", options.masks,
                          "replayed from their counters, or saved"))
      ->check(CLI::IsMember({"replayed", "saved"}));
  asked(group->add_option("--attention", options.attention,
                          "fused, or materialised: T x T in memory"))
      ->check(CLI::IsMember({"fused", "materialised"}));
  asked(group->add_option("--fuse", options.fuse,
                          "size the graph as it is (off) or its kernels (on)"))
      ->check(CLI::IsMember({"off", "on"}));
  asked(group->add_option("--imbalance", options.imbalance,
                          "load of the fullest rank of experts over the mean"))
      ->check(CLI::Range(1.0, 1e6));
  asked(group->add_option("--micro-batches", options.microBatches,
                          "of a step, for pp (default: at least pp)"))
      ->check(CLI::Range(int64_t(1), int64_t(1) << 40));
  asked(group->add_option("--list", options.list,
                          "tensors to list, the largest first"))
      ->check(CLI::Range(int64_t(0), int64_t(1) << 30));
  asked(group->add_option_function<std::string>(
      "--tokens",
      [&](const std::string &text) {
        options.tokens = parseCount("--tokens", text);
      },
      "a table of devices: does it fit, tokens/s, days for so many tokens"));
  asked(group->add_option("--devices", options.devices,
                          "of the table: names or files"))
      ->delimiter(',')
      ->allow_extra_args(false);
  asked(group->add_option("--counts", options.counts,
                          "of the table: how many devices, 8,64,512"))
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(int64_t(1), int64_t(1) << 40));
}
