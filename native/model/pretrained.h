#pragma once

#include <string>
#include <vector>

#include "io/safetensors.h"
#include "networks/spec.h"

namespace jcs::model {

/// What a file has for one layer, the parameters that share a name up to its last dot. A layer is taken wholly or not
/// at all: half a batch norm is none.
struct LayerMatch {
  std::string layer;
  std::vector<std::string> parameters = {};  ///< by their whole names
  std::string reason = {};                   ///< why the layer is not taken; empty where it is

  bool taken() const { return reason.empty(); }
};

struct PretrainedMatch {
  std::vector<LayerMatch> layers;   ///< of the network, in the order of its parameters
  std::vector<std::string> unused;  ///< tensors of the file, by our names, of no layer that is taken
};

/// Compares a state dict of whatever network, a file of ours or not, with a network's parameters by name and shape.
PretrainedMatch matchPretrained(const io::SafetensorsFile& file, const networks::NetworkSpec& spec);

}  // namespace jcs::model
