#include "binding/model_object.h"

#include <cmath>

#include "binding/cancellation.h"
#include "binding/convert.h"
#include "binding/requests.h"
#include "binding/results.h"
#include "binding/slice_store_object.h"
#include "core/json.h"
#include "io/onnx.h"
#include "model/quantized_graph.h"

namespace jcs::binding {

namespace {

using Json = nlohmann::json;

Json parseJson(const Napi::Value& value, const char* what) {
  try {
    return Json::parse(toString(value, what));
  } catch (const Json::exception& error) {
    fail(errors::kInvalidArgument, std::string(what) + " is not usable: " + error.what());
  }
}

model::RuntimeOptions toRuntimeOptions(const Json& json) {
  model::RuntimeOptions options;
  options.device = json.value("device", options.device);
  options.precision = json.value("precision", options.precision);
  options.threads = json.value("threads", options.threads);
  options.memoryLimitBytes = json.value("memoryLimitBytes", options.memoryLimitBytes);
  return options;
}

/// A file by path, or by its bytes, which are copied here, on the JavaScript thread.
std::function<io::SafetensorsFile()> toFileSource(const Napi::Value& value) {
  if (value.IsString())
    return [path = value.As<Napi::String>().Utf8Value()] { return io::SafetensorsFile::open(path); };
  require(value.IsTypedArray(), errors::kInvalidType, "a model file must be given as a path or as bytes");
  const auto array = value.As<Napi::TypedArray>();
  const auto* data = static_cast<const std::byte*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  auto bytes = std::make_shared<std::vector<std::byte>>(data, data + array.ByteLength());
  return [bytes] { return io::SafetensorsFile::parse(*bytes); };
}

std::string pretrainedJson(const model::PretrainedMatch& match) {
  Json layers = Json::array();
  for (const model::LayerMatch& layer : match.layers) {
    Json one{{"layer", layer.layer}, {"parameters", layer.parameters.size()}, {"taken", layer.taken()}};
    if (!layer.taken()) one["reason"] = layer.reason;
    layers.push_back(std::move(one));
  }
  return Json{{"layers", std::move(layers)}, {"unused", match.unused}}.dump();
}

std::string profileJson(const model::Profile& profile) {
  Json steps = Json::array();
  // A convolution of bytes is one, whatever it makes of their sums.
  const auto dtypeOf = [](const compiler::Program::StepInfo& step) {
    return (step.op == QuantizedConv2d::kName ? step.inputs : step.outputs)[0].dtype;
  };
  for (size_t i = 0; i < profile.steps.size(); ++i) {
    const compiler::Program::StepInfo& step = profile.steps[i];
    const DType dtype = dtypeOf(step), multiplied = step.inputs.empty() ? dtype : step.inputs[0].dtype;
    Json described{{"op", step.op},
                   {"attributes", step.attributes},
                   {"scope", step.scope},
                   {"implementation", step.implementation},
                   {"output", step.outputs[0].shape.toString()},
                   {"dtype", nameOf(dtype)},
                   {"flops", step.flops},
                   {"kernelFlops", step.flops * step.arithmetic.share},
                   {"kernelDtype", nameOf(step.arithmetic.dtype.value_or(multiplied))},
                   {"bytes", step.bytes},
                   {"seconds", step.seconds}};
    if (!profile.alternatives.empty()) {
      Json& alternatives = described["alternatives"] = Json::array();
      for (const auto& [implementation, ofDtype, speedup] : profile.alternatives[i])
        alternatives.push_back({{"implementation", implementation}, {"dtype", nameOf(ofDtype)}, {"speedup", speedup}});
    }
    steps.push_back(std::move(described));
  }
  return Json{{"steps", steps},
              {"arenaBytes", profile.arenaBytes},
              {"persistentBytes", profile.persistentBytes},
              {"copiedBytes", profile.copiedBytes}}
      .dump();
}

Deferred::Convert wrapModel(std::shared_ptr<model::Model> model) {
  return [model](Napi::Env env) { return ModelObject::wrap(env, model); };
}

}  // namespace

void ModelObject::define(Napi::Env env, Napi::Object exports) {
  const Napi::Function constructor = DefineClass(
      env, "NativeModel",
      {InstanceMethod("describe", &ModelObject::describe), InstanceMethod("parameters", &ModelObject::parameters),
       InstanceMethod("getParameter", &ModelObject::getParameter), InstanceMethod("forward", &ModelObject::forward),
       InstanceMethod("classify", &ModelObject::classify), InstanceMethod("segment", &ModelObject::segment),
       InstanceMethod("loadBackbone", &ModelObject::loadBackbone),
       InstanceMethod("loadPretrained", &ModelObject::loadPretrained),
       InstanceMethod("copyTrunk", &ModelObject::copyTrunk), InstanceMethod("profile", &ModelObject::profile),
       InstanceMethod("peaks", &ModelObject::peaks), InstanceMethod("save", &ModelObject::save),
       InstanceMethod("exportOnnx", &ModelObject::exportOnnx), InstanceMethod("dispose", &ModelObject::dispose)});
  AddonData::of(env).modelConstructor = Napi::Persistent(constructor);
  exports.Set("NativeModel", constructor);
}

ModelObject::ModelObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  guarded(info.Env(), [&] {
    require(info.Length() == 1 && info[0].IsExternal(), errors::kInvalidType,
            "models are made by createModel and loadModel");
    model_ = *info[0].As<Napi::External<std::shared_ptr<model::Model>>>().Data();
  });
  // What it is going to take at least: parameters that are in a file alone come when they are wanted.
  for (const model::ParameterInfo& p : model_->parameters()) reportedBytes_ += TensorType{DType::kF32, p.shape}.bytes();
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), reportedBytes_);
}

