//===- OpTableTest.cpp - what every record promises -----------------------===//

#include "test/ops/OpTable.h"
#include "compiler/Reference/Interpreter.h"
#include "test/ops/TileEvaluator.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

using namespace mlir;
using namespace tarn;
using namespace tarn::graph;
using namespace tarn::test;

namespace {

// Collects diagnostics instead of printing them.
class Diagnostics {
public:
  explicit Diagnostics(MLIRContext &context)
      : handler(&context, [this](Diagnostic &diagnostic) {
          if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
            errors.push_back(diagnostic.str());
          for (Diagnostic &note : diagnostic.getNotes())
            notes.push_back(note.str());
        }) {}
  std::vector<std::string> errors, notes;

private:
  ScopedDiagnosticHandler handler;
};

std::string print(ModuleOp module, bool generic) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  OpPrintingFlags flags;
  module.print(stream, generic ? flags.printGenericOpForm() : flags);
  return text;
}

func::FuncOp functionOf(ModuleOp module) {
  return module.lookupSymbol<func::FuncOp>("op");
}

// The last op with the record's name: the one that the case is about.
Operation *opOf(ModuleOp module, StringRef name) {
  Operation *found = nullptr;
  functionOf(module).walk([&](Operation *op) {
    if (op->getName().getStringRef() == name)
      found = op;
  });
  return found;
}

// Compares all elements: |got - want| <= bound * (1 + |want|).
void expectClose(ArrayRef<HostTensor> got, ArrayRef<HostTensor> want,
                 double bound) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t r = 0; r != got.size(); ++r) {
    ASSERT_EQ(got[r].size(), want[r].size()) << "result " << r;
    for (int64_t i = 0; i != got[r].size(); ++i) {
      double g = got[r].data[i], w = want[r].data[i];
      if (std::isnan(w) && std::isnan(g))
        continue;
      bool close = g == w || std::abs(g - w) <= bound * (1 + std::abs(w));
      ASSERT_TRUE(close) << "result " << r << ", element " << i << ": " << g
                         << " instead of " << w;
    }
  }
}

class OpTable : public testing::TestWithParam<size_t> {
protected:
  OpTable() { context.loadDialect<TarnDialect, func::FuncDialect>(); }
  const OpRecord &record() const { return allOpRecords()[GetParam()]; }

  SmallVector<HostTensor> reference(ModuleOp module,
                                    ArrayRef<HostTensor> inputs) {
    auto results = evaluateFunction(functionOf(module), inputs);
    EXPECT_TRUE(succeeded(results));
    return succeeded(results) ? *results : SmallVector<HostTensor>();
  }

  MLIRContext context{MLIRContext::Threading::DISABLED};
};

std::string nameOf(const testing::TestParamInfo<size_t> &info) {
  return StringRef(allOpRecords()[info.param].op).drop_front(5).str();
}

// Every op of the dialect has a record, except the terminator that the records
// of cluster and attention cover.
TEST(OpTableItself, IsComplete) {
  MLIRContext context;
  context.loadDialect<TarnDialect>();
  std::set<std::string> recorded = {"tarn.yield"};
  for (const OpRecord &record : allOpRecords()) {
    EXPECT_TRUE(recorded.insert(record.op).second)
        << record.op << " has two records";
    EXPECT_FALSE(record.cases.empty()) << record.op << " has no case";
  }
  for (RegisteredOperationName name : context.getRegisteredOperations()) {
    if (name.getDialectNamespace() != "tarn")
      continue;
    EXPECT_TRUE(recorded.count(name.getStringRef().str()))
        << name.getStringRef().str() << " has no record in test/ops";
  }
}

// Of equal elements the first ones are taken, in their order. (No record: such
// points have no gradient.)
TEST(TopK, TakesTheFirstOfEqualElements) {
  MLIRContext context;
  context.loadDialect<TarnDialect, func::FuncDialect>();
  OpCase tied = makeCase<TopKOp>(
      "tied", {{"2x5xf32", 0, 0, {}, {1, 2, 2, 1, 2}}}, int64_t(4));
  OwningOpRef<ModuleOp> module = buildModule(context, tied);
  auto results =
      evaluateFunction(functionOf(*module), makeInputs(context, tied));
  ASSERT_TRUE(succeeded(results));
  EXPECT_EQ((*results)[0].data, (std::vector<double>{2, 2, 2, 1, 2, 2, 2, 1}));
  EXPECT_EQ((*results)[1].data, (std::vector<double>{1, 2, 4, 0, 1, 2, 4, 0}));
}

