#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "model/metadata.h"
#include "model/pretrained.h"
#include "model/runtime_options.h"
#include "runtime/engine.h"
#include "runtime/peaks.h"
#include "runtime/program_cache.h"

namespace jcs::model {

struct ParameterInfo {
  std::string name;
  Shape shape;
  bool trainable;
};

struct SaveOptions {
  bool bf16 = false;  ///< of weights; vectors, such as statistics, stay float32
  /// Instead of the model's own.
  std::optional<std::string> notice;
  std::optional<double> minLesionAreaMm2;
};

/// Inference for a while: which layers are computed in bytes, whatever precision and quantisation say, and who sees
/// what the others read, in float32, on the execution thread.
struct QuantizationTrial {
  compiler::LayerRanges layers;
  std::function<void(const std::string& layer, std::span<const float> input)> observer = nullptr;
};

struct ProfileOptions {
  int64_t n = 1, height = 0, width = 0;
  bool alternatives = false;  ///< times what else each convolution could be computed with, too
};

/// What a compiled network does, step by step, and how long one warm run of it took.
struct Profile {
  std::vector<compiler::Program::StepInfo> steps;
  std::vector<std::vector<compiler::Alternative>> alternatives;  ///< of each step, where they were asked for
  int64_t arenaBytes = 0, persistentBytes = 0, copiedBytes = 0;
};

/// A network's weights on a device and the programs compiled for them. Shared by whatever runs on it, and usable from
/// any thread, except for the functions marked 'execution thread'.
class Model : public std::enable_shared_from_this<Model> {
 public:
  /// Initialised from the seed alone: the same on every device and machine.
  static std::shared_ptr<Model> create(const networks::NetworkSpec& spec, const RuntimeOptions& options, uint64_t seed);
  /// From a file of ours, or from a converted state dict, which needs `spec`. Every parameter has to be there, and
  /// nothing else: MISSING_PARAMETER, UNEXPECTED_PARAMETER, SHAPE_MISMATCH, and WRONG_VARIANT when the names are those
  /// of another variant of the network. Parameters stay in the file until they are wanted, and inference does not hold
  /// what it has prepared: the file has to stay as it is, or to be replaced by renaming.
  static std::shared_ptr<Model> load(io::SafetensorsFile file, const std::optional<networks::NetworkSpec>& spec,
                                     const RuntimeOptions& options);
  ~Model();

  /// Copies: what is known of a model changes while others work with it, by training and by `copyTrunk`.
  networks::NetworkSpec spec() const;
  ModelMetadata metadata() const;
  void setInputSize(int64_t pixels);
  void setWindow(const data::IntensityWindow& window);
  void setTemperature(double temperature);
  void setProvenance(std::string json);
  /// Convolutions that inference computes in bytes where the precision asks for it; the parameters stay as they are.
  /// Whoever changes these (`states`) ends it.
  void setQuantization(compiler::LayerRanges layers);
  /// From now on inference is as the trial says; null: as it is without.
  void tryQuantization(std::shared_ptr<const QuantizationTrial> trial);
  networks::Task task() const { return networks::networkInfo(spec().network).task; }
  const std::string& device() const { return engine_->device().name; }
  std::string precision() const;
  DType activation() const { return activation_; }
  /// In numbers, as all programs of training are: `program` adds what inference computes in bytes.
  compiler::CompileOptions compileOptions() const {
    return {.activation = activation_,
            .kernels = {.threads = threads_, .tf32 = tf32_},
            .heldArenaBytes = engine_->arenaBytes()};
  }
  int threads() const { return threads_; }
  runtime::Engine& engine() { return *engine_; }
  std::shared_ptr<runtime::Engine> sharedEngine() { return engine_; }

  const std::vector<ParameterInfo>& parameters() const { return parameters_; }
  /// MISSING_PARAMETER when there is none of that name.
  Tensor parameter(const std::string& name);
  void setParameter(const std::string& name, const Tensor& value);
  void setParameters(const std::vector<std::pair<std::string, Tensor>>& values);

