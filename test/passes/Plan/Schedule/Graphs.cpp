//===- Graphs.cpp - graphs to plan, and oracles ---------------------------===//

#include "test/passes/Plan/Schedule/Graphs.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <queue>
#include <random>
#include <set>

using namespace tarn::schedule;

Graph tarn::schedule::randomGraph(unsigned seed, int mostValues) {
  std::mt19937 random(seed);
  auto below = [&](int n) { return int(random() % unsigned(n)); };
  Graph graph;
  int count = 3 + below(mostValues - 2);
  while (int(graph.values.size()) < count) {
    Task task;
    task.seconds = 1 + below(9);
    task.mayRepeat = below(8) != 0;
    task.workspace = below(4) == 0 ? below(4) : 0;
    int have = int(graph.values.size());
    std::set<int> reads;
    int wanted = have ? std::max(below(std::min(have, 3) + 1), below(2)) : 0;
    for (int i = 0; i != wanted; ++i)
      reads.insert(have - 1 -
                   (below(2) ? below(std::min(have, 3)) : below(have)));
    task.reads.assign(reads.begin(), reads.end());
    int made = below(6) == 0 && have + 2 <= count ? 2 : 1;
    for (int i = 0; i != made; ++i)
      task.makes.push_back(graph.addValue(1 + below(8)));
    if (!task.reads.empty() && below(3) == 0) {
      int read = task.reads.front(), into = task.makes.front();
      task.shares.push_back({read, into});
      if (below(2))
        graph.values[size_t(into)].bytes = graph.values[size_t(read)].bytes;
    }
    graph.addTask(std::move(task));
  }
  std::vector<int> readers(graph.values.size());
  for (const Task &task : graph.tasks)
    for (int value : task.reads)
      ++readers[size_t(value)];
  for (size_t v = 0; v != graph.values.size(); ++v)
    graph.values[v].isResult = (!readers[v] && below(3)) || below(10) == 0;
  return graph;
}

Link tarn::schedule::randomLink(unsigned seed) {
  std::mt19937 random(seed + 1);
  auto below = [&](int n) { return int(random() % unsigned(n)); };
  Link link;
  link.outSeconds = 0.125 * (1 + below(16));
  link.backSeconds = 0.125 * (1 + below(16));
  link.latency = 0.25 * below(3);
  link.toll = below(2) ? 0 : 0.0625 * link.outSeconds;
  if (below(4) == 0)
    link.hostBytes = 1 + below(24);
  return link;
}

Graph tarn::schedule::withForms(Graph graph, unsigned seed) {
  std::mt19937 random(seed);
  auto below = [&](int n) { return int(random() % unsigned(n)); };
  for (Task &task : graph.tasks) {
    // In turn, so that one form may do without two values.
    std::vector<Form> forms;
    for (int value : task.reads) {
      int maker = graph.values[size_t(value)].maker;
      if (maker < 0 || below(2))
        continue;
      const Task &making = graph.tasks[size_t(maker)];
      auto inPrologue = [&](const Form &from) {
        Form form = from;
        form.without.push_back(value);
        std::sort(form.without.begin(), form.without.end());
        std::set<int> reads(from.reads.begin(), from.reads.end());
        reads.erase(value);
        reads.insert(making.reads.begin(), making.reads.end());
        for (int other : making.makes)
          if (other != value && below(2))
            reads.insert(other);
        for (int other : form.without)
          reads.erase(other);
        form.reads.assign(reads.begin(), reads.end());
        form.seconds = std::max(0.0, from.seconds + below(5) - 1);
        std::erase_if(form.shares, [&](std::pair<int, int> share) {
          return !reads.count(share.first);
        });
        return form;
      };
      std::vector<Form> more{inPrologue(
          {{}, task.seconds, task.workspace, task.reads, task.shares})};
      for (const Form &form : forms)
        more.push_back(inPrologue(form));
      for (Form &form : more)
        if (forms.size() < 3)
          forms.push_back(std::move(form));
    }
    task.forms = std::move(forms);
  }
  return graph;
}

