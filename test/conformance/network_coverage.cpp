#include "conformance/network_coverage.h"

#include <algorithm>
#include <set>

#include "compiler/passes.h"
#include "conformance/coverage.h"
#include "data/slice_store.h"
#include "diagnosis/inference_graph.h"
#include "native/images.h"
#include "networks/registry.h"
#include "train/task_loss.h"
#include "train/weight_average.h"

namespace jcs::conformance {

namespace {

/// Channels are no part of a coverage key, so that narrow networks have the keys of wide ones.
constexpr double kWidth = 0.125;

/// One sample that is of use to every task.
std::shared_ptr<const data::SliceStore> tinyDataset() {
  auto dataset = std::make_shared<data::SliceStore>();
  data::DecodedSlice sample = grayImage(3, 2, [](int64_t, int64_t) { return 0; });
  sample.mask = {0, 1, 0, 0, 1, 0};
  sample.info.label = 1;
  for (int i = 0; i < 2; ++i) dataset->append(sample);
  return dataset;
}

bool hasRes2net(const std::string& network) {
  return std::ranges::any_of(networks::networkInfo(network).trunks, [](const networks::Trunk& trunk) {
    return trunk.kind == networks::Trunk::Kind::kRes2net;
  });
}

class Walk {
 public:
  void inference(const networks::NetworkSpec& spec, const std::string& label) {
    struct Size {
      int64_t n, height, width;
    };
    const bool classifier = networks::networkInfo(spec.network).task == networks::Task::kClassification;
    for (const Size& size : {Size{2, 64, 64}, Size{1, 75, 109}, Size{1, 32, 32}})
      for (bool withMap : {false, true})
        if (classifier || !withMap)
          visitInference(*networks::inferenceGraph(spec, size.n, size.height, size.width, withMap),
                         label + " inference");
    model::ModelMetadata metadata = model::defaultMetadata(spec);
    metadata.inputSize = 64;
    const diagnosis::TestTimeAugmentation views{.horizontalFlip = true, .verticalFlip = true, .scales = {1, 0.5}};
    for (int64_t n : {1, 2})
      for (bool option : {false, true})
        for (const auto& testTime : {diagnosis::TestTimeAugmentation{}, views})
          visitInference(classifier ? *diagnosis::classificationGraph(metadata, n, {4096, 0}, option, testTime)
                                    : *diagnosis::segmentationGraph(metadata, n, {4096, 4096}, option, testTime),
                         label + " diagnosis");
  }

  void training(const networks::NetworkSpec& spec, const std::string& label) {
    train::TrainConfig config;
    config.task = networks::networkInfo(spec.network).task;
    config.inputSize = 64;
    for (BatchNormMode mode : {BatchNormMode::kBatch, BatchNormMode::kEval, BatchNormMode::kFrozen})
      for (bool option : {false, true}) {  // of both, the one that the task has
        config.batchNorm = mode;
        config.activationLoss = config.trainTrunk = option;
        const train::LossBuilder loss = train::taskLoss(networks::untrained(spec), config);
        const int64_t sides = train::diceSides(spec, config);
        const std::string where = label + " training";
        visit(*train::stepGraph(loss, 2, {}), where);
        visit(*train::accumulateGraph(loss, 2, sides), where);
        visit(*train::accumulateGraph(loss, 1, sides), where);
        if (sides > 0) visit(*train::statisticsGraph(loss, 2, sides), where);
      }
    trainingFromPixels(spec, config, label);
    const train::LossBuilder loss = train::taskLoss(networks::untrained(spec), config);
    train::OptimizerOptions nesterov, adam, adamw, clipped;
    nesterov.nesterov = true;
    adam.kind = train::OptimizerOptions::Kind::kAdam;
    adamw.kind = train::OptimizerOptions::Kind::kAdamW;
    clipped.maxGradientNorm = 1;
    for (const train::OptimizerOptions& optimizer : {nesterov, adam, adamw, clipped})
      visit(*train::updateGraph(loss, 2, optimizer), label + " update");
    for (const SideLoss kind : {SideLoss::kBce, SideLoss::kBceSum}) {
      if (config.task == networks::Task::kClassification) break;
      config.loss = kind;
      const train::LossBuilder other = train::taskLoss(networks::untrained(spec), config);
      visit(*train::stepGraph(other, 2, clipped), label + " training, cross-entropy alone");
      visit(*train::accumulateGraph(other, 2, 0), label + " training, cross-entropy alone");
    }
    std::map<std::string, TensorType> states;
    const auto graph = networks::inferenceGraph(spec, 1, 64, 64);
    for (const ValueInfo& value : graph->values())
      if (value.kind == ValueInfo::Kind::kState) states.emplace(value.name, value.type);
    visit(*train::averageGraph(states), label + " average");
  }

