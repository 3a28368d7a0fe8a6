#include "model/metadata.h"

#include "fuzz/native/source.h"

/// What a model file says of itself.

namespace jcs::fuzz {

void fuzzMetadata(Bytes bytes) {
  const std::string text(bytes.begin(), bytes.end());
  allowing({errors::kInvalidArgument}, [&] {
    const networks::NetworkSpec spec = model::specFromJson(text);
    holds(model::specToJson(model::specFromJson(model::specToJson(spec))) == model::specToJson(spec),
          "a spec that is written is read as the same");
  });
  allowing({errors::kCorruptFile}, [&] {
    const auto metadata = model::fromSafetensors({{"jcs", text}}, "a file");
    const auto written = model::toSafetensors(*metadata);
    holds(model::toSafetensors(*model::fromSafetensors(written, "a file")) == written,
          "metadata that is written is read as the same");
  });
}

}  // namespace jcs::fuzz
