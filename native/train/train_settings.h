#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "train/train_config.h"

namespace jcs::train {

/// A recipe with the options that `json` names, as train/train_options.h has them. INVALID_ARGUMENT naming the option.
TrainConfig trainConfigFromJson(const std::string& json, networks::Task task, bool isPretrained = false,
                                const std::string& network = "");

/// Every setting as it is used, and the task: what is stored as provenance and in checkpoints. As options, they come to
/// the same settings again.
nlohmann::json trainSettings(const TrainConfig& config);

/// Throws RESUME_MISMATCH when a checkpoint at `path`, written with `settings`, cannot be continued with `config`: only
/// options that may change differ. An option that is younger than the file has its default there.
void requireResumable(const TrainConfig& config, const nlohmann::json& settings, const std::string& path);

/// All that train/train_options.h says, with the values of each recipe, for what is generated from it.
nlohmann::json describeTrainOptions();

}  // namespace jcs::train
