#pragma once

#include "train/batch_inputs.h"
#include "train/train_config.h"

namespace jcs {

/// The forward pass and loss of a network for its task, as a graph on a batch's values.
LossBuilder taskLoss(const NetworkSpec& spec, const TrainConfig& config, const BatchSource& source);
/// The same on inputs of these values' names.
LossBuilder taskLoss(const NetworkSpec& spec, const TrainConfig& config);

/// How many side outputs a segmentation network has; 0 for a classifier.
int64_t sideOutputs(const NetworkSpec& spec, int64_t inputSize);
/// Height and width of a classifier's last features.
std::pair<int64_t, int64_t> featureSize(const NetworkSpec& spec, int64_t inputSize);

}  // namespace jcs
