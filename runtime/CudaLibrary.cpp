//===- CudaLibrary.cpp - A target's products by cuBLASLt ------------------===//

#include "runtime/CudaLibrary.h"

#include <algorithm>

using namespace tarn::rt;

/// Of every argument: where slices begin.
static constexpr uint32_t sliceAlignment = 64;
/// Algorithms that are asked for.
static constexpr int choiceCount = 8;

static int typeOf(DType dtype) {
  return dtype == DType::F32   ? cublasF32
         : dtype == DType::F16 ? cublasF16
                               : cublasBF16;
}

static Status failed(const Kernel &kernel, const char *what, int status) {
  return Status(Code::Unsupported, std::string("cuBLASLt ") + what +
                                       " kernel `" + kernel.symbol +
                                       "`: " + describeCublas(status) +
                                       "; `tarn compile --gemm own` does "
                                       "without it");
}

Result<std::unique_ptr<CudaLibrary>>
CudaLibrary::load(const Gpu &gpu, const Target &target,
                  std::vector<std::string> &notes) {
  std::unique_ptr<CudaLibrary> library(new CudaLibrary(target));
  library->calls.resize(target.kernels.size());
  bool any = false, needed = false;
  for (const Kernel &kernel : target.kernels) {
    any |= kernel.library.has_value();
    needed |= kernel.library && !kernel.tune;
  }
  if (Status status = any ? library->start() : Status(); !status.ok()) {
    if (needed)
      return status;
    notes.push_back("candidates of cuBLASLt are left out: " + status.message());
    any = false;
  }
  for (size_t i = 0; any && i < target.kernels.size(); ++i) {
    if (!target.kernels[i].library)
      continue;
    Status status = library->describe(i);
    if (status.ok())
      status = library->choose(gpu, i, notes);
    if (!status.ok())
      return status;
  }
  return Result<std::unique_ptr<CudaLibrary>>(std::move(library));
}

Status CudaLibrary::start() {
  Result<const CublasLt *> loaded = CublasLt::load();
  if (!loaded.ok())
    return loaded.status();
  void *made = nullptr;
  if (int status = (*loaded)->create(&made))
    return Status(Code::Unsupported,
                  "cuBLASLt (" + (*loaded)->path +
                      ") does not start: " + describeCublas(status));
  lt = *loaded;
  handle = CudaHandle(made, CudaDestroy{lt->destroy});
  return {};
}

/// A matrix of ours is the transpose of one of the library's.
Result<CudaHandle> CudaLibrary::layout(const Kernel &kernel,
                                       const LibraryMatrix &matrix,
                                       uint64_t rows, uint64_t columns) const {
  if (matrix.transposed)
    std::swap(rows, columns);
  void *made = nullptr;
  int status =
      lt->layoutCreate(&made, typeOf(matrix.dtype), columns, rows,
                       static_cast<int64_t>(std::max(matrix.leading, columns)));
  CudaHandle owner(made, CudaDestroy{lt->layoutDestroy});
  auto count = static_cast<int32_t>(kernel.library->batch);
  auto stride = static_cast<int64_t>(matrix.stride);
  if (!status && count > 1)
    status = lt->layoutSet(made, layoutBatchCount, &count, sizeof count);
  if (!status && count > 1)
    status = lt->layoutSet(made, layoutBatchStride, &stride, sizeof stride);
  if (status)
    return failed(kernel, "does not take a matrix of", status);
  return Result<CudaHandle>(std::move(owner));
}

Status CudaLibrary::describe(size_t index) {
  const Kernel &kernel = target.kernels[index];
  const LibraryProduct &product = *kernel.library;
  auto rows = static_cast<uint64_t>(product.rows);
  auto columns = static_cast<uint64_t>(product.columns);
  auto depth = static_cast<uint64_t>(product.depth);
  Call &call = calls[index];
  // Our b is the library's A, our a its B.
  struct {
    CudaHandle &to;
    const LibraryMatrix &matrix;
    uint64_t rows, columns;
  } layouts[] = {{call.a, product.b, depth, columns},
                 {call.b, product.a, rows, depth},
                 {call.d, product.d, rows, columns}};
  for (auto &each : layouts) {
    Result<CudaHandle> made =
        layout(kernel, each.matrix, each.rows, each.columns);
    if (!made.ok())
      return made.status();
    each.to = made.take();
  }
  void *matmul = nullptr;
  int status = lt->matmulCreate(
      &matmul, product.tf32 ? cublasCompute32FTf32 : cublasCompute32F,
      cublasF32);
  call.matmul = CudaHandle(matmul, CudaDestroy{lt->matmulDestroy});
  int32_t transA = product.b.transposed ? cublasOpT : cublasOpN;
  int32_t transB = product.a.transposed ? cublasOpT : cublasOpN;
  if (!status)
    status = lt->matmulSet(matmul, matmulTransA, &transA, sizeof transA);
  if (!status)
    status = lt->matmulSet(matmul, matmulTransB, &transB, sizeof transB);
  if (!status && product.bias) {
    uint32_t epilogue = cublasEpilogueBias;
    status = lt->matmulSet(matmul, matmulEpilogue, &epilogue, sizeof epilogue);
    // Of the address only the alignment counts until the product runs.
    auto aligned = static_cast<CudaAddress>(sliceAlignment);
    if (!status)
      status = lt->matmulSet(matmul, matmulBias, &aligned, sizeof aligned);
  }
  return status ? failed(kernel, "does not take", status) : Status();
}

