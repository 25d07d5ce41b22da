//===- Model.cpp - An artifact that was read and understood ---------------===//

#include "runtime/Model.h"

#include <algorithm>

using namespace tarn::rt;

Result<std::shared_ptr<const Model>> Model::make(Artifact artifact) {
  auto model = std::make_shared<Model>();
  model->container = std::move(artifact);
  std::string_view text = model->container.section("manifest");
  if (text.empty())
    return Status(Code::Invalid, "the artifact has no manifest");
  Result<Manifest> manifest =
      parseManifest(text, model->container.section("constants").size());
  if (!manifest.ok())
    return manifest.status();
  model->contents = manifest.take();
  for (const Target &target : model->contents.targets) {
    std::string_view code = model->container.section(target.code);
    if (code.empty())
      return Status(Code::Invalid, "the artifact has no section `" +
                                       target.code + "`, the code for " +
                                       target.isa);
    for (const CodeSpan &image : target.images)
      if (image.offset > code.size() ||
          image.bytes > code.size() - image.offset)
        return Status(Code::Invalid,
                      "an image for " + target.isa +
                          " lies outside the section `" + target.code +
                          "` of " + std::to_string(code.size()) + " bytes");
  }
  model->identity = toHex(model->container.identity());
  model->text = text;
  return std::shared_ptr<const Model>(std::move(model));
}

Result<std::shared_ptr<const Model>> Model::open(const std::string &path) {
  Result<Artifact> artifact = Artifact::read(path);
  if (!artifact.ok())
    return artifact.status();
  Result<std::shared_ptr<const Model>> model = make(artifact.take());
  if (!model.ok())
    return model.status().within("`" + path + "`");
  return model;
}

Result<std::shared_ptr<const Model>> Model::parse(const void *data,
                                                  size_t size) {
  Result<Artifact> artifact = Artifact::parse(data, size);
  if (!artifact.ok())
    return artifact.status();
  return make(artifact.take());
}

const TensorDesc *tarn::rt::findTensor(const std::vector<TensorDesc> &tensors,
                                       std::string_view name) {
  for (const TensorDesc &tensor : tensors)
    if (tensor.name == name)
      return &tensor;
  return nullptr;
}

std::vector<const TensorDesc *>
tarn::rt::savedTensors(const Manifest &manifest) {
  std::vector<const TensorDesc *> saved;
  for (const TensorDesc &tensor : manifest.state)
    if (tensor.save)
      saved.push_back(&tensor);
  std::sort(saved.begin(), saved.end(),
            [](const TensorDesc *a, const TensorDesc *b) {
              return a->name < b->name;
            });
  return saved;
}
