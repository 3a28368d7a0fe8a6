#include "compiler/quantization.h"

#include <algorithm>

#include "compiler/passes.h"
#include "compiler/rewrite.h"
#include "core/json.h"
#include "native/compiled.h"
#include "native/fixtures.h"
#include "native/harness.h"
#include "networks/registry.h"
#include "ops/elementwise.h"
#include "ops/layout.h"

/// Where the pass puts bytes, and that compiled programs compute what the reference makes of its graphs.

using namespace jcs;
using compiler::LayerRanges;
using compiler::ValueRange;
using Json = nlohmann::json;

namespace {

/// What the inputs of all convolutions lie between, in the network of numbers.
LayerRanges rangesOf(const Graph& graph, const NamedTensors& inputs, const NamedTensors& states) {
  const auto optimized = compiler::optimize(graph, DType::kF32);
  std::map<std::string, std::string> outputs;  // by layer
  const auto observed = compiler::Rewriter(*optimized).run([&](compiler::Rewriter& to, const Node& node) {
    if (is<Conv2d>(*node.op) && outputs.emplace(node.scope, "input of " + node.scope).second)
      to.target().output("input of " + node.scope, to(node.inputs[0]));
    return std::optional<std::vector<Value>>();
  });
  const NamedTensors seen = CompiledGraph(*observed, states).run(inputs);
  LayerRanges layers;
  for (const std::string& layer : compiler::quantizableLayers(*optimized)) {
    const auto [low, high] = std::ranges::minmax(seen.at(outputs.at(layer)).as<float>());
    layers.emplace(layer, ValueRange{low, high});
  }
  return layers;
}

void checkBelow(double value, double bound, const std::string& what) {
  if (!(value < bound)) test::reportFailure(__FILE__, __LINE__, what + ": " + test::show(value));
}

Value convolution(Graph& graph, const std::string& name, Value x, int64_t kernel = 1) {
  const NodeLabel label(graph, name);
  const Value weight = graph.state(name + ".weight", {DType::kF32, {8, x.shape().channels(), kernel, kernel}});
  const Value bias = graph.state(name + ".bias", {DType::kF32, {8}});
  return conv2d(x, weight, bias, {.padding = kernel / 2});
}

Value image(Graph& graph) { return graph.input("x", {DType::kF32, {1, 6, 5, 8}}); }

/// Ops of the quantised graph in order, convolutions with their scope and the type of their result: "a>u8".
std::vector<std::string> opsOf(const Graph& graph, const LayerRanges& layers) {
  const auto quantized = compiler::optimize(graph, DType::kF32, 1, &layers);
  std::vector<std::string> ops;
  for (const Node& node : quantized->nodes()) {
    if (const auto* conv = as<QuantizedConv2d>(*node.op))
      ops.push_back(node.scope + ">" + nameOf(conv->dtype));
    else
      ops.emplace_back(node.op->name());
  }
  return ops;
}

using Ops = std::vector<std::string>;
constexpr ValueRange kUnit{0, 1}, kSigned{-1, 1};

}  // namespace

TEST("bytes stand for a range, and one of them for 0") {
  CHECK(compiler::quantizationOf({0, 51}) == (Quantization{0.2f, 0}));
  CHECK(compiler::quantizationOf({-51, 0}) == (Quantization{0.2f, 255}));
  CHECK(compiler::quantizationOf({10, 51}) == (Quantization{0.2f, 0}));  // 0 is padding, and has to be a byte
  CHECK(compiler::quantizationOf({0, 0}) == (Quantization{1, 0}));
  const Quantization q = compiler::quantizationOf({-1, 2});
  CHECK(q.zero == 85);
}

TEST("between convolutions of bytes lie bytes") {
  Graph graph;
  const Value y = relu(convolution(graph, "a", image(graph)));
  graph.output("y", convolution(graph, "b", y, 3));
  CHECK(opsOf(graph, {{"a", kSigned}, {"b", kUnit}}) == (Ops{"quantize", "a>u8", "b>f32"}));
  // One that stays has numbers on both sides.
  CHECK(opsOf(graph, {{"a", kSigned}}) == (Ops{"quantize", "a>f32", "conv2d"}));
  CHECK(opsOf(graph, {{"b", kUnit}}) == (Ops{"conv2d", "quantize", "b>f32"}));
  CHECK(opsOf(graph, {{"c", kUnit}}) == (Ops{"conv2d", "conv2d"}));
}

