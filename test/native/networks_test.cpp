#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "core/json.h"
#include "graph/autodiff.h"
#include "native/error_code.h"
#include "native/harness.h"
#include "native/reference_run.h"
#include "native/test_files.h"
#include "networks/backbone.h"
#include "networks/registry.h"
#include "nn/activation_map.h"
#include "nn/losses.h"
#include "ops/elementwise.h"
#include "ops/resize.h"

using namespace jcs;

namespace {

using Shapes = std::map<std::string, std::string>;

constexpr std::string_view kCounter = "num_batches_tracked";  // PyTorch's; none of our states

networks::NetworkSpec specOf(const std::string& network, Variant variant = Variant::kPaper, double width = 0.125) {
  return {.network = network, .variant = variant, .width = width};
}

Shapes statesOf(const Graph& graph) {
  Shapes shapes;
  for (const ValueInfo& value : graph.values())
    if (value.kind == ValueInfo::Kind::kState) shapes[value.name] = value.type.shape.toString();
  return shapes;
}

/// What one has and the other lacks, for the message of a failed test.
std::string differences(const Shapes& ours, const Shapes& expected) {
  std::string text;
  for (const auto& [name, shape] : expected)
    if (!ours.contains(name))
      text += " missing " + name + shape;
    else if (ours.at(name) != shape)
      text += " " + name + " is " + ours.at(name) + " instead of " + shape;
  for (const auto& [name, shape] : ours)
    if (!expected.contains(name)) text += " superfluous " + name + shape;
  return text;
}

/// Lines of a name and its shape, "(64, 3, 3, 3)" or "(64,)".
Shapes publishedShapes(const std::filesystem::path& file) {
  Shapes shapes;
  std::ifstream in(file);
  for (std::string name, shape; in >> name && std::getline(in, shape);) {
    const size_t open = shape.find('('), close = shape.find_last_not_of(",)");
    if (open == std::string::npos || name.ends_with(kCounter)) continue;
    shapes[name] = "[" + shape.substr(open + 1, close - open) + "]";
  }
  return shapes;
}

/// Every graph of a network that training uses, with gradients of everything trainable.
struct TrainingGraph {
  Graph graph;
  std::vector<std::string> trained;

  TrainingGraph(const networks::NetworkSpec& spec, int64_t n, int64_t h, int64_t w, networks::BuildOptions options) {
    options.training = true;
    const Scope root(graph);
    const Value image = graph.input("image", {DType::kF32, {n, h, w, 3}});
    Value loss;
    if (networks::networkInfo(spec.network).task == networks::Task::kClassification) {
      const networks::ClassifierOutputs out = networks::buildClassifier(root, image, spec, options);
      const Shape& map = out.features.shape();
      const Value targets = graph.input("targets", {DType::kF32, {n, 2}});
      const Value masks = graph.input("masks", {DType::kF32, {n, map[1], map[2], 1}});
      const Value weights = graph.input("weights", {DType::kF32, {n}});
      loss = add(classificationLoss(out.logits, targets),
                 activationLoss(out.features, out.headWeight, masks, weights, spec.variant));
    } else {
      const networks::SegmenterOutputs out = networks::buildSegmenter(root, image, spec, options);
      for (const Value& side : out.sideLogits)
        if (side.shape() != Shape{n, h, w, 1}) throw std::runtime_error("a side is not at the image's size");
      const Value mask = graph.input("mask", {DType::kF32, {n, h, w, 1}});
      loss = segmentationLoss(out.sideLogits, mask).total;
      if (out.edgeLogits) loss = add(loss, edgeLoss(*out.edgeLogits, mask));
    }
    std::vector<Value> parameters;
    for (const ValueId id : graph.values().ids()) {
      const ValueInfo& value = graph.values()[id];
      if (value.kind != ValueInfo::Kind::kState || !value.state.trainable) continue;
      parameters.push_back(graph.value(id));
      trained.push_back(value.name);
    }
    const std::vector<Value> results = gradients(loss, parameters, add);
    for (size_t i = 0; i < results.size(); ++i)
      if (graph.info(results[i]).kind != ValueInfo::Kind::kComputed)
        throw std::runtime_error("the loss does not depend on " + trained[i]);
  }

  bool trains(const std::string& prefix) const {
    return std::ranges::any_of(trained, [&](const std::string& name) { return name.starts_with(prefix); });
  }
};

}  // namespace