Graph tarn::schedule::transformer(int layers) {
  constexpr double seconds[10] = {1, 48, 20, 16, 1, 1, 64, 2, 64, 1};
  constexpr int bytes[10] = {16, 48, 16, 16, 16, 16, 64, 64, 16, 16};
  // Whether the backward task reads the output too.
  constexpr bool readsOutput[10] = {true,  false, true, false, false,
                                    false, false, true, false, false};
  Graph graph;
  auto add = [&](double time, int64_t size, std::vector<int> reads) {
    Task task;
    task.seconds = time;
    task.reads = std::move(reads);
    int value = graph.addValue(size);
    task.makes = {value};
    graph.addTask(std::move(task));
    return value;
  };
  std::vector<int> inputs, outputs;
  int last = graph.addValue(0), residual = last, middle = last;
  for (int i = 0; i != 10 * layers; ++i) {
    int kind = i % 10;
    std::vector<int> reads{last};
    if (kind == 4)
      reads.push_back(residual);
    if (kind == 9)
      reads.push_back(middle);
    inputs.push_back(last);
    last = add(seconds[kind], bytes[kind], reads);
    outputs.push_back(last);
    if (kind == 4)
      middle = last;
    if (kind == 9)
      residual = last;
  }
  int gradient = add(1, 1, {last});
  for (int i = 10 * layers - 1; i >= 0; --i) {
    int kind = i % 10;
    std::vector<int> reads{gradient};
    if (kind != 4 && kind != 9)
      reads.push_back(inputs[size_t(i)]);
    if (readsOutput[kind])
      reads.push_back(outputs[size_t(i)]);
    gradient = add(2 * seconds[kind],
                   graph.values[size_t(inputs[size_t(i)])].bytes, reads);
  }
  return graph;
}

int64_t tarn::schedule::bruteForcePeak(const Graph &graph) {
  // What lives, and which tasks have run.
  using State = std::pair<unsigned, unsigned>;
  using Entry = std::pair<int64_t, State>;
  std::map<State, int64_t> best;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
  size_t values = graph.values.size(), tasks = graph.tasks.size();
  auto bytesOf = [&](unsigned set) {
    int64_t bytes = 0;
    for (size_t v = 0; v != values; ++v)
      bytes += (set >> v & 1) ? graph.values[v].bytes : 0;
    return bytes;
  };
  auto maskOf = [](const std::vector<int> &list) {
    unsigned mask = 0;
    for (int value : list)
      mask |= 1u << value;
    return mask;
  };
  unsigned results = 0;
  for (size_t v = 0; v != values; ++v)
    results |= unsigned(graph.values[v].isResult) << v;
  auto push = [&](State state, int64_t peak) {
    auto [found, isNew] = best.try_emplace(state, peak);
    if (!isNew && found->second <= peak)
      return;
    found->second = peak;
    queue.push({peak, state});
  };
  push({0, 0}, 0);
  while (!queue.empty()) {
    auto [peak, state] = queue.top();
    queue.pop();
    if (best[state] < peak)
      continue;
    auto [live, done] = state;
    if (done == (1u << tasks) - 1 && (live & results) == results)
      return peak;
    for (size_t v = 0; v != values; ++v)
      if (live >> v & 1)
        push({live & ~(1u << v), done}, peak);
    for (size_t t = 0; t != tasks; ++t) {
      const Task &task = graph.tasks[t];
      unsigned makes = maskOf(task.makes);
      if ((done >> t & 1) && !task.mayRepeat)
        continue;
      for (int form = -1; form != int(task.forms.size()); ++form) {
        if (maskOf(task.readsOf(form)) & ~live)
          continue;
        // What lives already is made a second time beside itself.
        int64_t bytes = bytesOf(live | makes) + bytesOf(live & makes) +
                        task.workspaceOf(form);
        push({live | makes, done | 1u << t}, std::max(peak, bytes));
        for (auto [from, into] : task.sharesOf(form))
          if (!(live >> into & 1) && graph.values[size_t(from)].bytes ==
                                         graph.values[size_t(into)].bytes)
            push({(live | makes) & ~(1u << from), done | 1u << t},
                 std::max(peak, bytes - graph.values[size_t(into)].bytes));
      }
    }
  }
  return -1;
}

