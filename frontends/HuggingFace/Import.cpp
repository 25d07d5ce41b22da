//===- Import.cpp - from a config.json to the `tarn` dialect --------------===//

#include "frontends/HuggingFace/Import.h"

#include "frontends/HuggingFace/Families.h"

#include "llvm/Support/MemoryBuffer.h"

using namespace tarn;
using namespace tarn::hf;

namespace {
struct Model {
  const char *name, *text;
};
} // namespace

/// The models of models/, put in by the build.
static const Model models[] = {
#include "Models.inc"
};

const char *tarn::hf::modelText(llvm::StringRef file) {
  if (file.consume_front("huggingface/"))
    for (const Model &model : models)
      if (file == model.name)
        return model.text;
  return nullptr;
}

/// The hyper-parameters that the file stands for, and its family.
static const Family *readFile(const lang::SourceFile &source,
                              lang::Diagnostics &diagnostics,
                              const lang::ImportOptions &options,
                              Settings &settings) {
  size_t at = 0;
  rt::Result<rt::Json> json = rt::parseJson(source.text, &at);
  if (!json.ok()) {
    std::string message = json.status().message();
    uint32_t begin = std::min(at, source.text.size());
    // The place says which byte.
    size_t colon = message.find(": ");
    diagnostics.error({&source, begin, begin + 1},
                      "this is no JSON: " + message.substr(colon + 2));
    return nullptr;
  }
  Config config(source, *json, diagnostics);
  if (!json->isObject()) {
    config.errorAt(*json, std::string("a configuration is an object, not ") +
                              json->kindName());
    return nullptr;
  }
  const Family *family = findFamily(config);
  if (!family)
    return nullptr;
  family->read(config, settings);
  if (config.failed())
    return nullptr;
  auto length = options.shape.find("T");
  int64_t context = std::stoll(settings.values.at("context"));
  if (length != options.shape.end() && !options.set.count("context") &&
      length->second > context)
    config.error("max_position_embeddings",
                 "T = " + std::to_string(length->second) +
                     " is more than the model's " + std::to_string(context) +
                     " positions",
                 "--set context=" + std::to_string(length->second) +
                     " plans it as if it had them");
  return config.failed() ? nullptr : family;
}

mlir::OwningOpRef<mlir::ModuleOp>
hf::importConfig(mlir::MLIRContext &context, const std::string &path,
                 const lang::ImportOptions &options,
                 llvm::raw_ostream &errors) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer) {
    errors << "error: cannot read `" << path
           << "`: " << buffer.getError().message() << "\n";
    return nullptr;
  }
  if ((*buffer)->getBufferSize() > (1 << 20)) {
    errors << "error: `" << path << "` is larger than 1 MiB: no "
           << "configuration of a model\n";
    return nullptr;
  }
  lang::SourceFile source{path, (*buffer)->getBuffer().str()};
  lang::Diagnostics diagnostics;
  Settings settings;
  const Family *family = readFile(source, diagnostics, options, settings);
  if (!family) {
    diagnostics.render(errors);
    return nullptr;
  }
  lang::ImportOptions all = options;
  for (const auto &[name, value] : settings.values)
    all.set.emplace(name, value);
  const Model *model = nullptr;
  for (const Model &candidate : models)
    if (llvm::StringRef(candidate.name) == family->model)
      model = &candidate;
  lang::SourceFile text{"huggingface/" + std::string(model->name), model->text};
  lang::Diagnostics inside;
  mlir::OwningOpRef<mlir::ModuleOp> module =
      lang::importSource(context, text, family->type, all, inside);
  if (!inside.any())
    return lang::verifyImported(std::move(module), errors);
  const lang::Diagnostic &first = inside.first();
  if (!first.range.file) { // a name or a dimension of the command line
    inside.render(errors);
    return nullptr;
  }
  // What no field alone is to blame for.
  diagnostics
      .error({&source, 0, 1},
             "this configuration makes no model: " + first.message)
      .note("in the library", first.range);
  diagnostics.render(errors);
  return nullptr;
}
