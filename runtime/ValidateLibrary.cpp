//===- ValidateLibrary.cpp - Products that a library runs -----------------===//
//
// The library believes what it is told of matrices and addresses, so nothing is
// told to it that reaches outside of an argument.
//
//===----------------------------------------------------------------------===//

#include "runtime/Manifest.h"

using namespace tarn::rt;

static constexpr int64_t extentLimit = (int64_t(1) << 31) - 1;
/// Bytes; of leading dims, of the distances in a batch, of beginnings.
static constexpr uint64_t alignment = 16;

static std::string text(uint64_t number) { return std::to_string(number); }

/// Whether the types are a combination of the library's.
static bool knowsTypes(const LibraryProduct &product) {
  DType operand = product.a.dtype, result = product.d.dtype;
  if (product.b.dtype != operand)
    return false;
  if (operand == DType::F32)
    return result == DType::F32;
  return (operand == DType::BF16 || operand == DType::F16) &&
         (result == operand || result == DType::F32);
}

/// What is wrong with a matrix of these extents in argument `buffer`; `writes`:
/// each element is another one.
static std::string matrixProblem(const Kernel &kernel,
                                 const LibraryMatrix &matrix, uint32_t buffer,
                                 int64_t rows, int64_t columns, int64_t batch,
                                 bool writes) {
  if (buffer >= kernel.args.size())
    return "names argument " + text(buffer) + " of " + text(kernel.args.size());
  const KernelArg &argument = kernel.args[buffer];
  bool isWritten = argument.access != KernelArg::Access::Read;
  if (isWritten != writes)
    return std::string("is argument ") + text(buffer) + ", which is " +
           (isWritten ? "written" : "only read");
  auto across = static_cast<uint64_t>(matrix.transposed ? columns : rows);
  auto along = static_cast<uint64_t>(matrix.transposed ? rows : columns);
  uint64_t element = dtypeSize(matrix.dtype);
  if (matrix.leading < along)
    return "has a leading dim of " + text(matrix.leading) + " for rows of " +
           text(along) + " elements";
  // Distances are bounded before they are multiplied.
  for (uint64_t distance : {matrix.offset, matrix.leading, matrix.stride}) {
    if (distance > (uint64_t(1) << 46))
      return "reaches outside of any memory";
    if (distance * element % alignment)
      return "lies at a distance of " + text(distance * element) +
             " bytes, no multiple of 16";
  }
  uint64_t one = 0, all = 0;
  if (__builtin_mul_overflow(across - 1, matrix.leading, &one) ||
      __builtin_add_overflow(one, along, &one) ||
      __builtin_mul_overflow(static_cast<uint64_t>(batch - 1), matrix.stride,
                             &all) ||
      __builtin_add_overflow(all, one, &all) ||
      __builtin_add_overflow(all, matrix.offset, &all) ||
      __builtin_mul_overflow(all, element, &all))
    return "reaches outside of any memory";
  if (writes && batch > 1 && matrix.stride < one)
    return "has matrices that overlap";
  if (all > argument.bytes)
    return "reaches " + text(all) + " bytes far into an argument of " +
           text(argument.bytes);
  return {};
}

static std::string algorithmProblem(const LibraryProduct &product) {
  if (product.algorithm.empty())
    return {};
  if (product.algorithm.size() != 2 * libraryAlgorithmBytes ||
      product.algorithm.find_first_not_of("0123456789abcdef") !=
          std::string::npos)
    return "its algorithm is not 128 hexadecimal digits";
  if (!product.version || product.device.empty())
    return "its algorithm is of no version of the library, or of no device";
  return {};
}

std::string tarn::rt::libraryProblem(const Kernel &kernel) {
  const LibraryProduct &product = *kernel.library;
  for (int64_t extent :
       {product.rows, product.columns, product.depth, product.batch})
    if (extent < 1 || extent > extentLimit)
      return "a product of " + std::to_string(product.batch) + " times " +
             std::to_string(product.rows) + " x " +
             std::to_string(product.columns) + " x " +
             std::to_string(product.depth);
  if (!knowsTypes(product))
    return std::string("the library does not multiply ") +
           dtypeName(product.a.dtype) + " and " + dtypeName(product.b.dtype) +
           " to " + dtypeName(product.d.dtype);
  if (product.tf32 && product.a.dtype != DType::F32)
    return std::string("the library rounds no ") + dtypeName(product.a.dtype) +
           " to tf32";
  if (product.d.transposed)
    return "the result is transposed";
  if (product.addend && product.bias)
    return "the library adds no bias to a sum";
  struct Operand {
    const char *name;
    const LibraryMatrix *matrix;
    uint32_t buffer;
    int64_t rows, columns;
    bool writes;
  };
  std::vector<Operand> operands = {
      {"the left operand", &product.a, product.a.buffer, product.rows,
       product.depth, false},
      {"the right operand", &product.b, product.b.buffer, product.depth,
       product.columns, false},
      {"the result", &product.d, product.d.buffer, product.rows,
       product.columns, true}};
  if (product.addend)
    operands.push_back({"the addend", &product.d, *product.addend, product.rows,
                        product.columns, false});
  for (const Operand &operand : operands)
    if (std::string problem =
            matrixProblem(kernel, *operand.matrix, operand.buffer, operand.rows,
                          operand.columns, product.batch, operand.writes);
        !problem.empty())
      return std::string(operand.name) + " " + problem;
  if (product.bias) {
    LibraryMatrix vector;
    vector.dtype = product.d.dtype;
    // One row: its leading dim says nothing.
    vector.leading = (uint64_t(product.columns) + 15) / 16 * 16;
    if (std::string problem = matrixProblem(kernel, vector, *product.bias, 1,
                                            product.columns, 1, false);
        !problem.empty())
      return "the bias " + problem;
  }
  if (product.workspace) {
    if (*product.workspace >= kernel.args.size())
      return "the workspace names argument " + text(*product.workspace) +
             " of " + text(kernel.args.size());
    if (kernel.args[*product.workspace].access != KernelArg::Access::Write ||
        *product.workspace == product.d.buffer)
      return "the workspace is not the library's alone";
  }
  return algorithmProblem(product);
}
