#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "metrics/metrics.h"
#include "model/model.h"
#include "train/train_config.h"

namespace jcs::train {

/// States of this prefix hold the weights of the best validation.
inline constexpr const char* kBestPrefix = "best/";

/// The names that `best.metric` may have for a task.
const std::vector<std::string>& bestMetrics(networks::Task task);

/// The best validation of a run so far.
struct BestValidation {
  int64_t iteration = 0;
  metrics::Metrics metrics;
};

/// What a checkpoint keeps of it.
struct BestPosition {
  std::optional<BestValidation> validation;  ///< none before one had the metric
  int64_t stalled = 0;                       ///< validations since
};
nlohmann::json toJson(const BestPosition& position);
BestPosition bestPositionFromJson(const nlohmann::json& json);

/// The weights of the validation with the best metric, kept beside a model's own while it is trained, and when to stop
/// waiting for better ones. A metric that is not defined is never better.
class BestWeights {
 public:
  BestWeights(model::Model& model, const BestOptions& options, BestPosition position);

  /// After a validation of the model's weights as they are: keeps them if they are the best. DISPOSED, as `restore`.
  void consider(const metrics::Metrics& metrics, int64_t iteration);
  /// Whether as many validations as were to be waited for brought nothing better.
  bool hasStalled() const;
  /// Puts the kept weights into the model; nothing when no validation had the metric.
  void restore();
  const BestPosition& position() const { return position_; }

 private:
  bool isBetter(double value) const;

  model::Model& model_;
  BestOptions options_;
  BestPosition position_;
};

}  // namespace jcs::train
