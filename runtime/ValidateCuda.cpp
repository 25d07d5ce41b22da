//===- ValidateCuda.cpp - What a CUDA target asks of a device -------------===//
//
// The limits are those of the driver's launch and of cuTensorMapEncodeTiled;
// found here, they are an error in the manifest and not in the middle of a run.
//
//===----------------------------------------------------------------------===//

#include "runtime/Manifest.h"

#include <algorithm>

using namespace tarn::rt;

static constexpr uint32_t threadsLimit = 1024;
static constexpr uint32_t registersLimit = 255;
static constexpr uint32_t registersOfProcessor = 65536;
/// What a block may have on sm_90; less elsewhere, which the device tells.
static constexpr uint32_t sharedLimit = 232448;
static constexpr uint32_t clusterLimit = 16;
static constexpr int64_t gridLimit = (int64_t(1) << 31) - 1;
static constexpr uint64_t paramBytesLimit = 32764;
static constexpr uint64_t imageAlignment = 64;
/// Of the tensor memory accelerator.
static constexpr size_t mapRankLimit = 5;
static constexpr uint64_t mapSizeLimit = uint64_t(1) << 32;
static constexpr uint64_t mapStrideLimit = uint64_t(1) << 40;
static constexpr uint32_t mapBoxLimit = 256;
static constexpr uint64_t mapRowBytes = 16;

/// "sm_90a" -> 90; 0 for "host"; nothing for what is no architecture.
static std::optional<unsigned> architectureNumber(const std::string &isa) {
  if (isa == "host")
    return 0;
  if (isa.compare(0, 3, "sm_") != 0)
    return std::nullopt;
  size_t at = 3;
  unsigned number = 0;
  while (at < isa.size() && at < 6 && isa[at] >= '0' && isa[at] <= '9')
    number = number * 10 + static_cast<unsigned>(isa[at++] - '0');
  bool suffix = at + 1 == isa.size() && (isa[at] == 'a' || isa[at] == 'f');
  if (number < 50 || (at != isa.size() && !suffix))
    return std::nullopt;
  return number;
}

/// What is wrong with a map of `bytes` bytes; empty if nothing is.
static std::string mapProblem(const TensorMapDesc &map, uint64_t bytes) {
  auto text = [](uint64_t number) { return std::to_string(number); };
  size_t rank = map.sizes.size();
  if (rank < 1 || rank > mapRankLimit)
    return "has rank " + text(rank) + ", not 1 to 5";
  if (map.strides.size() != rank - 1 || map.box.size() != rank)
    return "has " + text(map.strides.size()) + " strides and " +
           text(map.box.size()) + " box extents for rank " + text(rank);
  uint64_t element = dtypeSize(map.dtype), end = element;
  for (size_t d = 0; d < rank; ++d) {
    if (map.sizes[d] < 1 || map.sizes[d] > mapSizeLimit)
      return "has a dimension of " + text(map.sizes[d]) + " elements";
    if (map.box[d] < 1 || map.box[d] > mapBoxLimit)
      return "has a box of " + text(map.box[d]) + " elements, not 1 to 256";
    uint64_t stride = d ? map.strides[d - 1] : element;
    if (d && (stride % mapRowBytes || stride >= mapStrideLimit))
      return "has a stride of " + text(stride) +
             " bytes, no multiple of 16 below 2^40";
    // At most (2^32 - 1) * 2^40 each: bounded one by one.
    uint64_t reach;
    if (__builtin_mul_overflow(map.sizes[d] - 1, stride, &reach) ||
        __builtin_add_overflow(end, reach, &end))
      return "reaches outside of any memory";
  }
  if (end > bytes)
    return "reaches " + text(end) + " bytes far into an argument of " +
           text(bytes);
  uint64_t row = map.box[0] * element;
  if (row % mapRowBytes)
    return "has box rows of " + text(row) + " bytes, no multiple of 16";
  if (map.swizzle != 0 && map.swizzle != 32 && map.swizzle != 64 &&
      map.swizzle != 128)
    return "has a swizzle of " + text(map.swizzle) +
           " bytes, not 0, 32, 64 or 128";
  if (map.swizzle && row > map.swizzle)
    return "has box rows of " + text(row) + " bytes under a swizzle of " +
           text(map.swizzle);
  return {};
}

