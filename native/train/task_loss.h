#pragma once

#include "train/batch_inputs.h"
#include "train/train_config.h"

namespace jcs::train {

/// The forward pass and loss of a network for its task, as a graph on a batch's values.
LossBuilder taskLoss(const networks::NetworkSpec& spec, const TrainConfig& config, const BatchSource& source);
/// The same on inputs of these values' names.
LossBuilder taskLoss(const networks::NetworkSpec& spec, const TrainConfig& config);

/// How many sides a loss compares by Dice, whose sums run over the whole batch; 0 for a classifier.
int64_t diceSides(const networks::NetworkSpec& spec, const TrainConfig& config);
/// Height and width of a classifier's last features.
std::pair<int64_t, int64_t> featureSize(const networks::NetworkSpec& spec, int64_t inputSize);

}  // namespace jcs::train
