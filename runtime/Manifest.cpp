//===- Manifest.cpp - The manifest as JSON, written -----------------------===//

#include "runtime/Manifest.h"

using namespace tarn::rt;

const char *tarn::rt::spaceName(Space space) {
  static constexpr const char *names[spaceCount] = {
      "state", "arena", "input", "output", "constant", "host"};
  return names[static_cast<unsigned>(space)];
}

const char *tarn::rt::accessName(KernelArg::Access access) {
  static constexpr const char *names[accessCount] = {"r", "w", "rw", "p"};
  return names[static_cast<unsigned>(access)];
}

std::string tarn::rt::typeText(DType dtype, const std::vector<int64_t> &shape) {
  std::string text = dtypeName(dtype);
  text += '[';
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + ']';
}

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

static Json writeMap(const TensorMapDesc &map) {
  Json out = Json::object();
  out.set("dtype", dtypeName(map.dtype));
  auto list = [](const auto &numbers) {
    Json items = Json::array();
    for (auto number : numbers)
      items.push(static_cast<uint64_t>(number));
    return items;
  };
  out.set("sizes", list(map.sizes));
  out.set("strides", list(map.strides));
  out.set("box", list(map.box));
  out.set("swizzle", map.swizzle);
  return out;
}

static Json writeMatrix(const LibraryMatrix &matrix) {
  Json out = Json::object();
  out.set("buffer", matrix.buffer);
  out.set("dtype", dtypeName(matrix.dtype));
  if (matrix.offset)
    out.set("offset", matrix.offset);
  out.set("transposed", matrix.transposed);
  out.set("leading", matrix.leading);
  if (matrix.stride)
    out.set("stride", matrix.stride);
  return out;
}

static Json writeLibrary(const LibraryProduct &product) {
  Json out = Json::object();
  out.set("name", "cublaslt");
  out.set("rows", product.rows);
  out.set("columns", product.columns);
  out.set("depth", product.depth);
  out.set("batch", product.batch);
  if (product.tf32)
    out.set("tf32", true);
  out.set("a", writeMatrix(product.a));
  out.set("b", writeMatrix(product.b));
  out.set("d", writeMatrix(product.d));
  for (auto [key, argument] : {std::pair("addend", product.addend),
                               {"bias", product.bias},
                               {"workspace", product.workspace}})
    if (argument)
      out.set(key, *argument);
  if (!product.algorithm.empty()) {
    out.set("algorithm", product.algorithm);
    out.set("version", product.version);
    out.set("device", product.device);
  }
  return out;
}

/// Numbers as they are, `[i]` for the address of argument i.
static Json writeTable(const std::vector<TableWord> &table) {
  Json words = Json::array();
  for (const TableWord &word : table) {
    Json number(static_cast<int64_t>(word.value));
    if (!word.isAddress) {
      words.push(std::move(number));
      continue;
    }
    Json address = Json::array();
    address.push(std::move(number));
    words.push(std::move(address));
  }
  return words;
}

static void writeLaunchShape(const Kernel &kernel, Json &out) {
  out.set("image", kernel.image);
  out.set("threads", kernel.threads);
  out.set("shared", kernel.shared);
  out.set("registers", kernel.registers);
  out.set("cluster", kernel.cluster);
  if (kernel.persistent)
    out.set("persistent", true);
  Json params = Json::array();
  for (const KernelParam &param : kernel.params) {
    Json item = Json::object();
    if (param.table.empty())
      item.set("buffer", param.buffer);
    else
      item.set("table", writeTable(param.table));
    if (param.map)
      item.set("map", writeMap(*param.map));
    params.push(std::move(item));
  }
  out.set("params", std::move(params));
}

static Json writeKernel(const Kernel &kernel, TargetKind kind) {
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
    access.push(accessName(arg.access));
  }
  out.set("arg_bytes", std::move(bytes));
  out.set("access", std::move(access));
  if (!kernel.inPlace.empty()) {
    Json pairs = Json::array();
    for (auto [read, written] : kernel.inPlace) {
      Json pair = Json::array();
      pair.push(uint64_t(read));
      pair.push(uint64_t(written));
      pairs.push(std::move(pair));
    }
    out.set("in_place", std::move(pairs));
  }
  if (kernel.tune) {
    Json tune = Json::object();
    tune.set("key", kernel.tune->key);
    tune.set("product", kernel.tune->product);
    Json block = Json::array();
    for (int64_t extent : kernel.tune->block)
      block.push(extent);
    tune.set("block", std::move(block));
    out.set("tune", std::move(tune));
  }
  if (kernel.library)
    out.set("library", writeLibrary(*kernel.library));
  else if (kind == TargetKind::Cuda)
    writeLaunchShape(kernel, out);
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

static Json writeTarget(const Target &target) {
  Json out = Json::object();
  if (target.kind == TargetKind::Cuda)
    out.set("kind", "cuda");
  out.set("isa", target.isa);
  out.set("code", target.code);
  if (target.kind == TargetKind::Cuda) {
    out.set("nvrtc", target.nvrtc);
    Json images = Json::array();
    for (const CodeSpan &image : target.images) {
      Json item = Json::object();
      item.set("offset", image.offset);
      item.set("bytes", image.bytes);
      images.push(std::move(item));
    }
    out.set("images", std::move(images));
  }
  Json kernels = Json::array();
  for (const Kernel &kernel : target.kernels)
    kernels.push(writeKernel(kernel, target.kind));
  out.set("kernels", std::move(kernels));
  Json functions = Json::array();
  for (const Function &function : target.functions)
    functions.push(writeFunction(function));
  out.set("functions", std::move(functions));
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
  for (const Target &target : manifest.targets)
    targets.push(writeTarget(target));
  out.set("targets", std::move(targets));
  return out.dump();
}
