//===- Validate.cpp - The manifest is checked before it is believed -------===//

#include "runtime/Manifest.h"

#include <algorithm>
#include <limits>
#include <set>

using namespace tarn::rt;

// Generous bounds; past them a manifest is wrong, not large.
static constexpr size_t rankLimit = 16;
static constexpr uint64_t bytesLimit = uint64_t(1) << 46;
static constexpr int64_t blocksLimit = int64_t(1) << 40;
static constexpr uint64_t scratchLimit = uint64_t(1) << 32;
static constexpr int64_t repeatLimit = int64_t(1) << 20;
static constexpr uint64_t expandedLimit = uint64_t(1) << 32;
static constexpr uint64_t alignment = 64;

std::optional<uint64_t>
tarn::rt::elementCount(const std::vector<int64_t> &shape) {
  if (shape.size() > rankLimit)
    return std::nullopt;
  uint64_t count = 1;
  bool empty = false;
  for (int64_t extent : shape) {
    if (extent < 0)
      return std::nullopt;
    if (extent == 0) {
      empty = true;
      continue;
    }
    // Bounded although a zero elsewhere makes the product zero.
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(extent), &count) ||
        count > bytesLimit)
      return std::nullopt;
  }
  return empty ? 0 : count;
}

namespace {

class Validator {
public:
  explicit Validator(const Manifest &manifest) : manifest(manifest) {}

  Status run() {
    if (manifest.model.empty())
      fail("the model has no name");
    if (manifest.stateBytes > bytesLimit || manifest.constantBytes > bytesLimit)
      fail("state_bytes or constant_bytes is too large");
    tensors("state", manifest.state, manifest.stateBytes);
    if (manifest.targets.empty())
      fail("there is no target");
    std::set<std::string> isas;
    for (const Target &target : manifest.targets) {
      if (!isas.insert(target.isa).second)
        fail("two targets for " + target.isa);
      checkTarget(target);
    }
    for (const Target &target : manifest.targets)
      sameInterface(manifest.targets.front(), target);
    return error;
  }

private:
  void fail(const std::string &message) {
    if (error.ok())
      error = Status(Code::Invalid, "manifest: " + message);
  }

  void tensors(const std::string &where, const std::vector<TensorDesc> &list,
               uint64_t spaceBytes) {
    std::set<std::string> names;
    std::vector<std::pair<uint64_t, uint64_t>> places;
    for (const TensorDesc &tensor : list) {
      std::string what = where + " `" + tensor.name + "`: ";
      if (tensor.name.empty() || !names.insert(tensor.name).second)
        return fail(what + "the name is empty or not unique");
      std::optional<uint64_t> count = elementCount(tensor.shape);
      if (!count)
        return fail(what + "bad shape");
      if (*count * dtypeSize(tensor.dtype) != tensor.bytes)
        return fail(what + typeText(tensor.dtype, tensor.shape) + " has " +
                    std::to_string(*count * dtypeSize(tensor.dtype)) +
                    " bytes, not " + std::to_string(tensor.bytes));
      if (tensor.offset % alignment)
        return fail(what + "the offset is no multiple of 64");
      if (tensor.offset > spaceBytes ||
          tensor.bytes > spaceBytes - tensor.offset)
        return fail(what + "lies outside its space of " +
                    std::to_string(spaceBytes) + " bytes");
      if (tensor.bytes)
        places.emplace_back(tensor.offset, tensor.offset + tensor.bytes);
    }
    std::sort(places.begin(), places.end());
    for (size_t i = 1; i < places.size(); ++i)
      if (places[i].first < places[i - 1].second)
        return fail(where + ": two tensors overlap at offset " +
                    std::to_string(places[i].first));
  }

  void location(const std::string &where, int64_t index) {
    if (index < -1 || index >= static_cast<int64_t>(manifest.locations.size()))
      fail(where + "`location` is out of range");
  }

  void checkTarget(const Target &target) {
    if (target.isa.empty() || target.code.empty())
      return fail("a target has no isa or no code");
    if (target.kind == TargetKind::Cuda)
      if (Status status = validateCudaTarget(target); !status.ok()) {
        error = error.ok() ? status : error;
        return;
      }
    for (const Kernel &kernel : target.kernels) {
      if (kernel.symbol.empty())
        return fail(target.isa + ": a kernel has no symbol");
      if (kernel.scratch > scratchLimit)
        return fail(target.isa + ": kernel `" + kernel.symbol +
                    "` asks for too much scratch");
      for (const KernelArg &arg : kernel.args)
        if (arg.bytes > bytesLimit)
          return fail(target.isa + ": an argument of kernel `" + kernel.symbol +
                      "` is too large");
      location(target.isa + ": kernel `" + kernel.symbol + "`: ",
               kernel.location);
    }
    std::set<std::string> names;
    for (const Function &function : target.functions) {
      std::string where = target.isa + ": function `" + function.name + "`";
      if (function.name.empty() || !names.insert(function.name).second)
        return fail(where + ": the name is empty or not unique");
      for (uint64_t bytes : {function.arenaBytes, function.inputBytes,
                             function.outputBytes, function.hostBytes})
        if (bytes > bytesLimit)
          return fail(where + ": a space is too large");
      tensors(where + ": input", function.inputs, function.inputBytes);
      tensors(where + ": output", function.outputs, function.outputBytes);
      for (const PlanValue &value : function.values)
        placed(where + ": value `" + value.name + "`: ", function, value);
      uint64_t expanded = 0;
      usedTokens.clear();
      program(where, target, function, function.program, 1, 1, expanded);
      if (!error.ok())
        return;
    }
  }

  uint64_t spaceBytes(const Function &function, Space space) const {
    return space == Space::State      ? manifest.stateBytes
           : space == Space::Constant ? manifest.constantBytes
                                      : function.spaceBytes(space);
  }

