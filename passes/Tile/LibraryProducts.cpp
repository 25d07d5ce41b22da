//===- LibraryProducts.cpp - products that a library may run --------------===//

#include "passes/Tile/LibraryProducts.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace tarn;
using tile::PlainProduct;
using tile::ProductMatrix;

/// Of addresses, leading dims and the distances in a batch: what tensor cores
/// are fed with.
static constexpr int64_t alignment = 16;

int64_t tarn::libraryWorkspace(StringRef architecture) {
  // What NVIDIA recommends: more on Hopper and later.
  unsigned number = 0;
  architecture.consume_front("sm_");
  architecture.consumeInteger(10, number);
  return int64_t(number >= 90 ? 32 : 4) << 20;
}

static std::string typeName(Type type) {
  std::string name;
  llvm::raw_string_ostream(name) << type;
  return name;
}

static std::string matrixProblem(const ProductMatrix &matrix, StringRef name) {
  int64_t bytes = matrix.element.getIntOrFloatBitWidth() / 8;
  auto check = [&](int64_t elements, StringRef what) -> std::string {
    if (elements * bytes % alignment == 0)
      return "";
    return (what + " of " + name + ", " + Twine(elements) + " elements of " +
            typeName(matrix.element) + ", is no multiple of " +
            Twine(alignment) + " bytes")
        .str();
  };
  std::string problem = check(matrix.leading, "the leading dim");
  if (problem.empty())
    problem = check(matrix.stride, "the distance of the batch");
  if (problem.empty())
    problem = check(matrix.offset, "the beginning");
  return problem;
}

std::string tarn::libraryProblem(const PlainProduct &product) {
  Type operand = product.a.element, result = product.d.element;
  bool known = operand.isF32() ? result.isF32()
                               : (operand.isBF16() || operand.isF16()) &&
                                     (result == operand || result.isF32());
  if (!known)
    return "cuBLASLt does not multiply " + typeName(operand) + " to " +
           typeName(result);
  for (auto [extent, name] : {std::pair(product.rows, "rows"),
                              {product.columns, "columns"},
                              {product.depth, "terms"},
                              {product.batch, "matrices"}})
    if (extent > INT32_MAX)
      return (Twine(extent) + " " + name + " do not fit in 32 bits").str();
  for (auto [matrix, name] : {std::pair(&product.a, "the left operand"),
                              {&product.b, "the right operand"},
                              {&product.d, "the result"}})
    if (std::string problem = matrixProblem(*matrix, name); !problem.empty())
      return problem;
  return "";
}

std::optional<PlainProduct> tarn::findLibraryProduct(tile::KernelOp kernel,
                                                     std::string &why) {
  std::optional<PlainProduct> product = tile::findPlainProduct(kernel, why);
  if (!product)
    return std::nullopt;
  why = libraryProblem(*product);
  return why.empty() ? product : std::nullopt;
}

std::string tarn::describeProduct(const PlainProduct &product) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (product.batch > 1)
    os << product.batch << " times ";
  os << product.rows << " x " << product.columns << " x " << product.depth
     << " ";
  if (product.isTf32)
    os << "tf32";
  else
    os << product.a.element;
  if (product.d.element != product.a.element || product.isTf32)
    os << " -> " << product.d.element;
  if (product.bias)
    os << " + bias";
  if (product.addend)
    os << " + addend";
  return text;
}

