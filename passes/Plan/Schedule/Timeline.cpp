//===- Timeline.cpp -------------------------------------------------------===//

#include "passes/Plan/Schedule/Timeline.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

using namespace tarn::schedule;

void Cuts::insert(Cut cut) {
  auto at = std::lower_bound(cuts.begin(), cuts.end(), cut);
  if (at == cuts.end() || *at != cut)
    cuts.insert(at, cut);
}

void Cuts::replace(int task, const std::vector<int> &values) {
  auto begin = std::lower_bound(cuts.begin(), cuts.end(), Cut{task, -1}),
       end = std::lower_bound(begin, cuts.end(), Cut{task + 1, -1});
  // One move of what is behind, however many there are.
  size_t at = size_t(begin - cuts.begin()), old = size_t(end - begin);
  if (old < values.size())
    cuts.insert(end, values.size() - old, Cut{});
  else
    cuts.erase(begin + ptrdiff_t(values.size()), end);
  for (int value : values)
    cuts[at++] = {task, value};
}

void Cuts::toggle(Cut cut) {
  auto at = std::lower_bound(cuts.begin(), cuts.end(), cut);
  if (at != cuts.end() && *at == cut)
    cuts.erase(at);
  else
    cuts.insert(at, cut);
}

Player::Player(const Graph &graph, Detail detail) : graph(graph) {
  auto isPlayed = [&](int value) {
    return detail == Detail::all || graph.values[size_t(value)].bytes > 0;
  };
  auto addKernel = [&](const Task &task, int form) {
    int first = int(reads.size());
    for (int read : task.readsOf(form))
      if (isPlayed(read)) {
        reads.push_back(read);
        formWithout.push_back(task.formWithout(read, form));
      }
    kernels.push_back({task.secondsOf(form), task.workspaceOf(form), first,
                       int(reads.size()), !task.sharesOf(form).empty()});
  };
  for (const Task &task : graph.tasks) {
    addKernel(task, -1);
    firstMade.push_back(int(makes.size()));
    std::copy_if(task.makes.begin(), task.makes.end(),
                 std::back_inserter(makes), isPlayed);
    hasForms.push_back(!task.forms.empty());
    hasRetires.push_back(!task.retires.empty());
  }
  firstMade.push_back(int(makes.size()));
  for (const Task &task : graph.tasks) {
    firstForm.push_back(int(kernels.size()));
    for (int form = 0; form != int(task.forms.size()); ++form)
      addKernel(task, form);
  }
  for (size_t v = 0; v != graph.values.size(); ++v)
    if (isPlayed(int(v))) {
      if (graph.values[v].maker < 0)
        given.push_back(int(v));
      if (graph.values[v].isResult)
        results.push_back(int(v));
    }
  for (size_t v = 0; v != graph.values.size(); ++v) {
    isDroppable.push_back(graph.mayDrop(int(v)));
    isParkable.push_back(graph.mayPark(int(v)));
  }
}

/// Runs a task whose reads all live.
void Player::launch(int task, int form, int step) {
  const Kernel &kernel = kernelOf(task, form);
  int run = int(timeline.runs.size());
  if (hasRetires[size_t(task)])
    for (int other : graph.tasks[size_t(task)].retires)
      isRetired[size_t(other)] = 1;
  timeline.runs.push_back(task);
  timeline.forms.push_back(form);
  timeline.stepOf.push_back(step);
  timeline.firstSource.push_back(int(timeline.sources.size()));
  timeline.seconds += kernel.seconds;
  if (kernel.workspace)
    workspaces.push_back({run, kernel.workspace});
  if (kernel.hasShares)
    shared.push_back({run, timeline.lives.size(), timeline.sources.size()});
  for (int i = kernel.firstRead; i != kernel.endRead; ++i) {
    size_t value = size_t(reads[size_t(i)]);
    int life = lifeOf[value];
    Life &read = timeline.lives[size_t(life)];
    read.last = run;
    if (read.copy >= 0 && timeline.copies[size_t(read.copy)].wait < 0) {
      timeline.copies[size_t(read.copy)].wait = run;
      if (parkedBy[value] >= 0)
        isParkUsed[size_t(parkedBy[value])] = 1;
      if (takenBy[value] >= 0)
        isUsed[size_t(takenBy[value])] = 1;
    }
    timeline.sources.push_back(life);
  }
  for (int i = firstMade[size_t(task)]; i != firstMade[size_t(task) + 1]; ++i) {
    size_t value = size_t(makes[size_t(i)]);
    int life = int(timeline.lives.size());
    timeline.lives.emplace_back(int(value), run, run, -1);
    // The other results of a task that runs again are made for nothing.
    if (lifeOf[value] >= 0)
      continue;
    lifeOf[value] = life;
    if (takenBy[value] >= 0)
      isUsed[size_t(takenBy[value])] = 1;
  }
}

