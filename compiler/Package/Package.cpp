//===- Package.cpp - phase `package`: one file from code and plan ---------===//

#include "compiler/Package/Package.h"

#include "compiler/Cost/KernelCostJson.h"
#include "compiler/Package/Launches.h"
#include "compiler/Package/PackageCuda.h"
#include "compiler/Target/Cpu/CpuTarget.h"
#include "dialects/Step/StepOps.h"
#include "dialects/Tarn/TarnOps.h"
#include "dialects/Tile/Analysis.h"
#include "dialects/Tile/TileOps.h"
#include "passes/Train/Roles.h"
#include "runtime/Artifact.h"
#include "runtime/Manifest.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

#include <map>
#include <set>

using namespace mlir;
using namespace tarn;

namespace {

class Packager {
public:
  explicit Packager(const PackageOptions &options) : options(options) {}
  LogicalResult add(const PackageInput &input);
  LogicalResult finish(PackageResult &result);

private:
  void describeModel();
  LogicalResult describeState();
  rt::Function describe(step::ProgramOp program);
  void describeSteps(Block &block, std::vector<rt::Op> &ops,
                     DenseMap<Value, uint32_t> &tokens);
  rt::Kernel describe(ArrayRef<tile::KernelOp> members, StringRef symbol);
  rt::Kernel describe(tile::KernelOp kernel) {
    return describe(kernel, kernel.getSymName());
  }
  LogicalResult addCpu(const cpu::Isa &isa);
  void addCuda(const cuda::CompiledKernels &code);
  void addNothingKernel();
  std::string constants();
  int64_t locationOf(Location loc);

  const PackageOptions &options;
  rt::Manifest manifest;
  rt::ArtifactWriter writer;
  std::string constantBytes;
  // Of the module that is added:
  ModuleOp module;
  std::vector<tile::KernelOp> kernels;
  std::optional<Launches> launches;
  const cuda::CompiledKernels *cuda = nullptr;
  std::map<std::tuple<std::string, int64_t, int64_t>, int64_t> locations;
};

} // namespace

rt::DType tarn::dtypeOf(Type type) {
  if (type.isBF16())
    return rt::DType::BF16;
  if (type.isF16())
    return rt::DType::F16;
  if (type.isF64())
    return rt::DType::F64;
  if (type.isInteger(1))
    return rt::DType::I1;
  if (type.isInteger(8))
    return rt::DType::U8;
  if (type.isInteger(32))
    return rt::DType::I32;
  if (type.isInteger(64))
    return rt::DType::I64;
  return rt::DType::F32;
}

static rt::Slice sliceOf(step::SliceAttr slice) {
  rt::Slice result;
  result.space = static_cast<rt::Space>(slice.getSpace());
  result.offset = slice.getOffset();
  result.stride = slice.getStride();
  return result;
}

static rt::TensorDesc tensorOf(step::BindOp bind) {
  auto type = cast<RankedTensorType>(bind.getType());
  rt::TensorDesc tensor;
  tensor.name = bind.getName().str();
  tensor.role = bind.getRole().str();
  tensor.dtype = dtypeOf(type.getElementType());
  tensor.shape.assign(type.getShape().begin(), type.getShape().end());
  tensor.offset = bind.getSlice().getOffset();
  tensor.bytes = bind.getSlice().getBytes();
  return tensor;
}

