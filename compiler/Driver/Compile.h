//===- Compile.h - from a model's text to an artifact -----------*- C++ -*-===//
//
// The driver as a library: the command line, the tests and a later Python
// module all compile through this one function.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_DRIVER_COMPILE_H
#define COMPILER_DRIVER_COMPILE_H

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include "compiler/Cost/Tuning.h"
#include "compiler/Target/Cuda/CompileKernels.h"
#include "runtime/Manifest.h"

namespace tarn {

/// What the planner may do beyond exact choices; each takes in those before.
enum class Allowed { exact, rounding, meaning };

/// What to compile, and how.
struct CompileRequest {
  /// Path of the .tarn file, or of a Hugging Face config.json.
  std::string model;
  /// Hyper-parameters by name, as text.
  std::map<std::string, std::string> set;
  /// Symbolic dimensions by name.
  std::map<std::string, int64_t> shape;
  /// `auto`, `cpu`, `cpu:ISA`, `cuda:ARCHITECTURE`, a device's name; empty =
  /// auto. All get one layout of the state, each its own kernels and plan.
  std::vector<std::string> targets;
  /// What is kept for the backward pass: `keep-all`, `sqrt`, `recompute-all`,
  /// `offload-all` or `auto`.
  std::string policy = "keep-all";
  /// Who runs plain products on GPUs: `own` kernels, or `cublaslt` where it
  /// can.
  std::string gemm = "own";
  /// A file of `tarn bench --tune`: the fastest candidate of each product;
  /// empty = none.
  std::string tuneFile;
  /// Make an artifact for `tarn bench --tune` instead: the candidates of each
  /// product, and functions that run them. For one CUDA target.
  bool tuneCandidates = false;
  /// Bytes that all memory spaces together may take; negative: no limit.
  int64_t budgetBytes = -1;
  /// Bytes of host memory that a plan may park values in; negative: no limit.
  int64_t hostBytes = -1;
  /// Keep all where that fits, though another plan is faster.
  bool keepAllFirst = false;
  /// Go on with the smallest plan where none fits into the budget; the error is
  /// told, and `leastBudget` is set.
  bool orSmallest = false;
  /// Of the work that goes into plans of small graphs, the share to do: less
  /// where many sizes are tried.
  double effort = 1;
  Allowed allowed = Allowed::exact;
  /// Say, where the budget is missed, that it is met with more allowed, if it
  /// is (which takes more plans).
  bool offers = true;
  /// Without a budget, the memory of devices that `targets` names is one.
  bool deviceBudget = true;
  /// Folder for the IR after each pass that changed it; empty = none.
  std::string dump;
  /// Begin with this phase (flag name of compiler/Pipeline), on IR that
  /// stopped before it; empty = import.
  std::string from;
  /// Stop after this phase; empty = package.
  std::string to;
  /// Print the model's places into the IR, so that later phases know them.
  bool locations = false;
  bool verifyEachNumerics = false;
  /// Plan for this device (a name, alias, file or target of compiler/Cost)
  /// instead of `targets`; no code is made for it, so `to` ends at plan.
  /// Empty: times are estimated for the CPU.
  std::string device;
  /// A file with measured times of kernels; empty = none.
  std::string times;
  /// The precision of training steps that say nothing, and of all of them;
  /// empty: what the model says, and bf16 where it says nothing and all targets
  /// are GPUs.
  std::string defaultPrecision, forcedPrecision;
  /// Stop when the text of the CUDA targets' kernels is written; it is in the
  /// result.
  bool emitOnly = false;
  /// Put the kernels' text into the artifact.
  bool keepSource = false;
  /// Launches say why they are kernels of their own (Report::Step::border).
  bool explainFusion = false;
  /// Launch one by one what a GPU could launch as one.
  bool ungrouped = false;
  /// Whether compiled kernels may come from the cache on disk.
  bool cache = true;
  /// Who compiles CUDA text; null = NVRTC.
  const cuda::KernelCompiler *cudaCompiler = nullptr;
  /// Sees the module where compilation stops before package.
  std::function<void(mlir::ModuleOp)> visit;
  /// Where messages go; null = stderr.
  llvm::raw_ostream *errors = nullptr;
  /// Compile this function with its gradients instead of a training step.
  std::string gradientOf;
};

/// Who runs a kernel with a product on a GPU.
struct ProductNote {
  std::string kernel;
  std::string architecture;
  bool isLibrary = false;
  std::string tunedBy; ///< its key in the tuning file, which decided
  /// `128 x 192 x 64 bf16 -> f32 + bias`; empty: no candidate for a library.
  std::string product;
  std::string why; ///< it is none
  /// Blocks that it may have, its own first, and what the cost model says.
  std::vector<std::string> blocks;
};

/// A choice that is not exact.
struct NumericsNote {
  std::string numericsClass; ///< `rounding`, `meaning`
  std::string function;
  std::string text; ///< `loss in 8 chunks, logits -2.01 GiB`
  std::string file; ///< of the model; empty if there is none
  int64_t line = 0, column = 0;
  int64_t bytes = 0; ///< that its values take less
};

/// A plan that fits, were more allowed.
struct Offer {
  Allowed allowed = Allowed::rounding;
  std::string text; ///< `loss in 8 chunks`
  int64_t bytes = 0;
  double seconds = 0;
};

/// What came out.
struct CompileResult {
  /// The artifact's bytes; empty when stopped before package.
  std::vector<char> artifact;
  /// The IR where compilation stopped, when it stopped early.
  std::string ir;
  /// Seconds per phase, in order.
  std::vector<std::pair<std::string, double>> seconds;
  /// Trainable and frozen parameters together, in elements.
  uint64_t parameters = 0;
  /// The policy of the training step: `fp32`, `tf32`, `bf16`.
  std::string precision = "fp32";
  /// The model does not say its precision.
  bool precisionIsDefault = false;
  /// Where the budget was missed: the smallest that is met.
  std::optional<int64_t> leastBudget;
  std::vector<Offer> offers;
  /// Choices that are not exact.
  std::vector<NumericsNote> numerics;
  /// What the artifact says of itself; empty when stopped before package.
  rt::Manifest manifest;
  /// Products of the CUDA targets.
  std::vector<ProductNote> products;
  /// The tuning file that was read.
  std::optional<Tuning> tuning;
  /// Text and code of the CUDA targets' kernels.
  std::vector<cuda::CompiledKernels> cuda;
};

/// How a compilation ended. Messages were printed to stderr already.
enum class CompileStatus {
  success,
  /// The user's error (model, option): exit code 1.
  userError,
  /// A failed invariant of Tarn's own: exit code 70.
  internalError
};

/// Compiles `request`. Diagnostics go to stderr as the model's file, line and
/// caret.
CompileStatus compile(const CompileRequest &request, CompileResult &result);

/// Whether a path names a model to compile, and not an artifact: .tarn, .mlir,
/// or a Hugging Face configuration (.json).
bool isModel(const std::string &path);

/// Elements of all parameters in a module, each once.
uint64_t countParameters(mlir::ModuleOp module);

/// Only imports and verifies: what `tarn check` does. The module lives in
/// `context`, which must have Tarn's dialects loaded (see registerDialects).
CompileStatus importModel(const CompileRequest &request,
                          mlir::MLIRContext &context,
                          mlir::OwningOpRef<mlir::ModuleOp> &module);

} // namespace tarn

#endif // COMPILER_DRIVER_COMPILE_H
