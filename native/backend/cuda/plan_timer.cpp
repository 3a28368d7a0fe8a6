#include "backend/cuda/plan_timer.h"

#include <algorithm>
#include <limits>

#include "backend/cuda/event.h"

namespace jcs::cuda {

namespace {

class Zeros {
 public:
  Zeros(DeviceMemory& memory, int64_t bytes, cudaStream_t stream)
      : memory_(memory), bytes_(bytes), data_(memory.allocate(bytes)) {
    checkCuda(cudaMemsetAsync(data_, 0, static_cast<size_t>(bytes), stream), "cudaMemsetAsync");
  }
  ~Zeros() { memory_.release(data_, bytes_); }
  Zeros(const Zeros&) = delete;
  Zeros& operator=(const Zeros&) = delete;
  std::byte* data() const { return data_; }

 private:
  DeviceMemory& memory_;
  int64_t bytes_;
  std::byte* data_;
};

double measure(const ExecutionPlan& plan, const ConvolutionProblem& problem, bool fused, DeviceMemory& memory,
               cudaStream_t stream) {
  constexpr int kRepetitions = 3, kRunsEach = 4;
  const Zeros x(memory, problem.x.tensor.bytes(), stream), y(memory, problem.y.tensor.bytes(), stream),
      weights(memory, problem.weights.packedBytes(), stream),
      bias(memory, problem.y.paddedChannels * sizeOf(DType::kF32), stream),
      workspace(memory, plan.workspaceBytes() + 1, stream);
  const Zeros residual(memory, problem.residual ? problem.residual->tensor.bytes() : 0, stream);
  std::vector<ExecutionPlan::Binding> bindings{
      {tensors::kX, x.data()}, {tensors::kWeights, weights.data()}, {tensors::kY, y.data()}};
  if (fused && problem.bias) bindings.push_back({tensors::kBias, bias.data()});
  if (fused && problem.residual) bindings.push_back({tensors::kResidual, residual.data()});
  plan.execute(bindings, workspace.data());  // loads the kernel
  double best = std::numeric_limits<double>::infinity();
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    const Event begin = recordEvent(stream);
    for (int run = 0; run < kRunsEach; ++run) plan.execute(bindings, workspace.data());
    const Event end = recordEvent(stream);
    checkCuda(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
    best = std::min(best, secondsBetween(begin, end) / kRunsEach);
  }
  return best;
}

}  // namespace

double secondsOf(const ExecutionPlan& plan, const ConvolutionProblem& problem, bool fused, DeviceMemory& memory,
                 cudaStream_t stream) {
  try {
    return measure(plan, problem, fused, memory, stream);
  } catch (const Error&) {
    return std::numeric_limits<double>::infinity();
  }
}

}  // namespace jcs::cuda
