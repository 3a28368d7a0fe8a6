#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "nn/losses.h"

namespace jcs::train {

struct OptimizerOptions {
  enum class Kind { kSgd, kAdam, kAdamW };
  Kind kind = Kind::kSgd;
  float momentum = 0.9f;                                ///< SGD
  bool nesterov = false;                                ///< SGD
  float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f;  ///< Adam
  float weightDecay = 0;                                ///< L2, added to the gradient; of AdamW beside it
  /// A longer gradient, of all that is trained as one vector, is scaled down to this; 0: none is.
  float maxGradientNorm = 0;
};

/// Optimiser state lives beside the parameters under these prefixes and is not part of a saved model.
inline constexpr const char* kOptimizerPrefix = "optimizer/";
inline constexpr const char* kGradientPrefix = "gradient/";

/// A forward pass up to the loss, as a network builds it for its task.
struct LossValues {
  Value total;
  std::vector<std::pair<std::string, Value>> terms;  ///< what progress events report
  std::optional<SegmentationLoss> segmentation;      ///< for the Dice sums of a micro-batch
};
/// Adds network and loss for `samples` samples; `part` when they are a part of a batch.
using LossBuilder = std::function<LossValues(Graph&, int64_t samples, const std::optional<BatchPart>& part)>;

/// What changes from step to step: SGD [learningRate], Adam [learningRate, 1 − β1^t, 1 − β2^t].
inline constexpr InputPort<float> kHyperInput{"hyper"};
std::vector<float> hyperParameters(const OptimizerOptions& options, double learningRate, int64_t step);

/// The Dice sums of a part of a batch, one per side.
inline constexpr OutputPort<float> kIntersectionsOutput{"intersections"}, kSumsOutput{"sums"};
/// The name of the output of the total loss.
inline constexpr const char* kLossOutput = "loss";
/// Terms of the segmentation loss; Dice is the whole batch's in every part of one.
inline constexpr const char *kBceTerm = "bce", *kDiceTerm = "dice";

/// One training step as one graph: forward, backward, update. Outputs `kLossOutput` and the loss's terms. Of `ranks`
/// that share a batch each takes the step with the sum of their gradients; the losses are its own share.
std::unique_ptr<Graph> stepGraph(const LossBuilder& loss, int64_t samples, const OptimizerOptions& options,
                                 int64_t ranks = 1);

/// A step in parts, for batches larger than memory. First, for losses whose sums run over the batch, `statistics` of
/// each part; then `accumulate` adds each part's gradients to the states "gradient/…", which the caller has set to
/// zero; then `update` applies them, of `ranks` those of all.
std::unique_ptr<Graph> statisticsGraph(const LossBuilder& loss, int64_t samples, int64_t sides);
std::unique_ptr<Graph> accumulateGraph(const LossBuilder& loss, int64_t samples, int64_t sides);
std::unique_ptr<Graph> updateGraph(const LossBuilder& loss, int64_t samples, const OptimizerOptions& options,
                                   int64_t ranks = 1);

}  // namespace jcs::train