/// The copy back into the arena starts now.
void Player::fetch(int value) {
  int life = int(timeline.lives.size()), now = int(timeline.runs.size());
  timeline.lives.push_back({value, now, now, -1, int(timeline.copies.size())});
  timeline.copies.push_back(
      {value, life, false, now, -1, parkedBy[size_t(value)]});
  lifeOf[size_t(value)] = life;
}

/// What is parked behind the first run of the task.
void Player::sendAway(const Plan &plan, int task) {
  for (int p = firstAway[size_t(task)]; p >= 0; p = nextAway[size_t(p)]) {
    size_t value = size_t(plan.parks[size_t(p)].value);
    int life = lifeOf[value], now = int(timeline.runs.size());
    if (life < 0 || !isParkable[value])
      continue;
    // A second copy out would be the same as the first.
    if (sentBy[value] < 0) {
      Life &old = timeline.lives[size_t(life)];
      sentBy[value] = int(timeline.copies.size());
      timeline.copies.push_back(
          {int(value), life, true, old.first + 1, now, p});
      old.last = now - 1;
      old.isHeld = true;
    }
    lifeOf[value] = -1;
    parkedBy[value] = p;
    takenBy[value] = -1;
  }
}

void Player::fetchFor(const Plan &plan, int task) {
  for (int p = firstFetch[size_t(task)]; p >= 0; p = nextFetch[size_t(p)]) {
    size_t value = size_t(plan.parks[size_t(p)].value);
    if (lifeOf[value] < 0 && parkedBy[value] == p)
      fetch(int(value));
  }
}

/// The task in the form that does without what is not there and what it can
/// make itself. What waits in host memory is copied back.
Player::Frame Player::frameOf(int task) {
  int form = -1;
  const Kernel *kernel = &kernels[size_t(task)];
  for (bool changed = hasForms[size_t(task)]; changed;) {
    changed = false;
    for (int i = kernel->firstRead; i != kernel->endRead; ++i) {
      size_t value = size_t(reads[size_t(i)]);
      if (lifeOf[value] >= 0 || formWithout[size_t(i)] < 0 ||
          sentBy[value] >= 0)
        continue;
      if (takenBy[value] >= 0)
        isUsed[size_t(takenBy[value])] = 1;
      form = formWithout[size_t(i)];
      kernel = &kernelOf(task, form);
      changed = true;
      break;
    }
  }
  return {task, form, kernel->firstRead, kernel->endRead};
}

/// Runs a task, and before it whatever makes what it reads.
bool Player::run(int task, int step, size_t limit) {
  stack.clear();
  stack.push_back(frameOf(task));
  while (!stack.empty()) {
    Frame &frame = stack.back();
    // A value that was there may not be lost again within the step, so one pass
    // over the reads is enough.
    while (frame.read != frame.endRead &&
           lifeOf[size_t(reads[size_t(frame.read)])] >= 0)
      ++frame.read;
    if (frame.read != frame.endRead) {
      int value = reads[size_t(frame.read++)];
      if (sentBy[size_t(value)] >= 0)
        fetch(value);
      else
        stack.push_back(frameOf(graph.values[size_t(value)].maker));
      continue;
    }
    if (timeline.runs.size() >= limit || isRetired[size_t(frame.task)])
      return false;
    launch(frame.task, frame.form, step);
    stack.pop_back();
  }
  return true;
}

const Timeline &Player::abandon() {
  timeline.ended = false;
  timeline.peak = INT64_MAX;
  return timeline;
}

