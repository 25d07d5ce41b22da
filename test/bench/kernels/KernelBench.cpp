//===- KernelBench.cpp - speed of compiled tile programs ------------------===//
//
// Times kernels of the test suite's tile programs on one core, round robin, and
// prints the best and the median of the rounds, with the share of the peak that
// a loop of independent FMAs reaches on the same core in the same run.
//
//   tarn-bench-kernels [--isa NAME] [--only TEXT] [--rounds N] [--file KERNELS]
//
// With --file the kernels of a file of tile programs are timed instead, and
// compared with the interpreter (not with --check no: that takes long for large
// ones).
//
//===----------------------------------------------------------------------===//

#include "compiler/Cost/MeasureDevice.h"
#include "test/compiler/Target/Cpu/RunKernel.h"
#include "test/dialects/Tile/Programs.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>

using namespace tarn;
using namespace tarn::cpu;
using namespace tarn::cpu::test;
using namespace tarn::tile::test;

static double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

namespace {

struct Case {
  std::string name, program;
  Sizes sizes;
  double flops = 0; ///< 0: report bytes instead
  double bytes = 0;
};

struct Running {
  Case what;
  std::unique_ptr<LoadedKernel> kernel;
  std::vector<RawBuffer> buffers;
  std::vector<void *> pointers;
  std::vector<double> seconds;
  double compileSeconds = 0;
  int repeats = 1;
};

std::string str(int64_t number) { return std::to_string(number); }

Case gemm(int64_t m, int64_t n, int64_t k, int64_t bm, int64_t bn, int64_t bk) {
  Case c{"gemm+bias+gelu " + str(m) + "x" + str(n) + "x" + str(k) + " blocks " +
             str(bm) + "x" + str(bn) + "x" + str(bk),
         "gemm",
         {{"M", str(m)},
          {"N", str(n)},
          {"K", str(k)},
          {"BM", str(bm)},
          {"BN", str(bn)},
          {"BK", str(bk)}}};
  c.flops = 2.0 * double(m) * double(n) * double(k);
  return c;
}

Case attention(bool backward, int64_t heads, int64_t t, int64_t d, int64_t br,
               int64_t bc) {
  Case c{std::string("attention ") + (backward ? "backward " : "forward ") +
             str(heads) + "x" + str(t) + "x" + str(d) + " blocks " + str(br) +
             "x" + str(bc),
         backward ? "attention_backward" : "attention_forward",
         {{"H", str(heads)},
          {"T", str(t)},
          {"D", str(d)},
          {"BR", str(br)},
          {"BC", str(bc)},
          {"SCALE", "0.125"}}};
  // The triangle only.
  c.flops = (backward ? 5.0 : 2.0) * double(heads * d) * double(t) * double(t);
  return c;
}

Case rows(const std::string &program, int64_t r, int64_t c, int64_t br) {
  Case what{program + " " + str(r) + "x" + str(c),
            program,
            {{"R", str(r)},
             {"C", str(c)},
             {"BR", str(br)},
             {"BC", str(c)},
             {"INV", std::to_string(1.0 / double(c))}}};
  what.bytes = 8.0 * double(r * c);
  return what;
}

} // namespace

/// Numbers for a buffer: row numbers and masks have a use in most kernels.
static std::vector<double> fill(tile::KernelOp kernel, unsigned i) {
  mlir::MemRefType type = kernel.getBufferType(i);
  int64_t count = type.getNumElements();
  if (kernel.getBufferAccess(i) == tile::Access::Accumulate)
    return std::vector<double>(count, 0.0);
  std::vector<double> numbers = randomNumbers(count, i + 1);
  for (int64_t k = 0; k != count; ++k) {
    if (type.getElementType().isInteger(1))
      numbers[k] = k % 3 != 0;
    else if (type.getElementType().isInteger())
      numbers[k] = double(k * 7 % 60);
  }
  return numbers;
}

static int timeFile(const std::string &path, const Isa &isa,
                    const std::string &only, int rounds, bool check) {
  auto text = llvm::MemoryBuffer::getFile(path);
  mlir::MLIRContext context;
  auto module = text ? parse(context, (*text)->getBuffer().str()) : nullptr;
  if (!module) {
    llvm::errs() << "error: cannot read kernels of " << path << "\n";
    return 1;
  }
  for (tile::KernelOp kernel : module->getOps<tile::KernelOp>()) {
    if (kernel.getSymName().str().find(only) == std::string::npos)
      continue;
    double start = now();
    LoadedKernel loaded(kernel, isa);
    double compile = now() - start;
    if (!loaded.error().empty()) {
      llvm::errs() << kernel.getSymName() << ": " << loaded.error() << "\n";
      continue;
    }
    std::vector<std::vector<double>> numbers;
    std::vector<RawBuffer> buffers;
    std::vector<void *> pointers;
    double bytes = 0;
    for (unsigned i = 0; i != kernel.getNumBuffers(); ++i) {
      mlir::Type element = kernel.getBufferType(i).getElementType();
      numbers.push_back(fill(kernel, i));
      buffers.emplace_back(element, numbers.back());
      numbers.back() = buffers.back().numbers();
      bytes += double(numbers.back().size()) *
               std::max(8u, element.getIntOrFloatBitWidth()) / 8;
    }
    for (RawBuffer &buffer : buffers)
      pointers.push_back(buffer.data());
    loaded.run(pointers);
    std::vector<tile::HostBuffer> views;
    for (auto &buffer : numbers)
      views.push_back(buffer);
    double error = check ? std::numeric_limits<double>::infinity() : 0;
    if (check && mlir::succeeded(tile::interpretKernel(
                     kernel, views, {tile::Rounding::exact64}))) {
      error = 0;
      for (unsigned i = 0; i != kernel.getNumBuffers(); ++i) {
        double scale = 1;
        for (double number : numbers[i])
          if (std::isfinite(number))
            scale = std::max(scale, std::fabs(number));
        error =
            std::max(error, maxError(buffers[i].numbers(), numbers[i]) / scale);
      }
    }
    double best = 1e9;
    for (int round = 0; round != rounds; ++round) {
      start = now();
      loaded.run(pointers);
      best = std::min(best, now() - start);
    }
    llvm::outs() << llvm::format(
        "%-28s %9.1f us  %6.1f GB/s  blocks %5d  scratch %7d  error %.1e  "
        "compiled in %3.0f ms\n",
        kernel.getSymName().str().c_str(), best * 1e6, bytes / best / 1e9,
        int(loaded.info().blocks), int(loaded.info().scratchBytes), error,
        compile * 1e3);
  }
  return 0;
}

