//===- Graph.cpp ----------------------------------------------------------===//

#include "passes/Plan/Schedule/Graph.h"

#include <algorithm>
#include <cmath>

using namespace tarn::schedule;

int Graph::addTask(Task task) {
  int index = int(tasks.size());
  for (int value : task.makes)
    values[size_t(value)].maker = index;
  tasks.push_back(std::move(task));
  return index;
}

int Task::formWithout(int value, int form) const {
  size_t fewer = form < 0 ? 0 : forms[size_t(form)].without.size();
  for (size_t i = 0; i != forms.size(); ++i) {
    const std::vector<int> &without = forms[i].without;
    if (without.size() != fewer + 1 ||
        !std::binary_search(without.begin(), without.end(), value))
      continue;
    if (fewer == 0 || std::includes(without.begin(), without.end(),
                                    forms[size_t(form)].without.begin(),
                                    forms[size_t(form)].without.end()))
      return int(i);
  }
  return -1;
}

bool Task::mayDoWithout(int value) const {
  return std::any_of(forms.begin(), forms.end(), [&](const Form &form) {
    return std::binary_search(form.without.begin(), form.without.end(), value);
  });
}

double Task::leastSeconds() const {
  double least = seconds;
  for (const Form &form : forms)
    least = std::min(least, form.seconds);
  return least;
}

double Graph::totalSeconds() const {
  double seconds = 0;
  for (const Task &task : tasks)
    seconds += task.seconds;
  return seconds;
}

std::string Graph::check() const {
  int64_t total = 0;
  for (double cost :
       {link.outSeconds, link.backSeconds, link.latency, link.toll})
    if (!(cost >= 0) || !std::isfinite(cost))
      return "the link has no sensible cost";
  for (size_t v = 0; v != values.size(); ++v) {
    if (values[v].bytes < 0 ||
        __builtin_add_overflow(total, values[v].bytes, &total) ||
        total > int64_t(1) << 61)
      return "value " + std::to_string(v) + " is too large";
    int maker = values[v].maker;
    if (maker >= int(tasks.size()) ||
        (maker >= 0 &&
         std::count(tasks[size_t(maker)].makes.begin(),
                    tasks[size_t(maker)].makes.end(), int(v)) != 1))
      return "value " + std::to_string(v) + " is not made by its maker";
  }
  for (size_t t = 0; t != tasks.size(); ++t) {
    std::string name = "task " + std::to_string(t);
    const Task &task = tasks[t];
    if (!(task.seconds >= 0) || !std::isfinite(task.seconds) ||
        task.workspace < 0 || task.workspace > int64_t(1) << 61)
      return name + " has no sensible cost";
    for (int value : task.reads)
      if (value < 0 || value >= int(values.size()) ||
          values[size_t(value)].maker >= int(t))
        return name + " reads what is not made yet";
    for (int value : task.makes)
      if (value < 0 || value >= int(values.size()) ||
          values[size_t(value)].maker != int(t))
        return name + " makes what another one makes";
    for (auto [read, made] : task.shares)
      if (!std::count(task.reads.begin(), task.reads.end(), read) ||
          !std::count(task.makes.begin(), task.makes.end(), made))
        return name + " shares what it does not read and make";
    for (const Form &form : task.forms) {
      if (!(form.seconds >= 0) || !std::isfinite(form.seconds) ||
          form.workspace < 0 || form.workspace > int64_t(1) << 61)
        return name + " has a form of no sensible cost";
      if (form.without.empty() ||
          !std::is_sorted(form.without.begin(), form.without.end()))
        return name + " has a form that is its own";
      for (int value : form.reads)
        if (value < 0 || value >= int(values.size()) ||
            values[size_t(value)].maker >= int(t) ||
            std::count(form.without.begin(), form.without.end(), value))
          return name + " has a form that reads what it should not";
      for (auto [read, made] : form.shares)
        if (!std::count(form.reads.begin(), form.reads.end(), read) ||
            !std::count(task.makes.begin(), task.makes.end(), made))
          return name + " has a form that shares what it does not touch";
    }
    for (int other : task.retires)
      if (other < 0 || other >= int(t))
        return name + " retires what comes later";
  }
  return "";
}
