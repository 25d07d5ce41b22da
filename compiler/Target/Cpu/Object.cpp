//===- Object.cpp - LLVM IR to one shared object --------------------------===//

#include "compiler/Target/Cpu/LowerToLlvm.h"

#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"

#include "lld/Common/Driver.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Parallel.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/ThreadPool.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"

#include <mutex>

LLD_HAS_DRIVER(elf)

using namespace mlir;
using namespace tarn;
using namespace tarn::cpu;

static const char *const tripleText = "x86_64-unknown-linux-gnu";

static void initializeTarget() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
  });
}

static std::unique_ptr<llvm::TargetMachine> createMachine(const Isa &isa) {
  initializeTarget();
  std::string error;
  llvm::Triple triple(tripleText);
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  llvm::TargetOptions options;
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, isa.processor, isa.features, options, llvm::Reloc::PIC_,
      std::nullopt, llvm::CodeGenOptLevel::Default));
}

FailureOr<SmallVector<char>> tarn::cpu::emitObject(ModuleOp module,
                                                   const Isa &isa) {
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> ir =
      translateModuleToLLVMIR(module, context, "kernels");
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(isa);
  if (!ir || !machine)
    return module.emitError("cannot be translated to machine code"), failure();
  ir->setTargetTriple(llvm::Triple(tripleText));
  ir->setDataLayout(machine->createDataLayout());
  for (llvm::Function &function : *ir)
    if (!function.isDeclaration()) {
      function.addFnAttr("target-cpu", isa.processor);
      function.addFnAttr("target-features", isa.features);
      // Loops that copy stay loops: kernels call nothing.
      function.addFnAttr("no-builtins");
    }

  // The IR is vectorised already: a short list does what O3 would, in a quarter
  // of the time.
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder passes(machine.get());
  passes.registerModuleAnalyses(modules);
  passes.registerCGSCCAnalyses(components);
  passes.registerFunctionAnalyses(functions);
  passes.registerLoopAnalyses(loops);
  passes.crossRegisterProxies(loops, functions, components, modules);
  llvm::ModulePassManager pipeline;
  if (llvm::Error error = passes.parsePassPipeline(
          pipeline, "function(sroa,early-cse,instcombine<no-verify-fixpoint>,"
                    "simplifycfg,loop-mssa(licm),early-cse,"
                    "instcombine<no-verify-fixpoint>,simplifycfg)")) {
    llvm::consumeError(std::move(error));
    return module.emitError("the list of LLVM passes is wrong"), failure();
  }
  pipeline.run(*ir, modules);

  SmallVector<char> object;
  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager codegen;
  if (machine->addPassesToEmitFile(codegen, stream, nullptr,
                                   llvm::CodeGenFileType::ObjectFile))
    return module.emitError("no object files for this target"), failure();
  codegen.run(*ir);
  return object;
}

/// A temporary file that goes away with this.
namespace {
struct TemporaryFile {
  SmallString<128> path;
  explicit TemporaryFile(StringRef suffix) {
    if (llvm::sys::fs::createTemporaryFile("tarn", suffix, path))
      path.clear();
  }
  ~TemporaryFile() {
    if (!path.empty())
      llvm::sys::fs::remove(path);
  }
};
} // namespace

std::string tarn::cpu::linkObjects(ArrayRef<SmallVector<char>> objects,
                                   std::string &error) {
  // The linker keeps global state: one link at a time.
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  std::vector<std::unique_ptr<TemporaryFile>> inputs;
  TemporaryFile output("so");
  for (const SmallVector<char> &object : objects) {
    inputs.push_back(std::make_unique<TemporaryFile>("o"));
    std::error_code code;
    llvm::raw_fd_ostream file(inputs.back()->path, code);
    if (!code)
      file.write(object.data(), object.size());
    file.close();
    if (code || file.has_error() || inputs.back()->path.empty() ||
        output.path.empty()) {
      file.clear_error();
      error = "cannot write temporary files (is the disk full?)";
      return "";
    }
  }
  SmallVector<const char *> arguments = {
      "ld.lld", "-shared",          "-z",
      "defs",   "--hash-style=gnu", "--build-id=none",
      "-z",     "noexecstack",      "--threads=1",
      "-o",     output.path.c_str()};
  for (auto &input : inputs)
    arguments.push_back(input->path.c_str());
  std::string messages;
  llvm::raw_string_ostream stream(messages);
  lld::Result result =
      lld::lldMain(arguments, stream, stream, {{lld::Gnu, &lld::elf::link}});
  auto linked = llvm::MemoryBuffer::getFile(output.path, false, false);
  if (result.retCode != 0 || !linked) {
    error = "linking kernels failed: " + messages;
    return "";
  }
  return (*linked)->getBuffer().str();
}

FailureOr<CompiledKernels>
tarn::cpu::compileKernels(ArrayRef<tile::KernelOp> kernels, const Isa &isa,
                          unsigned threads) {
  CompiledKernels compiled;
  compiled.kernels.resize(kernels.size());
  if (kernels.empty())
    return compiled;
  MLIRContext *context = kernels[0]->getContext();
  DialectRegistry registry;
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  context->appendDialectRegistry(registry);

  if (failed(prepareLowering(*context)))
    return failure();
  std::vector<OwningOpRef<ModuleOp>> modules(kernels.size());
  for (size_t i = 0; i != kernels.size(); ++i) {
    auto module = lowerKernel(kernels[i], isa, compiled.kernels[i]);
    if (failed(module))
      return failure();
    modules[i] = std::move(*module);
  }
  std::vector<SmallVector<char>> objects(kernels.size());
  std::atomic<bool> good = true;
  if (!context->isMultithreadingEnabled())
    threads = 1;
  context->enterMultiThreadedExecution();
  {
    llvm::StdThreadPool pool(llvm::hardware_concurrency(threads));
    for (size_t i = 0; i != kernels.size(); ++i)
      pool.async([&, i] {
        tile::KernelOp kernel = kernels[i];
        if (failed(lowerToLlvm(*modules[i], kernel.getSymName()))) {
          kernel.emitError("could not be lowered to LLVM");
          good = false;
          return;
        }
        FailureOr<SmallVector<char>> object = emitObject(*modules[i], isa);
        if (succeeded(object))
          objects[i] = std::move(*object);
        else
          good = false;
      });
    pool.wait();
  }
  context->exitMultiThreadedExecution();
  if (!good)
    return failure();
  std::string error;
  compiled.object = linkObjects(objects, error);
  if (compiled.object.empty()) {
    tile::KernelOp first = kernels[0];
    return first.emitError(error), failure();
  }
  return compiled;
}
