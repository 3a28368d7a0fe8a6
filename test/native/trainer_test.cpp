#include "train/trainer.h"

#include <algorithm>
#include <future>
#include <limits>
#include <thread>

#include "core/philox.h"
#include "data/slice_store.h"
#include "native/compiled.h"
#include "native/harness.h"
#include "native/images.h"
#include "native/reference_run.h"
#include "native/temporary_directory.h"

/// The training loop itself, on a few random images.

using namespace jcs;

namespace {

std::shared_ptr<data::SliceStore> randomDataset(size_t samples) {
  auto dataset = std::make_shared<data::SliceStore>();
  for (uint32_t i = 0; i < samples; ++i) {
    Philox random(7, 0, i, RandomPurpose::kShuffle);
    data::DecodedSlice sample = grayImage(40, 48, [&](int64_t, int64_t) { return random.below(256); });
    sample.mask.assign(48 * 40, 0);
    for (size_t p = 0; p < 300 + 50 * i; ++p) sample.mask[p] = 1;
    sample.info.label = static_cast<int>(i % 2);
    dataset->append(sample);
  }
  return dataset;
}

train::TrainConfig smallConfig(networks::Task task) {
  train::TrainConfig config = train::recipe("scratch", task, false);
  config.inputSize = 32;
  config.batchSize = 5;
  config.iterations = 3;
  config.batchNorm = BatchNormMode::kEval;  // statistics of the batch would differ between micro-batches
  config.augmentation = data::AugmentationOptions::none();
  return config;
}

std::shared_ptr<model::Model> smallModel(const std::string& network) {
  return model::Model::create({.network = network, .width = 0.05}, {.device = testDevice(), .precision = "fp32"}, 3);
}

std::shared_ptr<model::Model> trained(const std::string& network, const train::TrainConfig& config,
                                      train::TrainOutcome* outcome = nullptr) {
  auto model = smallModel(network);
  train::Trainer trainer(model, config, randomDataset(5), nullptr);
  const train::TrainOutcome result = trainer.run([](const train::TrainEvent&) {}, nullptr);
  if (outcome != nullptr) *outcome = result;
  return model;
}

/// The largest relative difference over all parameters.
double difference(model::Model& a, model::Model& b) {
  double worst = 0;
  for (const model::ParameterInfo& parameter : a.parameters())
    worst = std::max(worst, relativeError(a.parameter(parameter.name), b.parameter(parameter.name)));
  return worst;
}

}  // namespace

TEST("a batch in parts trains as the whole batch does") {
  for (const auto& [network, task] : {std::pair{"jcs-segmentation", networks::Task::kSegmentation},
                                      std::pair{"res2net50-v1b", networks::Task::kClassification}}) {
    train::TrainConfig config = smallConfig(task);
    config.optimizer.kind = train::OptimizerOptions::Kind::kSgd;  // Adam's normalisation would hide a wrong scale
    config.schedule.warmupIterations = 0;
    // Without batch statistics an untrained Res2Net's activations grow from block to block, and its gradients with
    // them.
    config.schedule.learningRate = task == networks::Task::kSegmentation ? 0.01 : 1e-5;
    const auto whole = trained(network, config);
    train::TrainOutcome outcome;
    config.microBatch = 2;  // 2 + 2 + 1
    const auto parts = trained(network, config, &outcome);
    CHECK_EQUAL(outcome.microBatch, int64_t{2});
    CHECK(difference(*smallModel(network), *whole) > 1e-4);
    const double error = difference(*whole, *parts);
    if (!(error < 1e-4))
      test::reportFailure(__FILE__, __LINE__, std::string(network) + " differs by " + std::to_string(error));
  }
}

TEST("a batch in parts trains as the whole batch does, with every loss of a comparator and a bound on the gradient") {
  for (const SideLoss loss : {SideLoss::kBceDice, SideLoss::kBce, SideLoss::kBceSum}) {
    train::TrainConfig config = smallConfig(networks::Task::kSegmentation);
    config.optimizer.kind = train::OptimizerOptions::Kind::kSgd;
    config.optimizer.maxGradientNorm = 1e-3f;  // below any gradient here: that of each part would be another's
    config.schedule.warmupIterations = 0;
    config.loss = loss;
    const auto whole = trained("egnet", config);
    config.microBatch = 2;
    const auto parts = trained("egnet", config);
    CHECK(difference(*smallModel("egnet"), *whole) > 1e-6);
    const double error = difference(*whole, *parts);
    if (!(error < 1e-5))
      test::reportFailure(__FILE__, __LINE__,
                          "loss " + std::to_string(int(loss)) + " differs by " + std::to_string(error));
  }
}

TEST("the losses of a batch in parts add up to those of the whole batch, an edge's too") {
  train::TrainConfig config = smallConfig(networks::Task::kSegmentation);
  config.iterations = 1;
  const auto losses = [&](int64_t microBatch) {
    config.microBatch = microBatch;
    train::Trainer trainer(smallModel("egnet"), config, randomDataset(5), nullptr);
    std::map<std::string, double> last;
    trainer.run(
        [&](const train::TrainEvent& event) {
          if (!event.losses.empty()) last["loss"] = event.loss;
          for (const auto& [name, value] : event.losses) last[name] = static_cast<double>(value);
        },
        nullptr);
    return last;
  };
  const auto whole = losses(0), parts = losses(2);
  CHECK_EQUAL(whole.size(), size_t{4});  // loss, bce, dice, edge
  CHECK_NEAR(whole.at("loss"), whole.at("bce") + whole.at("dice") + whole.at("edge"), 1e-5);
  for (const auto& [name, value] : whole) CHECK_NEAR(parts.at(name), value, 1e-5 * std::abs(value));
}

