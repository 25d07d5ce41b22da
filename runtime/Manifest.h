//===- Manifest.h - What an artifact says it holds -------------*- C++ -*-===//
//
// The compiler fills a Manifest and writes it as JSON; the runtime parses it
// and believes nothing in it before validate(). README.md has the schema.
//
//===----------------------------------------------------------------------===//
#ifndef TARN_RUNTIME_MANIFEST_H
#define TARN_RUNTIME_MANIFEST_H

#include "runtime/DType.h"
#include "runtime/Json.h"
#include "runtime/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tarn::rt {

/// One allocation each at run time. Host is the memory beside the device, which
/// only copies reach.
enum class Space : uint8_t { State, Arena, Input, Output, Constant, Host };
constexpr unsigned spaceCount = 6;
/// "state", "arena", "input", "output", "constant", "host".
const char *spaceName(Space space);

/// A tensor at a fixed place of the state, input or output space, row-major
/// without gaps.
struct TensorDesc {
  std::string name;
  std::string role;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  uint64_t offset = 0; ///< in its space; a multiple of 64
  uint64_t bytes = 0;  ///< product of the shape times the element's size
  bool save = false;   ///< state only: part of a checkpoint
  bool trainable = false;
};

/// Bytes that a kernel or a copy touches: `offset` in `space`, plus `stride`
/// for each iteration of the innermost repeat around it.
struct Slice {
  Space space = Space::Arena;
  uint64_t offset = 0;
  uint64_t stride = 0;
};

/// A parameter of a kernel: how many bytes from the pointer on it may touch.
struct KernelArg {
  /// Partial: written whole, each block a part of its own.
  enum class Access : uint8_t { Read, Write, ReadWrite, Partial };
  uint64_t bytes = 0;
  Access access = Access::Read;
};

constexpr unsigned accessCount = 4;
/// "r", "w", "rw", "p".
const char *accessName(KernelArg::Access access);

/// A tensor in the device's memory as the tensor memory accelerator reads it,
/// a box at a time; f32 is rounded to tf32 on the way. Dimensions go from the
/// fastest on.
struct TensorMapDesc {
  DType dtype = DType::BF16;
  std::vector<uint64_t> sizes;   ///< elements
  std::vector<uint64_t> strides; ///< bytes, of dimension 1 and up
  std::vector<uint32_t> box;     ///< elements
  uint32_t swizzle = 128;        ///< bytes of a swizzled row; 0: none
};

/// A word of a table: a number, or the address of an argument.
struct TableWord {
  bool isAddress = false;
  uint64_t value = 0; ///< the number, or the argument's index
};

/// A parameter of a kernel of a CUDA target: the address of an argument, a
/// tensor map on it, or a table of words, by value.
struct KernelParam {
  uint32_t buffer = 0; ///< index of the argument; of a table: 0
  std::optional<TensorMapDesc> map;
  /// Of a kernel that does the work of several launches: what each of them is
  /// given. Empty: no table.
  std::vector<TableWord> table = {};

  /// What a launch passes.
  uint64_t bytes() const {
    return map ? 128 : table.empty() ? 8 : 8 * table.size();
  }
};

/// A matrix, or a batch of them, in an argument of a library's product.
/// Distances are elements.
struct LibraryMatrix {
  uint32_t buffer = 0; ///< index of the argument
  DType dtype = DType::F32;
  uint64_t offset = 0;     ///< of the first element
  bool transposed = false; ///< memory runs along the transpose's rows
  uint64_t leading = 0;    ///< from row to row, as memory runs
  uint64_t stride = 0;     ///< from matrix to matrix of a batch; 0: one for all
};

/// A kernel of a CUDA target that a library runs (cuBLASLt): d = a b, with at
/// most one of addend and bias added, all in f32, rounded once.
struct LibraryProduct {
  int64_t rows = 0, columns = 0, depth = 0, batch = 1;
  bool tf32 = false; ///< a and b, in f32, are rounded to tf32 on the way
  LibraryMatrix a, b, d;
  std::optional<uint32_t> addend; ///< argument; lies as d does
  std::optional<uint32_t> bias;   ///< argument; an element of d's type a column
  std::optional<uint32_t> workspace; ///< argument
  /// What was measured as the fastest: opaque bytes in hexadecimal, for one
  /// version of the library on one device; empty: the library's first choice.
  std::string algorithm;
  uint64_t version = 0;
  std::string device;
};

/// A kernel that is one candidate of several, in artifacts for tuning.
struct TuneEntry {
  std::string key;     ///< of what they all compute: 16 hexadecimal digits
  std::string product; ///< for people
  std::vector<int64_t> block; ///< rows, columns, terms; empty: a library's
};

/// A compiled block program.
struct Kernel {
  std::string symbol; ///< exported name in the code section
  std::string name;   ///< for people
  int64_t location = -1;
  uint64_t scratch = 0; ///< bytes that a block needs for itself
  int64_t flops = 0;    ///< of one launch, for reports
  int64_t bytes = 0;
  std::string program; ///< hash of what it computes; the key of its times
  Json work;           ///< what the compiler counted, for reports; or null
  std::vector<KernelArg> args;
  /// Pairs of arguments, read and written, that may be the same bytes.
  std::vector<std::pair<uint32_t, uint32_t>> inPlace;

