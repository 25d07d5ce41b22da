//===- Timeline.cpp -------------------------------------------------------===//

#include "passes/Plan/Schedule/Timeline.h"

#include <algorithm>

using namespace tarn::schedule;

void Cuts::insert(Cut cut) {
  auto at = std::lower_bound(cuts.begin(), cuts.end(), cut);
  if (at == cuts.end() || *at != cut)
    cuts.insert(at, cut);
}

void Cuts::toggle(Cut cut) {
  auto at = std::lower_bound(cuts.begin(), cuts.end(), cut);
  if (at != cuts.end() && *at == cut)
    cuts.erase(at);
  else
    cuts.insert(at, cut);
}

Player::Player(const Graph &graph) : graph(graph) {}

/// Runs a task, and before it whatever makes what it reads.
bool Player::run(int task, int step, size_t limit) {
  stack.assign(1, {task, 0});
  while (!stack.empty()) {
    Frame &frame = stack.back();
    const Task &top = graph.tasks[size_t(frame.task)];
    // A value that was there may not be lost again within the step, so one pass
    // over the reads is enough.
    if (frame.read != top.reads.size()) {
      int value = top.reads[frame.read++];
      if (lifeOf[size_t(value)] < 0)
        stack.push_back({graph.values[size_t(value)].maker, 0});
      continue;
    }
    int run = int(timeline.runs.size());
    if (timeline.runs.size() >= limit || isRetired[size_t(frame.task)])
      return false;
    for (int other : top.retires)
      isRetired[size_t(other)] = 1;
    timeline.runs.push_back(frame.task);
    timeline.stepOf.push_back(step);
    timeline.seconds += top.seconds;
    for (int value : top.reads) {
      int life = lifeOf[size_t(value)];
      timeline.lives[size_t(life)].last = run;
      timeline.sources.push_back(life);
    }
    for (int value : top.makes) {
      int life = int(timeline.lives.size());
      timeline.lives.push_back({value, run, run, -1});
      // The other results of a task that runs again are made for nothing.
      if (lifeOf[size_t(value)] >= 0)
        continue;
      lifeOf[size_t(value)] = life;
      if (takenBy[size_t(value)] >= 0)
        isUsed[size_t(takenBy[size_t(value)])] = 1;
    }
    stack.pop_back();
  }
  return true;
}

const Timeline &Player::abandon() {
  timeline.ended = false;
  timeline.peak = INT64_MAX;
  return timeline;
}

const Timeline &Player::play(const Plan &plan, size_t limit) {
  timeline.runs.clear();
  timeline.stepOf.clear();
  timeline.lives.clear();
  timeline.sources.clear();
  timeline.seconds = 0;
  timeline.ended = true;
  if (limit == 0)
    limit = 32 * graph.tasks.size() + 1000;
  lifeOf.assign(graph.values.size(), -1);
  isRetired.assign(graph.tasks.size(), 0);
  takenBy.assign(graph.values.size(), -1);
  isUsed.assign(plan.cuts.size(), 0);
  for (size_t v = 0; v != graph.values.size(); ++v)
    if (graph.values[v].maker < 0) {
      lifeOf[v] = int(timeline.lives.size());
      timeline.lives.push_back({int(v), 0, 0, -1});
    }
  for (size_t step = 0; step != plan.order.size(); ++step) {
    if (!run(plan.order[step], int(step), limit))
      return abandon();
    int task = plan.order[step];
    for (auto want = plan.early.from(task);
         want != plan.early.end() && want->task == task; ++want)
      if (lifeOf[size_t(want->value)] < 0 &&
          !run(graph.values[size_t(want->value)].maker, int(step), limit))
        return abandon();
    for (auto cut = plan.cuts.from(task);
         cut != plan.cuts.end() && cut->task == task; ++cut) {
      size_t value = size_t(cut->value);
      if (lifeOf[value] < 0 || !graph.mayDrop(cut->value))
        continue;
      lifeOf[value] = -1;
      takenBy[value] = int(cut - plan.cuts.begin());
    }
  }
  for (size_t v = 0; v != graph.values.size(); ++v)
    if (graph.values[v].isResult && lifeOf[v] < 0 &&
        !run(graph.values[v].maker, int(plan.order.size()) - 1, limit))
      return abandon();
  int end = int(timeline.runs.size()) - 1;
  for (size_t v = 0; v != graph.values.size(); ++v)
    if (graph.values[v].isResult)
      timeline.lives[size_t(lifeOf[v])].last = end;

  // A made value takes the bytes of a read one that ends here.
  size_t source = 0, life = 0;
  for (; life != timeline.lives.size() &&
         graph.values[size_t(timeline.lives[life].value)].maker < 0;)
    ++life;
  std::vector<int64_t> &bytes = timeline.bytes;
  bytes.assign(timeline.runs.size() + 1, 0);
  std::vector<int> taken;
  for (int r = 0; r <= end; ++r) {
    const Task &task = graph.tasks[size_t(timeline.runs[size_t(r)])];
    bytes[size_t(r)] += task.workspace;
    bytes[size_t(r) + 1] -= task.workspace;
    taken.clear();
    for (; life != timeline.lives.size() && timeline.lives[life].first == r;
         ++life) {
      Life &made = timeline.lives[life];
      int64_t size = graph.values[size_t(made.value)].bytes;
      for (auto [read, into] : task.shares) {
        if (into != made.value || made.over >= 0)
          continue;
        for (size_t i = 0; i != task.reads.size(); ++i) {
          int from = timeline.sources[source + i];
          const Life &old = timeline.lives[size_t(from)];
          bool isNeeded = graph.values[size_t(read)].isResult &&
                          lifeOf[size_t(read)] == from;
          if (task.reads[i] == read && old.last == r && old.first != r &&
              !isNeeded && graph.values[size_t(read)].bytes == size &&
              std::find(taken.begin(), taken.end(), from) == taken.end()) {
            made.over = from;
            taken.push_back(from);
            bytes[size_t(r)] -= size; // counted once
            bytes[size_t(r) + 1] += size;
            break;
          }
        }
      }
    }
    source += task.reads.size();
  }
  for (const Life &each : timeline.lives) {
    int64_t size = graph.values[size_t(each.value)].bytes;
    bytes[size_t(each.first)] += size;
    bytes[size_t(each.last) + 1] -= size;
  }
  timeline.peak = 0;
  timeline.fullest = -1;
  int64_t now = 0;
  for (int r = 0; r <= end; ++r) {
    now += bytes[size_t(r)];
    bytes[size_t(r)] = now;
    if (now > timeline.peak) {
      timeline.peak = now;
      timeline.fullest = r;
    }
  }
  bytes.pop_back();
  return timeline;
}

void Player::prune(Plan &plan) {
  if (!play(plan).ended)
    return;
  size_t i = 0;
  plan.cuts.eraseIf([&](const Cut &) { return !isUsed[i++]; });
}