TEST("the sums of a batch in parts start at zero, whatever they held") {
  train::TrainConfig config = smallConfig(networks::Task::kSegmentation);
  const auto train = [&](float leftOver) {
    auto model = smallModel("jcs-segmentation");
    for (const model::ParameterInfo& p : model->parameters()) {
      Tensor sum = Tensor::zeros(DType::kF32, p.shape);
      std::ranges::fill(sum.as<float>(), leftOver);
      if (p.trainable) model->states().set("gradient/" + p.name, sum);
    }
    train::Trainer(model, config, randomDataset(5), nullptr).run([](const train::TrainEvent&) {}, nullptr);
    return model;
  };
  config.microBatch = 2;
  const auto clean = train(0);
  CHECK_EQUAL(difference(*clean, *train(std::numeric_limits<float>::infinity())), 0.0);
}

TEST("only a batch in parts has sums of gradients") {
  for (const int64_t microBatch : {0, 2}) {
    train::TrainConfig config = smallConfig(networks::Task::kSegmentation);
    config.microBatch = microBatch;
    auto model = smallModel("jcs-segmentation");
    int64_t sums = 0;
    train::Trainer(model, config, randomDataset(5), nullptr)
        .run(
            [&](const train::TrainEvent&) {
              sums = std::ranges::count_if(model->states().entries(),
                                           [](const auto& entry) { return entry.first.starts_with("gradient/"); });
            },
            nullptr);
    CHECK_EQUAL(sums > 0, microBatch > 0);
  }
}

TEST("a model is used, asked and saved while it is trained") {
  train::TrainConfig config = smallConfig(networks::Task::kSegmentation);
  config.iterations = 20;
  auto model = smallModel("jcs-segmentation");
  const TemporaryDirectory folder;
  std::atomic<bool> done{false};
  std::thread user([&] {
    while (!done) {
      CHECK_EQUAL(model->forward(Tensor::zeros(DType::kF32, {1, 32, 32, 3}), false).size(), size_t{5});
      const int64_t size = model->metadata().inputSize;
      CHECK(size == config.inputSize || size == networks::networkInfo("jcs-segmentation").inputSize);
      model->save(folder / "model.safetensors");
    }
  });
  train::Trainer(model, config, randomDataset(5), nullptr).run([](const train::TrainEvent&) {}, nullptr);
  done = true;
  user.join();
  CHECK(!model->metadata().provenance.empty());
}

TEST("a model disposed while it is trained ends the run with DISPOSED") {
  train::TrainConfig config = smallConfig(networks::Task::kSegmentation);
  config.iterations = 1000;
  auto model = smallModel("jcs-segmentation");
  std::promise<void> started;
  std::thread disposing([&] {
    started.get_future().wait();
    model->dispose();
  });
  int64_t steps = 0;
  const auto sink = [&](const train::TrainEvent& event) {
    if (event.phase == train::TrainEvent::Phase::kTrain && ++steps == 2) started.set_value();
  };
  CHECK_ERROR([&] { train::Trainer(model, config, randomDataset(5), nullptr).run(sink, nullptr); }, "DISPOSED");
  disposing.join();
  CHECK_EQUAL(model->states().entries().size(), size_t{0});
}

TEST("training is the same, bit for bit, whatever the number of loader threads") {
  train::TrainConfig config = smallConfig(networks::Task::kClassification);
  config.augmentation = data::AugmentationOptions::scratch();
  config.loaderThreads = 1;
  const auto one = trained("res2net50-v1b", config);
  config.loaderThreads = 4;
  const auto four = trained("res2net50-v1b", config);
  CHECK_EQUAL(difference(*one, *four), 0.0);
}

TEST("a loss that is no longer finite stops the run with DIVERGED") {
  train::TrainConfig config = smallConfig(networks::Task::kSegmentation);
  config.optimizer.kind = train::OptimizerOptions::Kind::kSgd;
  config.schedule = {.kind = train::Schedule::Kind::kConstant, .learningRate = 1e30};
  config.iterations = 20;
  CHECK_ERROR([&] { trained("jcs-segmentation", config); }, "DIVERGED", "learning rate");
}

TEST("a cancelled run stops between steps and leaves no training state behind") {
  auto model = smallModel("jcs-segmentation");
  const size_t states = model->states().entries().size();
  train::TrainConfig config = smallConfig(networks::Task::kSegmentation);
  config.iterations = 1000;
  train::Trainer trainer(model, config, randomDataset(5), nullptr);
  std::atomic<bool> cancelled{false};
  int64_t steps = 0;
  const auto cancelAtThird = [&](const train::TrainEvent& event) {
    if (event.phase == train::TrainEvent::Phase::kTrain && ++steps == 3) cancelled = true;
  };
  CHECK_ERROR([&] { trainer.run(cancelAtThird, &cancelled); }, "CANCELLED");
  CHECK_EQUAL(steps, int64_t{3});
  CHECK_EQUAL(model->states().entries().size(), states);
  CHECK_EQUAL(model->forward(Tensor::zeros(DType::kF32, {1, 32, 32, 3}), false).size(), size_t{5});
}

TEST("what does not fit is refused before anything is allocated") {
  auto model = smallModel("unet");
  const int64_t arena = model->engine().arenaBytes();
  CHECK_ERROR([&] { model->profile({4096, 4096, 4096}); }, "OUT_OF_MEMORY", "free");
  CHECK_EQUAL(model->engine().arenaBytes(), arena);
  CHECK_EQUAL(model->forward(Tensor::zeros(DType::kF32, {1, 32, 32, 3}), false).size(), size_t{1});
}
