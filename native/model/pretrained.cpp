#include "model/pretrained.h"

#include <algorithm>
#include <set>

#include "model/parameters.h"

namespace jcs::model {

namespace {

std::string layerOf(const std::string& parameter) {
  const size_t dot = parameter.rfind('.');
  return dot == std::string::npos ? "" : parameter.substr(0, dot);
}

}  // namespace

PretrainedMatch matchPretrained(const io::SafetensorsFile& file, const networks::NetworkSpec& spec) {
  const auto entries = stateDictOf(file);
  PretrainedMatch match;
  for (const ParameterDeclaration& declared : declareParameters(spec)) {
    const std::string layer = layerOf(declared.name);
    auto found = std::ranges::find(match.layers, layer, &LayerMatch::layer);
    if (found == match.layers.end()) found = match.layers.insert(found, LayerMatch{.layer = layer});
    found->parameters.push_back(declared.name);
    if (!found->taken()) continue;
    const auto entry = entries.find(declared.name);
    if (entry == entries.end()) {
      found->reason = "the file has no '" + declared.name + "'";
    } else if (!sameShape(*entry->second, declared.shape)) {
      found->reason = "'" + declared.name + "' is " + shapeText(entry->second->shape) + " in the file and " +
                      declared.shape.toString() + " in the network";
    }
  }
  std::set<std::string> used;
  for (const LayerMatch& layer : match.layers)
    if (layer.taken()) used.insert(layer.parameters.begin(), layer.parameters.end());
  for (const auto& [name, entry] : entries)
    if (!used.contains(name)) match.unused.push_back(name);
  return match;
}

}  // namespace jcs::model
