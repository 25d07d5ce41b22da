//===- CompileKernels.cpp - kernels to images for a GPU -------------------===//

#include "compiler/Target/Cuda/CompileKernels.h"

#include "compiler/Cache/CacheFolder.h"
#include "compiler/Target/Cuda/Cubin.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/ThreadPool.h"

#include <chrono>

using namespace mlir;
using namespace tarn;
using namespace tarn::cuda;

/// The extension of cached images.
static constexpr const char *extension = ".cubin";

namespace {

class Seconds {
public:
  double take() {
    auto now = std::chrono::steady_clock::now();
    std::chrono::duration<double> took = now - start;
    start = now;
    return took.count();
  }

private:
  std::chrono::steady_clock::time_point start =
      std::chrono::steady_clock::now();
};

} // namespace

/// What an image in the cache is known by: everything that it is made from.
static std::string keyOf(const Image &image, const std::string &name,
                         const std::string &identity) {
  return CacheKey()
      .add("image 1")
      .add(identity)
      .add(getDeviceHeader())
      .add(name)
      .add(image.text)
      .text();
}

/// An image in the cache: the length of the log in eight digits, the log, and
/// the code.
static std::string packImage(const CompiledKernel &code) {
  char length[16];
  std::snprintf(length, sizeof length, "%08zx", code.log.size());
  return length + code.log + code.cubin;
}

static bool unpackImage(StringRef bytes, CompiledKernel &code) {
  uint64_t length;
  if (bytes.size() < 8 || bytes.take_front(8).getAsInteger(16, length) ||
      bytes.size() - 8 < length)
    return false;
  code.log = bytes.substr(8, length).str();
  code.cubin = bytes.drop_front(8 + length).str();
  code.readLog();
  return !code.cubin.empty();
}

/// Checks that code takes what a launch passes; the registers of a thread.
static FailureOr<unsigned> checkCode(tile::KernelOp kernel,
                                     const CudaKernel &launch,
                                     const CompiledKernel &code) {
  llvm::Expected<Cubin> cubin = readCubin(code.cubin);
  if (!cubin)
    return kernel.emitError("the code of `" + launch.name +
                            "`: " + llvm::toString(cubin.takeError()));
  const CubinKernel *found = cubin->find(launch.name);
  if (!found)
    return kernel.emitError("there is no kernel `" + launch.name +
                            "` in its code");
  std::string passed, taken;
  for (const CudaParameter &parameter : launch.parameters)
    passed += " " + std::to_string(parameter.bytes());
  for (unsigned size : found->parameters)
    taken += " " + std::to_string(size);
  if (passed != taken)
    return kernel.emitError("`" + launch.name + "` takes parameters of" +
                            taken + " bytes, a launch passes" + passed);
  return found->registers;
}

FailureOr<CompiledKernels> cuda::emitKernels(const LaunchedKernels &launched,
                                             Architecture architecture) {
  CompiledKernels result;
  result.architecture = getName(architecture).str();
  Seconds watch;
  CudaOptions options;
  options.architecture = architecture;
  llvm::StringMap<size_t> imageOfText;
  for (size_t i = 0; i < launched.size(); ++i) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    size_t alone = launched.alone.size();
    FailureOr<CudaKernel> launch =
        i < alone ? emitCuda(launched.alone[i], options, stream)
                  : emitGroup(launched.groups[i - alone], options, stream);
    if (failed(launch))
      return failure();
    auto [place, isNew] = imageOfText.try_emplace(text, result.images.size());
    if (isNew)
      result.images.push_back({launch->name, std::move(text), {}});
    result.imageOf.push_back(place->second);
    result.kernels.push_back(std::move(*launch));
  }
  result.emitSeconds = watch.take();
  return result;
}

LogicalResult cuda::compileKernels(const LaunchedKernels &launched,
                                   const KernelCompiler &compiler, bool cache,
                                   unsigned threads, CompiledKernels &result) {
  Seconds watch;
  result.compiler = compiler.version();
  result.cubins = compiler.makesCubins();
  CacheFolder folder;
  cache &= bool(folder);
  std::string identity = compiler.identity(result.architecture);
  std::vector<size_t> missing;
  std::vector<std::string> keys(result.images.size());
  for (auto [i, image] : llvm::enumerate(result.images)) {
    if (cache) {
      keys[i] = keyOf(image, image.name, identity);
      std::optional<std::string> bytes = folder.lookup(keys[i], extension);
      if (bytes && unpackImage(*bytes, image.code))
        continue;
    }
    missing.push_back(i);
  }
  result.cached = result.images.size() - missing.size();
  std::string header = getDeviceHeader().str();
  llvm::DefaultThreadPool pool(llvm::hardware_concurrency(threads));
  for (size_t i : missing)
    pool.async([&, i] {
      Image &image = result.images[i];
      if (compiler.compile(image.text, header, image.name + ".cu",
                           result.architecture, image.code) &&
          cache)
        folder.store(keys[i], extension, packImage(image.code));
    });
  pool.wait();
  result.compileSeconds = watch.take();
  for (auto [i, launch] : llvm::enumerate(result.kernels)) {
    tile::KernelOp kernel = launched.at(i);
    const CompiledKernel &code = result.images[result.imageOf[i]].code;
    if (code.cubin.empty())
      return kernel.emitError("the text of `" + launch.name +
                              "` does not compile: " + code.log);
    if (!result.cubins)
      continue;
    FailureOr<unsigned> registers = checkCode(kernel, launch, code);
    if (failed(registers))
      return failure();
    result.registers.push_back(*registers);
  }
  return success();
}

std::string cuda::joinTexts(const CompiledKernels &kernels) {
  const StringRef include = "#include \"tarn_device.h\"\n";
  std::string all = include.str();
  for (const Image &image : kernels.images) {
    StringRef text = image.text;
    text.consume_front(include);
    all += text;
    // A name that every kernel may define for itself.
    if (text.contains("#define STAGES"))
      all += "#undef STAGES\n";
  }
  return all;
}