TEST("networks: the state dicts of the authors and of the comparators, name by name at full width") {
  const std::filesystem::path folder = sharedFolder() / "fixtures";
  if (!std::filesystem::exists(folder))
    test::skip(folder.string() + " is absent; set JCS_SHARED to the folder that has fixtures/");
  const std::pair<const char*, const char*> files[] = {{"single", "jcs-segmentation"},
                                                       {"joint", "jcs-joint"},
                                                       {"cls", "res2net101-v1b"},
                                                       {"unet", "unet"},
                                                       {"dss", "dss"},
                                                       {"poolnet", "poolnet"},
                                                       {"egnet", "egnet"}};
  for (const auto& [file, network] : files) {
    const Shapes expected = publishedShapes(folder / ("keys_" + std::string(file) + ".txt"));
    CHECK(expected.size() > 80);
    const auto graph = networks::inferenceGraph(specOf(network, Variant::kAuthors, 1), 1, 64, 64);
    CHECK_EQUAL(differences(statesOf(*graph), expected), "");
  }
}

TEST("networks: both variants have the state dicts that the PyTorch definitions have, at two widths") {
  std::ifstream in(fixturePath("state_dict_names.json"));
  const auto networks = nlohmann::json::parse(in).at("networks");
  CHECK(networks.size() == 10);
  for (const auto& [key, listing] : networks.items()) {
    const std::string network = key.substr(0, key.find(' ')), variant = key.substr(key.find(' ') + 1);
    for (const int column : {1, 2}) {
      Shapes expected;
      const auto expect = [&](const std::string& prefix, const nlohmann::json& entries, const std::string& dropped) {
        for (const auto& entry : entries) {
          const std::string name = entry[0];
          if (!name.ends_with(kCounter) && (dropped.empty() || !name.starts_with(dropped)))
            expected[prefix + name] = Shape(entry[size_t(column)].get<std::vector<int64_t>>()).toString();
        }
      };
      expect("", listing.at("entries"), "");
      if (network == "jcs-joint") expect("res2net.", networks.at("res2net101-v1b paper").at("entries"), "fc.");
      const auto graph = networks::inferenceGraph(
          specOf(network, networks::parseVariant(variant), column == 1 ? 1 : 0.125), 1, 64, 64);
      CHECK_EQUAL(differences(statesOf(*graph), expected), "");
    }
  }
}

TEST("networks: every one builds forward and backward at odd sizes, both variants") {
  for (const std::string& network : networks::networkNames())
    for (const Variant variant : {Variant::kPaper, Variant::kAuthors})
      for (const auto& [n, h, w] : {std::array<int64_t, 3>{2, 33, 47}, {1, 75, 109}}) {
        const networks::NetworkSpec spec = networks::untrained(specOf(network, variant));
        const TrainingGraph graph(spec, n, h, w, {});
        CHECK(graph.trained.size() > 20);
        const bool classifier = networks::networkInfo(network).task == networks::Task::kClassification;
        const auto inference = networks::inferenceGraph(spec, n, h, w, classifier);
        std::vector<std::string> names;
        for (const auto& [name, id] : inference->outputs()) names.push_back(name);
        std::vector<std::string> expected = networks::networkInfo(network).outputs;
        if (classifier) expected.emplace_back("activationMap");
        std::ranges::sort(expected);
        CHECK(names == expected);
      }
}

TEST("networks: the smallest image is 32×32, a smaller one is a typed error") {
  for (const std::string& network : networks::networkNames()) {
    for (const Variant variant : {Variant::kPaper, Variant::kAuthors})
      CHECK_EQUAL(codeOf([&] { networks::inferenceGraph(specOf(network, variant), 1, 32, 32); }), "");
    CHECK_ERROR([&] { networks::inferenceGraph(specOf(network), 1, 31, 64); }, errors::kInputTooSmall);
    CHECK_ERROR([&] { networks::inferenceGraph(specOf(network), 1, 64, 31); }, errors::kInputTooSmall);
  }
  CHECK_ERROR([] { networks::inferenceGraph(specOf("unet"), 1, 20, 64); }, errors::kInputTooSmall, "20×64", "'unet'",
              "32");
}

