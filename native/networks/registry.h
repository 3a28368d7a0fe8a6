#pragma once

#include <memory>
#include <optional>

#include "networks/build.h"

namespace jcs::networks {

enum class Task { kClassification, kSegmentation };
const char* nameOf(Task task);
/// INVALID_ARGUMENT for a name that is none.
Task parseTask(const std::string& name);

/// A part of a network that ImageNet files, or a trained classifier, can fill.
struct Trunk {
  enum class Kind {
    kVgg16,             ///< with batch norm
    kVgg16WithoutNorm,  ///< torchvision's plain one
    kRes2net,
    kResnet50,
  };
  Kind kind;
  std::string prefix;  ///< of its parameters' names
};

struct NetworkInfo {
  std::string name;
  Task task;
  int64_t inputSize;                 ///< default height and width of the images it is fed, in pixels
  std::vector<std::string> outputs;  ///< of `inferenceGraph`
  std::vector<Trunk> trunks;
  bool hasAblations = false;  ///< has the switches `efm` and `aff`
  /// Builds a segmenter; null for classifiers, which are one network of several depths.
  SegmenterOutputs (*segmenter)(const Scope&, Value image, const NetworkSpec&, const BuildOptions&) = nullptr;

  /// Where the features of a classifier enter a segmenter (figure 4), or null.
  const Trunk* classifierTrunk() const;
};

/// Smallest height and width of an image: the deepest maps then still have one pixel.
inline constexpr int64_t kSmallestInput = 32;
/// Largest that is accepted; what the memory holds is less.
inline constexpr int64_t kLargestInput = 16384;

/// Every network, in the order of the documentation.
const std::vector<NetworkInfo>& networks();
std::vector<std::string> networkNames(std::optional<Task> task = std::nullopt);
/// Throws INVALID_ARGUMENT listing the names when there is no such network.
const NetworkInfo& networkInfo(const std::string& name);

/// Builds a network on `image`, N×H×W×3, its parameters named below `scope`. Both throw INVALID_ARGUMENT for a wrong
/// spec or task, SHAPE_MISMATCH when the image does not have three channels, and INPUT_TOO_SMALL below 32×32.
ClassifierOutputs buildClassifier(const Scope& scope, Value image, const NetworkSpec& spec,
                                  const BuildOptions& options = {});
SegmenterOutputs buildSegmenter(const Scope& scope, Value image, const NetworkSpec& spec,
                                const BuildOptions& options = {});

/// N×H×W×3.
inline constexpr InputPort<float> kImageInput{"image"};
/// Of classifiers, N×2 and N×h×w×1.
inline constexpr OutputPort<float> kLogitsOutput{"logits"}, kActivationMapOutput{"activationMap"};

/// Adds the network for inference and its outputs: of classifiers 'logits' N×2 and, on request, 'activationMap' N×h×w×1
/// (raw, eq. 2); of segmenters 'side1'.. and, where there is one, 'edge', N×H×W×1, probabilities. side1 is the final
/// prediction; where that is a mean of sides, these follow as side2...
void addInferenceOutputs(Graph& graph, Value image, const NetworkSpec& spec, bool withActivationMap);

/// The same on an input 'image' N×H×W×3.
std::unique_ptr<Graph> inferenceGraph(const NetworkSpec& spec, int64_t n, int64_t height, int64_t width,
                                      bool withActivationMap = false);

}  // namespace jcs::networks
