//===- LibraryProducts.cpp - products that a library may run --------------===//

#include "passes/Tile/LibraryProducts.h"

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
     << " " << product.a.element;
  if (product.d.element != product.a.element)
    os << " -> " << product.d.element;
  if (product.bias)
    os << " + bias";
  if (product.addend)
    os << " + addend";
  return text;
}

ProductChooser::ProductChooser(ModuleOp module)
    : gemm(module->getAttrOfType<DictionaryAttr>(gemmAttr)) {}

void ProductChooser::choose(tile::KernelOp kernel) const {
  if (!gemm)
    return;
  std::string why;
  std::optional<PlainProduct> product = findLibraryProduct(kernel, why);
  if (!product) {
    kernel.emitRemark() << "product by a kernel of its own; no candidate for "
                           "cuBLASLt: "
                        << why;
    return;
  }
  Builder b(kernel.getContext());
  NamedAttrList library;
  library.set("workspace", gemm.get("workspace"));
  kernel->setAttr("tile.library", library.getDictionary(b.getContext()));
  kernel.emitRemark() << "product " << describeProduct(*product)
                      << " by cuBLASLt, which was asked for";
}
