#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/augmentation.h"
#include "data/slice.h"
#include "networks/registry.h"
#include "train/schedule.h"
#include "train/training_graph.h"

namespace jcs::train {

/// Exponential moving average of the weights, which the model gets.
struct EmaOptions {
  double decay = 0;  ///< 0 is off
};

/// Which validation's weights the model gets.
struct BestOptions {
  std::string metric;    ///< empty: those of the last step
  int64_t patience = 0;  ///< validations that may bring nothing better; 0: any number
};

/// Which samples an epoch has.
enum class Sampling {
  kShuffled,  ///< each once
  kBalanced,  ///< as many infected as uninfected ones, see data::LoaderOptions
};

/// Equation (3).
struct MixupOptions {
  double alpha = 0;  ///< 0 is off
};

struct CheckpointOptions {
  std::string directory;                   ///< empty: no checkpoints
  int64_t every = 1;                       ///< epochs
  std::optional<int64_t> everyIterations;  ///< instead
};

/// Everything that decides a training run, besides model and data. What each member is and may be says the table of
/// train/train_options.cpp.
struct TrainConfig {
  networks::Task task = networks::Task::kSegmentation;
  std::string network;  ///< whose 'authors' are meant; empty: the paper's
  std::string recipe = "paper";
  int64_t epochs = 1;
  std::optional<int64_t> iterations;  ///< instead of `epochs`
  int64_t batchSize = 4;
  Sampling sampling = Sampling::kShuffled;
  int64_t microBatch = 0;  ///< 0: the whole batch, or what fits into memory
  int64_t inputSize = 512;
  std::optional<data::IntensityWindow> window;  ///< the trainer takes the model's
  OptimizerOptions optimizer;
  Schedule schedule;
  data::AugmentationOptions augmentation;
  EmaOptions ema;
  BestOptions best;
  MixupOptions mixup;
  bool activationLoss = false;
  float activationLossWeight = 1;
  SideLoss loss = SideLoss::kBceDice;
  DiceOptions dice;
  BatchNormMode batchNorm = BatchNormMode::kBatch;
  int64_t ranks = 1;  ///< no option: how many processes train together, each on `batchSize` samples per step
  bool trainTrunk = false;
  uint64_t seed = 0;
  int loaderThreads = 2;
  int64_t validateEvery = 1;
  CheckpointOptions checkpoint;
  std::string resume;  ///< empty: from the start
};

/// 'paper': section V-B; 'authors': their code, where it differs, and of a comparator its public implementation's;
/// 'scratch': tuned here for training without pretrained weights, see docs/training.md.
std::vector<std::string> recipeNames();
/// A recipe's own values for a network. INVALID_ARGUMENT for a name that is none.
TrainConfig recipe(const std::string& name, networks::Task task, bool isPretrained, const std::string& network = "");
/// The networks that have an 'authors' of their own.
std::vector<std::string> networksWithRecipe();

}  // namespace jcs::train
