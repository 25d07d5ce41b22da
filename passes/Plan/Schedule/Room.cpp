//===- Room.cpp -----------------------------------------------------------===//

#include "passes/Plan/Schedule/Room.h"

#include <algorithm>
#include <numeric>

using namespace tarn::schedule;

/// Numbers 0, 1, ... by `keys`, those with the same key in order; a negative
/// key leaves one out.
static void groupBy(const std::vector<int> &keys, size_t count,
                    std::vector<int> &first, std::vector<int> &items) {
  first.assign(count + 1, 0);
  for (int key : keys)
    if (key >= 0)
      ++first[size_t(key)];
  std::exclusive_scan(first.begin(), first.end(), first.begin(), 0);
  items.resize(size_t(first.back()));
  for (size_t i = 0; i != keys.size(); ++i)
    if (keys[i] >= 0)
      items[size_t(first[size_t(keys[i])]++)] = int(i);
  std::rotate(first.begin(), first.end() - 1, first.end());
  first.front() = 0;
}

Room::Room(const Graph &graph, const Plan &plan, const Timeline &timeline)
    : graph(graph), lives(timeline.lives), tasks(timeline.runs),
      forms(timeline.forms), steps(timeline.stepOf), sources(timeline.sources),
      firstSource(timeline.firstSource), bytes(timeline.bytes),
      isChain(tasks.size(), 0), released(tasks.size() + 1, 0) {
  firstSource.push_back(int(sources.size()));
  // Of a plan that did not end, nothing is known.
  if (!timeline.ended)
    bytes.assign(tasks.size(), 0);
  std::vector<int> keys;
  for (const Life &life : lives)
    keys.push_back(life.value);
  groupBy(keys, graph.values.size(), firstOfValue, ofValue);
  for (size_t life = 0; life != lives.size(); ++life)
    keys[life] = isMade(lives[life]) ? lives[life].first : -1;
  groupBy(keys, tasks.size(), firstMade, made);
  std::vector<int> places;
  groupBy(sources, lives.size(), firstOfLife, places);
  std::vector<int> runOf(sources.size());
  for (size_t r = 0; r != tasks.size(); ++r) {
    for (int i = firstSource[r]; i != firstSource[r + 1]; ++i)
      runOf[size_t(i)] = int(r);
    mains.push_back(plan.order[size_t(steps[r])] == tasks[r]);
  }
  for (int place : places)
    ofLife.push_back(runOf[size_t(place)]);
}

bool Room::isMade(const Life &life) const {
  return life.copy < 0 && graph.values[size_t(life.value)].maker >= 0;
}

std::span<const int> Room::livesOf(size_t value) const {
  return std::span(ofValue).subspan(
      size_t(firstOfValue[value]),
      size_t(firstOfValue[value + 1] - firstOfValue[value]));
}

std::span<const int> Room::readsOf(size_t life) const {
  return std::span(ofLife).subspan(
      size_t(firstOfLife[life]),
      size_t(firstOfLife[life + 1] - firstOfLife[life]));
}

void Room::release(int first, const Life &life) {
  if (first > life.last)
    return;
  int64_t size = graph.values[size_t(life.value)].bytes;
  released[size_t(first)] += size;
  released[size_t(life.last) + 1] -= size;
}

bool Room::mayOverwrite(int run, size_t life) const {
  const Task &task = graph.tasks[size_t(tasks[size_t(run)])];
  const auto &shares = task.sharesOf(forms[size_t(run)]);
  return std::any_of(shares.begin(), shares.end(), [&](auto share) {
    return share.first == lives[life].value;
  });
}

void Room::releaseReads(int run) {
  for (int i = firstSource[size_t(run)]; i != firstSource[size_t(run) + 1];
       ++i) {
    size_t life = size_t(sources[size_t(i)]);
    if (isMade(lives[life]) && isChain[size_t(lives[life].first)])
      continue; // all of it goes
    // It lives as long as others read it; and the last of these may write over
    // it.
    int first = lives[life].first + 1;
    for (int reader : readsOf(life))
      if (!isChain[size_t(reader)])
        first = std::max(first, reader + !mayOverwrite(reader, life));
    release(first, lives[life]);
  }
}

bool Room::isFor(int value, int64_t limit) {
  std::span<const int> all = livesOf(size_t(value));
  if (all.size() < 2)
    return true;
  // All that runs in its step beside the step's own task, at most.
  chain.clear();
  for (int life : all.subspan(1)) {
    int first = lives[size_t(life)].first;
    if (lives[size_t(life)].copy >= 0 || isChain[size_t(first)] ||
        mains[size_t(first)])
      continue;
    int step = steps[size_t(first)], begin = first;
    while (begin > 0 && steps[size_t(begin) - 1] == step)
      --begin;
    for (int r = begin; r != int(runs()) && steps[size_t(r)] == step; ++r)
      if (!mains[size_t(r)]) {
        isChain[size_t(r)] = 1;
        chain.push_back(r);
      }
  }
  // Tasks that make it themselves read other values for it.
  int begin = lives[size_t(all.front())].first, end = begin;
  size_t others = chain.size();
  for (int r = begin; r != int(runs()); ++r) {
    if (forms[size_t(r)] < 0 || isChain[size_t(r)])
      continue;
    const Task &task = graph.tasks[size_t(tasks[size_t(r)])];
    const std::vector<int> &without =
        task.forms[size_t(forms[size_t(r)])].without;
    if (std::binary_search(without.begin(), without.end(), value)) {
      isChain[size_t(r)] = 1;
      chain.push_back(r);
    }
  }
  for (int run : chain)
    releaseReads(run);
  for (size_t c = 0; c != others; ++c)
    for (int i = firstMade[size_t(chain[c])];
         i != firstMade[size_t(chain[c]) + 1]; ++i) {
      const Life &life = lives[size_t(made[size_t(i)])];
      if (life.value != value)
        release(life.first, life);
    }
  for (int life : all)
    for (int reader : readsOf(size_t(life)))
      if (!isChain[size_t(reader)])
        end = std::max(end, reader);
  // Where it does not live today.
  int64_t more = graph.values[size_t(value)].bytes, less = 0;
  bool isRoom = true;
  size_t next = 0;
  for (int r = 0; r < end && isRoom; ++r) {
    less += released[size_t(r)];
    if (r < begin)
      continue;
    while (next != all.size() && lives[size_t(all[next])].last < r)
      ++next;
    bool isThere = next != all.size() && lives[size_t(all[next])].first <= r;
    if (!isThere && !isChain[size_t(r)])
      isRoom = bytes[size_t(r)] + more - less <= limit;
  }
  for (int run : chain)
    isChain[size_t(run)] = 0;
  std::fill(released.begin(), released.end(), 0);
  return isRoom;
}
