#include "ops/layout.h"

#include <cstring>

#include "backend/cpu/strided_loop.h"
#include "backend/cpu/vectorise.h"

namespace jcs::cpu {

namespace {

template <typename Y, typename X>
void copyBlocks(const StridedLoop<2>& loop, int64_t begin, int64_t end, Y* y, const X* x) {
  vectorised([=, &loop]<typename L>(L) JCS_INLINE_LAMBDA {
    loop.forEachBlock(begin, end, [&](const auto& at, int64_t length) JCS_INLINE_LAMBDA {
      const X* from = x + at[1];
      if constexpr (std::is_same_v<X, Y>) {
        copyLine(y + at[0], from, length);
      } else {
        mapLine<L>(y + at[0], length,
                   [&]<typename N>(As<N>, int64_t i) JCS_INLINE_LAMBDA -> N { return load<N>(from + i); });
      }
    });
  });
}

/// A box copied from one tensor into another of the same extent.
struct BoxCopy {
  StridedLoop<2> loop;
  size_t from, to;               ///< which input, which output
  int64_t fromOffset, toOffset;  ///< elements
  DType fromDtype, toDtype;
};

int64_t offsetOf(const AxisStrides& strides, const Shape& begin) {
  int64_t offset = 0;
  for (int axis = 0; axis < begin.rank(); ++axis) offset += begin[axis] * strides[static_cast<size_t>(axis)];
  return offset;
}

class CopyKernel : public Kernel {
 public:
  explicit CopyKernel(const Prepare& p) : pool_(p.device.pool()), threads_(p.options.threads) {}

  /// Copies the box of `extent` at `fromBegin` of input `from` to `toBegin` of output `to`.
  void add(const Prepare& p, size_t from, const Shape& fromBegin, size_t to, const Shape& toBegin,
           const Shape& extent) {
    const Operand &x = p.inputs[from], &y = p.outputs[to];
    const AxisStrides xStrides = axisStrides(x, x.type.shape), yStrides = axisStrides(y, y.type.shape);
    copies_.push_back({StridedLoop<2>(extent, {yStrides, xStrides}), from, to, offsetOf(xStrides, fromBegin),
                       offsetOf(yStrides, toBegin), x.type.dtype, y.type.dtype});
  }
  /// Copies input 0 to output 0, in the opposite order along `axes`.
  void addFlipped(const Prepare& p, std::span<const int64_t> axes) {
    const Operand &x = p.inputs[0], &y = p.outputs[0];
    const Shape& extent = y.type.shape;
    AxisStrides xStrides = axisStrides(x, extent);
    int64_t last = 0;
    for (int64_t axis : axes) {
      int64_t& stride = xStrides[static_cast<size_t>(axis)];
      last += (extent[static_cast<int>(axis)] - 1) * stride;
      stride = -stride;
    }
    if (extent.elements() == 0) last = 0;
    copies_.push_back(
        {StridedLoop<2>(extent, {axisStrides(y, extent), xStrides}), 0, 0, last, 0, x.type.dtype, y.type.dtype});
  }
  /// Output 0 is zeroed before anything is copied; it must be dense.
  void clearFirst(int64_t bytes) { clearedBytes_ = bytes; }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    pool_.parallelFor(threads_, clearedBytes_, 1 << 16, [&](int64_t begin, int64_t end, int) {
      std::memset(out[0] + begin, 0, static_cast<size_t>(end - begin));
    });
    for (const BoxCopy& copy : copies_) run(copy, in[copy.from], out[copy.to]);
  }

 private:
  void run(const BoxCopy& copy, const std::byte* from, std::byte* to) {
    const auto move = [&]<typename Y, typename X>(Y*, X*) {
      const X* x = reinterpret_cast<const X*>(from) + copy.fromOffset;
      Y* y = reinterpret_cast<Y*>(to) + copy.toOffset;
      pool_.parallelFor(threads_, copy.loop.blocks(), copy.loop.grain(),
                        [&](int64_t begin, int64_t end, int) { copyBlocks(copy.loop, begin, end, y, x); });
    };
    constexpr uint8_t* kBytes = nullptr;
    if (copy.toDtype == DType::kU8 && copy.fromDtype == DType::kU8) return move(kBytes, kBytes);
    withElement(copy.toDtype, [&](auto* y) { withElement(copy.fromDtype, [&](auto* x) { move(y, x); }); });
  }

  ThreadPool& pool_;
  int threads_;
  int64_t clearedBytes_ = 0;
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

std::unique_ptr<Kernel> preparePad(const Prepare& p) {
  const auto& op = p.as<Pad>();
  const Shape& extent = p.inputs[0].type.shape;
  auto kernel = std::make_unique<CopyKernel>(p);
  kernel->clearFirst(p.outputs[0].type.bytes());
  kernel->add(p, 0, origin(extent), 0, op.begin, extent);
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

bool anyOperand(const Op&, bool, int) { return true; }

}  // namespace

void registerLayout(Registry& registry) {
  registry.add<Concat>(prepareConcat, anyOperand);
  registry.add<Split>(prepareSplit, anyOperand);
  registry.add<Slice>(prepareSlice, anyOperand);
  registry.add<Pad>(preparePad, [](const Op&, bool isOutput, int) { return !isOutput; });
  registry.add<Flip>(prepareFlip, anyOperand);
  registry.add<Reshape>(prepareReshape);
}

}  // namespace jcs::cpu
