//===- Report.h - what a plan says of a model's memory ----------*- C++ -*-===//
//
// One data model for everything that tells about a plan: the JSON, the
// terminal, the HTML page, exports, comparisons and assertions are functions of
// it. It is filled after the phase plan, from what that phase leaves in the
// module (programs, lives, kernels, the ladder) and from the cost model. Bytes
// and offsets are bytes, times are seconds, steps count the launches, copies
// and fills of a program with the bodies of repeats once.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_REPORT_REPORT_H
#define COMPILER_REPORT_REPORT_H

#include "runtime/Json.h"
#include "runtime/Status.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tarn::report {

/// A line of the model; line 0 = none.
struct Place {
  std::string file;
  int64_t line = 0, column = 0;
};

/// A value that a kernel makes in its prologue instead of reading it.
struct Made {
  std::string op, layer; ///< as of a tensor
  Place place;
  int64_t bytes = 0; ///< that it takes where it lies in memory
};

/// Why the kernel of a launch is not part of one that reads its results.
struct Border {
  std::string reason;
  std::string op; ///< of the reader; empty where it is about no reader
  Place place;    ///< of the reader
};

/// A launch, copy, fill, start of a copy or wait for one.
struct Step {
  std::string kernel; ///< the kernel's symbol; `copy`, `fill`
  std::string op;     ///< what shapes it: `dot`, `attention`, `row_mul`
  std::string layer;  ///< path of the module that asked for it; may be empty
  /// `forward`, `backward`, `again` (forward work done a second time),
  /// `update`, `metric`.
  std::string phase;
  Place place;
  /// Of a launch that is part of a group: the kernel of the group, of whose
  /// seconds it has a share. The members follow each other.
  std::string group;
  /// Of a launch: why no other kernel does its work; empty unless asked for.
  std::vector<Border> borders;
  int64_t repeats = 1;
  double seconds = 0; ///< of one launch
  double beside = 0;  ///< of a copy that runs beside the launches
  bool measured = false;
  std::vector<Made> prologue;
};

/// A kernel, or a group of launches as one, and all launches of it in a
/// function.
struct Kernel {
  /// Launches of one kernel in a group.
  struct Part {
    std::string kernel;
    int64_t launches = 0;
  };
  std::string name; ///< the symbol
  std::string op;
  std::vector<Part> members; ///< of a group
  Place place;
  int64_t launches = 0;
  double seconds = 0; ///< of one launch
  bool measured = false;
  std::string bound; ///< what a launch's time goes to: `compute`, `memory`,
                     ///< `cache`, `launch`
  int64_t flops = 0; ///< of products, of one launch
  int64_t bytes = 0; ///< moved by one launch
  /// Share of the device's roof: what the work takes at the peaks, of the
  /// seconds.
  double roof = 0;
};

/// A value that the plan placed.
struct Tensor {
  std::string name;
  /// A row of the breakdown: `weights`, `optimizer`, `gradients`, `saved`,
  /// `logits`, `recomputed`, `scratch`, `cache`, `state`, `inputs`, `outputs`,
  /// `constants`, `offloaded`.
  std::string role;
  std::string type;  ///< `f32[2048, 768]`
  std::string layer; ///< may be empty
  std::string op;    ///< of the kernel that makes it; of state its role
  std::string
      space; ///< `state`, `arena`, `input`, `output`, `constant`, `host`
  Place place;
  int64_t offset = 0, bytes = 0;
  /// Steps that it lives through, both included; -1 = before the program, the
  /// number of steps = after it.
  int64_t first = 0, last = 0;
  std::vector<int64_t> readers; ///< steps that read it
  std::string why;              ///< why it is kept, in words
  /// What computing it again would take, from what else is kept; negative where
  /// that is not possible or makes no sense.
  double againSeconds = -1;
  int64_t againKernels = 0;
};

/// A function of the model with its own program.
struct Function {
  std::string name;
  std::string kind; ///< `train`, `eval`, `generate`, `forward`, `init`
  int64_t arenaBytes = 0, inputBytes = 0, outputBytes = 0, hostBytes = 0;
  /// State, constants and the spaces above.
  int64_t totalBytes = 0;
  int64_t fullestStep = 0; ///< where most of the arena is alive
  int64_t liveBytes = 0;   ///< of the arena there
  double seconds = 0, error = 0;
  std::vector<Step> steps;
  std::vector<Kernel> kernels; ///< those that take longest in all first
  std::vector<Tensor> tensors; ///< all but the state
};

