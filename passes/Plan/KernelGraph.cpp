//===- KernelGraph.cpp - a function of kernels, to be scheduled
//-------------===//

#include "passes/Plan/KernelGraph.h"

#include "dialects/Tile/Analysis.h"
#include "dialects/Tile/TileOps.h"
#include "passes/Layout/InPlace.h"
#include "passes/Plan/FunctionPlan.h"
#include "passes/Plan/Offload.h"
#include "passes/Train/Roles.h"

#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace tarn;

Value tarn::throughReshapes(Value value) { return ownerOf(value).of; }

/// Whether an op only names bytes that belong to other values.
static bool isName(Operation *op) {
  return op && (isa<graph::ReshapeOp>(op) || isInPlace(op));
}

SmallVector<std::pair<unsigned, unsigned>>
tarn::sharedBuffers(tile::KernelOp kernel, ValueRange inputs) {
  SmallVector<std::pair<unsigned, unsigned>> pairs;
  if (!kernel)
    return pairs;
  // Parts of values stay where they are.
  auto isWhole = [](Value value, Value owner) {
    return !isName(owner.getDefiningOp()) &&
           bytesOf(owner.getType()) == bytesOf(value.getType());
  };
  unsigned count = inputs.size();
  SmallVector<Value> owners;
  SmallVector<bool> whole;
  for (Value input : inputs) {
    owners.push_back(throughReshapes(input));
    whole.push_back(isWhole(input, owners.back()));
  }
  for (unsigned output = 0; output + count != kernel.getNumBuffers(); ++output)
    for (unsigned input = 0; input != count; ++input) {
      // A value may come in several times; each must be read in place.
      bool good = whole[input], isFirst = true;
      for (unsigned other = 0; other != count && good; ++other)
        if (owners[other] == owners[input]) {
          isFirst &= other >= input;
          good = tile::mayShareBytes(kernel, other, count + output);
        }
      if (good && isFirst)
        pairs.push_back({input, output});
    }
  return pairs;
}

/// Whether all that a kernel does gives the same bits again.
static bool mayRepeat(graph::ClusterOp cluster) {
  for (Operation &op : cluster.getBody().front())
    if (auto recomputable = dyn_cast<graph::Recomputable>(op))
      if (recomputable.getRecomputeClass() == graph::RecomputeClass::never)
        return false;
  return true;
}

KernelGraph::KernelGraph(func::FuncOp function,
                         llvm::function_ref<double(graph::ClusterOp)> secondsOf,
                         llvm::function_ref<bool(Value)> isOutside,
                         ArrayRef<Variant> variants)
    : function(function) {
  KernelTable table(function);
  llvm::SmallDenseSet<Value> returned;
  for (Value operand : returnOf(function).getOperands())
    returned.insert(throughReshapes(operand));
  for (auto cluster : function.getBody().front().getOps<graph::ClusterOp>()) {
    schedule::Task task;
    task.seconds = secondsOf(cluster);
    task.workspace = aligned(table.of(cluster).getWorkspaceBytes());
    task.mayRepeat = mayRepeat(cluster);
    llvm::SetVector<int> reads;
    for (Value input : cluster.getInputs())
      collectReads(input, reads);
    for (Value result : cluster.getResults())
      if (std::optional<int> first = indexOf(result))
        reads.insert(*first); // the rest of the parts is written beside it
    task.reads.assign(reads.begin(), reads.end());
    for (Value result : cluster.getResults()) {
      bool isResult = returned.contains(throughReshapes(result));
      int value = addResult(result, task, isOutside(result));
      tasks.values[size_t(value)].isResult = isResult;
      // What the caller sees is made once.
      task.mayRepeat &= !isResult;
    }
    for (auto [input, output] :
         sharedBuffers(table.of(cluster), cluster.getInputs())) {
      std::optional<int> read = indexOf(cluster.getInputs()[input]);
      int made = task.makes[output];
      if (read && tasks.values[size_t(*read)].bytes > 0 &&
          tasks.values[size_t(made)].bytes > 0 &&
          !tasks.values[size_t(made)].isShared)
        task.shares.push_back({*read, made});
    }
    taskIndex[cluster] = tasks.addTask(std::move(task));
    kernels.push_back(cluster);
  }
  SmallVector<std::pair<size_t, Value>> written = statesWritten(isOutside);
  addForms(variants, written);
  keepStatesReadable(written);
}

