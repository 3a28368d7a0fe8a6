#pragma once

#include <optional>
#include <string>

#include "data/augmentation.h"
#include "data/slice.h"
#include "networks/registry.h"
#include "train/schedule.h"
#include "train/training_graph.h"

namespace jcs {

/// Everything that decides a training run, besides model, data and seed of the weights.
struct TrainConfig {
  Task task = Task::kSegmentation;
  std::string recipe = "paper";
  int64_t epochs = 1;
  int64_t iterations = 0;  ///< when not 0, the length of the run instead of `epochs`
  int64_t batchSize = 4;
  int64_t microBatch = 0;  ///< samples per pass when a batch does not fit into memory; 0: the whole batch at once
  int64_t inputSize = 512;
  std::optional<IntensityWindow> window;  ///< of values in HU, which the model keeps; the trainer takes the model's
  OptimizerOptions optimizer;
  Schedule schedule;
  AugmentationOptions augmentation;
  BatchNormMode batchNorm = BatchNormMode::kBatch;
  bool trainTrunk = false;
  DiceOptions dice;
  double emaDecay = 0;          ///< of the moving average of the weights, which the model gets; 0 is off
  double mixupAlpha = 0;        ///< eq. 3; 0 is off
  bool activationLoss = false;  ///< eq. 4
  float activationLossWeight = 1;
  uint64_t seed = 0;
  int loaderThreads = 2;
  int64_t validateEvery = 1;              ///< epochs
  int64_t checkpointEvery = 1;            ///< epochs
  int64_t checkpointEveryIterations = 0;  ///< when not 0, instead
  std::string checkpointDirectory;        ///< empty: no checkpoints
  std::string resume;                     ///< path of a checkpoint
};

/// The recipe's own values for a network (section V-B for 'paper'; divergences, section A3 for 'authors'; 'scratch' is
/// tuned here for training without pretrained weights, see docs/training.md).
TrainConfig recipe(const std::string& name, Task task, bool pretrained);

/// A recipe with what `json` overrides. INVALID_ARGUMENT naming the option.
TrainConfig trainConfigFromJson(const std::string& json, Task task);
/// All settings as they are used; stored as provenance and in checkpoints.
std::string toJson(const TrainConfig& config);

}  // namespace jcs
