//===- Roles.h - what the values of a program are for -----------*- C++ -*-===//
//
// From the uses of values alone: no op is known by its name here.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_REPORT_ROLES_H
#define COMPILER_REPORT_ROLES_H

#include "compiler/Report/Program.h"

#include <string>
#include <vector>

namespace tarn::report {

/// What steps and values are for; indices as in the program.
struct Roles {
  explicit Roles(const Program &program);

  /// `forward`, `backward`, `again`, `update`, `metric`, by step.
  std::vector<std::string> phases;
  /// A row of the breakdown, by value (see Tensor::role).
  std::vector<std::string> roles;
  /// Made by the forward pass and read after it, by value.
  std::vector<bool> kept;
  /// Of gradients: the state that they are of; else -1.
  std::vector<int64_t> gradientOf;

  bool isForward(int64_t step) const {
    return step >= 0 && phases[step] == "forward";
  }
  /// Forward steps that make value `index` from inputs, states and the values
  /// that are kept for the backward pass; empty where it is no forward value.
  std::vector<int64_t> closure(int64_t index) const;

private:
  void findForward();
  void findForwardInGraph();
  void findAgain();
  void findUpdates();
  void findMetrics();
  void nameValues();
  void nameParts();
  /// The step that makes a value, or what copies have moved there; -1 = none.
  int64_t makerOf(int64_t value) const;
  /// Elements of the last product's result on the way to the loss; 0 = none.
  int64_t logitsElements() const;

  const Program &program;
};

/// Elements of a ranked type; 0 for null.
int64_t elementsOf(mlir::Type type);

} // namespace tarn::report

#endif // COMPILER_REPORT_ROLES_H
