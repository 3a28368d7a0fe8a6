#include "diagnosis/quantize.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <numeric>

#include "diagnosis/value_histogram.h"
#include "model/quantized_graph.h"
#include "ops/conv2d.h"

namespace jcs::diagnosis {

namespace {

using compiler::LayerRanges;

constexpr float kThreshold = 0.5f;
constexpr int kTimings = 3;

/// What a model says of the dataset: a probability a slice, or a pixel.
using Answers = std::vector<float>;

double meanChange(const Answers& a, const Answers& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
  return sum / static_cast<double>(a.size());
}

double changeOfMasks(const Answers& a, const Answers& b) {
  int64_t both = 0, all = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    both += a[i] > kThreshold && b[i] > kThreshold;
    all += (a[i] > kThreshold) + (b[i] > kThreshold);
  }
  return all == 0 ? meanChange(a, b) : 1 - 2 * static_cast<double>(both) / static_cast<double>(all);
}

/// Whatever happens, the model computes as it did before.
class Trials {
 public:
  explicit Trials(model::Model& model) : model_(model) {}
  ~Trials() {
    try {
      model_.tryQuantization(nullptr);
    } catch (...) {
      // Only an engine that is gone refuses, and with it whoever could compute.
    }
  }
  Trials(const Trials&) = delete;
  Trials& operator=(const Trials&) = delete;

  void use(model::QuantizationTrial trial) {
    model_.tryQuantization(std::make_shared<const model::QuantizationTrial>(std::move(trial)));
  }

 private:
  model::Model& model_;
};

class Quantizer {
 public:
  Quantizer(model::Model& model, const data::SliceStore& dataset, const QuantizeOptions& options,
            const EvaluationProgress& progress, const std::atomic<bool>* cancelled)
      : model_(model),
        dataset_(dataset),
        options_(options),
        progress_(progress),
        cancelled_(cancelled),
        isClassifier_(model.task() == networks::Task::kClassification),
        trials_(model),
        total_(kLeastPasses * dataset.size()) {}

  QuantizationReport run() {
    QuantizationReport report;
    findRanges(report);
    if (options_.measuresSpeed) leaveSlowLayers(report);
    report.change = report.changeOfAll = changeWith(chosen(report));
    if (report.change > options_.largestChange) leaveSensitiveLayers(report);
    model_.setQuantization(chosen(report));
    if (progress_) progress_(total_, total_);  // fewer trials may have been enough
    return report;
  }

 private:
  static constexpr size_t kLeastPasses = 3;  ///< ranges, histograms with the answers of numbers, all layers in bytes

  void findRanges(QuantizationReport& report) {
    std::map<std::string, ValueHistogram> seen;
    const auto see = [&](void (ValueHistogram::*add)(std::span<const float>)) {
      trials_.use(
          {{}, [&seen, add](const std::string& layer, std::span<const float> values) { (seen[layer].*add)(values); }});
      return answer();
    };
    see(&ValueHistogram::addToRange);
    exact_ = see(&ValueHistogram::add);
    for (const std::string& layer : model::quantizableLayers(model_.metadata()))
      if (const auto found = seen.find(layer); found != seen.end())
        report.layers.push_back({.name = layer, .input = found->second.bestRange()});
  }

  /// Of steps by layer, what they take in a run, at the least of some.
  std::map<std::string, double> secondsOf(const LayerRanges& layers) {
    trials_.use({layers});
    const int64_t size = model_.metadata().inputSize;
    std::map<std::string, double> least;
    for (int i = 0; i < kTimings; ++i) {
      std::map<std::string, double> seconds;
      for (const compiler::Program::StepInfo& step : model_.profile({1, size, size}, cancelled_).steps)
        if (step.op == Conv2d::kName || step.op == QuantizedConv2d::kName || step.op == Quantize::kName)
          seconds[step.scope] += step.seconds;
      for (const auto& [layer, time] : seconds) {
        const auto [entry, isNew] = least.emplace(layer, time);
        entry->second = std::min(entry->second, time);
      }
    }
    return least;
  }