/// A made value takes the bytes of a read one that ends there.
void Player::takeOver() {
  std::vector<int64_t> &bytes = timeline.bytes;
  bytes.assign(timeline.runs.size() + 1, 0);
  for (auto [run, workspace] : workspaces) {
    bytes[size_t(run)] += workspace;
    bytes[size_t(run) + 1] -= workspace;
  }
  for (const Sharing &sharing : shared) {
    size_t r = size_t(sharing.run), index = size_t(timeline.runs[r]);
    int form = timeline.forms[r];
    const Kernel &kernel = kernelOf(int(index), form);
    size_t firstLife = sharing.firstLife, firstSource = sharing.firstSource;
    size_t life = firstLife + size_t(firstMade[index + 1] - firstMade[index]);
    const Task &task = graph.tasks[index];
    const int *own = &reads[size_t(kernel.firstRead)];
    size_t count = size_t(kernel.endRead - kernel.firstRead);
    taken.clear();
    for (size_t m = firstLife; m != life; ++m) {
      Life &made = timeline.lives[m];
      int64_t size = graph.values[size_t(made.value)].bytes;
      for (auto [read, into] : task.sharesOf(form)) {
        if (into != made.value || made.over >= 0)
          continue;
        for (size_t i = 0; i != count; ++i) {
          int from = timeline.sources[firstSource + i];
          const Life &old = timeline.lives[size_t(from)];
          bool isNeeded = graph.values[size_t(read)].isResult &&
                          lifeOf[size_t(read)] == from;
          bool isBefore = old.first != int(r) || old.copy >= 0;
          if (own[i] == read && old.last == int(r) && isBefore && !old.isHeld &&
              !isNeeded && graph.values[size_t(read)].bytes == size &&
              std::find(taken.begin(), taken.end(), from) == taken.end()) {
            made.over = from;
            taken.push_back(from);
            bytes[r] -= size; // counted once
            bytes[r + 1] += size;
            break;
          }
        }
      }
    }
  }
}

void Player::begin(const Plan &plan) {
  timeline.runs.clear();
  timeline.forms.clear();
  timeline.stepOf.clear();
  timeline.lives.clear();
  timeline.sources.clear();
  timeline.firstSource.clear();
  timeline.copies.clear();
  timeline.hosted.clear();
  workspaces.clear();
  shared.clear();
  timeline.seconds = timeline.stall = 0;
  timeline.hostPeak = timeline.parkedBytes = 0;
  timeline.ended = true;
  lifeOf.assign(graph.values.size(), -1);
  isRetired.assign(graph.tasks.size(), 0);
  takenBy.assign(graph.values.size(), -1);
  isUsed.assign(plan.cuts.size(), 0);
  parkedBy.assign(graph.values.size(), -1);
  sentBy.assign(graph.values.size(), -1);
  isParkUsed.assign(plan.parks.size(), 0);
  nextAway.assign(plan.parks.size(), -1);
  nextFetch.assign(plan.parks.size(), -1);
  firstAway.assign(graph.tasks.size(), -1);
  firstFetch.assign(graph.tasks.size(), -1);
  for (size_t p = plan.parks.size(); p-- > 0;) {
    const Park &park = plan.parks[p];
    nextAway[p] = std::exchange(firstAway[size_t(park.away)], int(p));
    nextFetch[p] = std::exchange(firstFetch[size_t(park.fetch)], int(p));
  }
  for (int value : given) {
    lifeOf[size_t(value)] = int(timeline.lives.size());
    timeline.lives.push_back({value, 0, 0});
  }
  firstCut.assign(graph.tasks.size() + 1, 0);
  for (const Cut &cut : plan.cuts)
    ++firstCut[size_t(cut.task) + 1];
  std::partial_sum(firstCut.begin(), firstCut.end(), firstCut.begin());
}

const Timeline &Player::play(const Plan &plan, size_t limit) {
  begin(plan);
  if (limit == 0)
    limit = 32 * graph.tasks.size() + 1000;
  for (size_t step = 0; step != plan.order.size(); ++step) {
    int task = plan.order[step];
    fetchFor(plan, task);
    if (!run(task, int(step), limit))
      return abandon();
    for (auto want = plan.early.from(task);
         want != plan.early.end() && want->task == task; ++want)
      if (lifeOf[size_t(want->value)] < 0 && sentBy[size_t(want->value)] < 0 &&
          !run(graph.values[size_t(want->value)].maker, int(step), limit))
        return abandon();
    sendAway(plan, task);
    for (int i = firstCut[size_t(task)]; i != firstCut[size_t(task) + 1]; ++i) {
      size_t value = size_t(plan.cuts[size_t(i)].value);
      if (lifeOf[value] < 0 || !isDroppable[value])
        continue;
      lifeOf[value] = parkedBy[value] = -1;
      takenBy[value] = i;
    }
  }
  for (int value : results)
    if (lifeOf[size_t(value)] < 0 && !run(graph.values[size_t(value)].maker,
                                          int(plan.order.size()) - 1, limit))
      return abandon();
  int end = int(timeline.runs.size()) - 1;
  for (int value : results)
    timeline.lives[size_t(lifeOf[size_t(value)])].last = end;
  if (!timeline.copies.empty())
    finishCopies();
  takeOver();
  countBytes();
  return timeline;
}

