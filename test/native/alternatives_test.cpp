#include "compiler/alternatives.h"

#include <algorithm>

#include "native/error_code.h"
#include "native/harness.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"
#include "ops/quantized.h"
#include "runtime/peaks.h"

using namespace jcs;
using compiler::Alternative;
using compiler::Computation;

namespace {

constexpr int64_t kChannels = 32, kSide = 32;

Computation convolution(int64_t kernel, int64_t rowStride = kChannels) {
  auto op = std::make_shared<Conv2d>();
  op->conv.padding = kernel / 2;
  const TensorType image{DType::kF32, {1, kSide, kSide, kChannels}};
  const TensorType weights{DType::kF32, {kChannels, kChannels, kernel, kernel}};
  return {op, {{image, rowStride}, Operand::dense(weights)}, {Operand::dense(image)}};
}

Computation convolutionOfBytes() {
  auto op = std::make_shared<QuantizedConv2d>();
  op->dtype = DType::kU8;
  const TensorType image{DType::kU8, {1, kSide, kSide, kChannels}};
  const TensorType weights{DType::kF32, {kChannels, kChannels, 1, 1}};
  return {op, {Operand::dense(image), Operand::dense(weights)}, {Operand::dense(image)}};
}

std::vector<std::vector<Alternative>> timed(std::vector<Computation> computations, std::vector<DType> dtypes,
                                            const std::atomic<bool>* cancelled = nullptr) {
  const auto engine = runtime::Engine::acquire("cpu");
  std::vector<std::vector<Alternative>> result;
  engine->runAndWait([&] {
    result = compiler::timeAlternatives(computations, engine->sharedBackend(), {.threads = 1}, dtypes, cancelled);
  });
  return result;
}

bool has(const std::vector<Alternative>& alternatives, std::string_view part, DType dtype) {
  return std::ranges::any_of(alternatives, [&](const Alternative& alternative) {
    return alternative.implementation.find(part) != std::string::npos && alternative.dtype == dtype;
  });
}

/// The kernel that the device takes.
std::string chosenFor(const Computation& computation) {
  const auto engine = runtime::Engine::acquire("cpu");
  std::string name;
  engine->runAndWait([&] {
    name = engine->sharedBackend()
               ->prepare(*computation.op, computation.inputs, computation.outputs, {.threads = 1})
               ->implementation();
  });
  return name;
}

}  // namespace

TEST("a convolution's other kernels are those that could do it, and not its own") {
  const std::vector<Computation> convolutions{convolution(3), convolution(1), convolution(1, 2 * kChannels)};
  const auto found = timed(convolutions, {DType::kF32});
  CHECK(chosenFor(convolutions[0]).ends_with(":winograd"));
  CHECK(!has(found[0], ":winograd", DType::kF32));
  CHECK(has(found[0], ":implicit", DType::kF32));
  CHECK_EQUAL(found[0].size(), 2u);  // and oneDNN's
  // Ours or oneDNN's, as the processor is.
  CHECK(has(found[1], ":implicit", DType::kF32) != chosenFor(convolutions[1]).ends_with(":implicit"));
  CHECK_EQUAL(found[1].size(), 1u);
  CHECK(found[2].empty());  // from a slice, oneDNN's is a plain loop
}

TEST("alternatives come fastest first, with a speed of their own") {
  for (const auto& alternatives : timed({convolution(3), convolution(1)}, {DType::kF32, DType::kU8})) {
    CHECK(std::ranges::is_sorted(alternatives, std::greater(), &Alternative::speedup));
    for (const Alternative& alternative : alternatives) CHECK(alternative.speedup > 0 && alternative.speedup < 1e4);
  }
}

TEST("convolutions of numbers have alternatives in bytes, and the other way round") {
  const auto found = timed({convolution(1), convolutionOfBytes()}, {DType::kF32, DType::kU8});
  CHECK(has(found[0], "", DType::kU8));
  CHECK(has(found[1], ":implicit", DType::kF32));
  CHECK_EQUAL(found[1].size(), 2u);
}

TEST("what is no convolution has no alternatives, and equal ones are timed once") {
  const TensorType type{DType::kF32, {1, 8, 8, kChannels}};
  const Computation sum{std::make_shared<Unary>(Unary::Kind::kRelu), {Operand::dense(type)}, {Operand::dense(type)}};
  const auto found = timed({sum, convolution(3), convolution(3)}, {DType::kF32});
  CHECK(found[0].empty());
  CHECK_EQUAL(found[1].size(), found[2].size());
  for (size_t i = 0; i < found[1].size(); ++i) CHECK(found[1][i].speedup == found[2][i].speedup);
}

TEST("timing alternatives can be cancelled") {
  const std::atomic<bool> cancelled{true};
  CHECK_ERROR([&] { timed({convolution(3)}, {DType::kF32}, &cancelled); }, "CANCELLED", "cancelled");
}