  // CUDA targets only.
  uint32_t image = 0;     ///< which of the target's images has it
  uint32_t threads = 0;   ///< of a block
  uint32_t shared = 0;    ///< bytes of dynamic shared memory of a block
  uint32_t registers = 0; ///< of a thread, for reports
  uint32_t cluster = 1;   ///< blocks of a cluster
  /// Its blocks walk over a launch's: no more are launched than the device has
  /// multiprocessors.
  bool persistent = false;
  std::vector<KernelParam> params;
  /// A library runs it: no image, threads or params.
  std::optional<LibraryProduct> library;
  std::optional<TuneEntry> tune;
};

/// One entry of a function's program.
struct Op {
  enum class Kind : uint8_t { Launch, Copy, Fill, Repeat, CopyStart, Wait };
  Kind kind = Kind::Launch;
  int64_t location = -1;
  // launch
  uint32_t kernel = 0;
  int64_t blocks = 1;
  std::vector<Slice> args;
  // copy, copy_start, fill
  Slice to, from;
  uint64_t bytes = 0;
  uint8_t value = 0;
  /// copy_start: the one it gives; wait: those it takes.
  std::vector<uint32_t> tokens;
  // repeat
  int64_t count = 0;
  std::vector<Op> body;
};

/// What the plan keeps in a stretch of memory, and while which steps: for
/// reports and for the plan checker; running a program does not need it. Steps
/// count the launches, copies, fills, starts and waits of the unrolled program.
struct PlanValue {
  std::string name;
  std::string role;
  Space space = Space::Arena;
  uint64_t offset = 0, bytes = 0;
  int64_t first = 0; ///< step that first writes it; -1: before the program
  int64_t last = 0;  ///< step that last reads it; number of steps: after it
  /// A repeat makes the value anew this often, each `period` steps later.
  int64_t turns = 1, period = 0;
  int64_t location = -1;
};

/// A step function: a program over the shared state.
struct Function {
  std::string name;
  std::string kind; ///< init, train, micro, eval, generate, forward
  uint64_t arenaBytes = 0, inputBytes = 0, outputBytes = 0, hostBytes = 0;
  std::vector<TensorDesc> inputs, outputs;
  std::vector<Op> program;
  std::vector<PlanValue> values;

  /// The bytes of a space that only runs of this function need; 0 for the
  /// state and constants, which all functions share.
  uint64_t spaceBytes(Space space) const;
};

/// Kernel launches in one run of a program, repeats as often as they turn.
int64_t countLaunches(const std::vector<Op> &program);

/// Copies that one run starts beside its kernels.
int64_t countStartedCopies(const std::vector<Op> &program);

/// Where a target's functions run.
enum class TargetKind : uint8_t { Cpu, Cuda };

/// A stretch of a code section.
struct CodeSpan {
  uint64_t offset = 0; ///< a multiple of 64
  uint64_t bytes = 0;
};

/// Code for one kind of processor.
struct Target {
  TargetKind kind = TargetKind::Cpu;
  /// An instruction set, or an architecture: "sm_80", "sm_90a". "host" stands
  /// for whatever the driver takes (host-compiled kernels, in tests).
  std::string isa;
  std::string code;  ///< name of the section with the shared object
  std::string nvrtc; ///< CUDA: version of the compiler that made the images
  std::vector<CodeSpan> images; ///< CUDA: cubins in the section
  std::vector<Kernel> kernels;
  std::vector<Function> functions;
};

/// A place in a model's source.
struct Location {
  std::string file;
  int64_t line = 0, column = 0;
};

struct Manifest {
  std::string model;
  Json hyper = Json::object(); ///< hyper-parameters by name
  Json shape = Json::object(); ///< symbolic dimensions by name
  int64_t seed = 0;            ///< default seed
  std::vector<TensorDesc> state;
  uint64_t stateBytes = 0, constantBytes = 0;
  std::vector<Location> locations;
  std::vector<Target> targets;
};

/// The value of "format" in a manifest.
constexpr int64_t manifestFormat = 1;

/// The JSON text of the section `manifest`.
std::string writeManifest(const Manifest &manifest);

/// Reads and validates the section `manifest`. Where the section `constants`
/// is at hand, `constantBytes` is its size and must be the manifest's.
Result<Manifest>
parseManifest(std::string_view text,
              std::optional<uint64_t> constantBytes = std::nullopt);

/// Every check that keeps a program inside its spaces: places and sizes of
/// tensors, kernel indices, slices over all iterations of repeats, bounds on
/// counts, no write to inputs or constants. parseManifest calls it; writers
/// call it to find their own mistakes.
Status validate(const Manifest &manifest);

/// The part of validate() that is about a CUDA target: images, shapes of
/// launches, parameters, tensor maps.
Status validateCudaTarget(const Target &target);

/// What is wrong with a product that a library runs; empty if nothing is.
std::string libraryProblem(const Kernel &kernel);

/// Bytes of an algorithm in a manifest.
constexpr size_t libraryAlgorithmBytes = 64;

/// 13 for images of NVRTC "13.0.88"; nothing when that is no version. For
/// kernels that were compiled for the host it is 0.
std::optional<unsigned> nvrtcMajor(const Target &target);

/// Elements of a shape; nothing when it is negative, too deep or too large.
std::optional<uint64_t> elementCount(const std::vector<int64_t> &shape);

/// "f32[12, 64]".
std::string typeText(DType dtype, const std::vector<int64_t> &shape);

} // namespace tarn::rt

#endif // TARN_RUNTIME_MANIFEST_H