// The same for a sort, in both directions; NaN is the largest.
TEST(Sort, IsStableAndPutsNanAtTheLargeEnd) {
  MLIRContext context;
  context.loadDialect<TarnDialect, func::FuncDialect>();
  std::vector<std::vector<double>> wanted[] = {
      {{3, 1, 4, 2, 0, 5}, {4, 1, 3, 0, 2, 5}},
      {{0, 5, 2, 1, 4, 3}, {0, 3, 2, 5, 4, 1}}};
  for (bool descending : {false, true}) {
    OpCase opCase = makeCase<SortOp>(
        "special", {{"6xf32", 0, 0, {}, {NAN, 1, INFINITY, -INFINITY, 1, NAN}}},
        descending);
    OwningOpRef<ModuleOp> module = buildModule(context, opCase);
    auto results =
        evaluateFunction(functionOf(*module), makeInputs(context, opCase));
    ASSERT_TRUE(succeeded(results));
    EXPECT_EQ((*results)[1].data, wanted[descending][0]);
    EXPECT_EQ((*results)[2].data, wanted[descending][1]);
  }
}

TEST_P(OpTable, Verifies) {
  for (const OpCase &opCase : record().cases) {
    SCOPED_TRACE(opCase.name);
    OwningOpRef<ModuleOp> module = buildModule(context, opCase);
    EXPECT_TRUE(succeeded(verify(*module)));
    EXPECT_NE(opOf(*module, record().op), nullptr);
  }
}

TEST_P(OpTable, PrintsAndParses) {
  for (const OpCase &opCase : record().cases) {
    SCOPED_TRACE(opCase.name);
    OwningOpRef<ModuleOp> module = buildModule(context, opCase);
    for (bool generic : {false, true}) {
      std::string text = print(*module, generic);
      auto parsed = parseSourceString<ModuleOp>(text, &context);
      ASSERT_TRUE(parsed) << text;
      EXPECT_EQ(print(*parsed, false), print(*module, false));
    }
  }
}

TEST_P(OpTable, RefusesWhatItMust) {
  for (const OpError &error : record().errors) {
    SCOPED_TRACE(error.label + ": " + error.text);
    Diagnostics diagnostics(context);
    auto parsed = parseSourceString<ModuleOp>(error.text, &context);
    EXPECT_FALSE(parsed);
    ASSERT_FALSE(diagnostics.errors.empty());
    EXPECT_NE(diagnostics.errors[0].find(error.diagnostic), std::string::npos)
        << diagnostics.errors[0];
  }
}

// What the op's description numbers is tested here: one error per constraint.
TEST_P(OpTable, HasErrorCases) { EXPECT_FALSE(record().errors.empty()); }

TEST_P(OpTable, DecompositionEqualsReference) {
  for (const OpCase &opCase : record().cases) {
    SCOPED_TRACE(opCase.name);
    OwningOpRef<ModuleOp> module = buildModule(context, opCase);
    auto composite = dyn_cast_or_null<Composite>(opOf(*module, record().op));
    if (!composite)
      continue;
    std::vector<HostTensor> inputs = makeInputs(context, opCase);
    SmallVector<HostTensor> want = reference(*module, inputs);
    OpBuilder builder(composite);
    auto values = composite.decompose(builder);
    ASSERT_TRUE(succeeded(values));
    ASSERT_EQ(values->size(), composite->getNumResults());
    for (auto [old, value] : llvm::zip(composite->getResults(), *values))
      ASSERT_EQ(old.getType(), value.getType());
    composite->replaceAllUsesWith(*values);
    composite->erase();
    ASSERT_TRUE(succeeded(verify(*module)));
    expectClose(reference(*module, inputs), want, 1e-6);
  }
}

TEST_P(OpTable, LoopsEqualReference) {
  for (const OpCase &opCase : record().cases) {
    SCOPED_TRACE(opCase.name);
    OwningOpRef<ModuleOp> module = buildModule(context, opCase);
    auto indexed = dyn_cast_or_null<IndexedOp>(opOf(*module, record().op));
    if (!indexed || indexed.getTileKind() == TileKind::composite ||
        indexed.getTileKind() == TileKind::ownProgram)
      continue;
    // reshape and data constants have no maps on purpose.
    if (indexed.getIndexingMaps().empty()) {
      EXPECT_EQ(indexed.getTileKind(), TileKind::view);
      continue;
    }
    ASSERT_EQ(indexed.getIndexingMaps().size(),
              indexed->getNumOperands() + indexed->getNumResults());
    ASSERT_EQ(indexed.getLoopBounds().size(), indexed.getLoopKinds().size());
    // What a product reads through windows is at no place that a map tells.
    if (indexed.getTileKind() == TileKind::dot &&
        !llvm::all_of(indexed.getIndexingMaps(),
                      [](AffineMap map) { return bool(map); }))
      continue;
    std::vector<HostTensor> inputs = makeInputs(context, opCase);
    auto got = evaluateLoops(indexed, inputs);
    ASSERT_TRUE(succeeded(got));
    expectClose(*got, reference(*module, inputs), 1e-6);
  }
}

//===----------------------------------------------------------------------===//
// Gradients
//===----------------------------------------------------------------------===//

