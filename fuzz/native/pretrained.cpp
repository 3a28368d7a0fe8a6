#include "model/pretrained.h"

#include "fuzz/native/source.h"
#include "model/parameters.h"

/// State dicts of whatever network, against the names and shapes of ours.

namespace jcs::fuzz {

namespace {

/// A file with a header of these tensors, of one byte each element, and no more than names and shapes that fit.
std::string stateDict(Source& source, const networks::NetworkSpec& spec) {
  const auto own = model::declareParameters(spec);
  std::string header = "{";
  uint64_t offset = 0;
  for (int64_t tensors = source.within(1, 24); tensors > 0; --tensors) {
    const auto& like = own[static_cast<size_t>(source.any<uint16_t>()) % own.size()];
    std::string name = (source.flag() ? "module." : "") + like.name;
    if (source.within(0, 7) == 0) {
      name = "x";
      for (const uint8_t byte : source.bytes(source.within(0, 12))) name += static_cast<char>('-' + byte % 70);
    }
    std::erase_if(name, [](char c) { return c == '"' || c == '\\'; });
    name += source.within(0, 15) == 0 ? std::to_string(tensors) : "";
    std::string shape;
    uint64_t elements = 1;
    for (int axis = 0; axis < like.shape.rank(); ++axis) {
      const auto extent = static_cast<uint64_t>(source.within(0, 15) == 0 ? source.within(0, 3) : like.shape[axis]);
      shape += (axis > 0 ? "," : "") + std::to_string(extent);
      elements *= extent;
    }
    header += (offset == 0 && header == "{" ? "\"" : ",\"") + name + R"(":{"dtype":"U8","shape":[)" + shape +
              R"(],"data_offsets":[)" + std::to_string(offset) + "," + std::to_string(offset + elements) + "]}";
    offset += elements;
  }
  return safetensors(header + "}", offset);
}

}  // namespace

void fuzzPretrained(Bytes bytes) {
  static const std::vector<networks::NetworkSpec> kSpecs = [] {
    std::vector<networks::NetworkSpec> specs;
    for (const char* network : {"unet", "jcs-segmentation", "res2net50-v1b", "jcs-joint"})
      specs.push_back({.network = network, .width = 0.05});
    return specs;
  }();
  Source source(bytes);
  const networks::NetworkSpec& spec = kSpecs[static_cast<size_t>(source.within(0, 3))];
  const std::string content = stateDict(source, spec);
  allowing({errors::kCorruptFile}, [&] {
    const auto file = io::SafetensorsFile::parse(std::as_bytes(std::span(content)));
    allowing({errors::kMissingParameter, errors::kUnexpectedParameter, errors::kShapeMismatch, errors::kWrongVariant,
              errors::kCorruptFile},
             [&] { model::checkStateDict(model::stateDictOf(file), spec, file.source()); });
    size_t taken = 0;
    for (const model::LayerMatch& layer : model::matchPretrained(file, spec).layers)
      if (layer.taken()) taken += layer.parameters.size();
    holds(taken <= file.entries().size(), "what is taken of a file is in it");
  });
}

}  // namespace jcs::fuzz
