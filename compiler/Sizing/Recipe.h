//===- Recipe.h - bytes of a parameter, of its gradient, its state -*- C++ -*-//
//
// By default a value takes what its type in the graph says. A recipe takes the
// place of that for models that are written in one precision and trained in
// another one.
//
//===----------------------------------------------------------------------===//

#ifndef COMPILER_SIZING_RECIPE_H
#define COMPILER_SIZING_RECIPE_H

#include <string>
#include <string_view>
#include <vector>

namespace tarn {

struct Recipe {
  std::string name, text;
  /// Bytes an element takes; 0 = as in the graph.
  int weight = 0, gradient = 0, state = 0, activation = 0;
  /// Of a second copy that the optimizer updates; 0 = there is none.
  int master = 0;
  /// What a loss looks at, where activations have their own size.
  int logits = 0;
  /// Bits of what layers save for products with weights alone, and of what
  /// elementwise ops make such a factor of; 0 = as other activations.
  int factorBits = 0;
  /// Bits of such a factor that the gradient of its own producer reads too.
  int sharedBits = 0;
  /// Elements that share a scale of 4 bytes, for values in these bits.
  int scaled = 128;
};

/// `graph`, `megatron`, `megatron-main-grads`, `deepseek-v3`,
/// `deepseek-v3-fp8`.
const std::vector<Recipe> &knownRecipes();
/// By name; null if there is none.
const Recipe *findRecipe(std::string_view name);
std::string recipeNames();

} // namespace tarn

#endif // COMPILER_SIZING_RECIPE_H
