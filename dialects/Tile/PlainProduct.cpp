//===- PlainProduct.cpp - kernels that are one product --------------------===//

#include "dialects/Tile/PlainProduct.h"

#include "dialects/Tile/Analysis.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;
using namespace tarn;
using namespace tarn::tile;

namespace {

/// Elements between neighbours along a dim of a product, in one buffer; 0 where
/// the buffer does not know the dim.
struct View {
  int64_t outer = 0, inner = 0; ///< rows and columns of the matrix
  SmallVector<int64_t> batch;   ///< by grid dim
  int64_t offset = 0;
};

class Finder {
public:
  Finder(KernelOp kernel, std::string &why) : kernel(kernel), why(why) {}
  std::optional<PlainProduct> run();

private:
  bool no(const Twine &reason) {
    why = reason.str();
    return false;
  }
  bool findDot();
  bool findEpilogue();
  bool findAddend(Value value);
  bool viewOperand(Value tile, bool isLeft, View &view);
  bool viewBuffer(Value buffer, ArrayRef<OpFoldResult> positions,
                  ArrayRef<int64_t> spanned, View &view);
  bool coversEverything();
  bool mergeBatch(ArrayRef<View *> views);
  bool describe(const View &view, ProductMatrix &matrix, StringRef name);

  KernelOp kernel;
  std::string &why;
  DotOp dot;
  scf::ForOp loop;
  StoreOp store;
  Value product; ///< the sum of all terms, in f32
  unsigned rowDim = 0, columnDim = 0;
  llvm::SmallPtrSet<Operation *, 16> known;
  PlainProduct result;
};

} // namespace

static SmallVector<int64_t> stridesOf(MemRefType type) {
  SmallVector<int64_t> strides(type.getRank(), 1);
  for (int64_t d = type.getRank() - 1; d > 0; --d)
    strides[d - 1] = strides[d] * type.getDimSize(d);
  return strides;
}

/// The one product, alone in its loop over the terms or without one.
bool Finder::findDot() {
  bool single = true;
  kernel.walk([&](Operation *op) {
    if (auto found = dyn_cast<DotOp>(op)) {
      single &= !dot;
      dot = found;
    }
  });
  if (!dot)
    return no("it multiplies no matrices");
  if (!single)
    return no("it has several products");
  known.insert(dot);
  result.isTf32 = dot.getTf32();
  product = dot.getResult();
  Value start = dot.getAcc();
  if (dot->getParentOp() != kernel) {
    loop = dyn_cast<scf::ForOp>(dot->getParentOp());
    if (!loop || loop->getParentOp() != kernel ||
        loop.getNumRegionIterArgs() != 1 || start != loop.getRegionIterArg(0) ||
        loop.getBody()->getTerminator()->getOperand(0) != product)
      return no("its product is in a loop that does other things besides");
    known.insert(loop);
    known.insert(loop.getBody()->getTerminator());
    start = loop.getInitArgs().front();
    product = loop.getResult(0);
  }
  if (!matchPattern(start, m_AnyZeroFloat()))
    return no("its product begins with something other than zero");
  if (!dot.getType().getElementType().isF32())
    return no("it does not add in f32");
  return true;
}

/// The operands' strides along the dims of a slice of a buffer: a position is
/// a grid dim's, or constant. `spanned`: the buffer's dims of rows and columns.
bool Finder::viewBuffer(Value buffer, ArrayRef<OpFoldResult> positions,
                        ArrayRef<int64_t> spanned, View &view) {
  auto type = cast<MemRefType>(buffer.getType());
  SmallVector<int64_t> strides = stridesOf(type);
  view.outer = strides[spanned[0]];
  view.inner = strides[spanned[1]];
  view.batch.assign(kernel.getGridRank(), 0);
  for (auto [d, position] : llvm::enumerate(positions)) {
    if (llvm::is_contained(spanned, int64_t(d)))
      continue;
    if (std::optional<int64_t> at = getConstantIntValue(position)) {
      if (*at < 0 || *at >= type.getDimSize(d))
        return no("it reads outside of a buffer");
      view.offset += *at * strides[d];
      continue;
    }
    std::optional<unsigned> dim =
        kernel.getGridDim(llvm::cast<Value>(position));
    if (!dim || *dim == rowDim || *dim == columnDim || view.batch[*dim] ||
        kernel.getGridSizes()[*dim] != type.getDimSize(d))
      return no("a batch dim is not walked through as it lies in memory");
    view.batch[*dim] = strides[d];
  }
  return true;
}