  /// A value of the plan lies in its space.
  void placed(const std::string &where, const Function &function,
              const PlanValue &value) {
    uint64_t limit = spaceBytes(function, value.space);
    if (value.offset > limit || value.bytes > limit - value.offset)
      fail(where + "lies outside the " + spaceName(value.space) + " space");
    constexpr int64_t most = int64_t(1) << 31;
    if (value.turns < 1 || value.turns > most || value.period < 0 ||
        value.period > most)
      fail(where + "has no valid turns and period");
    location(where, value.location);
  }

  /// The slice, moved by every one of `trips` iterations, stays in its space.
  void slice(const std::string &where, const Function &function,
             const Slice &slice, uint64_t bytes, uint64_t trips, bool written) {
    if (written &&
        (slice.space == Space::Input || slice.space == Space::Constant))
      return fail(where + "writes to the " + spaceName(slice.space) + " space");
    if (slice.offset % alignment)
      return fail(where + "the offset " + std::to_string(slice.offset) +
                  " is no multiple of 64");
    uint64_t limit = spaceBytes(function, slice.space), moved, end;
    if (__builtin_mul_overflow(slice.stride, trips - 1, &moved) ||
        __builtin_add_overflow(slice.offset, moved, &end) ||
        __builtin_add_overflow(end, bytes, &end) || end > limit)
      fail(where + "bytes from " + std::to_string(slice.offset) +
           " on lie outside the " + spaceName(slice.space) + " space of " +
           std::to_string(limit) + " bytes");
  }

  void program(const std::string &where, const Target &target,
               const Function &function, const std::vector<Op> &ops,
               uint64_t trips, uint64_t times, uint64_t &expanded) {
    std::set<uint32_t> inFlight;
    for (size_t i = 0; i < ops.size() && error.ok(); ++i) {
      const Op &op = ops[i];
      std::string here = where + ", operation " + std::to_string(i) + ": ";
      location(here, op.location);
      expanded += times;
      if (expanded > expandedLimit)
        return fail(here + "the program is too long");
      switch (op.kind) {
      case Op::Kind::Launch: {
        if (op.kernel >= target.kernels.size())
          return fail(here + "there is no kernel " + std::to_string(op.kernel));
        const Kernel &kernel = target.kernels[op.kernel];
        if (op.blocks < 0 || op.blocks > blocksLimit)
          return fail(here + "bad number of blocks");
        if (op.args.size() != kernel.args.size())
          return fail(here + "kernel `" + kernel.symbol + "` takes " +
                      std::to_string(kernel.args.size()) + " arguments, not " +
                      std::to_string(op.args.size()));
        for (size_t a = 0; a < op.args.size(); ++a) {
          if (op.args[a].space == Space::Host)
            return fail(here + "a kernel cannot reach the host space");
          slice(here + "argument " + std::to_string(a) + ": ", function,
                op.args[a], kernel.args[a].bytes, trips,
                kernel.args[a].access != KernelArg::Access::Read);
        }
        break;
      }
      case Op::Kind::CopyStart:
        if (op.tokens.size() != 1 || !usedTokens.insert(op.tokens[0]).second)
          return fail(here + "its token is not its own");
        inFlight.insert(op.tokens[0]);
        [[fallthrough]];
      case Op::Kind::Copy:
        slice(here, function, op.to, op.bytes, trips, true);
        slice(here, function, op.from, op.bytes, trips, false);
        break;
      case Op::Kind::Wait:
        for (uint32_t token : op.tokens)
          if (!inFlight.erase(token))
            return fail(here + "waits for the token " + std::to_string(token) +
                        ", which nothing started before it");
        break;
      case Op::Kind::Fill:
        if (op.to.space == Space::Host)
          return fail(here + "a fill cannot reach the host space");
        slice(here, function, op.to, op.bytes, trips, true);
        break;
      case Op::Kind::Repeat:
        if (op.count < 1 || op.count > repeatLimit)
          return fail(here + "bad repeat count " + std::to_string(op.count));
        if (times > expandedLimit)
          return fail(here + "the program is too long");
        program(where + ", operation " + std::to_string(i), target, function,
                op.body, static_cast<uint64_t>(op.count),
                times * static_cast<uint64_t>(op.count), expanded);
        break;
      }
    }
    if (error.ok() && !inFlight.empty())
      fail(where + ": nothing waits for the token " +
           std::to_string(*inFlight.begin()));
  }

  /// Functions are described once, whatever the target: only programs and
  /// arenas may differ.
  void sameInterface(const Target &first, const Target &other) {
    auto same = [](const std::vector<TensorDesc> &a,
                   const std::vector<TensorDesc> &b) {
      return a.size() == b.size() &&
             std::equal(a.begin(), a.end(), b.begin(),
                        [](const TensorDesc &x, const TensorDesc &y) {
                          return x.name == y.name && x.role == y.role &&
                                 x.dtype == y.dtype && x.shape == y.shape;
                        });
    };
    if (first.functions.size() != other.functions.size())
      return fail("targets have different functions");
    for (size_t i = 0; i < first.functions.size(); ++i) {
      const Function &a = first.functions[i], &b = other.functions[i];
      if (a.name != b.name || a.kind != b.kind || !same(a.inputs, b.inputs) ||
          !same(a.outputs, b.outputs))
        return fail("the function `" + a.name + "` differs between " +
                    first.isa + " and " + other.isa);
    }
  }

  const Manifest &manifest;
  std::set<uint32_t> usedTokens; ///< of the function that is being checked
  Status error;
};

} // namespace

Status tarn::rt::validate(const Manifest &manifest) {
  return Validator(manifest).run();
}
