#include "ops/pool.h"

#include "backend/cuda/kernels/pool.h"
#include "backend/cuda/operands.h"

namespace jcs::cuda {

namespace {

enum class Kind { kMax, kMaxGradient, kAverage, kAverageGradient };

class PoolKernel : public Kernel {
 public:
  PoolKernel(const Prepare& p, Kind kind, const PoolAttributes& pool)
      : launcher_(launcherOf(p.device)),
        kind_(kind),
        firstDtype_(p.inputs[0].type.dtype),
        dtype_(p.outputs[0].type.dtype) {
    invariant(kind == Kind::kMaxGradient || firstDtype_ == dtype_, "pooling keeps the dtype");
    // y is what is pooled to, whichever of x and y is the result.
    const bool isGradient = kind == Kind::kMaxGradient || kind == Kind::kAverageGradient;
    const Operand& x = isGradient ? p.outputs[0] : p.inputs[0];
    const Operand& y = isGradient ? p.inputs[0] : p.outputs[0];
    const Shape &xs = x.type.shape, &ys = y.type.shape;
    dxStride_ = x.rowStride;
    geometry_ = {xs[0],
                 xs[1],
                 xs[2],
                 xs[3],
                 ys[1],
                 ys[2],
                 pool.bins,
                 pool.kernel,
                 pool.stride,
                 pool.padding,
                 pool.countIncludePad,
                 kind == Kind::kMaxGradient ? p.inputs[1].rowStride : x.rowStride,
                 y.rowStride};
  }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    switch (kind_) {
      case Kind::kMax: return maxPool(launcher_, geometry_, dtype_, in[0], out[0]);
      case Kind::kMaxGradient:
        return maxPoolGradient(launcher_, geometry_, firstDtype_, dtype_, in[0], in[1], dxStride_, out[0], scratch);
      case Kind::kAverage: return averagePool(launcher_, geometry_, dtype_, in[0], out[0]);
      case Kind::kAverageGradient: return averagePoolGradient(launcher_, geometry_, dtype_, in[0], out[0]);
    }
  }
  int64_t scratchBytes() const override {
    return kind_ == Kind::kMaxGradient ? maxPoolGradientScratchBytes(geometry_) : 0;
  }

 private:
  Launcher launcher_;
  Kind kind_;
  DType firstDtype_, dtype_;
  PoolGeometry geometry_{};
  int64_t dxStride_ = 0;
};

template <typename Pool>
void addPool(Registry& registry, Kind kind) {
  registry.add<Pool>([kind](const Prepare& p) { return std::make_unique<PoolKernel>(p, kind, p.as<Pool>().pool); },
                     anyOperandStrided);
}

}  // namespace

void registerPool(Registry& registry) {
  addPool<MaxPool2d>(registry, Kind::kMax);
  addPool<MaxPool2dGradient>(registry, Kind::kMaxGradient);
  addPool<AveragePool2d>(registry, Kind::kAverage);
  addPool<AveragePool2dGradient>(registry, Kind::kAverageGradient);
}

}  // namespace jcs::cuda