/// What the library would run a product by, the best first.
Result<std::vector<CublasChoice>> CudaLibrary::choices(size_t index) const {
  const Kernel &kernel = target.kernels[index];
  const LibraryProduct &product = *kernel.library;
  const Call &call = calls[index];
  void *preference = nullptr;
  int status = lt->preferenceCreate(&preference);
  CudaHandle owner(preference, CudaDestroy{lt->preferenceDestroy});
  auto set = [&](int attribute, auto value) {
    if (!status)
      status = lt->preferenceSet(preference, attribute, &value, sizeof value);
  };
  set(preferWorkspaceBytes,
      product.workspace ? kernel.args[*product.workspace].bytes : uint64_t(0));
  set(preferReductions, cublasReduceInF32);
  for (int matrix = 0; matrix < 4; ++matrix)
    set(preferAlignmentA + matrix, sliceAlignment);
  std::vector<CublasChoice> found(choiceCount);
  int count = 0;
  if (!status)
    status = lt->heuristic(handle.get(), call.matmul.get(), call.a.get(),
                           call.b.get(), call.d.get(), call.d.get(), preference,
                           choiceCount, found.data(), &count);
  if (status)
    return failed(kernel, "has no algorithm for", status);
  found.resize(static_cast<size_t>(std::clamp(count, 0, choiceCount)));
  found.erase(std::remove_if(
                  found.begin(), found.end(),
                  [](const CublasChoice &c) { return c.status != cublasOk; }),
              found.end());
  if (found.empty())
    return failed(kernel, "has no algorithm for", cublasNotSupported);
  return found;
}

static std::string algorithmDigits(const CublasAlgorithm &algorithm) {
  static constexpr char digits[] = "0123456789abcdef";
  auto *bytes = reinterpret_cast<const unsigned char *>(algorithm.words);
  std::string text;
  for (size_t i = 0; i < sizeof algorithm; ++i) {
    text += digits[bytes[i] >> 4];
    text += digits[bytes[i] & 15];
  }
  return text;
}

static CublasAlgorithm parseAlgorithm(const std::string &digits) {
  CublasAlgorithm algorithm;
  auto *bytes = reinterpret_cast<unsigned char *>(algorithm.words);
  auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (size_t i = 0; i < sizeof algorithm; ++i)
    bytes[i] = static_cast<unsigned char>(16 * digit(digits[2 * i]) +
                                          digit(digits[2 * i + 1]));
  return algorithm;
}

/// The measured algorithm, where it is this library's and this device's and
/// still runs; else the library's first choice.
Status CudaLibrary::choose(const Gpu &gpu, size_t index,
                           std::vector<std::string> &notes) {
  const Kernel &kernel = target.kernels[index];
  const LibraryProduct &product = *kernel.library;
  Call &call = calls[index];
  uint64_t room = product.workspace ? kernel.args[*product.workspace].bytes : 0;
  std::string why;
  if (product.algorithm.empty()) {
    why.clear();
  } else if (product.version != lt->version) {
    why = "version " + std::to_string(product.version) + ", this is " +
          std::to_string(lt->version);
  } else if (product.device != gpu.name()) {
    why = product.device + ", this is " + gpu.name();
  } else {
    call.algorithm = parseAlgorithm(product.algorithm);
    CublasChoice checked;
    int status =
        lt->check(handle.get(), call.matmul.get(), call.a.get(), call.b.get(),
                  call.d.get(), call.d.get(), &call.algorithm, &checked);
    if (!status && checked.workspaceBytes <= room)
      return {};
    why = status
              ? "something that is refused here, with " + describeCublas(status)
              : "more workspace than the plan has";
  }
  Result<std::vector<CublasChoice>> found = choices(index);
  if (!found.ok())
    return found.status();
  call.algorithm = found->front().algorithm;
  // One line for each reason is enough.
  std::string note = "algorithms of cuBLASLt in the artifact are for " + why +
                     "; the library's own choice runs";
  if (!why.empty() &&
      std::find(notes.begin(), notes.end(), note) == notes.end())
    notes.push_back(note);
  return {};
}

Result<std::vector<LibraryAlgorithm>>
CudaLibrary::algorithms(size_t index) const {
  std::vector<LibraryAlgorithm> all;
  if (!lt || !target.kernels[index].library)
    return all;
  Result<std::vector<CublasChoice>> found = choices(index);
  if (!found.ok())
    return found.status();
  for (const CublasChoice &choice : *found)
    all.push_back({algorithmDigits(choice.algorithm), choice.workspaceBytes});
  return all;
}

void CudaLibrary::use(size_t index, const LibraryAlgorithm &algorithm) {
  calls[index].algorithm = parseAlgorithm(algorithm.digits);
}

int CudaLibrary::run(size_t index, const CudaAddress *arguments,
                     void *stream) const {
  const Kernel &kernel = target.kernels[index];
  const LibraryProduct &product = *kernel.library;
  const Call &call = calls[index];
  if (!lt)
    return cublasNotInitialized;
  auto at = [&](const LibraryMatrix &matrix, uint32_t buffer) {
    return reinterpret_cast<void *>(arguments[buffer] +
                                    matrix.offset * dtypeSize(matrix.dtype));
  };
  if (product.bias) {
    CudaAddress bias = arguments[*product.bias];
    if (int status =
            lt->matmulSet(call.matmul.get(), matmulBias, &bias, sizeof bias))
      return status;
  }
  const float one = 1, zero = 0;
  void *d = at(product.d, product.d.buffer);
  void *workspace =
      product.workspace
          ? reinterpret_cast<void *>(arguments[*product.workspace])
          : nullptr;
  return lt->matmul(
      handle.get(), call.matmul.get(), &one, at(product.b, product.b.buffer),
      call.a.get(), at(product.a, product.a.buffer), call.b.get(),
      product.addend ? &one : &zero,
      product.addend ? at(product.d, *product.addend) : d, call.d.get(), d,
      call.d.get(), &call.algorithm, workspace,
      product.workspace ? kernel.args[*product.workspace].bytes : 0, stream);
}
