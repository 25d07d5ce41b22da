//===- Artifact.cpp - The file that holds a compiled model ----------------===//

#include "runtime/Artifact.h"

#include "runtime/File.h"

#include <algorithm>
#include <cstring>

using namespace tarn::rt;

// The first byte and the line ends show a transfer as text, as PNG's do.
static constexpr char magic[8] = {'\x89', 'T',  'A',    'R',
                                  'N',    '\r', '\x1a', '\n'};
static constexpr size_t headerBytes = 64;
static constexpr size_t entryBytes = 128;
static constexpr size_t nameBytes = 64;
static constexpr uint32_t sectionLimit = 256;
static constexpr uint64_t fileLimit = uint64_t(16) << 30;

static uint64_t roundUp(uint64_t n) { return (n + 63) / 64 * 64; }

static uint64_t readNumber(const uint8_t *p, unsigned bytes) {
  uint64_t number = 0;
  for (unsigned i = 0; i < bytes; ++i)
    number |= uint64_t(p[i]) << (8 * i);
  return number;
}

static void writeNumber(char *p, uint64_t number, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i)
    p[i] = static_cast<char>(number >> (8 * i));
}

static bool isAllowedName(std::string_view name) {
  return !name.empty() && name.size() < nameBytes &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._+-") ==
             std::string_view::npos;
}

/// What both the first look at a file and the full check need of a header.
static Status checkHeader(const uint8_t *header, uint64_t fileBytes) {
  if (fileBytes < headerBytes || std::memcmp(header, magic, sizeof magic) != 0)
    return Status(Code::Invalid, "not a Tarn artifact");
  uint64_t version = readNumber(header + 8, 4);
  if (version != artifactVersion)
    return Status(Code::Unsupported, "artifact version " +
                                         std::to_string(version) +
                                         ", this runtime reads version " +
                                         std::to_string(artifactVersion));
  uint64_t stated = readNumber(header + 16, 8);
  if (stated != fileBytes)
    return Status(Code::Damaged, "artifact is damaged: it should have " +
                                     std::to_string(stated) + " bytes, has " +
                                     std::to_string(fileBytes));
  return {};
}

Result<Artifact> Artifact::read(const std::string &path) {
  Result<InputFile> file = InputFile::open(path);
  if (!file.ok())
    return file.status();
  uint8_t header[headerBytes] = {};
  size_t first =
      static_cast<size_t>(std::min<uint64_t>(file->size(), headerBytes));
  if (Status status = file->readAt(0, header, first); !status.ok())
    return status;
  if (Status status = checkHeader(header, file->size()); !status.ok())
    return status.within("`" + path + "`");
  if (file->size() > fileLimit)
    return Status(Code::Invalid, "`" + path +
                                     "` is larger than an artifact "
                                     "may be");
  Result<Buffer> buffer = Buffer::allocate(file->size(), "the artifact");
  if (!buffer.ok())
    return buffer.status();
  if (Status status = file->readAt(0, buffer->data(), file->size());
      !status.ok())
    return status;
  Artifact artifact;
  artifact.bytes = buffer.take();
  if (Status status = artifact.check(); !status.ok())
    return status.within("`" + path + "`");
  return Result<Artifact>(std::move(artifact));
}

Result<Artifact> Artifact::parse(const void *data, size_t size) {
  if (size > fileLimit)
    return Status(Code::Invalid, "larger than an artifact may be");
  Result<Buffer> buffer = Buffer::allocate(size, "the artifact");
  if (!buffer.ok())
    return buffer.status();
  if (size)
    std::memcpy(buffer->data(), data, size);
  Artifact artifact;
  artifact.bytes = buffer.take();
  if (Status status = artifact.check(); !status.ok())
    return status;
  return Result<Artifact>(std::move(artifact));
}

bool Artifact::looksLikeOne(std::string_view firstBytes) {
  return firstBytes.substr(0, sizeof magic) ==
         std::string_view(magic, sizeof magic);
}

