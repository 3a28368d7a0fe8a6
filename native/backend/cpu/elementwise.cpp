#include "ops/elementwise.h"

#include "backend/cpu/affine_rows.h"
#include "backend/cpu/strided_loop.h"

namespace jcs::cpu {

namespace {

struct Identity {
  template <typename N>
  JCS_INLINE N operator()(const N& x) const {
    return x;
  }
};
struct Relu {
  template <typename N>
  JCS_INLINE N operator()(const N& x) const {
    return atLeast(x, 0.0f);
  }
};
struct Sigmoid {
  template <typename N>
  JCS_INLINE N operator()(const N& x) const {
    return sigmoidOf(x);
  }
};
struct Sqrt {
  JCS_INLINE float operator()(float x) const { return std::sqrt(x); }
  template <Vector N>
  JCS_INLINE N operator()(const N& x) const {
    N y;
    for (int64_t lane = 0; lane < LanesOf<N>::count; ++lane) y[lane] = std::sqrt(x[lane]);
    return y;
  }
};

// f'(x) · dy from y = f(x).
struct ReluGradient {
  template <typename N>
  JCS_INLINE N operator()(const N& dy, const N& y) const {
    return keepWhere(y > 0.0f, dy);
  }
};
struct SigmoidGradient {
  template <typename N>
  JCS_INLINE N operator()(const N& dy, const N& y) const {
    return dy * y * (1.0f - y);
  }
};
struct SqrtGradient {
  template <typename N>
  JCS_INLINE N operator()(const N& dy, const N& y) const {
    return dy * 0.5f / y;
  }
};

struct Add {
  template <typename N>
  JCS_INLINE N operator()(const N& a, const N& b) const {
    return a + b;
  }
};
struct Subtract {
  template <typename N>
  JCS_INLINE N operator()(const N& a, const N& b) const {
    return a - b;
  }
};
struct Multiply {
  template <typename N>
  JCS_INLINE N operator()(const N& a, const N& b) const {
    return a * b;
  }
};
struct Divide {
  template <typename N>
  JCS_INLINE N operator()(const N& a, const N& b) const {
    return a / b;
  }
};

// Results may lie where the first input lies (inPlaceInput).

template <typename F, typename Y, typename X>
void mapBlocks(const StridedLoop<2>& loop, int64_t begin, int64_t end, Y* y, const X* x) {
  vectorised([=, &loop]<typename L>(L) JCS_INLINE_LAMBDA {
    loop.forEachBlock(begin, end, [&](const auto& at, int64_t length) JCS_INLINE_LAMBDA {
      const X* from = x + at[1];
      mapLine<L>(y + at[0], length,
                 [&]<typename N>(As<N>, int64_t i) JCS_INLINE_LAMBDA -> N { return F()(load<N>(from + i)); });
    });
  });
}

template <typename F, typename G, typename Y>
void gradientBlocks(const StridedLoop<3>& loop, int64_t begin, int64_t end, G* dx, const G* dy, const Y* y) {
  vectorised([=, &loop]<typename L>(L) JCS_INLINE_LAMBDA {
    loop.forEachBlock(begin, end, [&](const auto& at, int64_t length) JCS_INLINE_LAMBDA {
      const G* gradient = dy + at[1];
      const Y* result = y + at[2];
      mapLine<L>(dx + at[0], length, [&]<typename N>(As<N>, int64_t i) JCS_INLINE_LAMBDA -> N {
        return F()(load<N>(gradient + i), load<N>(result + i));
      });
    });
  });
}

template <typename T>
void reluGradientOfSumBlocks(const StridedLoop<4>& loop, int64_t begin, int64_t end, T* dx, const T* a, const T* b,
                             const T* y) {
  vectorised([=, &loop]<typename L>(L) JCS_INLINE_LAMBDA {
    loop.forEachBlock(begin, end, [&](const auto& at, int64_t length) JCS_INLINE_LAMBDA {
      const T *left = a + at[1], *right = b + at[2], *result = y + at[3];
      mapLine<L>(dx + at[0], length, [&]<typename N>(As<N>, int64_t i) JCS_INLINE_LAMBDA -> N {
        return ReluGradient()(load<N>(left + i) + load<N>(right + i), load<N>(result + i));
      });
    });
  });
}

template <typename F, typename A, typename B>
void combineBlocks(const StridedLoop<3>& loop, int64_t begin, int64_t end, A* y, const A* a, const B* b,
                   Epilogue epilogue) {
  vectorised([=, &loop]<typename L>(L) JCS_INLINE_LAMBDA {
    const bool constant = loop.lineStride(2) == 0;
    loop.forEachBlock(begin, end, [&](const auto& at, int64_t length) JCS_INLINE_LAMBDA {
      A* to = y + at[0];
      const A* left = a + at[1];
      const B* right = b + at[2];
      if (constant) {
        const float value = load(right);
        mapLine<L>(to, length, [&]<typename N>(As<N>, int64_t i) JCS_INLINE_LAMBDA -> N {
          return atLeast(F()(load<N>(left + i), N{} + value), epilogue.low);
        });
      } else {
        mapLine<L>(to, length, [&]<typename N>(As<N>, int64_t i) JCS_INLINE_LAMBDA -> N {
          return atLeast(F()(load<N>(left + i), load<N>(right + i)), epilogue.low);
        });
      }
      if (epilogue.sigmoid)
        mapLine<L>(to, length,
                   [&]<typename N>(As<N>, int64_t i) JCS_INLINE_LAMBDA -> N { return sigmoidOf(load<N>(to + i)); });
    });
  });
}

using Pointers = std::span<const std::byte* const>;

/// A loop whose body knows the types; runs it over all blocks.
template <int kOperands>
class LoopKernel : public Kernel {
 public:
  using Body =
      std::function<void(const StridedLoop<kOperands>&, int64_t begin, int64_t end, std::byte* y, Pointers inputs)>;
  LoopKernel(const Prepare& p, Body body)
      : pool_(p.device.pool()), threads_(p.options.threads), loop_(makeLoop(p)), body_(std::move(body)) {}

