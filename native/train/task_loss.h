#pragma once

#include "train/train_config.h"

namespace jcs {

/// The forward pass and loss of a network for its task, as a graph with the inputs
/// - "image" N×S×S×3;
/// - segmentation: "mask" N×S×S×1;
/// - classification: "targets" N×2 and, for eq. 4, "activationMask" N×h×w×1 and "activationWeights" N.
LossBuilder taskLoss(const NetworkSpec& spec, const TrainConfig& config);

/// How many side outputs a segmentation network has; 0 for a classifier.
int64_t sideOutputs(const NetworkSpec& spec, int64_t inputSize);
/// Height and width of a classifier's last features.
std::pair<int64_t, int64_t> featureSize(const NetworkSpec& spec, int64_t inputSize);

}  // namespace jcs
