//===- TuningModule.cpp - all candidates of each product, to be timed -----===//
//
// Where a GPU is there is no compiler: what is to be timed is compiled here. A
// function of kind `tune` is an ordinary program. It fills the operands with
// noise (zeros are faster on a GPU), copied over and over from a short input,
// and launches every candidate three times; profiles tell them apart.
//
//===----------------------------------------------------------------------===//

#include "compiler/Driver/Products.h"

#include "compiler/Cost/KernelCost.h"
#include "dialects/Step/StepOps.h"
#include "passes/Tile/Materializer.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace tarn;
using step::SliceAttr;
using step::Space;

/// Of the input that operands are copied from.
static constexpr int64_t noiseBytes = int64_t(1) << 20;
/// Launches of a candidate in one run: the first finds the caches cold.
static constexpr int launches = 3;

namespace {

/// One product and the kernels that may run it.
struct Problem {
  std::string key;
  SmallVector<tile::KernelOp> candidates;
  tile::KernelOp library; ///< or null
};

/// Writes the program that runs kernels on the same operands.
class ProgramWriter {
public:
  ProgramWriter(ModuleOp module, std::string name,
                ArrayRef<tile::KernelOp> kernels)
      : b(module.getContext()), module(module), name(std::move(name)),
        kernels(kernels) {}
  void write();

private:
  SliceAttr slice(Space space, int64_t offset, int64_t bytes,
                  int64_t stride = 0) {
    return SliceAttr::get(b.getContext(), space, offset, bytes, stride);
  }
  /// Takes bytes of a space.
  int64_t take(int64_t &space, int64_t bytes) {
    int64_t at = llvm::alignTo(space, 256);
    space = llvm::alignTo(at + bytes, 64);
    return at;
  }
  void fill(MemRefType type, SliceAttr place);

  OpBuilder b;
  ModuleOp module;
  const std::string name;
  ArrayRef<tile::KernelOp> kernels;
  int64_t arena = 0, input = 0;
  llvm::MapVector<Type, SliceAttr> noise; ///< by element type
};

} // namespace

/// Fills a buffer that is read.
void ProgramWriter::fill(MemRefType type, SliceAttr place) {
  Location loc = module.getLoc();
  auto source = noise.find(type.getElementType());
  if (source == noise.end()) {
    step::FillOp::create(b, loc, place);
    return;
  }
  SliceAttr from = source->second;
  int64_t whole = place.getBytes() / from.getBytes(), at = place.getOffset();
  if (whole > 1) {
    auto repeat = step::RepeatOp::create(b, loc, whole);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(&repeat.getBody().front());
    step::CopyOp::create(
        b, loc, slice(Space::Arena, at, from.getBytes(), from.getBytes()),
        from);
  } else if (whole == 1) {
    step::CopyOp::create(b, loc, slice(Space::Arena, at, from.getBytes()),
                         from);
  }
  if (int64_t rest = place.getBytes() % from.getBytes())
    step::CopyOp::create(
        b, loc, slice(Space::Arena, at + whole * from.getBytes(), rest),
        slice(Space::Input, from.getOffset(), rest));
}

void ProgramWriter::write() {
  Location loc = module.getLoc();
  tile::KernelOp first = kernels.front();
  SmallVector<SliceAttr> places;
  for (unsigned i = 0; i != first.getNumBuffers(); ++i) {
    MemRefType type = first.getBufferType(i);
    int64_t bytes = step::denseBytes(type);
    places.push_back(slice(Space::Arena, take(arena, bytes), bytes));
    Type element = type.getElementType();
    if (isa<FloatType>(element) &&
        first.getBufferAccess(i) == tile::Access::Read &&
        !noise.contains(element))
      noise[element] = slice(Space::Input, take(input, noiseBytes), noiseBytes);
  }
  int64_t workspace = 0;
  for (tile::KernelOp kernel : kernels)
    workspace = std::max(workspace, kernel.getWorkspaceBytes());
  int64_t workAt = workspace ? take(arena, workspace) : 0;
  b.setInsertionPointToEnd(module.getBody());
  auto program =
      step::ProgramOp::create(b, loc, name + ".program", 0, arena, input);
  program->setAttr("tarn.kind", b.getStringAttr("tune"));
  program->setAttr("tarn.function", b.getStringAttr(name));
  b.setInsertionPointToEnd(&program.getBody().front());
  for (auto &[element, from] : noise) {
    int64_t bytes = element.getIntOrFloatBitWidth() / 8;
    std::string name;
    llvm::raw_string_ostream(name) << "noise." << element;
    auto type = RankedTensorType::get({noiseBytes / bytes}, element);
    step::BindOp::create(b, loc, b.getStringAttr(name),
                         b.getStringAttr("input"), from, TypeAttr::get(type));
  }
  for (auto [i, place] : llvm::enumerate(places))
    if (first.getBufferAccess(i) == tile::Access::Read)
      fill(first.getBufferType(i), place);
  for (tile::KernelOp kernel : kernels) {
    SmallVector<Attribute> slices(places.begin(), places.end());
    if (int64_t bytes = kernel.getWorkspaceBytes())
      slices.push_back(slice(Space::Arena, workAt, bytes));
    int64_t blocks = kernel.getLibrary() ? 1 : kernel.getNumBlocks();
    for (int i = 0; i != launches; ++i)
      step::LaunchOp::create(b, kernel.getLoc(), FlatSymbolRefAttr::get(kernel),
                             b.getI64IntegerAttr(blocks),
                             b.getArrayAttr(slices));
  }
}

