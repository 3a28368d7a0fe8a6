#include <algorithm>
#include <set>

#include "compiler/passes.h"
#include "core/json.h"
#include "core/philox.h"
#include "graph/autodiff.h"
#include "native/compiled.h"
#include "native/fixtures.h"
#include "native/harness.h"
#include "native/test_files.h"
#include "networks/registry.h"
#include "nn/losses.h"
#include "ops/batch_norm.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"
#include "train/task_loss.h"
#include "train/training_graph.h"

/// Whole networks as the CPU backend runs them, after all passes, against PyTorch's results in test/fixtures.

using namespace jcs;
using Json = nlohmann::json;

namespace {

constexpr double kFloat32 = 1e-4;   // on logits
constexpr double kBFloat16 = 2e-2;  // on probabilities

Tensor image() { return channelsLast(fixtureTensors("images.safetensors").at("images")); }

/// Logits of every output: what `inferenceGraph` gives before softmax and sigmoid.
std::unique_ptr<Graph> logitsGraph(const networks::NetworkSpec& spec, const Shape& shape) {
  auto graph = std::make_unique<Graph>();
  const Value x = graph->input("image", {DType::kF32, shape});
  if (networks::networkInfo(spec.network).task == networks::Task::kClassification) {
    graph->output("logits", networks::buildClassifier(Scope(*graph), x, spec).logits);
  } else {
    const auto sides = networks::buildSegmenter(Scope(*graph), x, spec).sideLogits;
    for (size_t i = 0; i < sides.size(); ++i)
      graph->output("side" + std::to_string(i + 1) + "_logits_every3", sides[i]);
  }
  return graph;
}

Tensor everyThird(const Tensor& map) {
  const Shape& s = map.shape();
  std::vector<float> picked;
  for (int64_t n = 0; n < s[0]; ++n)
    for (int64_t y = 0; y < s[1]; y += 3)
      for (int64_t x = 0; x < s[2]; x += 3)
        picked.push_back(map.as<float>()[static_cast<size_t>((n * s[1] + y) * s[2] + x)]);
  return Tensor::fromFloats({static_cast<int64_t>(picked.size())}, picked);
}

Tensor probabilities(const Tensor& logits) {
  Tensor result = logits.clone();
  for (float& value : result.as<float>()) value = 1 / (1 + std::exp(-value));
  return result;
}

std::map<std::string, double> forwardErrors(const Json& fixture, DType activation, bool asProbabilities) {
  const networks::NetworkSpec spec = fixtureSpec(fixture.at("spec"));
  const Tensor x = image();
  CompiledGraph compiled(*logitsGraph(spec, x.shape()), fixtureTensors(fixture.at("weights")), activation);
  NamedTensors inputs;
  inputs["image"] = x.clone();
  const NamedTensors outputs = compiled.run(inputs);
  NamedTensors expected = fixtureTensors(fixture.at("file"));
  std::map<std::string, double> errors;
  for (const auto& [name, tensor] : outputs) {
    const Tensor ours = name.ends_with("_every3") ? everyThird(tensor) : tensor.clone();
    const Tensor& theirs = expected.at(name);
    errors[name] =
        asProbabilities ? relativeError(probabilities(ours), probabilities(theirs)) : relativeError(ours, theirs);
  }
  return errors;
}

bool standsAlone(const compiler::Program::StepInfo& step) {
  return step.op == Affine::kName || step.op == BatchNorm::kName ||
         (step.op == Unary::kName && step.attributes.find("relu") != std::string::npos);
}

}  // namespace

TEST("compiled networks give PyTorch's logits in float32") {
  const auto fixtures = fixturesIn("forward/");
  CHECK(fixtures.size() >= 8);
  for (const Json& fixture : fixtures)
    for (const auto& [output, error] : forwardErrors(fixture, DType::kF32, false)) {
      if (!(error <= kFloat32))
        test::reportFailure(__FILE__, __LINE__,
                            fixture.at("file").get<std::string>() + " " + output + " " + std::to_string(error));
    }
}

TEST("compiled networks give PyTorch's probabilities in bf16") {
  requireBf16();
  for (const Json& fixture : fixturesIn("forward/"))
    for (const auto& [output, error] : forwardErrors(fixture, DType::kBF16, true)) {
      if (!(error <= kBFloat16))
        test::reportFailure(__FILE__, __LINE__,
                            fixture.at("file").get<std::string>() + " " + output + " " + std::to_string(error));
    }
}

