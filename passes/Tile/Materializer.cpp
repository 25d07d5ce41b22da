//===- Materializer.cpp - kernels get their tile programs -----------------===//

#include "passes/Tile/Materializer.h"

#include "compiler/Cost/KernelCost.h"
#include "dialects/Tile/GpuCode.h"
#include "passes/Fuse/ClusterAnalysis.h"
#include "passes/Layout/InPlace.h"
#include "passes/Tile/Programs.h"

#include "mlir/IR/AsmState.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace tarn;

static MemRefType bufferType(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return MemRefType::get(tensor.getShape(), tensor.getElementType());
}

/// A name that says what the kernel does: its anchor, or its last op.
static std::string nameOf(graph::ClusterOp cluster, const ClusterInfo &info) {
  Operation *op = info.anchor;
  if (!op)
    for (Operation &member : cluster.getBody().front().without_terminator())
      if (!isFree(&member) && !isOpen(&member))
        op = &member;
  if (!op)
    op = &cluster.getBody().front().front();
  std::string name = op->getName().stripDialect().str();
  int64_t others = -1;
  for (Operation &member : cluster.getBody().front().without_terminator())
    others += !isFree(&member) && !isOpen(&member);
  if (info.kind == ClusterKind::row)
    name = "row_" + name;
  else if (others > 0)
    name += "_" + std::to_string(others);
  return name;
}

/// Of a module: what its kernels' blocks are tasks of; absent for a CPU.
static constexpr StringLiteral machineAttr = "tarn.machine";

void tarn::setMachine(ModuleOp module, Machine machine,
                      StringRef architecture) {
  if (machine == Machine::gpu)
    module->setAttr(machineAttr,
                    StringAttr::get(module.getContext(), architecture.empty()
                                                             ? "gpu"
                                                             : architecture));
  else
    module->removeAttr(machineAttr);
}

static bool usesWgmma(tile::KernelOp kernel) {
  return tile::GpuCode::of(kernel.getContext()).multipliesByWarpgroups(kernel);
}