/// The way a kernel's text takes; nothing, without a word, if there is none.
static std::optional<cuda::Family> familyOf(tile::KernelOp kernel,
                                            StringRef architecture) {
  ScopedDiagnosticHandler quiet(kernel.getContext(),
                                [](Diagnostic &) { return success(); });
  FailureOr<cuda::CompiledKernels> text =
      cuda::emitKernels({{kernel}, {}}, *cuda::findArchitecture(architecture));
  if (failed(text))
    return std::nullopt;
  return text->kernels.front().family;
}

/// The candidates of a product, its own block first.
static Problem findCandidates(Materializer &materializer,
                              graph::ClusterOp cluster, StringRef isa) {
  tile::KernelOp own = materializer.kernelOf(cluster);
  Problem problem{programHash(own), {}, {}};
  Builder b(own.getContext());
  std::string why;
  std::optional<tile::PlainProduct> product = tile::findPlainProduct(own, why);
  auto add = [&](tile::KernelOp kernel, NamedAttrList tune) {
    tune.set("key", b.getStringAttr(problem.key));
    tune.set("product", b.getStringAttr(product ? describeProduct(*product)
                                                : "with more than a sum"));
    kernel->setAttr("tile.tune", tune.getDictionary(b.getContext()));
  };
  std::optional<cuda::Family> family;
  for (const DotChoice &choice : materializer.choicesOf(cluster)) {
    const DotBlock &block = choice.block;
    tile::KernelOp kernel = materializer.writeCandidate(
        cluster, block,
        (own.getSymName() + "_" + Twine(block.rows) + "x" +
         Twine(block.columns) + "x" + Twine(block.depth))
            .str());
    if (!kernel)
      continue;
    // A larger block that needs a slower way is none worth compiling.
    std::optional<cuda::Family> its = familyOf(kernel, isa);
    if (!family)
      family = its;
    if (!its || its != family) {
      kernel.erase();
      continue;
    }
    NamedAttrList tune;
    tune.set("block",
             b.getDenseI64ArrayAttr({block.rows, block.columns, block.depth}));
    add(kernel, tune);
    problem.candidates.push_back(kernel);
  }
  if (findLibraryProduct(own, why)) {
    OpBuilder end(own->getBlock(), own->getBlock()->end());
    auto kernel = cast<tile::KernelOp>(end.clone(*own));
    kernel.setSymName((own.getSymName() + "_cublaslt").str());
    NamedAttrList library;
    library.set("workspace", b.getI64IntegerAttr(libraryWorkspace(isa)));
    kernel->setAttr("tile.library", library.getDictionary(b.getContext()));
    add(kernel, {});
    problem.library = kernel;
  }
  return problem;
}

LogicalResult tarn::makeTuningModule(ModuleOp module, StringRef architecture) {
  Materializer materializer(module);
  std::vector<Problem> problems;
  llvm::StringSet<> known;
  for (auto function : module.getOps<func::FuncOp>())
    for (auto cluster : function.getBody().getOps<graph::ClusterOp>()) {
      if (!cluster->hasAttr("kernel") ||
          materializer.choicesOf(cluster).empty() ||
          !known.insert(programHash(materializer.kernelOf(cluster))).second)
        continue;
      Problem problem = findCandidates(materializer, cluster, architecture);
      if (!problem.candidates.empty())
        problems.push_back(std::move(problem));
    }
  llvm::SmallDenseSet<Operation *> kept;
  for (const Problem &problem : problems) {
    for (tile::KernelOp kernel : problem.candidates)
      kept.insert(kernel);
    if (problem.library)
      kept.insert(problem.library);
  }
  for (Operation &op : llvm::make_early_inc_range(*module.getBody()))
    if (!kept.contains(&op))
      op.erase();
  for (const Problem &problem : problems) {
    ProgramWriter(module, "tune_" + problem.key, problem.candidates).write();
    // Apart: where there is no library the others are timed.
    if (problem.library)
      ProgramWriter(module, "tune_" + problem.key + "_cublaslt",
                    problem.library)
          .write();
  }
  if (problems.empty())
    return module.emitError("the model has no product that could be tuned");
  return success();
}
