#pragma once

#include <functional>
#include <map>
#include <memory>

#include "communication/communicator.h"
#include "data/loader.h"
#include "metrics/metrics.h"
#include "model/model.h"
#include "train/batch_inputs.h"
#include "train/best_weights.h"
#include "train/train_config.h"
#include "train/training_step.h"
#include "train/weight_average.h"

namespace jcs::train {

/// What a training run reports.
struct TrainEvent {
  enum class Phase { kCompile, kTrain, kValidate, kCheckpoint };
  Phase phase = Phase::kTrain;
  int64_t epoch = 0, epochs = 0;          ///< from 1
  int64_t iteration = 0, iterations = 0;  ///< steps taken, of the whole run
  double loss = 0;
  std::map<std::string, double> losses;
  double learningRate = 0;
  double samplesPerSecond = 0, etaMs = 0;
  int64_t done = 0, total = 0;  ///< kValidate: samples
  metrics::Metrics metrics;     ///< kValidate, with the last sample
  std::string path;             ///< kCheckpoint
};

struct TrainOutcome {
  metrics::Metrics metrics;  ///< of the last validation, or of the best
  std::string checkpoint;    ///< path of the last one, or empty
  int64_t iterations = 0;
  int64_t microBatch = 0;  ///< samples per pass that were used
  std::vector<std::string> warnings;
  std::optional<BestValidation> best;  ///< whose weights the model has, where a metric was to be best
};

/// Trains a model on decoded samples. `run` blocks its thread and uses the device's execution thread for each step, so
/// that other models on the device take turns with it.
///
/// With a communicator, ranks of equal settings and data train one model: a step is of `batchSize` samples of each.
/// Rank 0 validates and writes the checkpoints; all models end up the same.
class Trainer {
 public:
  Trainer(std::shared_ptr<model::Model> model, TrainConfig config, std::shared_ptr<const data::SliceStore> train,
          std::shared_ptr<const data::SliceStore> validation, communication::Communicator* communicator = nullptr);
  ~Trainer();

  using Sink = std::function<void(const TrainEvent&)>;
  /// DIVERGED when the loss is no longer finite; CANCELLED; OUT_OF_MEMORY when not even one sample fits. Whatever
  /// happens, the last checkpoint stays as it was and optimiser state leaves the model. RANK_LOST when another rank
  /// goes no further; whoever calls this tells the others when this one does not.
  TrainOutcome run(const Sink& sink, const std::atomic<bool>* cancelled);

 private:
  struct Averaged;

  bool isFirstRank() const { return communicator_ == nullptr || communicator_->rank() == 0; }

  /// On the averages, where there are such; the best weights are kept.
  metrics::Metrics validate(const TrainEvent& at, const Sink& sink, const std::atomic<bool>* cancelled);
  void dropTrainingState();

  std::shared_ptr<model::Model> model_;
  TrainConfig config_;
  std::shared_ptr<const data::SliceStore> train_, validation_;
  communication::Communicator* communicator_;
  std::unique_ptr<data::Loader> loader_;
  std::unique_ptr<BatchInputs> inputs_;
  LossBuilder loss_;
  int64_t batch_ = 0, iterationsPerEpoch_ = 0, iterations_ = 0;
  std::unique_ptr<TrainingStep> step_;      ///< compiled when a run begins
  std::unique_ptr<WeightAverage> average_;  ///< while a run averages
  std::unique_ptr<BestWeights> best_;       ///< while a run looks for the best
};

}  // namespace jcs::train
