//===- Experts.cpp - families with mixtures of experts --------------------===//

#include "frontends/HuggingFace/Families.h"

#include <cmath>

using namespace tarn;
using namespace tarn::hf;

/// How many experts there are, how many a token uses, how wide they are.
static void readExperts(Config &config, Settings &settings,
                        const char *countKey, const char *widthKey,
                        std::optional<int64_t> fallback = {}) {
  int64_t count = config.size(countKey, {}, 1 << 16);
  int64_t chosen = config.size("num_experts_per_tok", {}, 1 << 16);
  int64_t hidden = config.size(widthKey, fallback);
  if (config.failed())
    return;
  if (chosen > count)
    return config.error("num_experts_per_tok",
                        "`num_experts_per_tok` = " + std::to_string(chosen) +
                            " is more than the " + std::to_string(count) +
                            " experts there are");
  config.checkTensor(countKey, {count, hidden, config.size("hidden_size")});
  settings.set("experts", count);
  settings.set("chosen", chosen);
  settings.set("expert_hidden", hidden);
}

void hf::readMixtral(Config &config, Settings &settings) {
  readDecoder(config, settings, 1e6, false);
  readHidden(config, settings);
  readActivation(config, settings, "hidden_act", "silu");
  readExperts(config, settings, "num_local_experts", "intermediate_size");
  refuse(config, "router_jitter_noise", 0);
  int64_t window =
      config.find("sliding_window")
          ? config.size("sliding_window", 4096, (int64_t(1) << 31) - 1)
          : 0;
  readWindow(config, settings, window, 0, 1);
}

