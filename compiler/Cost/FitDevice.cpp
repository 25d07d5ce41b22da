//===- FitDevice.cpp - efficiencies from measured kernels -----------------===//
//
// A handful of numbers, and a model that is a maximum of sums: each number goes
// up and down by ever smaller factors while that brings predictions nearer to
// what was measured. Nearness is the squared logarithm of the ratio, weighted
// by time.
//
//===----------------------------------------------------------------------===//

#include "compiler/Cost/FitDevice.h"

#include "compiler/Cost/CostModel.h"

#include <algorithm>
#include <cmath>

using namespace tarn;

namespace {

/// Figures that are scaled together.
struct Knob {
  std::vector<Figure *> figures;
  double most; ///< that a figure may be, and a thousandth of it at least
  double factor = 1;
};

class Fit {
public:
  Fit(Device &device, std::string_view target, bool shared,
      std::span<const MeasuredKernel> kernels);
  void run();
  /// What was fitted has this error, and is from there.
  void note(double error, const std::string &source);
  /// The root of the mean squared logarithm.
  double missed() const { return std::sqrt(missedSquare()); }

private:
  double missedSquare() const;
  /// What it is with knobs at their factors, kept near to 1 where the kernels
  /// do not say.
  double cost() const;
  bool scale(Knob &knob, double by);

  Device &device;
  std::string target;
  std::span<const MeasuredKernel> kernels;
  std::vector<Knob> knobs;
};

Fit::Fit(Device &device, std::string_view target, bool shared,
         std::span<const MeasuredKernel> kernels)
    : device(device), target(target), kernels(kernels) {
  auto code = std::find_if(
      device.targets.begin(), device.targets.end(),
      [&](const DeviceTarget &each) { return each.target == target; });
  // Types that have no kernels here go with f32.
  Knob products{{}, 1};
  for (auto &[type, rate] : code->dots)
    products.figures.push_back(&rate.efficiency);
  knobs.push_back(products);
  knobs.push_back({{&code->vector.efficiency}, 1});
  knobs.push_back({{&code->special.efficiency}, 1});
  if (shared) {
    knobs.push_back(
        {{&device.memory.efficiency, &device.unitMemory.efficiency}, 1});
    knobs.push_back({{&device.cache.efficiency}, 1});
  }
  if (shared && device.tileOp.value > 0)
    knobs.push_back({{&device.tileOp}, 20 * device.tileOp.value});
  // What no kernel depends on stays as it is.
  double before = missedSquare();
  std::erase_if(knobs, [&](Knob &knob) {
    constexpr double lower = 0.5;
    if (!scale(knob, lower))
      return false;
    bool matters = missedSquare() != before;
    scale(knob, 1 / lower);
    return !matters;
  });
}

double Fit::missedSquare() const {
  CostModel model(device, target);
  double sum = 0, weight = 0;
  for (const MeasuredKernel &kernel : kernels) {
    double ratio =
        std::log(model.estimate(kernel.cost, "").seconds / kernel.seconds);
    sum += kernel.total * ratio * ratio;
    weight += kernel.total;
  }
  return sum / weight;
}

double Fit::cost() const {
  constexpr double stiffness = 1e-3;
  double sum = missedSquare();
  for (const Knob &knob : knobs)
    sum += stiffness * std::pow(std::log(knob.factor), 2);
  return sum;
}

bool Fit::scale(Knob &knob, double by) {
  for (Figure *figure : knob.figures)
    if (figure->value * by > knob.most || figure->value * by < 1e-3 * knob.most)
      return false;
  for (Figure *figure : knob.figures)
    figure->value *= by;
  knob.factor *= by;
  return true;
}

void Fit::run() {
  double best = cost();
  for (double step : {1.5, 1.2, 1.07, 1.02})
    for (bool isBetter = true; isBetter;) {
      isBetter = false;
      for (Knob &knob : knobs)
        for (double by : {step, 1 / step}) {
          double factor = knob.factor;
          std::vector<double> values;
          for (Figure *figure : knob.figures)
            values.push_back(figure->value);
          if (!scale(knob, by))
            continue;
          double now = cost();
          if (now < best - 1e-9) {
            best = now;
            isBetter = true;
            break;
          }
          knob.factor = factor;
          for (size_t i = 0; i != values.size(); ++i)
            knob.figures[i]->value = values[i];
        }
    }
}

void Fit::note(double error, const std::string &source) {
  for (const Knob &knob : knobs)
    for (Figure *figure : knob.figures) {
      figure->error = error;
      figure->source = source;
    }
}

} // namespace

double tarn::fitEfficiencies(Device &device, std::string_view target,
                             bool shared,
                             std::span<const MeasuredKernel> kernels,
                             const std::string &source) {
  Fit fit(device, target, shared, kernels);
  fit.run();
  double missed = std::max(fit.missed(), 0.05);
  fit.note(missed, source);
  return missed;
}
