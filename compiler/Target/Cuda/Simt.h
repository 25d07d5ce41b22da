//===- Simt.h - emission of any tile program --------------------*- C++ -*-===//
//
// The general lowering, for every architecture. Nothing is computed before
// something asks for it: stores, reductions, products and carried values are
// *roots*; neighbours among them that walk over tiles in one way become one
// *sweep*, a loop over the elements that each thread owns, which evaluates what
// its roots need element by element. A tile lives
//   - nowhere: it is evaluated again where it is used (loads, cheap
//   arithmetic);
//   - in registers ("held"), each thread with the elements of the tile's
//   layout;
//   - in shared memory, where another layout, or a product, reads it.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_TARGET_CUDA_SIMT_H
#define COMPILER_TARGET_CUDA_SIMT_H

#include "compiler/Cost/CopyLoop.h"
#include "compiler/Target/Cuda/ElementOps.h"
#include "compiler/Target/Cuda/EmitCuda.h"
#include "compiler/Target/Cuda/Text.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

#include <map>
#include <memory>
#include <set>

namespace tarn::cuda {

/// How threads share the elements of a tile, seen as rows of columns (leading
/// dims are rows; a vector along columns is one row). A thread holds `heldRows`
/// rows, and of each `groups` groups of `vector` neighbours.
struct Layout {
  enum class Kind {
    /// The elements of a tile of rank 2 and more.
    matrix,
    /// One element per row of such tiles; all threads of the row have it.
    row,
    /// A vector over all threads.
    flat,
    /// One number, which every thread has.
    uniform,
  };
  Kind kind = Kind::uniform;
  /// Whether matrices lie as mma.sync's accumulators.
  bool fragment = false;
  /// Whether it is of a copy to shared memory: no thread's elements in
  /// registers are where such a layout has them.
  bool free = false;
  int64_t rows = 1, columns = 1;
  /// Threads along a row, and rows of one pass of the block.
  int64_t lanes = 1, rowStep = 1;
  int64_t vector = 1, heldRows = 1, groups = 1;

  int64_t registers() const { return heldRows * groups * vector; }
  /// Rows and columns with those that no element is in.
  int64_t coveredRows() const { return heldRows * rowStep; }
  int64_t coveredColumns() const { return groups * vector * lanes; }
  bool operator==(const Layout &other) const {
    return !free && !other.free && kind == other.kind &&
           fragment == other.fragment && rows == other.rows &&
           columns == other.columns && lanes == other.lanes &&
           rowStep == other.rowStep && vector == other.vector;
  }
};

/// A C++ expression, and the innermost loop of a sweep that it depends on.
struct Expression {
  enum Level { block, row, element };
  std::string text;
  int level = block;
};
using Element = llvm::FailureOr<Expression>;

/// A tile in shared memory, or a ring of them.
struct BlockTile {
  std::string name;
  mlir::Type element;
  int64_t rows = 1, pitch = 1;
  /// Elements from one tile of a ring to the next.
  int64_t stageElements = 0;
};

class SimtEmitter {
public:
  SimtEmitter(tile::KernelOp kernel, const CudaOptions &options,
              CudaKernel &launch);
  /// Writes the kernel, or the function that CudaOptions::isBody asks for.
  mlir::LogicalResult run(llvm::raw_ostream &os);
  /// Threads of a block.
  int64_t getThreads() const { return threads; }

private:
  struct Sweep;
  struct Root {
    mlir::Operation *op = nullptr;
    /// What is evaluated: an operand of `op`.
    mlir::Value value;
    /// Where it goes when `op` is no store or reduction: an array of registers
    /// in `layout`, or a tile in shared memory.
    std::string array;
    const BlockTile *shared = nullptr;
    /// Where cp.async copies it to.
    const BlockTile *copiedTo = nullptr;
    Layout layout;
    /// What is added to the indices of the value, for parts of operands.
    std::string rowOffset, columnOffset;
  };
  struct Held {
    std::string name;
    Layout layout;
  };
  struct Operand;
  /// What an op reads elements from.
  struct Source {
    mlir::Value buffer;
    llvm::SmallVector<mlir::OpFoldResult> positions;
    llvm::SmallVector<int64_t> dims;
    mlir::TypedAttr pad;
  };
  static Source sourceOf(mlir::Operation *op);
  /// A loop's tiles that cp.async copies some turns ahead, into rings of
  /// `stages`; with one stage they are copied in their turn.
  struct Pipeline {
    llvm::SetVector<mlir::Value> tiles;
    /// Ops on scalars that their positions need.
    llvm::SetVector<mlir::Operation *> scalars;
    int64_t stages = 1, stageBytes = 0;
    /// What the cost model says.
    std::string note;
    // Of one emission: rings, and names of the number of stages and of the
    // turn's stage.
    llvm::SmallVector<const BlockTile *> rings;
    std::string count, slot;
  };

