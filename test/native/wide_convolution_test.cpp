#include "core/philox.h"
#include "native/compiled.h"
#include "native/harness.h"
#include "ops/conv2d.h"

/// 3×3 convolutions of so many weights that kernels do not keep them transformed. The table of cases has none: there,
/// every backend would take minutes.

using namespace jcs;

namespace {

struct Sizes {
  const char* name;
  Shape x;
  int64_t outputs;
};

const std::vector<Sizes> kSizes{
    {"few pixels, several blocks of outputs", {1, 16, 16, 136}, 256},
    {"few pixels, blocks of outputs that two threads do not share evenly", {1, 14, 15, 208}, 160},
    {"few pixels, channels in several passes", {4, 6, 6, 696}, 256},
    {"many small images", {141, 3, 3, 136}, 256},
    {"many small images, channels in several passes", {131, 3, 3, 704}, 250},
};

Tensor randomTensor(const Shape& shape, uint32_t sample) {
  Philox random(7, 0, sample, RandomPurpose::kInitialise);
  Tensor tensor(DType::kF32, shape);
  for (float& value : tensor.as<float>()) value = random.uniform() - 0.5f;
  return tensor;
}

std::unique_ptr<Graph> convolution(const Sizes& sizes) {
  auto graph = std::make_unique<Graph>();
  const Value x = graph->input(InputPort<float>{"x"}, sizes.x);
  const Value weight = graph->state("weight", {DType::kF32, {sizes.outputs, sizes.x[3], 3, 3}});
  const Value bias = graph->state("bias", {DType::kF32, {sizes.outputs}});
  graph->output("y", conv2d(x, weight, bias, {.padding = 1}));
  return graph;
}

void checkBelow(double value, double bound, const Sizes& sizes) {
  if (!(value < bound)) test::reportFailure(__FILE__, __LINE__, std::string(sizes.name) + ": " + test::show(value));
}

}  // namespace

TEST("wide 3×3 convolutions agree with the reference, and keep only their weights") {
  for (const Sizes& sizes : kSizes) {
    const auto graph = convolution(sizes);
    NamedTensors inputs, states;
    inputs.emplace("x", randomTensor(sizes.x, 0));
    states.emplace("weight", randomTensor({sizes.outputs, sizes.x[3], 3, 3}, 1));
    states.emplace("bias", randomTensor({sizes.outputs}, 2));
    const ReferenceRun reference = runOnReference(*graph, inputs, states);
    const Tensor& expected = reference.outputs.at("y");
    for (const int threads : {1, 2}) {
      CompiledGraph compiled(*graph, states, DType::kF32, threads);
      for (int run = 0; run < 2; ++run) checkBelow(relativeError(compiled.run(inputs).at("y"), expected), 2e-6, sizes);
      const auto kept = static_cast<double>(compiled.program().persistentBytes());
      checkBelow(kept / static_cast<double>(states.at("weight").bytes()), 1.25, sizes);
    }
  }
}