TEST("a profile shows every convolution, whatever joined it, under the name of its weights") {
  for (const networks::NetworkInfo& network : networks::networks()) {
    const auto graph = networks::inferenceGraph({.network = network.name, .width = 0.25}, 1, 96, 96);
    CompiledGraph compiled(*graph, {});
    int convolutions = 0;
    for (const compiler::Program::StepInfo& step : compiled.program().steps()) {
      if (step.op != Conv2d::kName && step.op != Conv2dInputGradient::kName) continue;
      ++convolutions;
      if (!graph->findState(step.scope + ".weight"))
        test::reportFailure(__FILE__, __LINE__, network.name + ": a convolution is shown in '" + step.scope + "'");
    }
    CHECK(convolutions > 10);
  }
}

TEST("a compiled bf16 program has bf16 convolutions only, no norm or ReLU of its own, and few copies") {
  requireBf16();
  for (const networks::NetworkInfo& network : networks::networks()) {
    for (const Variant variant : {Variant::kPaper, Variant::kAuthors}) {
      const networks::NetworkSpec spec{.network = network.name, .variant = variant, .width = 0.25};
      const auto graph = networks::inferenceGraph(spec, 1, 96, 96, network.task == networks::Task::kClassification);
      CompiledGraph compiled(*graph, {}, DType::kBF16);
      double moved = 0;
      int convolutions = 0;
      for (const compiler::Program::StepInfo& step : compiled.program().steps()) {
        moved += step.bytes;
        if (standsAlone(step))
          test::reportFailure(__FILE__, __LINE__, network.name + ": " + step.op + " in " + step.scope);
        if (step.op != Conv2d::kName) continue;
        ++convolutions;
        if (step.inputs[0].dtype != DType::kBF16)
          test::reportFailure(__FILE__, __LINE__, network.name + ": a float32 convolution in " + step.scope);
        if (step.implementation.find("ref") != std::string::npos)
          test::reportFailure(__FILE__, __LINE__,
                              network.name + ": " + step.implementation + " in " + step.scope + " " + step.attributes);
      }
      CHECK(convolutions > 10);
      // Of all bytes read and written, at most a twentieth may be spent on moving channels around.
      const double share = 2 * static_cast<double>(compiled.program().copiedBytes()) / moved;
      if (!(share <= 0.05))
        test::reportFailure(__FILE__, __LINE__,
                            network.name + ": copies are " + std::to_string(share) + " of the bytes");
    }
  }
}

TEST("in training, ReLUs, sums and their gradients join the batch norm beside them") {
  const networks::NetworkSpec spec{.network = "res2net50-v1b", .width = 0.125};
  train::TrainConfig config;
  config.task = networks::Task::kClassification;
  config.inputSize = 64;
  CompiledGraph step(*train::stepGraph(train::taskLoss(spec, config), 2, config.optimizer), {});
  size_t apart = 0, joined = 0, ofSums = 0, residuals = 0;
  for (const compiler::Program::StepInfo& info : step.program().steps()) {
    const auto has = [&](std::string_view attribute) { return info.attributes.find(attribute) != std::string::npos; };
    apart += info.op == UnaryGradient::kName;
    ofSums += info.op == UnaryGradient::kName && has("ofSum=1");
    joined += info.op == BatchNormGradient::kName && has("relu=1");
    residuals += info.op == BatchNorm::kName && has("residual=1") && has("activation=relu");
    CHECK(info.op != Binary::kName || !has("kind=add activation=relu"));
  }
  CHECK_EQUAL(apart, 16u);      // one after each block's sum
  CHECK_EQUAL(ofSums, 15u);     // of what the next block gives, by its convolutions and past them
  CHECK_EQUAL(residuals, 16u);  // each block's sum
  CHECK_EQUAL(joined, 67u);     // 3 of the stem, 4 of each block
}

