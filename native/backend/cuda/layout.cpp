#include "ops/layout.h"

#include "backend/cuda/operands.h"

namespace jcs::cuda {

namespace {

/// A box copied from one tensor into another of the same extent.
struct BoxCopy {
  LoopShape extent;
  size_t from, to;               ///< which input, which output
  int64_t fromOffset, toOffset;  ///< bytes
  LoopOperand x, y;
};

int64_t offsetBytes(const LoopOperand& operand, const Shape& begin) {
  int64_t offset = 0;
  for (int axis = 0; axis < begin.rank(); ++axis) offset += begin[axis] * operand.strides[static_cast<size_t>(axis)];
  return offset * sizeOf(operand.dtype);
}

class CopyKernel : public Kernel {
 public:
  explicit CopyKernel(const Prepare& p) : launcher_(launcherOf(p.device)) {}

  /// Copies the box of `extent` at `fromBegin` of input `from` to `toBegin` of output `to`.
  void add(const Prepare& p, size_t from, const Shape& fromBegin, size_t to, const Shape& toBegin,
           const Shape& extent) {
    const LoopOperand x = loopOperand(p.inputs[from], p.inputs[from].type.shape);
    const LoopOperand y = loopOperand(p.outputs[to], p.outputs[to].type.shape);
    copies_.push_back({loopShape(extent), from, to, offsetBytes(x, fromBegin), offsetBytes(y, toBegin), x, y});
  }

  /// Copies input 0 to output 0, in the opposite order along `axes`.
  void addFlipped(const Prepare& p, std::span<const int64_t> axes) {
    const Shape& extent = p.outputs[0].type.shape;
    LoopOperand x = loopOperand(p.inputs[0], extent);
    int64_t last = 0;
    for (int64_t axis : axes) {
      int64_t& stride = x.strides[static_cast<size_t>(axis)];
      last += (extent[static_cast<int>(axis)] - 1) * stride;
      stride = -stride;
    }
    if (extent.elements() == 0) last = 0;
    copies_.push_back({loopShape(extent), 0, 0, last * sizeOf(x.dtype), 0, x, loopOperand(p.outputs[0], extent)});
  }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    for (const BoxCopy& copy : copies_)
      mapElements(launcher_, copy.extent, Map::kIdentity, 1.0f, copy.y, out[copy.to] + copy.toOffset, copy.x,
                  in[copy.from] + copy.fromOffset);
  }

 private:
  Launcher launcher_;
  std::vector<BoxCopy> copies_;
};

Shape origin(const Shape& shape) {
  Shape zeros = shape;
  for (int axis = 0; axis < zeros.rank(); ++axis) zeros[axis] = 0;
  return zeros;
}

Shape atChannel(const Shape& shape, int64_t channel) {
  Shape begin = origin(shape);
  begin[begin.rank() - 1] = channel;
  return begin;
}

std::unique_ptr<Kernel> prepareConcat(const Prepare& p) {
  auto kernel = std::make_unique<CopyKernel>(p);
  int64_t channel = 0;
  for (size_t i = 0; i < p.inputs.size(); ++i) {
    const Shape& extent = p.inputs[i].type.shape;
    kernel->add(p, i, origin(extent), 0, atChannel(extent, channel), extent);
    channel += extent.channels();
  }
  return kernel;
}

std::unique_ptr<Kernel> prepareSplit(const Prepare& p) {
  auto kernel = std::make_unique<CopyKernel>(p);
  int64_t channel = 0;
  for (size_t i = 0; i < p.outputs.size(); ++i) {
    const Shape& extent = p.outputs[i].type.shape;
    kernel->add(p, 0, atChannel(extent, channel), i, origin(extent), extent);
    channel += extent.channels();
  }
  return kernel;
}

std::unique_ptr<Kernel> prepareSlice(const Prepare& p) {
  const auto& op = p.as<Slice>();
  auto kernel = std::make_unique<CopyKernel>(p);
  kernel->add(p, 0, op.begin, 0, origin(op.extent), op.extent);
  return kernel;
}

std::unique_ptr<Kernel> prepareFlip(const Prepare& p) {
  auto kernel = std::make_unique<CopyKernel>(p);
  kernel->addFlipped(p, p.as<Flip>().axes);
  return kernel;
}

std::unique_ptr<Kernel> prepareReshape(const Prepare& p) {
  auto kernel = std::make_unique<CopyKernel>(p);
  // Both are dense: the same elements in the same order.
  const Shape line{p.inputs[0].type.elements()};
  const Operand from = Operand::dense({p.inputs[0].type.dtype, line});
  const Operand to = Operand::dense({p.outputs[0].type.dtype, line});
  const Prepare flat{p.op, {&from, 1}, {&to, 1}, p.device, p.options};
  kernel->add(flat, 0, Shape{0}, 0, Shape{0}, line);
  return kernel;
}

class PadKernel : public Kernel {
 public:
  explicit PadKernel(const Prepare& p) : launcher_(launcherOf(p.device)) {
    const Shape &x = p.inputs[0].type.shape, &y = p.outputs[0].type.shape, &begin = p.as<Pad>().begin;
    invariant(p.inputs[0].type.dtype == p.outputs[0].type.dtype, "pad keeps the dtype");
    const LoopOperand from = loopOperand(p.inputs[0], x);
    box_ = {p.inputs[0].type.dtype, {1, 1, 1, 1}, {}, {1, 1, 1, 1}, {}};
    const size_t lead = static_cast<size_t>(4 - y.rank());
    for (int axis = 0; axis < y.rank(); ++axis) {
      const auto from4 = static_cast<size_t>(axis), at = lead + from4;
      box_.extents[at] = y[axis];
      box_.begin[at] = begin[axis];
      box_.xExtents[at] = x[axis];
      box_.xStrides[at] = from.strides[from4];
    }
  }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    padElements(launcher_, box_, in[0], out[0]);
  }

 private:
  Launcher launcher_;
  PadBox box_;
};

}  // namespace

void registerLayout(Registry& registry) {
  registry.add<Concat>(prepareConcat, anyOperandStrided);
  registry.add<Split>(prepareSplit, anyOperandStrided);
  registry.add<Slice>(prepareSlice, anyOperandStrided);
  registry.add<Pad>([](const Prepare& p) { return std::make_unique<PadKernel>(p); },
                    [](const Op&, bool isOutput, int) { return !isOutput; });
  registry.add<Flip>(prepareFlip, anyOperandStrided);
  registry.add<Reshape>(prepareReshape);
}

}  // namespace jcs::cuda
