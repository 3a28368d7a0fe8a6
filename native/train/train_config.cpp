#include "train/train_config.h"

#include <algorithm>

namespace jcs::train {

namespace {

TrainConfig classificationRecipe(const std::string& name) {
  TrainConfig c;
  c.inputSize = 224;
  c.optimizer.kind = OptimizerOptions::Kind::kSgd;
  c.mixup.alpha = 0.5;
  c.activationLoss = true;
  if (name == "scratch") {
    // Chosen on patients held out of COVID-CT's training list: SGD at 0.005 to 0.05 first drove the loss well above
    // log 2, and the run that was let through had overfitted by its end. docs/training.md has the trials.
    c.batchSize = 16;
    c.epochs = 30;
    c.mixup.alpha = 0.2;
    c.optimizer.kind = OptimizerOptions::Kind::kAdam;
    c.optimizer.weightDecay = 1e-4f;
    c.schedule = {.kind = Schedule::Kind::kCosine, .learningRate = 1e-3, .warmupIterations = 40};
    c.augmentation = data::AugmentationOptions::scratch();
    c.augmentation.verticalFlip = 0;  // chests come one way up
    return c;
  }
  c.batchSize = 256;
  c.epochs = 100;
  c.optimizer.weightDecay = 1e-4f;
  c.schedule = {.kind = Schedule::Kind::kStep, .learningRate = 0.1, .stepEpochs = 30, .gamma = 0.1};
  c.augmentation = data::AugmentationOptions::paper();
  return c;
}

TrainConfig segmentationRecipe(const std::string& name) {
  TrainConfig c;
  c.inputSize = 512;
  c.optimizer.kind = OptimizerOptions::Kind::kAdam;
  c.schedule = {.kind = Schedule::Kind::kPoly, .learningRate = 2.5e-5, .power = 0.9};
  if (name == "scratch") {
    c.batchSize = 4;
    c.epochs = 60;
    c.dice.factor = 2;
    c.optimizer.weightDecay = 1e-5f;
    c.schedule = {.kind = Schedule::Kind::kPoly, .learningRate = 1e-3, .power = 0.9, .warmupIterations = 50};
    c.augmentation = data::AugmentationOptions::scratch();
  } else if (name == "authors") {
    c.batchSize = 1;
    c.epochs = 60;
    c.dice.factor = 2;
    c.optimizer.weightDecay = 1e-4f;
    c.schedule.warmupIterations = 200;
    c.schedule.warmupInFirstEpochOnly = true;
    c.augmentation = data::AugmentationOptions::authors();
  } else {
    c.batchSize = 4;
    c.iterations = 21000;
    c.augmentation = data::AugmentationOptions::paper();
  }
  return c;
}

/// What DSS, PoolNet and EGNet were trained with; what their code leaves to the data, input sizes and DSS's batch, is
/// ours.
struct ComparatorRecipe {
  const char* network;
  void (*follow)(TrainConfig&);
};

void followDss(TrainConfig& c) {
  c.loss = SideLoss::kBce;
  c.inputSize = 256;
  c.batchSize = 8;
  c.epochs = 500;
  c.optimizer.maxGradientNorm = 1;
  c.schedule = {.kind = Schedule::Kind::kConstant, .learningRate = 1e-6};
}

/// One image at a time, gradients of ten accumulated: a batch of ten.
void followPoolnet(TrainConfig& c) {
  c.loss = SideLoss::kBceSum;
  c.batchSize = 10;
  c.epochs = 24;
  c.optimizer.weightDecay = 5e-4f;
  c.schedule = {.kind = Schedule::Kind::kStep, .learningRate = 5e-5, .stepEpochs = 15, .gamma = 0.1};
  c.augmentation.horizontalFlip = 0.5;
}

void followEgnet(TrainConfig& c) {
  followPoolnet(c);
  c.epochs = 30;
  c.schedule.milestones = {15, 24};
}

constexpr ComparatorRecipe kComparators[] = {{"dss", followDss}, {"poolnet", followPoolnet}, {"egnet", followEgnet}};

void followAuthors(TrainConfig& config, bool isPretrained) {
  const auto found = std::ranges::find(kComparators, config.network, &ComparatorRecipe::network);
  if (found == std::end(kComparators)) return;
  TrainConfig c;
  c.task = config.task, c.recipe = config.recipe, c.network = config.network;
  c.inputSize = config.inputSize;
  c.optimizer.kind = OptimizerOptions::Kind::kAdam;
  c.augmentation = data::AugmentationOptions::none();
  if (isPretrained) c.batchNorm = BatchNormMode::kFrozen;
  found->follow(c);
  config = c;
}

}  // namespace

std::vector<std::string> networksWithRecipe() {
  std::vector<std::string> names;
  for (const ComparatorRecipe& comparator : kComparators) names.emplace_back(comparator.network);
  return names;
}

std::vector<std::string> recipeNames() { return {"paper", "authors", "scratch"}; }

TrainConfig recipe(const std::string& name, networks::Task task, bool isPretrained, const std::string& network) {
  require(std::ranges::count(recipeNames(), name) == 1, errors::kInvalidArgument,
          [&] { return "there is no recipe '" + name + "'"; });
  TrainConfig config = task == networks::Task::kClassification ? classificationRecipe(name) : segmentationRecipe(name);
  config.task = task;
  config.recipe = name;
  config.network = network;
  if (isPretrained) config.batchNorm = name == "authors" ? BatchNormMode::kEval : BatchNormMode::kFrozen;
  if (name == "authors") followAuthors(config, isPretrained);
  return config;
}

}  // namespace jcs::train
