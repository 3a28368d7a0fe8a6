#pragma once

#include "backend/reference/view.h"
#include "backend/registry.h"

/// What the kernel files of the reference backend share: each op is one function `compute(op, operands)` over views.
namespace jcs::reference {

/// The device that kernel factories are told about; the reference needs nothing of it.
struct Oracle {};

struct Operands {
  std::vector<View<const double>> inputs;
  std::vector<View<double>> outputs;
  // The memory of the same; for those that hold bytes.
  std::vector<std::span<const std::byte>> inputBytes;
  std::vector<std::span<std::byte>> outputBytes;
  std::span<const Operand> inputOperands, outputOperands;

  /// The same, where the elements are bytes.
  struct Bytes {
    std::vector<View<const uint8_t>> inputs;
    std::vector<View<uint8_t>> outputs;
  };
  Bytes bytes() const {
    Bytes views;
    for (size_t i = 0; i < inputOperands.size(); ++i)
      views.inputs.emplace_back(reinterpret_cast<const uint8_t*>(inputBytes[i].data()), inputOperands[i]);
    for (size_t i = 0; i < outputOperands.size(); ++i)
      views.outputs.emplace_back(reinterpret_cast<uint8_t*>(outputBytes[i].data()), outputOperands[i]);
    return views;
  }
};

template <typename OpType>
class LoopKernel : public Kernel {
 public:
  using Compute = void (*)(const OpType& op, const Operands& operands);

  LoopKernel(const Preparation<Oracle>& p, Compute compute)
      : op_(p.as<OpType>()),
        inputs_(p.inputs.begin(), p.inputs.end()),
        outputs_(p.outputs.begin(), p.outputs.end()),
        compute_(compute) {}

  void run(std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs, std::byte*) override {
    Operands operands;
    operands.inputOperands = inputs_;
    operands.outputOperands = outputs_;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      operands.inputs.emplace_back(reinterpret_cast<const double*>(inputs[i]), inputs_[i]);
      operands.inputBytes.emplace_back(inputs[i], static_cast<size_t>(inputs_[i].type.bytes()));
    }
    for (size_t i = 0; i < outputs_.size(); ++i) {
      operands.outputs.emplace_back(reinterpret_cast<double*>(outputs[i]), outputs_[i]);
      operands.outputBytes.emplace_back(outputs[i], static_cast<size_t>(outputs_[i].type.bytes()));
    }
    compute_(op_, operands);
  }
  std::string implementation() const override { return "plain loops"; }

 private:
  OpType op_;  // a copy: a kernel outlives the graph that it was prepared from
  std::vector<Operand> inputs_, outputs_;
  Compute compute_;
};

/// Registers `compute` as the kernel of the op, every operand of which may be a channel slice.
template <typename OpType>
void addLoops(KernelRegistry<Oracle>& kernels, typename LoopKernel<OpType>::Compute compute) {
  kernels.add<OpType>(
      [compute](const Preparation<Oracle>& p) { return std::make_unique<LoopKernel<OpType>>(p, compute); },
      [](const Op&, bool, int) { return true; });
}

void addConv2dKernels(KernelRegistry<Oracle>& kernels);
void addElementwiseKernels(KernelRegistry<Oracle>& kernels);
void addReduceKernels(KernelRegistry<Oracle>& kernels);
void addMatmulKernels(KernelRegistry<Oracle>& kernels);
void addBatchNormKernels(KernelRegistry<Oracle>& kernels);
void addPoolKernels(KernelRegistry<Oracle>& kernels);
void addQuantizedKernels(KernelRegistry<Oracle>& kernels);
void addResizeKernels(KernelRegistry<Oracle>& kernels);
void addLayoutKernels(KernelRegistry<Oracle>& kernels);
void addLossKernels(KernelRegistry<Oracle>& kernels);
void addOptimizerKernels(KernelRegistry<Oracle>& kernels);
void addImageKernels(KernelRegistry<Oracle>& kernels);
void addCommunicationKernels(KernelRegistry<Oracle>& kernels);

}  // namespace jcs::reference