void KernelGraph::addForms(ArrayRef<Variant> variants,
                           ArrayRef<std::pair<size_t, Value>> written) {
  forms.resize(kernels.size());
  // Of each state the kernel that writes it.
  llvm::DenseMap<Value, size_t> writers;
  for (auto [writer, state] : written)
    writers.try_emplace(state, writer);
  for (const Variant &variant : variants) {
    size_t index = size_t(taskOf(variant.reader));
    // The old state is not there any more.
    if (llvm::any_of(variant.inputs, [&](Value input) {
          auto writer = writers.find(throughReshapes(input));
          return writer != writers.end() && writer->second < index;
        }))
      continue;
    schedule::Task &task = tasks.tasks[index];
    schedule::Form form;
    form.seconds = variant.seconds;
    form.workspace =
        aligned(tile::KernelOp(variant.kernel).getWorkspaceBytes());
    for (OpResult value : variant.without)
      form.without.push_back(*indexOf(value));
    llvm::sort(form.without);
    llvm::SetVector<int> reads;
    for (Value input : variant.inputs)
      collectReads(input, reads);
    for (int made : task.makes)
      if (std::optional<int> first = indexOf(values[size_t(made)]);
          *first != made)
        reads.insert(*first);
    form.reads.assign(reads.begin(), reads.end());
    for (auto [input, output] : sharedBuffers(variant.kernel, variant.inputs)) {
      std::optional<int> read = indexOf(variant.inputs[input]);
      int made = task.makes[output];
      if (read && tasks.values[size_t(*read)].bytes > 0 &&
          tasks.values[size_t(made)].bytes > 0 &&
          !tasks.values[size_t(made)].isShared)
        form.shares.push_back({*read, made});
    }
    task.forms.push_back(std::move(form));
    forms[index].push_back(variant);
  }
}

SmallVector<std::pair<size_t, Value>>
KernelGraph::statesWritten(llvm::function_ref<bool(Value)> isOutside) {
  SmallVector<std::pair<size_t, Value>> written;
  ArgumentIndex arguments(function);
  for (auto [i, operand] : llvm::enumerate(returnOf(function).getOperands())) {
    Value made = throughReshapes(operand);
    std::optional<int> index = indexOf(made);
    std::optional<unsigned> argument =
        arguments.find(resultRole(function, i), resultName(function, i));
    if (index && argument && isStateRole(resultRole(function, i)) &&
        isOutside(made))
      written.push_back({size_t(tasks.values[size_t(*index)].maker),
                         function.getArgument(*argument)});
  }
  return written;
}

/// Adds a value that the task makes.
int KernelGraph::addResult(Value result, schedule::Task &task, bool isOutside) {
  Value owner = throughReshapes(result);
  bool isLater = firstPart.contains(owner);
  int value = tasks.addValue(
      isOutside || isLater ? 0 : aligned(bytesOf(owner.getType())));
  task.makes.push_back(value);
  values.push_back(result);
  valueIndex[result] = value;
  if (owner != result) {
    // A part is made once: the others would be lost with it.
    task.mayRepeat = false;
    tasks.values[size_t(value)].isShared = true;
    firstPart.try_emplace(owner, value);
  }
  return value;
}

/// The values that reading `value` takes: all parts of what is put together.
void KernelGraph::collectReads(Value value, llvm::SetVector<int> &reads) const {
  Operation *op = value.getDefiningOp();
  if (isName(op)) {
    for (Value operand : op->getOperands())
      collectReads(operand, reads);
    return;
  }
  if (auto found = valueIndex.find(value); found != valueIndex.end()) {
    reads.insert(found->second);
    if (std::optional<int> first = indexOf(value))
      reads.insert(*first);
  }
}

/// A kernel that writes a state over the old one runs after all others that
/// read the old one, each time that they run.
void KernelGraph::keepStatesReadable(
    ArrayRef<std::pair<size_t, Value>> written) {
  // Of each argument who reads it in any form, in order.
  llvm::DenseMap<Value, SmallVector<size_t>> readers;
  for (size_t reader = 0; reader != kernels.size(); ++reader) {
    auto add = [&](ValueRange inputs) {
      for (Value input : inputs)
        if (Value from = throughReshapes(input); isa<BlockArgument>(from)) {
          SmallVector<size_t> &list = readers[from];
          if (list.empty() || list.back() != reader)
            list.push_back(reader);
        }
    };
    add(kernels[reader].getInputs());
    for (const Variant &variant : forms[reader])
      add(variant.inputs);
  }
  for (auto [writer, state] : written)
    for (size_t reader : readers.lookup(state)) {
      if (reader == writer)
        continue;
      int token = tasks.addValue(0);
      values.push_back({});
      tasks.values[size_t(token)].maker = int(reader);
      tasks.tasks[reader].makes.push_back(token);
      tasks.tasks[writer].reads.push_back(token);
      for (schedule::Form &form : tasks.tasks[writer].forms)
        form.reads.push_back(token);
      tasks.tasks[writer].retires.push_back(int(reader));
    }
}

std::optional<int> KernelGraph::indexOf(Value value) const {
  Value owner = throughReshapes(value);
  for (const auto *index : {&firstPart, &valueIndex})
    if (auto found = index->find(owner); found != index->end())
      return found->second;
  return std::nullopt;
}

namespace {

/// Emits the copies of a timeline between its runs.
class CopyEmitter {
public:
  CopyEmitter(OpBuilder &b, const schedule::Timeline &timeline,
              std::vector<Value> &madeBy)
      : b(b), timeline(timeline), madeBy(madeBy),
        tokens(timeline.copies.size()) {}

