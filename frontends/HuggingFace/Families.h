//===- Families.h - which configurations are which model --------*- C++ -*-===//

#ifndef FRONTENDS_HUGGINGFACE_FAMILIES_H
#define FRONTENDS_HUGGINGFACE_FAMILIES_H

#include "frontends/HuggingFace/Config.h"

#include <map>
#include <string>

namespace tarn::hf {

/// Hyper-parameters of a model of the library, as `--set` takes them.
class Settings {
public:
  void set(const std::string &name, int64_t value) {
    values[name] = std::to_string(value);
  }
  void set(const std::string &name, double value) {
    values[name] = rt::Json(value).dump(); // with a point, or an exponent
  }
  void set(const std::string &name, bool value) {
    values[name] = value ? "true" : "false";
  }
  void set(const std::string &name, const std::string &value) {
    values[name] = value;
  }
  void set(const std::string &name, const char *value) { values[name] = value; }
  std::map<std::string, std::string> values;
};

/// A `model_type` and the model that it is.
struct Family {
  const char *type;         ///< of `model_type`
  const char *architecture; ///< of `architectures`
  const char *model;        ///< a file of models/
  void (*read)(Config &config, Settings &settings);
};

/// The family of a configuration; null with an error in `config`.
const Family *findFamily(Config &config);

// Each family's fields; what is wrong becomes an error of the configuration.
void readLlama(Config &config, Settings &settings);
void readMistral(Config &config, Settings &settings);
void readQwen2(Config &config, Settings &settings);
void readQwen3(Config &config, Settings &settings);
void readGemma(Config &config, Settings &settings);
void readGemma2(Config &config, Settings &settings);
void readMixtral(Config &config, Settings &settings);
void readQwen2Moe(Config &config, Settings &settings);
void readQwen3Moe(Config &config, Settings &settings);
void readDeepSeekV2(Config &config, Settings &settings);
void readDeepSeekV3(Config &config, Settings &settings);

// What several families share.

/// Widths, heads, vocabulary, context, precision. `ties` is the family's own
/// answer where `tie_word_embeddings` is not given.
void readDecoder(Config &config, Settings &settings, double theta, bool ties);
/// The width of the MLP.
void readHidden(Config &config, Settings &settings);
/// Layers, vocabulary, context, precision: what does not depend on how heads
/// are made.
void readCommon(Config &config, Settings &settings, bool ties);
/// Qwen's window: off unless `use_sliding_window`, and in the last layers only.
void readQwenWindow(Config &config, Settings &settings);
/// Rotary embeddings: base and scaling.
void readRope(Config &config, Settings &settings, double theta);
/// Sliding windows: `window` positions (0 = none) in one of `every` layers from
/// `from` on, or what `layer_types` says.
void readWindow(Config &config, Settings &settings, int64_t window,
                int64_t from, int64_t every);
/// The activation's name under `key`.
void readActivation(Config &config, Settings &settings, const char *key,
                    const char *fallback);
/// Fields that change what is computed and have no counterpart: they must have
/// the value that changes nothing.
void refuse(Config &config, const char *key, double harmless);

} // namespace tarn::hf

#endif // FRONTENDS_HUGGINGFACE_FAMILIES_H
