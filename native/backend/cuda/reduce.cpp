#include "ops/reduce.h"

#include "backend/cuda/kernels/reduce.h"
#include "backend/cuda/operands.h"

namespace jcs::cuda {

namespace {

bool keeps(const Shape& x, const Shape& target, int axis) {
  const int lead = x.rank() - target.rank();
  return axis >= lead && target[axis - lead] == x[axis];
}

/// Every reduction of ours keeps leading axes, sums consecutive ones and keeps, or sums, the channels.
struct Plan {
  int64_t groups = 1;  ///< extents kept in front
  int64_t rows = 1;    ///< rows summed in each group
  bool keepsChannels = true;
  bool holds = true;  ///< false where kept and summed axes alternate otherwise
};

Plan planOf(const Shape& x, const Shape& target) {
  Plan plan;
  plan.keepsChannels = x.channels() > 1 && keeps(x, target, x.rank() - 1);
  bool summing = false;
  for (int axis = 0; axis < x.rank() - 1; ++axis) {
    if (x[axis] == 1) continue;
    if (keeps(x, target, axis)) {
      if (summing) plan.holds = false;
      plan.groups *= x[axis];
    } else {
      summing = true;
      plan.rows *= x[axis];
    }
  }
  return plan;
}

AxisReduce axesOf(const Operand& x, const Shape& target, double scale) {
  const Shape& shape = x.type.shape;
  const LoopOperand operand = loopOperand(x, shape);
  AxisReduce r{x.type.dtype, {1, 1, 1, 1}, {}, {1, 1, 1, 1}, {}, scale};
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const auto at = static_cast<size_t>(axis);
    if (keeps(shape, target, axis)) {
      r.kept[at] = shape[axis];
      r.keptStrides[at] = operand.strides[at];
    } else {
      r.summed[at] = shape[axis];
      r.summedStrides[at] = operand.strides[at];
    }
  }
  return r;
}

/// A reduction of one of three kinds.
template <typename Reduction>
class ReduceKernel : public Kernel {
 public:
  using Run = void (*)(const Launcher&, const Reduction&, const void* x, float* y, std::byte* scratch);
  ReduceKernel(const Prepare& p, Reduction reduction, int64_t scratchBytes, Run function)
      : launcher_(launcherOf(p.device)), reduction_(reduction), scratchBytes_(scratchBytes), run_(function) {}

  int64_t scratchBytes() const override { return scratchBytes_; }
  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    run_(launcher_, reduction_, in[0], reinterpret_cast<float*>(out[0]), scratch);
  }

 private:
  Launcher launcher_;
  Reduction reduction_;
  int64_t scratchBytes_;
  Run run_;
};

std::unique_ptr<Kernel> prepareReduce(const Prepare& p) {
  const Operand& x = p.inputs[0];
  const Shape &from = x.type.shape, &to = p.outputs[0].type.shape;
  const double scale = p.as<Reduce>().mean && from.elements() > 0
                           ? static_cast<double>(to.elements()) / static_cast<double>(from.elements())
                           : 1.0;
  const Plan plan = planOf(from, to);
  const int processors = p.device.multiprocessors;
  if (!plan.holds) {
    return std::make_unique<ReduceKernel<AxisReduce>>(
        p, axesOf(x, to, scale), 0,
        [](const Launcher& launcher, const AxisReduce& r, const void* data, float* y, std::byte*) {
          reduceAxes(launcher, r, data, y);
        });
  }
  if (plan.keepsChannels) {
    const ColumnReduce r{ColumnCut::of(plan.groups, plan.rows, from.channels(), processors), x.type.dtype, x.rowStride,
                         scale};
    return std::make_unique<ReduceKernel<ColumnReduce>>(p, r, columnReduceScratchBytes(r), reduceColumns);
  }
  const GroupReduce r{plan.groups,
                      plan.rows,
                      from.channels(),
                      x.type.dtype,
                      x.rowStride,
                      scale,
                      groupParts(plan.groups, plan.rows, from.channels(), processors)};
  return std::make_unique<ReduceKernel<GroupReduce>>(p, r, groupReduceScratchBytes(r), reduceGroups);
}

}  // namespace

void registerReduce(Registry& registry) {
  registry.add<Reduce>(prepareReduce, [](const Op&, bool isOutput, int) { return !isOutput; });
}

}  // namespace jcs::cuda
