//===- OpTable.h - one record per op ----------------------------*- C++ -*-===//
//
// What every op promises, as data: inputs, results (through the reference),
// errors. Tests of each layer walk these records: a new op is checked
// everywhere once it has one.
//
//===----------------------------------------------------------------------===//

#ifndef TEST_OPS_OPTABLE_H
#define TEST_OPS_OPTABLE_H

#include "dialects/Tarn/TarnOps.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <functional>
#include <string>
#include <vector>

namespace tarn::test {

/// How one operand is filled: uniform in [low, high] (whole numbers for
/// integers), or `values` repeated.
struct OperandSpec {
  std::string type; ///< what stands in tensor<...>: "4x8xf32"
  double low = -2, high = 2;
  std::vector<double> awayFrom = {}; ///< points kept at a distance of 0.05
  std::vector<double> values = {};
};

/// One use of an op.
struct OpCase {
  std::string name;
  std::vector<OperandSpec> operands;
  /// Builds the op; returns its results.
  std::function<llvm::SmallVector<mlir::Value>(
      mlir::OpBuilder &, mlir::Location, mlir::ValueRange)>
      build;
};

/// A program that must be refused.
struct OpError {
  std::string label;      ///< the constraint: "C1"
  std::string text;       ///< a module
  std::string diagnostic; ///< part of the first error
};

/// What is tested of one op.
struct OpRecord {
  std::string op; ///< "tarn.add"
  std::vector<OpCase> cases;
  std::vector<OpError> errors = {};
  /// Operands whose gradients are compared with finite differences.
  std::vector<unsigned> differentiable = {};
  /// Results that gradients flow from.
  std::vector<unsigned> gradientResults = {0};
  /// Bounds on |got - want| / (1 + |want|) for programs that round.
  double toleranceF32 = 5e-6, toleranceBF16 = 2e-2;
};

/// All records, one per op of the dialect.
llvm::ArrayRef<OpRecord> allOpRecords();

/// The tolerance for a case: by the narrowest float type of its operands and
/// results.
double tolerance(const OpRecord &record, mlir::ModuleOp module);

/// A module with the case as `func.func @op`: operands are arguments with role
/// "input" named a0, a1, ..; results have role "output" and are named r0, r1..
mlir::OwningOpRef<mlir::ModuleOp> buildModule(mlir::MLIRContext &context,
                                              const OpCase &opCase);

/// The inputs of a case, rounded to their types; the same for every call.
std::vector<HostTensor> makeInputs(mlir::MLIRContext &context,
                                   const OpCase &opCase, unsigned seed = 1);

// The parts of the table.
std::vector<OpRecord> elementwiseRecords();
std::vector<OpRecord> shapeRecords();
std::vector<OpRecord> dotRecords();
std::vector<OpRecord> convRecords();
std::vector<OpRecord> normRecords();
std::vector<OpRecord> attentionRecords();
std::vector<OpRecord> dataRecords();
std::vector<OpRecord> orderRecords();
std::vector<OpRecord> routingRecords();

/// A case that builds `Op` from the operands and further builder arguments.
template <typename Op, typename... Arguments>
OpCase makeCase(std::string name, std::vector<OperandSpec> operands,
                Arguments... arguments) {
  return {std::move(name), std::move(operands),
          [=](mlir::OpBuilder &builder, mlir::Location loc,
              mlir::ValueRange values) {
            auto build = [&]<size_t... i>(std::index_sequence<i...>) {
              return llvm::SmallVector<mlir::Value>(
                  Op::create(builder, loc, values[i]..., arguments...)
                      ->getResults());
            };
            switch (values.size()) {
            case 1:
              if constexpr (requires {
                              Op::create(builder, loc, values[0], arguments...);
                            })
                return build(std::make_index_sequence<1>());
              break;
            case 2:
              if constexpr (requires {
                              Op::create(builder, loc, values[0], values[1],
                                         arguments...);
                            })
                return build(std::make_index_sequence<2>());
              break;
            case 3:
              if constexpr (requires {
                              Op::create(builder, loc, values[0], values[1],
                                         values[2], arguments...);
                            })
                return build(std::make_index_sequence<3>());
              break;
            default:
              break;
            }
            llvm::report_fatal_error("no builder takes these operands");
          }};
}

} // namespace tarn::test

#endif // TEST_OPS_OPTABLE_H
