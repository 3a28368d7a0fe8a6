#include "model/metadata.h"

#include <cmath>

#include "core/json.h"

namespace jcs::model {

namespace {

using Json = nlohmann::json;
constexpr const char* kKey = "jcs";
/// 2: has a window, which older readers would ignore. Files of 1 were trained for the lung window.
/// 3: has an output stride other than 32, which they would ignore as well; other files stay readable for them.
/// 4: has a temperature other than 1.
constexpr int kFormat = 4;

/// The oldest readers that understand all of it.
int formatOf(const ModelMetadata& metadata) {
  if (metadata.temperature != 1) return 4;
  return metadata.spec.outputStride != networks::NetworkSpec().outputStride ? 3 : 2;
}

Json specJson(const networks::NetworkSpec& spec) {
  Json json{{"network", spec.network},
            {"variant", networks::nameOf(spec.variant)},
            {"width", spec.width},
            {"efm", spec.efm},
            {"aff", spec.aff},
            {"trunk", spec.trunk},
            {"outputStride", spec.outputStride}};
  if (spec.trunkEpsilon) json["trunkEpsilon"] = *spec.trunkEpsilon;
  if (spec.classifierEpsilon) json["classifierEpsilon"] = *spec.classifierEpsilon;
  return json;
}

networks::NetworkSpec parseSpec(const Json& json) {
  networks::NetworkSpec spec;
  spec.network = json.value("network", "");
  spec.variant = networks::parseVariant(json.value("variant", "paper"));
  spec.width = json.value("width", 1.0);
  spec.efm = json.value("efm", true);
  spec.aff = json.value("aff", true);
  spec.trunk = json.value("trunk", spec.trunk);
  spec.outputStride = json.value("outputStride", spec.outputStride);
  if (json.contains("trunkEpsilon")) spec.trunkEpsilon = json["trunkEpsilon"].get<float>();
  if (json.contains("classifierEpsilon")) spec.classifierEpsilon = json["classifierEpsilon"].get<float>();
  networks::validate(spec);
  return spec;
}

}  // namespace

std::string specToJson(const networks::NetworkSpec& spec) { return specJson(spec).dump(); }

networks::NetworkSpec specFromJson(const std::string& text) {
  try {
    return parseSpec(Json::parse(text));
  } catch (const Json::exception& error) {
    fail(errors::kInvalidArgument, std::string("the model spec is not understood: ") + error.what());
  }
}

ModelMetadata defaultMetadata(const networks::NetworkSpec& spec) {
  ModelMetadata metadata;
  metadata.spec = spec;
  metadata.inputSize = networks::networkInfo(spec.network).inputSize;
  return metadata;
}

std::map<std::string, std::string> toSafetensors(const ModelMetadata& metadata) {
  Json json{{"format", formatOf(metadata)},
            {"spec", specJson(metadata.spec)},
            {"inputSize", metadata.inputSize},
            {"mean", metadata.mean},
            {"deviation", metadata.deviation},
            {"window", {{"center", metadata.window.center}, {"width", metadata.window.width}}}};
  if (metadata.temperature != 1) json["temperature"] = metadata.temperature;
  if (metadata.minLesionAreaMm2 > 0) json["minLesionAreaMm2"] = metadata.minLesionAreaMm2;
  if (!metadata.notice.empty()) json["notice"] = metadata.notice;
  if (!metadata.provenance.empty()) json["provenance"] = Json::parse(metadata.provenance);
  for (const auto& [layer, range] : metadata.quantized) json["quantized"][layer] = {range.low, range.high};
  return {{"format", "pt"}, {kKey, json.dump()}};
}

std::optional<ModelMetadata> fromSafetensors(const std::map<std::string, std::string>& entries,
                                             const std::string& source) {
  const auto found = entries.find(kKey);
  if (found == entries.end()) return std::nullopt;
  const auto corrupt = [&](const std::string& what) {
    fail(errors::kCorruptFile, source + ": its jcs metadata is not usable: " + what);
  };
  try {
    const Json json = Json::parse(found->second);
    if (json.value("format", 0) > kFormat) corrupt("it was written by a newer version of jcs-ct; update the package");
    ModelMetadata metadata;
    metadata.spec = parseSpec(json.at("spec"));
    metadata.inputSize = json.at("inputSize").get<int64_t>();
    metadata.mean = json.at("mean").get<std::array<float, 3>>();
    metadata.deviation = json.at("deviation").get<std::array<float, 3>>();
    if (json.value("format", 0) >= 2) {
      const Json& window = json.at("window");
      metadata.window = {window.at("center").get<double>(), window.at("width").get<double>()};
      data::validate(metadata.window, "it");
    }
    metadata.notice = json.value("notice", "");
    metadata.temperature = json.value("temperature", 1.0);
    if (!(metadata.temperature > 0 && std::isfinite(metadata.temperature))) corrupt("temperature is not positive");
    metadata.minLesionAreaMm2 = json.value("minLesionAreaMm2", 0.0);
    if (!(metadata.minLesionAreaMm2 >= 0)) corrupt("minLesionAreaMm2 is negative");
    const Json quantized = json.value("quantized", Json::object());
    for (const auto& [layer, range] : quantized.items()) {
      const auto [low, high] = range.get<std::array<float, 2>>();
      if (!(low <= high && std::isfinite(low) && std::isfinite(high))) corrupt("the range of '" + layer + "' is none");
      metadata.quantized[layer] = {low, high};
    }
    if (json.contains("provenance")) metadata.provenance = json["provenance"].dump();
    if (metadata.inputSize < networks::kSmallestInput || metadata.inputSize > networks::kLargestInput)
      corrupt("inputSize is out of range");
    for (size_t i = 0; i < 3; ++i)
      if (!std::isfinite(metadata.mean[i]) || !std::isfinite(metadata.deviation[i]) || !(metadata.deviation[i] > 0))
        corrupt("the normalisation is not finite");
    return metadata;
  } catch (const Json::exception& error) {
    corrupt(error.what());
  } catch (const Error& error) {
    if (error.code() == errors::kCorruptFile) throw;
    corrupt(error.what());
  }
  return std::nullopt;
}

}  // namespace jcs::model
