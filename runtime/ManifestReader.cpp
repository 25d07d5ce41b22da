//===- ManifestReader.cpp - The manifest as JSON, read --------------------===//

#include "runtime/Manifest.h"

#include <algorithm>

using namespace tarn::rt;

namespace {

/// Walks the JSON with a path for messages; the first error sticks, and what
/// is read after it is meaningless but harmless.
class Reader {
public:
  Status error;

  Manifest read(const Json &root) {
    Manifest out;
    if (int64_t format = integer(root, "format"); format != manifestFormat) {
      fail(Code::Unsupported, "format is " + std::to_string(format) +
                                  ", this runtime reads " +
                                  std::to_string(manifestFormat));
      return out;
    }
    out.model = string(root, "model");
    out.hyper = object(root, "hyper");
    out.shape = object(root, "shape");
    out.seed = integer(root, "seed", 0);
    out.state = tensors(root, "state");
    out.stateBytes = size(root, "state_bytes");
    out.constantBytes = size(root, "constant_bytes");
    each(root, "locations", [&](const Json &item) {
      Location location;
      if (!item.isArray() || item.asArray().size() != 3 ||
          !item.asArray()[0].isString() || !item.asArray()[1].isInt() ||
          !item.asArray()[2].isInt())
        return fail(Code::Invalid, "expected [file, line, column]");
      location.file = item.asArray()[0].asString();
      location.line = item.asArray()[1].asInt();
      location.column = item.asArray()[2].asInt();
      out.locations.push_back(std::move(location));
    });
    each(root, "targets",
         [&](const Json &item) { out.targets.push_back(target(item)); });
    return out;
  }

private:
  void fail(Code code, const std::string &message) {
    if (error.ok())
      error = Status(code, "manifest" + path + ": " + message);
  }

  /// Names a part of the path while it is being read.
  struct Scope {
    Scope(std::string &path, const std::string &part)
        : path(path), before(path.size()) {
      path += part;
    }
    ~Scope() { path.resize(before); }
    std::string &path;
    size_t before;
  };

  const Json *member(const Json &from, const char *key, bool required = true) {
    if (!from.isObject()) {
      fail(Code::Invalid,
           std::string("expected an object, found ") + from.kindName());
      return nullptr;
    }
    const Json *found = from.find(key);
    if (!found && required)
      fail(Code::Invalid, std::string("`") + key + "` is missing");
    return found;
  }

  void expected(const char *key, const char *what, const Json &found) {
    fail(Code::Invalid, std::string("`") + key + "` must be " + what + ", is " +
                            found.kindName());
  }

  std::string string(const Json &from, const char *key, bool required = true) {
    const Json *found = member(from, key, required);
    if (found && found->isString())
      return found->asString();
    if (found)
      expected(key, "a string", *found);
    return {};
  }

  int64_t integer(const Json &from, const char *key,
                  std::optional<int64_t> absent = std::nullopt) {
    const Json *found = member(from, key, !absent);
    if (found && found->isInt())
      return found->asInt();
    if (found)
      expected(key, "an integer", *found);
    return absent.value_or(0);
  }

  uint64_t size(const Json &from, const char *key,
                std::optional<int64_t> absent = std::nullopt) {
    int64_t number = integer(from, key, absent);
    if (number < 0)
      fail(Code::Invalid, std::string("`") + key + "` is negative");
    return static_cast<uint64_t>(number);
  }

  bool boolean(const Json &from, const char *key) {
    const Json *found = member(from, key, false);
    if (found && found->isBool())
      return found->asBool();
    if (found)
      expected(key, "a boolean", *found);
    return false;
  }

  Json object(const Json &from, const char *key) {
    const Json *found = member(from, key, false);
    if (found && !found->isObject())
      expected(key, "an object", *found);
    return found && found->isObject() ? *found : Json::object();
  }

  template <typename Body>
  void each(const Json &from, const char *key, Body body) {
    const Json *found = member(from, key);
    if (!found)
      return;
    if (!found->isArray())
      return expected(key, "an array", *found);
    size_t i = 0;
    for (const Json &item : found->asArray()) {
      if (!error.ok())
        return;
      Scope scope(path,
                  std::string(".") + key + "[" + std::to_string(i++) + "]");
      body(item);
    }
  }

