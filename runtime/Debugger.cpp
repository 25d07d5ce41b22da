//===- Debugger.cpp - Runs that look for bugs of the compiler -------------===//

#include "runtime/Debugger.h"

using namespace tarn::rt;

Result<std::unique_ptr<Debugger>> Debugger::create(const Manifest &manifest,
                                                   const Target &target,
                                                   bool poison,
                                                   GuardSide side) {
  std::unique_ptr<Debugger> debugger(new Debugger(manifest, target, poison));
  if (side != GuardSide::None) {
    Result<std::unique_ptr<Guard>> made = Guard::create(target.kernels, side);
    if (!made.ok())
      return made.status();
    debugger->guard = made.take();
  }
  return Result<std::unique_ptr<Debugger>>(std::move(debugger));
}

void Debugger::beginRun(const Function &function, const SpaceBases &at) {
  bases = at;
  lives.emplace(function);
  if (!poison)
    return;
  for (Space space : {Space::Arena, Space::Host, Space::Output})
    if (uint64_t bytes = function.spaceBytes(space))
      poisonBytes(bases[static_cast<unsigned>(space)], bytes);
}

Status Debugger::launch(const Op &op, KernelFunction code, void *const *args,
                        Pool &pool) {
  if (!guard) {
    pool.poisonScratch();
    pool.run(code, args, op.blocks);
    return {};
  }
  const Kernel &kernel = target.kernels[op.kernel];
  Guard::Trap trap;
  if (guard->launch(kernel, code, args, op.blocks, trap))
    return {};
  return Status(Code::Internal, describe(op, kernel, args, trap));
}

void Debugger::finishStep() {
  lives->finishStep([this](Space space, uint64_t begin, uint64_t end) {
    // State is kept, outputs are the caller's, constants are nobody's.
    if (poison && (space == Space::Arena || space == Space::Host ||
                   space == Space::Input))
      poisonBytes(bases[static_cast<unsigned>(space)] + begin, end - begin);
  });
}

/// `model.tarn:3:5`, or nothing.
static std::string placeText(const Manifest &manifest, int64_t location) {
  if (location < 0)
    return "";
  const Location &place = manifest.locations[static_cast<size_t>(location)];
  return place.file + ":" + std::to_string(place.line) + ":" +
         std::to_string(place.column);
}

std::string Debugger::describe(const Op &op, const Kernel &kernel,
                               void *const *args,
                               const Guard::Trap &trap) const {
  std::string place =
      placeText(manifest, op.location >= 0 ? op.location : kernel.location);
  std::string text = place.empty() ? "" : place + ": ";
  text += "kernel `" + kernel.name + "`, block " + std::to_string(trap.block) +
          " of " + std::to_string(op.blocks) + ", " + trap.what;
  if (trap.argument < 0)
    return text.substr(0, text.rfind(", near"));
  auto number = static_cast<size_t>(trap.argument);
  if (number >= kernel.args.size())
    return text + " its " + std::to_string(kernel.scratch) +
           " bytes of scratch";
  Space space = op.args[number].space;
  // Where it is in this turn of a repeat.
  auto offset = static_cast<uint64_t>(static_cast<uint8_t *>(args[number]) -
                                      bases[static_cast<unsigned>(space)]);
  text += " argument " + std::to_string(number) + ", " + spaceName(space) +
          "[" + std::to_string(offset) + " for " +
          std::to_string(kernel.args[number].bytes) + "]";
  if (const PlanValue *value = lives->ownerOf(space, offset)) {
    text += ", `" + value->name + "`";
    if (std::string made = placeText(manifest, value->location); !made.empty())
      text += " of " + made;
  }
  return text;
}
