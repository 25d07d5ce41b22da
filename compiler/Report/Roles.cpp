//===- Roles.cpp - what the values of a program are for -------------------===//

#include "compiler/Report/Roles.h"

#include "passes/Layout/InPlace.h"
#include "passes/Plan/ForwardPass.h"

#include <set>

using namespace mlir;
using namespace tarn;
using namespace tarn::report;
using step::Space;

int64_t tarn::report::elementsOf(Type type) {
  auto shaped = dyn_cast_if_present<ShapedType>(type);
  return shaped && shaped.hasStaticShape() ? shaped.getNumElements() : 0;
}

Roles::Roles(const Program &program) : program(program) {
  phases.assign(program.steps.size(), "");
  roles.assign(program.values.size(), "");
  kept.assign(program.values.size(), false);
  gradientOf.assign(program.values.size(), -1);
  Operation *op = program.op;
  auto kind = op->getAttrOfType<StringAttr>("tarn.kind");
  if (kind && kind.getValue() == "train") {
    findForward();
    findAgain();
    findUpdates();
    findMetrics();
  } else {
    phases.assign(program.steps.size(), "forward");
  }
  nameValues();
}

/// What the loss waits for.
void Roles::findForward() {
  bool known = program.function != nullptr;
  for (const ProgramStep &step : program.steps)
    known &= !step.kernel || step.cluster;
  if (known)
    return findForwardInGraph();
  std::vector<int64_t> work;
  for (const ProgramValue &value : program.values)
    if (value.role == "loss" && value.maker >= 0)
      work.push_back(value.maker);
  while (!work.empty()) {
    int64_t step = work.back();
    work.pop_back();
    if (!phases[step].empty())
      continue;
    phases[step] = "forward";
    for (int64_t read : program.steps[step].reads)
      if (program.values[read].maker >= 0)
        work.push_back(program.values[read].maker);
  }
}

int64_t Roles::makerOf(int64_t value) const {
  int64_t maker = program.values[value].maker;
  while (maker >= 0 && isa<step::CopyStartOp>(program.steps[maker].op) &&
         !program.steps[maker].reads.empty())
    maker = program.values[program.steps[maker].reads.front()].maker;
  return maker;
}

/// The same by the graph, which knows the parts of a kernel that the loss does
/// not wait for.
void Roles::findForwardInGraph() {
  std::set<Operation *> forward;
  for (func::FuncOp function : {program.micro, program.function})
    if (function) {
      ForwardPass pass(function);
      forward.insert(pass.ops().begin(), pass.ops().end());
    }
  for (auto [i, step] : llvm::enumerate(program.steps))
    if (step.cluster && forward.count(step.cluster)) {
      // One kernel may finish the loss and work on gradients beside it.
      bool early = llvm::all_of(step.reads, [&](int64_t read) {
        int64_t maker = makerOf(read);
        return maker < 0 || phases[maker] == "forward";
      });
      if (early)
        phases[i] = "forward";
    }
}

static Value rootOf(Value value) {
  for (;;) {
    if (Operation *op = value.getDefiningOp();
        op && (isa<graph::ReshapeOp>(op) || isInPlace(op)))
      value = op->getOperand(0);
    else if (auto move = value.getDefiningOp<step::MoveStartOp>())
      value = move.getValue();
    else
      return value;
  }
}

/// A kernel that does what a forward kernel did, on the same values.
void Roles::findAgain() {
  llvm::DenseMap<Value, Value> same; // what a second value is equal to
  std::map<std::pair<Operation *, std::vector<void *>>, Operation *> known;
  for (auto [i, step] : llvm::enumerate(program.steps)) {
    graph::ClusterOp cluster = step.cluster;
    if (!cluster)
      continue;
    std::vector<void *> key;
    for (Value input : cluster->getOperands()) {
      Value root = rootOf(input);
      key.push_back(same.lookup_or(root, root).getAsOpaquePointer());
    }
    tile::KernelOp kernel = step.kernel;
    auto [found, isNew] =
        known.insert({{kernel.getOperation(), key}, cluster.getOperation()});
    if (isNew || phases[i] == "forward")
      continue;
    phases[i] = "again";
    for (auto [second, first] :
         llvm::zip(cluster->getResults(), found->second->getResults()))
      same[second] = first;
  }
}

void Roles::findUpdates() {
  for (auto [i, step] : llvm::enumerate(program.steps)) {
    if (!phases[i].empty())
      continue;
    for (int64_t state : program.stateWrites[i]) {
      const std::string &role = program.states[state].role;
      if (role == "parameter" || role == "optimizer")
        phases[i] = "update";
    }
  }
}

/// What neither the loss nor a state waits for; the rest goes backward.
void Roles::findMetrics() {
  std::vector<bool> wanted(program.steps.size());
  std::vector<int64_t> work;
  for (size_t i = 0; i != program.steps.size(); ++i)
    if (!program.stateWrites[i].empty())
      work.push_back(int64_t(i));
  while (!work.empty()) {
    int64_t step = work.back();
    work.pop_back();
    if (wanted[step])
      continue;
    wanted[step] = true;
    for (int64_t read : program.steps[step].reads)
      if (program.values[read].maker >= 0)
        work.push_back(program.values[read].maker);
  }
  for (size_t i = 0; i != program.steps.size(); ++i)
    if (phases[i].empty())
      phases[i] = wanted[i] ? "backward" : "metric";
  // Copies go with what they are between.
  for (size_t i = 0; i != program.steps.size(); ++i)
    if (auto copy = dyn_cast<step::CopyStartOp>(program.steps[i].op)) {
      bool out = copy.getTo().getSpace() == Space::Host;
      for (int64_t value : program.steps[i].reads)
        if (int64_t maker = makerOf(value); out && maker >= 0)
          phases[i] = phases[maker];
      for (int64_t value : program.steps[i].writes)
        for (int64_t reader : program.values[value].readers)
          if (!out && program.steps[reader].cluster) {
            phases[i] = phases[reader];
            break;
          }
    } else if (isa<step::WaitOp>(program.steps[i].op) && i > 0) {
      phases[i] = phases[i - 1];
    }
  // A fill belongs to the kernel that adds to it.
  for (size_t i = program.steps.size(); i-- > 0;)
    if (isa<step::FillOp>(program.steps[i].op))
      for (int64_t value : program.steps[i].writes)
        if (int64_t maker = program.values[value].maker; maker > int64_t(i))
          phases[i] = phases[maker];
}