/// The model's line of an op, behind whatever wraps it.
static FileLineColLoc fileLocation(Location loc) {
  FileLineColLoc found;
  loc->walk([&](Location inner) {
    if (auto file = dyn_cast<FileLineColLoc>(inner)) {
      found = file;
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return found;
}

int64_t Packager::locationOf(Location loc) {
  FileLineColLoc file = fileLocation(loc);
  if (!file)
    return -1;
  auto key = std::make_tuple(file.getFilename().str(), int64_t(file.getLine()),
                             int64_t(file.getColumn()));
  auto [found, isNew] = locations.insert({key, manifest.locations.size()});
  if (isNew)
    manifest.locations.push_back(
        {std::get<0>(key), std::get<1>(key), std::get<2>(key)});
  return found->second;
}

/// Numbers and words of a dictionary attribute, as JSON.
static rt::Json jsonOf(DictionaryAttr dictionary) {
  rt::Json json = rt::Json::object();
  for (NamedAttribute entry :
       dictionary ? dictionary.getValue() : ArrayRef<NamedAttribute>()) {
    std::string name = entry.getName().str();
    if (auto boolean = dyn_cast<BoolAttr>(entry.getValue()))
      json.set(name, boolean.getValue());
    else if (auto integer = dyn_cast<IntegerAttr>(entry.getValue()))
      json.set(name, integer.getInt());
    else if (auto number = dyn_cast<FloatAttr>(entry.getValue()))
      json.set(name, number.getValueAsDouble());
    else if (auto text = dyn_cast<StringAttr>(entry.getValue()))
      json.set(name, text.getValue().str());
  }
  return json;
}

void Packager::describeModel() {
  manifest.model =
      module.getSymName() ? module.getSymName()->str() : std::string("model");
  manifest.hyper = jsonOf(module->getAttrOfType<DictionaryAttr>("tarn.hyper"));
  manifest.shape = jsonOf(module->getAttrOfType<DictionaryAttr>("tarn.shape"));
}

/// The state's tensors, which are the same for all modules.
LogicalResult Packager::describeState() {
  std::set<std::string> trained;
  for (auto function : module.getOps<func::FuncOp>()) {
    auto kind = function->getAttrOfType<StringAttr>("tarn.kind");
    if (!kind || kind.getValue() != "train")
      continue;
    for (unsigned i = 0, e = function.getNumArguments(); i != e; ++i)
      if (isTrainable(function, i))
        trained.insert(argumentName(function, i).str());
  }
  std::map<uint64_t, rt::TensorDesc> byOffset;
  uint64_t stateBytes = 0, constantBytes = 0;
  for (auto program : module.getOps<step::ProgramOp>()) {
    stateBytes = program.getStateBytes();
    constantBytes = program.getConstantBytes();
    for (auto bind : program.getBody().getOps<step::BindOp>()) {
      if (bind.getSlice().getSpace() != step::Space::State)
        continue;
      rt::TensorDesc tensor = tensorOf(bind);
      // Caches and sums of a step in progress are no part of a checkpoint.
      tensor.save = tensor.role != "cache" && tensor.role != "accumulator";
      tensor.trainable =
          tensor.role == "parameter" && trained.count(tensor.name);
      byOffset.emplace(tensor.offset, tensor);
    }
  }
  if (manifest.targets.empty()) {
    manifest.stateBytes = stateBytes;
    manifest.constantBytes = constantBytes;
    for (auto &[offset, tensor] : byOffset)
      manifest.state.push_back(tensor);
    this->constantBytes = constants();
    return success();
  }
  bool same = stateBytes == manifest.stateBytes &&
              byOffset.size() == manifest.state.size();
  for (const rt::TensorDesc &tensor : manifest.state)
    same = same && byOffset.count(tensor.offset) &&
           byOffset[tensor.offset].name == tensor.name &&
           byOffset[tensor.offset].bytes == tensor.bytes;
  if (!same)
    return module.emitError("the targets disagree on the layout of the state");
  if (constantBytes != manifest.constantBytes ||
      constants() != this->constantBytes)
    return module.emitError("the targets disagree on the constants");
  return success();
}

/// What a kernel may touch.
static void describeBuffers(tile::KernelOp kernel, rt::Kernel &result) {
  uint32_t before = result.args.size();
  for (auto [read, written] : tile::getSharedBuffers(kernel))
    result.inPlace.push_back({before + read, before + written});
  for (unsigned i = 0; i != kernel.getNumBuffers(); ++i) {
    MemRefType type = kernel.getBufferType(i);
    rt::KernelArg argument;
    argument.bytes = type.getNumElements() *
                     std::max<int64_t>(type.getElementTypeBitWidth() / 8, 1);
    switch (kernel.getBufferAccess(i)) {
    case tile::Access::Read:
      argument.access = rt::KernelArg::Access::Read;
      break;
    case tile::Access::Write:
      argument.access = rt::KernelArg::Access::Write;
      break;
    case tile::Access::Accumulate:
      argument.access = rt::KernelArg::Access::ReadWrite;
      break;
    case tile::Access::Partial:
      argument.access = rt::KernelArg::Access::Partial;
      break;
    }
    result.args.push_back(argument);
  }
}

/// A kernel, or several that are launched as one.
rt::Kernel Packager::describe(ArrayRef<tile::KernelOp> members,
                              StringRef symbol) {
  rt::Kernel result;
  result.symbol = symbol.str();
  symbol.consume_front("k_");
  result.name = symbol.str();
  tile::KernelOp first = members.front();
  result.location = locationOf(first.getLoc());
  for (tile::KernelOp member : members)
    describeBuffers(member, result);
  KernelCost cost = costOf(members);
  result.flops = cost.flops();
  result.bytes = cost.bytes();
  result.program = programHash(members);
  result.work = writeKernelCost(cost);
  return result;
}

static void addSlices(step::LaunchOp launch, rt::Op &entry) {
  for (unsigned i = 0, e = launch.getSlices().size(); i != e; ++i)
    entry.args.push_back(sliceOf(launch.getSlice(i)));
}

void Packager::describeSteps(Block &block, std::vector<rt::Op> &ops,
                             DenseMap<Value, uint32_t> &tokens) {
  for (Operation &op : block) {
    rt::Op entry;
    entry.location = locationOf(op.getLoc());
    if (auto launch = dyn_cast<step::LaunchOp>(op)) {
      entry.kind = rt::Op::Kind::Launch;
      entry.kernel = uint32_t(launches->indexOf(launch));
      entry.blocks = launch.getBlocks();
      addSlices(launch, entry);
    } else if (auto group = dyn_cast<step::LaunchGroupOp>(op)) {
      entry.kind = rt::Op::Kind::Launch;
      entry.kernel = uint32_t(launches->indexOf(group));
      entry.location = locationOf((*group.getMembers().begin()).getLoc());
      // Its code may cut the grids of its members in another way.
      entry.blocks = cuda->kernels[launches->codeOf(group)].blocks;
      for (step::LaunchOp member : group.getMembers())
        addSlices(member, entry);
    } else if (auto copy = dyn_cast<step::CopyOp>(op)) {
      entry.kind = rt::Op::Kind::Copy;
      entry.to = sliceOf(copy.getTo());
      entry.from = sliceOf(copy.getFrom());
      entry.bytes = copy.getTo().getBytes();
    } else if (auto copy = dyn_cast<step::CopyStartOp>(op)) {
      entry.kind = rt::Op::Kind::CopyStart;
      entry.to = sliceOf(copy.getTo());
      entry.from = sliceOf(copy.getFrom());
      entry.bytes = copy.getTo().getBytes();
      uint32_t number = tokens.size();
      tokens[copy.getToken()] = number;
      entry.tokens = {number};
    } else if (auto wait = dyn_cast<step::WaitOp>(op)) {
      entry.kind = rt::Op::Kind::Wait;
      for (Value token : wait.getTokens())
        entry.tokens.push_back(tokens.lookup(token));
    } else if (auto fill = dyn_cast<step::FillOp>(op)) {
      entry.kind = rt::Op::Kind::Fill;
      entry.to = sliceOf(fill.getTo());
      entry.bytes = fill.getTo().getBytes();
    } else if (auto repeat = dyn_cast<step::RepeatOp>(op)) {
      entry.kind = rt::Op::Kind::Repeat;
      entry.count = repeat.getCount();
      describeSteps(repeat.getBody().front(), entry.body, tokens);
    } else {
      continue; // names and lives
    }
    ops.push_back(std::move(entry));
  }
}

rt::Function Packager::describe(step::ProgramOp program) {
  rt::Function function;
  function.name =
      program->getAttrOfType<StringAttr>("tarn.function").getValue().str();
  function.kind =
      program->getAttrOfType<StringAttr>("tarn.kind").getValue().str();
  function.arenaBytes = program.getArenaBytes();
  function.inputBytes = program.getInputBytes();
  function.outputBytes = program.getOutputBytes();
  function.hostBytes = program.getHostBytes();
  for (auto bind : program.getBody().getOps<step::BindOp>()) {
    if (bind.getSlice().getSpace() == step::Space::Input)
      function.inputs.push_back(tensorOf(bind));
    else if (bind.getSlice().getSpace() == step::Space::Output)
      function.outputs.push_back(tensorOf(bind));
  }
  for (auto live : program.getBody().getOps<step::LiveOp>()) {
    rt::PlanValue value;
    value.name = live.getName().str();
    value.role = live.getRole().str();
    value.space = static_cast<rt::Space>(live.getSlice().getSpace());
    value.offset = live.getSlice().getOffset();
    value.bytes = live.getSlice().getBytes();
    value.first = live.getFirst();
    value.last = live.getLast();
    value.turns = live.getTurns();
    value.period = live.getPeriod();
    value.location = locationOf(live.getLoc());
    function.values.push_back(value);
  }
  DenseMap<Value, uint32_t> tokens;
  describeSteps(program.getBody().front(), function.program, tokens);
  return function;
}

/// The bytes of all constants of several values, each at its offset.
std::string Packager::constants() {
  std::string bytes(manifest.constantBytes, '\0');
  for (auto function : module.getOps<func::FuncOp>())
    for (auto constant : function.getBody().getOps<graph::ConstantOp>()) {
      auto offset =
          constant->getAttrOfType<IntegerAttr>("tarn.constant_offset");
      auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
      if (!offset || !elements)
        continue;
      ArrayRef<char> raw = elements.getRawData();
      if (elements.getElementType().isInteger(1)) {
        int64_t at = offset.getInt();
        for (bool value : elements.getValues<bool>())
          bytes[at++] = value;
      } else if (elements.isSplat()) {
        for (int64_t i = 0, n = elements.getNumElements(); i != n; ++i)
          std::copy(raw.begin(), raw.end(),
                    bytes.begin() + offset.getInt() + i * raw.size());
      } else {
        std::copy(raw.begin(), raw.end(), bytes.begin() + offset.getInt());
      }
    }
  return bytes;
}

LogicalResult Packager::addCpu(const cpu::Isa &isa) {
  FailureOr<cpu::CompiledKernels> code =
      cpu::compileKernels(kernels, isa, options.threads);
  if (failed(code))
    return failure();
  rt::Target target;
  target.isa = isa.name.str();
  target.code = "code." + std::to_string(manifest.targets.size());
  for (auto [kernel, info] : llvm::zip(kernels, code->kernels)) {
    target.kernels.push_back(describe(kernel));
    target.kernels.back().scratch = info.scratchBytes;
  }
  for (auto program : module.getOps<step::ProgramOp>())
    target.functions.push_back(describe(program));
  writer.add(target.code, code->object);
  manifest.targets.push_back(std::move(target));
  return success();
}

void Packager::addCuda(const cuda::CompiledKernels &code) {
  std::string number = std::to_string(manifest.targets.size());
  rt::Target target;
  target.code = "code." + number;
  writer.add(target.code, describeImages(code, target));
  size_t compiled = 0; // those that no library runs
  for (tile::KernelOp kernel : launches->alone()) {
    target.kernels.push_back(describe(kernel));
    if (kernel.getLibrary())
      describeLibrary(kernel, target.kernels.back());
    else
      describeLaunch(kernel, code, compiled++, target.kernels.back());
    describeTune(kernel, target.kernels.back());
  }
  for (const cuda::KernelGroup &group : launches->compiled().groups) {
    target.kernels.push_back(describe(group.members, group.name));
    describeLaunch(group.members.front(), code, compiled++,
                   target.kernels.back());
  }
  for (auto program : module.getOps<step::ProgramOp>())
    target.functions.push_back(describe(program));
  if (options.keepSource)
    writer.add("source." + number, cuda::joinTexts(code));
  manifest.targets.push_back(std::move(target));
}

/// A model that only copies still has a code section.
void Packager::addNothingKernel() {
  OpBuilder b(module.getContext());
  b.setInsertionPointToEnd(module.getBody());
  auto nothing = tile::KernelOp::create(
      b, module.getLoc(), "k_nothing", TypeRange(), ArrayRef<tile::Access>(),
      ArrayRef<int64_t>{1}, ArrayRef<int64_t>{1});
  Block &body = nothing.getBody().front();
  if (body.empty()) {
    b.setInsertionPointToEnd(&body);
    tile::ReturnOp::create(b, module.getLoc());
  }
  kernels.push_back(nothing);
}

LogicalResult Packager::add(const PackageInput &input) {
  module = input.module;
  kernels.clear();
  launches.emplace(module);
  cuda = input.cuda;
  if (manifest.targets.empty())
    describeModel();
  if (failed(describeState()))
    return failure();
  for (auto kernel : module.getOps<tile::KernelOp>())
    kernels.push_back(kernel);
  if (input.cuda) {
    addCuda(*input.cuda);
    return success();
  }
  if (!launches->compiled().groups.empty())
    return module.emitError("launches are grouped, which only GPUs run");
  if (kernels.empty())
    addNothingKernel();
  for (const Target &target : input.targets)
    if (failed(addCpu(*cpu::lookupIsa(target.isa))))
      return failure();
  return success();
}

LogicalResult Packager::finish(PackageResult &result) {
  if (rt::Status status = rt::validate(manifest); !status.ok())
    return module.emitError("the plan breaks a rule of the artifact: ")
           << status.message();
  writer.add("manifest", rt::writeManifest(manifest));
  if (manifest.constantBytes)
    writer.add("constants", std::move(constantBytes));
  rt::Result<std::string> file = writer.finish();
  if (!file.ok())
    return module.emitError(file.status().message());
  result.artifact = file.take();
  result.manifest = std::move(manifest);
  return success();
}

LogicalResult tarn::packageModules(ArrayRef<PackageInput> inputs,
                                   const PackageOptions &options,
                                   PackageResult &result) {
  Packager packager(options);
  for (const PackageInput &input : inputs)
    if (failed(packager.add(input)))
      return failure();
  return packager.finish(result);
}

LogicalResult tarn::packageModule(ModuleOp module, ArrayRef<std::string> levels,
                                  const PackageOptions &options,
                                  PackageResult &result) {
  PackageInput input{module, {}, nullptr};
  for (const std::string &level : levels)
    input.targets.push_back({Target::Kind::cpu, level, "cpu", -1});
  return packageModules(input, options, result);
}