  // Layouts (SimtLayout.cpp).
  void classifyVectors();
  void chooseThreads();
  bool usesTensorCores(tile::DotOp dot);
  Layout matrixLayout(int64_t rows, int64_t columns);
  Layout flatLayout(int64_t columns);
  Layout rowLayout(int64_t rows);
  /// The layout in which a value is held in registers.
  Layout home(mlir::Value value);
  /// A layout for copying rows to shared memory.
  Layout copyLayout(int64_t rows, int64_t columns, int64_t vector);

  // Frame, regions, loops (SimtProgram.cpp).
  mlir::LogicalResult emitBody();
  void emitHead(llvm::raw_ostream &os);
  mlir::LogicalResult tooMuchShared(int64_t limit);
  mlir::LogicalResult emitRegion(mlir::Block &block);
  mlir::LogicalResult emitLoop(mlir::scf::ForOp loop);
  mlir::LogicalResult emitIf(mlir::scf::IfOp op);
  mlir::LogicalResult emitScalar(mlir::Operation *op);
  mlir::LogicalResult assignAll(mlir::ValueRange from,
                                llvm::ArrayRef<std::string> to,
                                mlir::ValueRange like);
  struct Scope {
    llvm::DenseMap<mlir::Value, Held> held;
    llvm::DenseMap<mlir::Value, const BlockTile *> shared;
    llvm::DenseMap<mlir::Value, std::string> scalars;
  };
  Scope enterScope();
  void leaveScope(Scope scope);
  std::string declare(mlir::Value value, llvm::StringRef wish);
  std::string nameFor(mlir::Value value);
  llvm::FailureOr<std::string> scalar(mlir::Value value);
  llvm::FailureOr<std::string> position(mlir::OpFoldResult position);

  // Roots and sweeps (SimtSweep.cpp).
  mlir::LogicalResult addRoot(Root root);
  mlir::LogicalResult addLast(llvm::ArrayRef<tile::StoreOp> stores);
  mlir::LogicalResult flush();
  mlir::LogicalResult emitSweep(llvm::ArrayRef<Root> roots);
  mlir::LogicalResult finishRoot(Sweep &sweep, const Root &root);
  mlir::LogicalResult storeRoot(Sweep &sweep, const Root &root);
  mlir::LogicalResult reduceRoot(Sweep &sweep, const Root &root);
  mlir::LogicalResult reduceColumns(Sweep &sweep, const Root &root);
  mlir::LogicalResult emitGenericReduce(tile::ReduceOp reduce);
  // Stores to rows that an index tile names (SimtByRows.cpp).
  mlir::LogicalResult emitScatter(tile::ScatterOp op);
  mlir::LogicalResult emitByRows(tile::AccumulateOp op);
  void nameRow(Sweep &sweep, Expression &row);
  // Running sums (SimtScan.cpp).
  mlir::LogicalResult emitScan(tile::ScanOp scan);
  // Places in sorted order (SimtSort.cpp).
  mlir::LogicalResult emitPlaces(tile::PlacesOp op);
  /// Sees to it that `value` can be evaluated at `at` in a sweep of `layout`:
  /// copies what other threads hold to shared memory.
  mlir::LogicalResult prepare(mlir::Value value, llvm::ArrayRef<Expression> at,
                              const Layout &layout,
                              std::set<std::pair<void *, std::string>> &seen);
  bool dependsOn(mlir::Value value, const llvm::DenseSet<mlir::Value> &on,
                 llvm::DenseSet<mlir::Value> &seen);
  llvm::SmallVector<Expression> identity(mlir::Value value,
                                         const Layout &layout);