  NetworkCoverage result() {
    coverage_.coveredKinds = static_cast<int>(seen_.size() - coverage_.uncovered.size());
    return std::move(coverage_);
  }

 private:
  void visitInference(const Graph& graph, const std::string& where) {
    visit(graph, where);
    visitQuantized(graph, where);
  }

  /// Whole batches and parts, with and without what can be done to them.
  void trainingFromPixels(const networks::NetworkSpec& spec, train::TrainConfig config, const std::string& label) {
    const bool classifier = config.task == networks::Task::kClassification;
    for (bool option : {false, true}) {
      config.augmentation = option ? data::AugmentationOptions::scratch() : data::AugmentationOptions::none();
      config.mixup.alpha = option ? 0.5 : 0;
      config.activationLoss = classifier;
      data::LoaderOptions options;
      options.batchSize = 2;
      const data::Loader loader(tinyDataset(), options);
      const train::BatchInputs inputs(networks::untrained(spec), config, {}, loader);
      const train::LossBuilder loss = train::taskLoss(networks::untrained(spec), config, inputs.source());
      visit(*train::stepGraph(loss, 2, {}), label + " training from pixels");
      for (int64_t samples : {1, 2}) {
        visit(*train::accumulateGraph(loss, samples, train::diceSides(spec, config)), label + " training from pixels");
        if (inputs.needsAnnotated()) visit(*inputs.annotatedGraph(samples), label + " training from pixels");
      }
    }
  }

  void visit(const Graph& graph, const std::string& where) {
    for (DType activation : {DType::kF32, DType::kBF16})
      visitNodes(*compiler::optimize(graph, activation), where + " " + nameOf(activation));
  }

  /// With every convolution of bytes that can be one.
  void visitQuantized(const Graph& graph, const std::string& where) {
    for (DType activation : {DType::kF32, DType::kBF16}) {
      compiler::LayerRanges layers;
      for (const std::string& layer : compiler::quantizableLayers(*compiler::optimize(graph, activation)))
        layers.emplace(layer, compiler::ValueRange{0, 1});
      visitNodes(*compiler::optimize(graph, activation, 1, &layers), where + " quantised " + nameOf(activation));
    }
  }

  void visitNodes(const Graph& graph, const std::string& where) {
    for (const Node& node : graph.nodes()) {
      std::vector<TensorType> types;
      for (const ValueId id : node.inputs) types.push_back(graph.values()[id].type);
      const std::string key = coverageKey(*node.op, types);
      if (seen_.insert(key).second && !coveredKeys().contains(key))
        coverage_.uncovered.emplace(key, where + ", " + node.scope);
    }
  }

  std::set<std::string> seen_;
  NetworkCoverage coverage_;
};

}  // namespace

NetworkCoverage checkNetworkCoverage() {
  Walk walk;
  for (const std::string& name : networks::networkNames())
    for (Variant variant : {Variant::kPaper, Variant::kAuthors}) {
      networks::NetworkSpec spec;
      spec.network = name;
      spec.variant = variant;
      spec.width = kWidth;
      const std::string label = name + " " + networks::nameOf(variant);
      walk.inference(spec, label);
      walk.training(spec, label);
      if (variant != Variant::kPaper) continue;
      for (const int64_t outputStride : {16, 8}) {
        if (!hasRes2net(name)) break;
        spec.outputStride = outputStride;
        walk.inference(spec, label + " of output stride " + std::to_string(outputStride));
        walk.training(spec, label + " of output stride " + std::to_string(outputStride));
      }
      spec.outputStride = 32;
      if (!networks::networkInfo(name).hasAblations) continue;
      for (const auto& [efm, aff] : {std::pair(false, true), std::pair(true, false), std::pair(false, false)}) {
        spec.efm = efm;
        spec.aff = aff;
        walk.inference(spec, label + " without some modules");
        walk.training(spec, label + " without some modules");
      }
    }
  return walk.result();
}

}  // namespace jcs::conformance