/// An operand, loaded as it is: its own dim along the grid, the terms along the
/// loop.
bool Finder::viewOperand(Value tile, bool isLeft, View &view) {
  StringRef name = isLeft ? "left" : "right";
  auto load = tile.getDefiningOp<LoadOp>();
  if (!load)
    return no("its " + name + " operand is computed in the kernel");
  known.insert(load);
  SmallVector<int64_t> dims = load.getTileDims();
  SmallVector<OpFoldResult> positions = load.getMixedPositions();
  MemRefType type = load.getBuffer().getType();
  // Which of the tile's dims are the terms.
  bool termsFirst = isLeft ? dot.getTransposeA() : !dot.getTransposeB();
  int64_t own = dims[termsFirst ? 1 : 0], terms = dims[termsFirst ? 0 : 1];
  auto at = llvm::dyn_cast<Value>(positions[own]);
  unsigned dim = isLeft ? rowDim : columnDim;
  bool whole =
      type.getDimSize(own) == 1 && isConstantIntValue(positions[own], 0);
  if (type.getDimSize(own) != kernel.getGridSizes()[dim] ||
      !(whole || (at && kernel.getGridDim(at) == dim)))
    return no("its " + name + " operand is not read block by block");
  int64_t depth = type.getDimSize(terms),
          step = load.getTileType().getDimSize(termsFirst ? 0 : 1);
  if (loop) {
    auto first = getConstantIntValue(loop.getLowerBound());
    auto end = getConstantIntValue(loop.getUpperBound());
    auto by = getConstantIntValue(loop.getStep());
    if (first != 0 || end != depth || by != step ||
        llvm::dyn_cast<Value>(positions[terms]) != loop.getInductionVar())
      return no("not all terms of its " + name + " operand are added");
  } else if (step != depth || !isConstantIntValue(positions[terms], 0)) {
    return no("not all terms of its " + name + " operand are added");
  }
  if (result.depth && result.depth != depth)
    return no("its operands have different numbers of terms");
  result.depth = depth;
  if (!viewBuffer(load.getBuffer(), positions, {own, terms}, view))
    return false;
  // Rows of the left operand are its own dim, of the right one the terms.
  if (!isLeft)
    std::swap(view.outer, view.inner);
  ProductMatrix &matrix = isLeft ? result.a : result.b;
  matrix.buffer = cast<BlockArgument>(load.getBuffer()).getArgNumber();
  matrix.element = type.getElementType();
  return true;
}

/// The other side of the sum behind the product.
bool Finder::findAddend(Value value) {
  Type element = store.getTileType().getElementType();
  bool isRow = false;
  LoadOp load;
  for (Operation *op = value.getDefiningOp(); op && !load;) {
    known.insert(op);
    load = dyn_cast<LoadOp>(op);
    if (load)
      break;
    auto broadcast = dyn_cast<BroadcastOp>(op);
    if (broadcast && (broadcast.getAxis() != 0 || isRow))
      return no("its bias is no vector with an element for each column");
    isRow |= bool(broadcast);
    if (!broadcast && !isa<arith::ExtFOp>(op))
      break;
    op = op->getOperand(0).getDefiningOp();
  }
  if (!load)
    return no("what is added to its product is computed in the kernel");
  MemRefType type = load.getBuffer().getType();
  if (type.getElementType() != element)
    return no("what is added to its product has another type than the result");
  SmallVector<OpFoldResult> positions = load.getMixedPositions();
  unsigned buffer = cast<BlockArgument>(load.getBuffer()).getArgNumber();
  if (!isRow) {
    if (type.getShape() != store.getBuffer().getType().getShape() ||
        positions != store.getMixedPositions() ||
        load.getTileDims() != store.getTileDims())
      return no("what is added to its product does not lie as the result does");
    result.addend = buffer;
    return true;
  }
  auto at = llvm::dyn_cast<Value>(positions[0]);
  if (type.getRank() != 1 || !at || kernel.getGridDim(at) != columnDim ||
      type.getDimSize(0) != kernel.getGridSizes()[columnDim])
    return no("its bias is no vector with an element for each column");
  result.bias = buffer;
  return true;
}