/// What Qwen's two families with experts share.
static void readQwenMoe(Config &config, Settings &settings) {
  readDecoder(config, settings, 10000, false);
  readHidden(config, settings);
  readActivation(config, settings, "hidden_act", "silu");
  readExperts(config, settings, "num_experts", "moe_intermediate_size");
  settings.set("sparse_every", config.size("decoder_sparse_step", 1, 10'000));
  settings.set("renormalised", config.flag("norm_topk_prob", false));
  if (const rt::Json *list = config.find("mlp_only_layers"))
    if (!list->isArray() || !list->asArray().empty())
      config.errorAt(*list, "`mlp_only_layers` is not supported, unless it is "
                            "empty");
  readQwenWindow(config, settings);
}

void hf::readQwen2Moe(Config &config, Settings &settings) {
  readQwenMoe(config, settings);
  settings.set("qkv_bias", true);
  settings.set("shared", config.size("shared_expert_intermediate_size"));
}

void hf::readQwen3Moe(Config &config, Settings &settings) {
  readQwenMoe(config, settings);
  settings.set("head_norm", true);
  bool bias = config.flag("attention_bias", false);
  settings.set("qkv_bias", bias);
  settings.set("output_bias", bias);
}

/// Latent attention's widths.
static void readLatent(Config &config, Settings &settings) {
  int64_t heads = config.size("num_attention_heads", {}, 1 << 16);
  settings.set("heads", heads);
  if (int64_t kv = config.size("num_key_value_heads", heads, 1 << 16);
      kv != heads)
    config.error("num_key_value_heads",
                 "latent attention has as many heads of k and v as of q");
  int64_t rank = config.size("q_lora_rank", 0, 1 << 20, 0),
          latent = config.size("kv_lora_rank", {}),
          plain = config.size("qk_nope_head_dim", {}, 1 << 16),
          turned = config.size("qk_rope_head_dim", {}, 1 << 16),
          value = config.size("v_head_dim", {}, 1 << 16);
  if (turned % 2 != 0 && !config.failed())
    config.error("qk_rope_head_dim",
                 "rotary embeddings turn pairs: a width of " +
                     std::to_string(turned) + " is odd");
  if (!config.failed()) {
    int64_t width = config.size("hidden_size");
    config.checkTensor("num_attention_heads",
                       {heads, plain + turned, rank ? rank : width});
    config.checkTensor("num_attention_heads", {heads, plain + value, latent});
    config.checkTensor("num_attention_heads", {heads, value, width});
  }
  settings.set("q_rank", rank);
  settings.set("kv_rank", latent);
  settings.set("plain", plain);
  settings.set("turned", turned);
  settings.set("value", value);
  settings.set("attention_bias", config.flag("attention_bias", false));
}

/// YaRN multiplies the scores too, by its factor squared.
static void readScoreFactor(Config &config, Settings &settings) {
  std::optional<Config> scaling = config.inner(
      config.find("rope_parameters") ? "rope_parameters" : "rope_scaling");
  if (!scaling || !settings.values.count("stretch") ||
      settings.values["stretch"] != "yarn")
    return;
  double factor = scaling->number("factor", {}, 1, 1e6);
  double slope = scaling->number("mscale_all_dim", 0.0);
  if (slope == 0 || factor <= 1)
    return;
  double scale = 0.1 * slope * std::log(factor) + 1;
  settings.set("score_factor", scale * scale);
}

/// Groups that experts are chosen in.
static void readGroups(Config &config, Settings &settings, int64_t best) {
  int64_t experts = config.size("n_routed_experts", {}, 1 << 16),
          groups = config.size("n_group", 1, 1 << 16),
          limit = config.size("topk_group", 1, 1 << 16),
          chosen = config.size("num_experts_per_tok", {}, 1 << 16);
  if (config.failed())
    return;
  if (experts % groups != 0)
    return config.error("n_group", "`n_group` = " + std::to_string(groups) +
                                       " does not divide the " +
                                       std::to_string(experts) + " experts");
  if (limit > groups)
    return config.error("topk_group",
                        "`topk_group` = " + std::to_string(limit) +
                            " is more than the " + std::to_string(groups) +
                            " groups");
  if (chosen > experts / groups * limit)
    return config.error("topk_group",
                        std::to_string(limit) + " groups have " +
                            std::to_string(experts / groups * limit) +
                            " experts, but a token uses " +
                            std::to_string(chosen));
  settings.set("groups", groups);
  settings.set("limit", limit);
  settings.set("group_best", std::min(best, experts / groups));
}

static void readDeepSeek(Config &config, Settings &settings) {
  readCommon(config, settings, false);
  readHidden(config, settings);
  readActivation(config, settings, "hidden_act", "silu");
  readLatent(config, settings);
  if (config.failed())
    return;
  readRope(config, settings, 10000);
  readScoreFactor(config, settings);
  readExperts(config, settings, "n_routed_experts", "moe_intermediate_size");
  settings.set("dense", config.size("first_k_dense_replace", 0, 10'000, 0));
  if (config.size("moe_layer_freq", 1, 10'000) != 1)
    config.error("moe_layer_freq", "`moe_layer_freq` other than 1 is not "
                                   "supported");
  int64_t shared = config.size("n_shared_experts", 0, 1 << 16, 0),
          hidden = config.size("moe_intermediate_size");
  if (!config.failed())
    config.checkTensor("n_shared_experts",
                       {shared, hidden, config.size("hidden_size")});
  settings.set("shared", shared * hidden);
  settings.set("scaling", config.number("routed_scaling_factor", 1.0, 0, 1e6));
  settings.set("renormalised", config.flag("norm_topk_prob", false));
}

/// Where a field must hold one of these words.
static std::string oneOf(Config &config, const char *key, const char *fallback,
                         std::initializer_list<const char *> words) {
  std::string word = config.word(key, fallback), known;
  for (const char *each : words) {
    if (word == each)
      return word;
    known += (known.empty() ? "" : ", ") + std::string(each);
  }
  config.error(key,
               "`" + std::string(key) + "` = `" + shown(word) +
                   "` is not supported",
               "supported: " + known);
  return word;
}

void hf::readDeepSeekV2(Config &config, Settings &settings) {
  readDeepSeek(config, settings);
  std::string method = oneOf(config, "topk_method", "greedy",
                             {"greedy", "group_limited_greedy"});
  oneOf(config, "scoring_func", "softmax", {"softmax"});
  if (method == "group_limited_greedy") {
    readGroups(config, settings, 1);
  } else {
    settings.set("groups", int64_t(1));
    settings.set("limit", int64_t(1));
  }
  settings.set("sigmoid_scores", false);
  settings.set("biased", false);
}

void hf::readDeepSeekV3(Config &config, Settings &settings) {
  readDeepSeek(config, settings);
  oneOf(config, "topk_method", "noaux_tc", {"noaux_tc"});
  oneOf(config, "scoring_func", "sigmoid", {"sigmoid"});
  readGroups(config, settings, 2);
  if (!config.find("norm_topk_prob"))
    settings.set("renormalised", true);
  settings.set("sigmoid_scores", true);
  settings.set("biased", true);
}
