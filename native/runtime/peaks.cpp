#include "runtime/peaks.h"

#include <algorithm>

#include "ops/conv2d.h"
#include "ops/elementwise.h"
#include "ops/quantized.h"

namespace jcs::runtime {

namespace {

constexpr int kRuns = 12;
constexpr int64_t kProductSide = 64;
constexpr int64_t kStreamSide = 512, kStreamChannels = 128;  // 128 MiB of float32

/// The fastest of some runs of the program's step `op`, as a rate of what `amount` counts.
double bestRate(Engine& engine, const Graph& graph, compiler::StateStore& states,
                const compiler::CompileOptions& options, const Tensor& input, std::string_view op,
                double compiler::Program::StepInfo::*amount) {
  compiler::Program program(graph, engine.sharedBackend(), options);
  // Not the engine's arena, which keeps the size of the largest program that it ever ran.
  const DeviceBuffer arena(engine.sharedBackend(), program.arenaBytes());
  compiler::Bindings bindings;
  bindings.input("x", input);
  program.profile(true);
  double best = 0;
  for (int run = 0; run < kRuns; ++run) {
    program.run(states, arena.data(), bindings);
    const auto step = std::ranges::find(program.steps(), op, &compiler::Program::StepInfo::op);
    invariant(step != program.steps().end(), "a probe's program lacks its step");
    best = std::max(best, (*step).*amount / step->seconds);
  }
  return best;
}

struct ProductExtent {
  int64_t samples, channels;
};
/// So much that a device is busy for a while: on a CPU in its second-level caches, on a GPU for a millisecond.
ProductExtent productExtent(const DeviceInfo& device) {
  return device.kind == "cpu" ? ProductExtent{1, 512} : ProductExtent{16, 2048};
}

/// A 1×1 convolution is a dense product, and the one that exists in every precision. Of kU8: of bytes.
double productRate(Engine& engine, DType dtype, int threads) {
  constexpr const char* kLayer = "product";
  const auto [samples, channels] = productExtent(engine.device());
  const Shape weightShape{channels, channels, 1, 1};
  compiler::StateStore states(engine.sharedBackend());
  states.set("weight", Tensor::zeros(DType::kF32, weightShape));
  Graph graph;
  const Shape shape{samples, kProductSide, kProductSide, channels};
  const Value x = graph.input("x", {DType::kF32, shape});
  {
    const NodeLabel label(graph, kLayer);
    graph.output("y", conv2d(x, graph.state("weight", {DType::kF32, weightShape}), std::nullopt, {}));
  }
  const bool ofBytes = dtype == DType::kU8;
  compiler::CompileOptions options{ofBytes ? DType::kF32 : dtype, {.threads = threads}};
  if (ofBytes)
    options.quantized = std::make_shared<const compiler::LayerRanges>(compiler::LayerRanges{{kLayer, {0, 1}}});
  return bestRate(engine, graph, states, options, Tensor::zeros(DType::kF32, shape),
                  ofBytes ? QuantizedConv2d::kName : Conv2d::kName, &compiler::Program::StepInfo::flops);
}

/// In place: all that is read is written, and nothing is fetched only to be overwritten.
double streamRate(Engine& engine, int threads) {
  compiler::StateStore states(engine.sharedBackend());
  Graph graph;
  const Shape shape{1, kStreamSide, kStreamSide, kStreamChannels};
  graph.output("y", relu(graph.input("x", {DType::kF32, shape})));
  return bestRate(engine, graph, states, {DType::kF32, threads}, Tensor::zeros(DType::kF32, shape), Unary::kName,
                  &compiler::Program::StepInfo::bytes);
}

}  // namespace

std::vector<DType> productTypes(Engine& engine) {
  std::vector<DType> types{DType::kF32};
  if (engine.backend().supports(DType::kBF16)) types.push_back(DType::kBF16);
  if (engine.device().int8) types.push_back(DType::kU8);
  return types;
}

Peaks measurePeaks(Engine& engine, int threads) {
  Peaks peaks;
  for (const DType dtype : productTypes(engine))
    peaks.flopsPerSecond[nameOf(dtype)] = productRate(engine, dtype, threads);
  peaks.bytesPerSecond = streamRate(engine, threads);
  return peaks;
}

}  // namespace jcs::runtime
