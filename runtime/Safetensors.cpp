//===- Safetensors.cpp - The safetensors format ---------------------------===//

#include "runtime/Safetensors.h"

#include "runtime/Json.h"
#include "runtime/Manifest.h"

#include <algorithm>

using namespace tarn::rt;

const SafetensorsEntry *SafetensorsIndex::find(std::string_view name) const {
  for (const SafetensorsEntry &entry : tensors)
    if (entry.name == name)
      return &entry;
  return nullptr;
}

const std::string *SafetensorsIndex::text(std::string_view key) const {
  for (const auto &[name, value] : metadata)
    if (name == key)
      return &value;
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

static Status invalid(const std::string &message) {
  return Status(Code::Invalid, "safetensors: " + message);
}

/// One member of the header; offsets in `entry` count from the data's begin.
static Status parseEntry(const std::string &name, const Json &json,
                         SafetensorsEntry &entry) {
  std::string what = "`" + name.substr(0, 200) + "`: ";
  if (!json.isObject())
    return invalid(what + "is not an object");
  const Json *dtype = json.find("dtype"), *shape = json.find("shape"),
             *offsets = json.find("data_offsets");
  if (!dtype || !shape || !offsets || json.asObject().size() != 3)
    return invalid(what + "must have dtype, shape, data_offsets, no more");
  if (!dtype->isString() || !shape->isArray() || !offsets->isArray() ||
      offsets->asArray().size() != 2)
    return invalid(what + "a member has the wrong form");
  std::optional<DType> known = dtypeFromSafetensors(dtype->asString());
  if (!known)
    return Status(Code::Unsupported,
                  "safetensors: " + what + "the element type `" +
                      dtype->asString().substr(0, 20) + "` is not supported");
  entry.name = name;
  entry.dtype = *known;
  for (const Json &extent : shape->asArray()) {
    if (!extent.isInt())
      return invalid(what + "an extent is not an integer");
    entry.shape.push_back(extent.asInt());
  }
  std::optional<uint64_t> count = elementCount(entry.shape);
  if (!count)
    return invalid(what + "the shape is not possible");
  const Json &begin = offsets->asArray()[0], &end = offsets->asArray()[1];
  if (!begin.isInt() || !end.isInt() || begin.asInt() < 0 ||
      end.asInt() < begin.asInt())
    return invalid(what + "bad data_offsets");
  entry.offset = static_cast<uint64_t>(begin.asInt());
  entry.bytes = static_cast<uint64_t>(end.asInt() - begin.asInt());
  if (entry.bytes != *count * dtypeSize(*known))
    return invalid(what + typeText(*known, entry.shape) + " has " +
                   std::to_string(*count * dtypeSize(*known)) +
                   " bytes, data_offsets span " + std::to_string(entry.bytes));
  return {};
}

Result<SafetensorsIndex>
tarn::rt::parseSafetensorsHeader(std::string_view header, uint64_t fileBytes) {
  Result<Json> json = parseJson(header);
  if (!json.ok())
    return json.status().within("safetensors header");
  if (!json->isObject())
    return invalid("the header is not an object");
  SafetensorsIndex index;
  for (const auto &[name, value] : json->asObject()) {
    if (name == "__metadata__") {
      if (!value.isObject())
        return invalid("__metadata__ is not an object");
      for (const auto &[key, text] : value.asObject()) {
        if (!text.isString())
          return invalid("__metadata__ holds something that is not text");
        index.metadata.emplace_back(key, text.asString());
      }
      continue;
    }
    SafetensorsEntry entry;
    if (Status status = parseEntry(name, value, entry); !status.ok())
      return status;
    index.tensors.push_back(std::move(entry));
  }
  // Empty tensors may share an offset with the next one: ends break the tie.
  std::sort(index.tensors.begin(), index.tensors.end(),
            [](const SafetensorsEntry &a, const SafetensorsEntry &b) {
              return std::pair(a.offset, a.bytes) <
                     std::pair(b.offset, b.bytes);
            });
  uint64_t begin = 8 + header.size(), next = 0;
  for (SafetensorsEntry &entry : index.tensors) {
    if (entry.offset != next)
      return invalid("`" + entry.name.substr(0, 200) +
                     "` leaves a gap or overlaps: it starts at " +
                     std::to_string(entry.offset) + ", expected " +
                     std::to_string(next));
    next += entry.bytes; // a sum of differences of int64: does not overflow
    if (next > fileBytes)
      return invalid("`" + entry.name.substr(0, 200) +
                     "` lies outside the file");
    entry.offset += begin;
  }
  if (begin + next != fileBytes)
    return invalid("the tensors end at byte " + std::to_string(begin + next) +
                   ", the file at " + std::to_string(fileBytes));
  return index;
}

Result<SafetensorsFile> SafetensorsFile::open(const std::string &path) {
  Result<InputFile> input = InputFile::open(path);
  if (!input.ok())
    return input.status();
  std::string where = "`" + path + "`";
  uint8_t length[8];
  if (input->size() < sizeof length)
    return invalid("too short for a header").within(where);
  if (Status status = input->readAt(0, length, sizeof length); !status.ok())
    return status;
  uint64_t headerBytes = 0;
  for (int i = 0; i < 8; ++i)
    headerBytes |= uint64_t(length[i]) << (8 * i);
  if (headerBytes > safetensorsHeaderLimit ||
      headerBytes > input->size() - sizeof length)
    return invalid("a header of " + std::to_string(headerBytes) +
                   " bytes does not fit the file or the limit")
        .within(where);
  SafetensorsFile file;
  file.start.resize(sizeof length + headerBytes);
  if (Status status = input->readAt(0, file.start.data(), file.start.size());
      !status.ok())
    return status;
  Result<SafetensorsIndex> index = parseSafetensorsHeader(
      std::string_view(file.start).substr(sizeof length), input->size());
  if (!index.ok())
    return index.status().within(where);
  file.contents = index.take();
  file.input = input.take();
  return Result<SafetensorsFile>(std::move(file));
}

Status SafetensorsFile::read(const SafetensorsEntry &entry, void *to) const {
  return entry.bytes ? input.readAt(entry.offset, to, entry.bytes) : Status();
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

static uint64_t bytesOf(const SafetensorsTensor &tensor) {
  return elementCount(tensor.shape).value_or(0) * dtypeSize(tensor.dtype);
}

std::string
tarn::rt::safetensorsHead(const Metadata &metadata,
                          const std::vector<SafetensorsTensor> &tensors) {
  Json header = Json::object();
  if (!metadata.empty()) {
    Json texts = Json::object();
    for (const auto &[key, text] : metadata)
      texts.set(key, text);
    header.set("__metadata__", std::move(texts));
  }
  uint64_t next = 0;
  for (const SafetensorsTensor &tensor : tensors) {
    Json entry = Json::object(), shape = Json::array(), place = Json::array();
    for (int64_t extent : tensor.shape)
      shape.push(extent);
    place.push(next);
    next += bytesOf(tensor);
    place.push(next);
    entry.set("dtype", safetensorsName(tensor.dtype));
    entry.set("shape", std::move(shape));
    entry.set("data_offsets", std::move(place));
    header.set(tensor.name, std::move(entry));
  }
  std::string text = header.dump();
  text.append((64 - (text.size() + 8) % 64) % 64, ' ');
  std::string head(8, '\0');
  for (int i = 0; i < 8; ++i)
    head[i] = static_cast<char>(text.size() >> (8 * i));
  return head + text;
}

Status
tarn::rt::writeSafetensors(const std::string &path, const Metadata &metadata,
                           const std::vector<SafetensorsTensor> &tensors) {
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file.ok())
    return file.status();
  std::string head = safetensorsHead(metadata, tensors);
  Status status = file->write(head.data(), head.size());
  for (const SafetensorsTensor &tensor : tensors)
    if (status.ok())
      status = file->write(tensor.data, bytesOf(tensor));
  return status.ok() ? file->commit() : status;
}
