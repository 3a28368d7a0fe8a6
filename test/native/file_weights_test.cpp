#include "model/file_weights.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>

#include "model/model.h"
#include "native/compiled.h"
#include "native/error_code.h"
#include "native/harness.h"
#include "native/temporary_directory.h"
#include "networks/registry.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"

/// Models whose parameters are read from their file when they are wanted.

using namespace jcs;

namespace {

const model::RuntimeOptions kRuntime{.device = testDevice(), .precision = "fp32"};

std::shared_ptr<model::Model> made(uint64_t seed) {
  return model::Model::create({.network = "res2net50-v1b", .width = 0.25}, kRuntime, seed);
}

/// A model, and its file.
struct Saved {
  Saved() { original->save(path); }

  const TemporaryDirectory directory;
  const std::string path = directory / "model.safetensors";
  const std::shared_ptr<model::Model> original = made(1);
};

std::shared_ptr<model::Model> loaded(const std::string& path) {
  return model::Model::load(io::SafetensorsFile::open(path), std::nullopt, kRuntime);
}

Tensor filled(const Shape& shape, float value) {
  Tensor tensor(DType::kF32, shape);
  std::ranges::fill(tensor.as<float>(), value);
  return tensor;
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
  const Saved saved;
  model::Model& original = *saved.original;
  const auto model = loaded(saved.path);
  CHECK_EQUAL(model->memoryBytes(), int64_t{0});
  for (const int64_t batch : {1, 3}) CHECK(logits(*model, batch) == logits(original, batch));
  CHECK(model->memoryBytes() > 0);
  CHECK(model->memoryBytes() < original.memoryBytes() - parameterBytes(original) * 9 / 10);
  CHECK(sameParameters(*model, original));
}

TEST("a model's file may be removed or replaced by renaming while the model is in use") {
  const Saved saved;
  model::Model& original = *saved.original;
  const auto model = loaded(saved.path);
  made(2)->save(saved.path);
  CHECK(logits(*model, 1) == logits(original, 1));
  model->save(saved.path);  // over the file that took the place of its own
  CHECK(sameParameters(*loaded(saved.path), original));
  const auto another = loaded(saved.path);
  std::filesystem::remove(saved.path);
  CHECK(logits(*another, 2) == logits(original, 2));
}

TEST("a model's file that was written to is CORRUPT_FILE when it is read again, and what was prepared stays") {
  const Saved saved;
  const auto used = loaded(saved.path), unused = loaded(saved.path);
  const auto before = logits(*used, 1);
  overwrite(saved.path);
  const std::string copy = saved.directory / "copy.safetensors";
  CHECK(logits(*used, 1) == before);
  CHECK_ERROR([&] { logits(*unused, 1); }, errors::kCorruptFile, saved.path, "load it again");
  CHECK_ERROR([&] { used->parameter("conv1.0.weight"); }, errors::kCorruptFile, saved.path);
  CHECK_ERROR([&] { used->save(copy); }, errors::kCorruptFile, saved.path);
  CHECK(!std::filesystem::exists(copy));
}

TEST("a loaded model that is changed has its parameters in memory, and needs its file no more") {
  const Saved saved;
  model::Model& original = *saved.original;
  const auto model = loaded(saved.path);
  const auto before = logits(*model, 1);
  const Tensor changed = filled(model->parameter("fc.bias").shape(), 3);
  model->setParameter("fc.bias", changed);
  original.setParameter("fc.bias", changed);
  overwrite(saved.path);
  CHECK(logits(*model, 1) != before);
  CHECK(logits(*model, 1) == logits(original, 1));
  CHECK(logits(*model, 2) == logits(original, 2));
  CHECK(sameParameters(*model, original));
  CHECK_EQUAL(model->memoryBytes(), original.memoryBytes());
}

TEST("models of one file share what is prepared of it, until one of them is changed") {
  const Saved saved;
  const auto first = loaded(saved.path), second = loaded(saved.path);
  Backend& backend = first->engine().backend();
  backend.limitMemory(int64_t{1} << 30);  // of which what is free is what nobody has taken, whatever the machine has
  const auto expected = logits(*first, 1);
  const int64_t before = backend.freeBytes();
  CHECK(logits(*second, 1) == expected);
  CHECK(before - backend.freeBytes() < parameterBytes(*first) / 10);
  backend.limitMemory(0);
  CHECK_EQUAL(second->memory().preparedBytes, first->memory().preparedBytes);

  second->setParameter("conv1.0.weight", filled(first->parameter("conv1.0.weight").shape(), 0.01f));
  CHECK(logits(*second, 1) != expected);
  CHECK(logits(*first, 1) == expected);
  CHECK(logits(*first, 2) == logits(*saved.original, 2));

  const auto other = made(2);
  other->save(saved.path);
  CHECK(logits(*loaded(saved.path), 1) == logits(*other, 1));
  CHECK(logits(*first, 1) == expected);
}

TEST("one value that is not finite, or a variance that is not positive, makes a file unusable wherever it is") {
  const Saved saved;
  const std::string bad = saved.directory / "bad.safetensors";
  const auto codeWith = [&](const std::string& name, int64_t at, float value) {
    const auto model = loaded(saved.path);
    Tensor changed = model->parameter(name);
    changed.as<float>()[static_cast<size_t>(at)] = value;
    model->setParameter(name, changed);
    model->save(bad);
    return codeOf([&] { loaded(bad); });
  };
  const std::string largest = "layer4.0.conv3.weight";  // in several parts
  const int64_t last = saved.original->parameter(largest).elements() - 1;
  CHECK(last > 100'000);
  constexpr float kInfinity = std::numeric_limits<float>::infinity(), kLargest = std::numeric_limits<float>::max();
  for (const int64_t at : {int64_t{0}, last / 2, last})
    for (const float value : {kInfinity, -kInfinity, std::nanf("")})
      CHECK_EQUAL(codeWith(largest, at, value), std::string(errors::kNotFinite));
  for (const float value : {kLargest, -kLargest, std::numeric_limits<float>::denorm_min(), -0.0f})
    CHECK_EQUAL(codeWith(largest, last, value), std::string());
  CHECK_EQUAL(codeWith("bn1.running_var", 3, -0.5f), std::string(errors::kCorruptFile));
}

namespace {

struct CountedSource : compiler::StateSource {
  void read(const std::string& name, std::span<float> value) const override {
    ++reads;
    std::ranges::fill(value, name == "a" ? 1.0f : 2.0f);
  }
  mutable int reads = 0;
};

void run(compiler::Program& program, compiler::StateStore& states, const Tensor& x) {
  DeviceBuffer arena(testBackend(), std::max<int64_t>(program.arenaBytes(), 1));
  compiler::Bindings bindings;
  bindings.input("x", x);
  program.run(states, arena.data(), bindings);
}

}  // namespace

TEST("state stores hold what has a source only while it is wanted") {
  const auto source = std::make_shared<CountedSource>();
  compiler::StateStore states(testBackend());
  for (const char* name : {"a", "b"}) states.setSource(name, {DType::kF32, {4}}, source);
  CHECK_EQUAL(states.bytes(), int64_t{0});
  CHECK_EQUAL(states.get("b").as<float>()[3], 2.0f);
  CHECK_EQUAL(states.bytes(), int64_t{0});
  states.at("a");
  states.at("a");
  CHECK_EQUAL(source->reads, 2);
  CHECK_EQUAL(states.bytes(), int64_t{16});
  CHECK_EQUAL(states.at("a").version, uint64_t{1});  // what derives from it is as good as before
  states.set("a", Tensor::zeros(DType::kF32, {4}));
  CHECK_EQUAL(states.get("a").as<float>()[0], 0.0f);
  CHECK_EQUAL(states.entry("a").version, uint64_t{2});
  states.detach();
  CHECK_EQUAL(states.bytes(), int64_t{32});
  states.eraseIf([](const std::string& name) { return name == "a"; });
  CHECK_EQUAL(states.bytes(), int64_t{16});
}

TEST("a state that one program reads as it is stays in memory when another has prepared it for itself") {
  const TensorType type{DType::kF32, {16, 16, 3, 3}};
  Graph reading, preparing;
  reading.output("y", multiply(reading.input("x", type), reading.state("a", type)));
  const Value image = preparing.input("x", {DType::kF32, {1, 9, 8, 16}});
  preparing.output("y", conv2d(image, preparing.state("a", type), std::nullopt, {.padding = 1}));
  const auto source = std::make_shared<CountedSource>();
  compiler::StateStore states(testBackend());
  states.setSource("a", type, source);
  compiler::Program reader(reading, testBackend(), {}), preparer(preparing, testBackend(), {});
  const Tensor a = filled(type.shape, 1), x = filled({1, 9, 8, 16}, 1);

  run(preparer, states, x);
  CHECK_EQUAL(source->reads, 1);
  CHECK_EQUAL(states.bytes(), int64_t{0});
  run(reader, states, a);
  CHECK_EQUAL(source->reads, 2);
  states.setSource("a", type, source);  // another version, which both are told of
  run(reader, states, a);
  run(preparer, states, x);
  run(reader, states, a);
  run(preparer, states, x);
  CHECK_EQUAL(source->reads, 3);
  CHECK_EQUAL(states.bytes(), type.bytes());
}
