//===- Recipe.cpp - bytes of a parameter, of its gradient, its state ------===//

#include "compiler/Sizing/Recipe.h"

using namespace tarn;

const std::vector<Recipe> &tarn::knownRecipes() {
  // name, text, weight, gradient, state, activation, master, logits; bits of
  // factors, of those that are read otherwise too
  static const std::vector<Recipe> recipes = {
      {"graph", "types of the graph", 0, 0, 0, 0, 0, 0},
      {"megatron", "16-bit weights and gradients, fp32 master and moments", 2,
       2, 4, 2, 4, 4},
      {"megatron-main-grads", "16-bit weights, fp32 gradients, master, moments",
       2, 4, 4, 2, 4, 4},
      {"deepseek-v3", "bf16 weights and moments, fp32 gradients and master", 2,
       4, 2, 2, 4, 4},
      // DeepSeek-AI, arXiv 2412.19437, section 3.3: e4m3 in tiles of 1 x 128,
      // e5m6 behind attention.
      {"deepseek-v3-fp8", "deepseek-v3 with factors in 8 bits, attention in 12",
       2, 4, 2, 2, 4, 4, 8, 12},
  };
  return recipes;
}

const Recipe *tarn::findRecipe(std::string_view name) {
  for (const Recipe &recipe : knownRecipes())
    if (recipe.name == name)
      return &recipe;
  return nullptr;
}

std::string tarn::recipeNames() {
  std::string names;
  for (const Recipe &recipe : knownRecipes())
    names += (names.empty() ? "" : ", ") + recipe.name;
  return names;
}