  // Elements (SimtElement.cpp).
  Element element(Sweep &sweep, mlir::Value value,
                  llvm::ArrayRef<Expression> at);
  Element evaluate(Sweep &sweep, mlir::Value value,
                   llvm::ArrayRef<Expression> at);
  Element loadElement(Sweep &sweep, mlir::Operation *op,
                      llvm::ArrayRef<Expression> at);
  /// How an element of a held value is read in a sweep; empty if other threads
  /// hold it.
  std::optional<Expression> heldElement(const Held &held,
                                        llvm::ArrayRef<Expression> at,
                                        const Layout &layout);
  struct Place {
    std::string condition, offset;
    int level = 0;
    /// Neighbours along the sweep's columns that lie side by side, aligned, and
    /// inside or outside together.
    int64_t vector = 1;
  };
  /// Where an element lies in a buffer. `rows` is the row that tile dim 0 goes
  /// to, where the op says so.
  llvm::FailureOr<Place> place(mlir::Operation *op, mlir::Value buffer,
                               llvm::ArrayRef<mlir::OpFoldResult> positions,
                               llvm::ArrayRef<int64_t> dims,
                               llvm::ArrayRef<int64_t> extents,
                               llvm::ArrayRef<Expression> at,
                               const Layout &layout,
                               const Expression *rows = nullptr);
  llvm::FailureOr<std::optional<Expression>>
  gatheredRow(Sweep &sweep, mlir::Operation *op, llvm::ArrayRef<Expression> at);
  /// Whether `vector` elements along the last dim of tile and buffer are
  /// aligned neighbours, inside or outside together.
  bool areNeighbours(mlir::MemRefType buffer,
                     llvm::ArrayRef<mlir::OpFoldResult> positions,
                     llvm::ArrayRef<int64_t> dims, int64_t vector);
  mlir::Operation *loopAround(mlir::Value value);
  bool mayHold(const Layout &layout);
  bool provenNonNegative(mlir::OpFoldResult position);
  /// The largest value of a position, if it is known.
  std::optional<int64_t> largest(mlir::OpFoldResult position);
  /// A power of two that divides a position (at most 16).
  int64_t divisor(mlir::OpFoldResult position);
  int costOf(mlir::Value value, int most);
  bool isInline(mlir::Value value);

  // Shared memory (SimtShared.cpp).
  /// How far rows of a tile are apart: 16 bytes more than they need be, twice
  /// that, or an odd number of elements.
  enum class Pitch { padded, paddedTwice, odd };
  const BlockTile &allocate(llvm::StringRef wish, mlir::Type element,
                            int64_t rows, int64_t columns,
                            Pitch pitch = Pitch::padded, int64_t stages = 1);
  void willRead(const std::string &tile);
  void willWrite(const std::string &tile);
  void barrier();
  mlir::LogicalResult exportTile(mlir::Value value);

  // Products (SimtDot.cpp).
  mlir::LogicalResult emitDot(tile::DotOp dot);
  mlir::LogicalResult prepareOperand(Operand &operand, tile::DotOp dot,
                                     bool left);
  const BlockTile &allocateOperand(mlir::Value value, int64_t rows,
                                   int64_t columns, int64_t stages = 1);
  mlir::LogicalResult stage(Operand &operand, llvm::StringRef rowStart,
                            llvm::StringRef columnStart);
  void emitFma(tile::DotOp dot, Operand &a, Operand &b, int64_t depth,
               llvm::StringRef acc, const Layout &layout,
               llvm::StringRef startA, llvm::StringRef startB);
  void emitMma(tile::DotOp dot, Operand &a, Operand &b, int64_t depth,
               llvm::StringRef acc, const Layout &layout,
               llvm::StringRef startA, llvm::StringRef startB);
  void emitLeft(tile::DotOp dot, Operand &a, const Layout &layout,
                llvm::StringRef start);
  void emitRight(tile::DotOp dot, Operand &b, bool inPairs,
                 llvm::StringRef start);
  mlir::LogicalResult stageBefore(mlir::scf::ForOp loop);
  bool holdsMatrix(mlir::Value value, llvm::DenseSet<mlir::Value> &seen);

