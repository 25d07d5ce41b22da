//===- Families.cpp - which configurations are which model ----------------===//
//
// Fallbacks are those of the family's own configuration class: files that hold
// only what differs are read too.
//
//===----------------------------------------------------------------------===//

#include "frontends/HuggingFace/Families.h"

using namespace tarn;
using namespace tarn::hf;

static const Family families[] = {
    {"llama", "LlamaForCausalLM", "decoder.tarn", readLlama},
    {"mistral", "MistralForCausalLM", "decoder.tarn", readMistral},
    {"qwen2", "Qwen2ForCausalLM", "decoder.tarn", readQwen2},
    {"qwen3", "Qwen3ForCausalLM", "decoder.tarn", readQwen3},
    {"gemma", "GemmaForCausalLM", "gemma.tarn", readGemma},
    {"gemma2", "Gemma2ForCausalLM", "gemma.tarn", readGemma2},
    {"mixtral", "MixtralForCausalLM", "decoder.tarn", readMixtral},
    {"qwen2_moe", "Qwen2MoeForCausalLM", "decoder.tarn", readQwen2Moe},
    {"qwen3_moe", "Qwen3MoeForCausalLM", "decoder.tarn", readQwen3Moe},
    {"deepseek_v2", "DeepseekV2ForCausalLM", "deepseek.tarn", readDeepSeekV2},
    {"deepseek_v3", "DeepseekV3ForCausalLM", "deepseek.tarn", readDeepSeekV3},
};

const Family *hf::findFamily(Config &config) {
  std::string known;
  for (const Family &family : families)
    known += (known.empty() ? "" : ", ") + std::string(family.type);
  known = "known are " + known;
  std::string type = config.word("model_type", "");
  // The class says what is computed of the model's last layer.
  const rt::Json *classes = config.find("architectures");
  const rt::Json *first = nullptr;
  if (classes) {
    if (!classes->isArray() || classes->asArray().empty() ||
        !classes->asArray()[0].isString()) {
      config.errorAt(*classes, "`architectures` is a list of class names");
      return nullptr;
    }
    first = &classes->asArray()[0];
  }
  if (type.empty() && !first) {
    config.error("model_type", "`model_type` is missing", known);
    return nullptr;
  }
  const Family *found = nullptr;
  for (const Family &family : families)
    if (type.empty() ? first->asString() == family.architecture
                     : type == family.type)
      found = &family;
  if (!found) {
    if (type.empty())
      config.errorAt(*first,
                     "the architecture `" + shown(first->asString()) +
                         "` is not known",
                     known);
    else
      config.error("model_type",
                   "the model type `" + shown(type) + "` is not known", known);
    return nullptr;
  }
  if (first && first->asString() != found->architecture) {
    config.errorAt(*first, "`" + shown(first->asString()) +
                               "` is not supported; `" + found->type +
                               "` is read as " + found->architecture);
    return nullptr;
  }
  return config.failed() ? nullptr : found;
}

void hf::readHidden(Config &config, Settings &settings) {
  int64_t hidden = config.size("intermediate_size");
  if (!config.failed())
    config.checkTensor("intermediate_size",
                       {hidden, config.size("hidden_size")});
  settings.set("hidden", hidden);
}

void hf::readLlama(Config &config, Settings &settings) {
  readDecoder(config, settings, 10000, false);
  readHidden(config, settings);
  readActivation(config, settings, "hidden_act", "silu");
  bool bias = config.flag("attention_bias", false);
  settings.set("qkv_bias", bias);
  settings.set("output_bias", bias);
  settings.set("mlp_bias", config.flag("mlp_bias", false));
}

void hf::readMistral(Config &config, Settings &settings) {
  readDecoder(config, settings, 10000, false);
  readHidden(config, settings);
  readActivation(config, settings, "hidden_act", "silu");
  // Not given is 4096, null is none.
  int64_t window =
      config.has("sliding_window") && !config.find("sliding_window")
          ? 0
          : config.size("sliding_window", 4096, (int64_t(1) << 31) - 1);
  readWindow(config, settings, window, 0, 1);
}

void hf::readQwenWindow(Config &config, Settings &settings) {
  int64_t window = config.size("sliding_window", 4096, (int64_t(1) << 31) - 1);
  bool used = config.flag("use_sliding_window", false);
  int64_t from = config.size("max_window_layers", 28, 1 << 20, 0);
  readWindow(config, settings, used ? window : 0, from, 1);
}

void hf::readQwen2(Config &config, Settings &settings) {
  readDecoder(config, settings, 10000, false);
  readHidden(config, settings);
  readActivation(config, settings, "hidden_act", "silu");
  settings.set("qkv_bias", true);
  readQwenWindow(config, settings);
}

void hf::readQwen3(Config &config, Settings &settings) {
  readDecoder(config, settings, 10000, false);
  readHidden(config, settings);
  readActivation(config, settings, "hidden_act", "silu");
  if (!config.find("head_dim"))
    settings.set("size", int64_t(128));
  settings.set("head_norm", true);
  bool bias = config.flag("attention_bias", false);
  settings.set("qkv_bias", bias);
  settings.set("output_bias", bias);
  readQwenWindow(config, settings);
}

void hf::readGemma(Config &config, Settings &settings) {
  readDecoder(config, settings, 10000, true);
  readHidden(config, settings);
  if (!config.find("head_dim"))
    settings.set("size", int64_t(256));
  // `hidden_act` of the first files says gelu, and tanh's form is meant.
  readActivation(config, settings, "hidden_activation", "gelu_pytorch_tanh");
  settings.set("qkv_bias", config.flag("attention_bias", false));
  settings.set("score_scale", config.size("head_dim", 256, 1 << 16));
}

void hf::readGemma2(Config &config, Settings &settings) {
  readGemma(config, settings);
  settings.set("behind", true);
  settings.set("score_scale",
               config.number("query_pre_attn_scalar", 256.0, 1e-3, 1e9));
  auto cap = [&](const char *key, double fallback) {
    bool none = config.has(key) && !config.find(key);
    return none ? 0.0 : config.number(key, fallback, 1e-3, 1e6);
  };
  settings.set("score_cap", cap("attn_logit_softcapping", 50));
  settings.set("logit_cap", cap("final_logit_softcapping", 30));
  readWindow(config, settings,
             config.size("sliding_window", 4096, (int64_t(1) << 31) - 1), 0, 2);
}
