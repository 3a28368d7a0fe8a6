#include "networks/registry.h"

#include <algorithm>

#include "networks/dss.h"
#include "networks/egnet.h"
#include "networks/jcs_joint.h"
#include "networks/jcs_segmentation.h"
#include "networks/poolnet.h"
#include "networks/res2net.h"
#include "networks/unet.h"
#include "nn/activation_map.h"
#include "ops/elementwise.h"

namespace jcs::networks {

namespace {

void checkImage(Value image, const NetworkSpec& spec, Task task) {
  validate(spec);
  require(networkInfo(spec.network).task == task, errors::kInvalidArgument, [&] {
    return "network '" + spec.network + "' is no " + (task == Task::kClassification ? "classifier" : "segmenter") +
           "; use a spec whose network is one";
  });
  const Shape& shape = image.shape();
  require(shape.rank() == 4 && shape[0] > 0 && shape.channels() == 3, errors::kShapeMismatch, [&] {
    return "network '" + spec.network + "' takes images of 3 channels, N×H×W×3, got " + shape.toString();
  });
  require(std::min(shape[1], shape[2]) >= kSmallestInput, errors::kInputTooSmall, [&] {
    return "images of " + std::to_string(shape[1]) + "×" + std::to_string(shape[2]) + " pixels are too small for '" +
           spec.network + "': both sides must be at least " + std::to_string(kSmallestInput) +
           "; use a larger inputSize";
  });
}

std::vector<std::string> sides(int count) {
  std::vector<std::string> names;
  for (int side = 1; side <= count; ++side) names.push_back("side" + std::to_string(side));
  return names;
}

std::vector<std::string> sidesAndEdge(int count) {
  std::vector<std::string> names = sides(count);
  names.emplace_back("edge");
  return names;
}

}  // namespace

const Trunk* NetworkInfo::classifierTrunk() const {
  const auto found = std::ranges::find(trunks, Trunk::Kind::kRes2net, &Trunk::kind);
  return task == Task::kSegmentation && found != trunks.end() ? &*found : nullptr;
}

const char* nameOf(Task task) { return task == Task::kClassification ? "classification" : "segmentation"; }

Task parseTask(const std::string& name) {
  for (const Task task : {Task::kClassification, Task::kSegmentation})
    if (name == nameOf(task)) return task;
  fail(errors::kInvalidArgument, "task must be 'classification' or 'segmentation', got '" + name + "'");
}

const std::vector<NetworkInfo>& networks() {
  static const Trunk vgg{Trunk::Kind::kVgg16, "vgg16."}, res2net{Trunk::Kind::kRes2net, "res2net."};
  static const Trunk whole{Trunk::Kind::kRes2net, ""}, plainVgg{Trunk::Kind::kVgg16WithoutNorm, "base."};
  static const Trunk resnet{Trunk::Kind::kResnet50, "base."}, poolnetResnet{Trunk::Kind::kResnet50, "base.resnet."};
  static const std::vector<NetworkInfo> all{
      {"res2net50-v1b", Task::kClassification, 224, {"logits"}, {whole}},
      {"res2net101-v1b", Task::kClassification, 224, {"logits"}, {whole}},
      {"jcs-segmentation", Task::kSegmentation, 512, sides(5), {vgg}, true, jcsSegmentation},
      {"jcs-joint", Task::kSegmentation, 512, sides(5), {vgg, res2net}, true, jcsJoint},
      {"unet", Task::kSegmentation, 512, sides(1), {}, false, unet},
      {"dss", Task::kSegmentation, 512, sides(8), {plainVgg}, false, dss},
      {"poolnet", Task::kSegmentation, 512, sides(1), {poolnetResnet}, false, poolnet},
      {"egnet", Task::kSegmentation, 512, sidesAndEdge(9), {resnet}, false, egnet},
  };
  return all;
}

std::vector<std::string> networkNames(std::optional<Task> task) {
  std::vector<std::string> names;
  for (const NetworkInfo& info : networks())
    if (!task || info.task == *task) names.push_back(info.name);
  return names;
}

const NetworkInfo& networkInfo(const std::string& name) {
  const auto found = std::ranges::find(networks(), name, &NetworkInfo::name);
  if (found != networks().end()) return *found;
  std::string allowed;
  for (const std::string& other : networkNames()) allowed += (allowed.empty() ? "'" : ", '") + other + "'";
  fail(errors::kInvalidArgument, "spec.network is '" + name + "'; allowed: " + allowed);
}

ClassifierOutputs buildClassifier(const Scope& scope, Value image, const NetworkSpec& spec,
                                  const BuildOptions& options) {
  checkImage(image, spec, Task::kClassification);
  return res2netClassifier(scope, image, spec, options);
}

SegmenterOutputs buildSegmenter(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions& options) {
  checkImage(image, spec, Task::kSegmentation);
  return networkInfo(spec.network).segmenter(scope, image, spec, options);
}

void addInferenceOutputs(Graph& graph, Value image, const NetworkSpec& spec, bool withActivationMap) {
  const Scope root(graph);
  if (networkInfo(spec.network).task == Task::kClassification) {
    const ClassifierOutputs outputs = buildClassifier(root, image, spec);
    graph.output(kLogitsOutput, outputs.logits);
    if (withActivationMap)
      graph.output(kActivationMapOutput, activationMap(outputs.features, outputs.headWeight, spec.variant));
  } else {
    require(!withActivationMap, errors::kInvalidArgument,
            [&] { return "activation maps come from classifiers, and '" + spec.network + "' is a segmenter"; });
    const SegmenterOutputs outputs = buildSegmenter(root, image, spec);
    const NodeLabel label = root.label();
    int side = 0;
    const auto output = [&](Value probability) { graph.output("side" + std::to_string(++side), probability); };
    if (outputs.predictionSides.size() > 1) output(prediction(outputs));
    for (const Value& logits : outputs.sideLogits) output(sigmoid(logits));
    if (outputs.edgeLogits) graph.output("edge", sigmoid(*outputs.edgeLogits));
  }
}

std::unique_ptr<Graph> inferenceGraph(const NetworkSpec& spec, int64_t n, int64_t height, int64_t width,
                                      bool withActivationMap) {
  auto graph = std::make_unique<Graph>();
  addInferenceOutputs(*graph, graph->input(kImageInput, {n, height, width, 3}), spec, withActivationMap);
  return graph;
}

}  // namespace jcs::networks
