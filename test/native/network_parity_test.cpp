#include <algorithm>
#include <cmath>

#include "core/json.h"
#include "graph/autodiff.h"
#include "io/safetensors.h"
#include "native/compiled.h"
#include "native/fixtures.h"
#include "native/harness.h"
#include "native/reference_run.h"
#include "native/test_files.h"
#include "networks/registry.h"
#include "nn/activation_map.h"
#include "nn/losses.h"
#include "ops/elementwise.h"
#include "ops/layout.h"
#include "ops/loss.h"

/// Networks, losses and their gradients on the float64 reference against PyTorch's float64 results, which the fixtures
/// hold rounded to float32: what is compared is the definition of the networks, without any compiler in between.

using namespace jcs;

namespace {

using Json = nlohmann::json;

constexpr double kTolerance = 1e-6;  // float32 rounding of the fixtures, about 6e-8, with room
/// A bias in front of batch statistics has no effect: its gradient is rounding, here and in PyTorch.
constexpr double kVanishing = 1e-12;

/// The committed batch under the names of the graph's inputs, channels last.
NamedTensors batch() {
  NamedTensors file = fixtureTensors("images.safetensors"), inputs;
  inputs["image"] = channelsLast(file.at("images"));
  inputs["mask"] = channelsLast(file.at("masks"));
  inputs["targets"] = file.at("soft_labels").clone();
  inputs["sample_weights"] = file.at("sample_weights").clone();
  for (const char* name : {"map_masks", "map_masks_16", "map_masks_8"}) {
    const Tensor& maps = file.at(name);
    inputs[name] = Tensor::fromFloats({maps.shape()[0], maps.shape()[1], maps.shape()[2], 1}, maps.as<float>());
  }
  return inputs;
}

double normOf(const Tensor& tensor) { return relativeError(tensor, Tensor::zeros(DType::kF64, tensor.shape())); }

/// [norm, the first eight values]: how the fixtures keep a gradient.
Tensor summaryOf(const Tensor& gradient) {
  const auto values = gradient.as<double>();
  const size_t count = std::min<size_t>(8, values.size());
  Tensor summary(DType::kF64, {static_cast<int64_t>(count) + 1});
  summary.as<double>()[0] = normOf(gradient);
  std::copy_n(values.begin(), count, summary.as<double>().begin() + 1);
  return summary;
}

/// Every `step`-th pixel of N×H×W×1, as the fixtures keep side logits (N×1×H×W, which is the same memory).
Tensor everyNth(const Tensor& map, int64_t step) {
  const Shape& s = map.shape();
  Tensor picked(DType::kF64, {s[0], (s[1] + step - 1) / step, (s[2] + step - 1) / step, 1});
  size_t next = 0;
  for (int64_t n = 0; n < s[0]; ++n)
    for (int64_t y = 0; y < s[1]; y += step)
      for (int64_t x = 0; x < s[2]; x += step)
        picked.as<double>()[next++] = map.as<double>()[size_t((n * s[1] + y) * s[2] + x)];
  return picked;
}

/// Compares every tensor of a fixture with what `find` gives for its name; returns what is wrong.
template <typename Find>
std::string mismatches(const std::string& file, Find&& find) {
  std::string text;
  const NamedTensors expected = fixtureTensors(file);
  if (expected.empty()) return "nothing to compare in " + file;
  for (const auto& [name, tensor] : expected) {
    const Tensor value = find(name);
    if (normOf(value) < kVanishing && normOf(tensor) < kVanishing) continue;
    const double error = relativeError(value, tensor);
    if (!(error <= kTolerance)) text += " " + file + " " + name + ": " + std::to_string(error);
  }
  return text;
}

std::string afterSlash(const std::string& name) { return name.substr(name.find('/') + 1); }

const Tensor& at(const NamedTensors& tensors, const std::string& name) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw std::runtime_error("the network has no " + name);
  return found->second;
}

