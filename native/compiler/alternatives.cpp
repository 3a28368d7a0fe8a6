#include "compiler/alternatives.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>

#include "compiler/cancellation.h"
#include "ops/conv2d.h"
#include "ops/quantized.h"

namespace jcs::compiler {

namespace {

constexpr double kLeastSeconds = 0.05;  ///< that all kernels of a step are timed for together
constexpr int kMostRounds = 20;

/// The same convolution as the other kind of op: of numbers or of bytes.
template <typename To, typename From>
std::shared_ptr<To> converted(const From& from) {
  auto to = std::make_shared<To>();
  to->conv = from.conv;
  to->bias = from.bias;
  to->residual = from.residual;
  to->activation = from.activation;
  return to;
}

/// A convolution of numbers in another precision, or of bytes as one of numbers, or the other way round; null where
/// there is none. Scales do not matter to how long it takes.
std::shared_ptr<const Op> opIn(const Op& op, DType dtype) {
  if (const auto* bytes = as<QuantizedConv2d>(op)) {
    const auto numbers = converted<Conv2d>(*bytes);
    numbers->float32Output = bytes->dtype == DType::kF32;
    return numbers;
  }
  const auto& numbers = static_cast<const Conv2d&>(op);
  if (dtype != DType::kU8) return std::make_shared<Conv2d>(numbers);
  if (numbers.conv.groups != 1) return nullptr;
  const auto bytes = converted<QuantizedConv2d>(numbers);
  bytes->dtype = numbers.float32Output ? DType::kF32 : DType::kU8;
  return bytes;
}

/// The same with activations of `dtype`, in the same places of wider tensors; none where that is no computation.
Computation computationIn(const Computation& from, DType dtype) {
  Computation result{opIn(*from.op, dtype), from.inputs, from.outputs};
  if (!result.op) return {};
  std::vector<TensorType> types;
  for (size_t i = 0; i < result.inputs.size(); ++i) {
    DType& own = result.inputs[i].type.dtype;
    switch (result.op->precision(static_cast<int>(i))) {
      case Precision::kFloat32: own = DType::kF32; break;
      case Precision::kActivation:
      case Precision::kFollow:
      case Precision::kGradient: own = dtype; break;
      case Precision::kBytes: own = DType::kU8; break;
    }
    types.push_back(result.inputs[i].type);
  }
  const std::vector<TensorType> outputs = result.op->infer(types);
  for (size_t i = 0; i < outputs.size(); ++i) result.outputs[i].type = outputs[i];
  return result;
}

std::string keyOf(const Computation& computation) {
  std::string key = std::string(computation.op->name()) + ' ' + computation.op->attributes();
  for (const auto* operands : {&computation.inputs, &computation.outputs})
    for (const Operand& operand : *operands)
      key += ' ' + std::string(nameOf(operand.type.dtype)) + ' ' + operand.type.shape.toString() + '/' +
             std::to_string(operand.rowStride);
  return key;
}

/// Zeros for what a computation reads, and room for what it writes.
class OperandMemory {
 public:
  OperandMemory(const std::shared_ptr<Backend>& backend, const Computation& computation) {
    const auto allocate = [&](const Operand& operand) {
      const int64_t bytes = operand.type.shape.rows() * operand.rowStride * sizeOf(operand.type.dtype);
      const Tensor zeros = Tensor::zeros(DType::kU8, {bytes});
      backend->upload(buffers_.emplace_back(backend, bytes).data(), zeros.data(), bytes);
      return buffers_.back().data();
    };
    for (const Operand& operand : computation.inputs) inputs.push_back(allocate(operand));
    for (const Operand& operand : computation.outputs) outputs.push_back(allocate(operand));
  }

  std::vector<const std::byte*> inputs;
  std::vector<std::byte*> outputs;

 private:
  std::vector<DeviceBuffer> buffers_;
};

/// A kernel ready to run.
class Trial {
 public:
  Trial(const std::shared_ptr<Backend>& backend, std::unique_ptr<Kernel> kernel,
        std::shared_ptr<const OperandMemory> operands)
      : kernel_(std::move(kernel)), operands_(std::move(operands)), inputs_(operands_->inputs) {
    const auto allocate = [&](int64_t bytes) { return buffers_.emplace_back(backend, bytes).data(); };
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const auto input = static_cast<int>(i);
      if (kernel_->packedBytes(input) == 0) continue;
      std::byte* const packed = allocate(kernel_->packedBytes(input));
      kernel_->pack(input, inputs_[i], packed);
      inputs_[i] = packed;
    }
    if (kernel_->scratchBytes() > 0) scratch_ = allocate(kernel_->scratchBytes());
  }

