//===- Fields.cpp - fields that several families share --------------------===//

#include "frontends/HuggingFace/Families.h"

#include <cmath>

using namespace tarn;
using namespace tarn::hf;

void hf::refuse(Config &config, const char *key, double harmless) {
  const rt::Json *value = config.find(key);
  if (!value)
    return;
  bool good = value->isNumber() ? value->asDouble() == harmless
                                : value->isBool() && !value->asBool();
  if (!good)
    config.errorAt(*value, "`" + std::string(key) + "` = " +
                               shown(value->dump()) + " is not supported");
}

void hf::readActivation(Config &config, Settings &settings, const char *key,
                        const char *fallback) {
  std::string name = config.word(key, fallback);
  static const std::map<std::string, const char *> known = {
      {"silu", "silu"},
      {"swish", "silu"},
      {"gelu", "gelu"},
      {"gelu_new", "gelu_tanh"},
      {"gelu_fast", "gelu_tanh"},
      {"gelu_pytorch_tanh", "gelu_tanh"},
      {"relu", "relu"}};
  auto found = known.find(name);
  if (found == known.end())
    return config.error(
        key, "the activation `" + shown(name) + "` is not known",
        "known are silu, gelu, gelu_new, gelu_pytorch_tanh and relu");
  settings.set("activation", found->second);
}

/// Longer contexts than were trained.
static void readScaling(Config &config, Config &scaling, Settings &settings) {
  const char *key = scaling.has("rope_type") ? "rope_type" : "type";
  std::string kind = scaling.word(key, "default");
  int64_t context =
      config.size("max_position_embeddings", 1, (int64_t(1) << 31) - 1);
  if (kind == "default" || kind == "dynamic")
    return; // dynamic: within the trained context nothing changes
  if (kind != "linear" && kind != "llama3" && kind != "yarn")
    return scaling.error(key,
                         "rotary embeddings of type `" + shown(kind) +
                             "` are not supported",
                         "supported are default, linear, dynamic, llama3 and "
                         "yarn");
  double factor = scaling.number("factor", {}, 1, 1e6);
  settings.set("stretch", kind);
  settings.set("stretch_factor", factor);
  if (kind == "linear")
    return;
  settings.set("stretch_original",
               scaling.size("original_max_position_embeddings", context,
                            (int64_t(1) << 31) - 1));
  if (kind == "llama3") {
    double low = scaling.number("low_freq_factor", {}, 1e-6, 1e6);
    double high = scaling.number("high_freq_factor", {}, 1e-6, 1e6);
    if (!(low < high))
      scaling.error("high_freq_factor",
                    "`high_freq_factor` is not above `low_freq_factor`");
    settings.set("stretch_low", low);
    settings.set("stretch_high", high);
    return;
  }
  settings.set("stretch_low", scaling.number("beta_slow", 1.0, 1e-6, 1e6));
  settings.set("stretch_high", scaling.number("beta_fast", 32.0, 1e-6, 1e6));
  auto mscale = [&](double slope) {
    return factor > 1 ? 0.1 * slope * std::log(factor) + 1 : 1;
  };
  double slope = scaling.number("mscale", 0.0),
         all = scaling.number("mscale_all_dim", 0.0);
  double scale =
      slope != 0 && all != 0 ? mscale(slope) / mscale(all) : mscale(1);
  settings.set("stretch_scale", scaling.number("attention_factor", scale));
}

void hf::readRope(Config &config, Settings &settings, double theta) {
  // Newer configurations keep base and scaling in one object.
  std::optional<Config> both = config.inner("rope_parameters");
  std::optional<Config> scaling = both ? both : config.inner("rope_scaling");
  double base = config.number("rope_theta", theta, 1.0001, 1e12);
  if (both)
    base = both->number("rope_theta", base, 1.0001, 1e12);
  settings.set("theta", base);
  refuse(config, "partial_rotary_factor", 1);
  if (both) {
    for (const char *key : {"full_attention", "sliding_attention"})
      if (both->has(key))
        both->error(key, "rotary embeddings that differ between layers are "
                         "not supported");
    refuse(*both, "partial_rotary_factor", 1);
  }
  if (scaling)
    readScaling(config, *scaling, settings);
}

