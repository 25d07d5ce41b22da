//===- host_run.cpp - run a recorded kernel on the host model -------------===//
//
// host-run CASE KERNEL.so [--random N] [--checked] [--expect-fault]
// Runs the kernel under every schedule, compares its results with the recorded
// ones, and the bits of all schedules with each other; then once more with
// results in the place of operands, where the kernel allows it. With --checked
// each access of the kernel is checked, which needs one compiled for it
// (host_model/Checker.h). With --expect-fault
// (kernels that were broken on purpose) the exit status says whether that was
// found.
//
//===----------------------------------------------------------------------===//

#include "test/gpu/Case.h"
#include "test/gpu/host_model/HostModel.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>

using namespace tarn::gpu;

namespace {

constexpr size_t guardBytes = 4096;
/// Of the model's device: few, so that blocks of persistent kernels walk over
/// several tiles.
constexpr int64_t multiprocessors = 3;

/// A buffer between two guards, at an address as the arena gives it.
struct Memory {
  std::vector<uint8_t> bytes;
  uint8_t *data = nullptr;
  size_t size = 0;

  explicit Memory(const CaseBuffer &buffer) : size(buffer.bytes()) {
    bytes.assign(size + 2 * guardBytes + 256, 0xFF);
    uintptr_t start = reinterpret_cast<uintptr_t>(bytes.data()) + guardBytes;
    data = reinterpret_cast<uint8_t *>((start + 255) / 256 * 256);
    memcpy(data, buffer.input.data(), buffer.input.size());
    // Additions start from zeros, as the runtime gives them.
    if (buffer.access == "accumulate")
      memset(data, 0, size);
  }
  /// Whether something was written outside.
  bool guardsBroken() const {
    for (const uint8_t &byte : bytes)
      if ((&byte < data || &byte >= data + size) && byte != 0xFF)
        return true;
    return false;
  }
};

/// Encodes the tensor map of a parameter.
std::string encode(const Case &c, const CaseParameter &parameter,
                   const void *address, TensorMap &map) {
  const CaseBuffer &buffer = c.buffers[parameter.buffer];
  TensorMapShape shape;
  shape.elementBytes = buffer.elementBytes();
  shape.isTf32 = buffer.element == "f32";
  for (size_t d = buffer.shape.size(); d-- > 0;) {
    shape.sizes.push_back(buffer.shape[d]);
    shape.box.push_back(parameter.box[d]);
    if (d + 1 < buffer.shape.size())
      shape.strides.push_back(buffer.stride(d));
  }
  return encodeTensorMap(address, shape, map);
}

uint64_t hashBytes(uint64_t hash, const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; ++i)
    hash = (hash ^ bytes[i]) * 1099511628211ull;
  return hash;
}

} // namespace

/// Of each buffer the one that it lies over, or itself: no buffer twice.
static std::vector<unsigned> placesOf(const Case &c) {
  std::vector<unsigned> over(c.buffers.size());
  std::vector<bool> isTaken(c.buffers.size());
  for (unsigned i = 0; i < over.size(); ++i)
    over[i] = i;
  for (auto [read, written] : c.inPlace)
    if (!isTaken[read] && !isTaken[written]) {
      over[written] = read;
      isTaken[read] = isTaken[written] = true;
    }
  return over;
}

