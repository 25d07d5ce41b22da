//===- Parallelism.cpp - which dims a mesh may split ----------------------===//

#include "compiler/Sizing/Parallelism.h"

#include "dialects/Tarn/TarnOps.h"
#include "passes/Train/Roles.h"

#include <cmath>

using namespace mlir;
using namespace tarn;

Parallelism::Parallelism(StepGraph &step, DimClasses &classes)
    : step(step), classes(classes) {
  for (const DimEvent &event : classes.events())
    if (step.isForward(event.op))
      events.push_back(event);
  findTokens();
  findTensorDims();
}

/// The batch: the first dim of an input that the model never sums over; the
/// sequence: the other one.
void Parallelism::findTokens() {
  DenseSet<DimClass> ofWeights, mixed, averaged;
  for (const SizedParameter &parameter : step.parameters)
    for (DimClass dim : classes.classesOf(parameter.value))
      ofWeights.insert(dim);
  for (const DimEvent &event : events)
    switch (event.kind) {
    case DimEvent::statistic:
      // Sums into one number are the loss.
      if (event.elements > 1)
        averaged.insert(event.dim);
      break;
    case DimEvent::blocked:
    case DimEvent::sumOfActivations:
    case DimEvent::sumWithWeight:
      mixed.insert(event.dim);
      break;
    default:
      break;
    }
  SmallVector<DimClass> found;
  for (Value input : step.inputs)
    for (DimClass dim : classes.classesOf(input))
      if (!ofWeights.contains(dim) && tokens.insert(dim).second)
        found.push_back(dim);
  // A dim that is averaged over (loads of experts, moments of a batch) is split
  // where there is no other: ranks then have averages of their own.
  for (bool averages : {false, true})
    for (DimClass dim : found)
      if (!batch && !mixed.contains(dim) &&
          (averages || !averaged.contains(dim)))
        batch = dim;
  for (DimClass dim : found)
    if (dim != batch)
      sequence = dim;
}

namespace {
/// What is known of a class that might be split by tensor parallelism.
struct Candidate {
  DimClass dim;
  size_t order = 0;   ///< among the dims of the parameters
  double weights = 0; ///< elements of parameters that have it
  double adds = 0;    ///< elements that ranks would add up, forward
  bool made = false, summed = false, rows = false, possible = true;
  bool mixed = false; ///< by norms, a softmax
};
} // namespace

