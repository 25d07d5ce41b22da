//===- Products.cpp - who runs the products of a GPU's step ---------------===//

#include "compiler/Driver/Products.h"

#include "passes/Tile/Materializer.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/FormatVariadic.h"

#include <set>

using namespace mlir;
using namespace tarn;

/// `128 x 128 x 64: 36 blocks in 1 wave, cost 1.00`; costs are relative.
static std::string describeChoice(const DotChoice &choice, double unit) {
  return llvm::formatv("{0}: {1} block{2} in {3} wave{4}, {5} a "
                       "multiprocessor, {6} registers for sums, {7} bytes of "
                       "operands, cost {8:f2}",
                       blockText(choice.block), choice.blocks,
                       choice.blocks == 1 ? "" : "s", choice.waves,
                       choice.waves == 1 ? "" : "s", choice.atATime,
                       choice.registers, choice.sharedBytes, choice.cost / unit)
      .str();
}

std::vector<ProductNote> tarn::productsOf(ModuleOp module,
                                          StringRef architecture) {
  Materializer materializer(module);
  llvm::DenseMap<Attribute, graph::ClusterOp> clusters;
  for (auto function : module.getOps<func::FuncOp>())
    for (auto cluster : function.getBody().getOps<graph::ClusterOp>())
      if (Attribute symbol = cluster->getAttr("kernel"))
        clusters.try_emplace(symbol, cluster);
  std::vector<ProductNote> notes;
  for (auto kernel : module.getOps<tile::KernelOp>()) {
    bool multiplies = false;
    kernel.walk([&](tile::DotOp) { multiplies = true; });
    if (!multiplies)
      continue;
    ProductNote note;
    note.kernel = kernel.getSymName().str();
    note.architecture = architecture.str();
    note.isLibrary = bool(kernel.getLibrary());
    if (auto key = kernel->getAttrOfType<StringAttr>(tunedAttr))
      note.tunedBy = key.getValue().str();
    if (std::optional<tile::PlainProduct> product =
            findLibraryProduct(kernel, note.why))
      note.product = describeProduct(*product);
    if (auto cluster = clusters.lookup(FlatSymbolRefAttr::get(kernel))) {
      SmallVector<DotChoice> choices = materializer.choicesOf(cluster);
      for (const DotChoice &choice : choices)
        note.blocks.push_back(
            describeChoice(choice, std::max(choices.front().cost, 1.0)));
    }
    notes.push_back(std::move(note));
  }
  return notes;
}

/// Whether a device's name has the word that a target was named by: `h100` in
/// "NVIDIA H100 80GB HBM3".
static bool isSameDevice(StringRef name, StringRef word) {
  return name.lower().find(word.lower().substr(0, word.find('-'))) !=
         std::string::npos;
}

CompileStatus tarn::checkTuning(const std::string &path,
                                ArrayRef<Target> targets,
                                llvm::raw_ostream &said,
                                std::optional<Tuning> &tuning) {
  rt::Result<Tuning> read = readTuning(path);
  if (!read.ok()) {
    said << "error: " << read.status().message() << "\n";
    return CompileStatus::userError;
  }
  tuning = read.take();
  std::string all;
  for (const Target &target : targets) {
    all += (all.empty() ? "" : ", ") + target.name();
    if (target.kind != Target::Kind::cuda || target.isa != tuning->architecture)
      continue;
    if (target.memoryBytes >= 0 && !isSameDevice(tuning->device, target.device))
      said << "note: " << path << " was measured on " << tuning->device
           << ", not on " << target.device << "\n";
    return CompileStatus::success;
  }
  said << "error: " << path << " is for cuda:" << tuning->architecture << " ("
       << tuning->device << "), the targets are " << all << "\n"
       << "help: --target cuda:" << tuning->architecture
       << ", or a file that was measured there\n";
  return CompileStatus::userError;
}