std::string forwardMismatches(const Json& fixture, const NamedTensors& inputs) {
  const networks::NetworkSpec spec = fixtureSpec(fixture.at("spec"));
  Graph graph;
  const Value image = graph.input("image", inputs.at("image").type());
  if (networks::networkInfo(spec.network).task == networks::Task::kClassification) {
    const networks::ClassifierOutputs out = networks::buildClassifier(Scope(graph), image, spec);
    const Value map = activationMap(out.features, out.headWeight, spec.variant);
    graph.output("logits", out.logits);
    graph.output("activation_map_raw", map);
    graph.output("activation_map", minMaxNormalize(map));
  } else {
    const networks::SegmenterOutputs out = networks::buildSegmenter(Scope(graph), image, spec);
    for (size_t side = 0; side < out.sideLogits.size(); ++side)
      graph.output("side" + std::to_string(side + 1) + "_logits_every3", out.sideLogits[side]);
    if (out.edgeLogits) graph.output("edge_logits_every3", *out.edgeLogits);
  }
  const ReferenceRun run = runOnReference(graph, inputs, fixtureTensors(fixture.at("weights")));
  return mismatches(fixture.at("file"), [&](const std::string& name) {
    const Tensor& output = at(run.outputs, name);
    return name.ends_with("_every3") ? everyNth(output, 3) : output.clone();
  });
}

/// The loss and its gradients with respect to everything that the fixture's mode trains.
std::string gradientMismatches(const Json& fixture, const NamedTensors& inputs) {
  const networks::NetworkSpec spec = fixtureSpec(fixture.at("spec"));
  const bool stored = fixture.at("batch_norm") == "stored";
  const networks::BuildOptions options{
      .training = true, .batchNorm = stored ? BatchNormMode::kEval : BatchNormMode::kBatch, .trainTrunk = stored};
  Graph graph;
  const Value image = graph.input("image", inputs.at("image").type());
  const auto input = [&](const std::string& name) { return graph.input(name, inputs.at(name).type()); };
  Value loss;
  if (networks::networkInfo(spec.network).task == networks::Task::kClassification) {
    const networks::ClassifierOutputs out = networks::buildClassifier(Scope(graph), image, spec, options);
    const Value crossEntropy = classificationLoss(out.logits, input("targets"));
    const std::string masks = spec.outputStride == 32 ? "map_masks" : "map_masks_" + std::to_string(spec.outputStride);
    const Value activation =
        activationLoss(out.features, out.headWeight, input(masks), input("sample_weights"), spec.variant);
    graph.output("loss/cross_entropy", crossEntropy);
    graph.output("loss/activation", activation);
    loss = add(crossEntropy, activation);
  } else {
    const networks::SegmenterOutputs out = networks::buildSegmenter(Scope(graph), image, spec, options);
    const Value mask = input("mask");
    const SegmentationLoss terms =
        segmentationLoss(out.sideLogits, mask, {.factor = spec.variant == Variant::kPaper ? 1.0f : 2.0f});
    const auto sides = static_cast<int64_t>(out.sideLogits.size());
    const std::vector<Value> each = split(terms.sides, std::vector<int64_t>(size_t(sides), 1));
    for (int64_t side = 0; side < sides; ++side)
      graph.output("loss/side" + std::to_string(side + 1), each[size_t(side)]);
    loss = terms.total;
    if (out.edgeLogits) {
      const Value edge = edgeLoss(*out.edgeLogits, mask);
      graph.output("loss/edge", edge);
      loss = add(loss, edge);
    }
  }
  graph.output("loss", loss);
  std::vector<Value> parameters;
  for (const ValueId id : graph.values().ids())
    if (graph.values()[id].state.trainable) parameters.push_back(graph.value(id));
  const std::vector<Value> results = gradients(loss, parameters, add);
  for (size_t i = 0; i < results.size(); ++i) graph.output("gradient/" + graph.info(parameters[i]).name, results[i]);

  const ReferenceRun run = runOnReference(graph, inputs, fixtureTensors(fixture.at("weights")));
  return mismatches(fixture.at("file"), [&](const std::string& name) {
    if (name.starts_with("gradient/")) return summaryOf(at(run.outputs, name));
    if (name.starts_with("full/")) return at(run.outputs, "gradient/" + afterSlash(name)).clone();
    if (name.starts_with("running_"))
      return at(run.assignments, afterSlash(name) + "." + name.substr(0, name.find('/'))).clone();
    return at(run.outputs, name).clone();
  });
}

}  // namespace

