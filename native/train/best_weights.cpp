#include "train/best_weights.h"

#include <cmath>

#include "core/json.h"
#include "train/weight_average.h"

namespace jcs::train {

namespace {

using Json = nlohmann::json;

/// Of all metrics it alone is an error.
constexpr const char* kLowerIsBetter = "mae";

}  // namespace

const std::vector<std::string>& bestMetrics(networks::Task task) {
  static const std::vector<std::string> classification{"auc", "accuracy", "f1", "sensitivity", "specificity"};
  static const std::vector<std::string> segmentation{"dice",     "diceEmptyAsOne", "iou",         "iouAdaptive",
                                                     "eMeasure", "eMeasureMean",   "eMeasureMax", "mae",
                                                     "mIoU",     "sensitivity",    "specificity"};
  return task == networks::Task::kClassification ? classification : segmentation;
}

nlohmann::json toJson(const BestPosition& position) {
  Json json{{"stalled", position.stalled}};
  if (!position.validation) return json;
  // JSON has no NaN: such a metric is left out, and is NaN again when it is asked for.
  Json metrics = Json::object();
  for (const auto& [name, value] : position.validation->metrics)
    if (std::isfinite(value)) metrics[name] = value;
  json["iteration"] = position.validation->iteration;
  json["metrics"] = std::move(metrics);
  return json;
}

BestPosition bestPositionFromJson(const nlohmann::json& json) {
  BestPosition position;
  position.stalled = json.at("stalled").get<int64_t>();
  if (json.contains("metrics"))
    position.validation = {json.at("iteration").get<int64_t>(), json.at("metrics").get<metrics::Metrics>()};
  return position;
}

BestWeights::BestWeights(model::Model& model, const BestOptions& options, BestPosition position)
    : model_(model), options_(options), position_(std::move(position)) {}

bool BestWeights::isBetter(double value) const {
  if (std::isnan(value)) return false;
  if (!position_.validation) return true;
  const double best = position_.validation->metrics.at(options_.metric);
  return options_.metric == kLowerIsBetter ? value < best : value > best;
}

void BestWeights::consider(const metrics::Metrics& metrics, int64_t iteration) {
  if (!isBetter(metrics.at(options_.metric))) {
    ++position_.stalled;
    return;
  }
  position_ = {BestValidation{iteration, metrics}, 0};
  model_.engine().runAndWait([&] {
    model_.requireAlive();
    compiler::StateStore& states = model_.states();
    for (const auto& [name, type] : ownStates(states)) states.set(kBestPrefix + name, states.get(name));
  });
}

bool BestWeights::hasStalled() const { return options_.patience > 0 && position_.stalled >= options_.patience; }

void BestWeights::restore() {
  if (!position_.validation) return;
  model_.engine().runAndWait([&] {
    model_.requireAlive();
    exchange(pairsWith(model_.states(), kBestPrefix));
  });
}

}  // namespace jcs::train
