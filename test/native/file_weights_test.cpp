#include "model/file_weights.h"

#include <fstream>

#include "model/model.h"
#include "native/compiled.h"
#include "native/error_code.h"
#include "native/harness.h"
#include "native/temporary_directory.h"
#include "networks/registry.h"

/// Models whose parameters are read from their file when they are wanted.

using namespace jcs;

namespace {

const model::RuntimeOptions kRuntime{.device = testDevice(), .precision = "fp32"};

std::shared_ptr<model::Model> made(uint64_t seed) {
  return model::Model::create({.network = "res2net50-v1b", .width = 0.25}, kRuntime, seed);
}

std::shared_ptr<model::Model> loaded(const std::string& path) {
  return model::Model::load(io::SafetensorsFile::open(path), std::nullopt, kRuntime);
}

Tensor images(int64_t batch) {
  Tensor tensor = Tensor::zeros(DType::kF32, {batch, 64, 64, 3});
  float at = 0;
  for (float& value : tensor.as<float>()) value = 0.5f + 0.4f * static_cast<float>(std::sin(at += 0.37f));
  return tensor;
}

std::vector<float> logits(model::Model& model, int64_t batch) {
  const auto outputs = model.forward(images(batch), false);
  const auto values = outputs.at("logits").as<float>();
  return {values.begin(), values.end()};
}

int64_t parameterBytes(const model::Model& model) {
  int64_t bytes = 0;
  for (const model::ParameterInfo& parameter : model.parameters())
    bytes += TensorType{DType::kF32, parameter.shape}.bytes();
  return bytes;
}

bool sameParameters(model::Model& a, model::Model& b) {
  return std::ranges::all_of(a.parameters(), [&](const model::ParameterInfo& parameter) {
    const Tensor x = a.parameter(parameter.name), y = b.parameter(parameter.name);
    return std::ranges::equal(x.as<float>(), y.as<float>());
  });
}

/// Writes into the file, as `cp` does, and not a new one under its name.
void overwrite(const std::string& path) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-4, std::ios::end);
  file.write("\0\0\0\0", 4);
}

}  // namespace

TEST("a loaded model computes the same bits as the one that was saved, without its parameters in memory") {
  const TemporaryDirectory directory;
  const auto original = made(1);
  original->save(directory / "model.safetensors");
  const auto model = loaded(directory / "model.safetensors");
  CHECK_EQUAL(model->memoryBytes(), int64_t{0});
  for (const int64_t batch : {1, 3}) CHECK(logits(*model, batch) == logits(*original, batch));
  CHECK(model->memoryBytes() > 0);
  CHECK(model->memoryBytes() < original->memoryBytes() - parameterBytes(*original) * 9 / 10);
  CHECK(sameParameters(*model, *original));
}

TEST("a model's file may be removed or replaced by renaming while the model is in use") {
  const TemporaryDirectory directory;
  const std::string path = directory / "model.safetensors";
  const auto original = made(1);
  original->save(path);
  const auto model = loaded(path);
  made(2)->save(path);
  CHECK(logits(*model, 1) == logits(*original, 1));
  model->save(path);  // over the file that took the place of its own
  CHECK(sameParameters(*loaded(path), *original));
  const auto another = loaded(path);
  std::filesystem::remove(path);
  CHECK(logits(*another, 2) == logits(*original, 2));
}

TEST("a model's file that was written to is CORRUPT_FILE when it is read again, and what was prepared stays") {
  const TemporaryDirectory directory;
  const std::string path = directory / "model.safetensors";
  made(1)->save(path);
  const auto used = loaded(path), unused = loaded(path);
  const auto before = logits(*used, 1);
  overwrite(path);
  CHECK(logits(*used, 1) == before);
  CHECK_ERROR([&] { logits(*unused, 1); }, errors::kCorruptFile, path, "load it again");
  CHECK_ERROR([&] { used->parameter("conv1.0.weight"); }, errors::kCorruptFile, path);
  CHECK_ERROR([&] { used->save(directory / "copy.safetensors"); }, errors::kCorruptFile, path);
  CHECK(!std::filesystem::exists(directory / "copy.safetensors"));
}

