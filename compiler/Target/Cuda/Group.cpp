//===- Group.cpp - several launches as one kernel -------------------------===//

#include "compiler/Target/Cuda/Group.h"

#include "compiler/Target/Cuda/Flatten.h"
#include "compiler/Target/Cuda/Simt.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::cuda;

/// Words of a row beside the addresses: first block and function, elements.
static constexpr int64_t wordsOfRow = 2;

int64_t cuda::tableBytes(int64_t members, int64_t buffers) {
  return members * (wordsOfRow + buffers) * 8;
}

std::optional<unsigned> cuda::threadsInGroup(tile::KernelOp kernel) {
  bool hasProducts = kernel
                         ->walk([](Operation *op) {
                           return isa<tile::DotOp, tile::DotScaledOp>(op)
                                      ? WalkResult::interrupt()
                                      : WalkResult::advance();
                         })
                         .wasInterrupted();
  if (hasProducts)
    return std::nullopt;
  FlatKernel flat = flatten(kernel);
  CudaOptions options;
  CudaKernel launch;
  return SimtEmitter(flat ? *flat.kernel : kernel, options, launch)
      .getThreads();
}

namespace {

/// A function of the kernel, and how it is launched alone.
struct Body {
  tile::KernelOp of; ///< the first member's
  SmallVector<unsigned> buffers;
  CudaKernel launch;
  std::string text;
  bool isCounted = false;
};

/// What a member calls.
struct Row {
  size_t body;
  int64_t blocks, count;
  /// The member's buffers in the order of the function's.
  SmallVector<unsigned> buffers;
};

class GroupEmitter {
public:
  GroupEmitter(const KernelGroup &group, const CudaOptions &options)
      : group(group), options(options) {
    this->options.isBody = true;
  }
  FailureOr<CudaKernel> run(llvm::raw_ostream &os);

private:
  LogicalResult addMember(tile::KernelOp kernel);
  LogicalResult write(tile::KernelOp kernel, StringRef name, bool isCounted,
                      bool lines, CudaKernel &launch, std::string &text);
  CudaKernel launchOfAll() const;
  void writeTable(llvm::raw_ostream &os) const;
  void writeKernel(const CudaKernel &launch, llvm::raw_ostream &os) const;

  const KernelGroup &group;
  CudaOptions options;
  std::vector<Body> bodies;
  std::vector<Row> rows;
  /// Functions of vectors by their text without names; others by kernel.
  llvm::StringMap<size_t> byText;
  llvm::DenseMap<Operation *, Row> byKernel;
  unsigned buffers = 0;
};

} // namespace

LogicalResult GroupEmitter::write(tile::KernelOp kernel, StringRef name,
                                  bool isCounted, bool lines,
                                  CudaKernel &launch, std::string &text) {
  CudaOptions own = options;
  own.isCounted = isCounted;
  own.lines = lines;
  own.wgmma = false;
  launch.architecture = options.architecture;
  OwningOpRef<tile::KernelOp> named(kernel.clone());
  named->setSymName(name);
  llvm::raw_string_ostream stream(text);
  return SimtEmitter(*named, own, launch).run(stream);
}

/// The text that kernels which do the same share: without the model's names.
static OwningOpRef<tile::KernelOp> withoutNames(tile::KernelOp kernel) {
  OwningOpRef<tile::KernelOp> bare(kernel.clone());
  Location nowhere = UnknownLoc::get(kernel.getContext());
  bare->walk([&](Operation *op) {
    op->setLoc(nowhere);
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (BlockArgument argument : block.getArguments())
          argument.setLoc(nowhere);
  });
  return bare;
}

LogicalResult GroupEmitter::addMember(tile::KernelOp kernel) {
  buffers = std::max(buffers, kernel.getNumBuffers());
  if (auto known = byKernel.find(kernel); known != byKernel.end()) {
    rows.push_back(known->second);
    return success();
  }
  FlatKernel flat = flatten(kernel);
  SmallVector<unsigned> order(flat.buffers);
  if (!flat)
    llvm::append_range(order, llvm::seq(kernel.getNumBuffers()));
  size_t index = bodies.size();
  if (flat) {
    std::string key;
    CudaKernel ignored;
    if (failed(write(*withoutNames(*flat.kernel), "body", /*isCounted=*/true,
                     /*lines=*/false, ignored, key)))
      return failure();
    index = byText.try_emplace(key, index).first->second;
  }
  if (index == bodies.size()) {
    Body body;
    body.of = kernel;
    body.buffers = order;
    body.isCounted = bool(flat);
    StringRef name = kernel.getSymName();
    name.consume_front("k_");
    if (failed(write(flat ? *flat.kernel : kernel,
                     group.name + "_" + name.str(), body.isCounted,
                     options.lines, body.launch, body.text)))
      return failure();
    bodies.push_back(std::move(body));
  }
  Row row{index, bodies[index].launch.blocks, 0, order};
  if (flat) {
    row.count = flat.elements;
    row.blocks = llvm::divideCeil(row.count, flatBlock);
  }
  byKernel[kernel] = row;
  rows.push_back(row);
  return success();
}

