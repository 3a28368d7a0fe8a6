#include "train/train_settings.h"

#include <algorithm>
#include <map>

#include "core/json.h"
#include "train/train_options.h"

namespace jcs::train {

namespace {

using Json = nlohmann::json;

const char* nameOf(TrainOption::Type type) {
  switch (type) {
    case TrainOption::Type::kNumber: return "number";
    case TrainOption::Type::kWhole: return "whole";
    case TrainOption::Type::kWholes: return "wholes";
    case TrainOption::Type::kBoolean: return "boolean";
    case TrainOption::Type::kChoice: return "choice";
    case TrainOption::Type::kText: return "text";
  }
  return "";
}

const TrainOption* findOption(const std::string& path) {
  const auto found = std::ranges::find(trainOptions(), path, &TrainOption::path);
  return found == trainOptions().end() ? nullptr : &*found;
}

/// The options of an object, by path. What is null counts as not given.
std::map<std::string, Json> flatten(const Json& json, networks::Task task, TrainConfig& config) {
  std::map<std::string, Json> given;
  const auto take = [&](const std::string& path, const Json& value, const std::string& owner, const std::string& key) {
    const TrainOption* option = findOption(path);
    require(option != nullptr, errors::kInvalidArgument, [&] { return owner + " has no option '" + key + "'"; });
    require(option->task.value_or(task) == task, errors::kInvalidArgument, [&] {
      return "options." + path + " belongs to " + networks::nameOf(*option->task) + "; leave it out for " +
             networks::nameOf(task);
    });
    option->check(value);
    given[path] = value;
  };
  require(json.is_object(), errors::kInvalidArgument, "options must be an object");
  for (const auto& [key, value] : json.items()) {
    if (value.is_null()) continue;
    const auto group = std::ranges::find(trainOptionGroups(), key, &TrainOptionGroup::name);
    if (group == trainOptionGroups().end()) {
      take(key, value, "options", key);
      continue;
    }
    if (group->isSwitch && value.is_boolean()) {
      if (!value.get<bool>()) group->begin(config);
      continue;
    }
    const std::string owner = "options." + key;
    require(value.is_object(), errors::kInvalidArgument, [&] { return owner + " must be an object"; });
    if (group->begin) group->begin(config);
    for (const auto& [name, inner] : value.items())
      if (!inner.is_null()) take(key + "." + name, inner, owner, name);
    for (const TrainOption& option : trainOptions())
      require(!option.isRequired || option.group() != key || given.contains(option.path), errors::kInvalidArgument,
              [&] { return "options." + option.path + " is missing"; });
  }
  return given;
}

}  // namespace

TrainConfig trainConfigFromJson(const std::string& text, networks::Task task, bool isPretrained,
                                const std::string& network) {
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::exception& error) {
    fail(errors::kInvalidArgument, std::string("the training options are not usable: ") + error.what());
  }
  // The recipe first: all else is set over it.
  std::string name = recipeNames().front();
  if (json.is_object() && json.contains("recipe") && !json["recipe"].is_null()) {
    findOption("recipe")->check(json["recipe"]);
    name = json["recipe"];
  }
  TrainConfig config = recipe(name, task, isPretrained, network);
  const auto given = flatten(json, task, config);
  require(!given.contains("epochs") || !given.contains("iterations"), errors::kInvalidArgument,
          "options: give either epochs or iterations");
  if (given.contains("epochs")) config.iterations.reset();
  for (const auto& [path, value] : given) findOption(path)->set(config, value);
  return config;
}

nlohmann::json trainSettings(const TrainConfig& config) {
  Json json{{"task", networks::nameOf(config.task)}};
  if (config.ranks > 1) json["ranks"] = config.ranks;
  for (const TrainOption& option : trainOptions()) {
    if (!option.isRecorded || option.task.value_or(config.task) != config.task) continue;
    const std::string group = option.group();
    Json value = option.get(config);
    if (value.is_null()) continue;
    // A null that becomes an object when it is asked for a member is not whole where memory is refused.
    if (!group.empty() && !json.contains(group)) json[group] = Json::object();
    (group.empty() ? json : json[group])[option.name()] = std::move(value);
  }
  return json;
}

void requireResumable(const TrainConfig& config, const nlohmann::json& settings, const std::string& path) {
  Json comparable = settings;
  comparable.erase("task");
  comparable.erase("ranks");
  for (const TrainOption& option : trainOptions())
    if (option.mayChange && option.group().empty()) comparable.erase(option.path);
  const auto differs = [&](const std::string& name, const Json& theirs, const Json& ours) {
    fail(errors::kResumeMismatch,
         path + " was written with " + name + " = " + theirs.dump() + ", this run has " + ours.dump());
  };
  const Json task = settings.value("task", Json());
  if (task != networks::nameOf(config.task)) differs("task", task, networks::nameOf(config.task));
  if (const auto ranks = settings.value("ranks", int64_t{1}); ranks != config.ranks)
    differs("ranks", ranks, config.ranks);
  TrainConfig stored;
  try {
    stored = trainConfigFromJson(comparable.dump(), config.task, false, config.network);
  } catch (const Error& error) {
    fail(errors::kResumeMismatch, path + " was written with settings that this version does not have: " + error.what());
  }
  for (const TrainOption& option : trainOptions()) {
    if (option.mayChange) continue;
    const Json theirs = option.get(stored), ours = option.get(config);
    if (theirs != ours) differs(option.path, theirs, ours);
  }
}

nlohmann::json describeTrainOptions() {
  Json groups = Json::array(), options = Json::array();
  for (const TrainOptionGroup& group : trainOptionGroups())
    groups.push_back({{"name", group.name}, {"help", group.help}, {"isSwitch", group.isSwitch}});
  for (const TrainOption& option : trainOptions()) {
    Json json{{"path", option.path},
              {"group", option.group()},
              {"name", option.name()},
              {"type", nameOf(option.type)},
              {"help", option.help},
              {"isRequired", option.isRequired},
              {"isRecorded", option.isRecorded}};
    if (option.high > option.low) json.update({{"low", option.low}, {"high", option.high}});
    if (!option.isRecorded) json["default"] = option.get(TrainConfig());
    if (!option.choices.empty()) json["choices"] = option.choices;
    if (option.task) json["task"] = networks::nameOf(*option.task);
    if (option.condition) json["condition"] = {{"path", option.condition->path}, {"values", option.condition->values}};
    options.push_back(std::move(json));
  }
  Json recipes = Json::object(), comparators = Json::object();
  for (const networks::Task task : {networks::Task::kClassification, networks::Task::kSegmentation})
    for (const std::string& name : recipeNames())
      recipes[networks::nameOf(task)][name] = trainSettings(recipe(name, task, false));
  for (const std::string& network : networksWithRecipe())
    comparators[network] = trainSettings(recipe("authors", networks::Task::kSegmentation, false, network));
  return {{"groups", std::move(groups)},
          {"options", std::move(options)},
          {"recipes", std::move(recipes)},
          {"comparators", std::move(comparators)}};
}

}  // namespace jcs::train