/// Replays the copies moment by moment: what they read is there, and they take
/// the time and the host memory that the timeline says.
static std::string replayCopies(const Graph &graph, const Timeline &timeline) {
  const Link &link = graph.link;
  int runs = int(timeline.runs.size());
  // Of each value: when its copy in host memory is there; until when.
  std::map<int, int> thereFrom, neededUntil;
  for (const Copy &copy : timeline.copies) {
    const Life &life = timeline.lives[size_t(copy.life)];
    std::string name = "the copy of " + std::to_string(copy.value);
    if (life.value != copy.value || copy.start > copy.wait ||
        copy.wait > runs || !graph.mayPark(copy.value))
      return name + " is none";
    if (copy.isOut) {
      if (life.copy >= 0 || copy.start != life.first + 1 ||
          life.last < copy.wait - 1 ||
          !thereFrom.insert({copy.value, copy.wait}).second)
        return name + " out reads what is not there, or is made twice";
      for (const Life &other : timeline.lives)
        if (other.over == copy.life)
          return name + " out reads what is written over";
      continue;
    }
    if (!thereFrom.count(copy.value) || thereFrom[copy.value] > copy.start)
      return name + " back reads what is not there";
    if (life.first != copy.start || life.copy < 0 ||
        timeline.copies[size_t(life.copy)].life != copy.life)
      return name + " back brings something else";
    int &until = neededUntil[copy.value];
    until = std::max(until, copy.wait);
  }
  double now = 0, queue[2] = {0, 0};
  std::map<const Copy *, double> done;
  int64_t hostPeak = 0, parked = 0;
  for (int moment = 0; moment <= runs; ++moment) {
    for (bool isOut : {true, false}) {
      for (const Copy &copy : timeline.copies)
        if (copy.isOut == isOut && copy.start == moment) {
          double bytes = double(graph.values[size_t(copy.value)].bytes);
          now += link.toll * bytes;
          queue[isOut] = std::max(now, queue[isOut]) + link.latency +
                         bytes * (isOut ? link.outSeconds : link.backSeconds);
          done[&copy] = queue[isOut];
        }
      for (const Copy &copy : timeline.copies)
        if (copy.isOut == isOut && copy.wait == moment)
          now = std::max(now, done.at(&copy));
    }
    int64_t bytes = 0;
    for (const Copy &copy : timeline.copies)
      if (copy.isOut && copy.start <= moment &&
          moment <= std::max(copy.wait, neededUntil[copy.value]))
        bytes += graph.values[size_t(copy.value)].bytes;
    hostPeak = std::max(hostPeak, bytes);
    if (moment != runs)
      now += graph.tasks[size_t(timeline.runs[size_t(moment)])].secondsOf(
          timeline.forms[size_t(moment)]);
  }
  for (const Copy &copy : timeline.copies)
    parked += copy.isOut ? graph.values[size_t(copy.value)].bytes : 0;
  if (std::abs(now - timeline.seconds) > 1e-9 * std::max(now, 1.0))
    return "with copies it takes " + std::to_string(now) + " seconds, not " +
           std::to_string(timeline.seconds);
  if (hostPeak != timeline.hostPeak || parked != timeline.parkedBytes)
    return "host memory holds " + std::to_string(hostPeak) + " of " +
           std::to_string(parked) + " bytes";
  return "";
}

