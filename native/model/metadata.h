#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>

#include "compiler/quantization.h"
#include "data/slice.h"
#include "networks/registry.h"

namespace jcs::model {

/// What a saved model says of itself beside its weights; kept as text in the safetensors header under "jcs".
struct ModelMetadata {
  networks::NetworkSpec spec;
  int64_t inputSize = 224;  ///< height and width that images are resized to, pixels
  /// Images are RGB in [0, 1]; the network sees (x − mean) / deviation. ImageNet's, as the authors'.
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f};
  std::array<float, 3> deviation{0.229f, 0.224f, 0.225f};
  data::IntensityWindow window = data::kLungWindow;  ///< that it sees values through which are in HU
  double temperature = 1;                            ///< a classifier's, by which its log-odds are divided
  double minLesionAreaMm2 = 0;      ///< a segmenter's: where it decides alone, slices with more are positive
  std::string notice;               ///< what is to be said wherever it is used: terms, attribution; often empty
  std::string provenance;           ///< JSON: how it was trained; empty when it was not
  compiler::LayerRanges quantized;  ///< convolutions that inference may compute in bytes, by their inputs' ranges
};

std::string specToJson(const networks::NetworkSpec& spec);
/// INVALID_ARGUMENT naming the field.
networks::NetworkSpec specFromJson(const std::string& json);

/// The metadata of a fresh model of that spec.
ModelMetadata defaultMetadata(const networks::NetworkSpec& spec);
std::map<std::string, std::string> toSafetensors(const ModelMetadata& metadata);
/// Nothing when the file was not written by us. CORRUPT_FILE when it was and does not make sense.
std::optional<ModelMetadata> fromSafetensors(const std::map<std::string, std::string>& metadata,
                                             const std::string& source);

}  // namespace jcs::model