static std::string kernelProblem(const Target &target, const Kernel &kernel,
                                 unsigned architecture) {
  auto text = [](uint64_t number) { return std::to_string(number); };
  if (kernel.scratch)
    return "scratch, which only CPU targets have";
  if (kernel.tune && (kernel.tune->key.size() != 16 ||
                      kernel.tune->key.find_first_not_of("0123456789abcdef") !=
                          std::string::npos ||
                      kernel.tune->block.size() != (kernel.library ? 0 : 3)))
    return "it is no candidate: a key of 16 hexadecimal digits, and a block "
           "of rows, columns and terms unless a library runs it";
  if (kernel.library)
    return libraryProblem(kernel);
  if (kernel.image >= target.images.size())
    return "there is no image " + text(kernel.image);
  if (kernel.threads < 1 || kernel.threads > threadsLimit)
    return "blocks of " + text(kernel.threads) + " threads, not 1 to 1024";
  if (kernel.shared > sharedLimit)
    return text(kernel.shared) + " bytes of shared memory, more than " +
           text(sharedLimit);
  if (kernel.registers > registersLimit ||
      kernel.registers * kernel.threads > registersOfProcessor)
    return text(kernel.registers) + " registers for " + text(kernel.threads) +
           " threads are more than a processor has";
  if (kernel.cluster < 1 || kernel.cluster > clusterLimit)
    return "clusters of " + text(kernel.cluster) + " blocks, not 1 to 16";
  if (kernel.persistent && kernel.cluster > 1)
    return "it is persistent, and has clusters";
  bool hopper = architecture == 0 || architecture >= 90;
  if (kernel.cluster > 1 && !hopper)
    return "clusters, which " + target.isa + " has not";
  uint64_t bytes = 0;
  for (size_t i = 0; i < kernel.params.size(); ++i) {
    const KernelParam &param = kernel.params[i];
    std::string where = "parameter " + text(i) + " ";
    if (param.table.empty() && param.buffer >= kernel.args.size())
      return where + "names argument " + text(param.buffer) + " of " +
             text(kernel.args.size());
    for (const TableWord &word : param.table)
      if (word.isAddress && word.value >= kernel.args.size())
        return where + "is a table with argument " + text(word.value) + " of " +
               text(kernel.args.size());
    bytes += param.bytes();
    if (!param.map)
      continue;
    if (!param.table.empty())
      return where + "is a tensor map and a table";
    if (!hopper)
      return where + "is a tensor map, which " + target.isa + " has not";
    std::string problem =
        mapProblem(*param.map, kernel.args[param.buffer].bytes);
    if (!problem.empty())
      return where + "is a tensor map that " + problem;
  }
  if (bytes > paramBytesLimit)
    return text(bytes) + " bytes of parameters, more than " +
           text(paramBytesLimit);
  return {};
}

static std::string programProblem(const Target &target,
                                  const std::vector<Op> &program) {
  for (const Op &op : program) {
    if (op.kind == Op::Kind::Repeat) {
      std::string inner = programProblem(target, op.body);
      if (!inner.empty())
        return inner;
    }
    if (op.kind != Op::Kind::Launch || op.kernel >= target.kernels.size())
      continue;
    const Kernel &kernel = target.kernels[op.kernel];
    if (op.blocks > gridLimit)
      return "kernel `" + kernel.symbol + "`: a grid of " +
             std::to_string(op.blocks) +
             " blocks is too large; a device takes 2^31 - 1";
    if (kernel.library && op.blocks != 1)
      return "kernel `" + kernel.symbol + "`: a library's product in " +
             std::to_string(op.blocks) + " blocks, not one";
    if (op.blocks % kernel.cluster)
      return "kernel `" + kernel.symbol + "`: a grid of " +
             std::to_string(op.blocks) + " blocks in clusters of " +
             std::to_string(kernel.cluster);
  }
  return {};
}

Status tarn::rt::validateCudaTarget(const Target &target) {
  auto fail = [&](const std::string &message) {
    return Status(Code::Invalid, "manifest: " + target.isa + ": " + message);
  };
  std::optional<unsigned> architecture = architectureNumber(target.isa);
  if (!architecture)
    return fail("no CUDA architecture; one is written sm_90a");
  if (!nvrtcMajor(target))
    return fail("`" + target.nvrtc + "` is no version of NVRTC");
  uint64_t end = 0;
  for (const CodeSpan &image : target.images) {
    if (image.offset % imageAlignment || image.offset < end || !image.bytes ||
        __builtin_add_overflow(image.offset, image.bytes, &end))
      return fail("the images do not lie one behind the other at multiples of "
                  "64");
  }
  for (const Kernel &kernel : target.kernels)
    if (std::string problem = kernelProblem(target, kernel, *architecture);
        !problem.empty())
      return fail("kernel `" + kernel.symbol + "`: " + problem);
  for (const Function &function : target.functions)
    if (std::string problem = programProblem(target, function.program);
        !problem.empty())
      return fail("function `" + function.name + "`: " + problem);
  return {};
}

std::optional<unsigned> tarn::rt::nvrtcMajor(const Target &target) {
  const std::string &text = target.nvrtc;
  if (text.empty() && target.isa == "host")
    return 0;
  size_t digits = 0;
  unsigned major = 0;
  while (digits < text.size() && digits < 3 && text[digits] >= '0' &&
         text[digits] <= '9')
    major = major * 10 + static_cast<unsigned>(text[digits++] - '0');
  if (!digits || (digits < text.size() && text[digits] != '.'))
    return std::nullopt;
  return major;
}