  std::vector<TensorDesc> tensors(const Json &from, const char *key) {
    std::vector<TensorDesc> out;
    each(from, key, [&](const Json &item) {
      TensorDesc tensor;
      tensor.name = string(item, "name");
      tensor.role = string(item, "role", false);
      tensor.dtype = elementType(item);
      each(item, "shape", [&](const Json &extent) {
        if (!extent.isInt())
          return fail(Code::Invalid, "an extent must be an integer");
        tensor.shape.push_back(extent.asInt());
      });
      tensor.offset = size(item, "offset");
      tensor.bytes = size(item, "bytes");
      tensor.save = boolean(item, "save");
      tensor.trainable = boolean(item, "trainable");
      out.push_back(std::move(tensor));
    });
    return out;
  }

  Space space(const std::string &name) {
    for (unsigned i = 0; i < spaceCount; ++i)
      if (name == spaceName(static_cast<Space>(i)))
        return static_cast<Space>(i);
    fail(Code::Invalid, "`" + name + "` is no memory space");
    return Space::State;
  }

  Slice slice(const Json &item) {
    Slice out;
    auto bad = [&] {
      fail(Code::Invalid, "a slice must be [space, offset] or "
                          "[space, offset, stride] with sizes >= 0");
      return Slice();
    };
    if (!item.isArray())
      return bad();
    const Json::Array &parts = item.asArray();
    if (parts.size() < 2 || parts.size() > 3 || !parts[0].isString() ||
        !parts[1].isInt() || parts[1].asInt() < 0)
      return bad();
    out.space = space(parts[0].asString());
    out.offset = static_cast<uint64_t>(parts[1].asInt());
    if (parts.size() == 3) {
      if (!parts[2].isInt() || parts[2].asInt() < 0)
        return bad();
      out.stride = static_cast<uint64_t>(parts[2].asInt());
    }
    return out;
  }

  uint32_t token(int64_t number) {
    if (number < 0 || number > int64_t(UINT32_MAX))
      fail(Code::Invalid, "expected the number of a token");
    return static_cast<uint32_t>(number);
  }

  Slice sliceMember(const Json &from, const char *key) {
    const Json *found = member(from, key);
    return found ? slice(*found) : Slice();
  }

  Op op(const Json &item) {
    Op out;
    std::string kind = string(item, "op");
    out.location = integer(item, "location", -1);
    if (kind == "launch") {
      out.kind = Op::Kind::Launch;
      out.kernel = word(item, "kernel");
      out.blocks = integer(item, "blocks");
      each(item, "args",
           [&](const Json &arg) { out.args.push_back(slice(arg)); });
    } else if (kind == "copy" || kind == "copy_start") {
      out.kind = kind == "copy" ? Op::Kind::Copy : Op::Kind::CopyStart;
      out.to = sliceMember(item, "to");
      out.from = sliceMember(item, "from");
      out.bytes = size(item, "bytes");
      if (out.kind == Op::Kind::CopyStart)
        out.tokens.push_back(token(integer(item, "token")));
    } else if (kind == "wait") {
      out.kind = Op::Kind::Wait;
      each(item, "tokens", [&](const Json &number) {
        out.tokens.push_back(token(number.isInt() ? number.asInt() : -1));
      });
    } else if (kind == "fill") {
      out.kind = Op::Kind::Fill;
      out.to = sliceMember(item, "to");
      out.bytes = size(item, "bytes");
      uint64_t value = size(item, "value", 0);
      if (value > 255)
        fail(Code::Invalid, "`value` is not a byte");
      out.value = static_cast<uint8_t>(value);
    } else if (kind == "repeat") {
      out.kind = Op::Kind::Repeat;
      out.count = integer(item, "count");
      // The depth is bounded by the JSON reader's.
      each(item, "body",
           [&](const Json &inner) { out.body.push_back(op(inner)); });
    } else {
      fail(Code::Invalid, "`" + kind + "` is no operation");
    }
    return out;
  }

  uint32_t word(const Json &from, const char *key,
                std::optional<int64_t> absent = std::nullopt) {
    uint64_t number = size(from, key, absent);
    if (number > UINT32_MAX)
      fail(Code::Invalid, std::string("`") + key + "` is out of range");
    return static_cast<uint32_t>(number);
  }

  /// Sizes, none negative.
  std::vector<uint64_t> sizes(const Json &from, const char *key) {
    std::vector<uint64_t> out;
    each(from, key, [&](const Json &item) {
      if (!item.isInt() || item.asInt() < 0)
        return fail(Code::Invalid, "expected a size");
      out.push_back(static_cast<uint64_t>(item.asInt()));
    });
    return out;
  }