TEST("networks: a wrong spec names the field, its value and what is allowed") {
  const auto message = [](auto change) {
    networks::NetworkSpec spec = specOf("jcs-joint");
    change(spec);
    return messageOf([&] { networks::validate(spec); });
  };
  CHECK_EQUAL(message([](networks::NetworkSpec&) {}), "");
  CHECK(message([](networks::NetworkSpec& s) { s.network = "vgg"; }) ==
        "spec.network is 'vgg'; allowed: 'res2net50-v1b', 'res2net101-v1b', 'jcs-segmentation', 'jcs-joint', 'unet', "
        "'dss', 'poolnet', 'egnet'");
  CHECK_EQUAL(message([](networks::NetworkSpec& s) { s.width = 0; }),
              "spec.width is 0; allowed: more than 0, at most 4");
  CHECK(message([](networks::NetworkSpec& s) { s.width = std::nan(""); }).starts_with("spec.width is nan"));
  CHECK(message([](networks::NetworkSpec& s) { s.trunk = "unet"; }) ==
        "spec.trunk is 'unet'; allowed: 'res2net50-v1b', 'res2net101-v1b'");
  for (const int64_t stride : {8, 16, 32})
    CHECK_EQUAL(message([&](networks::NetworkSpec& s) { s.outputStride = stride; }), "");
  CHECK_EQUAL(message([](networks::NetworkSpec& s) { s.outputStride = 4; }),
              "spec.outputStride is 4; allowed: 8, 16, 32");
  CHECK_EQUAL(message([](networks::NetworkSpec& s) { s.network = "unet", s.outputStride = 16; }),
              "spec.outputStride is 16; allowed: 32, since 'unet' has no Res2Net");
  CHECK(message([](networks::NetworkSpec& s) { s.network = "unet", s.efm = false; }).starts_with("spec.efm is false"));
  CHECK(message([](networks::NetworkSpec& s) {
          s.network = "res2net50-v1b", s.aff = false;
        }).starts_with("spec.aff is false"));
  CHECK_ERROR([] { networks::parseVariant("ours"); }, errors::kInvalidArgument);

  Graph graph;
  const Value image = graph.input("image", {DType::kF32, {1, 64, 64, 3}});
  CHECK_ERROR([&] { networks::buildSegmenter(Scope(graph), image, specOf("res2net50-v1b")); },
              errors::kInvalidArgument);
  CHECK_ERROR([&] { networks::buildClassifier(Scope(graph), image, specOf("unet")); }, errors::kInvalidArgument);
  CHECK_ERROR([&] { networks::inferenceGraph(specOf("unet"), 1, 64, 64, true); }, errors::kInvalidArgument);
  const Value gray = graph.input("gray", {DType::kF32, {1, 64, 64, 1}});
  CHECK_ERROR([&] { networks::buildSegmenter(Scope(graph), gray, specOf("unet")); }, errors::kShapeMismatch);
}

TEST("networks: the authors' joint network shrinks its sixth map to the coarser fifth") {
  const auto graph = networks::inferenceGraph(specOf("jcs-joint", Variant::kAuthors), 1, 128, 128);
  bool shrinks = false;
  for (const Node& node : graph->nodes()) {
    if (!is<Resize>(*node.op) || node.scope != "fpn.inners_b.4") continue;
    const Shape& from = graph->values()[node.inputs[0]].type.shape;
    const Shape& to = graph->values()[node.outputs[0]].type.shape;
    CHECK(from[1] == 8 && to[1] == 4);  // 128/16 from the encoder, 128/32 from the classifier
    shrinks = true;
  }
  CHECK(shrinks);
}

TEST("networks: what is trained follows the batch-norm mode and trainTrunk") {
  const networks::NetworkSpec joint = networks::untrained(specOf("jcs-joint", Variant::kAuthors));
  const TrainingGraph frozen(joint, 2, 64, 64, {.batchNorm = BatchNormMode::kFrozen});
  CHECK(!frozen.trains("res2net.") && frozen.trains("vgg16.conv1_1.conv.") && !frozen.trains("vgg16.conv1_1.bn."));
  CHECK(frozen.trains("fuse.cat_modules.0.bn.weight"));  // the combination's statistics are stored, its affine learnt
  CHECK(frozen.graph.assignments().empty());

  const TrainingGraph batch(joint, 2, 64, 64, {});
  CHECK(batch.trains("vgg16.conv1_1.bn.weight") && !batch.trains("vgg16.conv1_1.bn.running_mean"));
  CHECK(batch.graph.assignments().size() == 2 * (13 + 15));  // the running statistics of VGG and the combination

  const TrainingGraph whole(joint, 2, 64, 64, {.trainTrunk = true});
  CHECK(whole.trains("res2net.layer4.2.bn3.weight"));
}

TEST("networks: batch statistics that cannot be are refused") {
  networks::NetworkSpec loaded = specOf("jcs-segmentation", Variant::kAuthors);  // no epsilon: a converted checkpoint
  CHECK_ERROR([&] { TrainingGraph(loaded, 2, 64, 64, {}); }, errors::kInvalidArgument);
  CHECK_EQUAL(codeOf([&] { TrainingGraph(loaded, 2, 64, 64, {.batchNorm = BatchNormMode::kEval}); }), "");
  CHECK_EQUAL(codeOf([&] { TrainingGraph(networks::untrained(loaded), 2, 64, 64, {}); }), "");
  // 32×32 leaves Res2Net's last stage one pixel.
  CHECK_ERROR([&] { TrainingGraph(specOf("res2net50-v1b"), 1, 32, 32, {}); }, errors::kBatchNormBatchTooSmall);
}

