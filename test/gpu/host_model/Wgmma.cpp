//===- Wgmma.cpp - asynchronous matrix products of a warpgroup ------------===//

#include "test/gpu/host_model/Block.h"

#include <algorithm>

using namespace tarn::gpu;

namespace {

/// Terms of a product, and bytes of a factor.
int depthOf(const WgmmaOp &op) { return op.factor == host_tf32 ? 8 : 16; }
int bytesOf(const WgmmaOp &op) { return op.factor == host_tf32 ? 4 : 2; }

/// Row of accumulator register i of thread t.
int fragmentRow(int t, int i) {
  return t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8;
}
/// Column of accumulator register i of thread t.
int fragmentColumn(int t, int i) { return i / 4 * 8 + t % 4 * 2 + i % 2; }

float toFloat(u16 bits, HostFactor factor) {
  return factor == host_bf16 ? to_float(bf16{bits}) : to_float(f16{bits});
}

/// The fields of a shared-memory descriptor.
struct Descriptor {
  u32 start, leading, stride, swizzle;
  explicit Descriptor(u64 bits)
      : start(static_cast<u32>(bits & 0x3FFF) << 4),
        leading(static_cast<u32>(bits >> 16 & 0x3FFF) << 4),
        stride(static_cast<u32>(bits >> 32 & 0x3FFF) << 4),
        swizzle(static_cast<u32>(bits >> 62)) {}
};

/// Where element e of term k lies.
u32 addressOf(const WgmmaOp &op, const Descriptor &d, int k, int e,
              bool mnMajor) {
  u32 address =
      mnMajor ? d.start + e / 64 * d.leading + k / 8 * d.stride + k % 8 * 128 +
                    e % 64 * 2
              : d.start + e / 8 * d.stride + e % 8 * 128 + k * bytesOf(op);
  return address ^ (address >> 7 & 7) << 4;
}

/// Notes the bytes of an operand as read.
void noteReads(const WgmmaOp &op, u64 bits, int extent, bool mnMajor) {
  Descriptor d(bits);
  int depth = depthOf(op);
  for (int i = 0; i < extent * depth; i += 16 / bytesOf(op)) {
    // Chunks of 16 bytes: eight of them to a row of 128 bytes.
    int k = mnMajor ? i / extent : i % depth;
    int e = mnMajor ? i % extent : i / depth;
    block->checker->accessAsync(
        op.flight, block->view.shared + addressOf(op, d, k, e, mnMajor), 16,
        false, false, op.line);
  }
}

/// Reads an operand of `extent` elements a term through its descriptor as the
/// hardware walks it, to out[k][extent]. Of tf32 the lower bits count for
/// nothing.
void fetch(const WgmmaOp &op, u64 bits, int extent, bool mnMajor,
           std::vector<float> &out) {
  Descriptor d(bits);
  int depth = depthOf(op), bytes = bytesOf(op);
  out.assign(static_cast<size_t>(extent) * depth, 0.f);
  if (d.swizzle != 1)
    fatalFault("wgmma descriptor: only 128-byte swizzling is modelled",
               op.line);
  for (int k = 0; k < depth; ++k)
    for (int e = 0; e < extent; ++e) {
      u32 address = addressOf(op, d, k, e, mnMajor), element = 0;
      if (address + bytes > block->view.bytes)
        fatalFault("wgmma reads outside shared memory", op.line);
      memcpy(&element, block->view.shared + address, bytes);
      out[k * extent + e] = op.factor == host_tf32
                                ? __uint_as_float(element & ~0x1FFFu)
                                : toFloat(element, op.factor);
    }
}

void execute(Warpgroup &group, WgmmaOp &op) {
  static thread_local std::vector<float> a, b;
  if (op.fromRegisters)
    a = op.registersA;
  else
    fetch(op, op.a, 64, op.transposeA, a);
  fetch(op, op.b, op.n, op.transposeB, b);
  if (block->checker) {
    if (!op.fromRegisters)
      noteReads(op, op.a, 64, op.transposeA);
    noteReads(op, op.b, op.n, op.transposeB);
  }
  Accumulator &acc = group.accumulators[op.key];
  if (!op.add)
    std::fill(acc.matrix.begin(), acc.matrix.end(), 0.f);
  for (int m = 0; m < 64; ++m)
    for (int k = 0; k < depthOf(op); ++k) {
      float x = a[k * 64 + m];
      float *d = &acc.matrix[m * op.n];
      const float *row = &b[k * op.n];
      for (int n = 0; n < op.n; ++n)
        d[n] += x * row[n];
    }
  op.run = true;
  if (--acc.inFlight != 0)
    return;
  for (int t = 0; t < 128; ++t)
    for (int i = 0; i < op.n / 2; ++i)
      acc.fragments[t][i] =
          acc.matrix[fragmentRow(t, i) * op.n + fragmentColumn(t, i)];
  group.accumulators.erase(op.key);
}

/// Takes the accumulator from the threads' registers, which are NaN until it
/// comes back.
void start(Warpgroup &group, WgmmaOp &op) {
  op.key = op.fragments[0];
  Accumulator &acc = group.accumulators[op.key];
  ++acc.inFlight;
  if (!acc.fragments.empty())
    return;
  acc.fragments = op.fragments;
  acc.matrix.resize(64 * op.n);
  for (int t = 0; t < 128; ++t)
    for (int i = 0; i < op.n / 2; ++i) {
      acc.matrix[fragmentRow(t, i) * op.n + fragmentColumn(t, i)] =
          op.fragments[t][i];
      op.fragments[t][i] = NAN;
    }
}

void retire(Warpgroup &group) {
  while (!group.ops.empty() && group.ops.front().run) {
    group.ops.pop_front();
    ++group.retired;
  }
}

} // namespace