/// A part of the peak.
struct Row {
  std::string name;
  int64_t bytes = 0, tensors = 0;
};

/// A plan of the ladder.
struct Rung {
  std::string name;
  int64_t arenaBytes = 0, totalBytes = 0;
  double seconds = 0;
  int64_t repeats = 0;     ///< launches beyond the first of each kernel
  double againSeconds = 0; ///< that they take
  /// Copied to host memory in a step, and what of it is there at a time
  /// (pinned); seconds that the copies add to the step.
  int64_t offloadedBytes = 0, hostBytes = 0;
  double copySeconds = 0;
  /// Launches of kernels that make some of their inputs in their prologues.
  int64_t prologues = 0;
  /// Takes more than twice the seconds of `keep-all`: of little use to most.
  bool isSlow = false;
};

/// `count` stretches of `kernels` kernels that are alike, as layers are.
struct Alike {
  int64_t count = 0, kernels = 0;
};

/// A way to need less, or to be faster.
struct Advice {
  std::string what;   ///< `bf16`, `B=2`, `budget 3.2 GiB`
  std::string how;    ///< the option to give
  int64_t bytes = 0;  ///< the peak with it
  double seconds = 0; ///< of a step with it, per example where that changes
  bool fits = false;
  std::string numerics; ///< `exact`, `rounding`, `precision`, `meaning`
};

/// A choice that is not exact.
struct Choice {
  std::string numerics; ///< `rounding`, `meaning`
  std::string text;     ///< `loss in 8 chunks, logits -2.01 GiB`
  std::string function;
  Place place;
  int64_t bytes = 0; ///< that its values take less
};

/// The largest size that fits.
struct Fit {
  std::string dim;
  int64_t largest = 0, bytes = 0;
  double seconds = 0; ///< of a step with it
  /// The next that does not, and why: bytes it takes, or the model's words.
  int64_t next = 0, nextBytes = 0;
  std::string reason;
  std::string others; ///< the dims that were held
};

struct DeviceLine {
  std::string name, target;
  int64_t memoryBytes = 0;
  std::string memorySource;
  /// Context, code and library buffers: an estimate.
  int64_t driverBytes = 0;
  double driverError = 0;
  std::string driverSource;
  bool isCpu() const { return target.rfind("cpu:", 0) == 0; }
};

struct Report {
  std::string model, path;
  std::map<std::string, int64_t> shape;
  std::map<std::string, std::string> hyper;
  int64_t parameters = 0;
  std::string precision;
  bool precisionIsDefault = false;
  DeviceLine device;

  int64_t budgetBytes = -1; ///< negative: none
  std::string budgetFrom;   ///< `given`, `device`, `free memory`, `none`
  bool fits = true;

  /// All memory spaces: what the runtime asks for when all functions run.
  int64_t peakBytes = 0;
  int64_t stateBytes = 0, arenaBytes = 0, inputBytes = 0, outputBytes = 0,
          constantBytes = 0;
  /// The function whose arena is the largest, and its fullest moment.
  size_t peakFunction = 0;
  /// Each adds up to peakBytes.
  std::vector<Row> byRole, byLayer, byOp;

  std::vector<Tensor> state;
  std::vector<Function> functions;

  std::string chosen;
  std::vector<Rung> rungs;
  int64_t leastBytes = 0, boundBytes = 0, otherBytes = 0;
  /// Of the chosen rung, and what no plan of these kernels in as much memory
  /// goes below; how that was found. 0 and empty without a ladder.
  double planSeconds = 0, boundSeconds = 0;
  std::string boundMethod;
  std::vector<Alike> repeats;
  /// Estimated seconds of a training step, and how far off that may be.
  double seconds = 0, error = 0;
  /// `roofline`, or `measured, 12 of 14 kernels`.
  std::string times;

  int64_t hostBytes = 0, pinnedBytes = 0, checkpointBytes = 0;
  /// Host memory that loading a checkpoint reads through.
  int64_t stagingBytes = 0;
  std::vector<Choice> numerics;
  std::vector<Advice> advice;
  std::vector<Fit> largest;
  std::vector<std::string> notes;
};

/// Where the smallest plan is slow, the smallest that is not; else null.
const Rung *smallestInTime(const Report &report);

/// The function that trains, else the first; null without functions.
const Function *mainFunction(const Report &report);

/// The documented form (README.md, schema.json).
rt::Json toJson(const Report &report);

/// A report from that form; an error for anything else.
rt::Result<Report> fromJson(const rt::Json &json);

} // namespace tarn::report

#endif // COMPILER_REPORT_REPORT_H
