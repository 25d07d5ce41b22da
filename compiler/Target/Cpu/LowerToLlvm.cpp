//===- LowerToLlvm.cpp - from vector IR to the LLVM dialect ---------------===//

#include "compiler/Target/Cpu/LowerToLlvm.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVMPass.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::cpu;

namespace {

/// Replaces transcendental functions by polynomials in plain arithmetic: the
/// same bits on every machine with FMA, and no library at run time.
struct ApproximateMath
    : public PassWrapper<ApproximateMath, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ApproximateMath)
  StringRef getArgument() const override { return "tarn-cpu-math"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, math::MathDialect,
                    vector::VectorDialect>();
  }
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    MathPolynomialApproximationOptions options;
    options.enableAvx2 = false;
    populateMathPolynomialApproximationPatterns(patterns, options);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

/// void SYMBOL(args, block, scratch): fetches the buffers' addresses, places
/// the scratches one after the other, and calls the body.
static LogicalResult addEntry(ModuleOp module, StringRef symbol) {
  auto body = module.lookupSymbol<LLVM::LLVMFuncOp>((symbol + ".body").str());
  if (!body)
    return module.emitError("the kernel's body was not lowered");
  OpBuilder b(module.getContext());
  b.setInsertionPointToEnd(module.getBody());
  Location loc = module.getLoc();
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto type =
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()),
                                  {pointer, b.getI64Type(), pointer});
  auto entry = LLVM::LLVMFuncOp::create(b, loc, symbol, type);
  Block *block = entry.addEntryBlock(b);
  b.setInsertionPointToStart(block);
  SmallVector<Value> arguments;
  bool afterBlock = false;
  int64_t buffer = 0;
  // The sizes of the scratches were noted before their types were lost.
  auto sizes = body->getAttrOfType<DenseI64ArrayAttr>("tarn.scratch_offsets");
  int64_t scratch = 0;
  for (Type argument : body.getArgumentTypes()) {
    if (argument.isInteger(64)) {
      arguments.push_back(block->getArgument(1));
      afterBlock = true;
    } else if (!afterBlock) {
      Value slot =
          LLVM::GEPOp::create(b, loc, pointer, pointer, block->getArgument(0),
                              ArrayRef<LLVM::GEPArg>{int32_t(buffer++)});
      arguments.push_back(LLVM::LoadOp::create(b, loc, pointer, slot));
    } else {
      arguments.push_back(LLVM::GEPOp::create(
          b, loc, pointer, b.getI8Type(), block->getArgument(2),
          ArrayRef<LLVM::GEPArg>{int32_t(sizes[scratch++])}));
    }
  }
  LLVM::CallOp::create(b, loc, body, arguments);
  LLVM::ReturnOp::create(b, loc, ValueRange());
  body.setLinkage(LLVM::Linkage::Internal);
  return success();
}

/// Notes where each scratch argument starts in the thread's scratch memory.
static void placeScratches(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>()) {
    SmallVector<int64_t> offsets;
    int64_t next = 0;
    bool afterBlock = false;
    for (Type type : function.getArgumentTypes()) {
      if (type.isIndex()) {
        afterBlock = true;
      } else if (afterBlock) {
        auto memref = cast<MemRefType>(type);
        offsets.push_back(next);
        next += llvm::alignTo(
            memref.getNumElements() * memref.getElementTypeBitWidth() / 8, 64);
      }
    }
    function->setAttr("tarn.scratch_offsets",
                      DenseI64ArrayAttr::get(module.getContext(), offsets));
  }
}

static LogicalResult runPasses(ModuleOp module) {
  PassManager pm(module.getContext(), ModuleOp::getOperationName());
  pm.enableVerifier(false);
  pm.addPass(std::make_unique<ApproximateMath>());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addNestedPass<func::FuncOp>(createLoopInvariantCodeMotionPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  ConvertFuncToLLVMPassOptions functions;
  functions.useBarePtrCallConv = true;
  pm.addPass(createConvertFuncToLLVMPass(functions));
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createUBToLLVMConversionPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  return pm.run(module);
}

LogicalResult tarn::cpu::prepareLowering(MLIRContext &context) {
  context.loadDialect<arith::ArithDialect, cf::ControlFlowDialect,
                      func::FuncDialect, LLVM::LLVMDialect, math::MathDialect,
                      memref::MemRefDialect, scf::SCFDialect, ub::UBDialect,
                      vector::VectorDialect>();
  // The first run registers what the passes need.
  OwningOpRef<ModuleOp> empty = ModuleOp::create(UnknownLoc::get(&context));
  return runPasses(*empty);
}

LogicalResult tarn::cpu::lowerToLlvm(ModuleOp module, StringRef symbol) {
  placeScratches(module);
  if (failed(runPasses(module)))
    return failure();
  return addEntry(module, symbol);
}