void hf::readWindow(Config &config, Settings &settings, int64_t window,
                    int64_t from, int64_t every) {
  const rt::Json *types = config.find("layer_types");
  if (types) {
    int64_t layers = config.size("num_hidden_layers", {}, 10'000);
    if (!types->isArray() || int64_t(types->asArray().size()) != layers)
      return config.errorAt(*types, "`layer_types` is a list with an entry for "
                                    "each of " +
                                        std::to_string(layers) + " layers");
    std::vector<int64_t> sliding;
    for (auto [i, type] : llvm::enumerate(types->asArray())) {
      if (type == rt::Json("sliding_attention"))
        sliding.push_back(i);
      else if (!(type == rt::Json("full_attention")))
        return config.errorAt(type, "a layer is `full_attention` or "
                                    "`sliding_attention`");
    }
    if (!sliding.empty() && window == 0)
      return config.errorAt(*types, "layers have a window, but "
                                    "`sliding_window` says none");
    from = sliding.empty() ? 0 : sliding[0];
    every = sliding.size() > 1 ? sliding[1] - sliding[0] : layers;
    window = sliding.empty() ? 0 : window;
    std::vector<int64_t> regular;
    for (int64_t i = from; window && i < layers; i += every)
      regular.push_back(i);
    if (sliding != regular)
      return config.errorAt(*types, "this order of layers with and without a "
                                    "window is not supported");
  }
  settings.set("window", window);
  settings.set("window_from", from);
  settings.set("window_every", every);
}

void hf::readCommon(Config &config, Settings &settings, bool ties) {
  int64_t width = config.size("hidden_size"),
          vocab = config.size("vocab_size", {}, 1 << 24);
  settings.set("layers", config.size("num_hidden_layers", {}, 10'000));
  settings.set("width", width);
  settings.set("vocab", vocab);
  config.checkTensor("vocab_size", {vocab, width});
  settings.set("context", config.size("max_position_embeddings", 2048,
                                      (int64_t(1) << 31) - 1));
  settings.set("eps", config.number("rms_norm_eps", 1e-6, 1e-30, 1));
  settings.set("deviation", config.number("initializer_range", 0.02, 0, 1e3));
  settings.set("tied", config.flag("tie_word_embeddings", ties));
  std::string key = config.has("dtype") ? "dtype" : "torch_dtype";
  std::string stored = config.word(key, "float32");
  if (stored != "float32" && stored != "bfloat16" && stored != "float16")
    return config.error(key, "weights of type `" + shown(stored) +
                                 "` are not known");
  settings.set("mode", stored == "float32" ? "fp32" : "bf16");
  refuse(config, "attention_dropout", 0);
}

void hf::readDecoder(Config &config, Settings &settings, double theta,
                     bool ties) {
  readCommon(config, settings, ties);
  int64_t width = config.size("hidden_size"),
          heads = config.size("num_attention_heads", {}, 1 << 16),
          kv = config.size("num_key_value_heads", heads, 1 << 16);
  if (config.failed())
    return;
  if (heads % kv != 0)
    return config.error("num_key_value_heads",
                        "`num_key_value_heads` = " + std::to_string(kv) +
                            " does not divide `num_attention_heads` = " +
                            std::to_string(heads));
  if (!config.find("head_dim") && width % heads != 0)
    return config.error(
        "num_attention_heads",
        "`num_attention_heads` = " + std::to_string(heads) +
            " does not divide `hidden_size` = " + std::to_string(width),
        "or `head_dim` says what a head's width is");
  int64_t size = config.size("head_dim", width / heads, 1 << 16);
  if (!config.failed() && size % 2 != 0)
    return config.error("head_dim", "rotary embeddings turn pairs: a head's "
                                    "width of " +
                                        std::to_string(size) + " is odd");
  config.checkTensor("num_attention_heads", {heads, size, width});
  settings.set("heads", heads);
  settings.set("kv", kv);
  settings.set("size", size);
  readRope(config, settings, theta);
}
