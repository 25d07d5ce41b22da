//===- Problem.cpp - buffers with lifetimes that want offsets -------------===//

#include "passes/Plan/Packing/Problem.h"

#include <algorithm>
#include <numeric>

using namespace tarn::packing;

bool tarn::packing::fitsArithmetic(std::span<const Buffer> buffers) {
  const int64_t limit = int64_t(1) << 62;
  int64_t sum = 0;
  auto add = [&](int64_t value) {
    return value >= 0 && value < limit && (sum += value) < limit;
  };
  for (const Buffer &buffer : buffers)
    if (!add(buffer.size) || !add(buffer.alignment) ||
        (buffer.fixed >= 0 && !add(buffer.fixed)))
      return false;
  return true;
}

/// Indices of the buffers in order of their first moment.
static std::vector<unsigned> byStart(std::span<const Buffer> buffers) {
  std::vector<unsigned> order(buffers.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](unsigned x, unsigned y) {
    return std::pair(buffers[x].lower, x) < std::pair(buffers[y].lower, y);
  });
  return order;
}

Sections tarn::packing::makeSections(std::span<const Buffer> buffers) {
  // A living set is largest where a start is followed by an end.
  struct Event {
    int64_t time;
    bool starts;
    unsigned buffer;
  };
  std::vector<Event> events;
  events.reserve(2 * buffers.size());
  for (unsigned i = 0; i != buffers.size(); ++i) {
    events.push_back({buffers[i].lower, true, i});
    events.push_back({buffers[i].upper, false, i});
  }
  std::sort(events.begin(), events.end(), [](const Event &x, const Event &y) {
    if (x.time != y.time)
      return x.time < y.time;
    if (x.starts != y.starts)
      return !x.starts; // half-open: ends come first
    return x.buffer < y.buffer;
  });
  Sections sections;
  sections.first.resize(buffers.size());
  sections.last.resize(buffers.size());
  int64_t live = 0;
  bool grew = false;
  for (const Event &event : events) {
    const Buffer &buffer = buffers[event.buffer];
    if (event.starts) {
      sections.first[event.buffer] = sections.count;
      live += buffer.size;
      grew = true;
      continue;
    }
    if (grew) {
      sections.total.push_back(live);
      ++sections.count;
      grew = false;
    }
    sections.last[event.buffer] = sections.count - 1;
    live -= buffer.size;
  }
  return sections;
}

int64_t Sections::mostLive() const {
  return total.empty() ? 0 : *std::max_element(total.begin(), total.end());
}

Bound tarn::packing::lowerBound(std::span<const Buffer> buffers) {
  Bound bound;
  Sections sections = makeSections(buffers);
  if (!sections.count)
    return bound;
  auto worst = std::max_element(sections.total.begin(), sections.total.end());
  unsigned section = worst - sections.total.begin();
  bound.bytes = *worst;
  for (unsigned i = 0; i != buffers.size(); ++i)
    if (sections.first[i] <= section && section <= sections.last[i])
      bound.buffers.push_back(i);
  for (unsigned i = 0; i != buffers.size(); ++i)
    if (buffers[i].fixed >= 0 &&
        buffers[i].fixed + buffers[i].size > bound.bytes) {
      bound.bytes = buffers[i].fixed + buffers[i].size;
      bound.buffers.assign(1, i);
    }
  return bound;
}

std::vector<std::vector<unsigned>>
tarn::packing::partition(std::span<const Buffer> buffers) {
  std::vector<std::vector<unsigned>> parts;
  int64_t end = 0;
  for (unsigned index : byStart(buffers)) {
    if (parts.empty() || buffers[index].lower >= end) {
      parts.emplace_back();
      end = buffers[index].upper;
    }
    parts.back().push_back(index);
    end = std::max(end, buffers[index].upper);
  }
  return parts;
}

int64_t tarn::packing::granularity(std::span<const Buffer> buffers) {
  int64_t unit = 0;
  for (const Buffer &buffer : buffers)
    unit = std::gcd(unit,
                    std::gcd(buffer.size, std::max<int64_t>(buffer.fixed, 0)));
  unit = std::max<int64_t>(unit, 1);
  // An alignment that divides the unit asks for nothing.
  for (bool changed = true; changed;) {
    changed = false;
    for (const Buffer &buffer : buffers)
      if (unit % buffer.alignment && buffer.alignment % unit) {
        unit = std::gcd(unit, buffer.alignment);
        changed = true;
      }
  }
  return unit;
}
