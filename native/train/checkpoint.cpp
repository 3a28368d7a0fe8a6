#include "train/checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/json.h"
#include "io/file.h"
#include "model/parameters.h"
#include "train/train_settings.h"
#include "train/weight_average.h"

namespace jcs::train {

namespace {

using Json = nlohmann::json;
constexpr const char* kKey = "jcs.checkpoint";
constexpr const char* kFile = "checkpoint.safetensors";

/// What makes two machines compute different last bits.
Json arithmetic(model::Model& model) {
  const DeviceInfo& device = model.engine().device();
  return {{"device", device.kind},
          {"isa", device.isa},
          {"library", device.library},
          {"threads", model.threads()},
          {"precision", model.precision()}};
}

/// CORRUPT_FILE where a checkpoint does not have all of what it says it keeps.
void requireBestWeights(const io::SafetensorsFile& file, const TrainConfig& config, const BestValidation& best,
                        const std::string& path) {
  bool isWhole = best.metrics.contains(config.best.metric);
  for (const io::SafetensorsEntry& entry : file.entries()) {
    if (entry.name.find(model::kTrainingStateSeparator) != std::string::npos) continue;
    const auto kept = std::ranges::find(file.entries(), kBestPrefix + entry.name, &io::SafetensorsEntry::name);
    isWhole = isWhole && kept != file.entries().end() && kept->shape == entry.shape;
  }
  require(isWhole, errors::kCorruptFile, [&] {
    return path + ": the weights of iteration " + std::to_string(best.iteration) + " are not whole; start anew";
  });
}

}  // namespace

std::string writeCheckpoint(model::Model& model, const TrainConfig& config, const TrainPosition& position) {
  std::vector<std::pair<std::string, Tensor>> values;
  const std::string averaged = kAveragePrefix;
  model.engine().runAndWait([&] {
    model.requireAlive();
    compiler::StateStore& states = model.states();
    for (const auto& [name, entry] : states.entries()) {
      if (name.starts_with(kGradientPrefix)) continue;
      const bool isAverage = name.starts_with(averaged), hasAverage = states.contains(averaged + name);
      values.emplace_back(isAverage    ? name.substr(averaged.size())
                          : hasAverage ? kRawPrefix + name
                                       : name,
                          states.get(name));
    }
  });
  std::vector<io::NamedTensor> named;
  for (const auto& [name, tensor] : values) named.push_back({name, &tensor});
  auto metadata = model::toSafetensors(model.metadata());
  Json json{{"iteration", position.iteration}, {"settings", trainSettings(config)}, {"arithmetic", arithmetic(model)}};
  if (!config.best.metric.empty()) json["best"] = toJson(position.best);
  metadata[kKey] = json.dump();
  const std::string path = (std::filesystem::path(config.checkpoint.directory) / kFile).string();
  io::removeAbandoned(path);  // a run that is killed often would fill the disk
  io::writeSafetensors(path, named, metadata);
  return path;
}

Resumed resumeCheckpoint(model::Model& model, const TrainConfig& config, const std::string& path) {
  const io::SafetensorsFile file = io::SafetensorsFile::open(path);
  const auto stored = file.metadata().find(kKey);
  require(stored != file.metadata().end(), errors::kResumeMismatch,
          [&] { return path + " is no checkpoint of a training run; pass it to loadModel instead"; });
  const auto metadata = model::fromSafetensors(file.metadata(), path);
  require(metadata && metadata->spec == model.spec(), errors::kResumeMismatch, [&] {
    return path + " belongs to " + (metadata ? model::specToJson(metadata->spec) : "no network") + ", the run trains " +
           model::specToJson(model.spec());
  });
  Resumed resumed;
  try {
    const Json json = Json::parse(stored->second);
    resumed.position.iteration = json.at("iteration").get<int64_t>();
    require(resumed.position.iteration >= 0, errors::kCorruptFile, [&] { return path + ": a negative iteration"; });
    requireResumable(config, json.at("settings"), path);
    if (json.contains("best")) resumed.position.best = bestPositionFromJson(json.at("best"));
    const Json here = arithmetic(model), there = json.at("arithmetic");
    for (const auto& [name, value] : here.items())
      if (there.value(name, Json()) != value)
        resumed.warnings.push_back("the run continues with " + name + " " + value.dump() + " instead of " +
                                   there.value(name, Json()).dump() + ": it is not bit-exact");
  } catch (const Json::exception& error) {
    fail(errors::kCorruptFile, path + ": its checkpoint metadata is not usable: " + error.what());
  }
  model::checkStateDict(model::stateDictOf(file), model.spec(), path);
  if (const auto& best = resumed.position.best.validation) requireBestWeights(file, config, *best, path);
  std::vector<std::pair<std::string, Tensor>> values;
  const std::string raw = kRawPrefix;
  std::set<std::string> averaged;
  for (const io::SafetensorsEntry& entry : file.entries())
    if (entry.name.starts_with(raw)) averaged.insert(entry.name.substr(raw.size()));
  for (const io::SafetensorsEntry& entry : file.entries()) {
    const bool isRaw = entry.name.starts_with(raw), isAverage = averaged.contains(entry.name);
    values.emplace_back(isRaw       ? entry.name.substr(raw.size())
                        : isAverage ? kAveragePrefix + entry.name
                                    : entry.name,
                        file.load(entry.name));
  }
  model.engine().runAndWait([&] {
    for (const auto& [name, value] : values) model.states().set(name, value);
  });
  return resumed;
}

}  // namespace jcs::train