ModelObject::~ModelObject() {
  if (!model_) return;
  Napi::MemoryManagement::AdjustExternalMemory(Env(), -reportedBytes_);
  if (AddonData::of(Env()).closing) return;  // nothing runs any more: freed here and now
  // Freeing waits for running work, which the garbage collector must not.
  const std::shared_ptr<runtime::Engine> engine = model_->sharedEngine();
  try {
    engine->submit([model = std::move(model_)]() mutable { model.reset(); });
  } catch (...) {
    // A full queue, or no memory for its place: the last reference goes with this object instead.
  }
}

Napi::Value ModelObject::wrap(Napi::Env env, std::shared_ptr<model::Model> model) {
  return AddonData::of(env).modelConstructor.New({Napi::External<std::shared_ptr<model::Model>>::New(env, &model)});
}

std::shared_ptr<model::Model> ModelObject::unwrap(const Napi::Value& value) {
  const bool known =
      value.IsObject() && value.As<Napi::Object>().InstanceOf(AddonData::of(value.Env()).modelConstructor.Value());
  require(known, errors::kInvalidType, "expected a model made by createModel or loadModel");
  return ModelObject::Unwrap(value.As<Napi::Object>())->model_;
}

template <typename Work>
Napi::Value ModelObject::start(const Napi::CallbackInfo& info, const Napi::Value& cancellation, Work work) {
  model_->requireAlive();
  return AddonData::of(info.Env())
      .run(info.Env(), toCancelFlag(cancellation),
           [model = model_, work = std::move(work)](const CancelFlag& flag) mutable {
             return work(*model, flag.get());
           });
}

Napi::Value ModelObject::describe(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const model::ModelMetadata metadata = model_->metadata();
    const model::Model::Memory memory = model_->memory();
    Json json{{"spec", Json::parse(model::specToJson(metadata.spec))},
              {"task", networks::nameOf(model_->task())},
              {"device", model_->device()},
              {"precision", model_->precision()},
              {"threads", model_->threads()},
              {"inputSize", metadata.inputSize},
              {"mean", metadata.mean},
              {"deviation", metadata.deviation},
              {"window", {{"center", metadata.window.center}, {"width", metadata.window.width}}},
              {"temperature", metadata.temperature},
              {"minLesionAreaMm2", metadata.minLesionAreaMm2},
              {"memory",
               {{"parameterBytes", memory.parameterBytes},
                {"preparedBytes", memory.preparedBytes},
                {"arenaBytes", model_->engine().arenaBytes()}}},
              {"disposed", model_->disposed()}};
    json["quantizedLayers"] = Json::array();
    for (const auto& [layer, range] : metadata.quantized) json["quantizedLayers"].push_back(layer);
    if (!metadata.notice.empty()) json["notice"] = metadata.notice;
    if (!metadata.provenance.empty()) json["provenance"] = Json::parse(metadata.provenance);
    return Napi::String::New(info.Env(), json.dump());
  });
}

