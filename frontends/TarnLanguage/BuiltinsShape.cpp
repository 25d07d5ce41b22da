//===- BuiltinsShape.cpp - rearrange --------------------------------------===//

#include "frontends/TarnLanguage/BuiltinImpl.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace tarn::lang;
namespace graph = tarn::graph;
using mlir::RankedTensorType;
using mlir::Value;

Datum BuiltinImpl::rearrange() {
  Value x = tensor("x");
  if (!x)
    return {};
  const Pattern &pattern = *call.expr.pattern;
  auto type = typeOf(x);
  if (int64_t(pattern.from.size()) != type.getRank())
    return e.error(range, "the pattern has " +
                              std::to_string(pattern.from.size()) +
                              " dimensions for the shape " + e.shapeText(type));
  std::map<std::string, int64_t> extents;
  for (auto &[name, value] : call.named)
    if (value.isInt()) {
      if (value.integer() < 1)
        return e.error(range, "`" + name + "` is a size, not " +
                                  std::to_string(value.integer()));
      extents[name] = value.integer();
      call.option(name);
    }
  std::vector<std::string> names;
  llvm::SmallVector<int64_t> split;
  for (auto [d, group] : llvm::enumerate(pattern.from)) {
    uint64_t knownProduct = 1;
    std::string unknown;
    for (const std::string &name : group) {
      if (llvm::is_contained(names, name))
        return e.error(range, "`" + name + "` stands twice in the pattern");
      names.push_back(name);
      auto found = extents.find(name);
      if (found != extents.end())
        knownProduct =
            llvm::SaturatingMultiply<uint64_t>(knownProduct, found->second);
      else if (unknown.empty())
        unknown = name;
      else
        return e.error(range, "the sizes of `" + unknown + "` and `" + name +
                                  "` are not known: give one, as in `" + name +
                                  " = 4`");
    }
    uint64_t extent = type.getDimSize(d);
    if (extent % knownProduct != 0 ||
        (unknown.empty() && knownProduct != extent))
      return e.error(range, "dimension " + std::to_string(d) + " has " +
                                std::to_string(extent) +
                                " elements, which do not divide into " +
                                std::to_string(knownProduct));
    if (!unknown.empty())
      extents[unknown] = extent / knownProduct;
    for (const std::string &name : group)
      split.push_back(extents[name]);
  }
  llvm::SmallVector<int64_t> permutation, shape;
  for (const std::vector<std::string> &group : pattern.to) {
    int64_t product = 1;
    for (const std::string &name : group) {
      auto found = llvm::find(names, name);
      if (found == names.end())
        return e.error(range, "`" + name +
                                  "` stands on the right of the "
                                  "pattern only");
      if (llvm::is_contained(permutation, found - names.begin()))
        return e.error(range, "`" + name + "` stands twice in the pattern");
      permutation.push_back(found - names.begin());
      product *= extents[name];
    }
    shape.push_back(product);
  }
  if (permutation.size() != names.size())
    return e.error(range, "the two sides of the pattern have different names");
  Value result = x;
  if (llvm::ArrayRef(split) != type.getShape())
    result = make<graph::ReshapeOp>(result, split);
  bool moves = false;
  for (auto [to, from] : llvm::enumerate(permutation))
    moves |= int64_t(to) != from;
  if (moves)
    result = make<graph::TransposeOp>(result, permutation);
  if (llvm::ArrayRef(shape) != typeOf(result).getShape())
    result = make<graph::ReshapeOp>(result, shape);
  return of(result);
}