int main(int argc, char **argv) {
  const Isa *isa = &hostIsa();
  std::string only, file;
  int rounds = 9;
  bool check = true;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!strcmp(argv[i], "--isa"))
      isa = lookupIsa(argv[i + 1]);
    else if (!strcmp(argv[i], "--only"))
      only = argv[i + 1];
    else if (!strcmp(argv[i], "--check"))
      check = strcmp(argv[i + 1], "no") != 0;
    else if (!strcmp(argv[i], "--file"))
      file = argv[i + 1];
    else if (!strcmp(argv[i], "--rounds"))
      rounds = std::max(1, atoi(argv[i + 1]));
  }
  if (!isa) {
    llvm::errs() << "error: --isa is one of " << isaNames() << "\n";
    return 1;
  }
  if (!file.empty())
    return timeFile(file, *isa, only, rounds, check);
  double peak = measurePeak(isa->name, 1) / 1e9;
  llvm::outs() << "level " << isa->name << ", FMA peak "
               << llvm::format("%.1f", peak) << " GFLOPS\n";

  std::vector<Case> cases = {
      gemm(1024, 3072, 768, 128, 768, 768),
      gemm(1024, 3072, 768, 128, 256, 768),
      gemm(1024, 3072, 768, 128, 256, 256),
      gemm(768, 128, 128, 64, 128, 128),
      gemm(768, 384, 128, 64, 128, 128),
      gemm(768, 512, 128, 128, 256, 128),
      gemm(768, 128, 512, 64, 128, 512),
      gemm(768, 256, 128, 64, 256, 128),
      attention(false, 12, 1024, 64, 64, 64),
      attention(true, 12, 1024, 64, 64, 64),
      attention(false, 48, 64, 32, 64, 64),
      attention(true, 48, 64, 32, 64, 64),
      attention(false, 48, 64, 32, 32, 32),
      attention(true, 48, 64, 32, 32, 32),
      rows("softmax", 1024, 3072, 2),
      rows("softmax", 768, 256, 8),
      rows("layer_norm", 1024, 3072, 2),
      rows("layer_norm", 768, 128, 8),
  };
  mlir::MLIRContext context;
  std::vector<std::unique_ptr<Running>> running;
  for (const Case &what : cases) {
    if (what.name.find(only) == std::string::npos)
      continue;
    auto module = parse(context, instantiate(what.program, what.sizes));
    if (!module)
      return 1;
    tile::KernelOp kernel = firstKernel(*module);
    auto run = std::make_unique<Running>();
    run->what = what;
    double start = now();
    run->kernel = std::make_unique<LoadedKernel>(kernel, *isa);
    run->compileSeconds = now() - start;
    if (!run->kernel->error().empty()) {
      llvm::errs() << what.name << ": " << run->kernel->error() << "\n";
      return 1;
    }
    for (unsigned i = 0; i != kernel.getNumBuffers(); ++i) {
      int64_t count = kernel.getBufferType(i).getNumElements();
      // The log-sum of attention must be large enough for exp to stay finite.
      bool sums = what.program == "attention_backward" && i == 4;
      run->buffers.emplace_back(kernel.getBufferType(i).getElementType(),
                                sums ? std::vector<double>(count, 4.0)
                                     : randomNumbers(count, i + 1));
    }
    for (RawBuffer &buffer : run->buffers)
      run->pointers.push_back(buffer.data());
    run->kernel->run(run->pointers);
    start = now();
    run->kernel->run(run->pointers);
    run->repeats = std::max(1, int(2e-3 / (now() - start)));
    running.push_back(std::move(run));
  }
  for (int round = 0; round != rounds; ++round)
    for (auto &run : running) {
      double start = now();
      for (int i = 0; i != run->repeats; ++i)
        run->kernel->run(run->pointers);
      run->seconds.push_back((now() - start) / run->repeats);
    }
  for (auto &run : running) {
    std::sort(run->seconds.begin(), run->seconds.end());
    double best = run->seconds.front();
    double median = run->seconds[run->seconds.size() / 2];
    llvm::outs() << llvm::format("%-52s %9.3f ms  med %9.3f  ",
                                 run->what.name.c_str(), best * 1e3,
                                 median * 1e3);
    if (run->what.flops)
      llvm::outs() << llvm::format("%6.1f GFLOPS %3.0f %%",
                                   run->what.flops / best / 1e9,
                                   run->what.flops / best / 1e7 / peak);
    else
      llvm::outs() << llvm::format("%6.1f GB/s       ",
                                   run->what.bytes / best / 1e9);
    llvm::outs() << llvm::format("  compiled in %.0f ms\n",
                                 run->compileSeconds * 1e3);
  }
  return 0;
}
