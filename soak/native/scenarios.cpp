#include "scenarios.h"

#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "diagnosis/inference.h"
#include "io/safetensors.h"
#include "model/model.h"
#include "train/trainer.h"

namespace jcs::soak {

namespace {

using ModelPointer = std::shared_ptr<model::Model>;

constexpr int64_t kSize = 32;  // pixels

ModelPointer smallModel(const std::string& network) {
  auto model = model::Model::create({.network = network, .width = 0.05}, {.device = "cpu", .threads = 2}, 3);
  model->setInputSize(kSize);
  return model;
}

data::DecodedSlice slice(int64_t seed) {
  data::DecodedSlice slice;
  slice.info.width = slice.info.height = kSize;
  slice.info.label = static_cast<int>(seed % 2);
  for (int64_t i = 0; i < kSize * kSize; ++i) {
    slice.pixels.push_back(static_cast<std::byte>((i * i + 31 * seed) % 251));
    slice.mask.push_back(i % kSize > kSize / 2);
  }
  return slice;
}

std::shared_ptr<data::SliceStore> slices(int64_t count) {
  auto store = std::make_shared<data::SliceStore>();
  for (int64_t i = 0; i < count; ++i) store->append(slice(i));
  return store;
}

std::string bytesOf(std::span<const float> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

std::string parametersOf(model::Model& model) {
  std::string bytes;
  for (const model::ParameterInfo& parameter : model.parameters())
    bytes += bytesOf(model.parameter(parameter.name).as<float>());
  return bytes;
}

std::string classified(model::Model& model, const data::SliceStore& store) {
  const size_t indices[] = {0, 1};
  std::string bytes;
  for (const auto& result :
       diagnosis::classifySlices(model, {store, indices}, 2, {.explain = true}, /*cancelled=*/nullptr))
    bytes += bytesOf({&result.probability, 1}) + bytesOf(result.activationMap);
  return bytes;
}

std::string segmented(model::Model& model, const data::SliceStore& store) {
  const size_t indices[] = {0, 1};
  std::string bytes;
  for (const auto& result :
       diagnosis::segmentSlices(model, {store, indices}, 2, {.probabilities = true}, /*cancelled=*/nullptr))
    bytes += bytesOf(result.probabilities) + std::to_string(result.lesions.size());
  return bytes;
}

using OnSlices = std::string (*)(model::Model&, const data::SliceStore&);

/// Opening a model's file, on a device that nobody uses.
Scenario loading(const std::string& directory, const std::string& network) {
  return {"load", [path = (std::filesystem::path(directory) / "model.safetensors").string(), network] {
            smallModel(network)->save(path);
            return [path] {
              const auto model = model::Model::load(io::SafetensorsFile::open(path), std::nullopt, {.device = "cpu"});
              return parametersOf(*model);
            };
          }};
}

/// What a model is first asked for: a program is compiled.
Scenario firstForward(const std::string& name, const std::string& network, OnSlices answer) {
  return {name, [=] { return [=, model = smallModel(network), store = slices(2)] { return answer(*model, *store); }; }};
}

/// What it is asked for from then on, and slices that come in.
Scenario laterForward(const std::string& name, const std::string& network, OnSlices answer) {
  return {name, [=, model = smallModel(network)] {
            answer(*model, *slices(2));
            return [=] { return answer(*model, *slices(2)); };
          }};
}

/// A training of its own: compiled, two steps, a validation and a checkpoint.
Scenario training(const std::string& directory, const std::string& name, const std::string& network,
                  networks::Task task) {
  return {.name = name,
          .prepare =
              [=] {
                const std::string run = directory + "/run", checkpoint = run + "/checkpoint.safetensors";
                std::filesystem::create_directories(run);
                return [=, train = slices(4), validation = slices(2)] {
                  ::unlink(checkpoint.c_str());
                  const ModelPointer model = smallModel(network);
                  train::TrainConfig config = train::recipe("scratch", task, false);
                  config.inputSize = kSize;
                  config.batchSize = 2;
                  config.microBatch = 2;  // otherwise smaller parts are tried, whose sums are rounded differently
                  config.iterations = 2;
                  config.checkpoint.directory = run;
                  train::Trainer trainer(model, config, train, validation);
                  trainer.run([](const train::TrainEvent&) {}, nullptr);
                  return parametersOf(*model);
                };
              },
          .leavesNothing = true};
}

}  // namespace

std::vector<Scenario> scenarios(const std::string& directory) {
  const std::string classifier = "res2net50-v1b", segmenter = "jcs-segmentation";
  return {
      loading(directory, segmenter),
      firstForward("classify first", classifier, classified),
      firstForward("segment first", segmenter, segmented),
      laterForward("classify again", classifier, classified),
      laterForward("segment again", segmenter, segmented),
      training(directory, "train a classifier", classifier, networks::Task::kClassification),
      training(directory, "train a segmenter", segmenter, networks::Task::kSegmentation),
  };
}

}  // namespace jcs::soak