void Player::countBytes() {
  std::vector<int64_t> &bytes = timeline.bytes;
  for (const Life &each : timeline.lives) {
    int64_t size = graph.values[size_t(each.value)].bytes;
    bytes[size_t(each.first)] += size;
    bytes[size_t(each.last + 1)] -= size;
  }
  timeline.peak = 0;
  timeline.fullest = -1;
  int64_t now = 0;
  bytes.pop_back();
  for (size_t r = 0; r != bytes.size(); ++r) {
    now += bytes[r];
    bytes[r] = now;
    if (now > timeline.peak) {
      timeline.peak = now;
      timeline.fullest = int(r);
    }
  }
}

/// Adds what copies cost: to the clock, and to host memory.
void Player::finishCopies() {
  std::vector<Copy> &copies = timeline.copies;
  // What nobody reads is not copied back: it never lives.
  for (const Copy &copy : copies)
    if (!copy.isOut && copy.wait < 0)
      timeline.lives[size_t(copy.life)].last =
          timeline.lives[size_t(copy.life)].first - 1;
  std::erase_if(copies, [](const Copy &copy) { return copy.wait < 0; });
  // As they queue up, those out first.
  std::sort(copies.begin(), copies.end(), [](const Copy &x, const Copy &y) {
    return std::tuple(x.start, !x.isOut, x.life) <
           std::tuple(y.start, !y.isOut, y.life);
  });
  size_t runs = timeline.runs.size();
  hostOf.assign(graph.values.size(), -1);
  for (size_t c = 0; c != copies.size(); ++c) {
    const Copy &copy = copies[c];
    int &host = hostOf[size_t(copy.value)];
    if (copy.isOut) {
      host = int(timeline.hosted.size());
      timeline.hosted.push_back({copy.value, copy.start, copy.wait});
      timeline.parkedBytes += graph.values[size_t(copy.value)].bytes;
    } else {
      timeline.lives[size_t(copy.life)].copy = int(c);
      HostLife &life = timeline.hosted[size_t(host)];
      life.last = std::max(life.last, copy.wait);
    }
  }
  // Who waits at a moment waits for the last of its copies, in any order.
  size_t waits = 2 * (runs + 1);
  firstWait.assign(waits, -1);
  nextWait.resize(copies.size());
  for (size_t c = 0; c != copies.size(); ++c) {
    size_t at = 2 * size_t(copies[c].wait) + !copies[c].isOut;
    nextWait[c] = std::exchange(firstWait[at], int(c));
  }
  const Link &link = graph.link;
  done.resize(copies.size());
  double now = 0, work = timeline.seconds, queues[2] = {0, 0};
  size_t next = 0;
  for (size_t r = 0;; ++r) {
    for (bool isBack : {false, true}) {
      for (; next != copies.size() && copies[next].start == int(r) &&
             copies[next].isOut != isBack;
           ++next) {
        double size = double(graph.values[size_t(copies[next].value)].bytes);
        double &queue = queues[isBack];
        now += link.toll * size;
        queue = std::max(queue, now) + link.latency +
                size * (isBack ? link.backSeconds : link.outSeconds);
        done[next] = queue;
      }
      for (int c = firstWait[2 * r + isBack]; c >= 0; c = nextWait[size_t(c)])
        now = std::max(now, done[size_t(c)]);
    }
    if (r == runs)
      break;
    now += kernelOf(timeline.runs[r], timeline.forms[r]).seconds;
  }
  timeline.seconds = now;
  timeline.stall = now - work;
  change.assign(runs + 2, 0);
  for (const HostLife &life : timeline.hosted) {
    change[size_t(life.first)] += graph.values[size_t(life.value)].bytes;
    change[size_t(life.last) + 1] -= graph.values[size_t(life.value)].bytes;
  }
  int64_t bytes = 0;
  for (int64_t each : change) {
    bytes += each;
    timeline.hostPeak = std::max(timeline.hostPeak, bytes);
  }
}

