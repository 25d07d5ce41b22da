//===- Checkpoint.cpp - Saved training state ------------------------------===//

#include "runtime/Checkpoint.h"

#include <algorithm>
#include <cstring>
#include <unistd.h>

using namespace tarn::rt;

static constexpr const char *fileName = "state.safetensors";
static constexpr const char *formatName = "checkpoint-1";
/// The digest's digits have a fixed place: right after this, which follows the
/// 8 bytes of the header's length.
static constexpr std::string_view digestPrefix =
    "{\"__metadata__\":{\"tarn.sha256\":\"";
static constexpr size_t digestPlace = 8 + digestPrefix.size();
static constexpr size_t digestDigits = 64;

std::string CheckpointInfo::text(std::string_view key) const {
  for (const auto &[name, value] : extra)
    if (name == key)
      return value;
  return {};
}

//===----------------------------------------------------------------------===//
// Saving
//===----------------------------------------------------------------------===//

Result<std::string> tarn::rt::saveCheckpoint(const Session &session,
                                             const std::string &folder,
                                             int64_t step,
                                             const Metadata &extra) {
  if (step < 0)
    return Status(Code::BadArgument, "a step is not negative");
  const Manifest &manifest = session.manifest();
  Metadata metadata = {{"tarn.sha256", std::string(digestDigits, '0')},
                       {"tarn.format", formatName},
                       {"tarn.model", manifest.model},
                       {"tarn.step", std::to_string(step)},
                       {"tarn.hyper", manifest.hyper.dump()}};
  for (const auto &[key, value] : extra) {
    if (key.compare(0, 5, "tarn.") == 0)
      return Status(Code::BadArgument, "`" + key + "` is reserved");
    metadata.emplace_back(key, value);
  }
  std::vector<SafetensorsTensor> tensors;
  for (const TensorDesc *tensor : savedTensors(manifest))
    tensors.push_back({tensor->name, tensor->dtype, tensor->shape, nullptr});

  std::string stepFolder = folder + "/" + std::to_string(step);
  std::string path = stepFolder + "/" + fileName;
  if (Status status = makeFolders(folder); !status.ok())
    return status;
  // The file grows in the run's folder: a step's folder appears only for a
  // file that is complete.
  Result<AtomicFile> file = AtomicFile::create(path, folder);
  if (!file.ok())
    return file.status();
  Sha256 hash;
  auto write = [&](const void *data, size_t size) {
    hash.update(data, size);
    return file->write(data, size);
  };
  std::string head = safetensorsHead(metadata, tensors);
  Status status = write(head.data(), head.size());
  for (const TensorDesc *tensor : savedTensors(manifest))
    if (status.ok())
      status = session.forState(*tensor, write);
  if (status.ok()) {
    std::string digits = toHex(hash.finish());
    status = file->writeAt(digestPlace, digits.data(), digits.size());
  }
  if (status.ok())
    status = makeFolders(stepFolder);
  if (status.ok())
    status = file->commit();
  if (status.ok())
    status = syncFolder(folder);
  if (!status.ok()) {
    ::rmdir(stepFolder.c_str()); // only if it is empty
    return status;
  }
  return path;
}

//===----------------------------------------------------------------------===//
// Finding
//===----------------------------------------------------------------------===//

