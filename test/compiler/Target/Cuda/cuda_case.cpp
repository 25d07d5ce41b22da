//===- cuda_case.cpp - record a kernel with inputs and results ------------===//
//
// cuda-case INPUT.mlir -o FOLDER: emits the kernel as CUDA text, makes numbers
// for its buffers, and computes with the interpreter what it has to write.
// test/gpu/Case.h describes the folder. With --all: every kernel of the input,
// each in a folder of its name, and their text in FOLDER/kernels.cu. With
// --group: every kernel of the input as one launch.
//
//===----------------------------------------------------------------------===//

#include "compiler/Cost/KernelCost.h"
#include "compiler/Driver/Registry.h"
#include "compiler/Target/Cuda/Group.h"
#include "dialects/Tile/Interpreter.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/LineIterator.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <cmath>
#include <cstring>
#include <random>

using namespace mlir;
using namespace tarn;
namespace cl = llvm::cl;

namespace {

cl::opt<std::string> input(cl::Positional, cl::init("-"));
cl::opt<std::string> folder("o", cl::desc("the folder to write"), cl::Required);
cl::opt<bool> all("all", cl::init(false), cl::desc("every kernel"));
cl::opt<bool> grouped("group", cl::init(false), cl::desc("all as one launch"));
cl::opt<bool> rotate("rotate", cl::init(true));
cl::opt<std::string> arch("arch", cl::init("sm_90a"));
cl::opt<bool> wgmma("wgmma", cl::init(true));
cl::opt<bool> lines("lines", cl::init(true));
cl::opt<unsigned> stages("stages", cl::init(0));
cl::opt<int64_t>
    multiprocessors("multiprocessors", cl::init(0),
                    cl::desc("products of more tiles are persistent"));
cl::opt<double> absolute("absolute", cl::init(0.01));
cl::opt<double> relative("relative", cl::init(0.004));
cl::opt<double> integers("integers", cl::init(8),
                         cl::desc("integers are drawn from 0 to this"));
cl::opt<bool> positive("positive", cl::init(false),
                       cl::desc("numbers are drawn from 0 to 1, and are "
                                "what bf16 can hold"));
cl::opt<bool> typed("typed", cl::init(false),
                    cl::desc("expect rounded results, not exact ones"));
cl::opt<bool> noise("noise", cl::init(false),
                    cl::desc("results may be off by four times what rounding "
                             "by types changes in them"));
cl::opt<std::string> only("only", cl::desc("kernels with this in their name"));
cl::opt<std::string>
    known("known", cl::desc("with --all: a file of programs that other calls "
                            "have recorded, and that this one adds its to"));
cl::opt<double> flops("flops", cl::init(0),
                      cl::desc("of the launch, if not what is counted"));
cl::opt<bool> timeOnly("time-only", cl::init(false),
                       cl::desc("no numbers: for large shapes"));

/// The bytes of `value` as an element of `type`.
void appendElement(std::string &bytes, Type type, double value) {
  if (type.isBF16()) {
    float x = value;
    uint32_t wide;
    memcpy(&wide, &x, 4);
    uint16_t half = (wide + 0x7FFF + (wide >> 16 & 1)) >> 16;
    bytes.append(reinterpret_cast<char *>(&half), 2);
  } else if (type.isF16()) {
    APFloat x(value);
    bool lost;
    x.convert(APFloat::IEEEhalf(), APFloat::rmNearestTiesToEven, &lost);
    uint16_t half = x.bitcastToAPInt().getZExtValue();
    bytes.append(reinterpret_cast<char *>(&half), 2);
  } else if (type.isF32()) {
    float x = value;
    bytes.append(reinterpret_cast<char *>(&x), 4);
  } else if (type.isF64()) {
    bytes.append(reinterpret_cast<char *>(&value), 8);
  } else if (type.isInteger(1) || type.isInteger(8)) {
    bytes.push_back(static_cast<char>(value));
  } else if (type.isInteger(64)) {
    int64_t x = value;
    bytes.append(reinterpret_cast<char *>(&x), 8);
  } else {
    int32_t x = value;
    bytes.append(reinterpret_cast<char *>(&x), 4);
  }
}

LogicalResult writeFile(StringRef inside, StringRef name, StringRef bytes) {
  llvm::SmallString<128> path(inside);
  llvm::sys::path::append(path, name);
  std::error_code error;
  llvm::raw_fd_ostream os(path, error);
  if (error) {
    llvm::errs() << "cuda-case: " << path << ": " << error.message() << "\n";
    return failure();
  }
  os << bytes;
  return success();
}

/// What the kernel computes from the numbers in `values`, which has what it
/// writes afterwards.
LogicalResult interpret(tile::KernelOp kernel, tile::Rounding rounding,
                        std::vector<std::vector<double>> &values) {
  std::vector<tile::HostBuffer> buffers(values.begin(), values.end());
  tile::InterpretOptions options;
  options.rounding = rounding;
  return tile::interpretKernel(kernel, buffers, options);
}

/// Numbers for the buffers that are read, and what the kernel writes; `first`
/// is the number of its first buffer. With --noise `launch` hears what
/// roundings come to.
LogicalResult writeBuffers(tile::KernelOp kernel, unsigned first,
                           StringRef inside, llvm::raw_ostream &launch) {
  std::mt19937 random(7 + first);
  std::uniform_real_distribution<double> number(-1.0, 1.0);
  std::vector<std::vector<double>> values(kernel.getNumBuffers());
  for (unsigned i = 0; i < kernel.getNumBuffers(); ++i) {
    MemRefType type = kernel.getBufferType(i);
    values[i].resize(type.getNumElements());
    if (kernel.getBufferAccess(i) == tile::Access::Read) {
      std::string bytes;
      bool isInteger = isa<IntegerType>(type.getElementType());
      for (double &x : values[i]) {
        x = number(random);
        // Row numbers and truth values; some rows are outside.
        if (isInteger)
          x = type.getElementType().isInteger(1)
                  ? x > 0
                  : std::floor((x + 1) * integers / 2);
        // What a kernel narrows first is equal then as it was before.
        if (positive)
          x = tile::roundTo(BFloat16Type::get(kernel.getContext()),
                            std::fabs(x));
        x = tile::roundTo(type.getElementType(), x);
        appendElement(bytes, type.getElementType(), x);
      }
      if (failed(writeFile(inside, "input" + std::to_string(first + i) + ".bin",
                           bytes)))
        return failure();
    }
  }
  std::vector<std::vector<double>> rounded = values;
  tile::Rounding exact = tile::Rounding::exact64,
                 byTypes = tile::Rounding::typed;
  if (failed(interpret(kernel, typed ? byTypes : exact, values)))
    return failure();
  if (noise) {
    if (failed(interpret(kernel, byTypes, rounded)))
      return failure();
    for (unsigned i = 0; i < kernel.getNumBuffers(); ++i) {
      double most = 0, largest = 0;
      for (auto [x, y] : llvm::zip_equal(values[i], rounded[i])) {
        if (!std::isfinite(x) || !std::isfinite(y))
          continue;
        largest = std::max(largest, std::fabs(x));
        most = std::max(most, std::fabs(x - y));
      }
      // More than that is no rounding, but another choice (of a row's largest,
      // say), and the numbers at hand are to make the right one.
      if (most > 0 && most < largest / 50)
        launch << "noise " << first + i << " " << 4 * most << "\n";
    }
  }
  for (unsigned i = 0; i < kernel.getNumBuffers(); ++i)
    if (kernel.getBufferAccess(i) != tile::Access::Read &&
        failed(writeFile(inside,
                         "expected" + std::to_string(first + i) + ".bin",
                         StringRef(reinterpret_cast<char *>(values[i].data()),
                                   8 * values[i].size()))))
      return failure();
  return success();
}

} // namespace

