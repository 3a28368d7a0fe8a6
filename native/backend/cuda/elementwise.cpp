#include "ops/elementwise.h"

#include <algorithm>
#include <vector>

#include "backend/cuda/operands.h"
#include "ops/loss.h"
#include "ops/reduce.h"

namespace jcs::cuda {

namespace {

/// y = scale · map(x), x repeated to y's shape.
class MapKernel : public Kernel {
 public:
  MapKernel(const Prepare& p, Map map, float scale)
      : launcher_(launcherOf(p.device)),
        map_(map),
        scale_(scale),
        shape_(loopShape(p.outputs[0].type.shape)),
        y_(loopOperand(p.outputs[0], p.outputs[0].type.shape)),
        x_(loopOperand(p.inputs[0], p.outputs[0].type.shape)) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    mapElements(launcher_, shape_, map_, scale_, y_, out[0], x_, in[0]);
  }

 private:
  Launcher launcher_;
  Map map_;
  float scale_;
  LoopShape shape_;
  LoopOperand y_, x_;
};

/// y = act(pair(a, b)), b repeated to a's shape.
class PairKernel : public Kernel {
 public:
  PairKernel(const Prepare& p, Pair pair, Activation activation)
      : launcher_(launcherOf(p.device)),
        pair_(pair),
        activation_(activation),
        shape_(loopShape(p.outputs[0].type.shape)),
        y_(loopOperand(p.outputs[0], p.outputs[0].type.shape)),
        a_(loopOperand(p.inputs[0], p.outputs[0].type.shape)),
        b_(loopOperand(p.inputs[1], p.outputs[0].type.shape)) {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    pairElements(launcher_, shape_, pair_, activation_, y_, out[0], a_, in[0], b_, in[1]);
  }

 private:
  Launcher launcher_;
  Pair pair_;
  Activation activation_;
  LoopShape shape_;
  LoopOperand y_, a_, b_;
};

/// The same for several pairs at once.
class PairsKernel : public Kernel {
 public:
  PairsKernel(const Prepare& p, Pair pair, Activation activation)
      : launcher_(launcherOf(p.device)), pair_(pair), activation_(activation) {
    for (size_t i = 0; i < p.outputs.size(); ++i)
      pairs_.push_back({p.outputs[i].type.elements(), isOne(p.inputs[2 * i + 1]), nullptr, nullptr, nullptr});
  }

  static bool takes(std::span<const Operand> inputs, std::span<const Operand> outputs) {
    const auto isDenseFloat = [](const Operand& o) { return o.type.dtype == DType::kF32 && o.isDense(); };
    return std::ranges::all_of(inputs, isDenseFloat) && std::ranges::all_of(outputs, isDenseFloat) &&
           (isOne(inputs[1]) || inputs[1].type.shape == inputs[0].type.shape);
  }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    for (size_t i = 0; i < pairs_.size(); ++i) {
      pairs_[i].a = reinterpret_cast<const float*>(in[2 * i]);
      pairs_[i].b = reinterpret_cast<const float*>(in[2 * i + 1]);
      pairs_[i].y = reinterpret_cast<float*>(out[i]);
    }
    pairArrays(launcher_, pair_, activation_, pairs_);
  }

 private:
  static bool isOne(const Operand& operand) { return operand.type.elements() == 1; }

  Launcher launcher_;
  Pair pair_;
  Activation activation_;
  std::vector<PairArrays> pairs_;
};

/// dx = a + b where y > 0.
class ReluGradientOfSumKernel : public Kernel {
 public:
  explicit ReluGradientOfSumKernel(const Prepare& p)
      : launcher_(launcherOf(p.device)),
        dtype_(p.outputs[0].type.dtype),
        shape_(loopShape(p.outputs[0].type.shape)),
        operands_{along(p.outputs[0]), along(p.inputs[0]), along(p.inputs[1]), along(p.inputs[2])} {
    for (const Operand& operand : p.inputs) invariant(operand.type.dtype == dtype_, "a sum and its mask share a dtype");
  }

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    reluGradientOfSum(launcher_, shape_, dtype_, operands_, out[0], in[0], in[1], in[2]);
  }

 private:
  static LoopOperand along(const Operand& operand) { return loopOperand(operand, operand.type.shape); }

  Launcher launcher_;
  DType dtype_;
  LoopShape shape_;
  std::array<LoopOperand, 4> operands_;
};

