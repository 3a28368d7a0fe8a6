#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "train/train_config.h"

namespace jcs::train {

/// One setting of training: all that is said about it anywhere. The parser, what is written into files, the JSON
/// schema, the types of the TypeScript facade, the options of `jcs train` and the tables of docs/training.md come from
/// this (`npm run training-options`); a new setting is a member of TrainConfig, a line in the table, and its use.
struct TrainOption {
  enum class Type {
    kNumber,
    kWhole,
    kWholes,  ///< a list of whole numbers, each larger than the one before; an empty one is as if it was not given
    kBoolean,
    kChoice,
    kText,
  };
  /// Another option's values without one of which this one says nothing.
  struct Condition {
    std::string path;
    std::vector<std::string> values;
  };

  std::string path;  ///< 'batchSize', or 'optimizer.weightDecay' in a group
  Type type;
  std::string help;                                   ///< Markdown; its first sentence is the help of the command line
  double low = 0, high = 0;                           ///< of numbers, both allowed
  std::vector<std::string> choices = {};              ///< of kChoice; of numbers, a word that may be given instead
  std::optional<networks::Task> task = std::nullopt;  ///< the only one that has it
  std::optional<Condition> condition = std::nullopt;
  bool isRequired = false;  ///< in its group
  bool isRecorded = true;   ///< part of what a run was made with, unlike paths
  bool mayChange = false;   ///< when a run is resumed
  /// Null where it is not set.
  std::function<nlohmann::json(const TrainConfig&)> get = nullptr;
  std::function<void(TrainConfig&, const nlohmann::json&)> set = nullptr;  ///< a value that `check` let through

  std::string group() const;
  std::string name() const;  ///< in its group
  /// INVALID_ARGUMENT naming the option, what it takes and what it got.
  void check(const nlohmann::json& value) const;
};

/// Options that are given as one object.
struct TrainOptionGroup {
  std::string name, help;
  bool isSwitch = false;                              ///< `false` turns all of it off, `true` leaves it as it is
  std::function<void(TrainConfig&)> begin = nullptr;  ///< before those that are given are set
};

/// In the order of the documentation.
const std::vector<TrainOption>& trainOptions();
const std::vector<TrainOptionGroup>& trainOptionGroups();

}  // namespace jcs::train