TEST("network parity: forward passes of every network and variant equal PyTorch's") {
  const NamedTensors inputs = batch();
  const std::vector<Json> fixtures = fixturesIn("forward/");
  CHECK(fixtures.size() >= 16);
  for (const Json& fixture : fixtures) CHECK_EQUAL(forwardMismatches(fixture, inputs), "");
}

TEST("network parity: losses, gradients and running statistics equal PyTorch's, stored and batch statistics") {
  const NamedTensors inputs = batch();
  const std::vector<Json> fixtures = fixturesIn("gradients/");
  CHECK(fixtures.size() >= 17);
  for (const Json& fixture : fixtures) CHECK_EQUAL(gradientMismatches(fixture, inputs), "");
}

TEST("network parity: cross-entropy alone is that of eq. 6, or times the pixels") {
  Graph graph;
  NamedTensors inputs;
  const Shape shape{2, 4, 5, 1};
  const auto feed = [&](const std::string& name, auto&& value) {
    Tensor tensor(DType::kF32, shape);
    for (int64_t i = 0; i < tensor.elements(); ++i) tensor.as<float>()[size_t(i)] = value(i);
    inputs[name] = std::move(tensor);
    return graph.input(name, {DType::kF32, shape});
  };
  const Value sides[] = {feed("side1", [](int64_t i) { return float(i) / 10 - 2; }),
                         feed("side2", [](int64_t i) { return 1 - float(i % 7); })};
  const Value mask = feed("mask", [](int64_t i) { return i % 3 == 0 ? 1.0f : 0.0f; });
  graph.output("eq6", segmentationLoss(sides, mask).bce);
  graph.output("bce", sideCrossEntropy(sides, mask, SideLoss::kBce));
  graph.output("sum", sideCrossEntropy(sides, mask, SideLoss::kBceSum));
  graph.output("edge", edgeLoss(sides[0], mask));
  graph.output("edgeSum", edgeLoss(sides[0], mask, SideLoss::kBceSum));
  const ReferenceRun run = runOnReference(graph, inputs, {});
  const auto value = [&](const char* name) { return run.outputs.at(name).as<double>()[0]; };
  CHECK_NEAR(value("bce"), value("eq6"), 1e-12);
  CHECK_NEAR(value("sum"), 20 * value("eq6"), 1e-10);
  CHECK_NEAR(value("edgeSum"), 20 * value("edge"), 1e-10);
}

TEST("network parity: the edge of a mask is where MATLAB's gradient is not zero") {
  // Rows by hand: one-sided at the borders, central inside. 0.6 belongs to the mask, 0.5 does not.
  const std::vector<float> mask{1, 1, 0,    0, 0,  //
                                0, 0, 0,    0, 0,  //
                                0, 0, 0.6f, 0, 0,  //
                                0, 0, 0,    0, 0.5f};
  const std::vector<double> edge{1, 1, 1, 0, 0,  //
                                 1, 1, 1, 0, 0,  //
                                 0, 1, 0, 1, 0,  //
                                 0, 0, 1, 0, 0};
  Graph graph;
  NamedTensors inputs;
  inputs["mask"] = Tensor::fromFloats({1, 4, 5, 1}, mask);
  graph.output("edge", maskEdge(graph.input("mask", {DType::kF32, {1, 4, 5, 1}})));
  const ReferenceRun run = runOnReference(graph, inputs, {});
  const auto found = run.outputs.at("edge").as<double>();
  CHECK(std::vector<double>(found.begin(), found.end()) == edge);
}