void Parallelism::findTensorDims() {
  DenseMap<DimClass, unsigned> index;
  std::vector<Candidate> all;
  auto at = [&](DimClass dim) -> Candidate * {
    auto found = index.find(dim);
    return found == index.end() ? nullptr : &all[found->second];
  };
  for (const SizedParameter &parameter : step.parameters) {
    double elements =
        double(graph::tensorType(parameter.value).getNumElements());
    DenseSet<DimClass> here;
    for (DimClass dim : classes.classesOf(parameter.value)) {
      if (index.try_emplace(dim, all.size()).second)
        all.push_back({dim, all.size()});
      Candidate *candidate = at(dim);
      // Both sides of one matrix: it can't be split along both.
      if (!here.insert(dim).second)
        candidate->possible = false;
      else
        candidate->weights += elements;
    }
  }
  DenseSet<DimClass> perWeight;
  for (const DimEvent &event : events) {
    if (event.kind == DimEvent::perWeight)
      perWeight.insert(event.dim);
    else if (event.kind == DimEvent::dispatched)
      dispatched.insert(event.dim);
    Candidate *candidate = at(event.dim);
    if (!candidate)
      continue;
    switch (event.kind) {
    case DimEvent::blocked:
    case DimEvent::sumOfActivations:
      candidate->possible = false;
      break;
    case DimEvent::sumWithWeight:
      candidate->summed = true;
      candidate->adds += event.elements;
      break;
    case DimEvent::statistic:
      candidate->mixed |= event.elements > 1;
      candidate->adds += event.elements;
      break;
    case DimEvent::rowsOfWeight:
      // Rows that data names: words, not places.
      candidate->rows |= step.isActivation(event.op->getResult(0));
      candidate->adds += event.elements;
      break;
    case DimEvent::madeByWeight:
      candidate->made = true;
      break;
    case DimEvent::perWeight:
    case DimEvent::dispatched:
      break;
    }
  }
  for (DimClass dim : perWeight)
    if (Candidate *candidate = at(dim); candidate && !candidate->summed)
      expert.insert(dim);
  for (const DimEvent &event : events)
    if (event.kind == DimEvent::perWeight && expert.contains(event.dim)) {
      expertWeights.insert(event.weight);
      for (DimClass dim : classes.classesOf(event.weight))
        if (dim != event.dim)
          expertFeatures[event.dim].insert(dim);
    }
  // With what the optimizer keeps for them.
  for (const SizedParameter &parameter : step.parameters)
    if (expertWeights.contains(parameter.value)) {
      expertWeights.insert(parameter.stored);
      expertWeights.insert(parameter.states.begin(), parameter.states.end());
    }

  // Who meets whom in one tensor.
  DenseMap<DimClass, DenseSet<DimClass>> meets;
  auto look = [&](Value value) {
    SmallVector<DimClass> dims;
    for (DimClass dim : classes.classesOf(value))
      if (at(dim) && !llvm::is_contained(dims, dim))
        dims.push_back(dim);
    for (DimClass x : dims)
      for (DimClass y : dims)
        if (x != y)
          meets[x].insert(y);
  };
  for (const SizedParameter &parameter : step.parameters)
    look(parameter.value);
  for (Operation *op : step.forward)
    for (Value result : op->getResults())
      look(result);

  // Pairs of products first: what only a loss looks at splits one product.
  llvm::sort(all, [](const Candidate &x, const Candidate &y) {
    if (x.summed != y.summed)
      return x.summed;
    double a = x.adds * y.weights, b = y.adds * x.weights;
    return a != b ? a < b : x.order < y.order;
  });
  for (const Candidate &candidate : all) {
    // A loss may look at all of a vocabulary; between two products nothing may.
    if (!candidate.possible || (candidate.summed && candidate.mixed) ||
        expert.contains(candidate.dim) || !(candidate.made || candidate.rows) ||
        tokens.contains(candidate.dim))
      continue;
    if (llvm::any_of(meets[candidate.dim],
                     [&](DimClass other) { return tensor.contains(other); }))
      continue;
    tensor.insert(candidate.dim);
    if (!candidate.summed)
      last.insert(candidate.dim);
  }
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

/// `dim 1 of `w` (2304 = 3 x 12 x 64)`.
std::string Parallelism::describe(Value value, StringRef name, DimClass dim) {
  for (unsigned d = 0, e = graph::tensorType(value).getRank(); d != e; ++d) {
    SmallVector<DimClass> factors = classes.classesOf(value, d);
    if (!llvm::is_contained(factors, dim))
      continue;
    std::string text = "dim " + std::to_string(d) + " of `" + name.str() + "`";
    if (factors.size() > 1) {
      text +=
          " (" + std::to_string(graph::tensorType(value).getDimSize(d)) + " = ";
      for (auto [i, factor] : llvm::enumerate(factors))
        text += (i ? " x " : "") + std::to_string(classes.extentOf(factor));
      text += ")";
    }
    return text;
  }
  return "";
}

InFlightDiagnostic Parallelism::refuse(DimClass dim, StringRef axis,
                                       int64_t ranks,
                                       const SizedParameter *of) {
  auto emit = [&](Value value, StringRef name, Location place) {
    return emitError(place)
           << axis << "=" << ranks << " does not divide "
           << classes.extentOf(dim) << ": " << describe(value, name, dim);
  };
  if (of)
    return emit(of->value, of->name, step.placeOf(of->value));
  for (Value input : step.inputs)
    if (llvm::is_contained(classes.classesOf(input), dim))
      return emit(
          input,
          argumentName(step.work, cast<BlockArgument>(input).getArgNumber()),
          input.getLoc());
  for (const SizedParameter &parameter : step.parameters)
    if (llvm::is_contained(classes.classesOf(parameter.value), dim))
      return emit(parameter.value, parameter.name,
                  step.placeOf(parameter.value));
  return emitError(step.work.getLoc())
         << axis << "=" << ranks << " does not divide "
         << classes.extentOf(dim);
}

LogicalResult Parallelism::check(const ShardOptions &options) {
  const Mesh &mesh = options.mesh;
  if (options.overBatch() > 1) {
    for (Value input : step.inputs) {
      auto type = graph::tensorType(input);
      if (!batch && type.getRank() > 0 && type.getDimSize(0) == 1)
        return emitError(input.getLoc())
               << "dp=" << options.overBatch()
               << " does not divide 1: dim 0 of `"
               << argumentName(step.work,
                               cast<BlockArgument>(input).getArgNumber())
               << "`";
    }
    if (!batch)
      return emitError(step.work.getLoc())
             << "dp=" << mesh.dp
             << " has nothing to split: the model sums over every dimension of "
                "its inputs";
    if (classes.extentOf(*batch) % options.overBatch() != 0)
      return refuse(*batch, "dp", options.overBatch());
  }
  if (mesh.tp > 1) {
    if (tensor.empty())
      return emitError(step.work.getLoc())
             << "tp=" << mesh.tp
             << " has nothing to split: no product with a weight feeds another "
                "one";
    // In the order of the parameters, so that the first one is named.
    for (const SizedParameter &parameter : step.parameters)
      for (DimClass dim : classes.classesOf(parameter.value))
        if (tensor.contains(dim) && !last.contains(dim) &&
            classes.extentOf(dim) % mesh.tp != 0)
          return refuse(dim, "tp", mesh.tp, &parameter);
    if (options.sequenceParallel) {
      std::optional<DimClass> dim = sequence ? sequence : batch;
      if (dim && classes.extentOf(*dim) % mesh.tp != 0)
        return refuse(*dim, "tp", mesh.tp);
    }
  }
  if (mesh.ep > 1) {
    if (expert.empty())
      return emitError(step.work.getLoc())
             << "ep=" << mesh.ep
             << " has nothing to split: the model has no experts";
    for (const SizedParameter &parameter : step.parameters)
      for (DimClass dim : classes.classesOf(parameter.value))
        if (expert.contains(dim) && expertWeights.contains(parameter.value) &&
            classes.extentOf(dim) % mesh.ep != 0)
          return refuse(dim, "ep", mesh.ep, &parameter);
  }
  return success();
}

std::vector<std::pair<int64_t, std::string>>
Parallelism::padded(const ShardOptions &options) {
  std::vector<std::pair<int64_t, std::string>> all;
  DenseSet<DimClass> seen;
  for (const SizedParameter &parameter : step.parameters)
    for (DimClass dim : classes.classesOf(parameter.value))
      if (last.contains(dim) && classes.extentOf(dim) % options.mesh.tp != 0 &&
          seen.insert(dim).second)
        all.push_back({classes.extentOf(dim), parameter.name});
  return all;
}

//===----------------------------------------------------------------------===//
// Shards
//===----------------------------------------------------------------------===//

bool Parallelism::isLogits(Value value) {
  if (!step.isActivation(value))
    return false;
  return llvm::any_of(classes.classesOf(value),
                      [&](DimClass dim) { return last.contains(dim); });
}

bool Parallelism::isQuadratic(Value value) {
  DenseSet<DimClass> seen;
  for (DimClass dim : classes.classesOf(value))
    if (tokens.contains(dim) && !seen.insert(dim).second)
      return true;
  return false;
}

bool Parallelism::isExpert(Value value) {
  if (!step.isActivation(value) && !value.getDefiningOp())
    return expertWeights.contains(value);
  SmallVector<DimClass> dims = classes.classesOf(value);
  return llvm::any_of(dims, [&](DimClass dim) {
    if (dispatched.contains(dim))
      return true;
    return expert.contains(dim) && llvm::any_of(dims, [&](DimClass other) {
             return expertFeatures[dim].contains(other);
           });
  });
}

double Parallelism::tokensOf(const ShardOptions &options) const {
  double count = 1;
  if (batch)
    count *= double(classes.extentOf(*batch) / options.overBatch());
  if (sequence)
    count *= double(classes.extentOf(*sequence));
  return count;
}

Shards Parallelism::shardsOf(Value value, const ShardOptions &options) {
  const Mesh &mesh = options.mesh;
  SmallVector<DimClass> dims = classes.classesOf(value);
  bool activation = step.isActivation(value);
  bool ofExperts = !expert.empty() && isExpert(value);
  bool wide = mesh.tp > 1 && llvm::none_of(dims, [&](DimClass dim) {
                return tensor.contains(dim);
              });
  bool alongTokens = wide && options.sequenceParallel && value.getDefiningOp();
  std::optional<DimClass> along = sequence ? sequence : batch;
  Shards shards;
  shards.elements = 1;
  for (DimClass dim : dims) {
    int64_t over = 1;
    if (tensor.contains(dim) && shards.tensor == 1) {
      over = shards.tensor = mesh.tp;
    } else if (ofExperts && expert.contains(dim) && shards.expert == 1) {
      over = shards.expert = mesh.ep;
    } else if (dim == batch && shards.data == 1) {
      // What experts hold is of all tokens of the ranks that share them.
      over = shards.data =
          ofExperts ? options.overBatch() / mesh.ep : options.overBatch();
    }
    if (alongTokens && dim == along && shards.tokens == 1) {
      shards.tokens = mesh.tp;
      over *= mesh.tp;
    }
    shards.elements *= std::ceil(double(classes.extentOf(dim)) / double(over));
  }
  if (activation && ofExperts) {
    // Dispatched tokens: the dim of places in an expert is no dim of the
    // inputs, and grows with them all the same.
    if (shards.data == 1 && options.overBatch() > mesh.ep) {
      shards.data = options.overBatch() / mesh.ep;
      shards.elements = std::ceil(shards.elements / double(shards.data));
    }
    // Rows in the order of experts have no dim of experts.
    if (shards.expert == 1 && mesh.ep > 1) {
      shards.expert = mesh.ep;
      shards.elements = std::ceil(shards.elements / double(mesh.ep));
    }
    if (mesh.ep > 1)
      shards.elements = std::ceil(shards.elements * options.imbalance);
  }
  return shards;
}