  DType elementType(const Json &from) {
    std::string dtype = string(from, "dtype");
    if (std::optional<DType> known = dtypeFromName(dtype))
      return *known;
    fail(Code::Invalid, "`" + dtype + "` is no element type");
    return DType::F32;
  }

  TensorMapDesc tensorMap(const Json &item) {
    Scope scope(path, ".map");
    TensorMapDesc out;
    out.dtype = elementType(item);
    out.sizes = sizes(item, "sizes");
    out.strides = sizes(item, "strides");
    for (uint64_t extent : sizes(item, "box"))
      // What does not fit is refused, whatever it is.
      out.box.push_back(
          static_cast<uint32_t>(std::min<uint64_t>(extent, UINT32_MAX)));
    out.swizzle = word(item, "swizzle");
    return out;
  }

  LibraryMatrix matrix(const Json &from, const char *key) {
    LibraryMatrix out;
    const Json *item = member(from, key);
    if (!item)
      return out;
    Scope scope(path, std::string(".") + key);
    out.buffer = word(*item, "buffer");
    out.dtype = elementType(*item);
    out.offset = size(*item, "offset", 0);
    out.transposed = boolean(*item, "transposed");
    out.leading = size(*item, "leading");
    out.stride = size(*item, "stride", 0);
    return out;
  }

  LibraryProduct library(const Json &item) {
    Scope scope(path, ".library");
    LibraryProduct out;
    if (std::string name = string(item, "name"); name != "cublaslt")
      fail(Code::Unsupported, "`" + name +
                                  "` is no library that this runtime knows; it "
                                  "knows cublaslt");
    out.rows = integer(item, "rows");
    out.columns = integer(item, "columns");
    out.depth = integer(item, "depth");
    out.batch = integer(item, "batch", 1);
    out.tf32 = boolean(item, "tf32");
    out.a = matrix(item, "a");
    out.b = matrix(item, "b");
    out.d = matrix(item, "d");
    for (auto [key, argument] : {std::pair("addend", &out.addend),
                                 {"bias", &out.bias},
                                 {"workspace", &out.workspace}})
      if (item.isObject() && item.find(key))
        *argument = word(item, key);
    out.algorithm = string(item, "algorithm", false);
    out.version = size(item, "version", 0);
    out.device = string(item, "device", false);
    return out;
  }

  /// Numbers, and `[i]` for the address of argument i.
  std::vector<TableWord> table(const Json &from) {
    std::vector<TableWord> words;
    each(from, "table", [&](const Json &item) {
      TableWord word;
      word.isAddress = item.isArray();
      if (word.isAddress && item.asArray().size() != 1)
        return fail(Code::Invalid, "expected a number or [argument]");
      const Json &number = word.isAddress ? item.asArray()[0] : item;
      if (!number.isInt() || number.asInt() < 0)
        return fail(Code::Invalid, "expected a number or [argument]");
      word.value = static_cast<uint64_t>(number.asInt());
      words.push_back(word);
    });
    if (words.empty())
      fail(Code::Invalid, "`table` is empty");
    return words;
  }

  /// What a kernel of a CUDA target has besides.
  void launchShape(const Json &item, Kernel &out) {
    if (const Json *run = member(item, "library", false)) {
      out.library = library(*run);
      return;
    }
    out.image = word(item, "image");
    out.threads = word(item, "threads");
    out.shared = word(item, "shared", 0);
    out.registers = word(item, "registers", 0);
    out.cluster = word(item, "cluster", 1);
    out.persistent =
        member(item, "persistent", false) && boolean(item, "persistent");
    each(item, "params", [&](const Json &entry) {
      KernelParam param;
      if (member(entry, "table", false))
        param.table = table(entry);
      else
        param.buffer = word(entry, "buffer");
      if (const Json *map = member(entry, "map", false))
        param.map = tensorMap(*map);
      out.params.push_back(std::move(param));
    });
  }