TEST("network parity: the gradients of micro-batches are those of the whole batch") {
  constexpr int64_t kSides = 2, kHeight = 5, kWidth = 3;
  // Logits and masks of three samples; a micro-batch takes some of them.
  const auto sample = [](int64_t side, int64_t n, int64_t pixel) {
    return static_cast<float>(std::sin(1.7 * double(side + 1) + 0.9 * double(n) + 0.31 * double(pixel * pixel)));
  };
  struct Part {
    std::vector<double> gradient;  // of every side's logits, sides outermost
    Tensor intersections, sums, bce, dice;
  };
  const auto evaluate = [&](int64_t first, int64_t count, const NamedTensors* rest) {
    Graph graph;
    NamedTensors inputs;
    const Shape shape{count, kHeight, kWidth, 1};
    const auto feed = [&](const std::string& name, auto&& value) {
      Tensor tensor(DType::kF32, shape);
      for (int64_t i = 0; i < tensor.elements(); ++i)
        tensor.as<float>()[size_t(i)] = value(first + i / (kHeight * kWidth), i % (kHeight * kWidth));
      inputs[name] = std::move(tensor);
      return graph.input(name, {DType::kF32, shape});
    };
    std::vector<Value> sides;
    for (int64_t side = 0; side < kSides; ++side)
      sides.push_back(
          feed("side" + std::to_string(side), [&](int64_t n, int64_t pixel) { return 3 * sample(side, n, pixel); }));
    const Value mask = feed("mask", [&](int64_t n, int64_t pixel) { return sample(7, n, pixel) > 0.3f ? 1.0f : 0.0f; });
    std::optional<BatchPart> microBatch;
    if (rest) {
      microBatch = BatchPart::inputs(graph, kSides);
      for (const auto& [name, tensor] : *rest) inputs[name] = tensor.clone();
    }
    const SegmentationLoss loss = segmentationLoss(sides, mask, {}, microBatch);
    const std::vector<Value> results = gradients(loss.total, sides, add);
    for (int64_t side = 0; side < kSides; ++side)
      graph.output("gradient" + std::to_string(side), results[size_t(side)]);
    graph.output("intersections", loss.intersections);
    graph.output("sums", loss.sums);
    graph.output("bce", loss.bce);
    graph.output("dice", loss.dice);
    ReferenceRun run = runOnReference(graph, inputs, {});
    Part part{{},
              std::move(run.outputs.at("intersections")),
              std::move(run.outputs.at("sums")),
              std::move(run.outputs.at("bce")),
              std::move(run.outputs.at("dice"))};
    for (int64_t side = 0; side < kSides; ++side) {
      const auto values = run.outputs.at("gradient" + std::to_string(side)).as<double>();
      part.gradient.insert(part.gradient.end(), values.begin(), values.end());
    }
    return part;
  };

  const Part whole = evaluate(0, 3, nullptr);
  const int64_t begins[] = {0, 1}, counts[] = {1, 2};
  const Part alone[] = {evaluate(0, 1, nullptr), evaluate(1, 2, nullptr)};
  double bce = 0;
  for (int part = 0; part < 2; ++part) {
    NamedTensors rest;
    const auto share = Tensor::fromFloats({}, std::vector{float(counts[part]) / 3});
    rest["batch_share"] = share.clone();
    rest["dice_intersection_rest"] = alone[1 - part].intersections.to(DType::kF64);
    rest["dice_sum_rest"] = alone[1 - part].sums.to(DType::kF64);
    const Part micro = evaluate(begins[part], counts[part], &rest);
    CHECK(relativeError(micro.dice, whole.dice) < 1e-12);
    bce += micro.bce.as<double>()[0];
    const size_t pixels = kHeight * kWidth, all = 3 * pixels, here = size_t(counts[part]) * pixels;
    for (size_t side = 0; side < kSides; ++side)
      for (size_t i = 0; i < here; ++i) {
        const double expected = whole.gradient[side * all + size_t(begins[part]) * pixels + i];
        CHECK(std::abs(micro.gradient[side * here + i] - expected) < 1e-7 * std::abs(expected));  // share is a float
      }
  }
  CHECK(std::abs(bce - whole.bce.as<double>()[0]) < 1e-7);
}