std::vector<int64_t> tarn::rt::listCheckpoints(const std::string &folder) {
  std::vector<int64_t> steps;
  for (const std::string &name : listFolder(folder)) {
    if (name.empty() || name.size() > 18 ||
        name.find_first_not_of("0123456789") != std::string::npos ||
        (name.size() > 1 && name[0] == '0'))
      continue;
    if (isFile(folder + "/" + name + "/" + fileName))
      steps.push_back(std::strtoll(name.c_str(), nullptr, 10));
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

Result<std::string> tarn::rt::findCheckpoint(const std::string &path) {
  if (isFile(path))
    return path;
  if (!isFolder(path))
    return Status(Code::NotFound, "there is no `" + path + "`");
  if (std::string file = path + "/" + fileName; isFile(file))
    return file;
  std::vector<int64_t> steps = listCheckpoints(path);
  if (steps.empty())
    return Status(Code::NotFound, "there is no checkpoint in `" + path + "`");
  return path + "/" + std::to_string(steps.back()) + "/" + fileName;
}

void tarn::rt::pruneCheckpoints(const std::string &folder, size_t keep) {
  std::vector<int64_t> steps = listCheckpoints(folder);
  for (size_t i = 0; i + keep < steps.size(); ++i) {
    std::string old = folder + "/" + std::to_string(steps[i]);
    ::unlink((old + "/" + fileName).c_str());
    ::rmdir(old.c_str());
  }
}

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

bool tarn::rt::isCheckpoint(const SafetensorsFile &file) {
  return file.index().text("tarn.format") != nullptr ||
         file.index().text("tarn.sha256") != nullptr;
}

static Status damagedCheckpoint() {
  return Status(Code::Damaged,
                "the checkpoint is damaged: its checksum does not match");
}

Status tarn::rt::verifyCheckpoint(const SafetensorsFile &file) {
  std::string head = file.head();
  if (head.size() < digestPlace + digestDigits ||
      head.compare(8, digestPrefix.size(), digestPrefix) != 0)
    return damagedCheckpoint();
  std::string stated = head.substr(digestPlace, digestDigits);
  head.replace(digestPlace, digestDigits, digestDigits, '0');
  Sha256 hash;
  hash.update(head.data(), head.size());
  std::vector<char> chunk(
      size_t(std::min<uint64_t>(checkpointStagingBytes, file.file().size())));
  for (uint64_t at = head.size(); at < file.file().size();) {
    size_t size = static_cast<size_t>(
        std::min<uint64_t>(chunk.size(), file.file().size() - at));
    if (Status status = file.file().readAt(at, chunk.data(), size);
        !status.ok())
      return status;
    hash.update(chunk.data(), size);
    at += size;
  }
  return toHex(hash.finish()) == stated ? Status() : damagedCheckpoint();
}

/// The first difference between what the model saves and what the file has.
static Status compare(const Session &session, const SafetensorsIndex &index) {
  const Manifest &manifest = session.manifest();
  auto mismatch = [](const std::string &what) {
    return Status(Code::Mismatch, "a checkpoint of another model: " + what);
  };
  const std::string *model = index.text("tarn.model");
  if (!model || *model != manifest.model)
    return mismatch("it is of `" + (model ? *model : std::string("?")) +
                    "`, the artifact is `" + manifest.model + "`");
  std::vector<const TensorDesc *> saved = savedTensors(manifest);
  for (const TensorDesc *tensor : saved) {
    const SafetensorsEntry *entry = index.find(tensor->name);
    if (!entry)
      return mismatch("it has no `" + tensor->name + "`");
    if (entry->dtype != tensor->dtype || entry->shape != tensor->shape)
      return mismatch(
          "`" + tensor->name + "` is " + typeText(entry->dtype, entry->shape) +
          " in it, the artifact has " + typeText(tensor->dtype, tensor->shape));
  }
  for (const SafetensorsEntry &entry : index.tensors)
    if (!std::any_of(saved.begin(), saved.end(), [&](const TensorDesc *t) {
          return t->name == entry.name;
        }))
      return mismatch("the artifact has no `" + entry.name + "`");
  return {};
}

/// Hyper-parameters that differ although all shapes agree: worth a word, no
/// error, since some (rates, dropout) may change on purpose.
static std::vector<std::string> hyperNotes(const Json &ours,
                                           const std::string *theirs) {
  std::vector<std::string> notes;
  if (!theirs)
    return notes;
  Result<Json> saved = parseJson(*theirs);
  if (!saved.ok())
    return notes;
  for (const auto &[name, value] : ours.asObject())
    if (const Json *other = saved->find(name); other && *other != value)
      notes.push_back("hyper-parameter `" + name + "` was " + other->dump() +
                      " when the checkpoint was saved, is now " + value.dump());
  return notes;
}

Result<CheckpointInfo> tarn::rt::loadCheckpoint(Session &session,
                                                const std::string &path) {
  Result<std::string> found = findCheckpoint(path);
  if (!found.ok())
    return found.status();
  std::string where = "`" + *found + "`";
  Result<SafetensorsFile> file = SafetensorsFile::open(*found);
  if (!file.ok())
    return file.status();
  const SafetensorsIndex &index = file->index();
  if (!isCheckpoint(*file))
    return Status(Code::Invalid,
                  where + ": not a checkpoint of Tarn (weights of other "
                          "programs are loaded as parameters)");
  if (Status status = verifyCheckpoint(*file); !status.ok())
    return status.within(where);
  const std::string *format = index.text("tarn.format");
  if (!format || *format != formatName)
    return Status(Code::Unsupported, where + ": a checkpoint of format `" +
                                         (format ? *format : "?") +
                                         "`, this runtime reads `" +
                                         formatName + "`");
  if (Status status = compare(session, index); !status.ok())
    return status.within(where);

  CheckpointInfo info;
  info.path = *found;
  info.model = session.manifest().model;
  if (const std::string *step = index.text("tarn.step"))
    info.step = std::strtoll(step->c_str(), nullptr, 10);
  info.notes = hyperNotes(session.manifest().hyper, index.text("tarn.hyper"));
  for (const auto &[key, value] : index.metadata)
    if (key.compare(0, 5, "tarn.") != 0)
      info.extra.emplace_back(key, value);
  std::vector<char> bytes;
  for (const TensorDesc *tensor : savedTensors(session.manifest())) {
    const SafetensorsEntry &entry = *index.find(tensor->name);
    Status status;
    if (uint8_t *here = session.stateData(*tensor)) {
      status = file->read(entry, here);
    } else {
      bytes.resize(tensor->bytes);
      status = file->read(entry, bytes.data());
      if (status.ok())
        status = session.writeState(*tensor, bytes.data());
    }
    if (!status.ok())
      return status;
  }
  return info;
}
