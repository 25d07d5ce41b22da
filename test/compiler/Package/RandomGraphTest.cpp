//===- RandomGraphTest.cpp - 200 random graphs, fused and run -------------===//
//
// Graphs of elementwise ops, broadcasts and reductions of rows. Each becomes
// one kernel, or a remark names every border; and the machine code computes
// what the interpreter computes.
//
//===----------------------------------------------------------------------===//

#include "CompareCompiled.h"

#include "compiler/Pipeline/Phases.h"
#include "dialects/Tarn/TarnOps.h"
#include "passes/Fuse/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include "gtest/gtest.h"

#include <random>

using namespace mlir;
using namespace tarn;
using namespace tarn::test;

namespace {

/// Writes a random graph over the dims (rows, columns) or (batch, rows,
/// columns).
class Writer {
public:
  explicit Writer(unsigned seed) : random(seed) {
    if (below(3) == 0)
      extents.push_back(1 + below(5));
    extents.push_back(1 + below(40));
    extents.push_back(1 + below(70));
  }

  std::string write() {
    std::vector<int> all;
    for (size_t d = 0; d != extents.size(); ++d)
      all.push_back(d);
    argument(all);
    for (unsigned n = below(3); n-- > 0;)
      argument(some(all));
    unsigned ops = 2 + below(14);
    for (unsigned i = 0; i != ops; ++i)
      step();
    // One or two results; the last value is always one.
    std::vector<size_t> results{values.size() - 1};
    if (below(3) == 0 && values.size() > 2)
      results.push_back(below(values.size() - 1));
    std::string types, given, names;
    for (size_t i = 0; i != results.size(); ++i) {
      const Value &value = values[results[i]];
      std::string comma = i ? ", " : "";
      given += comma + type(value.dims) + " {tarn.name = \"r" +
               std::to_string(i) + "\", tarn.role = \"output\"}";
      types += comma + type(value.dims);
      names += comma + value.name;
    }
    return "func.func @f(" + arguments + ") -> (" + given +
           ") attributes {tarn.kind = \"forward\"} {\n" + body + "  return " +
           names + " : " + types + "\n}\n";
  }

private:
  struct Value {
    std::string name;
    std::vector<int> dims; ///< of the domain, increasing
  };

  unsigned below(unsigned n) { return random() % n; }
  std::vector<int> some(const std::vector<int> &dims) {
    std::vector<int> kept;
    for (int d : dims)
      if (below(2))
        kept.push_back(d);
    return kept;
  }
  std::string type(const std::vector<int> &dims) {
    std::string text = "tensor<";
    for (int d : dims)
      text += std::to_string(extents[d]) + "x";
    return text + "f32>";
  }
  void argument(const std::vector<int> &dims) {
    std::string number = std::to_string(values.size());
    arguments += (values.empty() ? "%a" : ", %a") + number + ": " + type(dims) +
                 " {tarn.name = \"a" + number + "\", tarn.role = \"input\"}";
    values.push_back({"%a" + number, dims});
  }
  void add(const std::string &op, const std::vector<int> &dims) {
    std::string name = "%v" + std::to_string(values.size());
    body += "  " + name + " = tarn." + op + "\n";
    values.push_back({name, dims});
  }
  /// `value` over the dims `to`, which include its own.
  std::string spread(Value value, const std::vector<int> &to) {
    if (value.dims == to)
      return value.name;
    std::string places;
    for (int d : value.dims)
      for (size_t k = 0; k != to.size(); ++k)
        if (to[k] == d)
          places += (places.empty() ? "" : ", ") + std::to_string(k);
    add("broadcast " + value.name + " dims = [" + places +
            "] : " + type(value.dims) + " -> " + type(to),
        to);
    return values.back().name;
  }
  void step() {
    static const char *const unary[] = {"tanh", "neg", "abs", "sigmoid", "sin"};
    static const char *const binary[] = {"add", "sub", "mul", "max", "min"};
    // Mostly from what is new.
    Value x =
        values[values.size() - 1 - below(std::min<size_t>(values.size(), 4))];
    unsigned choice = below(10);
    if (choice < 3) {
      add(std::string(unary[below(5)]) + " " + x.name + " : " + type(x.dims),
          x.dims);
      return;
    }
    if (choice < 5 && !x.dims.empty()) {
      std::vector<int> rest(x.dims.begin(), x.dims.end() - 1);
      add(std::string(below(2) ? "reduce_sum " : "reduce_max ") + x.name +
              " dims = [" + std::to_string(rest.size()) + "] : " + type(x.dims),
          rest);
      return;
    }
    Value y = values[below(values.size())];
    std::vector<int> dims;
    for (size_t d = 0; d != extents.size(); ++d)
      if (llvm::is_contained(x.dims, int(d)) ||
          llvm::is_contained(y.dims, int(d)))
        dims.push_back(d);
    std::string left = spread(x, dims), right = spread(y, dims);
    add(std::string(binary[below(5)]) + " " + left + ", " + right + " : " +
            type(dims),
        dims);
  }

  std::mt19937 random;
  std::vector<int64_t> extents;
  std::vector<Value> values;
  std::string arguments, body;
};

constexpr unsigned graphs = 200;

} // namespace

TEST(RandomGraphs, OneKernelOrARemark) {
  unsigned whole = 0, borders = 0;
  for (unsigned seed = 0; seed != graphs; ++seed) {
    std::string text = Writer(seed).write();
    auto module = parseSourceString<ModuleOp>(text, &context());
    ASSERT_TRUE(module) << text;
    std::vector<std::string> remarks;
    ScopedDiagnosticHandler handler(&context(), [&](Diagnostic &diagnostic) {
      // Borders alone are counted; two kernels that became one have none.
      if (!StringRef(diagnostic.str()).starts_with("one kernel with"))
        remarks.push_back(diagnostic.str());
      return success();
    });
    PassManager pm(&context());
    buildPhase(pm, Phase::Graph, {});
    buildPhase(pm, Phase::Layout, {});
    TarnFuseClustersOptions fuse;
    fuse.explain = true;
    pm.addNestedPass<func::FuncOp>(createTarnFuseClusters(fuse));
    ASSERT_TRUE(succeeded(pm.run(*module))) << text;
    unsigned clusters = 0, loose = 0;
    module->walk([&](graph::ClusterOp) { ++clusters; });
    // Nothing that computes is left outside.
    for (auto function : module->getOps<func::FuncOp>())
      for (Operation &op : function.getBody().front().without_terminator())
        loose +=
            !isa<graph::ClusterOp, graph::ReshapeOp, graph::ConstantOp>(op);
    EXPECT_EQ(loose, 0u) << text;
    whole += clusters <= 1;
    borders += remarks.size();
    if (clusters > 1)
      EXPECT_GE(remarks.size(), clusters - 1) << "seed " << seed << "\n"
                                              << text;
    for (const std::string &remark : remarks)
      EXPECT_TRUE(StringRef(remark).starts_with("border")) << remark;
  }
  // Fusion that stopped fusing would pass the checks above.
  EXPECT_GE(whole, graphs * 6 / 10);
  RecordProperty("whole", whole);
  RecordProperty("borders", borders);
}

TEST(RandomGraphs, EqualTheInterpreter) {
  for (unsigned seed = 0; seed != graphs; ++seed) {
    std::string text = Writer(seed).write();
    CompareOptions options;
    options.seed = seed;
    options.tolerance = 1e-4;
    options.checkPlan = seed % 10 == 0;
    CompareResult result = compareCompiled(text, options);
    EXPECT_EQ(result.error, "") << "seed " << seed << "\n" << text;
  }
}
