#pragma once

#include <string>
#include <vector>

#include "model/model.h"
#include "train/best_weights.h"
#include "train/train_config.h"

namespace jcs::train {

/// Where a run stands. Data order, augmentation, mixing and schedule follow from it and the seed alone.
struct TrainPosition {
  int64_t iteration = 0;  ///< steps taken
  BestPosition best = {};
};

/// Writes weights, or where there are averages those and the weights aside, optimiser moments and position to
/// `directory`/checkpoint.safetensors, atomically. Also a model file: loadModel reads it and ignores the rest.
std::string writeCheckpoint(model::Model& model, const TrainConfig& config, const TrainPosition& position);

struct Resumed {
  TrainPosition position;
  std::vector<std::string> warnings;  ///< why the continuation is not bit-exact, if it is not
};
/// Puts a checkpoint's state into the model. RESUME_MISMATCH, naming the setting, when it belongs to another network or
/// when options differ that may not change (train/train_options.h).
Resumed resumeCheckpoint(model::Model& model, const TrainConfig& config, const std::string& path);

}  // namespace jcs::train
