//===- Crossing.h - what a moment must carry --------------------*- C++ -*-===//
//
// At the moment when a step runs, whatever was read of the steps before by the
// steps after either lives, or is made again afterwards, from what lives or is
// made again. With a price on living bytes the cheapest choice is a minimum
// cut. As the price rises, fewer bytes live and more seconds are spent.
//
// For one price and one moment this is a Lagrangian relaxation of the whole
// schedule: no plan that keeps the moment's bytes below B takes less than
// cut(price) - price * B more seconds.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_PLAN_SCHEDULE_CROSSING_H
#define PASSES_PLAN_SCHEDULE_CROSSING_H

#include "passes/Plan/Schedule/Graph.h"
#include "passes/Plan/Schedule/MinCut.h"

namespace tarn::schedule {

/// What it takes to have a value made in the prologues of who reads it later.
struct Prologues {
  bool exist = false;
  double seconds = 0;
  std::vector<int> reads; ///< may hold a value more than once
};

/// A moment, as the values that exist then and those that are wanted later.
struct Moment {
  /// By value: made by then, so that it may live.
  std::vector<char> isMade;
  /// Values that somebody reads later.
  std::vector<int> wanted;
  /// By value: lives then in any case, and costs nothing. May be empty.
  std::vector<char> isThere;
  /// By task: it runs again later anyway, so that one more reason costs
  /// nothing. May be empty.
  std::vector<char> runsAgain;
  /// By value: where all later readers can make it themselves. May be empty.
  std::vector<Prologues> prologues;
};

/// The moment after step `step` of an order.
Moment momentAfter(const Graph &graph, const std::vector<int> &order, int step);

struct Crossing {
  /// Values that live; all others that are wanted are made again.
  std::vector<int> live;
  int64_t bytes = 0;
  /// Of what is made again, each once.
  double seconds = 0;
  /// The same as the choice counts them: with the favour, and without what runs
  /// again anyway.
  double cost = 0;
};

/// The cheapest ways across a moment with a price in seconds a byte; least
/// bytes among equals. With `favour` the first task counts as that much cheaper
/// than the last one, in parts of its time: what is made early is made again
/// late, when less lives, and layers that are alike are told apart.
class Crossings {
public:
  /// For prices up to `mostPrice`; the smaller it is, the more exact are
  /// others.
  Crossings(const Graph &graph, const Moment &moment, double mostPrice,
            double favour = 0);
  /// The price is not below that of the last `keep`.
  Crossing at(double price);
  /// The prices to come are not below the last one: begins with its cut.
  void keep() {
    keptPrice = lastPrice;
    kept = network.flow();
  }

private:
  int64_t scaled(double seconds) const;
  /// What one more run of a task counts.
  double costOf(int task) const;

  const Graph &graph;
  const Moment &moment;
  double favour, scale = 1, keptPrice = 0, lastPrice = 0;
  Network network;
  std::vector<int64_t> kept;
  std::vector<int> nodeOf, prologue; ///< by value
  std::vector<int> again;            ///< by task
  std::vector<int> seen;
  /// Edges whose capacity is the price of a value's bytes.
  std::vector<std::pair<int, int>> keepEdges;
};

/// The same for one price.
Crossing cross(const Graph &graph, const Moment &moment, double price,
               double favour = 0);

} // namespace tarn::schedule

#endif // PASSES_PLAN_SCHEDULE_CROSSING_H
