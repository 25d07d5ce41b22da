//===- GptText.cpp - a GPT as a graph -------------------------------------===//

#include "GptText.h"

#include <sstream>
#include <vector>

using namespace tarn::test;

namespace {

/// Writes ops; values are numbered.
class Writer {
public:
  explicit Writer(const GptSizes &sizes) : s(sizes) {}
  std::string function(const std::string &name, const std::string &kind,
                       const std::string &attributes);

private:
  static std::string type(const std::vector<int64_t> &shape,
                          const std::string &element = "f32") {
    std::string text = "tensor<";
    for (int64_t extent : shape)
      text += std::to_string(extent) + "x";
    return text + element + ">";
  }
  std::string fresh() { return "%v" + std::to_string(next++); }
  std::string op(const std::string &text) {
    std::string name = fresh();
    body << "  " << name << " = tarn." << text << "\n";
    return name;
  }
  std::string parameter(const std::string &name,
                        const std::vector<int64_t> &shape) {
    std::string value = "%p" + std::to_string(next++);
    arguments += ", " + value + ": " + type(shape) + " {tarn.name = \"" + name +
                 "\", tarn.role = \"parameter\"}";
    return value;
  }
  std::string reshape(const std::string &x, const std::vector<int64_t> &from,
                      const std::vector<int64_t> &to) {
    return op("reshape " + x + " : " + type(from) + " -> " + type(to));
  }
  std::string linear(const std::string &x, const std::string &name, int64_t in,
                     int64_t out) {
    std::string w = parameter(name + ".weight", {in, out}),
                b = parameter(name + ".bias", {out});
    int64_t rows = s.batch * s.context;
    std::string flat = reshape(x, {s.batch, s.context, in}, {rows, in});
    std::string y = op("dot " + flat + ", " + w + " : " + type({rows, in}) +
                       ", " + type({in, out}) + " -> " + type({rows, out}));
    std::vector<int64_t> shape{s.batch, s.context, out};
    std::string z = reshape(y, {rows, out}, shape);
    std::string wide = op("broadcast " + b + " dims = [2] : " + type({out}) +
                          " -> " + type(shape));
    return op("add " + z + ", " + wide + " : " + type(shape));
  }
  std::string norm(const std::string &x, const std::string &name) {
    std::string w = parameter(name + ".weight", {s.width}),
                b = parameter(name + ".bias", {s.width});
    return op("layer_norm " + x + ", " + w + ", " + b + " eps = 1.0e-5 : " +
              type({s.batch, s.context, s.width}) + ", " + type({s.width}));
  }
  std::string attention(const std::string &x, const std::string &name);
  std::string logits();

  const GptSizes &s;
  std::ostringstream body;
  std::string arguments;
  unsigned next = 0;
};

} // namespace

std::string Writer::attention(const std::string &x, const std::string &name) {
  int64_t depth = s.width / s.heads;
  std::string qkv = linear(x, name + ".c_attn", s.width, 3 * s.width);
  std::vector<int64_t> split{s.batch, s.context, 3, s.heads, depth};
  std::vector<int64_t> moved{3, s.batch, s.heads, s.context, depth};
  std::vector<int64_t> one{1, s.batch, s.heads, s.context, depth};
  std::vector<int64_t> head{s.batch, s.heads, s.context, depth};
  std::string parts = reshape(qkv, {s.batch, s.context, 3 * s.width}, split);
  std::string all = op("transpose " + parts +
                       " permutation = [2, 0, 3, 1, 4] : " + type(split));
  std::string part[3];
  for (int i = 0; i != 3; ++i) {
    std::string sizes;
    for (int64_t extent : one)
      sizes += (sizes.empty() ? "" : ", ") + std::to_string(extent);
    std::string taken =
        op("slice " + all + " offsets = [" + std::to_string(i) +
           ", 0, 0, 0, 0] sizes = [" + sizes + "] : " + type(moved));
    part[i] = reshape(taken, one, head);
  }
  std::string out = fresh(), lse = fresh();
  std::ostringstream scale;
  scale.precision(17);
  scale << std::fixed << 1.0 / __builtin_sqrt(double(depth));
  body << "  " << out << ", " << lse << " = tarn.attention " << part[0] << ", "
       << part[1] << ", " << part[2] << " scale = " << scale.str()
       << " mask {\n  ^bb0(%b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, "
          "%j: tensor<i32>):\n    %0 = tarn.compare le %j, %i : tensor<i32>\n"
          "    tarn.yield %0 : tensor<i1>\n  } : "
       << type(head) << ", " << type(head) << ", " << type(head) << "\n";
  std::string back =
      op("transpose " + out + " permutation = [0, 2, 1, 3] : " + type(head));
  std::string joined = reshape(back, {s.batch, s.context, s.heads, depth},
                               {s.batch, s.context, s.width});
  return linear(joined, name + ".c_proj", s.width, s.width);
}