/// Whether a kernel has products of bf16.
static bool multiplies(tile::KernelOp kernel) {
  return kernel
      .walk([](tile::DotOp dot) {
        return dot.getA().getType().getElementType().isBF16()
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

Materializer::Materializer(ModuleOp module)
    : module(module), symbols(module),
      sizes(tileSizesOf(module->hasAttr(machineAttr) ? Machine::gpu
                                                     : Machine::cpu)),
      products(module) {
  auto machine = module->getAttrOfType<StringAttr>(machineAttr);
  hasWgmma = machine && machine.getValue() == "sm_90a";
}

static std::optional<ClusterInfo> analyze(graph::ClusterOp cluster,
                                          std::string &reason) {
  SmallVector<Operation *> ops;
  for (Operation &op : cluster.getBody().front().without_terminator())
    ops.push_back(&op);
  auto yield = cast<graph::YieldOp>(cluster.getBody().front().getTerminator());
  return analyzeCluster(ops, llvm::to_vector(yield.getOperands()), reason);
}

/// Writes a program at the end of the module, under a name of its own.
static tile::KernelOp write(ModuleOp module, graph::ClusterOp cluster,
                            const ClusterInfo &info, const TileSizes &sizes) {
  std::unique_ptr<TileProgram> program = createProgram(cluster, info, sizes);
  if (!program)
    return {};
  SmallVector<Type> buffers;
  SmallVector<tile::Access> access;
  for (Value input : cluster.getInputs()) {
    buffers.push_back(bufferType(input.getType()));
    access.push_back(tile::Access::Read);
  }
  for (auto [i, output] : llvm::enumerate(cluster.getOutputs())) {
    buffers.push_back(bufferType(output.getType()));
    access.push_back(program->access(i));
  }
  Grid grid = program->grid();
  OpBuilder b(module.getContext());
  b.setInsertionPointToEnd(module.getBody());
  auto kernel =
      tile::KernelOp::create(b, cluster.getLoc(), "kernel", buffers, access,
                             grid.sizes, grid.tiles, grid.sequential);
  Block &body = kernel.getBody().front();
  if (!body.empty() && body.back().hasTrait<OpTrait::IsTerminator>())
    b.setInsertionPoint(&body.back());
  else
    b.setInsertionPointToEnd(&body);
  SmallVector<Value> positions;
  for (unsigned d = 0; d != kernel.getGridRank(); ++d)
    positions.push_back(kernel.getGridPosition(d));
  TileDeriver deriver(b, cluster, kernel);
  if (failed(program->build(deriver, positions))) {
    kernel.erase();
    return {};
  }
  if (body.empty() || !body.back().hasTrait<OpTrait::IsTerminator>()) {
    b.setInsertionPointToEnd(&body);
    tile::ReturnOp::create(b, cluster.getLoc());
  }
  return kernel;
}

/// All that a program is written from, as numbers: equal contents have equal
/// programs. Names, attributes and types are one object each in a context.
static std::string contentOf(graph::ClusterOp cluster) {
  std::string content;
  llvm::DenseMap<Value, uint64_t> numbers;
  auto add = [&](uint64_t number) {
    content.append(reinterpret_cast<const char *>(&number), sizeof number);
  };
  auto addObject = [&](const void *object) {
    add(reinterpret_cast<uintptr_t>(object));
  };
  auto define = [&](Value value) {
    numbers[value] = numbers.size();
    addObject(value.getType().getAsOpaquePointer());
  };
  std::function<void(Region &)> addRegion = [&](Region &region) {
    for (Block &block : region) {
      add(block.getNumArguments());
      llvm::for_each(block.getArguments(), define);
      for (Operation &op : block) {
        addObject(op.getName().getAsOpaquePointer());
        addObject(op.getAttrDictionary().getAsOpaquePointer());
        add(op.getNumOperands());
        for (Value operand : op.getOperands())
          add(numbers.at(operand));
        add(op.getNumResults());
        llvm::for_each(op.getResults(), define);
        add(op.getNumRegions());
        for (Region &inner : op.getRegions())
          addRegion(inner);
      }
      addObject(nullptr); // no name of an op
    }
    addObject(nullptr);
  };
  addRegion(cluster.getBody());
  return content;
}

/// The program as text.
static std::string textOf(tile::KernelOp kernel) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  kernel->print(stream, OpPrintingFlags().useLocalScope());
  return text;
}

/// The cheapest block of a product that the emitter can still write with wgmma;
/// the standard one where that is not much worse.
DotBlock Materializer::findWideBlock(graph::ClusterOp cluster,
                                     const ClusterInfo &info,
                                     tile::KernelOp kernel) {
  SmallVector<DotChoice> choices =
      sizes.dotChoices(*shapeOf(cast<graph::ProductOp>(info.anchor)));
  const DotChoice &standard = choices.front();
  constexpr double worthIt = 0.9;
  if (!hasWgmma || choices.size() < 2 ||
      choices[1].cost > worthIt * standard.cost)
    return standard.block;
  auto [known, isNew] = wideBlocks.try_emplace(textOf(kernel), standard.block);
  if (!isNew || !usesWgmma(kernel))
    return known->second;
  for (const DotChoice &choice : llvm::drop_begin(choices)) {
    if (choice.cost > worthIt * standard.cost)
      break;
    tile::KernelOp wide =
        write(module, cluster, info, FixedDot(sizes, choice.block));
    bool found = wide && usesWgmma(wide);
    if (wide)
      wide.erase();
    if (found) {
      known->second = choice.block;
      break;
    }
  }
  return known->second;
}

/// Whether the emitter can write a kernel with wgmma in shorter blocks alone:
/// attention may need more registers than there are.
bool Materializer::isBetterShort(graph::ClusterOp cluster,
                                 const ClusterInfo &info,
                                 tile::KernelOp kernel) {
  if (!hasWgmma || !multiplies(kernel))
    return false;
  std::string text = textOf(kernel);
  auto [known, isNew] = shortBlocks.try_emplace(text, false);
  if (!isNew || usesWgmma(kernel))
    return known->second;
  tile::KernelOp shorter = write(module, cluster, info, ShortAttention(sizes));
  if (!shorter)
    return false;
  known->second = textOf(shorter) != text && usesWgmma(shorter);
  shorter.erase();
  return known->second;
}

/// Writes the program again, in the block that the tuning file asks for.
FailureOr<tile::KernelOp> Materializer::rewrite(graph::ClusterOp cluster,
                                                const ClusterInfo &info,
                                                tile::KernelOp kernel,
                                                const DotBlock &own,
                                                const DotBlock &block) {
  DotShape shape = *shapeOf(cast<graph::ProductOp>(info.anchor));
  if (block == own)
    return kernel;
  kernel.erase();
  bool isChoice =
      llvm::any_of(sizes.dotChoices(shape), [&](const DotChoice &choice) {
        return choice.block == block;
      });
  if (!isChoice) {
    module->setAttr("tarn.bad_option", UnitAttr::get(module.getContext()));
    return cluster.emitError()
           << "the tuning file has blocks of " << blockText(block)
           << " for this product, which are none of its candidates";
  }
  tile::KernelOp again = write(module, cluster, info, FixedDot(sizes, block));
  if (!again)
    return failure();
  return again;
}

LogicalResult Materializer::visit(graph::ClusterOp cluster) {
  // Layers are alike: most clusters have been seen before.
  std::string content = contentOf(cluster);
  if (FlatSymbolRefAttr symbol = written.lookup(content)) {
    cluster->setAttr("kernel", symbol);
    return success();
  }
  std::string reason;
  std::optional<ClusterInfo> info = analyze(cluster, reason);
  if (!info)
    return cluster.emitError("is no kernel: ") << reason;
  tile::KernelOp kernel = write(module, cluster, *info, sizes);
  if (!kernel)
    return failure();
  std::string key;
  DictionaryAttr entry;
  DotBlock own{};
  std::optional<DotShape> product;
  if (info->kind == ClusterKind::dot)
    product = shapeOf(cast<graph::ProductOp>(info->anchor));
  if (product) {
    DotBlock standard = sizes.dot(*product);
    own = findWideBlock(cluster, *info, kernel);
    if (own != standard) {
      kernel.erase();
      kernel = write(module, cluster, *info, FixedDot(sizes, own));
      if (!kernel)
        return failure();
    }
  }
  if (info->kind == ClusterKind::program &&
      isBetterShort(cluster, *info, kernel)) {
    kernel.erase();
    kernel = write(module, cluster, *info, ShortAttention(sizes));
    if (!kernel)
      return failure();
  }
  if (products && product) {
    key = programHash(kernel);
    entry = products.lookup(key);
    if (std::optional<DotBlock> block = blockOf(entry)) {
      FailureOr<tile::KernelOp> chosen =
          rewrite(cluster, *info, kernel, own, *block);
      if (failed(chosen))
        return failure();
      kernel = *chosen;
    }
  }
  FlatSymbolRefAttr &symbol = known[textOf(kernel)];
  if (symbol) {
    kernel.erase();
  } else {
    kernel.setSymName("k_" + nameOf(cluster, *info));
    // Not in the table yet under this name: insert picks a free one.
    kernel->remove();
    symbols.insert(kernel, module.getBody()->end());
    symbol = FlatSymbolRefAttr::get(kernel);
    if (product && failed(products.choose(kernel, key, entry)))
      return failure();
  }
  written[content] = symbol;
  cluster->setAttr("kernel", symbol);
  return success();
}

SmallVector<DotChoice> Materializer::choicesOf(graph::ClusterOp cluster) {
  std::string reason;
  std::optional<ClusterInfo> info = analyze(cluster, reason);
  if (!info || info->kind != ClusterKind::dot)
    return {};
  std::optional<DotShape> product =
      shapeOf(cast<graph::ProductOp>(info->anchor));
  if (!product)
    return {};
  SmallVector<DotChoice> choices = sizes.dotChoices(*product);
  // Its own first.
  ArrayRef<int64_t> tiles = kernelOf(cluster).getGridTiles().take_back(2);
  auto own = llvm::find_if(choices, [&](const DotChoice &choice) {
    return choice.block.columns == tiles[0] && choice.block.rows == tiles[1];
  });
  if (own != choices.end())
    std::rotate(choices.begin(), own, own + 1);
  return choices;
}

tile::KernelOp Materializer::writeCandidate(graph::ClusterOp cluster,
                                            const DotBlock &block,
                                            StringRef name) {
  std::string reason;
  std::optional<ClusterInfo> info = analyze(cluster, reason);
  if (!info || info->kind != ClusterKind::dot)
    return {};
  tile::KernelOp kernel = write(module, cluster, *info, FixedDot(sizes, block));
  if (!kernel)
    return {};
  kernel.setSymName(name);
  kernel->remove();
  symbols.insert(kernel, module.getBody()->end());
  return kernel;
}

tile::KernelOp Materializer::kernelOf(graph::ClusterOp cluster) {
  return symbols.lookup<tile::KernelOp>(
      cluster->getAttrOfType<FlatSymbolRefAttr>("kernel").getValue());
}

void Materializer::erase(tile::KernelOp kernel) {
  auto symbol = FlatSymbolRefAttr::get(kernel);
  for (auto *map : {&known, &written})
    for (auto at = map->begin(), end = map->end(); at != end;)
      if (auto entry = at++; entry->second == symbol)
        map->erase(entry);
  symbols.erase(kernel);
}
