//===- TensorCore.h - emission of kernels with dots -------------*- C++ -*-===//
//
// One warpgroup loads by TMA, the others compute. A tile of 64 rows per
// computing warpgroup lies in registers as wgmma's accumulator fragment:
// thread t holds, at register i, row t/32*16 + t%32/4 + 8*(i/2%2) and column
// 8*(i/4) + 2*(t%4) + i%2. A vector with an element per row is two registers;
// a vector with an element per column is evaluated where it is used.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_TARGET_CUDA_TENSORCORE_H
#define COMPILER_TARGET_CUDA_TENSORCORE_H

#include "compiler/Target/Cuda/Operands.h"
#include "compiler/Target/Cuda/Text.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/EquivalenceClasses.h"

namespace tarn::cuda {

/// How the elements that a thread holds are numbered by `i`.
enum class View { matrix, row, column };

/// Which elements of a tile a thread holds, as C++ expressions of its register
/// number `i`. The default is wgmma's accumulator fragment.
struct FragmentLayout {
  /// Rows of every tile.
  int64_t rows = 0;
  /// Elements of a row that a thread holds, and how many rows it holds.
  int64_t perRow(int64_t columns) const { return columns / lanes; }
  int64_t lanes = 4, heldRows = 2;
  /// Columns of a tile are a multiple of this.
  int64_t columnMultiple = 8;
  std::string rowInMatrix = "row + 8 * (i / 2 % 2)";
  std::string rowInVector = "row + 8 * i";
  std::string column = "column + 8 * (i / 4) + i % 2";
  /// Which of its rows register i belongs to.
  std::string heldRow = "i / 2 % 2";
  /// How the lanes of a row combine, and which of them stores for it.
  std::string combine = "quad";
  std::string storesRow = "thread % 4 == 0";
  /// Whether registers i and i + 1 are neighbours in a row.
  bool pairs = true;
};

/// Where elements lie in a buffer.
struct ElementAccess {
  /// Empty if every element is inside.
  std::string condition;
  std::string offset;
};

class TensorCoreEmitter {
public:
  TensorCoreEmitter(tile::KernelOp kernel, const CudaOptions &options,
                    Operands operands, CudaKernel &launch);

  /// Writes the kernel.
  mlir::LogicalResult run(llvm::raw_ostream &os);

private:
  // Frame (TensorCore.cpp).
  mlir::LogicalResult classifyVectors();
  void nameEverything();
  void emitHead();
  void emitPositions(llvm::StringRef number);
  void emitArena();
  void emitBarrierSetUp();
  mlir::LogicalResult emitTurns();
  std::string positionOf(mlir::scf::ForOp loop, llvm::StringRef turn);
  mlir::LogicalResult emitProducer();
  mlir::LogicalResult emitTmaLoads(SharedTile &shared, llvm::StringRef stage,
                                   llvm::StringRef barrier);
  mlir::LogicalResult emitConsumers();

  // Blocks that walk over tiles (Persistent.cpp).
  bool isOneDotLoop();
  void choosePersistent();
  void openTiles();
  int64_t bandHeight();
  void emitBands(llvm::StringRef number, int64_t height);

  // Ops in program order (Consumer.cpp).
  mlir::LogicalResult emitOps(llvm::ArrayRef<mlir::Operation *> ops);
  mlir::LogicalResult emitLoop(mlir::scf::ForOp loop);
  mlir::LogicalResult emitPlainLoop(mlir::scf::ForOp loop);
  mlir::LogicalResult emitDotLoop(mlir::scf::ForOp loop);
  mlir::LogicalResult emitRotatedLoop(mlir::scf::ForOp loop);
  bool hasDotsOnly(mlir::scf::ForOp loop);
  bool canRotate(mlir::scf::ForOp loop);
  mlir::LogicalResult emitCarriedInits(mlir::scf::ForOp loop);
  mlir::LogicalResult emitYield(mlir::scf::ForOp loop);
  void openTurn(mlir::scf::ForOp loop, llvm::StringRef turn);
  mlir::LogicalResult prepareDot(tile::DotOp dot);
  bool packsInPlace(tile::DotOp dot);
  mlir::LogicalResult packLeft(tile::DotOp dot);
  mlir::LogicalResult issueDot(tile::DotOp dot, llvm::StringRef turn);
  void waitForDots(size_t stillInFlight);
  void waitForArray(llvm::StringRef array);
  void release(tile::DotOp dot, llvm::StringRef turn);
  mlir::LogicalResult emitStore(tile::StoreOp store);

