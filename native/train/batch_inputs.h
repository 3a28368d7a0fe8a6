#pragma once

#include <functional>
#include <memory>

#include "compiler/program.h"
#include "data/loader.h"
#include "train/train_config.h"

namespace jcs::train {

/// What a training step learns from, as values of its graph. Segmentation has masks; classification has targets and,
/// for eq. 4, the last two.
struct BatchValues {
  Value image;           ///< N×S×S×3, augmented, normalised, mixed
  Value mask;            ///< N×S×S×1, 0 or 1
  Value targets;         ///< N×2
  Value activationMask;  ///< N×h×w×1, the masks averaged over feature cells
  Value
      activationWeights;  ///< N: 1/max(count, 1) for the batch's `count` unmixed samples with a mask that is not empty
};

/// Adds the values of a batch of that many samples, or of a part of one.
using BatchSource = std::function<BatchValues(Graph&, int64_t samples, const std::optional<BatchPart>& part)>;

/// The values themselves as inputs, named as the members.
BatchSource tensorInputs(const networks::NetworkSpec& spec, const TrainConfig& config);

/// Computed from what a loader gives.
class BatchInputs {
 public:
  BatchInputs(const networks::NetworkSpec& spec, const TrainConfig& config, const data::Normalization& normalization,
              const data::Loader& loader);

  BatchSource source() const;
  /// Of a part of a batch: how many of its samples have a mask that is not empty. A part's step takes the sum of the
  /// other parts'.
  static constexpr OutputPort<float> kAnnotatedOutput{"annotated"};
  static constexpr InputPort<float> kAnnotatedRestInput{"annotated_rest"};
  std::unique_ptr<Graph> annotatedGraph(int64_t samples) const;
  bool needsAnnotated() const { return activationLoss_; }

  /// The batch, or the part of one, as inputs of a program; it has to outlive the bindings.
  void bind(const data::Batch& batch, compiler::Bindings& bindings) const;

 private:
  struct Tables;
  Tables addTables(Graph& graph, int64_t samples, bool isPart) const;
  BatchValues add(Graph& graph, int64_t samples, const std::optional<BatchPart>& part) const;
  Value addMasks(const Tables& tables, int64_t samples) const;

  networks::Task task_;
  bool activationLoss_, mixes_, augments_;
  int64_t inputSize_, featureHeight_ = 0, featureWidth_ = 0;
  data::Normalization normalization_;
  std::vector<int64_t> mostBytes_;  ///< by number of samples
};

}  // namespace jcs::train