  Kernel kernel(const Json &item) {
    Kernel out;
    out.symbol = string(item, "symbol");
    out.name = string(item, "name");
    out.location = integer(item, "location", -1);
    out.scratch = size(item, "scratch", 0);
    out.flops = integer(item, "flops", 0);
    out.bytes = integer(item, "bytes", 0);
    out.program = string(item, "program", false);
    if (const Json *tune = item.find("tune")) {
      Scope scope(path, ".tune");
      TuneEntry entry;
      entry.key = string(*tune, "key");
      entry.product = string(*tune, "product", false);
      for (uint64_t extent : sizes(*tune, "block"))
        entry.block.push_back(static_cast<int64_t>(extent));
      out.tune = std::move(entry);
    }
    if (const Json *work = item.find("work"))
      out.work = *work;
    for (uint64_t bytes : sizes(item, "arg_bytes")) {
      KernelArg arg;
      arg.bytes = bytes;
      out.args.push_back(arg);
    }
    size_t count = 0;
    each(item, "access", [&](const Json &access) {
      unsigned index = 0;
      while (index < accessCount &&
             access != Json(accessName(static_cast<KernelArg::Access>(index))))
        ++index;
      if (index == accessCount)
        return fail(Code::Invalid, "expected \"r\", \"w\", \"rw\" or \"p\"");
      if (count < out.args.size())
        out.args[count].access = static_cast<KernelArg::Access>(index);
      ++count;
    });
    if (count != out.args.size())
      fail(Code::Invalid, "`arg_bytes` and `access` differ in length");
    if (item.find("in_place"))
      each(item, "in_place", [&](const Json &pair) {
        auto isArgument = [&](const Json &number) {
          return number.isInt() && number.asInt() >= 0 &&
                 uint64_t(number.asInt()) < out.args.size();
        };
        if (!pair.isArray() || pair.asArray().size() != 2 ||
            !isArgument(pair.asArray()[0]) || !isArgument(pair.asArray()[1]))
          return fail(Code::Invalid, "expected a pair of arguments");
        out.inPlace.push_back({uint32_t(pair.asArray()[0].asInt()),
                               uint32_t(pair.asArray()[1].asInt())});
      });
    return out;
  }

  PlanValue value(const Json &item) {
    PlanValue out;
    out.name = string(item, "name");
    out.role = string(item, "role", false);
    out.space = space(string(item, "space"));
    out.offset = size(item, "offset");
    out.bytes = size(item, "bytes");
    out.first = integer(item, "first");
    out.last = integer(item, "last");
    out.turns = integer(item, "turns", 1);
    out.period = integer(item, "period", 0);
    out.location = integer(item, "location", -1);
    return out;
  }

  Target target(const Json &item) {
    Target out;
    if (item.isObject() && item.find("kind")) {
      std::string kind = string(item, "kind");
      if (kind == "cuda")
        out.kind = TargetKind::Cuda;
      else if (kind != "cpu")
        fail(Code::Unsupported, "`" + kind +
                                    "` is no kind of target that this "
                                    "runtime knows; it knows cpu and cuda");
    }
    out.isa = string(item, "isa");
    out.code = string(item, "code");
    if (out.kind == TargetKind::Cuda) {
      out.nvrtc = string(item, "nvrtc");
      each(item, "images", [&](const Json &image) {
        CodeSpan span;
        span.offset = size(image, "offset");
        span.bytes = size(image, "bytes");
        out.images.push_back(span);
      });
    }
    each(item, "kernels", [&](const Json &entry) {
      Kernel made = kernel(entry);
      if (out.kind == TargetKind::Cuda)
        launchShape(entry, made);
      out.kernels.push_back(std::move(made));
    });
    each(item, "functions", [&](const Json &entry) {
      Function function;
      function.name = string(entry, "name");
      function.kind = string(entry, "kind");
      function.arenaBytes = size(entry, "arena_bytes");
      function.inputs = tensors(entry, "inputs");
      function.inputBytes = size(entry, "input_bytes");
      function.outputs = tensors(entry, "outputs");
      function.outputBytes = size(entry, "output_bytes");
      function.hostBytes = size(entry, "host_bytes", 0);
      each(entry, "program",
           [&](const Json &step) { function.program.push_back(op(step)); });
      if (entry.find("values"))
        each(entry, "values",
             [&](const Json &live) { function.values.push_back(value(live)); });
      out.functions.push_back(std::move(function));
    });
    return out;
  }

  std::string path;
};

} // namespace

Result<Manifest>
tarn::rt::parseManifest(std::string_view text,
                        std::optional<uint64_t> constantBytes) {
  Result<Json> json = parseJson(text);
  if (!json.ok())
    return json.status().within("manifest");
  Reader reader;
  Manifest manifest = reader.read(*json);
  if (!reader.error.ok())
    return reader.error;
  if (Status status = validate(manifest); !status.ok())
    return status;
  if (constantBytes && manifest.constantBytes != *constantBytes)
    return Status(Code::Invalid, "manifest: constant_bytes is " +
                                     std::to_string(manifest.constantBytes) +
                                     ", the section `constants` has " +
                                     std::to_string(*constantBytes));
  return manifest;
}