  // Sweeps (Sweep.cpp).
  mlir::LogicalResult addToSweep(mlir::Operation *op);
  mlir::LogicalResult flushMatrix();
  mlir::LogicalResult flushRow();
  mlir::LogicalResult flush();
  mlir::LogicalResult materialise(mlir::Value value, llvm::StringRef array);
  bool dependsOn(mlir::Operation *op, llvm::ArrayRef<mlir::Operation *> group);
  bool usedOutside(mlir::Value value, llvm::ArrayRef<mlir::Operation *> group);
  bool diesIn(mlir::Value value, llvm::ArrayRef<mlir::Operation *> group);
  std::string chooseArray(mlir::Value value,
                          llvm::ArrayRef<mlir::Operation *> group,
                          llvm::SmallVectorImpl<std::string> &taken);
  void waitForReads(llvm::ArrayRef<mlir::Operation *> group);

  // Expressions (Expressions.cpp).
  bool isInline(mlir::Operation *op);
  mlir::Value resolve(mlir::Value value);
  bool isRowVector(mlir::Value value);
  View viewOf(mlir::Value value);
  int64_t elementsOf(mlir::Value value);
  mlir::FailureOr<std::string> expression(mlir::Value value, View view);
  mlir::FailureOr<std::string> apply(mlir::Operation *op,
                                     llvm::ArrayRef<std::string> operands);
  mlir::FailureOr<std::string> scalar(mlir::Value value);
  mlir::FailureOr<std::string> position(mlir::OpFoldResult position);
  mlir::FailureOr<std::string> literal(mlir::Operation *op,
                                       mlir::Attribute value);
  mlir::FailureOr<std::string> cType(mlir::Operation *op, mlir::Type type);
  bool provenNonNegative(mlir::OpFoldResult position);
  std::optional<int64_t> largest(mlir::OpFoldResult position);
  bool provenInside(mlir::OpFoldResult position, int64_t extent, int64_t size);
  bool provenEven(mlir::OpFoldResult position);
  mlir::FailureOr<ElementAccess>
  access(mlir::Operation *op, mlir::MemRefType buffer,
         llvm::ArrayRef<mlir::OpFoldResult> positions,
         llvm::ArrayRef<int64_t> dims, llvm::ArrayRef<int64_t> extents,
         llvm::ArrayRef<std::string> indices);
  mlir::FailureOr<std::string> elementwiseLoad(tile::LoadOp load, View view);

  /// A fresh array of `value`'s elements, declared at the consumers' start.
  mlir::FailureOr<std::string> declare(mlir::Value value, llvm::StringRef wish);
  std::string wishedName(mlir::Value value);

  tile::KernelOp kernel;
  const CudaOptions &options;
  Operands operands;
  CudaKernel &launch;
  FragmentLayout layout;
  /// Multiprocessors of the device that the kernel is for.
  int64_t processors = 0;
  Text text, declarations;
  /// Registers that the arrays of a computing thread take.
  unsigned tileRegisters = 0;
  /// Whether what is written is a loop that waits for its dots in every turn.
  bool waitsForTurns = false;
  Names names;
  /// Names of buffers, grid positions, loop positions and trip counts.
  llvm::DenseMap<mlir::Value, std::string> scalars, buffers;
  llvm::DenseMap<mlir::Operation *, std::string> turns;
  /// The array of a tile that is in registers.
  llvm::DenseMap<mlir::Value, std::string> arrays;
  /// Arrays of a sweep that is being written a second time.
  llvm::DenseMap<mlir::Value, std::string> fixedArrays;
  /// Locals of the sweep that is being written.
  llvm::DenseMap<mlir::Value, std::string> locals;
  /// The packed left operand of a dot.
  llvm::DenseMap<mlir::Operation *, std::string> packed;
  llvm::EquivalenceClasses<void *> vectorClasses;
  llvm::DenseMap<void *, View> vectorViews;

  struct InFlight {
    tile::DotOp dot;
    std::string turn;
  };
  llvm::SmallVector<InFlight> inFlight;
  /// Ops that have been written: their operands may be dead.
  llvm::DenseSet<mlir::Operation *> emitted;
  llvm::SmallVector<mlir::Operation *> matrixSweep, rowSweep;
};

} // namespace tarn::cuda

#endif // COMPILER_TARGET_CUDA_TENSORCORE_H
