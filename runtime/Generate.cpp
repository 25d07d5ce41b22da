//===- Generate.cpp - Text from a trained model ---------------------------===//

#include "runtime/Generate.h"

#include "runtime/Feed.h"
#include "runtime/Parameters.h"
#include "runtime/Random.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

using namespace tarn::rt;

int32_t tarn::rt::sampleLogits(const float *logits, size_t count,
                               float temperature, uint64_t topK,
                               uint64_t bits) {
  // Ties go to the lower token, so that the order is total.
  std::vector<int32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  auto likelier = [&](int32_t a, int32_t b) {
    return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
  };
  if (!(temperature > 0))
    return *std::min_element(order.begin(), order.end(), likelier);
  if (topK && topK < count) {
    std::nth_element(order.begin(), order.begin() + topK, order.end(),
                     likelier);
    order.resize(topK);
    std::sort(order.begin(), order.end());
  }
  double highest = -HUGE_VAL;
  for (int32_t token : order)
    highest = std::max<double>(highest, logits[token]);
  std::vector<double> sums;
  double sum = 0;
  for (int32_t token : order)
    sums.push_back(sum += std::exp((logits[token] - highest) / temperature));
  double point = static_cast<double>(bits >> 11) * 0x1p-53 * sum;
  size_t i = static_cast<size_t>(
      std::upper_bound(sums.begin(), sums.end(), point) - sums.begin());
  return order[std::min(i, order.size() - 1)];
}

namespace {

/// The generate function with memory for its inputs and outputs.
class Stepper {
public:
  static Result<Stepper> create(Session &session) {
    std::optional<size_t> index = session.findKind("generate");
    if (!index)
      return Status(Code::NotFound, "the artifact has no generate function");
    const Function &function = session.functions()[*index];
    Stepper stepper(session, *index, function);
    for (size_t i = 0; i < function.inputs.size(); ++i) {
      const TensorDesc &input = function.inputs[i];
      bool integer = input.dtype == DType::I32 || input.dtype == DType::I64;
      if (input.name == "temperature" && input.dtype == DType::F32 &&
          input.bytes == sizeof(float)) {
        stepper.temperature = static_cast<int>(i);
      } else if (input.name == "seed" && input.dtype == DType::I32 &&
                 input.bytes == 2 * sizeof(int32_t)) {
        stepper.seed = static_cast<int>(i);
      } else if (integer && stepper.token < 0 &&
                 (input.shape.empty() || input.shape.back() == 1)) {
        stepper.token = static_cast<int>(i);
      } else {
        return Status(Code::Unsupported,
                      "`" + function.name + "` wants the input `" + input.name +
                          "`, " + typeText(input.dtype, input.shape) +
                          "; known are one token, `temperature` and `seed`");
      }
      stepper.inputBytes.emplace_back(input.bytes);
    }
    if (stepper.token < 0)
      return Status(Code::Unsupported,
                    "`" + function.name + "` takes no token");
    for (size_t i = 0; i < function.outputs.size(); ++i) {
      const TensorDesc &output = function.outputs[i];
      if ((output.name == "next" || output.name == "logits") && output.bytes &&
          stepper.result < 0)
        stepper.result = static_cast<int>(i);
      stepper.outputBytes.emplace_back(output.bytes);
    }
    if (stepper.result < 0)
      return Status(Code::Unsupported, "`" + function.name +
                                           "` has no output `next` or "
                                           "`logits`");
    return Result<Stepper>(std::move(stepper));
  }

  /// Feeds a token; afterwards next() is what follows it.
  Status feed(int32_t value, const GenerateOptions &options, uint64_t bits) {
    const TensorDesc &input = function->inputs[token];
    std::vector<uint8_t> &bytes = inputBytes[token];
    int64_t wide = value;
    for (size_t at = 0; at < bytes.size(); at += dtypeSize(input.dtype))
      std::memcpy(bytes.data() + at,
                  input.dtype == DType::I64 ? static_cast<const void *>(&wide)
                                            : static_cast<const void *>(&value),
                  dtypeSize(input.dtype));
    if (temperature >= 0)
      std::memcpy(inputBytes[temperature].data(), &options.temperature,
                  sizeof(float));
    if (seed >= 0)
      std::memcpy(inputBytes[seed].data(), &bits, sizeof bits);
    std::vector<const void *> inputs;
    std::vector<void *> outputs;
    for (const std::vector<uint8_t> &b : inputBytes)
      inputs.push_back(b.data());
    for (std::vector<uint8_t> &b : outputBytes)
      outputs.push_back(b.data());
    return session.run(index, inputs.data(), outputs.data());
  }

  int32_t next(const GenerateOptions &options, uint64_t bits) const {
    const TensorDesc &output = function->outputs[result];
    const std::vector<uint8_t> &bytes = outputBytes[result];
    if (output.dtype == DType::I32 || output.dtype == DType::I64)
      return static_cast<int32_t>(readScalar(output.dtype, bytes.data()));
    size_t count =
        output.shape.empty() ? 1 : static_cast<size_t>(output.shape.back());
    std::vector<float> logits(count);
    convertFloats(output.dtype, bytes.data(), DType::F32, logits.data(), count);
    return sampleLogits(logits.data(), count, options.temperature, options.topK,
                        bits);
  }

private:
  Stepper(Session &session, size_t index, const Function &function)
      : session(session), index(index), function(&function) {}

  Session &session;
  size_t index;
  const Function *function;
  int token = -1, temperature = -1, seed = -1, result = -1;
  std::vector<std::vector<uint8_t>> inputBytes, outputBytes;
};

} // namespace

Status tarn::rt::generate(Session &session, const std::vector<int32_t> &prompt,
                          const GenerateOptions &options,
                          const std::function<bool(int32_t)> &each) {
  if (prompt.empty())
    return Status(Code::BadArgument, "the prompt is empty");
  Result<Stepper> stepper = Stepper::create(session);
  if (!stepper.ok())
    return stepper.status();
  const Json *hyper = session.manifest().hyper.find("context");
  uint64_t context = hyper && hyper->isInt() && hyper->asInt() > 1
                         ? static_cast<uint64_t>(hyper->asInt())
                         : UINT64_MAX;

  std::vector<int32_t> text = prompt;
  uint64_t fed = 0, held = 0; // tokens fed of `text`, and in the caches
  if (Status status = session.clearRole("cache"); !status.ok())
    return status;
  for (uint64_t made = 0; made < options.tokens; ++made) {
    uint64_t bits = threefry(options.seed, made);
    while (fed < text.size()) {
      if (held == context) {
        if (Status status = session.clearRole("cache"); !status.ok())
          return status;
        held = 0;
        fed = std::max<uint64_t>(fed, context / 2) - context / 2;
      }
      if (Status status = stepper->feed(text[fed], options, bits); !status.ok())
        return status;
      ++fed;
      ++held;
    }
    text.push_back(stepper->next(options, bits));
    if (!each(text.back()))
      break;
  }
  return {};
}
