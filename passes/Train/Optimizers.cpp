//===- Optimizers.cpp - optimizers as graph code --------------------------===//

#include "passes/Train/Optimizers.h"

using namespace mlir;
using namespace tarn;
using graph::GradientMath;

/// A rank-0 value over the shape of `like`.
static Value spread(GradientMath &m, Value scalar, Value like) {
  auto type = graph::tensorType(like);
  if (type.getRank() == 0)
    return scalar;
  return m.make<graph::BroadcastOp>(
      type.clone(graph::tensorType(scalar).getElementType()), scalar,
      ArrayRef<int64_t>());
}

namespace {

/// AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization",
/// arXiv 1711.05101), with torch's placement of epsilon:
///   m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2
///   p = p (1 - rate decay) - rate (m / c1) / (sqrt(v / c2) + eps)
/// The corrections c = 1 - b^t are kept as states of their own, c = b c +
/// (1 - b): sums of positive terms, so that they are accurate to the last bits
/// in f32, where 1 - b^t would lose half of them at small t.
class AdamW : public Optimizer {
public:
  explicit AdamW(DictionaryAttr options)
      : beta1(numberOf(options, "beta1", 0.9)),
        beta2(numberOf(options, "beta2", 0.999)),
        epsilon(numberOf(options, "eps", 1e-8)) {}

  SmallVector<StringRef> sharedStates() const override {
    return {"correction1", "correction2"};
  }
  SmallVector<StringRef> parameterStates() const override {
    return {"adam_m", "adam_v"};
  }
  void advance(GradientMath &m, MutableArrayRef<Value> shared) const override {
    shared[0] = m.offset(m.scale(shared[0], beta1), 1 - beta1);
    shared[1] = m.offset(m.scale(shared[1], beta2), 1 - beta2);
  }
  void update(GradientMath &m, Value &parameter, Value gradient,
              ArrayRef<Value> shared, MutableArrayRef<Value> states,
              const UpdateTerms &terms) const override {
    Value g = gradient;
    states[0] = m.add(m.scale(states[0], beta1), m.scale(g, 1 - beta1));
    states[1] =
        m.add(m.scale(states[1], beta2), m.scale(m.mul(g, g), 1 - beta2));
    // Scalars first: they are computed once and not per element.
    Value step = m.div(terms.rate, shared[0]);
    Value root = m.make<graph::RsqrtOp>(shared[1]);
    Value denominator = m.offset(
        m.mul(m.make<graph::SqrtOp>(states[1]), spread(m, root, g)), epsilon);
    Value change = m.mul(m.div(states[0], denominator), spread(m, step, g));
    Value kept = parameter;
    if (terms.decay != 0) {
      Value keep = m.offset(m.scale(terms.rate, -terms.decay), 1);
      kept = m.mul(parameter, spread(m, keep, g));
    }
    parameter = m.sub(kept, change);
  }

private:
  double beta1, beta2, epsilon;
};

/// SGD with momentum and weight decay as torch has them:
///   g = g + decay p,  u = momentum u + g,  p = p - rate u
class Sgd : public Optimizer {
public:
  explicit Sgd(DictionaryAttr options)
      : momentum(numberOf(options, "momentum", 0)) {}

  SmallVector<StringRef> parameterStates() const override {
    return momentum == 0 ? SmallVector<StringRef>()
                         : SmallVector<StringRef>{"momentum"};
  }
  void update(GradientMath &m, Value &parameter, Value gradient,
              ArrayRef<Value> shared, MutableArrayRef<Value> states,
              const UpdateTerms &terms) const override {
    Value g = gradient;
    if (terms.decay != 0)
      g = m.add(g, m.scale(parameter, terms.decay));
    if (momentum != 0)
      g = states[0] = m.add(m.scale(states[0], momentum), g);
    parameter = m.sub(parameter, m.mul(g, spread(m, terms.rate, g)));
  }

private:
  double momentum;
};

} // namespace

double tarn::numberOf(DictionaryAttr options, StringRef name, double fallback) {
  Attribute value = options.get(name);
  if (auto number = dyn_cast_or_null<FloatAttr>(value))
    return number.getValueAsDouble();
  if (auto number = dyn_cast_or_null<IntegerAttr>(value))
    return number.getInt();
  return fallback;
}

std::unique_ptr<Optimizer> tarn::createOptimizer(Location loc,
                                                 DictionaryAttr options) {
  auto name = options.getAs<StringAttr>("optimizer");
  if (name && name.getValue() == "adamw")
    return std::make_unique<AdamW>(options);
  if (name && name.getValue() == "sgd")
    return std::make_unique<Sgd>(options);
  emitError(loc) << "unknown optimizer `" << (name ? name.getValue() : "")
                 << "`; there are adamw and sgd";
  return nullptr;
}