std::string Writer::logits() {
  std::vector<int64_t> x3{s.batch, s.context, s.width};
  std::string table = parameter("wte.weight", {s.vocabulary, s.width});
  std::string places = parameter("wpe.weight", {s.context, s.width});
  std::string tokens =
      op("gather " + table + ", %tokens : " + type({s.vocabulary, s.width}) +
         ", " + type({s.batch, s.context}, "i32"));
  std::string wide = op("broadcast " + places + " dims = [1, 2] : " +
                        type({s.context, s.width}) + " -> " + type(x3));
  std::string x = op("add " + tokens + ", " + wide + " : " + type(x3));
  for (int64_t layer = 0; layer != s.layers; ++layer) {
    std::string h = "h." + std::to_string(layer);
    std::string a = attention(norm(x, h + ".ln_1"), h + ".attn");
    x = op("add " + x + ", " + a + " : " + type(x3));
    std::string m =
        linear(norm(x, h + ".ln_2"), h + ".mlp.c_fc", s.width, 4 * s.width);
    m = op("gelu tanh " + m + " : " + type({s.batch, s.context, 4 * s.width}));
    m = linear(m, h + ".mlp.c_proj", 4 * s.width, s.width);
    x = op("add " + x + ", " + m + " : " + type(x3));
  }
  x = norm(x, "ln_f");
  int64_t rows = s.batch * s.context;
  std::string flat = reshape(x, x3, {rows, s.width});
  std::string y =
      op("dot " + flat + ", " + table +
         " transpose_b : " + type({rows, s.width}) + ", " +
         type({s.vocabulary, s.width}) + " -> " + type({rows, s.vocabulary}));
  return reshape(y, {rows, s.vocabulary}, {s.batch, s.context, s.vocabulary});
}

std::string Writer::function(const std::string &name, const std::string &kind,
                             const std::string &attributes) {
  std::string y = logits();
  std::vector<int64_t> rows{s.batch, s.context};
  std::string integers = type(rows, "i32");
  std::string loss = fresh(), lse = fresh();
  body << "  " << loss << ", " << lse << " = tarn.cross_entropy " << y
       << ", %targets ignore_index = -100 : "
       << type({s.batch, s.context, s.vocabulary}) << ", " << integers << "\n";
  std::string sum = op("reduce_sum " + loss + " dims = [0, 1] : " + type(rows));
  std::string ignored = op("constant dense<-100> : " + integers);
  std::string counts = op("compare ne %targets, " + ignored + " : " + integers);
  std::string ones =
      op("cast " + counts + " : " + type(rows, "i1") + " -> " + type(rows));
  std::string count =
      op("reduce_sum " + ones + " dims = [0, 1] : " + type(rows));
  std::string mean = op("ratio " + sum + ", " + count + " : tensor<f32>");
  std::string below =
      ", test.below = " + std::to_string(s.vocabulary) + " : i64}";
  return "func.func @" + name + "(%tokens: " + integers +
         " {tarn.name = \"tokens\", tarn.role = \"input\"" + below +
         ", %targets: " + integers +
         " {tarn.name = \"targets\", tarn.role = \"input\"" + below +
         arguments +
         ") -> (tensor<f32> {tarn.name = \"loss\", tarn.role = \"loss\"}) "
         "attributes {tarn.kind = \"" +
         kind + "\"" + attributes + "} {\n" + body.str() + "  return " + mean +
         " : tensor<f32>\n}\n";
}

std::string tarn::test::gptText(const GptSizes &sizes) {
  std::string text = R"(
module @gpt {
func.func private @rate(%step: tensor<i32>) -> tensor<f32> {
  %0 = tarn.constant dense<0.001> : tensor<f32>
  return %0 : tensor<f32>
}
)";
  text += Writer(sizes).function(
      "step", "train",
      ", tarn.train = {optimizer = \"adamw\", beta1 = 0.9 : f64, beta2 = 0.99 "
      ": f64, eps = 1.0e-8 : f64, decay = 0.1 : f64, clip = 1.0 : f64, rate = "
      "@rate, groups = [{patterns = [\"**.bias\"], decay = 0.0 : f64}]}");
  text += Writer(sizes).function("validate", "eval", "");
  return text + "}\n";
}
