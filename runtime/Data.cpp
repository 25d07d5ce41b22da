//===- Data.cpp - Tokens to train on --------------------------------------===//

#include "runtime/Data.h"

#include "runtime/Hash.h"
#include "runtime/Random.h"

#include <algorithm>

using namespace tarn::rt;

static constexpr uint64_t checkedAtOpen = uint64_t(1) << 30;
static constexpr uint64_t sampledBytes = uint64_t(1) << 20;

static unsigned widthOf(DataFormat format, const std::string &path) {
  if (format == DataFormat::Auto) {
    bool binary =
        path.size() >= 4 && path.compare(path.size() - 4, 4, ".bin") == 0;
    format = binary ? DataFormat::Tokens16 : DataFormat::Text;
  }
  switch (format) {
  case DataFormat::Tokens16:
    return 2;
  case DataFormat::Tokens32:
    return 4;
  default:
    return 1;
  }
}

Result<Dataset> Dataset::open(const std::vector<std::string> &paths,
                              const DataOptions &options) {
  Dataset data;
  data.vocabulary = options.vocabulary;
  for (const std::string &path : paths) {
    Result<InputFile> file = InputFile::open(path);
    if (!file.ok())
      return file.status();
    Part part;
    part.width = widthOf(options.format, path);
    if (file->size() % part.width)
      return Status(Code::Invalid,
                    "`" + path + "` has " + std::to_string(file->size()) +
                        " bytes, no multiple of the " +
                        std::to_string(part.width) + " of a token");
    part.first = data.total;
    part.tokens = file->size() / part.width;
    part.file = file.take();
    data.total += part.tokens;
    data.parts.push_back(std::move(part));
  }
  if (data.total == 0)
    return Status(Code::Invalid, paths.empty()
                                     ? "there is no data"
                                     : "`" + paths.front() + "` is empty");
  uint64_t held = options.heldOutPart ? data.total / options.heldOutPart : 0;
  data.train = data.total - held;
  if (Status status = data.checkAll(); !status.ok())
    return status;
  if (Status status = data.fingerprintAll(); !status.ok())
    return status;
  return Result<Dataset>(std::move(data));
}

Status Dataset::checkAll() const {
  std::vector<int32_t> chunk(size_t(1) << 18);
  uint64_t left = checkedAtOpen;
  for (const Part &part : parts) {
    uint64_t kinds = uint64_t(1) << (8 * part.width);
    if (vocabulary <= 0 || kinds <= static_cast<uint64_t>(vocabulary))
      continue;
    for (uint64_t at = 0; at < part.tokens && left;) {
      size_t count = static_cast<size_t>(std::min<uint64_t>(
          {chunk.size(), part.tokens - at, left / part.width}));
      if (!count)
        return {};
      if (Status status = readPart(part, at, count, chunk.data()); !status.ok())
        return status;
      at += count;
      left -= count * part.width;
    }
  }
  return {};
}

Status Dataset::fingerprintAll() {
  Sha256 hash;
  std::vector<char> chunk;
  for (const Part &part : parts) {
    uint64_t size = part.file.size();
    std::string head =
        std::to_string(part.width) + ":" + std::to_string(size) + "\n";
    hash.update(head.data(), head.size());
    chunk.resize(static_cast<size_t>(std::min(size, sampledBytes)));
    for (uint64_t place :
         {uint64_t(0), (size - chunk.size()) / 2, size - chunk.size()}) {
      if (Status status = part.file.readAt(place, chunk.data(), chunk.size());
          !status.ok())
        return status;
      hash.update(chunk.data(), chunk.size());
    }
  }
  print = toHex(hash.finish());
  return {};
}

Status Dataset::readPart(const Part &part, uint64_t start, size_t count,
                         int32_t *to) const {
  std::vector<uint8_t> bytes(count * part.width);
  if (Status status =
          part.file.readAt(start * part.width, bytes.data(), bytes.size());
      !status.ok())
    return status;
  const uint8_t *p = bytes.data();
  uint64_t limit =
      vocabulary > 0 ? static_cast<uint64_t>(vocabulary) : uint64_t(1) << 31;
  for (size_t i = 0; i < count; ++i, p += part.width) {
    uint32_t token = p[0];
    for (unsigned byte = 1; byte < part.width; ++byte)
      token |= uint32_t(p[byte]) << (8 * byte);
    if (token >= limit)
      return Status(Code::Invalid, "`" + part.file.path() + "`: token " +
                                       std::to_string(start + i) + " is " +
                                       std::to_string(token) +
                                       ", the vocabulary has " +
                                       std::to_string(limit));
    to[i] = static_cast<int32_t>(token);
  }
  return {};
}

Status Dataset::read(uint64_t start, size_t count, int32_t *to) const {
  if (start > total || count > total - start)
    return Status(Code::BadArgument,
                  "there are only " + std::to_string(total) + " tokens");
  for (const Part &part : parts) {
    if (!count)
      break;
    if (start >= part.first + part.tokens)
      continue;
    uint64_t inside = start - part.first;
    size_t here =
        static_cast<size_t>(std::min<uint64_t>(count, part.tokens - inside));
    if (Status status = readPart(part, inside, here, to); !status.ok())
      return status;
    start += here;
    to += here;
    count -= here;
  }
  return {};
}

Status Dataset::checkWindow(size_t count) const {
  auto tooShort = [&](const char *what, uint64_t have) {
    return Status(Code::Invalid, std::string("the ") + what + " data have " +
                                     std::to_string(have) +
                                     " tokens, a window needs " +
                                     std::to_string(count));
  };
  if (train < count)
    return tooShort("training", train);
  if (heldOutTokens() && heldOutTokens() < count)
    return tooShort("held-out", heldOutTokens());
  return {};
}

Status Dataset::sample(uint64_t seed, uint64_t step, uint64_t row, size_t count,
                       int32_t *to) const {
  if (train < count)
    return checkWindow(count);
  uint64_t bits = threefry(threefry(seed, step), row);
  return read(scaleTo(bits, train - count + 1), count, to);
}

Status Dataset::heldOut(uint64_t index, uint64_t windows, size_t count,
                        int32_t *to) const {
  uint64_t begin = heldOutTokens() ? train : 0, size = total - begin;
  if (size < count)
    return checkWindow(count);
  uint64_t last = size - count;
  uint64_t start =
      windows > 1 ? static_cast<uint64_t>(static_cast<unsigned __int128>(last) *
                                          index / (windows - 1))
                  : 0;
  return read(begin + start, count, to);
}
