//===- Program.cpp - A function's program, ready to run -------------------===//

#include "runtime/Program.h"

#include <algorithm>
#include <chrono>
#include <cstring>

using namespace tarn::rt;

/// Bytes of a large copy or fill that one block moves.
static constexpr uint64_t moveChunk = uint64_t(256) << 10;

Program::Program(const Function &function,
                 const std::vector<KernelFunction> &kernels,
                 const SpaceBases &bases, CopyStreams &streams)
    : streams(streams) {
  bind(function.program, kernels, bases);
  current.assign(start.begin(), start.end());
}

void Program::bind(const std::vector<Op> &ops,
                   const std::vector<KernelFunction> &kernels,
                   const SpaceBases &bases) {
  auto address = [&](const Slice &slice, Bound &bound) {
    uint8_t *base = bases[static_cast<unsigned>(slice.space)];
    // An empty space has no memory; only empty slices lie in it.
    start.push_back(base ? base + slice.offset : nullptr);
    strides.push_back(slice.stride);
    bound.moves |= slice.stride != 0;
    ++bound.arguments;
  };
  for (const Op &op : ops) {
    Bound bound;
    bound.kind = op.kind;
    bound.source = &op;
    bound.first = static_cast<uint32_t>(start.size());
    switch (op.kind) {
    case Op::Kind::Launch:
      bound.kernel = kernels[op.kernel];
      bound.index = op.kernel;
      bound.count = op.blocks;
      for (const Slice &slice : op.args)
        address(slice, bound);
      break;
    case Op::Kind::CopyStart:
      bound.stream = op.to.space == Space::Host ? streams.toHost.get()
                                                : streams.others.get();
      flightOf[op.tokens.front()] = static_cast<uint32_t>(flights.size());
      bound.flights = {static_cast<uint32_t>(flights.size())};
      flights.push_back({bound.stream, 0});
      [[fallthrough]];
    case Op::Kind::Copy:
      bound.bytes = op.bytes;
      address(op.to, bound);
      address(op.from, bound);
      break;
    case Op::Kind::Fill:
      bound.bytes = op.bytes;
      bound.value = op.value;
      address(op.to, bound);
      break;
    case Op::Kind::Wait:
      for (uint32_t token : op.tokens)
        bound.flights.push_back(flightOf.at(token));
      break;
    case Op::Kind::Repeat:
      bound.count = op.count;
      break;
    }
    size_t place = operations.size();
    operations.push_back(bound);
    if (op.kind == Op::Kind::Repeat) {
      bind(op.body, kernels, bases);
      operations[place].bodyEnd = static_cast<uint32_t>(operations.size());
    }
  }
}

namespace {
/// What the blocks of a large move share.
struct Move {
  uint8_t *to;
  const uint8_t *from;
  uint64_t bytes;
  uint8_t value;
};
} // namespace

static void moveBlock(void *const *args, int64_t block, void *) {
  const Move &move = *static_cast<const Move *>(args[0]);
  uint64_t begin = static_cast<uint64_t>(block) * moveChunk;
  uint64_t size = std::min(moveChunk, move.bytes - begin);
  if (move.from)
    std::memcpy(move.to + begin, move.from + begin, size);
  else
    std::memset(move.to + begin, move.value, size);
}

static void runMove(Move move, Pool &pool) {
  if (!move.bytes)
    return;
  bool overlap = move.from && move.to < move.from + move.bytes &&
                 move.from < move.to + move.bytes;
  if (overlap) {
    std::memmove(move.to, move.from, move.bytes);
    return;
  }
  void *args[1] = {&move};
  pool.run(moveBlock, args,
           static_cast<int64_t>((move.bytes + moveChunk - 1) / moveChunk));
}

void Program::runOne(const Bound &op, Pool &pool) {
  void *const *args = current.data() + op.first;
  switch (op.kind) {
  case Op::Kind::Launch:
    pool.run(op.kernel, args, op.count);
    break;
  case Op::Kind::Copy:
    runMove({static_cast<uint8_t *>(args[0]),
             static_cast<const uint8_t *>(args[1]), op.bytes, 0},
            pool);
    break;
  case Op::Kind::CopyStart:
    flights[op.flights.front()].ticket =
        op.stream->start(args[0], args[1], op.bytes);
    break;
  case Op::Kind::Wait:
    for (uint32_t flight : op.flights)
      flights[flight].stream->wait(flights[flight].ticket);
    break;
  case Op::Kind::Fill:
    runMove({static_cast<uint8_t *>(args[0]), nullptr, op.bytes, op.value},
            pool);
    break;
  case Op::Kind::Repeat:
    break;
  }
}

static uint64_t nanosecondsNow() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(
          std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

static void add(KernelTime &time, uint64_t since) {
  ++time.launches;
  time.nanoseconds += nanosecondsNow() - since;
}

Status Program::runDebugged(const Bound &op, Pool &pool, Debugger &debugger) {
  Status status;
  if (op.kind == Op::Kind::Launch)
    status =
        debugger.launch(*op.source, op.kernel, current.data() + op.first, pool);
  else
    runOne(op, pool);
  if (status.ok())
    debugger.finishStep();
  return status;
}

Status Program::runRange(size_t begin, size_t end, uint64_t iteration,
                         Pool &pool, Profile *profile, Debugger *debugger) {
  for (size_t i = begin; i < end; ++i) {
    const Bound &op = operations[i];
    if (op.kind == Op::Kind::Repeat) {
      for (int64_t n = 0; n < op.count; ++n)
        if (Status status =
                runRange(i + 1, op.bodyEnd, static_cast<uint64_t>(n), pool,
                         profile, debugger);
            !status.ok())
          return status;
      i = op.bodyEnd - 1;
      continue;
    }
    if (op.moves)
      for (uint32_t a = op.first; a < op.first + op.arguments; ++a)
        current[a] = start[a] + strides[a] * iteration;
    if (debugger) {
      if (Status status = runDebugged(op, pool, *debugger); !status.ok())
        return status;
      continue;
    }
    if (!profile) {
      runOne(op, pool);
      continue;
    }
    uint64_t since = nanosecondsNow();
    runOne(op, pool);
    add(op.kind == Op::Kind::Launch ? profile->kernels[op.index]
                                    : profile->moves,
        since);
  }
  return {};
}

Status Program::run(Pool &pool, Profile *profile, Debugger *debugger) {
  uint64_t since = profile ? nanosecondsNow() : 0;
  Status status = runRange(0, operations.size(), 0, pool, profile, debugger);
  if (profile)
    add(profile->steps, since);
  // A run that was stopped may have copies on their way.
  if (!status.ok())
    for (const std::unique_ptr<CopyStream> *stream :
         {&streams.toHost, &streams.others})
      if (*stream)
        (*stream)->drain();
  return status;
}