/// The launch of the group, with its table.
CudaKernel GroupEmitter::launchOfAll() const {
  CudaKernel launch;
  launch.name = group.name;
  launch.architecture = options.architecture;
  launch.threads = bodies.front().launch.threads;
  launch.registerLimit = bodies.front().launch.registerLimit;
  for (const Body &body : bodies)
    launch.sharedBytes = std::max(launch.sharedBytes, body.launch.sharedBytes);
  CudaParameter parameter;
  uint64_t buffer = 0;
  for (auto [row, kernel] : llvm::zip(rows, group.members)) {
    tile::KernelOp member = kernel;
    parameter.table.push_back(
        {false, uint64_t(launch.blocks) | uint64_t(row.body) << 32});
    parameter.table.push_back({false, uint64_t(row.count)});
    for (unsigned i = 0; i < buffers; ++i)
      parameter.table.push_back(i < row.buffers.size()
                                    ? CudaWord{true, buffer + row.buffers[i]}
                                    : CudaWord{});
    buffer += member.getNumBuffers();
    launch.blocks += row.blocks;
  }
  launch.parameters.push_back(std::move(parameter));
  return launch;
}

void GroupEmitter::writeTable(llvm::raw_ostream &os) const {
  os << "// What " << rows.size() << " launches are given, by their blocks.\n"
     << "struct " << group.name << "_table {\n"
     << "  struct {\n"
     << "    u32 first, body; // of its blocks; what they run\n"
     << "    i64 count;       // elements, where tensors are vectors\n"
     << "    void *buffers[" << buffers << "];\n"
     << "  } launches[" << rows.size() << "];\n"
     << "};\n\n";
}

void GroupEmitter::writeKernel(const CudaKernel &launch,
                               llvm::raw_ostream &os) const {
  Text text(options.lines);
  tile::KernelOp first = bodies.front().of;
  text.at(first.getLoc());
  text.line("SIMT_KERNEL(" + Twine(launch.threads) + ")");
  text.open(group.name + "(BY_VALUE(" + group.name + "_table) table) {");
  text.line("// The last launch that begins at this block or before it.");
  text.line("int at = 0;");
  text.open("for (int end = " + Twine(rows.size()) + "; at + 1 < end;) {");
  text.line("const int middle = (at + end) / 2;");
  text.line("if (table.launches[middle].first <= blockIdx.x)");
  text.line("  at = middle;");
  text.line("else");
  text.line("  end = middle;");
  text.close();
  text.line("const int block = (int)(blockIdx.x - table.launches[at].first);");
  if (llvm::any_of(bodies, [](const Body &body) { return body.isCounted; }))
    text.line("const int count = (int)table.launches[at].count;");
  if (bodies.size() > 1)
    text.open("switch (table.launches[at].body) {");
  for (auto [number, body] : llvm::enumerate(bodies)) {
    if (bodies.size() > 1) {
      --text.depth;
      text.open("case " + Twine(number) + ":");
    }
    std::string arguments;
    tile::KernelOp kernel = body.of;
    for (auto [i, buffer] : llvm::enumerate(body.buffers)) {
      bool read = kernel.getBufferAccess(buffer) == tile::Access::Read;
      arguments += (read ? "(const " : "(") +
                   memoryType(kernel.getBufferType(buffer).getElementType()) +
                   " *)table.launches[at].buffers[" + std::to_string(i) +
                   "],\n" + std::string(2 * text.depth + 4, ' ');
    }
    text.line(body.launch.name + "(" + arguments + "block" +
              (body.isCounted ? ", count" : "") + ");");
    if (bodies.size() > 1)
      text.line("break;");
  }
  if (bodies.size() > 1)
    text.close();
  text.close();
  os << text.buffer;
}

FailureOr<CudaKernel> GroupEmitter::run(llvm::raw_ostream &os) {
  for (tile::KernelOp kernel : group.members)
    if (failed(addMember(kernel)))
      return failure();
  for (const Body &body : bodies)
    if (body.launch.threads != bodies.front().launch.threads ||
        body.launch.family != Family::simt)
      return tile::KernelOp(body.of).emitError(
          "a group's kernels have blocks of different threads");
  CudaKernel launch = launchOfAll();
  if (launch.blocks > INT32_MAX)
    return bodies.front().of.emitError("a group of ")
           << launch.blocks << " blocks, a launch takes " << INT32_MAX;
  if (int64_t bytes = launch.parameters[0].bytes(); bytes > parameterBytesLimit)
    return bodies.front().of.emitError("a group's table of ")
           << bytes << " bytes, a launch takes " << parameterBytesLimit;
  os << "#include \"tarn_device.h\"\n\n";
  writeTable(os);
  for (const Body &body : bodies)
    os << body.text << "\n";
  writeKernel(launch, os);
  return launch;
}

FailureOr<CudaKernel> cuda::emitGroup(const KernelGroup &group,
                                      const CudaOptions &options,
                                      llvm::raw_ostream &os) {
  return GroupEmitter(group, options).run(os);
}