TEST("residuals are bytes where the next convolution reads them as such") {
  Graph graph;
  const Value x = relu(convolution(graph, "a", image(graph)));
  const Value y = relu(add(convolution(graph, "c", relu(convolution(graph, "b", x))), x));
  graph.output("y", convolution(graph, "d", y));
  const LayerRanges all{{"a", kSigned}, {"b", kUnit}, {"c", kUnit}, {"d", kUnit}};
  CHECK(opsOf(graph, all) == (Ops{"quantize", "a>u8", "b>u8", "c>u8", "d>f32"}));
  // Read as bytes by nobody else, a residual stays as it is.
  CHECK(opsOf(graph, {{"a", kSigned}, {"c", kUnit}}) ==
        (Ops{"quantize", "a>f32", "conv2d", "quantize", "c>f32", "conv2d"}));
}

TEST("a value that is read as several bytes, or as numbers too, is made as numbers") {
  Graph graph;
  const Value x = relu(convolution(graph, "a", image(graph)));
  graph.output("y", convolution(graph, "b", x));
  graph.output("z", convolution(graph, "c", x));
  CHECK(opsOf(graph, {{"a", kSigned}, {"b", kUnit}, {"c", {0, 2}}}) ==
        (Ops{"quantize", "a>f32", "quantize", "b>f32", "quantize", "c>f32"}));
  CHECK(opsOf(graph, {{"a", kSigned}, {"b", kUnit}, {"c", kUnit}}) == (Ops{"quantize", "a>u8", "b>f32", "c>f32"}));
  graph.output("x", x);
  CHECK(opsOf(graph, {{"a", kSigned}, {"b", kUnit}, {"c", kUnit}}) ==
        (Ops{"quantize", "a>f32", "quantize", "b>f32", "c>f32"}));
}

TEST("bytes are joined") {
  Graph graph;
  const Value x = image(graph);
  const Value a = relu(convolution(graph, "a", x)), b = relu(convolution(graph, "b", x));
  graph.output("y", convolution(graph, "c", concat({a, b, sigmoid(x)})));
  CHECK(opsOf(graph, {{"a", kSigned}, {"b", kSigned}, {"c", kUnit}}) ==
        (Ops{"quantize", "a>u8", "b>u8", "unary", "quantize", "concat", "c>f32"}));
}

TEST("compiled networks of bytes agree with the reference, and are near those of numbers") {
  for (const Json& fixture : fixturesIn("forward/")) {
    const networks::NetworkSpec spec = fixtureSpec(fixture.at("spec"));
    const NamedTensors states = fixtureTensors(fixture.at("weights"));
    const Tensor images = channelsLast(fixtureTensors("images.safetensors").at("images"));
    NamedTensors inputs;
    inputs.emplace(networks::kImageInput.name, images.clone());
    const Shape& s = images.shape();
    const auto graph = networks::inferenceGraph(spec, s[0], s[1], s[2]);
    const NamedTensors exact = CompiledGraph(*graph, states).run(inputs);
    const LayerRanges layers = rangesOf(*graph, inputs, states);
    CHECK(layers.size() > 10);
    const auto quantized = compiler::optimize(*graph, DType::kF32, 1, &layers);
    const ReferenceRun expected = runOnReference(*quantized, inputs, states);
    const NamedTensors results = CompiledGraph(*graph, states, DType::kF32, 2, nullptr, nullptr, layers).run(inputs);
    for (const auto& [name, value] : expected.outputs) {
      const std::string what = fixture.at("file").get<std::string>() + " " + name;
      // A byte that float32 rounds the other way is a step of 1/255, and goes on to others.
      checkBelow(relativeError(results.at(name), value), 0.01, what + " beside the reference");
      checkBelow(relativeError(results.at(name), exact.at(name)), 0.1, what);
    }
  }
}