/// Records one kernel, or several as one launch, in a folder; adds its text to
/// `source`.
static LogicalResult record(ArrayRef<tile::KernelOp> kernels,
                            const cuda::CudaOptions &options,
                            const std::string &inside, std::string &source) {
  std::string text, launchText;
  llvm::raw_string_ostream os(text), launchStream(launchText);
  FailureOr<cuda::CudaKernel> launch =
      grouped ? cuda::emitGroup({"group", SmallVector<tile::KernelOp>(kernels)},
                                options, os)
              : cuda::emitCuda(kernels.front(), options, os);
  if (failed(launch))
    return failure();
  source += text;
  cuda::writeLaunch(kernels, *launch, launchStream);
  launchStream << "bound " << absolute << " " << relative << "\n";
  KernelCost cost = costOf(kernels);
  launchStream << "flops " << (flops > 0 ? flops : double(cost.flops()))
               << "\nbytes " << cost.bytes() << "\n";
  if (timeOnly)
    launchStream << "time-only\n";
  if (std::error_code error = llvm::sys::fs::create_directories(inside)) {
    llvm::errs() << "cuda-case: " << inside << ": " << error.message() << "\n";
    return failure();
  }
  unsigned first = 0;
  for (tile::KernelOp kernel : kernels) {
    if (!timeOnly && failed(writeBuffers(kernel, first, inside, launchStream)))
      return failure();
    first += kernel.getNumBuffers();
  }
  return failure(
      failed(writeFile(inside, "kernel.cu", text)) ||
      failed(writeFile(inside, "launch.txt", launchText)) ||
      failed(writeFile(inside, "tarn_device.h", cuda::getDeviceHeader())));
}

int main(int argc, char **argv) {
  cl::ParseCommandLineOptions(argc, argv, "record a CUDA kernel\n");
  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry);
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(input, &context);
  if (!module)
    return 1;
  auto kernels = module->getOps<tile::KernelOp>();
  if (kernels.empty()) {
    llvm::errs() << "cuda-case: no kernel in " << input << "\n";
    return 1;
  }
  cuda::CudaOptions options;
  options.rotate = rotate;
  options.lines = lines;
  options.stages = stages;
  options.multiprocessors = multiprocessors;
  options.wgmma = wgmma;
  std::optional<cuda::Architecture> architecture = cuda::findArchitecture(arch);
  if (!architecture) {
    llvm::errs() << "cuda-case: no architecture " << arch << "\n";
    return 1;
  }
  options.architecture = *architecture;
  std::string source;
  SmallVector<tile::KernelOp> members;
  for (tile::KernelOp kernel : kernels)
    if (kernel.getSymName().contains(only))
      members.push_back(kernel);
  if (members.empty()) {
    llvm::errs() << "cuda-case: no kernel named `" << only << "`\n";
    return 1;
  }
  if (!all)
    return failed(record(grouped ? ArrayRef(members) : members.front(), options,
                         folder, source));
  llvm::StringSet<> done;
  if (!known.empty()) {
    if (auto file = llvm::MemoryBuffer::getFile(known))
      for (llvm::line_iterator line(**file); !line.is_at_eof(); ++line)
        done.insert(*line);
  }
  for (tile::KernelOp kernel : members)
    if (!done.insert(programHash(kernel)).second)
      continue;
    else if (failed(record(kernel, options,
                           folder + "/" + kernel.getSymName().str(), source)))
      return 1;
  if (!known.empty()) {
    std::string list;
    for (const auto &entry : done)
      list += (entry.first() + "\n").str();
    if (failed(writeFile("", known, list)))
      return 1;
  }
  return failed(writeFile(folder, "kernels.cu", source));
}