void host_wgmma(float *d, int n, HostFactor factor, u64 a, const u32 *registers,
                u64 b, int add, int transposeA, int transposeB, int line) {
  Warpgroup &group = block->warpgroups[fiber->thread.number / 128];
  int t = fiber->thread.number % 128;
  uint64_t number = fiber->issued++ - group.retired;
  if (number == group.ops.size())
    group.ops.push_back({a,
                         b,
                         add != 0,
                         transposeA != 0,
                         transposeB != 0,
                         registers != nullptr,
                         factor,
                         n,
                         line,
                         fiber->groups,
                         0,
                         false,
                         nullptr,
                         std::vector<float *>(128),
                         {},
                         {},
                         {}});
  WgmmaOp &op = group.ops[number];
  if (op.a != a || op.b != b || op.add != (add != 0) || op.n != n ||
      op.fromRegisters != (registers != nullptr) || op.factor != factor ||
      op.group != fiber->groups)
    fault("wgmma: operands differ inside a warpgroup", line);
  op.fragments[t] = d;
  if (!fiber->isFenced)
    fault("wgmma without a fence behind the last use of its registers", line);
  releaseTo(op.clock);
  if (registers) {
    op.registersA.resize(64 * depthOf(op));
    for (int q = 0; q < 4; ++q)
      for (int h = 0; h < 2; ++h) {
        int row = t / 32 * 16 + t % 32 / 4 + q % 2 * 8;
        int k = t % 4 * 2 + h + q / 2 * 8;
        op.registersA[k * 64 + row] = toFloat(registers[q] >> 16 * h, factor);
      }
  }
  if (++op.issuers < 128)
    return;
  start(group, op);
  if (block->checker) {
    op.flight = block->checker->begin(op.clock);
    group.uncovered.push_back({op.group, op.flight.epoch});
  }
  if (block->schedule->wgmma != Completion::early)
    return;
  execute(group, op);
}

void host_wgmma_fence() { fiber->isFenced = true; }

void host_wgmma_commit(int) { ++fiber->groups; }

void host_wgmma_wait(int pending, int line) {
  Warpgroup &group = block->warpgroups[fiber->thread.number / 128];
  fiber->isFenced = false;
  if (++group.waiters != 128)
    return blockOn(group.waiting, "wgmma.wait_group", line);
  group.waiters = 0;
  int last = fiber->groups - pending;
  for (WgmmaOp &op : group.ops)
    if (op.issuers != 128)
      fatalFault("wgmma that not all warps of the warpgroup issued", op.line);
  // Groups complete in order; under the random schedule some complete that
  // nobody waited for.
  if (block->schedule->wgmma == Completion::random && block->random() % 2 == 0)
    last = fiber->groups;
  for (WgmmaOp &op : group.ops)
    if (op.group < last && !op.run)
      execute(group, op);
  // What the products read is over for all threads that waited.
  if (block->checker) {
    Clock clock;
    std::erase_if(group.uncovered, [&](const std::pair<int, Epoch> &product) {
      auto [number, epoch] = product;
      if (number >= fiber->groups - pending)
        return false;
      clock.entry(epoch.agent) = std::max(clock[epoch.agent], epoch.moment);
      return true;
    });
    acquireFrom(clock);
    wake(group.waiting, &clock);
  }
  retire(group);
  wake(group.waiting);
}

void host_set_registers(int registers, int line) {
  int count = registers < 0 ? -registers : registers;
  if (count < 24 || count > 256 || count % 8 != 0)
    fault("setmaxnreg of a number that is not a multiple of 8 in 24 to 256",
          line);
  Warpgroup &group = block->warpgroups[fiber->thread.number / 128];
  if (group.registers && group.registers != count)
    fault("setmaxnreg differs inside a warpgroup", line);
  group.registers = count;
  // The pool is what the block was launched with: 65536 registers over its
  // threads, in steps of 8; an increase beyond it blocks for ever.
  int groups = static_cast<int>(block->warpgroups.size()), sum = 0;
  for (const Warpgroup &g : block->warpgroups)
    sum += g.registers;
  int launched = 65536 / (groups * 128) / 8 * 8;
  if (sum > launched * groups)
    fault("setmaxnreg asks for more registers than the block has", line);
}
