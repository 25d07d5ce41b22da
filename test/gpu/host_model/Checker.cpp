//===- Checker.cpp - races, unwritten bytes, missing proxy fences ---------===//

#include "test/gpu/host_model/Checker.h"
#include "test/gpu/host_model/Block.h"

#include <algorithm>
#include <cstdio>
#include <dlfcn.h>

using namespace tarn::gpu;

static constexpr uint32_t several = ~0u;

Checker::Checker(std::vector<BufferRange> buffers) {
  areas.push_back({0, 0, true, true, {}});
  for (const BufferRange &buffer : buffers)
    areas.push_back({buffer.begin, buffer.end, buffer.mayWrite, false,
                     std::vector<ByteHistory>(buffer.end - buffer.begin)});
}

void Checker::beginBlock(uint32_t number, const uint8_t *shared, uint32_t bytes,
                         uint32_t count) {
  Area &arena = areas.front();
  arena.begin = reinterpret_cast<uintptr_t>(shared);
  arena.end = arena.begin + bytes;
  arena.history.assign(bytes, {});
  moreReaders.clear();
  block = number;
  threads = count;
  ++run;
}

Checker::Area *Checker::find(uintptr_t address, uint32_t bytes) {
  for (Area &area : areas)
    if (address >= area.begin && address + bytes <= area.end)
      return &area;
  return nullptr;
}

/// One byte, by one agent.
void Checker::touch(Area &area, size_t byte, const Clock &clock, Epoch epoch,
                    bool isWrite, bool byThread, uint32_t fences,
                    uint32_t owner, bool &race, bool &unwritten, bool &unfenced,
                    bool &blocks) {
  ByteHistory &h = area.history[byte];
  if (h.run != run) {
    // Blocks do not wait for each other: what two of them do to a byte has no
    // order.
    bool conflict = h.writingBlock && h.writingBlock != owner;
    conflict |= isWrite && h.readingBlock && h.readingBlock != owner;
    blocks |= conflict && !area.isShared;
    h.write = h.read = {};
    h.isWritten = !area.isShared;
    h.byThread = h.hasMoreReaders = false;
    h.run = run;
  }
  uint32_t &of = isWrite ? h.writingBlock : h.readingBlock;
  of = of == 0 || of == owner ? owner : several;

  race |= !h.write.isBefore(clock);
  unwritten |= !isWrite && !h.isWritten;
  if (isWrite) {
    race |= !h.read.isBefore(clock);
    if (h.hasMoreReaders) {
      for (const Epoch &reader : moreReaders[&h])
        race |= !reader.isBefore(clock);
      moreReaders.erase(&h);
      h.hasMoreReaders = false;
    }
    h.write = epoch;
    h.read = {};
    h.isWritten = true;
    h.byThread = byThread;
    h.fences = fences;
    return;
  }
  // The other proxy may still hold what was there before.
  unfenced |= area.isShared && !byThread && h.byThread &&
              tarn::gpu::block->fibers[h.write.agent].fences <= h.fences;
  if (h.read.agent != epoch.agent && !h.read.isBefore(clock)) {
    std::vector<Epoch> &readers = moreReaders[&h];
    std::erase_if(readers, [&](const Epoch &reader) {
      return reader.isBefore(clock) || reader.agent == epoch.agent;
    });
    readers.push_back(h.read);
    h.hasMoreReaders = true;
  }
  h.read = epoch;
}

void Checker::report(const Area &area, uintptr_t address, bool isWrite,
                     bool race, bool unwritten, bool unfenced, bool blocks,
                     const std::string &where, int line) {
  std::string what = isWrite ? "a write" : "a read", of;
  of = area.isShared ? " of shared memory"
                     : " of buffer " + std::to_string(&area - areas.data() - 1);
  std::string place = where.empty() ? "" : ", " + where;
  std::string byte = ", byte " + std::to_string(address - area.begin);
  if (race)
    fault("race: " + what + of + place, line, byte);
  if (unwritten)
    fault(what + of + " that nobody has written" + place, line, byte);
  if (unfenced)
    fault("no proxy fence between writes of threads and " + what + of + place,
          line, byte);
  if (blocks)
    fault("blocks conflict: " + what + of + place, line, byte);
}

