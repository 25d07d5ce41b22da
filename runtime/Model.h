//===- Model.h - An artifact that was read and understood ------*- C++ -*-===//
#ifndef TARN_RUNTIME_MODEL_H
#define TARN_RUNTIME_MODEL_H

#include "runtime/Artifact.h"
#include "runtime/Manifest.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tarn::rt {

/// A checked container with its parsed and validated manifest. Nothing of its
/// code is mapped.
class Model {
public:
  /// Reads an artifact file.
  static Result<std::shared_ptr<const Model>> open(const std::string &path);
  /// The same from memory, which is copied.
  static Result<std::shared_ptr<const Model>> parse(const void *data,
                                                    size_t size);

  const Artifact &artifact() const { return container; }
  const Manifest &manifest() const { return contents; }
  /// The digest of the whole file, in hexadecimal.
  const std::string &id() const { return identity; }
  /// The manifest's own text, ended by a zero byte.
  const std::string &manifestText() const { return text; }

private:
  static Result<std::shared_ptr<const Model>> make(Artifact artifact);

  Artifact container;
  Manifest contents;
  std::string identity, text;
};

/// The tensor called `name`, or null.
const TensorDesc *findTensor(const std::vector<TensorDesc> &tensors,
                             std::string_view name);

/// The state tensors that a checkpoint holds, in the order of their names.
std::vector<const TensorDesc *> savedTensors(const Manifest &manifest);

} // namespace tarn::rt

#endif // TARN_RUNTIME_MODEL_H
