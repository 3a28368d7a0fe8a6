#include "conformance/fault_injection.h"

#include <cmath>
#include <limits>

#include "conformance/node_check.h"
#include "ops/elementwise.h"

namespace jcs::conformance {

namespace {

enum class Fault {
  kNone,
  kWrongElement,
  kLeavesElementOut,
  kWritesPastTheEnd,
  kWritesBetweenRows,
  kReadsBetweenRows,
  kChangesInput,
  kTrustsScratch,
  kOverrunsScratch,
  kVariesBetweenRuns,
  kWrongInPlace,
};

constexpr int64_t kScratchBytes = 64;

class FaultyKernel : public Kernel {
 public:
  FaultyKernel(std::unique_ptr<Kernel> inner, Fault fault, const Operand& input, const Operand& output)
      : inner_(std::move(inner)), fault_(fault), input_(input), output_(output) {}

  int64_t scratchBytes() const override { return kScratchBytes; }
  std::string implementation() const override { return "faulty"; }

  void run(std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs, std::byte* scratch) override {
    auto* y = reinterpret_cast<double*>(outputs[0]);
    const auto* x = reinterpret_cast<const double*>(inputs[0]);
    const bool inPlace = x == y;
    const int64_t channels = output_.type.shape.channels();
    double* last = y + (output_.type.shape.rows() - 1) * output_.rowStride + channels - 1;
    const double before = *last;
    inner_->run(inputs, outputs, scratch);
    switch (fault_) {
      case Fault::kNone: break;
      case Fault::kWrongElement: *last += 1e-3; break;
      case Fault::kLeavesElementOut: *last = before; break;
      case Fault::kWritesPastTheEnd: last[1] = 0; break;
      case Fault::kWritesBetweenRows:
        if (!output_.isDense()) y[channels] = 0;
        break;
      case Fault::kReadsBetweenRows:
        if (!input_.isDense()) *last += 0 * x[channels];
        break;
      case Fault::kChangesInput:
        if (!inPlace) const_cast<double*>(x)[0] = 0;
        break;
      case Fault::kTrustsScratch: *last += 0 * *reinterpret_cast<double*>(scratch); break;
      case Fault::kOverrunsScratch: scratch[kScratchBytes] = std::byte{0}; break;
      case Fault::kVariesBetweenRuns:
        if (runs_++ % 2) *last = std::nextafter(*last, std::numeric_limits<double>::infinity());
        break;
      case Fault::kWrongInPlace:
        if (inPlace) *last = 0;
        break;
    }
  }

 private:
  std::unique_ptr<Kernel> inner_;
  Fault fault_;
  Operand input_, output_;
  int runs_ = 0;
};

/// The reference, whose kernels have a fault.
class FaultyBackend : public Backend {
 public:
  FaultyBackend(std::shared_ptr<Backend> inner, Fault fault) : inner_(std::move(inner)), fault_(fault) {}

  std::unique_ptr<Kernel> prepare(const Op& op, std::span<const Operand> inputs, std::span<const Operand> outputs,
                                  const KernelOptions& options) override {
    return std::make_unique<FaultyKernel>(inner_->prepare(op, inputs, outputs, options), fault_, inputs[0], outputs[0]);
  }

  DeviceInfo device() const override { return inner_->device(); }
  std::vector<std::string> ops() const override { return inner_->ops(); }
  bool acceptsRowStride(const Op& op, bool isOutput, int index) const override {
    return inner_->acceptsRowStride(op, isOutput, index);
  }
  bool supports(DType dtype) const override { return inner_->supports(dtype); }
  std::byte* allocate(int64_t bytes) override { return inner_->allocate(bytes); }
  void release(std::byte* memory, int64_t bytes) noexcept override { inner_->release(memory, bytes); }
  void upload(std::byte* device, const std::byte* host, int64_t bytes) override { inner_->upload(device, host, bytes); }
  void download(std::byte* host, const std::byte* device, int64_t bytes) override {
    inner_->download(host, device, bytes);
  }
  void copy(std::byte* to, const std::byte* from, int64_t bytes) override { inner_->copy(to, from, bytes); }
  int64_t freeBytes() const override { return inner_->freeBytes(); }
  void limitMemory(int64_t bytes) override { inner_->limitMemory(bytes); }

 private:
  std::shared_ptr<Backend> inner_;
  Fault fault_;
};

}  // namespace

std::vector<FaultResult> checkFaultsAreFound(const std::shared_ptr<Backend>& reference) {
  struct Expectation {
    Fault fault;
    const char* name;
    const char* complaint;  ///< part of what the check has to say
  };
  const Expectation expectations[] = {
      {Fault::kWrongElement, "a wrong element", "dense: faulty: output 0: normalised error"},
      {Fault::kLeavesElementOut, "an element left out", "dense: faulty: output 0: element 29 is not finite"},
      {Fault::kWritesPastTheEnd, "a write past the end", "dense: faulty: wrote outside output 0"},
      {Fault::kWritesBetweenRows, "a write between rows", "output 0 sliced: faulty: wrote outside output 0"},
      {Fault::kReadsBetweenRows, "a read between rows", "sliced: faulty: output 0: element 29 is not finite"},
      {Fault::kChangesInput, "a changed input", "dense: faulty: changed input value 0"},
      {Fault::kTrustsScratch, "trust in undefined scratch", "dense: faulty: output 0: element 29 is not finite"},
      {Fault::kOverrunsScratch, "a write past the scratch", "dense: faulty: wrote outside its scratch of 64 bytes"},
      {Fault::kVariesBetweenRuns, "results that vary", "dense: faulty: a second run gave other bits"},
      {Fault::kWrongInPlace, "wrong results in place", "in place: faulty: output 0: normalised error"},
  };

  const Case row{"relu",
                 {{{1, 3, 2, 5}, Fill::kPositive}},
                 [](std::span<const Value> in) { return std::vector{relu(in[0])}; },
                 false};
  const NodeCase node = std::move(nodesOf(*reference, row, [](const std::string&) { return true; })[0]);
  const DType types[] = {DType::kF64};
  const auto complaintAbout = [&](Fault fault) {
    return checkNode(std::make_shared<FaultyBackend>(reference, fault), *reference, node, types, 1).failure;
  };
  std::vector<FaultResult> results{{"no fault", complaintAbout(Fault::kNone)}};
  for (const Expectation& e : expectations) {
    const std::string complaint = complaintAbout(e.fault);
    const bool found = complaint.find(e.complaint) != std::string::npos;
    results.push_back(
        {e.name, found ? "" : "expected '" + std::string(e.complaint) + "', the check said '" + complaint + "'"});
  }
  return results;
}

}  // namespace jcs::conformance
