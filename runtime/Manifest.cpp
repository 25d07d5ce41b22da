//===- Manifest.cpp - The manifest as JSON --------------------------------===//

#include "runtime/Manifest.h"

using namespace tarn::rt;

static constexpr const char *spaceNames[spaceCount] = {
    "state", "arena", "input", "output", "constant", "host"};
static constexpr unsigned accessCount = 4;
static constexpr const char *accessNames[accessCount] = {"r", "w", "rw", "p"};

const char *tarn::rt::spaceName(Space space) {
  return spaceNames[static_cast<unsigned>(space)];
}

std::string tarn::rt::typeText(DType dtype, const std::vector<int64_t> &shape) {
  std::string text = dtypeName(dtype);
  text += '[';
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + ']';
}

//===----------------------------------------------------------------------===//
// Writer
//===----------------------------------------------------------------------===//

static Json writeTensor(const TensorDesc &tensor, bool isState) {
  Json out = Json::object();
  out.set("name", tensor.name);
  if (!tensor.role.empty())
    out.set("role", tensor.role);
  out.set("dtype", dtypeName(tensor.dtype));
  Json shape = Json::array();
  for (int64_t extent : tensor.shape)
    shape.push(extent);
  out.set("shape", std::move(shape));
  out.set("offset", tensor.offset);
  out.set("bytes", tensor.bytes);
  if (isState) {
    out.set("save", tensor.save);
    out.set("trainable", tensor.trainable);
  }
  return out;
}

static Json writeTensors(const std::vector<TensorDesc> &tensors, bool isState) {
  Json out = Json::array();
  for (const TensorDesc &tensor : tensors)
    out.push(writeTensor(tensor, isState));
  return out;
}

static Json writeSlice(const Slice &slice) {
  Json out = Json::array();
  out.push(spaceName(slice.space));
  out.push(slice.offset);
  if (slice.stride)
    out.push(slice.stride);
  return out;
}

static Json writeProgram(const std::vector<Op> &program) {
  Json out = Json::array();
  for (const Op &op : program) {
    Json item = Json::object();
    switch (op.kind) {
    case Op::Kind::Launch: {
      item.set("op", "launch");
      item.set("kernel", op.kernel);
      item.set("blocks", op.blocks);
      Json args = Json::array();
      for (const Slice &slice : op.args)
        args.push(writeSlice(slice));
      item.set("args", std::move(args));
      break;
    }
    case Op::Kind::Copy:
    case Op::Kind::CopyStart:
      item.set("op", op.kind == Op::Kind::Copy ? "copy" : "copy_start");
      item.set("to", writeSlice(op.to));
      item.set("from", writeSlice(op.from));
      item.set("bytes", op.bytes);
      if (op.kind == Op::Kind::CopyStart)
        item.set("token", op.tokens.front());
      break;
    case Op::Kind::Wait: {
      item.set("op", "wait");
      Json tokens = Json::array();
      for (uint32_t token : op.tokens)
        tokens.push(token);
      item.set("tokens", std::move(tokens));
      break;
    }
    case Op::Kind::Fill:
      item.set("op", "fill");
      item.set("to", writeSlice(op.to));
      item.set("bytes", op.bytes);
      if (op.value)
        item.set("value", op.value);
      break;
    case Op::Kind::Repeat:
      item.set("op", "repeat");
      item.set("count", op.count);
      item.set("body", writeProgram(op.body));
      break;
    }
    if (op.location >= 0)
      item.set("location", op.location);
    out.push(std::move(item));
  }
  return out;
}

static Json writeKernel(const Kernel &kernel) {
  Json out = Json::object();
  out.set("symbol", kernel.symbol);
  out.set("name", kernel.name);
  if (kernel.location >= 0)
    out.set("location", kernel.location);
  out.set("scratch", kernel.scratch);
  out.set("flops", kernel.flops);
  out.set("bytes", kernel.bytes);
  if (!kernel.program.empty())
    out.set("program", kernel.program);
  if (!kernel.work.isNull())
    out.set("work", kernel.work);
  Json bytes = Json::array(), access = Json::array();
  for (const KernelArg &arg : kernel.args) {
    bytes.push(arg.bytes);
    access.push(accessNames[static_cast<unsigned>(arg.access)]);
  }
  out.set("arg_bytes", std::move(bytes));
  out.set("access", std::move(access));
  return out;
}

uint64_t Function::spaceBytes(Space space) const {
  switch (space) {
  case Space::Arena:
    return arenaBytes;
  case Space::Input:
    return inputBytes;
  case Space::Output:
    return outputBytes;
  case Space::Host:
    return hostBytes;
  case Space::State:
  case Space::Constant:
    break;
  }
  return 0;
}

static int64_t countOps(const std::vector<Op> &program, Op::Kind kind) {
  int64_t count = 0;
  for (const Op &op : program) {
    if (op.kind == kind)
      ++count;
    else if (op.kind == Op::Kind::Repeat)
      count += op.count * countOps(op.body, kind);
  }
  return count;
}