/// Whether an address is none of the kernel's data: its stack, or what the
/// model tells it.
static bool isOwn(uintptr_t at) {
  auto within = [&](const void *begin, size_t bytes) {
    return at - reinterpret_cast<uintptr_t>(begin) < bytes;
  };
  return within(fiber->stack, fiberStackBytes) ||
         within(block->fibers.data(), block->fibers.size() * sizeof(Fiber)) ||
         within(&block->view, sizeof block->view) ||
         within(&host_thread, sizeof host_thread) ||
         within(&host_block, sizeof host_block);
}

void Checker::access(const void *address, uint32_t bytes, bool isWrite,
                     const void *code) {
  uintptr_t at = reinterpret_cast<uintptr_t>(address);
  if (isOwn(at))
    return;
  Area *area = find(at, bytes);
  if (!area) {
    Dl_info image;
    if (dladdr(address, &image))
      return; // a constant of the kernel
    fatalFault(std::string("a ") + (isWrite ? "write" : "read") +
                   " outside of every buffer, " + placeOf(code),
               0);
  }
  if (isWrite && !area->mayWrite)
    fault("a write of buffer " + std::to_string(area - areas.data() - 1) +
              ", which is only read, " + placeOf(code),
          0);
  bool race = false, unwritten = false, unfenced = false, blocks = false;
  Epoch epoch{fiber->thread.number, fiber->clock[fiber->thread.number]};
  for (uint32_t i = 0; i < bytes; ++i)
    touch(*area, at - area->begin + i, fiber->clock, epoch, isWrite, true,
          fiber->fences, this->block + 1, race, unwritten, unfenced, blocks);
  if (race || unwritten || unfenced || blocks)
    report(*area, at, isWrite, race, unwritten, unfenced, blocks, placeOf(code),
           0);
}

void Checker::accessAsync(const Flight &flight, const void *address,
                          uint32_t bytes, bool isWrite, bool isGenericProxy,
                          int line) {
  uintptr_t at = reinterpret_cast<uintptr_t>(address);
  Area *area = find(at, bytes);
  if (!area)
    return fault("an asynchronous access outside of every buffer", line);
  bool race = false, unwritten = false, unfenced = false, blocks = false;
  for (uint32_t i = 0; i < bytes; ++i)
    touch(*area, at - area->begin + i, flight.clock, flight.epoch, isWrite,
          isGenericProxy, several, this->block + 1, race, unwritten, unfenced,
          blocks);
  if (race || unwritten || unfenced || blocks)
    report(*area, at, isWrite, race, unwritten, unfenced, blocks, "", line);
}

Flight Checker::begin(const Clock &before) {
  uint32_t slot = nextSlot++ % slots;
  Flight flight{before, {threads + slot, ++moments[slot]}};
  flight.clock.entry(flight.epoch.agent) = flight.epoch.moment;
  return flight;
}

void Checker::release(Clock &clock) {
  clock.join(fiber->clock);
  ++fiber->clock.entry(fiber->thread.number);
}

void Checker::acquire(const Clock &clock) { fiber->clock.join(clock); }

static std::string findPlace(const void *code) {
  Dl_info image;
  if (!dladdr(code, &image))
    return "in unknown code";
  // A return address is behind its call.
  char offset[32];
  snprintf(offset, sizeof offset, "0x%zx",
           reinterpret_cast<size_t>(code) -
               reinterpret_cast<size_t>(image.dli_fbase) - 1);
  const char *tool = getenv("TARN_SYMBOLIZER");
  std::string command = std::string(tool ? tool : "llvm-symbolizer-22") +
                        " --functions=none --basenames --obj='" +
                        image.dli_fname + "' " + offset + " 2>/dev/null";
  std::string text;
  if (FILE *pipe = popen(command.c_str(), "r")) {
    char line[512];
    if (fgets(line, sizeof line, pipe))
      text = line;
    pclose(pipe);
  }
  text.erase(std::min(text.find('\n'), text.size()));
  size_t column = text.rfind(':');
  if (column == std::string::npos || text[0] == '?')
    return std::string("code at ") + offset;
  return text.substr(0, column);
}

std::string tarn::gpu::placeOf(const void *code) {
  static std::unordered_map<const void *, std::string> known;
  auto [found, isNew] = known.try_emplace(code);
  if (isNew)
    found->second = findPlace(code);
  return found->second;
}