DictionaryAttr tarn::describeGemm(MLIRContext *context, StringRef gemm,
                                  StringRef architecture,
                                  const Tuning *tuning) {
  Builder b(context);
  NamedAttrList result;
  if (gemm == "cublaslt")
    result.set("workspace",
               b.getI64IntegerAttr(libraryWorkspace(architecture)));
  NamedAttrList entries;
  if (tuning && tuning->architecture == architecture)
    for (const auto &[key, product] : tuning->products) {
      const TuningCandidate &best = product.candidates[product.best];
      NamedAttrList entry;
      if (best.isLibrary()) {
        entry.set("algorithm", b.getStringAttr(best.algorithm));
        entry.set("workspace", b.getI64IntegerAttr(best.workspace));
        entry.set("version", b.getI64IntegerAttr(tuning->library));
        entry.set("device", b.getStringAttr(tuning->device));
      } else {
        entry.set("block", b.getDenseI64ArrayAttr(best.block));
      }
      entry.set("seconds", b.getF64FloatAttr(best.seconds));
      entry.set("of", b.getI64IntegerAttr(product.candidates.size()));
      entries.set(key, entry.getDictionary(context));
    }
  if (tuning)
    result.set("tuning", entries.getDictionary(context));
  return result.empty() ? DictionaryAttr() : result.getDictionary(context);
}

std::optional<DotBlock> tarn::blockOf(DictionaryAttr entry) {
  auto block =
      entry ? entry.getAs<DenseI64ArrayAttr>("block") : DenseI64ArrayAttr();
  if (!block || block.size() != 3)
    return std::nullopt;
  return DotBlock{block[0], block[1], block[2]};
}

std::string tarn::blockText(const DotBlock &block) {
  return (Twine(block.rows) + " x " + Twine(block.columns) + " x " +
          Twine(block.depth))
      .str();
}

ProductChooser::ProductChooser(ModuleOp module)
    : gemm(module->getAttrOfType<DictionaryAttr>(gemmAttr)) {}

DictionaryAttr ProductChooser::lookup(StringRef key) const {
  auto entries = gemm ? gemm.getAs<DictionaryAttr>("tuning") : DictionaryAttr();
  return entries ? entries.getAs<DictionaryAttr>(key) : DictionaryAttr();
}

/// `measured as the fastest of 4, 12.3 us`.
static std::string measuredText(DictionaryAttr entry) {
  auto seconds = entry.getAs<FloatAttr>("seconds");
  auto of = entry.getAs<IntegerAttr>("of");
  if (!seconds || !of)
    return "from the tuning file";
  return llvm::formatv("measured as the fastest of {0}, {1:f1} us", of.getInt(),
                       seconds.getValueAsDouble() * 1e6)
      .str();
}

LogicalResult ProductChooser::choose(tile::KernelOp kernel, StringRef key,
                                     DictionaryAttr entry) const {
  if (!gemm)
    return success();
  Builder b(kernel.getContext());
  if (entry)
    kernel->setAttr(tunedAttr, b.getStringAttr(key));
  if (std::optional<DotBlock> block = blockOf(entry)) {
    kernel.emitRemark() << "product by a kernel of its own in blocks of "
                        << blockText(*block) << ", " << measuredText(entry);
    return success();
  }
  std::string why;
  std::optional<PlainProduct> product = findLibraryProduct(kernel, why);
  if (entry && !product) {
    kernel->getParentOp()->setAttr("tarn.bad_option", b.getUnitAttr());
    return kernel.emitError() << "the tuning file gives this product to "
                                 "cuBLASLt, which cannot run it: "
                              << why;
  }
  Attribute everywhere = gemm.get("workspace");
  if (!entry && !(product && everywhere)) {
    InFlightDiagnostic remark = kernel.emitRemark()
                                << "product by a kernel of its own; ";
    if (product)
      remark << "not in the tuning file";
    else
      remark << "no candidate for cuBLASLt: " << why;
    return success();
  }
  NamedAttrList library;
  for (StringRef name : {"workspace", "algorithm", "version", "device"})
    if (Attribute value = entry                 ? entry.get(name)
                          : name == "workspace" ? everywhere
                                                : Attribute())
      library.set(name, value);
  kernel->setAttr("tile.library", library.getDictionary(b.getContext()));
  kernel.emitRemark() << "product " << describeProduct(*product)
                      << " by cuBLASLt, "
                      << (entry ? measuredText(entry)
                                : std::string("which was asked for"));
  return success();
}