  void leaveSlowLayers(QuantizationReport& report) {
    const auto numbers = secondsOf({}), bytes = secondsOf(chosen(report));
    const auto of = [](const std::map<std::string, double>& seconds, const std::string& layer) {
      const auto found = seconds.find(layer);
      return found == seconds.end() ? 0.0 : found->second;
    };
    for (QuantizedLayer& layer : report.layers)
      if (of(bytes, layer.name) >= of(numbers, layer.name)) layer.leftFor = QuantizedLayer::Reason::kSpeed;
  }

  /// Those that alone move the results most, as few as it takes.
  void leaveSensitiveLayers(QuantizationReport& report) {
    std::vector<QuantizedLayer*> candidates;
    for (QuantizedLayer& layer : report.layers)
      if (!layer.leftFor) candidates.push_back(&layer);
    const auto halvings = static_cast<size_t>(std::bit_width(candidates.size()));
    total_ += (candidates.size() + halvings) * dataset_.size();
    for (QuantizedLayer* layer : candidates) layer->change = changeWith({{layer->name, layer->input}});
    std::ranges::stable_sort(candidates, std::greater(), &QuantizedLayer::change);
    const auto leave = [&](size_t count) {
      for (size_t i = 0; i < candidates.size(); ++i)
        candidates[i]->leftFor = i < count ? std::optional(QuantizedLayer::Reason::kAccuracy) : std::nullopt;
      report.change = changeWith(chosen(report));
      return report.change <= options_.largestChange;
    };
    // With none left out it is too much, with all nothing changes: halved until one more or less decides.
    size_t tooFew = 0, enough = candidates.size();
    while (enough - tooFew > 1) {
      const size_t middle = (tooFew + enough) / 2;
      (leave(middle) ? enough : tooFew) = middle;
    }
    leave(enough);
  }

  static LayerRanges chosen(const QuantizationReport& report) {
    LayerRanges layers;
    for (const QuantizedLayer& layer : report.layers)
      if (!layer.leftFor) layers.emplace(layer.name, layer.input);
    return layers;
  }

  double changeWith(const LayerRanges& layers) {
    if (layers.empty()) return 0;
    trials_.use({layers});
    const Answers answers = answer();
    return isClassifier_ ? meanChange(exact_, answers) : changeOfMasks(exact_, answers);
  }

  Answers answer() {
    Answers answers;
    for (size_t first = 0; first < dataset_.size(); first += static_cast<size_t>(options_.batchSize)) {
      const size_t last = std::min(dataset_.size(), first + static_cast<size_t>(options_.batchSize));
      std::vector<size_t> indices(last - first);
      std::iota(indices.begin(), indices.end(), first);
      const SliceSelection batch(dataset_, indices, first > 0);
      if (isClassifier_) {
        for (const auto& result : classifySlices(model_, batch, options_.batchSize, {}, cancelled_))
          answers.push_back(result.probability);
      } else {
        for (const auto& result : segmentSlices(model_, batch, options_.batchSize, {.probabilities = true}, cancelled_))
          answers.insert(answers.end(), result.probabilities.begin(), result.probabilities.end());
      }
      done_ += indices.size();
      if (progress_) progress_(std::min(done_, total_), total_);
    }
    return answers;
  }

  model::Model& model_;
  const data::SliceStore& dataset_;
  const QuantizeOptions& options_;
  const EvaluationProgress& progress_;
  const std::atomic<bool>* cancelled_;
  bool isClassifier_;
  Trials trials_;
  Answers exact_;
  size_t done_ = 0, total_;
};

}  // namespace

QuantizationReport quantize(model::Model& model, const data::SliceStore& dataset, const QuantizeOptions& options,
                            const EvaluationProgress& progress, const std::atomic<bool>* cancelled) {
  require(dataset.size() > 0, errors::kEmptyDataset, "there is no image to see the layers' ranges on");
  require(model.engine().backend().supports(DType::kU8), errors::kInvalidArgument, [&] {
    return "device '" + model.device() + "' does not compute in bytes; quantize on the CPU (device: 'cpu')";
  });
  return Quantizer(model, dataset, options, progress, cancelled).run();
}

}  // namespace jcs::diagnosis