int64_t tarn::rt::countLaunches(const std::vector<Op> &program) {
  return countOps(program, Op::Kind::Launch);
}

int64_t tarn::rt::countStartedCopies(const std::vector<Op> &program) {
  return countOps(program, Op::Kind::CopyStart);
}

static Json writeValue(const PlanValue &value) {
  Json out = Json::object();
  out.set("name", value.name);
  if (!value.role.empty())
    out.set("role", value.role);
  out.set("space", spaceName(value.space));
  out.set("offset", value.offset);
  out.set("bytes", value.bytes);
  out.set("first", value.first);
  out.set("last", value.last);
  if (value.turns != 1) {
    out.set("turns", value.turns);
    out.set("period", value.period);
  }
  if (value.location >= 0)
    out.set("location", value.location);
  return out;
}

static Json writeFunction(const Function &function) {
  Json out = Json::object();
  out.set("name", function.name);
  out.set("kind", function.kind);
  out.set("arena_bytes", function.arenaBytes);
  out.set("inputs", writeTensors(function.inputs, false));
  out.set("input_bytes", function.inputBytes);
  out.set("outputs", writeTensors(function.outputs, false));
  out.set("output_bytes", function.outputBytes);
  if (function.hostBytes)
    out.set("host_bytes", function.hostBytes);
  out.set("program", writeProgram(function.program));
  if (!function.values.empty()) {
    Json values = Json::array();
    for (const PlanValue &value : function.values)
      values.push(writeValue(value));
    out.set("values", std::move(values));
  }
  return out;
}

std::string tarn::rt::writeManifest(const Manifest &manifest) {
  Json out = Json::object();
  out.set("format", manifestFormat);
  out.set("model", manifest.model);
  out.set("hyper", manifest.hyper);
  out.set("shape", manifest.shape);
  out.set("seed", manifest.seed);
  out.set("state", writeTensors(manifest.state, true));
  out.set("state_bytes", manifest.stateBytes);
  out.set("constant_bytes", manifest.constantBytes);
  Json locations = Json::array();
  for (const Location &location : manifest.locations) {
    Json item = Json::array();
    item.push(location.file);
    item.push(location.line);
    item.push(location.column);
    locations.push(std::move(item));
  }
  out.set("locations", std::move(locations));
  Json targets = Json::array();
  for (const Target &target : manifest.targets) {
    Json item = Json::object();
    item.set("isa", target.isa);
    item.set("code", target.code);
    Json kernels = Json::array();
    for (const Kernel &kernel : target.kernels)
      kernels.push(writeKernel(kernel));
    item.set("kernels", std::move(kernels));
    Json functions = Json::array();
    for (const Function &function : target.functions)
      functions.push(writeFunction(function));
    item.set("functions", std::move(functions));
    targets.push(std::move(item));
  }
  out.set("targets", std::move(targets));
  return out.dump();
}

//===----------------------------------------------------------------------===//
// Reader
//===----------------------------------------------------------------------===//

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
      std::string dtype = string(item, "dtype");
      if (std::optional<DType> known = dtypeFromName(dtype))
        tensor.dtype = *known;
      else
        fail(Code::Invalid, "`" + dtype + "` is no element type");
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
      if (name == spaceNames[i])
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
      uint64_t kernel = size(item, "kernel");
      if (kernel > UINT32_MAX)
        fail(Code::Invalid, "`kernel` is out of range");
      out.kernel = static_cast<uint32_t>(kernel);
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

  Kernel kernel(const Json &item) {
    Kernel out;
    out.symbol = string(item, "symbol");
    out.name = string(item, "name");
    out.location = integer(item, "location", -1);
    out.scratch = size(item, "scratch", 0);
    out.flops = integer(item, "flops", 0);
    out.bytes = integer(item, "bytes", 0);
    out.program = string(item, "program", false);
    if (const Json *work = item.find("work"))
      out.work = *work;
    each(item, "arg_bytes", [&](const Json &bytes) {
      if (!bytes.isInt() || bytes.asInt() < 0)
        return fail(Code::Invalid, "expected a size");
      KernelArg arg;
      arg.bytes = static_cast<uint64_t>(bytes.asInt());
      out.args.push_back(arg);
    });
    size_t count = 0;
    each(item, "access", [&](const Json &access) {
      unsigned index = 0;
      while (index < accessCount && access != Json(accessNames[index]))
        ++index;
      if (index == accessCount)
        return fail(Code::Invalid, "expected \"r\", \"w\", \"rw\" or \"p\"");
      if (count < out.args.size())
        out.args[count].access = static_cast<KernelArg::Access>(index);
      ++count;
    });
    if (count != out.args.size())
      fail(Code::Invalid, "`arg_bytes` and `access` differ in length");
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
    out.isa = string(item, "isa");
    out.code = string(item, "code");
    each(item, "kernels",
         [&](const Json &entry) { out.kernels.push_back(kernel(entry)); });
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