/// Everything about the container. Digests come before the fields they cover
/// are believed.
Status Artifact::check() {
  const uint8_t *base = bytes.data();
  if (Status status = checkHeader(base, bytes.size()); !status.ok())
    return status;
  auto damaged = [](const std::string &what) {
    return Status(Code::Damaged, "artifact is damaged: " + what);
  };
  uint64_t count = readNumber(base + 12, 4);
  if (count > sectionLimit || headerBytes + count * entryBytes > bytes.size())
    return damaged("the table of sections does not fit the file");
  Sha256 headerHash;
  headerHash.update(base, 32);
  headerHash.update(base + headerBytes, count * entryBytes);
  digest = headerHash.finish();
  if (std::memcmp(digest.data(), base + 32, digest.size()) != 0)
    return damaged("the header's checksum does not match");
  if (readNumber(base + 24, 8) != 0)
    return damaged("reserved bytes are not zero");

  uint64_t next = headerBytes + count * entryBytes;
  for (uint64_t i = 0; i < count; ++i) {
    const uint8_t *entry = base + headerBytes + i * entryBytes;
    const char *text = reinterpret_cast<const char *>(entry);
    size_t length = ::strnlen(text, nameBytes);
    Section section;
    section.name.assign(text, length);
    bool zeros = std::all_of(text + length, text + nameBytes,
                             [](char c) { return c == '\0'; });
    if (!isAllowedName(section.name) || !zeros)
      return damaged("a section has a bad name");
    if (std::any_of(table.begin(), table.end(), [&](const Section &other) {
          return other.name == section.name;
        }))
      return damaged("two sections are called `" + section.name + "`");
    section.offset = readNumber(entry + 64, 8);
    section.bytes = readNumber(entry + 72, 8);
    uint64_t span = readNumber(entry + 80, 8);
    if (section.offset != next || span > bytes.size() - next ||
        section.bytes > span || span != roundUp(section.bytes) ||
        readNumber(entry + 88, 8) != 0)
      return damaged("the section `" + section.name + "` has a bad place");
    next += span;
    std::memcpy(section.digest.data(), entry + 96, section.digest.size());
    table.push_back(std::move(section));
  }
  if (next != bytes.size())
    return damaged("the sections do not fill the file");
  for (const Section &section : table)
    if (sha256(base + section.offset, roundUp(section.bytes)) != section.digest)
      return damaged("the checksum of the section `" + section.name +
                     "` does not match");
  return {};
}

std::string_view Artifact::section(std::string_view name) const {
  for (const Section &section : table)
    if (section.name == name)
      return std::string_view(reinterpret_cast<const char *>(bytes.data()) +
                                  section.offset,
                              section.bytes);
  return {};
}

void ArtifactWriter::add(std::string name, std::string data) {
  sections.emplace_back(std::move(name), std::move(data));
}

Result<std::string> ArtifactWriter::finish() const {
  if (sections.size() > sectionLimit)
    return Status(Code::BadArgument, "an artifact has at most " +
                                         std::to_string(sectionLimit) +
                                         " sections");
  uint64_t total = headerBytes + sections.size() * entryBytes;
  for (auto it = sections.begin(); it != sections.end(); ++it) {
    if (!isAllowedName(it->first))
      return Status(Code::BadArgument,
                    "`" + it->first + "` is no name for a section");
    for (auto other = sections.begin(); other != it; ++other)
      if (other->first == it->first)
        return Status(Code::BadArgument,
                      "two sections are called `" + it->first + "`");
    total += roundUp(it->second.size());
  }
  std::string file(total, '\0');
  std::memcpy(file.data(), magic, sizeof magic);
  writeNumber(file.data() + 8, artifactVersion, 4);
  writeNumber(file.data() + 12, sections.size(), 4);
  writeNumber(file.data() + 16, total, 8);
  char *entry = file.data() + headerBytes;
  uint64_t next = headerBytes + sections.size() * entryBytes;
  for (const auto &[name, data] : sections) {
    uint64_t span = roundUp(data.size());
    std::memcpy(entry, name.data(), name.size());
    writeNumber(entry + 64, next, 8);
    writeNumber(entry + 72, data.size(), 8);
    writeNumber(entry + 80, span, 8);
    std::memcpy(file.data() + next, data.data(), data.size());
    Digest digest = sha256(file.data() + next, span);
    std::memcpy(entry + 96, digest.data(), digest.size());
    entry += entryBytes;
    next += span;
  }
  Sha256 headerHash;
  headerHash.update(file.data(), 32);
  headerHash.update(file.data() + headerBytes, sections.size() * entryBytes);
  Digest digest = headerHash.finish();
  std::memcpy(file.data() + 32, digest.data(), digest.size());
  return file;
}

Status ArtifactWriter::write(const std::string &path) const {
  Result<std::string> file = finish();
  if (!file.ok())
    return file.status();
  return writeFile(path, *file);
}