TEST("a sum joins the batch norm whose y it adds to, not the one whose statistics") {
  Graph graph;
  const Shape shape{2, 3, 3, 8}, channels{8};
  const auto input = [&](const char* name, const Shape& of) { return graph.input(name, {DType::kF32, of}); };
  const BatchNormResult norm = batchNorm(input("x", shape), input("gamma", channels), input("beta", channels), 1e-5f);
  graph.output("y", relu(add(norm.y, input("residual", shape))));
  graph.output("mean", norm.mean);
  graph.output("shifted", add(norm.mean, input("offset", channels)));
  NamedTensors inputs;
  Philox random(3, 0, 0, RandomPurpose::kInitialise);
  for (const auto& [name, of] :
       {std::pair{"x", shape}, {"residual", shape}, {"gamma", channels}, {"beta", channels}, {"offset", channels}}) {
    Tensor values(DType::kF32, of);
    for (float& value : values.as<float>()) value = random.uniform(-1, 1);
    inputs[name] = std::move(values);
  }
  CompiledGraph compiled(graph, {});
  const NamedTensors results = compiled.run(inputs);
  const auto at = [&](const NamedTensors& tensors, const char* name, size_t c) {
    return tensors.at(name).as<float>()[c];
  };
  for (size_t c = 0; c < 8; ++c)
    CHECK_EQUAL(at(results, "shifted", c), at(results, "mean", c) + at(inputs, "offset", c));
  size_t joined = 0;
  for (const compiler::Program::StepInfo& info : compiled.program().steps())
    joined += info.op == BatchNorm::kName && info.attributes.find("residual=1") != std::string::npos;
  CHECK_EQUAL(joined, 1u);
}

TEST("a training step in bf16 keeps the gradients of bf16 tensors in bf16") {
  requireBf16();
  const networks::NetworkSpec spec{.network = "res2net50-v1b", .width = 0.125};
  train::TrainConfig config;
  config.task = networks::Task::kClassification;
  config.inputSize = 64;
  CompiledGraph step(*train::stepGraph(train::taskLoss(spec, config), 2, config.optimizer), {}, DType::kBF16);
  size_t norms = 0;
  for (const compiler::Program::StepInfo& info : step.program().steps()) {
    if (info.op != BatchNormGradient::kName) continue;
    ++norms;
    if (info.inputs[0].dtype != DType::kBF16 || info.inputs[1].dtype != DType::kBF16)
      test::reportFailure(__FILE__, __LINE__, "float32 in " + info.scope);
  }
  CHECK_EQUAL(norms, 87u);
}

TEST("compiling twice gives the same bits, whatever else the process has run") {
  const Json fixture = fixturesIn("forward/jcs-segmentation-paper.").at(0);
  const Tensor x = image();
  const auto graph = logitsGraph(fixtureSpec(fixture.at("spec")), x.shape());
  NamedTensors inputs;
  inputs["image"] = x.clone();
  const NamedTensors weights = fixtureTensors(fixture.at("weights"));
  const NamedTensors first = CompiledGraph(*graph, weights).run(inputs),
                     second = CompiledGraph(*graph, weights).run(inputs);
  for (const auto& [name, tensor] : first) CHECK(std::ranges::equal(tensor.as<float>(), second.at(name).as<float>()));
}

TEST("what is derived from weights follows when they change") {
  const Json fixture = fixturesIn("forward/res2net50-v1b-paper.").at(0);
  const Tensor x = image();
  const networks::NetworkSpec spec = fixtureSpec(fixture.at("spec"));
  CompiledGraph compiled(*logitsGraph(spec, x.shape()), fixtureTensors(fixture.at("weights")));
  NamedTensors inputs;
  inputs["image"] = x.clone();
  const Tensor before = compiled.run(inputs).at("logits").clone();
  Tensor head = compiled.states().get("fc.weight");
  for (float& value : head.as<float>()) value *= 2;
  compiled.states().set("fc.weight", head);
  Tensor stem = compiled.states().get("conv1.0.weight");
  for (float& value : stem.as<float>()) value *= 1.5f;
  compiled.states().set("conv1.0.weight", stem);
  const Tensor after = compiled.run(inputs).at("logits").clone();
  NamedTensors states;
  for (const auto& [name, entry] : compiled.states().entries()) states[name] = compiled.states().get(name);
  const Tensor fresh = CompiledGraph(*logitsGraph(spec, x.shape()), states).run(inputs).at("logits").clone();
  CHECK(relativeError(after, before) > 1e-3);
  CHECK_EQUAL(relativeError(after, fresh), 0.0);
}