std::string tarn::schedule::replay(const Graph &graph,
                                   const Timeline &timeline) {
  // Bytes by run, from scratch: what is made, until nobody reads it any more.
  size_t runs = timeline.runs.size(), source = 0, life = 0;
  std::vector<int> ran(graph.tasks.size());
  double seconds = 0;
  while (life != timeline.lives.size() &&
         graph.values[size_t(timeline.lives[life].value)].maker < 0)
    ++life;
  std::vector<int> lastRead(timeline.lives.size(), -1);
  // What copies bring stands before what the run makes that follows.
  auto isBrought = [&] {
    return life != timeline.lives.size() && timeline.lives[life].copy >= 0;
  };
  for (size_t r = 0; r != runs; ++r) {
    int index = timeline.runs[r];
    const Task &task = graph.tasks[size_t(index)];
    if (ran[size_t(index)]++ && !task.mayRepeat)
      return "task " + std::to_string(index) + " may run once";
    for (; isBrought(); ++life)
      if (timeline.lives[life].first != int(r))
        return "something is copied back at another time";
    int form = timeline.forms[r];
    if (form >= int(task.forms.size()))
      return "run " + std::to_string(r) + " has no such form";
    seconds += task.secondsOf(form);
    for (int value : task.readsOf(form)) {
      int from = timeline.sources[source++];
      const Life &read = timeline.lives[size_t(from)];
      bool isGiven = graph.values[size_t(value)].maker < 0;
      bool isThere = read.copy >= 0
                         ? timeline.copies[size_t(read.copy)].wait <= int(r)
                         : isGiven || read.first < int(r);
      if (read.value != value || !isThere || read.last < int(r))
        return "run " + std::to_string(r) + " reads what does not live";
      lastRead[size_t(from)] = int(r);
    }
    for (int value : task.makes) {
      if (life == timeline.lives.size() ||
          timeline.lives[life].value != value ||
          timeline.lives[life].first != int(r))
        return "run " + std::to_string(r) + " does not make what it should";
      ++life;
    }
  }
  for (size_t t = 0; t != ran.size(); ++t)
    if (!ran[t] && std::any_of(graph.tasks[t].makes.begin(),
                               graph.tasks[t].makes.end(), [&](int value) {
                                 return graph.values[size_t(value)].isResult;
                               }))
      return "task " + std::to_string(t) + " does not run";
  if (std::abs(seconds + timeline.stall - timeline.seconds) > 1e-6 * seconds)
    return "the seconds are wrong";
  if (std::string error = replayCopies(graph, timeline); !error.empty())
    return error;
  for (size_t v = 0; v != graph.values.size(); ++v)
    if (graph.values[v].isResult &&
        std::none_of(timeline.lives.begin(), timeline.lives.end(),
                     [&](const Life &each) {
                       return each.value == int(v) &&
                              each.last == int(runs) - 1;
                     }))
      return "result " + std::to_string(v) + " is lost";
  std::vector<int> over(timeline.lives.size(), -1);
  for (size_t i = 0; i != timeline.lives.size(); ++i) {
    int from = timeline.lives[i].over;
    if (from < 0)
      continue;
    if (timeline.lives[size_t(from)].last != timeline.lives[i].first ||
        over[size_t(from)] >= 0)
      return "bytes are taken over that are in use";
    over[size_t(from)] = int(i);
  }
  int64_t peak = 0;
  for (size_t r = 0; r != runs; ++r) {
    int64_t bytes =
        graph.tasks[size_t(timeline.runs[r])].workspaceOf(timeline.forms[r]);
    for (size_t i = 0; i != timeline.lives.size(); ++i) {
      const Life &each = timeline.lives[i];
      bool isTaken = over[i] >= 0 && each.last == int(r);
      if (each.first <= int(r) && int(r) <= each.last && !isTaken)
        bytes += graph.values[size_t(each.value)].bytes;
    }
    peak = std::max(peak, bytes);
  }
  if (peak != timeline.peak)
    return "the peak is " + std::to_string(peak) + ", not " +
           std::to_string(timeline.peak);
  return "";
}

std::vector<Instance> tarn::schedule::solvedInstances() {
  std::vector<std::filesystem::path> files;
  for (const auto &entry : std::filesystem::directory_iterator(
           TARN_SOURCE_ROOT "/test/passes/Plan/Schedule/checkmate"))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Instance> instances;
  for (const std::filesystem::path &path : files) {
    std::ifstream in(path);
    Instance instance;
    instance.name = path.stem().string();
    size_t tasks = 0, values = 0;
    in >> tasks >> values;
    for (size_t v = 0; v != values; ++v) {
      int64_t bytes = 0;
      in >> bytes;
      instance.graph.addValue(bytes);
    }
    for (size_t t = 0; t != tasks; ++t) {
      Task task;
      size_t reads = 0;
      in >> task.seconds >> reads;
      task.reads.resize(reads);
      for (int &read : task.reads)
        in >> read;
      task.makes.resize(1);
      in >> task.makes.front();
      instance.graph.addTask(std::move(task));
    }
    std::pair<int64_t, double> solved;
    while (in >> solved.first >> solved.second)
      instance.solved.push_back(solved);
    instances.push_back(std::move(instance));
  }
  return instances;
}