  void run() { kernel_->run(inputs_, operands_->outputs, scratch_); }
  std::string implementation() const { return kernel_->implementation(); }

 private:
  std::unique_ptr<Kernel> kernel_;
  std::shared_ptr<const OperandMemory> operands_;
  std::vector<const std::byte*> inputs_;
  std::vector<DeviceBuffer> buffers_;
  std::byte* scratch_ = nullptr;
};

/// The least that each takes, in turns.
std::vector<double> leastSeconds(Backend& backend, std::vector<Trial>& trials) {
  std::vector<std::function<void()>> runs;
  for (Trial& trial : trials) runs.emplace_back([&trial] { trial.run(); });
  backend.time(runs);
  std::vector<double> least(trials.size(), std::numeric_limits<double>::infinity());
  double spent = 0;
  for (int round = 0; round < kMostRounds && (round < 2 || spent < kLeastSeconds); ++round) {
    const std::vector<double> seconds = backend.time(runs);
    for (size_t i = 0; i < least.size(); ++i) {
      least[i] = std::min(least[i], seconds[i]);
      spent += seconds[i];
    }
  }
  return least;
}

/// Every kernel, the one that programs take first.
std::vector<std::unique_ptr<Kernel>> kernelsOf(Backend& backend, const Computation& computation,
                                               const KernelOptions& options) {
  const auto& [op, inputs, outputs] = computation;
  std::vector<std::unique_ptr<Kernel>> kernels;
  kernels.push_back(backend.prepare(*op, inputs, outputs, options));
  const std::string first = kernels[0]->implementation();
  for (auto& kernel : backend.choices(*op, inputs, outputs, options))
    if (kernel->implementation() != first) kernels.push_back(std::move(kernel));
  return kernels;
}

std::vector<Alternative> alternativesOf(const Computation& computation, const std::shared_ptr<Backend>& backend,
                                        const KernelOptions& options, std::span<const DType> dtypes) {
  std::vector<Trial> trials;
  std::vector<DType> dtypeOf;
  const auto add = [&](const Computation& what) {
    const auto operands = std::make_shared<const OperandMemory>(backend, what);
    for (auto& kernel : kernelsOf(*backend, what, options)) {
      trials.emplace_back(backend, std::move(kernel), operands);
      dtypeOf.push_back(what.inputs[0].type.dtype);
    }
  };
  add(computation);
  for (const DType dtype : dtypes) {
    if (dtype == dtypeOf[0]) continue;
    if (const Computation other = computationIn(computation, dtype); other.op) add(other);
  }
  if (trials.size() == 1) return {};
  const std::vector<double> seconds = leastSeconds(*backend, trials);
  std::vector<Alternative> found;
  for (size_t i = 1; i < trials.size(); ++i)
    found.push_back({trials[i].implementation(), dtypeOf[i], seconds[0] / seconds[i]});
  std::ranges::stable_sort(found, std::greater(), &Alternative::speedup);
  return found;
}

}  // namespace

std::vector<std::vector<Alternative>> timeAlternatives(std::span<const Computation> computations,
                                                       const std::shared_ptr<Backend>& backend,
                                                       const KernelOptions& options, std::span<const DType> dtypes,
                                                       const std::atomic<bool>* cancelled) {
  std::map<std::string, std::vector<Alternative>> timed;  // equal layers are timed once
  std::vector<std::vector<Alternative>> alternatives;
  for (const Computation& computation : computations) {
    throwIfCancelled(cancelled);
    const bool isConvolution = is<Conv2d>(*computation.op) || is<QuantizedConv2d>(*computation.op);
    if (!isConvolution) {
      alternatives.emplace_back();
      continue;
    }
    const auto [entry, isNew] = timed.try_emplace(keyOf(computation));
    if (isNew) entry->second = alternativesOf(computation, backend, options, dtypes);
    alternatives.push_back(entry->second);
  }
  return alternatives;
}

}  // namespace jcs::compiler