class AffineKernel : public Kernel {
 public:
  explicit AffineKernel(const Prepare& p)
      : launcher_(launcherOf(p.device)), rows_{p.inputs[0].type.shape.rows(),
                                               p.inputs[0].type.shape.channels(),
                                               p.inputs[0].type.dtype,
                                               p.inputs[0].rowStride,
                                               0,
                                               p.outputs[0].rowStride,
                                               p.as<Affine>().activation} {}

  void run(std::span<const std::byte* const> in, std::span<std::byte* const> out, std::byte*) override {
    affineRows(launcher_, rows_, in[0], reinterpret_cast<const float*>(in[1]), reinterpret_cast<const float*>(in[2]),
               nullptr, out[0]);
  }

 private:
  Launcher launcher_;
  AffineRows rows_;
};

Map mapOf(Unary::Kind kind) {
  switch (kind) {
    case Unary::Kind::kRelu: return Map::kRelu;
    case Unary::Kind::kSigmoid: return Map::kSigmoid;
    case Unary::Kind::kSqrt: return Map::kSqrt;
  }
  fail(errors::kInternal, "unary: unknown kind");
}

Pair gradientOf(Unary::Kind kind) {
  switch (kind) {
    case Unary::Kind::kRelu: return Pair::kReluGradient;
    case Unary::Kind::kSigmoid: return Pair::kSigmoidGradient;
    case Unary::Kind::kSqrt: return Pair::kSqrtGradient;
  }
  fail(errors::kInternal, "unary_gradient: unknown kind");
}

Pair pairOf(Binary::Kind kind) {
  switch (kind) {
    case Binary::Kind::kAdd: return Pair::kAdd;
    case Binary::Kind::kSubtract: return Pair::kSubtract;
    case Binary::Kind::kMultiply: return Pair::kMultiply;
    case Binary::Kind::kDivide: return Pair::kDivide;
  }
  fail(errors::kInternal, "binary: unknown kind");
}

}  // namespace

void registerElementwise(Registry& registry) {
  registry.add<Unary>([](const Prepare& p) { return std::make_unique<MapKernel>(p, mapOf(p.as<Unary>().kind), 1.0f); },
                      anyOperandStrided);
  registry.add<Cast>([](const Prepare& p) { return std::make_unique<MapKernel>(p, Map::kIdentity, 1.0f); },
                     anyOperandStrided);
  registry.add<Broadcast>(
      [](const Prepare& p) { return std::make_unique<MapKernel>(p, Map::kIdentity, p.as<Broadcast>().scale); },
      anyOperandStrided);
  registry.add<UnaryGradient>(
      [](const Prepare& p) -> std::unique_ptr<Kernel> {
        const auto& op = p.as<UnaryGradient>();
        if (op.ofSum) return std::make_unique<ReluGradientOfSumKernel>(p);
        return std::make_unique<PairKernel>(p, gradientOf(op.kind), Activation::kNone);
      },
      anyOperandStrided);
  registry.add<Binary>(
      [](const Prepare& p) -> std::unique_ptr<Kernel> {
        const Pair pair = pairOf(p.as<Binary>().kind);
        if (p.outputs.size() > 1) return std::make_unique<PairsKernel>(p, pair, p.as<Binary>().activation);
        return std::make_unique<PairKernel>(p, pair, p.as<Binary>().activation);
      },
      anyOperandStrided, PairsKernel::takes);
  registry.add<SigmoidCrossEntropy>(
      [](const Prepare& p) { return std::make_unique<PairKernel>(p, Pair::kSigmoidCrossEntropy, Activation::kNone); });
  registry.add<Affine>([](const Prepare& p) { return std::make_unique<AffineKernel>(p); },
                       [](const Op&, bool isOutput, int index) { return isOutput || index == 0; });
}

}  // namespace jcs::cuda