  /// Copies the weights of an ImageNet backbone (torchvision's VGG-16-BN, Res2Net's) into the layers that it has.
  /// Returns how many tensors were taken; MISSING_PARAMETER when the file lacks some.
  int loadBackbone(const io::SafetensorsFile& file);
  /// Copies the layers that a state dict of whatever network has under our names and in our shapes; the others stay as
  /// they are. A file of ours brings its window and its notice. MISSING_PARAMETER when it has none of them.
  PretrainedMatch loadPretrained(const io::SafetensorsFile& file);
  /// jcs-joint: copies a classifier's trunk into `res2net.*`, and takes over its window. WRONG_VARIANT when its depth,
  /// width or output stride differs.
  void copyTrunk(Model& classifier);

  /// The outputs of the network for images N×H×W×3, normalised, by name.
  std::map<std::string, Tensor> forward(const Tensor& images, bool withActivationMap,
                                        const std::atomic<bool>* cancelled = nullptr);
  /// The program of that key, compiled from `graph` when it is not there; execution thread.
  std::shared_ptr<compiler::Program> program(const runtime::ProgramKey& key,
                                             const std::function<std::unique_ptr<Graph>()>& graph);
  /// Runs one of the model's own programs; execution thread.
  void run(compiler::Program& program, const compiler::Bindings& bindings,
           const std::atomic<bool>* cancelled = nullptr);
  /// For whoever changes them: in memory, all, from now on. Execution thread, or while nothing runs.
  compiler::StateStore& states();

  /// Times each step of the inference program for zeros of that size.
  Profile profile(const ProfileOptions& options, const std::atomic<bool>* cancelled = nullptr);
  /// What the device can do at best with as many threads as the model uses.
  runtime::Peaks peaks();

  void save(const std::string& path, const SaveOptions& options = {});
  /// Frees the device memory as soon as running work is done; whatever is asked afterwards is DISPOSED.
  void dispose();
  bool disposed() const { return disposed_; }
  void requireAlive() const;
  struct Memory {
    int64_t parameterBytes;  ///< parameters that are in memory: all, unless a file has them
    int64_t preparedBytes;   ///< what programs have derived from them
    int64_t bytes() const { return parameterBytes + preparedBytes; }
  };
  /// On the device. What programs compute in is the engine's arena, shared by all models.
  Memory memory() const { return {parameterBytes_, preparedBytes_}; }
  int64_t memoryBytes() const { return memory().bytes(); }

 private:
  Model(ModelMetadata metadata, const RuntimeOptions& options);
  /// Execution thread; after whatever brings states into memory or lets them go.
  void measureMemory() { parameterBytes_ = states_.bytes(); }
  std::shared_ptr<const QuantizationTrial> trial() const;
  /// What inference computes in bytes now; null: nothing.
  std::shared_ptr<const compiler::LayerRanges> computedInBytes() const;
  /// Programs are compiled anew when they are wanted.
  void forgetPrograms();
  std::shared_ptr<compiler::Program> inferenceProgram(int64_t n, int64_t height, int64_t width, bool withActivationMap);
  std::map<std::string, Tensor> forwardNow(const Tensor& images, bool withActivationMap,
                                           const std::atomic<bool>* cancelled);

  mutable std::mutex metadataMutex_;
  ModelMetadata metadata_;
  std::shared_ptr<const QuantizationTrial> trial_;  ///< none: as precision and metadata say
  std::shared_ptr<runtime::Engine> engine_;
  DType activation_;
  bool tf32_;
  bool wantsBytes_;  ///< of a quantised model
  int threads_;
  std::vector<ParameterInfo> parameters_;
  compiler::StateStore states_;
  bool isDetached_ = false;                          ///< nothing of its states is in a file alone
  std::shared_ptr<compiler::DerivedStore> derived_;  ///< shared with other models of the file
  runtime::ProgramCache programs_;
  std::atomic<bool> disposed_{false};
  std::atomic<int64_t> parameterBytes_{0}, preparedBytes_{0};
};

}  // namespace jcs::model
