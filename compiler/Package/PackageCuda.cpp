//===- PackageCuda.cpp - a GPU's kernels in the manifest ------------------===//

#include "compiler/Package/PackageCuda.h"

#include "dialects/Tile/PlainProduct.h"

using namespace mlir;
using namespace tarn;

/// Where an image may begin in its section.
static constexpr uint64_t imageAlignment = 64;

std::string tarn::describeImages(const cuda::CompiledKernels &code,
                                 rt::Target &target) {
  target.kind = rt::TargetKind::Cuda;
  target.isa = code.cubins ? code.architecture : "host";
  target.nvrtc = code.compiler;
  std::string section;
  for (const cuda::Image &image : code.images) {
    section.resize(llvm::alignTo(section.size(), imageAlignment));
    target.images.push_back({section.size(), image.code.cubin.size()});
    section += image.code.cubin;
  }
  return section;
}

/// What cuTensorMapEncodeTiled is given: dims from the fastest on.
static rt::TensorMapDesc mapOf(MemRefType type,
                               const cuda::CudaParameter &parameter) {
  rt::TensorMapDesc map;
  map.dtype = dtypeOf(type.getElementType());
  uint64_t stride = type.getElementTypeBitWidth() / 8;
  for (int64_t d = type.getRank() - 1; d >= 0; --d) {
    map.sizes.push_back(type.getDimSize(d));
    map.box.push_back(uint32_t(parameter.box[d]));
    stride *= type.getDimSize(d);
    if (d > 0)
      map.strides.push_back(stride);
  }
  return map;
}

static rt::LibraryMatrix matrixOf(const tile::ProductMatrix &matrix) {
  rt::LibraryMatrix result;
  result.buffer = matrix.buffer;
  result.dtype = dtypeOf(matrix.element);
  result.offset = matrix.offset;
  result.transposed = matrix.isTransposed;
  result.leading = matrix.leading;
  result.stride = matrix.stride;
  return result;
}

void tarn::describeLibrary(tile::KernelOp kernel, rt::Kernel &result) {
  std::string why;
  std::optional<tile::PlainProduct> product =
      tile::findPlainProduct(kernel, why);
  assert(product && "who marked it found a product");
  rt::LibraryProduct library;
  library.rows = product->rows;
  library.columns = product->columns;
  library.depth = product->depth;
  library.batch = product->batch;
  library.tf32 = product->isTf32;
  library.a = matrixOf(product->a);
  library.b = matrixOf(product->b);
  library.d = matrixOf(product->d);
  library.addend = product->addend;
  library.bias = product->bias;
  if (int64_t bytes = kernel.getWorkspaceBytes()) {
    library.workspace = uint32_t(result.args.size());
    result.args.push_back({uint64_t(bytes), rt::KernelArg::Access::Write});
  }
  DictionaryAttr chosen = kernel.getLibrary();
  if (auto algorithm = chosen.getAs<StringAttr>("algorithm")) {
    library.algorithm = algorithm.getValue().str();
    library.version = chosen.getAs<IntegerAttr>("version").getInt();
    library.device = chosen.getAs<StringAttr>("device").getValue().str();
  }
  result.library = std::move(library);
}

void tarn::describeTune(tile::KernelOp kernel, rt::Kernel &result) {
  auto tune = kernel->getAttrOfType<DictionaryAttr>("tile.tune");
  if (!tune)
    return;
  rt::TuneEntry entry;
  entry.key = tune.getAs<StringAttr>("key").getValue().str();
  entry.product = tune.getAs<StringAttr>("product").getValue().str();
  if (auto block = tune.getAs<DenseI64ArrayAttr>("block"))
    llvm::append_range(entry.block, block.asArrayRef());
  result.tune = std::move(entry);
}

void tarn::describeLaunch(tile::KernelOp kernel,
                          const cuda::CompiledKernels &code, size_t index,
                          rt::Kernel &result) {
  const cuda::CudaKernel &launch = code.kernels[index];
  result.symbol = launch.name;
  result.image = uint32_t(code.imageOf[index]);
  result.threads = launch.threads;
  result.shared = launch.sharedBytes;
  result.persistent = launch.persistent;
  result.registers = code.registers.empty() ? 0 : code.registers[index];
  for (const cuda::CudaParameter &parameter : launch.parameters) {
    rt::KernelParam param;
    param.buffer = parameter.buffer;
    for (const cuda::CudaWord &word : parameter.table)
      param.table.push_back({word.isAddress, word.value});
    if (parameter.isTensorMap)
      param.map = mapOf(kernel.getBufferType(parameter.buffer), parameter);
    result.params.push_back(std::move(param));
  }
}