Napi::Value ModelObject::parameters(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    model_->requireAlive();
    const auto array = Napi::Array::New(info.Env());
    for (const model::ParameterInfo& parameter : model_->parameters()) {
      const auto item = Napi::Object::New(info.Env());
      item.Set("name", parameter.name);
      const auto shape = Napi::Array::New(info.Env());
      for (const int64_t extent : parameter.shape.extents()) shape.Set(shape.Length(), static_cast<double>(extent));
      item.Set("shape", shape);
      item.Set("trainable", parameter.trainable);
      array.Set(array.Length(), item);
    }
    return array;
  });
}

Napi::Value ModelObject::getParameter(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return start(info, info.Env().Undefined(), [name = toString(info[0], "name")](model::Model& model, auto*) {
      auto value = std::make_shared<Tensor>(model.parameter(name));
      return Deferred::Convert([value](Napi::Env env) { return fromTensor(env, *value); });
    });
  });
}

Napi::Value ModelObject::forward(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Tensor input = toTensor(info[0], "input");
    require(input.shape().rank() == 4 && input.shape()[1] == 3 && input.elements() > 0, errors::kShapeMismatch,
            [&] { return "forward takes a non-empty N×3×H×W tensor, got " + input.shape().toString(); });
    for (const float value : input.as<float>())
      require(std::isfinite(value), errors::kNotFinite, "the input of forward holds a value that is not finite");
    auto images = std::make_shared<Tensor>(channelsLast(input));
    return start(info, info[1], [images](model::Model& model, const std::atomic<bool>* cancelled) {
      auto outputs = std::make_shared<std::map<std::string, Tensor>>(model.forward(*images, false, cancelled));
      for (auto& [name, tensor] : *outputs)
        if (tensor.shape().rank() == 4) tensor = channelsFirst(tensor);
      return Deferred::Convert([outputs](Napi::Env env) -> Napi::Value {
        const auto object = Napi::Object::New(env);
        for (const auto& [name, tensor] : *outputs) object.Set(name, fromTensor(env, tensor));
        return object;
      });
    });
  });
}

Napi::Value ModelObject::classify(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Napi::Object options = toObject(info[1], "options");
    const diagnosis::ClassificationRequest request = toClassificationRequest(options);
    const diagnosis::CaseRule rule{.scoreThreshold = toNumber(options.Get("threshold"), "threshold")};
    const int64_t batchSize = toBatchSize(options.Get("batchSize"));
    return start(info, info[2], [=, shared = toSharedSlices(info[0], options)](model::Model& model, auto* cancelled) {
      auto results = std::make_shared<std::vector<diagnosis::SliceClassification>>(
          diagnosis::classifySlices(model, shared.selection, batchSize, request, cancelled));
      return Deferred::Convert(
          [=](Napi::Env env) { return fromClassifications(env, *results, shared.selection, rule, request.explain); });
    });
  });
}

Napi::Value ModelObject::segment(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Napi::Object options = toObject(info[1], "options");
    const diagnosis::SegmentationRequest request = toSegmentationRequest(options);
    const int64_t batchSize = toBatchSize(options.Get("batchSize"));
    return start(info, info[2], [=, shared = toSharedSlices(info[0], options)](model::Model& model, auto* cancelled) {
      auto results = std::make_shared<std::vector<diagnosis::SliceSegmentation>>(
          diagnosis::segmentSlices(model, shared.selection, batchSize, request, cancelled));
      return Deferred::Convert([=](Napi::Env env) { return fromSegmentations(env, *results, shared.selection); });
    });
  });
}

Napi::Value ModelObject::loadBackbone(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return start(info, info.Env().Undefined(), [open = toFileSource(info[0])](model::Model& model, auto*) {
      const int count = model.loadBackbone(open());
      return Deferred::Convert([count](Napi::Env env) { return Napi::Number::New(env, count); });
    });
  });
}

/// loadPretrained(source): JSON of PretrainedMatch of ts/native.ts.
Napi::Value ModelObject::loadPretrained(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return start(info, info.Env().Undefined(), [open = toFileSource(info[0])](model::Model& model, auto*) {
      return Deferred::Convert([text = pretrainedJson(model.loadPretrained(open()))](Napi::Env env) {
        return Napi::String::New(env, text);
      });
    });
  });
}

Napi::Value ModelObject::copyTrunk(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return start(info, info.Env().Undefined(), [classifier = ModelObject::unwrap(info[0])](model::Model& model, auto*) {
      model.copyTrunk(*classifier);
      return Deferred::Convert([](Napi::Env env) { return env.Undefined(); });
    });
  });
}

