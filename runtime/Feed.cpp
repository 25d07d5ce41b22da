//===- Feed.cpp - Tokens into the inputs of a function --------------------===//

#include "runtime/Feed.h"

#include "runtime/Parameters.h"

#include <algorithm>
#include <cstring>

using namespace tarn::rt;

double tarn::rt::readScalar(DType dtype, const void *data) {
  switch (dtype) {
  case DType::I32: {
    int32_t value;
    std::memcpy(&value, data, sizeof value);
    return value;
  }
  case DType::I64: {
    int64_t value;
    std::memcpy(&value, data, sizeof value);
    return static_cast<double>(value);
  }
  case DType::U8:
  case DType::I1:
    return *static_cast<const uint8_t *>(data);
  default: {
    double value = 0;
    convertFloats(dtype, data, DType::F64, &value, 1);
    return value;
  }
  }
}

Result<Feed> Feed::create(const Function &function) {
  Feed feed;
  feed.function = &function;
  for (size_t i = 0; i < function.inputs.size(); ++i) {
    const TensorDesc &input = function.inputs[i];
    bool integers = input.dtype == DType::I32 || input.dtype == DType::I64;
    int &place = input.name == "targets" ? feed.targets : feed.tokens;
    if ((input.name != "tokens" && input.name != "targets") || !integers ||
        input.shape.empty() || !input.bytes)
      return Status(Code::Unsupported,
                    "`" + function.name + "` wants the input `" + input.name +
                        "`, " + typeText(input.dtype, input.shape) +
                        "; text can only fill `tokens` and `targets`, "
                        "integers with at least one dimension");
    place = static_cast<int>(i);
  }
  if (feed.tokens < 0)
    return Status(Code::Unsupported,
                  "`" + function.name + "` has no input `tokens`");
  const TensorDesc &tokens = function.inputs[feed.tokens];
  if (feed.targets >= 0 && function.inputs[feed.targets].shape != tokens.shape)
    return Status(Code::Unsupported, "`tokens` and `targets` of `" +
                                         function.name +
                                         "` have different shapes");
  feed.rowLength = static_cast<uint64_t>(tokens.shape.back());
  feed.rowCount = *elementCount(tokens.shape) / feed.rowLength;
  for (const TensorDesc &input : function.inputs)
    feed.inputBytes.emplace_back(input.bytes);
  for (const TensorDesc &output : function.outputs)
    feed.outputBytes.emplace_back(output.bytes);
  // The heap blocks stay where they are when the Feed itself is moved.
  for (std::vector<uint8_t> &bytes : feed.inputBytes)
    feed.inputPointers.push_back(bytes.data());
  for (std::vector<uint8_t> &bytes : feed.outputBytes)
    feed.outputPointers.push_back(bytes.data());
  return Result<Feed>(std::move(feed));
}

static void putRow(const TensorDesc &input, std::vector<uint8_t> &bytes,
                   uint64_t row, uint64_t length, const int32_t *from) {
  for (uint64_t i = 0; i < length; ++i) {
    uint64_t at = (row * length + i) * dtypeSize(input.dtype);
    int64_t wide = from[i];
    if (input.dtype == DType::I64)
      std::memcpy(bytes.data() + at, &wide, sizeof wide);
    else
      std::memcpy(bytes.data() + at, from + i, sizeof from[i]);
  }
}

void Feed::setRow(uint64_t row, const int32_t *window) {
  putRow(function->inputs[tokens], inputBytes[tokens], row, rowLength, window);
  if (targets >= 0)
    putRow(function->inputs[targets], inputBytes[targets], row, rowLength,
           window + 1);
}

int Feed::output(std::string_view name) const {
  for (size_t i = 0; i < function->outputs.size(); ++i)
    if (function->outputs[i].name == name)
      return static_cast<int>(i);
  for (size_t i = 0; i < function->outputs.size(); ++i)
    if (function->outputs[i].role == name)
      return static_cast<int>(i);
  return -1;
}

double Feed::scalar(size_t i) const {
  if (outputBytes[i].empty())
    return 0;
  return readScalar(function->outputs[i].dtype, outputBytes[i].data());
}
