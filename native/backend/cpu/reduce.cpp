#include "ops/reduce.h"

#include <optional>

#include "backend/cpu/row_sums.h"
#include "backend/cpu/strided_loop.h"

namespace jcs::cpu {

namespace {

/// Σ of a line.
template <typename T>
JCS_VECTORISED double sumLine(const T* x, int64_t length) {
  constexpr int64_t kSums = 4, kStep = kSums * kLanes, kBlock = kStep * RowSums::kBlockRows;
  double total = 0;
  int64_t i = 0;
  while (i + kStep <= length) {
    Floats sums[kSums] = {};
    for (const int64_t end = std::min(length - kStep + 1, i + kBlock); i < end; i += kStep)
      for (int64_t k = 0; k < kSums; ++k) sums[k] += load<Floats>(x + i + k * kLanes);
    const Floats sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    for (int64_t lane = 0; lane < kLanes; ++lane) total += sum[lane];
  }
  float rest = 0;
  for (; i < length; ++i) rest += load(x + i);
  return total + rest;
}

/// Every reduction of ours keeps leading axes, sums consecutive ones and keeps, or sums, the channels.
struct Plan {
  int64_t groups = 1;  ///< extents kept in front
  int64_t rows = 1;    ///< rows summed in each group
  bool keepsChannels = true;
};

/// False where kept and summed axes alternate otherwise.
bool planOf(const Shape& x, const Shape& target, Plan& plan) {
  const int lead = x.rank() - target.rank();
  const auto kept = [&](int axis) { return axis >= lead && target[axis - lead] == x[axis]; };
  plan.keepsChannels = x.channels() > 1 && kept(x.rank() - 1);
  bool summing = false;
  for (int axis = 0; axis < x.rank() - 1; ++axis) {
    if (x[axis] == 1) continue;
    if (kept(axis)) {
      if (summing) return false;
      plan.groups *= x[axis];
    } else {
      summing = true;
      plan.rows *= x[axis];
    }
  }
  return true;
}

class ReduceKernel : public Kernel {
 public:
  explicit ReduceKernel(const Prepare& p)
      : pool_(p.device.pool()), threads_(p.options.threads), x_(p.inputs[0]), y_(p.outputs[0]) {
    const Shape &x = x_.type.shape, &y = y_.type.shape;
    channels_ = x.channels();
    planned_ = planOf(x, y, plan_);
    scale_ = p.as<Reduce>().mean && x.elements() > 0
                 ? static_cast<double>(y.elements()) / static_cast<double>(x.elements())
                 : 1.0;
    const int64_t work = plan_.rows * channels_;
    parts_ = plan_.groups > kParts ? 1 : std::clamp<int64_t>(work / 16384, 1, kParts);
    if (planned_ && plan_.keepsChannels) sums_.emplace(plan_.groups, plan_.rows, channels_, 1);
  }

  int64_t scratchBytes() const override {
    if (sums_) return sums_->scratchBytes(threads_);
    return planned_ ? plan_.groups * parts_ * 8 : y_.type.elements() * 8;
  }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte* scratch) override {
    withElement(x_.type.dtype, [&]<typename T>(T*) {
      const T* x = reinterpret_cast<const T*>(in[0]);
      float* y = reinterpret_cast<float*>(out[0]);
      if (!planned_) return general(x, y, reinterpret_cast<double*>(scratch));
      if (!plan_.keepsChannels) return everything(x, y, reinterpret_cast<double*>(scratch));
      sums_->run(
          pool_, threads_, scratch,
          [&](int64_t row, int64_t rows, float* sums) {
            addRows(rows, channels_, x + row * x_.rowStride, x_.rowStride, sums);
          },
          [&](int64_t group, const double* totals) {
            for (int64_t c = 0; c < channels_; ++c) y[group * channels_ + c] = static_cast<float>(totals[c] * scale_);
          });
    });
  }

 private:
  static constexpr int64_t kParts = 64;  ///< a group of many elements is summed in parts, one after another at the end