  /// What starts and what is waited for right before a run; moments in order.
  void emit(int moment) {
    start(moment, true);
    wait(moment, true);
    start(moment, false);
    wait(moment, false);
  }

private:
  void start(int moment, bool isOut) {
    for (; next != timeline.copies.size() &&
           timeline.copies[next].start == moment &&
           timeline.copies[next].isOut == isOut;
         ++next) {
      const schedule::Copy &copy = timeline.copies[next];
      Value from = isOut ? madeBy[size_t(copy.life)] : hosted[copy.value];
      auto move =
          startMove(b, from, isOut ? step::Space::Host : step::Space::Arena);
      (isOut ? hosted[copy.value] : madeBy[size_t(copy.life)]) =
          move.getMoved();
      tokens[next] = move.getToken();
      flying.push_back(next);
    }
  }
  void wait(int moment, bool isOut) {
    SmallVector<Value> due;
    llvm::erase_if(flying, [&](size_t c) {
      const schedule::Copy &copy = timeline.copies[c];
      bool isDue = copy.wait == moment && copy.isOut == isOut;
      if (isDue)
        due.push_back(tokens[c]);
      return isDue;
    });
    if (!due.empty())
      step::WaitOp::create(b, due.front().getLoc(), due);
  }

  OpBuilder &b;
  const schedule::Timeline &timeline;
  std::vector<Value> &madeBy;
  std::vector<Value> tokens; ///< of each copy
  SmallVector<size_t> flying;
  llvm::DenseMap<int, Value> hosted;
  size_t next = 0;
};

} // namespace

void KernelGraph::apply(const schedule::Timeline &timeline) {
  Operation *end = returnOf(function);
  OpBuilder b(end);
  // The value of each life, and other names for it, made where they are read.
  std::vector<Value> madeBy(timeline.lives.size());
  llvm::DenseMap<std::pair<int, Operation *>, Value> renamed;
  std::vector<int> lifeOf(values.size(), -1);
  using Sources = llvm::SmallDenseMap<int, int>;
  auto lifeFor = [&](Value value, const Sources &sources) {
    auto index = valueIndex.find(value);
    if (index == valueIndex.end())
      return -1;
    auto read = sources.find(index->second);
    return read == sources.end() ? lifeOf[size_t(index->second)] : read->second;
  };
  std::function<Value(Value, const Sources &)> provide =
      [&](Value value, const Sources &sources) -> Value {
    Operation *name = value.getDefiningOp();
    if (!isName(name)) {
      int life = lifeFor(value, sources);
      return life < 0 ? value : madeBy[size_t(life)];
    }
    // All parts of what is put together are made once: one tells for all.
    Value below = value;
    while (isName(below.getDefiningOp()))
      below = below.getDefiningOp()->getOperand(0);
    std::pair<int, Operation *> key{lifeFor(below, sources), name};
    if (Value known = renamed.lookup(key))
      return known;
    SmallVector<Value> operands;
    for (Value operand : name->getOperands())
      operands.push_back(provide(operand, sources));
    Operation *copy = b.clone(*name);
    copy->setOperands(operands);
    return renamed[key] = copy->getResult(0);
  };
  size_t source = 0, life = 0;
  CopyEmitter copies(b, timeline, madeBy);
  for (size_t run = 0; run != timeline.runs.size(); ++run) {
    copies.emit(int(run));
    while (timeline.lives[life].copy >= 0)
      ++life; // copies bring these
    int task = timeline.runs[run], form = timeline.forms[run];
    graph::ClusterOp kernel = kernels[size_t(task)];
    const schedule::Task &t = tasks.tasks[size_t(task)];
    const Variant *variant =
        form < 0 ? nullptr : &forms[size_t(task)][size_t(form)];
    Sources sources;
    for (int read : t.readsOf(form))
      sources[read] = timeline.sources[source++];
    SmallVector<Value> operands;
    auto addOperand = [&](Value input) {
      operands.push_back(provide(input, sources));
    };
    graph::ClusterOp copy;
    if (variant) {
      llvm::for_each(variant->inputs, addOperand);
      copy = variant->create(b, operands);
    } else {
      llvm::for_each(kernel.getInputs(), addOperand);
      copy = cast<graph::ClusterOp>(b.clone(*kernel));
      copy->setOperands(operands);
    }
    for (auto [i, made] : llvm::enumerate(t.makes)) {
      // What is returned is made once.
      if (lifeOf[size_t(made)] < 0)
        lifeOf[size_t(made)] = int(life);
      if (i < copy->getNumResults()) // else it only keeps an order
        madeBy[life] = copy->getResult(i);
      ++life;
    }
  }
  copies.emit(int(timeline.runs.size()));
  for (OpOperand &operand : end->getOpOperands())
    operand.set(provide(operand.get(), Sources()));
  // Nobody reads the originals any more.
  for (graph::ClusterOp kernel : llvm::reverse(kernels)) {
    kernel->dropAllUses();
    kernel->erase();
  }
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(function.getBody().front())))
    if (isName(&op) && op.use_empty())
      op.erase();
  kernels.clear();
}
