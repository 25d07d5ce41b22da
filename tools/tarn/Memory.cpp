//===- Memory.cpp - what this machine has to give -------------------------===//

#include "tools/tarn/Memory.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

/// The number in a file of one number; -1 if there is none (`max`).
static int64_t numberIn(const char *path) {
  std::FILE *file = std::fopen(path, "r");
  if (!file)
    return -1;
  int64_t number = -1;
  if (std::fscanf(file, "%" SCNd64, &number) != 1)
    number = -1;
  std::fclose(file);
  return number;
}

int64_t tarn::cli::freeMemory() {
  if (const char *given = std::getenv("TARN_FREE_MEMORY")) {
    char *end = nullptr;
    long long number = std::strtoll(given, &end, 10);
    if (end != given && *end == 0 && number > 0)
      return number;
  }
  int64_t bytes = -1;
  if (std::FILE *file = std::fopen("/proc/meminfo", "r")) {
    char line[128];
    int64_t kib;
    while (std::fgets(line, sizeof line, file))
      if (std::sscanf(line, "MemAvailable: %" SCNd64, &kib) == 1)
        bytes = kib * 1024;
    std::fclose(file);
  }
  int64_t limit = numberIn("/sys/fs/cgroup/memory.max"),
          used = numberIn("/sys/fs/cgroup/memory.current");
  if (limit > 0 && used >= 0)
    bytes = bytes < 0 ? limit - used : std::min(bytes, limit - used);
  return bytes;
}