/// Runs one case under every schedule; whether it is right. Written buffers lie
/// where `over` says.
static bool runCase(const Case &c, void *kernel, unsigned randomOnes,
                    bool brief, bool isChecked,
                    const std::vector<unsigned> &over, uint64_t &firstHash) {
  bool wrong = false;
  for (const Schedule &schedule : standardSchedules(randomOnes)) {
    std::vector<Memory> memory;
    for (const CaseBuffer &buffer : c.buffers)
      memory.emplace_back(buffer);
    std::vector<bool> isOver(c.buffers.size());
    for (size_t i = 0; i < c.buffers.size(); ++i)
      if (over[i] != i)
        isOver[over[i]] = true;
    auto memoryOf = [&](size_t i) -> Memory & { return memory[over[i]]; };
    std::vector<TensorMap> maps(c.parameters.size());
    std::vector<std::vector<uint64_t>> tables(c.parameters.size());
    std::vector<uint64_t> addresses;
    for (size_t i = 0; i < c.buffers.size(); ++i)
      addresses.push_back(reinterpret_cast<uintptr_t>(memoryOf(i).data));
    std::vector<const void *> arguments;
    for (size_t i = 0; i < c.parameters.size(); ++i) {
      const CaseParameter &parameter = c.parameters[i];
      if (!parameter.table.empty()) {
        tables[i] = tableWords(parameter, addresses);
        arguments.push_back(tables[i].data());
        continue;
      }
      void *address = memoryOf(parameter.buffer).data;
      if (!parameter.isTensorMap) {
        arguments.push_back(address);
        continue;
      }
      std::string error = encode(c, parameter, address, maps[i]);
      if (!error.empty()) {
        fprintf(stderr, "host-run: %s\n", error.c_str());
        return false;
      }
      arguments.push_back(&maps[i]);
    }
    Launch launch;
    launch.grid.x =
        c.persistent ? std::min(c.blocks, multiprocessors) : c.blocks;
    launch.threads.x = c.threads;
    launch.sharedBytes = c.sharedBytes;
    launch.isChecked = isChecked;
    for (size_t i = 0; i < c.buffers.size(); ++i) {
      if (isOver[i])
        continue; // the one in its place stands for both
      uintptr_t begin = reinterpret_cast<uintptr_t>(memoryOf(i).data);
      launch.buffers.push_back(
          {begin, begin + memory[i].size, c.buffers[i].isOutput()});
    }
    for (const std::vector<uint64_t> &words : tables) {
      uintptr_t begin = reinterpret_cast<uintptr_t>(words.data());
      if (!words.empty())
        launch.buffers.push_back({begin, begin + 8 * words.size(), false});
    }
    Faults faults = runKernel(kernel, launch, schedule, arguments);

    double largest = 0;
    uint64_t hash = 14695981039346656037ull;
    for (size_t i = 0; i < c.buffers.size(); ++i) {
      if (memory[i].guardsBroken())
        faults.push_back("writes outside buffer " + std::to_string(i));
      if (!c.buffers[i].isOutput())
        continue;
      const uint8_t *data = memoryOf(i).data;
      double error = largestError(c, c.buffers[i], data);
      if (!(error <= 1))
        faults.push_back("wrong numbers in buffer " + std::to_string(i));
      largest = std::max(largest, error);
      hash = hashBytes(hash, data, memory[i].size);
    }
    if (firstHash == 0)
      firstHash = hash;
    if (!brief || !faults.empty() || !(largest <= 1) || hash != firstHash)
      printf("%s: error %.3f of the bound, hash %016llx\n",
             schedule.name.c_str(), largest,
             static_cast<unsigned long long>(hash));
    for (const std::string &fault : faults)
      printf("  fault: %s\n", fault.c_str());
    if (hash != firstHash)
      printf("  differs from the first schedule\n");
    wrong |= !faults.empty() || !(largest <= 1) || hash != firstHash;
  }
  return !wrong;
}

/// Runs one case with all buffers apart, and then in place.
static bool runCase(const Case &c, void *kernel, unsigned randomOnes,
                    bool brief, bool isChecked) {
  std::vector<unsigned> apart, over = placesOf(c);
  for (unsigned i = 0; i < c.buffers.size(); ++i)
    apart.push_back(i);
  uint64_t hash = 0;
  bool right = runCase(c, kernel, randomOnes, brief, isChecked, apart, hash);
  const char *how = "";
  if (right && over != apart) {
    right = runCase(c, kernel, randomOnes, brief, isChecked, over, hash);
    how = ", in place too";
  }
  printf("%s: %s%s\n", c.kernel.c_str(), right ? "right" : "WRONG",
         right ? how : "");
  return right;
}

int main(int argc, char **argv) {
  std::string folder, library;
  unsigned randomOnes = 2;
  bool expectFault = false, all = false, isChecked = false;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    if (word == "--random" && i + 1 < argc)
      randomOnes = atoi(argv[++i]);
    else if (word == "--expect-fault")
      expectFault = true;
    else if (word == "--checked")
      isChecked = true;
    else if (word == "--all")
      all = true;
    else if (folder.empty())
      folder = word;
    else
      library = word;
  }
  std::vector<std::string> folders;
  if (all) {
    for (const auto &entry : std::filesystem::directory_iterator(folder))
      if (entry.is_directory())
        folders.push_back(entry.path().string());
    std::sort(folders.begin(), folders.end());
  } else {
    folders.push_back(folder);
  }
  void *handle = dlopen(library.c_str(), RTLD_NOW);
  if (!handle) {
    fprintf(stderr, "host-run: %s\n", dlerror());
    return 2;
  }
  size_t right = 0;
  for (const std::string &each : folders) {
    Case c;
    std::string error = readCase(each, c);
    void *kernel = error.empty() ? dlsym(handle, c.kernel.c_str()) : nullptr;
    if (error.empty() && !kernel)
      error = "no kernel " + c.kernel + " in " + library;
    if (!error.empty()) {
      fprintf(stderr, "host-run: %s\n", error.c_str());
      return 2;
    }
    right += runCase(c, kernel, randomOnes, all, isChecked);
  }
  if (all)
    printf("%zu of %zu kernels right\n", right, folders.size());
  return (right != folders.size()) != expectFault;
}