  // Operands that are copied ahead of their turn (SimtPipeline.cpp).
  Pipeline *pipelineOf(mlir::scf::ForOp loop);
  bool isKnownAhead(mlir::Value value, mlir::scf::ForOp loop,
                    llvm::SetVector<mlir::Operation *> &scalars);
  bool isCopiedAhead(mlir::Value value, mlir::scf::ForOp loop,
                     llvm::SetVector<mlir::Operation *> &scalars);
  mlir::LogicalResult emitCopies(Pipeline &pipeline, mlir::scf::ForOp loop,
                                 llvm::StringRef at, llvm::StringRef slot,
                                 llvm::StringRef end);
  mlir::LogicalResult copyRoot(Sweep &sweep, const Root &root);
  mlir::LogicalResult emitPipelineStart(Pipeline &pipeline,
                                        mlir::scf::ForOp loop,
                                        llvm::StringRef from,
                                        llvm::StringRef to,
                                        llvm::StringRef step);
  mlir::LogicalResult emitPipelineTurn(Pipeline &pipeline,
                                       mlir::scf::ForOp loop,
                                       llvm::StringRef at, llvm::StringRef to,
                                       llvm::StringRef step);
  bool chooseStages();

  tile::KernelOp kernel;
  const CudaOptions &options;
  CudaKernel &launch;
  UnsignedValues unsignedValues;

  // Chosen once.
  int64_t threads = 256, lanes = 32, width = 4;
  bool tensorCores = false;
  llvm::DenseSet<mlir::Value> rowVectors;
  /// Buffers that may be the same bytes as another one, and those of them that
  /// are written.
  llvm::DenseSet<mlir::Value> sharingBytes, overwriting;
  /// Tiles that are worth holding: found by emitting, again and again.
  llvm::DenseSet<mlir::Value> worthHolding;
  /// Tiles from outside a loop that are held, or copied, before it.
  llvm::MapVector<mlir::Operation *, llvm::SetVector<mlir::Value>> hoisted;
  bool chunkOperands = false;
  llvm::MapVector<mlir::Operation *, std::unique_ptr<Pipeline>> pipelines;
  /// Registers of tiles that must be held: products, sums, carried values.
  int64_t fixedRegisters = 0;

  // Of one emission.
  Text text;
  Names names;
  /// Names that outlive the sweep that is being written.
  llvm::SmallVector<std::string> lasting;
  std::string lastingName(llvm::StringRef wish) {
    lasting.push_back(names.unique(wish));
    return lasting.back();
  }
  llvm::DenseMap<mlir::Value, std::string> buffers, scalars;
  llvm::DenseMap<mlir::Value, Held> held;
  llvm::DenseMap<mlir::Value, const BlockTile *> shared;
  std::vector<std::unique_ptr<BlockTile>> sharedTiles, stageTiles;
  /// Tiles for parts of operands, by their side and shape.
  std::map<std::tuple<bool, bool, int64_t, int64_t, std::string>,
           const BlockTile *>
      parts;
  std::string arena;
  int64_t sharedBytes = 0;
  std::set<std::string> readSinceBarrier, writtenSinceBarrier;
  llvm::SmallVector<Root> pending;
  llvm::DenseSet<mlir::Value> pendingResults;
  /// In which sweep a value was evaluated first, and in which block of ops.
  struct First {
    unsigned sweep;
    mlir::Block *block;
  };
  llvm::DenseMap<mlir::Value, First> firstSweeps;
  unsigned sweepNumber = 0;
  mlir::Block *currentBlock = nullptr;
  bool again = false;
};

} // namespace tarn::cuda

#endif // COMPILER_TARGET_CUDA_SIMT_H
