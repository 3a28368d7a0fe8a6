#include "compiler/passes.h"

#include "compiler/channel_padding.h"
#include "compiler/derivation.h"
#include "compiler/rewrite.h"
#include "ops/batch_norm.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"
#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/reduce.h"

namespace jcs::compiler {

namespace {

using Replacement = std::optional<std::vector<Value>>;

template <typename T>
const T* as(const Node* node) {
  return node == nullptr ? nullptr : as<T>(*node->op);
}

std::vector<Value> mapped(const Rewriter& rewriter, const Node& node) {
  std::vector<Value> values;
  for (const ValueId id : node.inputs) values.push_back(rewriter(id));
  return values;
}

/// `fused` does what `producer` did, and more: profiles show it where the producer was built.
std::vector<Value> extend(Rewriter& rewriter, const Node& producer, std::shared_ptr<const Op> fused,
                          std::span<const Value> inputs) {
  const NodeLabel label(rewriter.target(), producer.scope);
  return rewriter.target().add(std::move(fused), inputs);
}

/// The node that made input `i` of `node`, if nothing else reads that value.
const Node* soleProducer(const Rewriter& rewriter, const Node& node, size_t i) {
  return rewriter.uses(node.inputs[i]) == 1 ? rewriter.producer(node.inputs[i]) : nullptr;
}

/// What reads the norm's y, if nothing else does: the statistics keep their readers.
const Node* soleReaderOfNorm(const Rewriter& rewriter, const Node& norm) {
  const ValueId y = norm.outputs[0];
  if (rewriter.uses(y) != 1) return nullptr;
  for (const Node& reader : rewriter.source().nodes())
    if (std::ranges::find(reader.inputs, y) != reader.inputs.end()) return &reader;
  return nullptr;  // it is an output of the graph
}

/// The norm whose y, not one of its statistics, a value is; or null.
const Node* normOf(const Rewriter& rewriter, ValueId y) {
  const Node* producer = rewriter.producer(y);
  return as<BatchNorm>(producer) != nullptr && producer->outputs[0] == y ? producer : nullptr;
}

std::optional<Activation> activationOf(const Node& node) {
  const auto* unary = as<Unary>(&node);
  if (unary == nullptr) return std::nullopt;
  switch (unary->kind) {
    case Unary::Kind::kRelu: return Activation::kRelu;
    case Unary::Kind::kSigmoid: return Activation::kSigmoid;
    case Unary::Kind::kSqrt: break;
  }
  return std::nullopt;
}

/// A copy of `op` with the activation set, if it can take one and has none.
template <typename T>
std::shared_ptr<T> withActivation(const Node* node, Activation activation) {
  const T* op = as<T>(node);
  if (op == nullptr || op->activation != Activation::kNone) return nullptr;
  auto copy = std::make_shared<T>(*op);
  copy->activation = activation;
  return copy;
}

std::shared_ptr<Op> fusedWithActivation(const Node* node, Activation activation) {
  if (auto conv = withActivation<Conv2d>(node, activation)) return conv;
  if (auto product = withActivation<Matmul>(node, activation)) return product;
  if (activation != Activation::kRelu) return nullptr;
  if (auto norm = withActivation<Affine>(node, activation)) return norm;
  if (auto sum = withActivation<Binary>(node, activation)) return sum;
  return nullptr;
}

Replacement fuseActivation(Rewriter& rewriter, const Node& node) {
  const auto activation = activationOf(node);
  const Node* producer = activation ? soleProducer(rewriter, node, 0) : nullptr;
  if (producer == nullptr) return std::nullopt;
  const auto fused = fusedWithActivation(producer, *activation);
  return fused ? Replacement(extend(rewriter, *producer, fused, mapped(rewriter, *producer))) : std::nullopt;
}

/// relu(concat(a, b)) becomes concat(relu(a), relu(b)): each ReLU can then join the kernel that makes its part.
Replacement activateParts(Rewriter& rewriter, const Node& node) {
  if (!activationOf(node)) return std::nullopt;
  const Node* producer = soleProducer(rewriter, node, 0);
  if (as<Concat>(producer) == nullptr) return std::nullopt;
  std::vector<Value> parts;
  for (const Value& part : mapped(rewriter, *producer))
    parts.push_back(rewriter.target().add(node.op, std::span(&part, 1))[0]);
  return std::vector{concat(parts)};
}

/// relu(batch_norm(x)): the norm applies the ReLU.
Replacement fuseNormActivation(Rewriter& rewriter, const Node& node) {
  const auto* norm = as<BatchNorm>(&node);
  const Node* reader = norm != nullptr ? soleReaderOfNorm(rewriter, node) : nullptr;
  if (reader == nullptr || activationOf(*reader) != Activation::kRelu) return std::nullopt;
  auto copy = std::make_shared<BatchNorm>(*norm);
  copy->activation = Activation::kRelu;
  return rewriter.target().add(copy, mapped(rewriter, node));
}

/// relu(batch_norm(x)) once the norm applies the ReLU itself: y is already what the ReLU would give.
Replacement dropFusedActivation(Rewriter& rewriter, const Node& node) {
  const ValueId input = node.inputs[0];
  if (activationOf(node) != Activation::kRelu || normOf(rewriter, input) == nullptr || rewriter.uses(input) != 1)
    return std::nullopt;
  return std::vector{rewriter(input)};
}

/// The gradient of relu(batch_norm(x)) with respect to x in one: the ReLU's alone would be written and read again.
Replacement fuseNormActivationGradient(Rewriter& rewriter, const Node& node) {
  const auto* gradient = as<BatchNormGradient>(&node);
  const Node* masked = gradient != nullptr && !gradient->relu ? soleProducer(rewriter, node, 0) : nullptr;
  const auto* mask = as<UnaryGradient>(masked);
  if (mask == nullptr || mask->kind != Unary::Kind::kRelu) return std::nullopt;
  const Node* activated = rewriter.producer(masked->inputs[1]);
  if (activated == nullptr || activationOf(*activated) != Activation::kRelu) return std::nullopt;
  const Node* norm = rewriter.producer(activated->inputs[0]);
  const bool isItsOwn = as<BatchNorm>(norm) != nullptr && activated->inputs[0] == norm->outputs[0] &&
                        norm->inputs[0] == node.inputs[1] && norm->outputs[1] == node.inputs[3];
  if (!isItsOwn) return std::nullopt;
  auto fused = std::make_shared<BatchNormGradient>(*gradient);
  fused->relu = true;
  std::vector<Value> inputs = mapped(rewriter, node);
  inputs[0] = rewriter(masked->inputs[0]);
  inputs.push_back(rewriter(norm->inputs[2]));
  return rewriter.target().add(fused, inputs);
}

/// The sum of two tensors of one shape, or null.
const Binary* asPlainSum(const Rewriter& rewriter, const Node* node) {
  const auto* sum = as<Binary>(node);
  if (sum == nullptr || sum->kind != Binary::Kind::kAdd) return nullptr;
  const auto shape = [&](ValueId id) { return rewriter.source().values()[id].type.shape; };
  return shape(node->inputs[0]) == shape(node->inputs[1]) ? sum : nullptr;
}

/// The gradient of a ReLU that several read: their last two gradients are added where it is taken.
Replacement fuseSumOfGradients(Rewriter& rewriter, const Node& node) {
  const auto* gradient = as<UnaryGradient>(&node);
  if (gradient == nullptr || gradient->kind != Unary::Kind::kRelu || gradient->ofSum) return std::nullopt;
  const Node* producer = soleProducer(rewriter, node, 0);
  const Binary* sum = asPlainSum(rewriter, producer);
  if (sum == nullptr || sum->activation != Activation::kNone) return std::nullopt;
  auto fused = std::make_shared<UnaryGradient>(*gradient);
  fused->ofSum = true;
  std::vector<Value> inputs = mapped(rewriter, *producer);
  inputs.push_back(rewriter(node.inputs[1]));
  return rewriter.target().add(fused, inputs);
}

/// batch_norm(x) + r, and its ReLU: the norm adds r, if that is there by then. Of two norms the later one does.
Replacement fuseNormResidual(Rewriter& rewriter, const Node& node) {
  const auto* norm = as<BatchNorm>(&node);
  if (norm == nullptr || norm->activation != Activation::kNone) return std::nullopt;
  const Node* reader = soleReaderOfNorm(rewriter, node);
  const Binary* sum = asPlainSum(rewriter, reader);
  if (sum == nullptr) return std::nullopt;
  const Value residual = rewriter(reader->inputs[reader->inputs[0] == node.outputs[0] ? 1 : 0]);
  if (!residual) return std::nullopt;
  auto fused = std::make_shared<BatchNorm>(*norm);
  fused->residual = true;
  fused->activation = sum->activation;
  std::vector<Value> inputs = mapped(rewriter, node);
  inputs.push_back(residual);
  return rewriter.target().add(fused, inputs);
}

/// batch_norm(x) + r once the norm adds r itself.
Replacement dropFusedResidual(Rewriter& rewriter, const Node& node) {
  if (asPlainSum(rewriter, &node) == nullptr) return std::nullopt;
  for (const ValueId input : node.inputs) {
    if (normOf(rewriter, input) == nullptr) continue;
    const Value made = rewriter(input);
    const auto* norm = as<BatchNorm>(&made.graph->nodes()[made.graph->values()[made.id].producer]);
    if (norm != nullptr && norm->residual) return std::vector{made};
  }
  return std::nullopt;
}

/// conv + r, r of the same shape: the convolution adds it before it stores.
Replacement fuseResidual(Rewriter& rewriter, const Node& node) {
  const Binary* sum = asPlainSum(rewriter, &node);
  if (sum == nullptr || node.inputs[0] == node.inputs[1]) return std::nullopt;
  for (size_t side : {size_t{0}, size_t{1}}) {
    const Node* producer = soleProducer(rewriter, node, side);
    const auto* conv = as<Conv2d>(producer);
    if (conv == nullptr || conv->residual || conv->activation != Activation::kNone || conv->float32Output) continue;
    auto fused = std::make_shared<Conv2d>(*conv);
    fused->residual = true;
    fused->activation = sum->activation;
    std::vector<Value> inputs = mapped(rewriter, *producer);
    inputs.push_back(rewriter(node.inputs[1 - side]));
    return extend(rewriter, *producer, fused, inputs);
  }
  return std::nullopt;
}

/// a + broadcast(b) reads b directly.
Replacement absorbBroadcast(Rewriter& rewriter, const Node& node) {
  const auto* binary = as<Binary>(&node);
  if (binary == nullptr) return std::nullopt;
  const bool commutes = binary->kind == Binary::Kind::kAdd || binary->kind == Binary::Kind::kMultiply;
  for (size_t side : {size_t{1}, size_t{0}}) {
    if (side == 0 && !commutes) continue;
    const Node* producer = rewriter.producer(node.inputs[side]);
    const auto* broadcast = as<Broadcast>(producer);
    if (broadcast == nullptr || as<Broadcast>(rewriter.producer(node.inputs[1 - side])) != nullptr) continue;
    if (rewriter.source().values()[node.inputs[1 - side]].type.shape != broadcast->target) continue;
    Value small = rewriter(producer->inputs[0]);
    if (broadcast->scale != 1) small = multiply(small, broadcast->scale);
    const Value inputs[] = {rewriter(node.inputs[1 - side]), small};
    return rewriter.target().add(node.op, inputs);
  }
  return std::nullopt;
}

Value vectorAlongOutputs(Value v) { return reshape(v, {v.shape()[0], 1, 1, 1}); }

}  // namespace

std::unique_ptr<Graph> foldBatchNorm(const Graph& graph) {
  const PerValue<bool> derived = findDerived(graph);
  return Rewriter(graph).run([&](Rewriter& rewriter, const Node& node) -> Replacement {
    const auto* norm = as<Affine>(&node);
    if (norm == nullptr || norm->activation != Activation::kNone) return std::nullopt;
    const Node* producer = soleProducer(rewriter, node, 0);
    const auto* conv = as<Conv2d>(producer);
    if (conv == nullptr || conv->residual || conv->activation != Activation::kNone) return std::nullopt;
    if (!derived[node.inputs[1]] || !derived[node.inputs[2]] || !derived[producer->inputs[1]]) return std::nullopt;

    const NodeLabel label(rewriter.target(), producer->scope);
    const Value scale = rewriter(node.inputs[1]), shift = rewriter(node.inputs[2]);
    const Value weight = multiply(rewriter(producer->inputs[1]), vectorAlongOutputs(scale));
    const Value bias = conv->bias ? add(multiply(rewriter(producer->inputs[2]), scale), shift) : shift;
    return std::vector{conv2d(rewriter(producer->inputs[0]), weight, bias, conv->conv, conv->float32Output)};
  });
}

std::unique_ptr<Graph> fuseEpilogues(const Graph& graph) {
  auto result = prune(*Rewriter(graph).run(absorbBroadcast));
  result = prune(*Rewriter(*result).run(fuseResidual));
  result = prune(*Rewriter(*result).run(activateParts));
  result = prune(*Rewriter(*result).run([](Rewriter& rewriter, const Node& node) -> Replacement {
    if (auto norm = fuseNormActivation(rewriter, node)) return norm;
    if (auto dropped = dropFusedActivation(rewriter, node)) return dropped;
    if (auto gradient = fuseNormActivationGradient(rewriter, node)) return gradient;
    if (auto gradient = fuseSumOfGradients(rewriter, node)) return gradient;
    return fuseActivation(rewriter, node);
  }));
  result = prune(*Rewriter(*result).run([](Rewriter& rewriter, const Node& node) -> Replacement {
    if (auto norm = fuseNormResidual(rewriter, node)) return norm;
    return dropFusedResidual(rewriter, node);
  }));
  return result;
}

std::unique_ptr<Graph> splitIntoSlices(const Graph& graph) {
  return Rewriter(graph).run([](Rewriter& rewriter, const Node& node) -> Replacement {
    const auto* op = as<Split>(&node);
    if (op == nullptr) return std::nullopt;
    const Value x = rewriter(node.inputs[0]);
    Shape begin = x.shape();
    for (int axis = 0; axis < begin.rank(); ++axis) begin[axis] = 0;
    std::vector<Value> parts;
    for (int64_t size : op->sizes) {
      Shape extent = x.shape();
      extent[extent.rank() - 1] = size;
      parts.push_back(slice(x, begin, extent));
      begin[begin.rank() - 1] += size;
    }
    return parts;
  });
}

std::unique_ptr<Graph> optimize(const Graph& graph, DType activation, int64_t channelMultiple,
                                const LayerRanges* layers) {
  auto result = prune(graph);
  result = prune(*foldBatchNorm(*result));
  result = fuseEpilogues(*result);
  result = splitIntoSlices(*result);
  result = padChannels(*result, channelMultiple);
  result = prune(*lowerPrecision(*result, activation));
  return layers != nullptr ? quantizeConvolutions(*result, *layers) : std::move(result);
}

}  // namespace jcs::compiler