// A function (operands, gradients of some results) -> gradients of the
// record's differentiable operands, from buildGradient. Null when the op has
// no gradient yet.
OwningOpRef<ModuleOp> buildGradientModule(MLIRContext &context,
                                          const OpRecord &record,
                                          const OpCase &opCase,
                                          SmallVectorImpl<unsigned> &wanted) {
  OwningOpRef<ModuleOp> module = buildModule(context, opCase);
  func::FuncOp function = functionOf(*module);
  Operation *op = opOf(*module, record.op);
  auto differentiable = cast<Differentiable>(op);
  Operation *terminator = function.front().getTerminator();
  OpBuilder builder(terminator);
  SmallVector<Value> resultGradients(op->getNumResults());
  for (unsigned result : record.gradientResults)
    resultGradients[result] = function.front().addArgument(
        op->getResult(result).getType(), op->getLoc());
  SmallVector<Value> gradients;
  if (failed(differentiable.buildGradient(builder, resultGradients, gradients)))
    return {};
  EXPECT_EQ(gradients.size(), op->getNumOperands());
  SmallVector<Value> returned;
  for (unsigned operand : record.differentiable) {
    // Integers have no gradient, nor what only they depend on.
    bool smooth = llvm::any_of(op->getResultTypes(), [](Type type) {
      return isa<FloatType>(getElementTypeOrSelf(type));
    });
    if (operand >= op->getNumOperands() || !smooth ||
        !differentiable.isDifferentiableOperand(operand))
      continue;
    EXPECT_TRUE(gradients[operand]) << "no gradient of operand " << operand;
    if (!gradients[operand])
      continue;
    EXPECT_EQ(gradients[operand].getType(), op->getOperand(operand).getType());
    returned.push_back(gradients[operand]);
    wanted.push_back(operand);
  }
  terminator->setOperands(returned);
  function.setType(builder.getFunctionType(function.front().getArgumentTypes(),
                                           ValueRange(returned).getTypes()));
  function.setAllResultAttrs(SmallVector<DictionaryAttr>(
      returned.size(), builder.getDictionaryAttr({})));
  function.setAllArgAttrs(SmallVector<DictionaryAttr>(
      function.getNumArguments(), builder.getDictionaryAttr({})));
  return module;
}

TEST_P(OpTable, GradientEqualsFiniteDifference) {
  std::mt19937_64 random(7);
  for (const OpCase &opCase : record().cases) {
    SCOPED_TRACE(opCase.name);
    OwningOpRef<ModuleOp> forward = buildModule(context, opCase);
    Operation *op = opOf(*forward, record().op);
    auto differentiable = dyn_cast<Differentiable>(op);
    if (!differentiable || record().differentiable.empty())
      continue;
    SmallVector<unsigned> wanted;
    OwningOpRef<ModuleOp> backward;
    {
      Diagnostics diagnostics(context);
      backward = buildGradientModule(context, record(), opCase, wanted);
      if (!backward && !diagnostics.errors.empty() &&
          StringRef(diagnostics.errors[0]).contains("has no gradient yet"))
        GTEST_SKIP() << diagnostics.errors[0];
    }
    ASSERT_TRUE(backward);
    if (wanted.empty())
      continue;
    ASSERT_TRUE(succeeded(verify(*backward)));

    std::vector<HostTensor> inputs = makeInputs(context, opCase);
    std::vector<HostTensor> arguments = inputs;
    std::vector<HostTensor> weights;
    for (unsigned result : record().gradientResults) {
      HostTensor weight(tensorType(op->getResult(result)));
      for (double &x : weight.data)
        x = double(random() >> 11) * 0x1p-52 - 1;
      weights.push_back(weight);
      arguments.push_back(weight);
    }
    SmallVector<HostTensor> gradients = reference(*backward, arguments);
    ASSERT_EQ(gradients.size(), wanted.size());

    // sum of results * weights, as the operands move.
    auto objective = [&] {
      SmallVector<HostTensor> results = reference(*forward, inputs);
      double sum = 0;
      for (auto [w, result] : llvm::enumerate(record().gradientResults))
        for (int64_t i = 0; i != weights[w].size(); ++i)
          sum += results[result].data[i] * weights[w].data[i];
      return sum;
    };
    constexpr double step = 1e-5;
    constexpr int64_t tries = 24;
    for (auto [k, operand] : llvm::enumerate(wanted)) {
      HostTensor &x = inputs[operand];
      int64_t count = std::min(x.size(), tries);
      for (int64_t t = 0; t != count; ++t) {
        int64_t i = x.size() <= tries ? t : int64_t(random() % x.size());
        double before = x.data[i];
        x.data[i] = before + step;
        double up = objective();
        x.data[i] = before - step;
        double down = objective();
        x.data[i] = before;
        double want = (up - down) / (2 * step), got = gradients[k].data[i];
        EXPECT_NEAR(got, want, 1e-5 * (1 + std::abs(want)))
            << "operand " << operand << ", element " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, OpTable,
                         testing::Range(size_t(0), allOpRecords().size()),
                         nameOf);

} // namespace
