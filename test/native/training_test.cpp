#include <cmath>

#include "core/json.h"
#include "native/compiled.h"
#include "native/fixtures.h"
#include "native/harness.h"
#include "native/test_files.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "train/schedule.h"
#include "train/task_loss.h"
#include "train/training_graph.h"

/// Training steps as compiled programs: loss curves, optimisers and schedules against PyTorch and the formulas.

using namespace jcs;
using Json = nlohmann::json;

namespace {

constexpr double kCurve = 1e-3;

NamedTensors scalar(const std::string& name, std::vector<float> values) {
  NamedTensors tensors;
  tensors[name] = Tensor::fromFloats({static_cast<int64_t>(values.size())}, values);
  return tensors;
}

/// images, masks, labels and map_masks of the curves, channels last.
struct CurveInputs {
  Tensor images, masks, labels, mapMasks, partner, lambda;
  CurveInputs() {
    NamedTensors t = fixtureTensors("curves/inputs.safetensors");
    images = channelsLast(t.at("images"));
    masks = channelsLast(t.at("masks"));
    labels = t.at("labels").clone();
    const Shape& s = t.at("map_masks").shape();
    mapMasks = Tensor::fromFloats({s[0], s[1], s[2], 1}, t.at("map_masks").as<float>());
    partner = t.at("partner").clone();
    lambda = t.at("lambda").clone();
  }
};

/// λ·x + (1 − λ)·x[partner], sample by sample (eq. 3).
Tensor mixed(const Tensor& x, std::span<const float> partner, std::span<const float> lambda) {
  Tensor result = x.clone();
  const auto count = static_cast<size_t>(x.elements() / x.shape()[0]);
  for (size_t n = 0; n < partner.size(); ++n)
    for (size_t i = 0; i < count; ++i)
      result.as<float>()[n * count + i] = lambda[n] * x.as<float>()[n * count + i] +
                                          (1 - lambda[n]) * x.as<float>()[static_cast<size_t>(partner[n]) * count + i];
  return result;
}

Tensor activationWeights(const CurveInputs& in, std::span<const float> lambda) {
  const auto samples = static_cast<size_t>(in.mapMasks.shape()[0]);
  const size_t cells = static_cast<size_t>(in.mapMasks.elements()) / samples;
  std::vector<float> weights(samples, 0.0f);
  float count = 0;
  for (size_t n = 0; n < samples; ++n) {
    float area = 0;
    for (size_t i = 0; i < cells; ++i) area += in.mapMasks.as<float>()[n * cells + i];
    weights[n] = area > 0 && lambda[n] == 1 ? 1.0f : 0.0f;
    count += weights[n];
  }
  for (float& weight : weights) weight /= std::max(count, 1.0f);
  return Tensor::fromFloats({static_cast<int64_t>(samples)}, weights);
}

train::TrainConfig curveConfig(const Json& fixture, networks::Task task) {
  train::TrainConfig config;
  config.task = task;
  config.inputSize = 64;
  config.activationLoss = task == networks::Task::kClassification;
  const Json& optimizer = fixture.at("optimizer");
  if (optimizer.at("name") == "sgd") {
    config.optimizer.kind = train::OptimizerOptions::Kind::kSgd;
    config.optimizer.momentum = optimizer.at("momentum");
    config.optimizer.weightDecay = optimizer.at("weight_decay");
  } else {
    config.optimizer.kind = train::OptimizerOptions::Kind::kAdam;
  }
  return config;
}

double relative(double a, double b) { return std::abs(a - b) / std::abs(b); }

std::string checkFinalParameters(CompiledGraph& compiled, const NamedTensors& expected) {
  std::string text;
  for (const auto& [name, summary] : expected) {
    if (!name.starts_with("final/") || name.ends_with("num_batches_tracked")) continue;
    // A bias in front of batch statistics has no effect: its gradient is rounding, which Adam blows up to steps of the
    // learning rate in either direction.
    if (name.starts_with("final/vgg16.") && name.ends_with(".conv.bias")) continue;
    const Tensor value = compiled.states().get(name.substr(6));
    double norm = 0;
    for (const float v : value.as<float>()) norm += static_cast<double>(v) * static_cast<double>(v);
    const double error = std::abs(std::sqrt(norm) - static_cast<double>(summary.as<float>()[0]));
    if (!(error <= 5e-3 * std::max(1.0, static_cast<double>(summary.as<float>()[0]))))
      text += " " + name + " off by " + std::to_string(error);
  }
  return text;
}

}  // namespace