/// Whether a step's kernel holds a product.
static bool isProduct(const ProgramStep &step) {
  graph::ClusterOp cluster = step.cluster;
  bool product = false;
  if (cluster)
    cluster->walk([&](graph::ProductOp) { product = true; });
  return product;
}

int64_t Roles::logitsElements() const {
  int64_t elements = 0;
  for (auto [i, step] : llvm::enumerate(program.steps)) {
    if (phases[i] != "forward" || !isProduct(step))
      continue;
    elements = 0;
    graph::ClusterOp cluster = step.cluster;
    for (Value result : cluster->getResults())
      elements = std::max(elements, elementsOf(result.getType()));
  }
  return elements;
}

void Roles::nameValues() {
  Operation *op = program.op;
  auto kind = op->getAttrOfType<StringAttr>("tarn.kind");
  bool trains = kind && kind.getValue() == "train";
  int64_t logits = trains ? logitsElements() : 0;
  int64_t lastForward = -1;
  for (size_t i = 0; i != phases.size(); ++i)
    if (phases[i] == "forward")
      lastForward = int64_t(i);
  // Products before the last one may be as large by chance.
  int64_t firstLogits = -1;
  for (auto [i, value] : llvm::enumerate(program.values)) {
    Space space = value.slice.getSpace();
    std::string &role = roles[i];
    if (space == Space::Input)
      role = "inputs";
    else if (space == Space::Output)
      role = "outputs";
    else if (space == Space::Constant)
      role = "constants";
    else if (space == Space::Host)
      role = "offloaded";
    if (!role.empty())
      continue;
    int64_t made = makerOf(int64_t(i));
    for (int64_t reader : value.readers)
      for (int64_t state : program.stateWrites[reader]) {
        const std::string &of = program.states[state].role;
        if ((of == "parameter" || of == "accumulator") &&
            elementsOf(program.states[state].type) > 1 &&
            elementsOf(program.states[state].type) == elementsOf(value.type) &&
            made >= 0 &&
            (phases[made] == "backward" || phases[made] == "again") && trains) {
          gradientOf[i] = state;
          role = "gradients";
        }
      }
    if (!role.empty())
      continue;
    if (isForward(value.maker)) {
      bool saved = llvm::any_of(value.readers, [&](int64_t reader) {
        return phases[reader] != "forward" && phases[reader] != "metric";
      });
      role = saved ? "saved" : "scratch";
      kept[i] = saved;
    } else if (value.maker >= 0 &&
               isa<step::CopyStartOp>(program.steps[value.maker].op)) {
      role = "saved"; // it is back from the host
    } else {
      role = value.maker >= 0 && phases[value.maker] == "again" ? "recomputed"
                                                                : "scratch";
    }
  }
  nameParts();
  if (!logits || lastForward < 0)
    return;
  // From the last product of the forward pass on, all that has the size of its
  // result is logits, their softmax or its gradient.
  for (const ProgramValue &value : program.values)
    if (isForward(value.maker) && elementsOf(value.type) == logits &&
        isProduct(program.steps[value.maker]))
      firstLogits = std::max(firstLogits, value.maker);
  if (firstLogits < 0)
    return;
  // Backward, the last product's own gradient ends it: what is as large after
  // the first product of the backward pass is something else.
  int64_t end = int64_t(program.steps.size());
  for (int64_t i = lastForward + 1; i < int64_t(program.steps.size()); ++i)
    if (phases[i] == "backward" && isProduct(program.steps[i])) {
      end = i;
      break;
    }
  for (auto [i, value] : llvm::enumerate(program.values))
    if (value.slice.getSpace() == Space::Arena &&
        elementsOf(value.type) == logits && value.maker >= firstLogits &&
        value.maker <= end && roles[i] != "gradients")
      roles[i] = "logits";
}

/// Parts of a gradient that several uses of a weight add up.
void Roles::nameParts() {
  for (size_t i = program.values.size(); i-- > 0;) {
    const ProgramValue &value = program.values[i];
    if (gradientOf[i] >= 0 || value.slice.getSpace() != Space::Arena ||
        value.maker < 0 || phases[value.maker] != "backward")
      continue;
    for (int64_t reader : value.readers)
      for (int64_t sum : program.steps[reader].writes)
        if (int64_t state = gradientOf[sum];
            state >= 0 &&
            elementsOf(program.values[sum].type) == elementsOf(value.type)) {
          gradientOf[i] = state;
          roles[i] = "gradients";
        }
  }
}

std::vector<int64_t> Roles::closure(int64_t index) const {
  std::vector<int64_t> steps, work{index};
  std::set<int64_t> seen;
  while (!work.empty()) {
    int64_t next = work.back();
    work.pop_back();
    const ProgramValue &value = program.values[next];
    if (!isForward(value.maker) || (next != index && kept[next]) ||
        !seen.insert(value.maker).second)
      continue;
    steps.push_back(value.maker);
    for (int64_t read : program.steps[value.maker].reads)
      work.push_back(read);
  }
  return steps;
}