/// profile(n, height, width, alternatives): JSON of the compiled inference program's steps with the time of one warm
/// run, and of what else could compute them.
Napi::Value ModelObject::profile(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const int64_t n = toBatchSize(info[0]);
    const int64_t height = toWhole(info[1], "height", 1, networks::kLargestInput),
                  width = toWhole(info[2], "width", 1, networks::kLargestInput);
    const model::ProfileOptions options{n, height, width, info[3].ToBoolean()};
    return start(info, info[4], [=](model::Model& model, const std::atomic<bool>* cancelled) {
      return Deferred::Convert([text = profileJson(model.profile(options, cancelled))](Napi::Env env) {
        return Napi::String::New(env, text);
      });
    });
  });
}

/// peaks(): JSON of what the device can do at best.
Napi::Value ModelObject::peaks(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return start(info, info.Env().Undefined(), [](model::Model& model, auto*) {
      const runtime::Peaks peaks = model.peaks();
      const Json json{{"flopsPerSecond", peaks.flopsPerSecond}, {"bytesPerSecond", peaks.bytesPerSecond}};
      return Deferred::Convert([text = json.dump()](Napi::Env env) { return Napi::String::New(env, text); });
    });
  });
}

Napi::Value ModelObject::save(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Json json = parseJson(info[1], "options");
    model::SaveOptions options;
    options.bf16 = json.value("weights", "f32") == "bf16";
    if (json.contains("notice")) options.notice = json["notice"].get<std::string>();
    if (json.contains("minLesionAreaMm2")) options.minLesionAreaMm2 = json["minLesionAreaMm2"].get<double>();
    return start(info, info.Env().Undefined(), [path = toString(info[0], "path"), options](model::Model& model, auto*) {
      model.save(path, options);
      return Deferred::Convert([](Napi::Env env) { return env.Undefined(); });
    });
  });
}

Napi::Value ModelObject::exportOnnx(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Json options = parseJson(info[1], "options");
    return start(info, info.Env().Undefined(), [path = toString(info[0], "path"), options](model::Model& model, auto*) {
      const bool dynamic = options.value("dynamicBatch", false);
      const auto batch = std::max<int64_t>(options.value("batch", int64_t{1}), dynamic ? 2 : 1);
      const auto size = model.metadata().inputSize;
      const auto height = options.value("height", size), width = options.value("width", size);
      const bool inBytes = options.value("int8", !model.metadata().quantized.empty());
      const auto graph = inBytes ? model::quantizedGraph(model, batch, height, width)
                                 : networks::inferenceGraph(model.spec(), batch, height, width);
      const io::OnnxOptions onnx{.graphName = model.spec().network, .dynamicBatch = dynamic};
      io::exportOnnx(
          *graph, [&](const std::string& name) { return model.parameter(name); }, onnx, path);
      return Deferred::Convert([](Napi::Env env) { return env.Undefined(); });
    });
  });
}

Napi::Value ModelObject::dispose(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return AddonData::of(info.Env()).run(info.Env(), nullptr, [model = model_](const CancelFlag&) {
      model->dispose();
      return Deferred::Convert([](Napi::Env env) { return env.Undefined(); });
    });
  });
}

void defineModelFunctions(Napi::Env env, Napi::Object exports) {
  exports.Set(
      "createModel", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
        return guarded(info.Env(), [&] {
          const networks::NetworkSpec spec = model::specFromJson(toString(info[0], "spec"));
          const Json options = parseJson(info[1], "options");
          return AddonData::of(info.Env()).run(info.Env(), nullptr, [=](const CancelFlag&) {
            return wrapModel(model::Model::create(spec, toRuntimeOptions(options), options.value("seed", uint64_t{0})));
          });
        });
      }));
  exports.Set("loadModel", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                return guarded(info.Env(), [&] {
                  auto open = toFileSource(info[0]);
                  std::optional<networks::NetworkSpec> spec;
                  if (!info[1].IsUndefined()) spec = model::specFromJson(toString(info[1], "spec"));
                  const Json options = parseJson(info[2], "options");
                  return AddonData::of(info.Env()).run(info.Env(), nullptr, [=](const CancelFlag&) {
                    return wrapModel(model::Model::load(open(), spec, toRuntimeOptions(options)));
                  });
                });
              }));
}

}  // namespace jcs::binding