TEST("ten SGD steps of the classifier follow PyTorch's losses") {
  const Json fixture = fixturesIn("curves/res2net50").at(0);
  const train::TrainConfig config = curveConfig(fixture, networks::Task::kClassification);
  const networks::NetworkSpec spec = fixtureSpec(fixture.at("spec"));
  CompiledGraph step(*train::stepGraph(train::taskLoss(spec, config), 4, config.optimizer),
                     fixtureTensors(fixture.at("weights")));
  const NamedTensors expected = fixtureTensors(fixture.at("file"));
  const CurveInputs in;
  const double rate = fixture.at("optimizer").at("lr");
  for (size_t i = 0; i < 10; ++i) {
    const auto partner = in.partner.as<float>().subspan(i * 4, 4), lambda = in.lambda.as<float>().subspan(i * 4, 4);
    NamedTensors inputs =
        scalar(train::kHyperInput.name, train::hyperParameters(config.optimizer, rate, static_cast<int64_t>(i) + 1));
    inputs["image"] = mixed(in.images, partner, lambda);
    inputs["targets"] = mixed(in.labels, partner, lambda);
    inputs["activationMask"] = in.mapMasks.clone();
    inputs["activationWeights"] = activationWeights(in, lambda);
    const NamedTensors losses = step.run(inputs);
    const auto want = expected.at("loss").as<float>().subspan(i * 3, 3);
    const char* names[] = {"loss", "crossEntropy", "activation"};
    for (size_t term = 0; term < 3; ++term) {
      const double ours = static_cast<double>(losses.at(names[term]).as<float>()[0]),
                   theirs = static_cast<double>(want[term]);
      if (theirs == 0 ? ours != 0 : !(relative(ours, theirs) <= kCurve))
        test::reportFailure(__FILE__, __LINE__,
                            std::string(names[term]) + " at step " + std::to_string(i) + " is " + std::to_string(ours) +
                                ", PyTorch's " + std::to_string(theirs));
    }
  }
  CHECK_EQUAL(checkFinalParameters(step, expected), "");
}

TEST("ten Adam steps of the segmenter follow PyTorch's losses") {
  const Json fixture = fixturesIn("curves/jcs-segmentation").at(0);
  const train::TrainConfig config = curveConfig(fixture, networks::Task::kSegmentation);
  const networks::NetworkSpec spec = fixtureSpec(fixture.at("spec"));
  CompiledGraph step(*train::stepGraph(train::taskLoss(spec, config), 4, config.optimizer),
                     fixtureTensors(fixture.at("weights")));
  const NamedTensors expected = fixtureTensors(fixture.at("file"));
  const CurveInputs in;
  const train::Schedule schedule{
      .kind = train::Schedule::Kind::kPoly, .learningRate = fixture.at("optimizer").at("lr"), .power = 0.9};
  const size_t columns = static_cast<size_t>(expected.at("loss").shape()[1]);
  for (size_t i = 0; i < 10; ++i) {
    const double rate = train::learningRateAt(schedule, static_cast<int64_t>(i), 10, 10);
    NamedTensors inputs =
        scalar(train::kHyperInput.name, train::hyperParameters(config.optimizer, rate, static_cast<int64_t>(i) + 1));
    inputs["image"] = in.images.clone();
    inputs["mask"] = in.masks.clone();
    const double ours = static_cast<double>(step.run(inputs).at("loss").as<float>()[0]);
    const double theirs = static_cast<double>(expected.at("loss").as<float>()[i * columns]);
    if (!(relative(ours, theirs) <= kCurve))
      test::reportFailure(__FILE__, __LINE__,
                          "loss at step " + std::to_string(i) + " is " + std::to_string(ours) + ", PyTorch's " +
                              std::to_string(theirs));
  }
  CHECK_EQUAL(checkFinalParameters(step, expected), "");
}

TEST("a bf16 training step stays close to the float32 one and learns") {
  requireBf16();
  const Json fixture = fixturesIn("curves/jcs-segmentation").at(0);
  const train::TrainConfig config = curveConfig(fixture, networks::Task::kSegmentation);
  CompiledGraph step(*train::stepGraph(train::taskLoss(fixtureSpec(fixture.at("spec")), config), 4, config.optimizer),
                     fixtureTensors(fixture.at("weights")), DType::kBF16);
  const NamedTensors expected = fixtureTensors(fixture.at("file"));
  const CurveInputs in;
  double first = 0, last = 0;
  for (size_t i = 0; i < 10; ++i) {
    NamedTensors inputs =
        scalar(train::kHyperInput.name, train::hyperParameters(config.optimizer, 1e-3, static_cast<int64_t>(i) + 1));
    inputs["image"] = in.images.clone();
    inputs["mask"] = in.masks.clone();
    last = static_cast<double>(step.run(inputs).at("loss").as<float>()[0]);
    if (i == 0) first = last;
  }
  CHECK(relative(first, static_cast<double>(expected.at("loss").as<float>()[0])) <= 2e-2);
  CHECK(last < first);
}