TEST("a loaded model that is changed has its parameters in memory, and needs its file no more") {
  const TemporaryDirectory directory;
  const std::string path = directory / "model.safetensors";
  const auto original = made(1);
  original->save(path);
  const auto model = loaded(path);
  const auto before = logits(*model, 1);
  const Tensor bias = model->parameter("fc.bias");
  Tensor changed = Tensor::zeros(DType::kF32, bias.shape());
  for (float& value : changed.as<float>()) value = 3;
  for (const auto& each : {model, original}) each->setParameter("fc.bias", changed);
  overwrite(path);
  CHECK(logits(*model, 1) != before);
  CHECK(logits(*model, 1) == logits(*original, 1));
  CHECK(logits(*model, 2) == logits(*original, 2));
  CHECK(sameParameters(*model, *original));
  CHECK_EQUAL(model->memoryBytes(), original->memoryBytes());
}

TEST("models of one file share what is prepared of it, until one of them is changed") {
  const TemporaryDirectory directory;
  const std::string path = directory / "model.safetensors";
  made(1)->save(path);
  const auto first = loaded(path), second = loaded(path);
  Backend& backend = first->engine().backend();
  constexpr int64_t kPlenty = int64_t{1} << 40;
  backend.limitMemory(kPlenty);
  const auto free = [&] { return backend.freeBytes(); };
  const auto expected = logits(*first, 1);
  const int64_t before = free();
  CHECK(logits(*second, 1) == expected);
  CHECK(before - free() < parameterBytes(*first) / 10);
  CHECK_EQUAL(second->memory().preparedBytes, first->memory().preparedBytes);

  const Tensor weight = first->parameter("conv1.0.weight");
  Tensor changed = Tensor::zeros(DType::kF32, weight.shape());
  for (float& value : changed.as<float>()) value = 0.01f;
  second->setParameter("conv1.0.weight", changed);
  CHECK(logits(*second, 1) != expected);
  CHECK(logits(*first, 1) == expected);
  CHECK(logits(*first, 2) == logits(*made(1), 2));

  made(2)->save(path);
  const auto another = loaded(path);
  CHECK(logits(*another, 1) == logits(*made(2), 1));
  CHECK(logits(*first, 1) == expected);
  backend.limitMemory(0);
}

TEST("state stores hold what has a source only while it is wanted") {
  struct Ones : compiler::StateSource {
    Tensor read(const std::string& name) const override {
      ++reads;
      Tensor value = Tensor::zeros(DType::kF32, {4});
      std::ranges::fill(value.as<float>(), name == "a" ? 1.0f : 2.0f);
      return value;
    }
    mutable int reads = 0;
  };
  const auto source = std::make_shared<Ones>();
  compiler::StateStore states(testBackend());
  for (const char* name : {"a", "b"}) states.setSource(name, {DType::kF32, {4}}, source);
  CHECK_EQUAL(states.bytes(), int64_t{0});
  CHECK_EQUAL(states.get("b").as<float>()[3], 2.0f);
  CHECK_EQUAL(states.bytes(), int64_t{0});
  states.at("a");
  states.at("a");
  CHECK_EQUAL(source->reads, 2);
  CHECK_EQUAL(states.bytes(), int64_t{16});
  states.release("a");
  CHECK_EQUAL(states.bytes(), int64_t{0});
  const uint64_t version = states.entry("a").version;
  states.at("a");
  CHECK_EQUAL(states.entry("a").version, version);  // what derives from it is as good as before
  states.set("a", Tensor::zeros(DType::kF32, {4}));
  states.release("a");
  CHECK_EQUAL(states.get("a").as<float>()[0], 0.0f);
  CHECK(states.entry("a").version > version);
  states.detach();
  states.release("b");
  CHECK_EQUAL(states.bytes(), int64_t{32});
  states.eraseIf([](const std::string& name) { return name == "a"; });
  CHECK_EQUAL(states.bytes(), int64_t{16});
}
