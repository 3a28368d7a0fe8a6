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
    if (trunk.kind == Trunk::Kind::kRes2net && isRes2netName(name)) return trunk.prefix + name;
    if (trunk.kind != Trunk::Kind::kVgg16) continue;
    if (const auto layer = vggName(name)) return trunk.prefix + *layer;
  }
  return std::nullopt;
}

std::vector<std::string> backbonePrefixes(const NetworkSpec& spec) {
  std::vector<std::string> prefixes;
  for (const Trunk& trunk : networkInfo(spec.network).trunks) prefixes.push_back(trunk.prefix);
  return prefixes;
}

}  // namespace jcs::networks
