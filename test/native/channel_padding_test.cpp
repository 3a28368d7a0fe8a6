#include "compiler/channel_padding.h"

#include "compiler/passes.h"
#include "core/philox.h"
#include "native/harness.h"
#include "native/reference_run.h"
#include "networks/registry.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"
#include "ops/layout.h"
#include "ops/pool.h"

/// Padded graphs on the float64 reference: the same numbers, from convolutions of other widths.

using namespace jcs;

namespace {

Tensor randomTensor(const Shape& shape, uint32_t sample) {
  Philox random(5, 0, sample, RandomPurpose::kInitialise);
  Tensor tensor(DType::kF32, shape);
  for (float& value : tensor.as<float>()) value = random.uniform() - 0.5f;
  return tensor;
}

NamedTensors numbersOf(const Graph& graph, ValueInfo::Kind kind) {
  NamedTensors numbers;
  for (const ValueInfo& info : graph.values()) {
    if (info.kind != kind) continue;
    Tensor tensor = randomTensor(info.type.shape, static_cast<uint32_t>(numbers.size()));
    if (info.name.ends_with("running_var"))
      for (float& value : tensor.as<float>()) value += 1;
    numbers[info.name] = std::move(tensor);
  }
  return numbers;
}

void checkSameResults(const Graph& graph, const Graph& padded, double bound = 1e-9) {
  const NamedTensors inputs = numbersOf(graph, ValueInfo::Kind::kInput);
  const NamedTensors states = numbersOf(graph, ValueInfo::Kind::kState);
  const ReferenceRun expected = runOnReference(graph, inputs, states), actual = runOnReference(padded, inputs, states);
  for (const auto& [name, value] : expected.outputs) CHECK(relativeError(actual.outputs.at(name), value) <= bound);
}

/// Input and output channels of the graph's convolutions, in order.
std::vector<std::pair<int64_t, int64_t>> channelsOf(const Graph& graph) {
  std::vector<std::pair<int64_t, int64_t>> channels;
  for (const Node& node : graph.nodes())
    if (is<Conv2d>(*node.op))
      channels.emplace_back(graph.values()[node.inputs[0]].type.shape.channels(),
                            graph.values()[node.outputs[0]].type.shape.channels());
  return channels;
}

using Channels = std::vector<std::pair<int64_t, int64_t>>;

Value convolution(Graph& graph, const std::string& name, Value x, int64_t channels, int64_t kernel = 1) {
  const Value weight = graph.state(name + ".weight", {DType::kF32, {channels, x.shape().channels(), kernel, kernel}});
  const Value bias = graph.state(name + ".bias", {DType::kF32, {channels}});
  return conv2d(x, weight, bias, {.padding = kernel / 2});
}

Value imageOf(Graph& graph) {
  const auto found = graph.findInput("image");
  return found ? *found : graph.input("image", {DType::kF32, {1, 6, 5, 16}});
}

Value channelSlice(Value x, int64_t begin, int64_t channels) {
  Shape extent = x.shape();
  extent[3] = channels;
  return slice(x, {0, 0, 0, begin}, extent);
}

}  // namespace

TEST("channel padding: slices of a Res2Net block get room of their own") {
  Graph graph;
  const Value wide = relu(convolution(graph, "conv1", imageOf(graph), 12));
  std::vector<Value> parts;
  for (int i = 0; i < 3; ++i) {
    Value part = channelSlice(wide, 3 * i, 3);
    if (i > 0) part = add(parts.back(), part);
    parts.push_back(sigmoid(convolution(graph, "convs." + std::to_string(i), part, 3, 3)));
  }
  auto pool = std::make_shared<AveragePool2d>();
  pool->pool = {.kernel = 3, .stride = 1, .padding = 1};
  parts.push_back(addNode(pool, {channelSlice(wide, 9, 3)}));
  graph.output("y", convolution(graph, "conv3", concat(parts), 16));

  const auto padded = compiler::padChannels(graph, 4);
  CHECK(channelsOf(graph) == (Channels{{16, 12}, {3, 3}, {3, 3}, {3, 3}, {12, 16}}));
  CHECK(channelsOf(*padded) == (Channels{{16, 16}, {4, 4}, {4, 4}, {4, 4}, {16, 16}}));
  checkSameResults(graph, *padded);
  // As compiled: batch norms folded, epilogues fused, residuals joined.
  checkSameResults(graph, *compiler::optimize(graph, DType::kF32, 4));
}

TEST("channel padding: what leaves the program or counts channels keeps them") {
  Graph graph;
  const Value seen = convolution(graph, "a", imageOf(graph), 6);
  graph.output("seen", seen);
  const Value divided = convolution(graph, "b", imageOf(graph), 6);
  const Value quotient = divide(divided, add(divided, 9));
  const Value shaped = reshape(convolution(graph, "c", imageOf(graph), 6), {1, 5, 6, 6});
  const Value free = convolution(graph, "d", imageOf(graph), 6);
  const auto reads = [&](const std::string& name, Value x) { graph.output(name, convolution(graph, name, x, 8)); };
  reads("reads seen", seen), reads("reads quotient", quotient), reads("reads shaped", shaped),
      reads("reads free", free);

  const auto padded = compiler::padChannels(graph, 8);
  CHECK(channelsOf(*padded) == (Channels{{16, 6}, {16, 6}, {16, 6}, {16, 8}, {6, 8}, {6, 8}, {6, 8}, {8, 8}}));
  checkSameResults(graph, *padded);
}

TEST("channel padding: a residual grows with the sum, and what would grow beyond measure does not") {
  Graph graph;
  const Value shortcut = convolution(graph, "shortcut", imageOf(graph), 6);
  const Value sum = relu(add(convolution(graph, "a", imageOf(graph), 6, 3), shortcut));
  graph.output("y", convolution(graph, "b", sum, 8));
  graph.output("z", convolution(graph, "d", convolution(graph, "c", imageOf(graph), 2), 8));
  const auto padded = compiler::optimize(graph, DType::kF32, 8);
  CHECK(channelsOf(*padded) == (Channels{{16, 8}, {16, 8}, {8, 8}, {16, 2}, {2, 8}}));
  checkSameResults(graph, *padded);
}

TEST("channel padding: networks at full width have no operand left but images and maps of one channel") {
  for (const networks::NetworkInfo& network : networks::networks()) {
    const networks::NetworkSpec spec{.network = network.name};
    const auto graph = networks::inferenceGraph(spec, 1, 96, 96);
    for (const auto& [in, out] : channelsOf(*compiler::optimize(*graph, DType::kBF16, 8))) {
      if (in <= 5 && out == 1) continue;  // DSS's sides and what joins them
      if ((in % 8 != 0 && in != 3) || (out % 8 != 0 && out != 1))
        test::reportFailure(__FILE__, __LINE__,
                            std::string(network.name) + ": " + std::to_string(in) + " to " + std::to_string(out));
    }
  }
}

TEST("channel padding: a network gives the same numbers") {
  for (const std::string network : {"res2net50-v1b", "jcs-joint"}) {
    const auto graph = networks::inferenceGraph({.network = network, .width = 0.125}, 1, 64, 64);
    const auto padded = compiler::optimize(*graph, DType::kF32, 4);
    CHECK(channelsOf(*padded) != channelsOf(*compiler::optimize(*graph, DType::kF32)));
    checkSameResults(*graph, *padded, 1e-6);
  }
}
