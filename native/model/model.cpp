#include "model/model.h"

#include <algorithm>

#include "model/file_weights.h"
#include "model/parameters.h"
#include "model/prepared_files.h"
#include "networks/backbone.h"

namespace jcs::model {

Model::Model(ModelMetadata metadata, const RuntimeOptions& options)
    : metadata_(std::move(metadata)),
      engine_(runtime::Engine::acquire(options.device)),
      activation_(chooseActivation(options.precision, engine_->backend())),
      tf32_(options.precision == "tf32" && engine_->device().tf32),
      wantsBytes_(choosesBytes(options.precision, engine_->backend())),
      threads_(chooseThreads(options.threads, engine_->device())),
      states_(engine_->sharedBackend()),
      derived_(std::make_shared<compiler::DerivedStore>()) {
  if (options.memoryLimitBytes > 0) engine_->backend().limitMemory(options.memoryLimitBytes);
  for (const ParameterDeclaration& d : declareParameters(metadata_.spec))
    parameters_.push_back({d.name, d.shape, d.state.trainable});
}

Model::~Model() { dispose(); }

std::shared_ptr<Model> Model::create(const networks::NetworkSpec& spec, const RuntimeOptions& options, uint64_t seed) {
  const networks::NetworkSpec fresh = networks::untrained(spec);
  networks::validate(fresh);
  require(options.precision != "int8", errors::kInvalidArgument,
          "a new model is not quantised, which precision 'int8' needs; train it, and quantize it with some slices");
  std::shared_ptr<Model> model(new Model(defaultMetadata(fresh), options));
  for (const ParameterDeclaration& d : declareParameters(fresh)) model->setParameter(d.name, initialValue(d, seed));
  return model;
}

std::shared_ptr<Model> Model::load(io::SafetensorsFile file, const std::optional<networks::NetworkSpec>& spec,
                                   const RuntimeOptions& options) {
  std::optional<ModelMetadata> metadata = fromSafetensors(file.metadata(), file.source());
  if (!metadata) {
    require(spec.has_value(), errors::kInvalidArgument, [&] {
      return file.source() +
             " does not say which network it is; pass `spec`, for example { network: "
             "'jcs-segmentation', variant: 'authors' }";
    });
    networks::validate(*spec);
    metadata = defaultMetadata(*spec);
  } else if (spec) {
    networks::NetworkSpec stored = metadata->spec, given = *spec;
    stored.trunkEpsilon = given.trunkEpsilon = std::nullopt;
    stored.classifierEpsilon = given.classifierEpsilon = std::nullopt;
    require(stored == given, errors::kWrongVariant, [&] {
      return file.source() + " holds " + specToJson(metadata->spec) + ", but `spec` asks for " + specToJson(*spec) +
             "; leave `spec` out or make it agree";
    });
  }
  checkStateDict(stateDictOf(file), metadata->spec, file.source());
  require(options.precision != "int8" || !metadata->quantized.empty(), errors::kInvalidArgument, [&] {
    return file.source() + " is not quantised, which precision 'int8' needs; `jcs quantize` does that with some slices";
  });
  std::shared_ptr<Model> model(new Model(std::move(*metadata), options));
  // Whoever kept something of this file's has loaded it, and found it usable.
  const auto prepared = PreparedFiles::of(file, model->engine_->backend());
  const auto weights = std::make_shared<const FileWeights>(std::move(file), prepared && prepared->hasAny());
  model->engine_->runAndWait([&] {
    if (const std::string identity = weights->identity(); !identity.empty())
      model->derived_ = model->engine_->derivedStore(identity, prepared);
    for (const ParameterInfo& parameter : model->parameters_)
      model->states_.setSource(parameter.name, {DType::kF32, parameter.shape}, weights);
  });
  return model;
}

networks::NetworkSpec Model::spec() const {
  const std::lock_guard lock(metadataMutex_);
  return metadata_.spec;
}

ModelMetadata Model::metadata() const {
  const std::lock_guard lock(metadataMutex_);
  return metadata_;
}

void Model::setInputSize(int64_t pixels) {
  const std::lock_guard lock(metadataMutex_);
  metadata_.inputSize = pixels;
}

void Model::setWindow(const data::IntensityWindow& window) {
  data::validate(window, "the model");
  const std::lock_guard lock(metadataMutex_);
  metadata_.window = window;
}

void Model::setTemperature(double temperature) {
  const std::lock_guard lock(metadataMutex_);
  metadata_.temperature = temperature;
}

void Model::setProvenance(std::string json) {
  const std::lock_guard lock(metadataMutex_);
  metadata_.provenance = std::move(json);
}

void Model::setQuantization(compiler::LayerRanges layers) {
  {
    const std::lock_guard lock(metadataMutex_);
    metadata_.quantized = std::move(layers);
  }
  forgetPrograms();
}

void Model::tryQuantization(std::shared_ptr<const QuantizationTrial> trial) {
  {
    const std::lock_guard lock(metadataMutex_);
    trial_ = std::move(trial);
  }
  forgetPrograms();
}

std::shared_ptr<const QuantizationTrial> Model::trial() const {
  const std::lock_guard lock(metadataMutex_);
  return trial_;
}

std::shared_ptr<const compiler::LayerRanges> Model::computedInBytes() const {
  const std::lock_guard lock(metadataMutex_);
  if (trial_) return {trial_, &trial_->layers};
  if (!wantsBytes_ || metadata_.quantized.empty()) return nullptr;
  return std::make_shared<const compiler::LayerRanges>(metadata_.quantized);
}

std::string Model::precision() const {
  if (computedInBytes()) return "int8";
  return activation_ == DType::kBF16 ? "bf16" : tf32_ ? "tf32" : "fp32";
}

void Model::forgetPrograms() {
  engine_->runAndWait([&] {
    programs_.clear();
    preparedBytes_ = derived_->bytes();
  });
}

void Model::requireAlive() const {
  require(!disposed_, errors::kDisposed, "the model was disposed; load or create another");
}

Tensor Model::parameter(const std::string& name) {
  requireAlive();
  require(std::ranges::any_of(parameters_, [&](const ParameterInfo& p) { return p.name == name; }),
          errors::kMissingParameter,
          [&] { return "network '" + spec().network + "' has no parameter '" + name + "'; parameters() lists them"; });
  Tensor value;
  engine_->runAndWait([&] {
    requireAlive();
    value = states_.get(name);
  });
  return value;
}

void Model::setParameter(const std::string& name, const Tensor& value) {
  engine_->runAndWait([&] {
    requireAlive();
    states().set(name, value);
    measureMemory();
  });
}

void Model::setParameters(const std::vector<std::pair<std::string, Tensor>>& values) {
  engine_->runAndWait([&] {
    requireAlive();
    for (const auto& [name, value] : values) states().set(name, value);
    measureMemory();
  });
}

int Model::loadBackbone(const io::SafetensorsFile& file) {
  std::map<std::string, Tensor> taken;
  for (const io::SafetensorsEntry& entry : file.entries()) {
    const auto name = networks::backboneParameterName(spec(), entry.name);
    if (!name) continue;
    const auto target = std::ranges::find(parameters_, *name, &ParameterInfo::name);
    if (target == parameters_.end()) continue;
    require(std::ranges::equal(entry.shape, target->shape.extents()), errors::kShapeMismatch, [&] {
      return file.source() + ": '" + entry.name + "' does not fit '" + *name + "' of shape " +
             target->shape.toString() + "; backbones have width 1";
    });
    Tensor value = file.load(entry.name);
    requireUsable(value.as<float>(), entry.name, file.source());
    taken.emplace(*name, std::move(value));
  }
  require(!taken.empty(), errors::kMissingParameter, [&] {
    return file.source() + " has no weights for a backbone of '" + spec().network +
           "'; expected names as torchvision's vgg16_bn ('features.0.weight') or Res2Net's ('layer1.0.conv1.weight')";
  });
  // A trunk is filled wholly or not at all: a file of another architecture may share some names and shapes.
  for (const std::string& prefix : networks::backbonePrefixes(spec())) {
    const auto inTrunk = [&](const std::string& name) { return name.starts_with(prefix) && !name.starts_with("fc."); };
    const bool touched = std::ranges::any_of(taken, [&](const auto& entry) { return inTrunk(entry.first); });
    for (const ParameterInfo& parameter : parameters_)
      require(!touched || !inTrunk(parameter.name) || taken.contains(parameter.name), errors::kMissingParameter, [&] {
        return file.source() + " fills the trunk '" + prefix + "' only in part: it has nothing for '" + parameter.name +
               "'";
      });
  }
  for (const auto& [name, value] : taken) setParameter(name, value);
  return static_cast<int>(taken.size());
}

PretrainedMatch Model::loadPretrained(const io::SafetensorsFile& file) {
  PretrainedMatch match = matchPretrained(file, spec());
  const auto entries = stateDictOf(file);
  std::vector<std::pair<std::string, Tensor>> values;
  for (const LayerMatch& layer : match.layers) {
    if (!layer.taken()) continue;
    for (const std::string& name : layer.parameters) {
      Tensor value = file.load(entries.at(name)->name);
      requireUsable(value.as<float>(), name, file.source());
      values.emplace_back(name, std::move(value));
    }
  }
  require(!values.empty(), errors::kMissingParameter, [&] {
    return file.source() + " has no layer of network '" + spec().network + "' in its shape; of the first, " +
           match.layers.front().reason + " (check network, variant and width)";
  });
  setParameters(values);
  if (const auto theirs = fromSafetensors(file.metadata(), file.source())) {
    const std::lock_guard lock(metadataMutex_);
    metadata_.window = theirs->window;
    metadata_.notice = theirs->notice;
  }
  return match;
}

void Model::copyTrunk(Model& classifier) {
  const networks::Trunk* trunk = networks::networkInfo(spec().network).classifierTrunk();
  require(trunk != nullptr, errors::kInvalidArgument,
          [&] { return "network '" + spec().network + "' does not combine a classifier's features"; });
  const networks::NetworkSpec ours = spec(), theirs = classifier.spec();
  const bool agrees =
      theirs.network == ours.trunk && theirs.width == ours.width && theirs.outputStride == ours.outputStride;
  require(agrees, errors::kWrongVariant, [&] {
    const auto describe = [](const std::string& network, const networks::NetworkSpec& s) {
      return "'" + network + "' of width " + std::to_string(s.width) + " and output stride " +
             std::to_string(s.outputStride);
    };
    return "the joint network's trunk is " + describe(ours.trunk, ours) + ", the classifier is " +
           describe(theirs.network, theirs) + "; make spec.trunk, width and outputStride agree";
  });
  const auto window = classifier.metadata().window;
  for (const ParameterInfo& parameter : parameters_)
    if (parameter.name.starts_with(trunk->prefix))
      setParameter(parameter.name, classifier.parameter(parameter.name.substr(trunk->prefix.size())));
  {
    const std::lock_guard lock(metadataMutex_);
    metadata_.spec.classifierEpsilon = networks::trunkEpsilon(theirs);
    metadata_.window = window;
  }
  forgetPrograms();  // they were compiled for the epsilon of before
}

std::shared_ptr<compiler::Program> Model::program(const runtime::ProgramKey& key,
                                                  const std::function<std::unique_ptr<Graph>()>& graph) {
  requireAlive();
  bool isNew = false;
  const auto program = programs_.get(key, [&] {
    isNew = true;
    compiler::CompileOptions options = compileOptions();
    options.quantized = computedInBytes();
    return std::make_shared<compiler::Program>(*graph(), engine_->sharedBackend(), options, derived_.get());
  });
  if (isNew) preparedBytes_ = derived_->bytes();
  measureMemory();
  return program;
}

void Model::run(compiler::Program& program, const compiler::Bindings& bindings, const std::atomic<bool>* cancelled) {
  const auto trial = this->trial();
  const bool isSeen = trial && trial->observer;
  program.observeConvolutions(isSeen ? [&](const compiler::Program::StepInfo& step,
                                           const Tensor& input) { trial->observer(step.scope, input.as<float>()); }
                                     : compiler::Program::Observer());
  engine_->run(program, states_, bindings, cancelled);
  measureMemory();
}

compiler::StateStore& Model::states() {
  {
    const std::lock_guard lock(metadataMutex_);
    if (!metadata_.quantized.empty()) programs_.clear();
    metadata_.quantized.clear();
  }
  if (isDetached_) return states_;
  states_.detach();
  isDetached_ = true;
  // What was derived so far is of other models, too, which do not change.
  programs_.clear();
  derived_ = std::make_shared<compiler::DerivedStore>();
  preparedBytes_ = 0;
  measureMemory();
  return states_;
}

std::shared_ptr<compiler::Program> Model::inferenceProgram(int64_t n, int64_t height, int64_t width,
                                                           bool withActivationMap) {
  return program({runtime::ProgramKey::Kind::kForward, n, height, width, withActivationMap},
                 [&] { return networks::inferenceGraph(spec(), n, height, width, withActivationMap); });
}

std::map<std::string, Tensor> Model::forwardNow(const Tensor& images, bool withActivationMap,
                                                const std::atomic<bool>* cancelled) {
  requireAlive();
  const Shape& shape = images.shape();
  const auto program = inferenceProgram(shape[0], shape[1], shape[2], withActivationMap);
  std::map<std::string, Tensor> results;
  compiler::Bindings bindings;
  bindings.input(networks::kImageInput, images.as<float>());
  std::vector<std::string> names = networks::networkInfo(spec().network).outputs;
  if (withActivationMap) names.emplace_back(networks::kActivationMapOutput.name);
  for (const std::string& name : names)
    bindings.output(name, results.emplace(name, Tensor(program->outputType(name))).first->second);
  run(*program, bindings, cancelled);
  return results;
}

std::map<std::string, Tensor> Model::forward(const Tensor& images, bool withActivationMap,
                                             const std::atomic<bool>* cancelled) {
  std::map<std::string, Tensor> results;
  engine_->runAndWait([&] { results = forwardNow(images, withActivationMap, cancelled); });
  return results;
}

Profile Model::profile(const ProfileOptions& options, const std::atomic<bool>* cancelled) {
  const auto [n, height, width, alternatives] = options;
  Profile result;
  engine_->runAndWait([&] {
    requireAlive();
    const auto program = inferenceProgram(n, height, width, false);  // before the images: what does not fit ends here
    const Tensor images = Tensor::zeros(DType::kF32, {n, height, width, 3});
    compiler::Bindings bindings;
    bindings.input(networks::kImageInput, images.as<float>());
    run(*program, bindings, cancelled);  // warms caches and packs weights
    program->profile(true);
    run(*program, bindings, cancelled);
    program->profile(false);
    result = {program->steps(), {}, program->arenaBytes(), program->persistentBytes(), program->copiedBytes()};
    if (!alternatives) return;
    result.alternatives =
        compiler::timeAlternatives(program->computations(), engine_->sharedBackend(), compileOptions().kernels,
                                   runtime::productTypes(*engine_), cancelled);
  });
  return result;
}

runtime::Peaks Model::peaks() {
  requireAlive();
  runtime::Peaks result;
  engine_->runAndWait([&] { result = runtime::measurePeaks(*engine_, threads_); });
  return result;
}

void Model::save(const std::string& path, const SaveOptions& options) {
  requireAlive();
  ModelMetadata metadata = this->metadata();
  if (options.notice) metadata.notice = *options.notice;
  if (options.minLesionAreaMm2) metadata.minLesionAreaMm2 = *options.minLesionAreaMm2;
  std::vector<Tensor> values;
  engine_->runAndWait([&] {
    requireAlive();
    for (const ParameterInfo& parameter : parameters_) values.push_back(states_.get(parameter.name));
  });
  for (Tensor& value : values)
    if (options.bf16 && value.shape().rank() > 1) value = value.to(DType::kBF16);
  std::vector<io::NamedTensor> named;
  for (size_t i = 0; i < values.size(); ++i) named.push_back({parameters_[i].name, &values[i]});
  io::writeSafetensors(path, named, toSafetensors(metadata));
}

void Model::dispose() {
  if (disposed_.exchange(true)) return;
  // Memory goes on the execution thread, after whatever runs.
  engine_->runAndWait([&] {
    programs_.clear();
    states_.clear();
    parameterBytes_ = preparedBytes_ = 0;
  });
}

}  // namespace jcs::model