  void run(Pointers in, std::span<std::byte* const> out, std::byte*) override {
    pool_.parallelFor(threads_, loop_.blocks(), loop_.grain(),
                      [&](int64_t begin, int64_t end, int) { body_(loop_, begin, end, out[0], in); });
  }

 private:
  static StridedLoop<kOperands> makeLoop(const Prepare& p) {
    const Shape& target = p.outputs[0].type.shape;
    std::array<AxisStrides, kOperands> strides;
    strides[0] = axisStrides(p.outputs[0], target);
    for (size_t k = 1; k < kOperands; ++k) strides[k] = axisStrides(p.inputs[k - 1], target);
    return {target, strides};
  }

  ThreadPool& pool_;
  int threads_;
  StridedLoop<kOperands> loop_;
  Body body_;
};

template <typename F>
std::unique_ptr<Kernel> mapKernel(const Prepare& p) {
  return withElement(p.outputs[0].type.dtype, [&]<typename Y>(Y*) {
    return withElement(p.inputs[0].type.dtype, [&]<typename X>(X*) -> std::unique_ptr<Kernel> {
      return std::make_unique<LoopKernel<2>>(
          p, [](const StridedLoop<2>& loop, int64_t begin, int64_t end, std::byte* y, Pointers in) {
            mapBlocks<F>(loop, begin, end, reinterpret_cast<Y*>(y), reinterpret_cast<const X*>(in[0]));
          });
    });
  });
}

/// A kernel of two operands, of any two dtypes; `makeBody` is told them by null pointers.
template <typename MakeBody>
std::unique_ptr<Kernel> pairKernel(const Prepare& p, MakeBody&& makeBody) {
  invariant(p.outputs[0].type.dtype == p.inputs[0].type.dtype, "the result has the first operand's dtype");
  return withElement(p.inputs[0].type.dtype, [&]<typename A>(A* a) {
    return withElement(p.inputs[1].type.dtype, [&]<typename B>(B* b) -> std::unique_ptr<Kernel> {
      return std::make_unique<LoopKernel<3>>(p, makeBody(a, b));
    });
  });
}

template <typename F>
std::unique_ptr<Kernel> gradientKernel(const Prepare& p) {
  return pairKernel(p, []<typename G, typename Y>(G*, Y*) {
    return [](const StridedLoop<3>& loop, int64_t begin, int64_t end, std::byte* dx, Pointers in) {
      gradientBlocks<F>(loop, begin, end, reinterpret_cast<G*>(dx), reinterpret_cast<const G*>(in[0]),
                        reinterpret_cast<const Y*>(in[1]));
    };
  });
}

/// dx = a + b where y > 0.
std::unique_ptr<Kernel> reluGradientOfSumKernel(const Prepare& p) {
  const DType dtype = p.outputs[0].type.dtype;
  for (const Operand& operand : p.inputs) invariant(operand.type.dtype == dtype, "a sum and its mask share a dtype");
  return withElement(dtype, [&]<typename T>(T*) -> std::unique_ptr<Kernel> {
    return std::make_unique<LoopKernel<4>>(
        p, [](const StridedLoop<4>& loop, int64_t begin, int64_t end, std::byte* dx, Pointers in) {
          const auto at = [&](size_t i) { return reinterpret_cast<const T*>(in[i]); };
          reluGradientOfSumBlocks(loop, begin, end, reinterpret_cast<T*>(dx), at(0), at(1), at(2));
        });
  });
}

template <typename F>
std::unique_ptr<Kernel> combineKernel(const Prepare& p, Activation activation) {
  return pairKernel(p, [epilogue = Epilogue(activation)]<typename A, typename B>(A*, B*) {
    return [epilogue](const StridedLoop<3>& loop, int64_t begin, int64_t end, std::byte* y, Pointers in) {
      combineBlocks<F>(loop, begin, end, reinterpret_cast<A*>(y), reinterpret_cast<const A*>(in[0]),
                       reinterpret_cast<const B*>(in[1]), epilogue);
    };
  });
}

std::unique_ptr<Kernel> prepareUnary(const Prepare& p) {
  switch (p.as<Unary>().kind) {
    case Unary::Kind::kRelu: return mapKernel<Relu>(p);
    case Unary::Kind::kSigmoid: return mapKernel<Sigmoid>(p);
    case Unary::Kind::kSqrt: return mapKernel<Sqrt>(p);
  }
  fail(errors::kInternal, "unary: unknown kind");
}

std::unique_ptr<Kernel> prepareUnaryGradient(const Prepare& p) {
  if (p.as<UnaryGradient>().ofSum) return reluGradientOfSumKernel(p);
  switch (p.as<UnaryGradient>().kind) {
    case Unary::Kind::kRelu: return gradientKernel<ReluGradient>(p);
    case Unary::Kind::kSigmoid: return gradientKernel<SigmoidGradient>(p);
    case Unary::Kind::kSqrt: return gradientKernel<SqrtGradient>(p);
  }
  fail(errors::kInternal, "unary_gradient: unknown kind");
}

std::unique_ptr<Kernel> prepareBinary(const Prepare& p) {
  const auto& op = p.as<Binary>();
  switch (op.kind) {
    case Binary::Kind::kAdd: return combineKernel<Add>(p, op.activation);
    case Binary::Kind::kSubtract: return combineKernel<Subtract>(p, op.activation);
    case Binary::Kind::kMultiply: return combineKernel<Multiply>(p, op.activation);
    case Binary::Kind::kDivide: return combineKernel<Divide>(p, op.activation);
  }
  fail(errors::kInternal, "binary: unknown kind");
}

class AffineKernel : public Kernel {
 public:
  explicit AffineKernel(const Prepare& p)
      : pool_(p.device.pool()),
        threads_(p.options.threads),
        x_(p.inputs[0]),
        yStride_(p.outputs[0].rowStride),
        epilogue_(p.as<Affine>().activation) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    const int64_t channels = x_.type.shape.channels();
    withElement(x_.type.dtype, [&]<typename T>(T*) {
      const T* x = reinterpret_cast<const T*>(in[0]);
      T* y = reinterpret_cast<T*>(out[0]);
      const auto* scale = reinterpret_cast<const float*>(in[1]);
      const auto* shift = reinterpret_cast<const float*>(in[2]);
      const int64_t grain = 1 + 16384 / std::max<int64_t>(channels, 1);
      pool_.parallelFor(threads_, x_.type.shape.rows(), grain, [&](int64_t begin, int64_t end, int) {
        affineRows(end - begin, channels, y + begin * yStride_, yStride_, x + begin * x_.rowStride, x_.rowStride, scale,
                   shift, epilogue_);
      });
    });
  }

 private:
  ThreadPool& pool_;
  int threads_;
  Operand x_;
  int64_t yStride_;
  Epilogue epilogue_;
};

bool anyOperand(const Op&, bool, int) { return true; }

}  // namespace

void registerElementwise(Registry& registry) {
  registry.add<Unary>(prepareUnary, anyOperand);
  registry.add<UnaryGradient>(prepareUnaryGradient, anyOperand);
  registry.add<Binary>(prepareBinary, anyOperand);
  registry.add<Affine>([](const Prepare& p) { return std::make_unique<AffineKernel>(p); },
                       [](const Op&, bool isOutput, int index) { return isOutput || index == 0; });
  registry.add<Cast>(mapKernel<Identity>, anyOperand);
}

}  // namespace jcs::cpu