/// The one store of the product, rounded, and the sum before it.
bool Finder::findEpilogue() {
  for (auto found : kernel.getBody().getOps<StoreOp>()) {
    if (store)
      return no("it stores several results");
    store = found;
  }
  if (!store || store.getTileType().getRank() != 2)
    return no("it does not store its product as a matrix");
  known.insert(store);
  SmallVector<int64_t> dims = store.getTileDims();
  SmallVector<OpFoldResult> positions = store.getMixedPositions();
  std::optional<unsigned> grid[2];
  for (unsigned i : {0, 1})
    if (auto at = llvm::dyn_cast<Value>(positions[dims[i]]))
      grid[i] = kernel.getGridDim(at);
  MemRefType type = store.getBuffer().getType();
  if (!grid[0] || !grid[1] || grid[0] == grid[1])
    return no("its result is not stored block by block");
  rowDim = *grid[0];
  columnDim = *grid[1];
  result.rows = kernel.getGridSizes()[rowDim];
  result.columns = kernel.getGridSizes()[columnDim];
  if (type.getDimSize(dims[0]) != result.rows ||
      type.getDimSize(dims[1]) != result.columns)
    return no("its result is not stored block by block");
  result.d.buffer = cast<BlockArgument>(store.getBuffer()).getArgNumber();
  result.d.element = type.getElementType();
  Value value = store.getValue();
  if (auto rounded = value.getDefiningOp<arith::TruncFOp>()) {
    known.insert(rounded);
    value = rounded.getIn();
  }
  if (auto sum = value.getDefiningOp<arith::AddFOp>()) {
    known.insert(sum);
    bool isLeft = sum.getLhs() == product;
    value = isLeft ? sum.getLhs() : sum.getRhs();
    if (value == product && !findAddend(isLeft ? sum.getRhs() : sum.getLhs()))
      return false;
  }
  if (value != product)
    return no("it computes with its product before it stores it");
  return true;
}

/// No op is left that the description does not have.
bool Finder::coversEverything() {
  Operation *other = nullptr;
  kernel.getBody().walk([&](Operation *op) {
    if (!other && !known.contains(op) &&
        !op->hasTrait<OpTrait::ConstantLike>() && !isa<ReturnOp>(op))
      other = op;
  });
  if (other)
    return no("it also does `" + other->getName().getStringRef() + "`");
  for (unsigned d = 0; d != kernel.getGridRank(); ++d)
    if (kernel.isSequential(d))
      return no("its blocks run in order");
  return true;
}

/// Batch dims as one, if they lie one behind the other in every buffer.
bool Finder::mergeBatch(ArrayRef<View *> views) {
  SmallVector<unsigned> dims;
  for (unsigned d = 0; d != kernel.getGridRank(); ++d) {
    if (d == rowDim || d == columnDim || kernel.getGridSizes()[d] == 1)
      continue;
    if (kernel.getGridTiles()[d] != 1 || !views[2]->batch[d])
      return no("its blocks have several matrices");
    dims.push_back(d);
  }
  llvm::sort(dims, [&](unsigned x, unsigned y) {
    return views[2]->batch[x] < views[2]->batch[y];
  });
  ProductMatrix *matrices[] = {&result.a, &result.b, &result.d};
  for (unsigned d : dims) {
    for (unsigned i : {0, 1, 2})
      if (result.batch > 1 &&
          views[i]->batch[d] != matrices[i]->stride * result.batch)
        return no("its batch dims do not lie one behind the other in memory");
    if (result.batch == 1)
      for (unsigned i : {0, 1, 2})
        matrices[i]->stride = views[i]->batch[d];
    result.batch *= kernel.getGridSizes()[d];
  }
  return true;
}

/// Strides as a leading dim and a direction.
bool Finder::describe(const View &view, ProductMatrix &matrix, StringRef name) {
  matrix.offset = view.offset;
  if (view.inner != 1 && view.outer != 1)
    return no(name + " has no dim whose elements are neighbours");
  matrix.isTransposed = view.inner != 1;
  matrix.leading = matrix.isTransposed ? view.inner : view.outer;
  return true;
}

std::optional<PlainProduct> Finder::run() {
  View a, b, d;
  if (!findDot() || !findEpilogue() || !viewOperand(dot.getA(), true, a) ||
      !viewOperand(dot.getB(), false, b) ||
      !viewBuffer(store.getBuffer(), store.getMixedPositions(),
                  store.getTileDims(), d) ||
      !coversEverything() || !mergeBatch({&a, &b, &d}) ||
      !describe(a, result.a, "its left operand") ||
      !describe(b, result.b, "its right operand") ||
      !describe(d, result.d, "its result"))
    return std::nullopt;
  if (result.a.element != result.b.element) {
    no("its operands have different types");
    return std::nullopt;
  }
  if (!result.d.isTransposed)
    return result;
  // The transpose of the result is a product, too.
  if (result.bias) {
    no("its bias runs across its result's direction of memory");
    return std::nullopt;
  }
  std::swap(result.a, result.b);
  std::swap(result.rows, result.columns);
  result.a.isTransposed = !result.a.isTransposed;
  result.b.isTransposed = !result.b.isTransposed;
  result.d.isTransposed = false;
  return result;
}

std::optional<PlainProduct> tile::findPlainProduct(KernelOp kernel,
                                                   std::string &why) {
  return Finder(kernel, why).run();
}
