#include "networks/backbone.h"

#include <array>
#include <charconv>

#include "networks/registry.h"

namespace jcs::networks {

namespace {

struct VggLayer {
  int index;  ///< of the convolution in torchvision's `features`; its batch norm follows
  const char* name;
};

constexpr std::array<VggLayer, 13> kVggLayers{{{0, "conv1_1"},
                                               {3, "conv1_2"},
                                               {7, "conv2_1"},
                                               {10, "conv2_2"},
                                               {14, "conv3_1"},
                                               {17, "conv3_2"},
                                               {20, "conv3_3"},
                                               {24, "conv4_1"},
                                               {27, "conv4_2"},
                                               {30, "conv4_3"},
                                               {34, "conv5_1"},
                                               {37, "conv5_2"},
                                               {40, "conv5_3"}}};

bool dropPrefix(std::string& name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return false;
  name.erase(0, prefix.size());
  return true;
}

/// 'features.N.rest' to 'N.rest', of convolutions alone.
std::optional<std::string> plainVggName(std::string name) {
  // Where the convolutions stand without batch norms between them.
  constexpr std::array kPlaces{0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28};
  if (!dropPrefix(name, "features.")) return std::nullopt;
  for (const int place : kPlaces)
    if (name.starts_with(std::to_string(place) + ".")) return name;
  return std::nullopt;
}

/// 'features.N.rest' to 'convX_Y.conv.rest' or 'convX_Y.bn.rest'.
std::optional<std::string> vggName(std::string name) {
  if (dropPrefix(name, "features.")) {
    int index = -1;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
    if (error != std::errc{} || *end != '.') return std::nullopt;
    const std::string rest(end);
    for (const VggLayer& layer : kVggLayers) {
      if (index == layer.index) return layer.name + std::string(".conv") + rest;
      if (index == layer.index + 1) return layer.name + std::string(".bn") + rest;
    }
    return std::nullopt;
  }
  for (const VggLayer& layer : kVggLayers)
    if (name.starts_with(std::string(layer.name) + ".")) return name;
  return std::nullopt;
}

/// ResNet's, too.
bool isRes2netName(const std::string& name) {
  for (const char* prefix : {"conv1.", "bn1.", "layer1.", "layer2.", "layer3.", "layer4."})
    if (name.starts_with(prefix)) return true;
  return false;
}

}  // namespace

std::optional<std::string> backboneParameterName(const NetworkSpec& spec, const std::string& fileName) {
  std::string name = fileName;
  dropPrefix(name, "module.");
  if (name.ends_with(".num_batches_tracked")) return std::nullopt;
  for (const Trunk& trunk : networkInfo(spec.network).trunks) {
    std::optional<std::string> layer;
    switch (trunk.kind) {
      case Trunk::Kind::kVgg16: layer = vggName(name); break;
      case Trunk::Kind::kVgg16WithoutNorm: layer = plainVggName(name); break;
      case Trunk::Kind::kRes2net:
      case Trunk::Kind::kResnet50:
        if (isRes2netName(name)) layer = name;
        break;
    }
    if (layer) return trunk.prefix + *layer;
  }
  return std::nullopt;
}

std::vector<std::string> backbonePrefixes(const NetworkSpec& spec) {
  std::vector<std::string> prefixes;
  for (const Trunk& trunk : networkInfo(spec.network).trunks) prefixes.push_back(trunk.prefix);
  return prefixes;
}

}  // namespace jcs::networks