void Player::prune(Plan &plan) {
  if (!play(plan).ended)
    return;
  size_t i = 0, p = 0;
  plan.cuts.eraseIf([&](const Cut &) { return !isUsed[i++]; });
  std::erase_if(plan.parks, [&](const Park &) { return !isParkUsed[p++]; });
}

Plan tarn::schedule::withoutUnread(const Graph &graph, const Plan &plan) {
  if (std::none_of(graph.tasks.begin(), graph.tasks.end(),
                   [](const Task &task) { return !task.forms.empty(); }))
    return plan;
  Player player(graph);
  const Timeline &timeline = player.play(plan);
  if (!timeline.ended)
    return plan;
  size_t runs = timeline.runs.size();
  auto valueOf = [&](size_t life) -> const Value & {
    return graph.values[size_t(timeline.lives[life].value)];
  };
  std::vector<int> readers(timeline.lives.size(), 0);
  for (int life : timeline.sources)
    ++readers[size_t(life)];
  for (const Copy &copy : timeline.copies)
    ++readers[size_t(copy.life)];
  // What nobody reads in the first place runs for another reason.
  std::vector<char> isRead(graph.values.size(), 0);
  for (const Task &task : graph.tasks)
    for (int value : task.reads)
      isRead[size_t(value)] = 1;
  // By run, from the last one on: whether what it makes is wanted.
  std::vector<char> isGone(runs, 0);
  size_t life = timeline.lives.size(), source = timeline.sources.size();
  for (size_t r = runs; r-- > 0;) {
    size_t task = size_t(timeline.runs[r]);
    const std::vector<int> &makes = graph.tasks[task].makes;
    bool isWanted = std::none_of(makes.begin(), makes.end(), [&](int value) {
      return isRead[size_t(value)];
    });
    for (size_t i = 0; i != makes.size(); ++i) {
      --life;
      isWanted |= readers[life] > 0 || valueOf(life).isResult;
    }
    while (life > 0 && timeline.lives[life - 1].copy >= 0)
      --life; // copies brought these
    size_t end = std::exchange(source, size_t(timeline.firstSource[r]));
    if (isWanted)
      continue;
    isGone[r] = 1;
    for (size_t i = source; i != end; ++i)
      --readers[size_t(timeline.sources[i])];
  }
  // What is to happen behind a task that does not run happens behind the one
  // before it; what is to happen before it, before the next one.
  std::vector<char> isDropped(graph.tasks.size(), 0), hasRun(isDropped);
  for (size_t r = 0; r != runs; ++r) {
    size_t task = size_t(timeline.runs[r]);
    if (!hasRun[task] && plan.order[size_t(timeline.stepOf[r])] == int(task))
      isDropped[task] = isGone[r];
    hasRun[task] = 1;
  }
  Plan kept;
  std::vector<int> insteadOf(graph.tasks.size(), -1), next(insteadOf);
  for (size_t i = plan.order.size(), behind = i; i-- > 0;) {
    if (!isDropped[size_t(plan.order[i])])
      behind = i;
    if (behind != plan.order.size())
      next[size_t(plan.order[i])] = plan.order[behind];
  }
  for (int task : plan.order) {
    if (!isDropped[size_t(task)])
      kept.order.push_back(task);
    insteadOf[size_t(task)] = kept.order.empty() ? -1 : kept.order.back();
  }
  for (const Cut &cut : plan.cuts)
    if (int task = insteadOf[size_t(cut.task)]; task >= 0)
      kept.cuts.insert({task, cut.value});
  for (const Cut &early : plan.early)
    if (int task = insteadOf[size_t(early.task)];
        task >= 0 &&
        !isDropped[size_t(graph.values[size_t(early.value)].maker)])
      kept.early.insert({task, early.value});
  for (Park park : plan.parks) {
    park.away = insteadOf[size_t(park.away)];
    park.fetch = next[size_t(park.fetch)];
    if (park.away >= 0 && park.fetch >= 0)
      kept.parks.push_back(park);
  }
  double seconds = timeline.seconds;
  int64_t peak = timeline.peak, hostPeak = timeline.hostPeak;
  player.play(kept);
  bool isBetter = timeline.ended && timeline.seconds <= seconds &&
                  timeline.peak <= peak && timeline.hostPeak <= hostPeak;
  return isBetter ? kept : plan;
}