TEST("networks: ImageNet files fill the trunks completely") {
  const auto fill = [](const networks::NetworkSpec& spec, const std::vector<std::string>& file) {
    std::set<std::string> filled;
    for (const std::string& name : file)
      if (const auto ours = networks::backboneParameterName(spec, name)) filled.insert(*ours);
    return filled;
  };
  const auto namesOf = [](const networks::NetworkSpec& spec, const std::string& prefix) {
    std::set<std::string> names;
    for (const auto& [name, shape] : statesOf(*networks::inferenceGraph(spec, 1, 64, 64)))
      if (name.starts_with(prefix) && !name.starts_with("fc.")) names.insert(name);
    return names;
  };

  // torchvision's vgg16_bn: features are (conv, bn, relu) × 13 with a pooling after layers 2, 4, 7, 10 and 13.
  std::vector<std::string> vgg{"classifier.0.weight", "classifier.6.bias"};
  int index = 0;
  for (int layer = 1; layer <= 13; ++layer) {
    for (const char* field : {"weight", "bias"}) vgg.push_back("features." + std::to_string(index) + "." + field);
    for (const char* field : {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"})
      vgg.push_back("features." + std::to_string(index + 1) + "." + field);
    index += layer == 2 || layer == 4 || layer == 7 || layer == 10 ? 4 : 3;
  }
  const networks::NetworkSpec single = specOf("jcs-segmentation");
  CHECK(fill(single, vgg) == namesOf(single, "vgg16."));
  CHECK_EQUAL(networks::backboneParameterName(single, "module.conv5_3.bn.weight"), "vgg16.conv5_3.bn.weight");
  CHECK(!networks::backboneParameterName(single, "layer1.0.conv1.weight"));
  CHECK(!networks::backboneParameterName(single, "features.x.weight") &&
        !networks::backboneParameterName(single, "features.2.weight"));

  std::vector<std::string> imagenet{"fc.weight", "fc.bias", "bn1.num_batches_tracked"};
  for (const std::string& name : namesOf(specOf("res2net101-v1b"), "")) imagenet.push_back(name);
  CHECK(fill(specOf("res2net101-v1b"), imagenet) == namesOf(specOf("res2net101-v1b"), ""));
  CHECK(fill(specOf("jcs-joint"), imagenet) == namesOf(specOf("jcs-joint"), "res2net."));

  // torchvision's vgg16: features are (conv, relu) × 13 with the same poolings.
  std::vector<std::string> plain{"classifier.0.weight", "classifier.6.bias"};
  index = 0;
  for (int layer = 1; layer <= 13; ++layer) {
    for (const char* field : {"weight", "bias"}) plain.push_back("features." + std::to_string(index) + "." + field);
    index += layer == 2 || layer == 4 || layer == 7 || layer == 10 ? 3 : 2;
  }
  CHECK(fill(specOf("dss"), plain) == namesOf(specOf("dss"), "base."));

  // torchvision's resnet50: PoolNet's own pyramid is beside it.
  std::vector<std::string> resnet{"fc.weight", "fc.bias", "bn1.num_batches_tracked"};
  for (const std::string& name : namesOf(specOf("egnet"), "base.")) resnet.push_back(name.substr(5));
  CHECK(resnet.size() == 3 + 53 * 5);
  CHECK(fill(specOf("egnet"), resnet) == namesOf(specOf("egnet"), "base."));
  CHECK(fill(specOf("poolnet"), resnet) == namesOf(specOf("poolnet"), "base.resnet."));
}

TEST("networks: DSS's prediction is the mean of its fusion and its second to fourth side") {
  const auto graph = networks::inferenceGraph(specOf("dss"), 1, 64, 64);
  const NamedTensors inputs = [] {
    NamedTensors images;
    images["image"] = Tensor::zeros(DType::kF32, {1, 64, 64, 3});
    for (size_t i = 0; i < 64 * 64 * 3; ++i) images["image"].as<float>()[i] = std::sin(static_cast<float>(i % 97));
    return images;
  }();
  NamedTensors weights;
  for (const ValueInfo& value : graph->values()) {
    if (value.kind != ValueInfo::Kind::kState) continue;
    weights[value.name] = Tensor::zeros(DType::kF32, value.type.shape);
    for (size_t i = 0; auto& weight : weights[value.name].as<float>())
      weight = 0.1f * std::cos(static_cast<float>(i++));
  }
  const ReferenceRun run = runOnReference(*graph, inputs, weights);
  const auto at = [&](int side, size_t i) { return run.outputs.at("side" + std::to_string(side)).as<double>()[i]; };
  double spread = 0;
  for (size_t i = 0; i < 64 * 64; ++i) {
    CHECK_NEAR(at(1, i), (at(2, i) + at(4, i) + at(5, i) + at(6, i)) / 4, 1e-12);
    spread = std::max(spread, std::abs(at(2, i) - at(4, i)));
  }
  CHECK(spread > 1e-3);  // or any of them would do
}