TEST("optimisers follow PyTorch's trajectories") {
  const Json fixture = fixturesIn("optimisers").at(0);
  const NamedTensors expected = fixtureTensors("optimisers.safetensors");
  for (const auto& [name, settings] : fixture.at("settings").items()) {
    train::OptimizerOptions options;
    const bool adam = name.starts_with("adam");
    using Kind = train::OptimizerOptions::Kind;
    options.kind = name == "adamw" ? Kind::kAdamW : adam ? Kind::kAdam : Kind::kSgd;
    options.momentum = settings.value("momentum", 0.0f);
    options.nesterov = settings.value("nesterov", false);
    options.weightDecay = settings.value("weight_decay", 0.0f);
    options.maxGradientNorm = settings.value("max_norm", 0.0f);
    if (adam) {
      options.beta1 = settings.at("betas")[0];
      options.beta2 = settings.at("betas")[1];
      options.epsilon = settings.at("eps");
    }
    // The loss whose gradient is curvature·(x − centre), built from ops like any other.
    const train::LossBuilder loss = [&](Graph& graph, int64_t, const std::optional<BatchPart>&) {
      const Value x = graph.state("x", {DType::kF32, {8}}, {Initializer::constant(0), true});
      const Value distance = subtract(x, graph.constant(expected.at("centre").clone()));
      const Value energy = multiply(multiply(distance, distance), graph.constant(expected.at("curvature").clone()));
      return train::LossValues{multiply(reduceSum(energy, {}), 0.5f), {}, std::nullopt};
    };
    NamedTensors start;
    start["x"] = expected.at("start").clone();
    CompiledGraph step(*train::stepGraph(loss, 1, options), start);
    double worst = 0;
    for (int64_t i = 0; i < 20; ++i) {
      step.run(scalar(train::kHyperInput.name, train::hyperParameters(options, settings.at("lr"), i + 1)));
      const Tensor x = step.states().get("x");
      const Tensor want = Tensor::fromFloats({8}, expected.at(name).as<float>().subspan(static_cast<size_t>(i) * 8, 8));
      worst = std::max(worst, relativeError(x, want));
    }
    if (!(worst <= 1e-5)) test::reportFailure(__FILE__, __LINE__, name + " is off by " + std::to_string(worst));
  }
}

TEST("schedules follow their formulas") {
  const NamedTensors expected = fixtureTensors("schedules.safetensors");
  const auto compare = [&](const std::string& name, const train::Schedule& schedule, int64_t stride, int64_t perEpoch,
                           int64_t total) {
    const auto want = expected.at(name).as<float>();
    CHECK(want.size() > 10);
    for (size_t i = 0; i < want.size(); ++i) {
      const double ours = train::learningRateAt(schedule, static_cast<int64_t>(i) * stride, perEpoch, total);
      if (!(std::abs(ours - static_cast<double>(want[i])) <= 1e-6 * schedule.learningRate))
        return test::reportFailure(__FILE__, __LINE__,
                                   name + " at " + std::to_string(i) + " is " + std::to_string(ours * 1e6) + "e-6");
    }
  };
  train::Schedule poly{.kind = train::Schedule::Kind::kPoly, .learningRate = 2.5e-5, .power = 0.9};
  compare("poly", poly, 1, 79, 4740);
  compare("poly_whole", poly, 100, 698, 21000);
  poly.warmupIterations = 200;
  poly.warmupInFirstEpochOnly = true;
  compare("authors_79", poly, 1, 79, 79 * 60);
  compare("authors_698", poly, 1, 698, 698 * 30);
  compare("step", {.kind = train::Schedule::Kind::kStep, .learningRate = 0.1, .stepEpochs = 30, .gamma = 0.1}, 1, 1,
          100);
  compare("milestones",
          {.kind = train::Schedule::Kind::kStep, .learningRate = 5e-5, .gamma = 0.1, .milestones = {15, 24}}, 1, 1, 30);
  compare("cosine", {.kind = train::Schedule::Kind::kCosine, .learningRate = 1e-3, .warmupIterations = 10}, 1, 100,
          100);
}