  /// Channels are summed too: a group is one run of memory, or rows of it.
  template <typename T>
  void everything(const T* x, float* y, double* partials) {
    const bool dense = x_.isDense();
    const int64_t lines = dense ? 1 : plan_.rows;
    const int64_t length = dense ? plan_.rows * channels_ : channels_;
    const int64_t grain = 1 + 8192 / std::max<int64_t>(1, plan_.rows * channels_ / parts_);
    pool_.parallelFor(threads_, plan_.groups * parts_, grain, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t group = i / parts_, part = i % parts_;
        const T* from = x + group * plan_.rows * x_.rowStride;
        double sum = 0;
        if (dense) {
          const int64_t first = length * part / parts_, last = length * (part + 1) / parts_;
          sum = sumLine(from + first, last - first);
        } else {
          for (int64_t line = lines * part / parts_; line < lines * (part + 1) / parts_; ++line)
            sum += sumLine(from + line * x_.rowStride, length);
        }
        partials[i] = sum;
      }
    });
    for (int64_t group = 0; group < plan_.groups; ++group) {
      double sum = 0;
      for (int64_t part = 0; part < parts_; ++part) sum += partials[group * parts_ + part];
      y[group] = static_cast<float>(sum * scale_);
    }
  }

  /// Any other pattern, element by element.
  template <typename T>
  void general(const T* x, float* y, double* sums) {
    const Shape& shape = x_.type.shape;
    const AxisStrides from = axisStrides(x_, shape), to = axisStrides(Operand::dense(y_.type), shape);
    std::fill_n(sums, y_.type.elements(), 0.0);
    for (int64_t i = 0; i < shape.elements(); ++i) {
      int64_t rest = i, xAt = 0, yAt = 0;
      for (int axis = shape.rank() - 1; axis >= 0; --axis) {
        const int64_t index = rest % shape[axis];
        rest /= shape[axis];
        xAt += index * from[static_cast<size_t>(axis)];
        yAt += index * to[static_cast<size_t>(axis)];
      }
      sums[yAt] += load(x + xAt);
    }
    for (int64_t i = 0; i < y_.type.elements(); ++i) y[i] = static_cast<float>(sums[i] * scale_);
  }

  ThreadPool& pool_;
  int threads_;
  Operand x_, y_;
  int64_t channels_ = 1;
  Plan plan_;
  bool planned_ = false;
  double scale_ = 1;
  int64_t parts_ = 1;
  std::optional<RowSums> sums_;
};

template <typename Y, typename X>
void broadcastBlocks(const StridedLoop<2>& loop, int64_t begin, int64_t end, Y* y, const X* x, float scale) {
  vectorised([=, &loop]<typename L>(L) JCS_INLINE_LAMBDA {
    const bool constant = loop.lineStride(1) == 0;
    loop.forEachBlock(begin, end, [&](const auto& at, int64_t length) JCS_INLINE_LAMBDA {
      const X* from = x + at[1];
      const float value = load(from) * scale;
      mapLine<L>(y + at[0], length, [&]<typename N>(As<N>, int64_t i) JCS_INLINE_LAMBDA -> N {
        return constant ? N{} + value : load<N>(from + i) * scale;
      });
    });
  });
}

class BroadcastKernel : public Kernel {
 public:
  explicit BroadcastKernel(const Prepare& p)
      : pool_(p.device.pool()),
        threads_(p.options.threads),
        loop_(p.outputs[0].type.shape,
              {axisStrides(p.outputs[0], p.outputs[0].type.shape), axisStrides(p.inputs[0], p.outputs[0].type.shape)}),
        from_(p.inputs[0].type.dtype),
        to_(p.outputs[0].type.dtype),
        scale_(p.as<Broadcast>().scale) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    withElement(to_, [&]<typename Y>(Y*) {
      withElement(from_, [&]<typename X>(X*) {
        pool_.parallelFor(threads_, loop_.blocks(), loop_.grain(), [&](int64_t begin, int64_t end, int) {
          broadcastBlocks(loop_, begin, end, reinterpret_cast<Y*>(out[0]), reinterpret_cast<const X*>(in[0]), scale_);
        });
      });
    });
  }

 private:
  ThreadPool& pool_;
  int threads_;
  StridedLoop<2> loop_;
  DType from_, to_;
  float scale_;
};

bool anyOperand(const Op&, bool, int) { return true; }

}  // namespace

void registerReduce(Registry& registry) {
  registry.add<Reduce>([](const Prepare& p) { return std::make_unique<ReduceKernel>(p); },
                       [](const Op&, bool isOutput, int) { return !isOutput; });
  registry.add<Broadcast>([](const Prepare& p) { return std::make_unique<BroadcastKernel>(p); }, anyOperand);
}

}  // namespace jcs::cpu
