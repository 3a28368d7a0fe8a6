#include "graph/graph.h"

#include <cmath>

#include "graph/autodiff.h"
#include "graph/scope.h"
#include "native/harness.h"
#include "ops/batch_norm.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"
#include "ops/layout.h"
#include "ops/loss.h"
#include "ops/matmul.h"
#include "ops/optimizer.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/resize.h"

namespace jcs {

namespace {

Value input(Graph& graph, Shape shape, const std::string& name = "x") {
  return graph.input(name, {DType::kF32, std::move(shape)});
}

size_t nodesNamed(const Graph& graph, std::string_view name) {
  size_t count = 0;
  for (const Node& node : graph.nodes()) count += node.op->name() == name;
  return count;
}

}  // namespace

TEST("a convolution's shape error names scope, op, shapes, attributes and the rule") {
  Graph graph;
  const Value x = input(graph, {1, 8, 8, 3}), w = input(graph, {4, 5, 3, 3}, "w");
  const NodeLabel label = (Scope(graph) / "layer1" / 0 / "conv1").label();
  CHECK_ERROR([&] { conv2d(x, w, std::nullopt, {.padding = 1}); }, errors::kShapeMismatch, "in layer1.0.conv1",
              "conv2d(", "f32[1, 8, 8, 3]", "f32[4, 5, 3, 3]", "padding=1", "input channels");
}

TEST("a label holds for the nodes added while it lives, and then the one around it again") {
  Graph graph;
  const Scope block = Scope(graph) / "block";
  const Value x = input(graph, {1, 4});
  {
    const NodeLabel outer = block.label();
    relu(x);
    try {
      const NodeLabel inner = (block / "inner").label();
      relu(x);
      throw 0;
    } catch (int) {
    }
    relu(x);
  }
  relu(x);
  std::vector<std::string> labels;
  for (const Node& node : graph.nodes()) labels.push_back(node.scope);
  CHECK(labels == (std::vector<std::string>{"block", "block.inner", "block", ""}));
}

TEST("every op refuses operands that do not fit with SHAPE_MISMATCH naming the op") {
  Graph g;
  const Value image = input(g, {2, 4, 4, 6}), vector = input(g, {5}, "v"), matrix = input(g, {3, 4}, "m");
  const Value small = input(g, {2, 2, 2, 6}, "s");
  const char* code = errors::kShapeMismatch;
  CHECK_ERROR([&] { conv2d(image, input(g, {4, 6, 7, 7}, "a"), std::nullopt, {}); }, code, "conv2d", "dilated kernel");
  CHECK_ERROR([&] { conv2d(image, input(g, {4, 6, 1, 1}, "b"), vector, {}); }, code, "conv2d", "bias");
  CHECK_ERROR(
      [&] {
        conv2d(image, input(g, {4, 3, 1, 1}, "c"), std::nullopt, {.groups = 4});
      },
      code, "conv2d", "groups");
  const Value weight = input(g, {6, 6, 1, 1}, "n");
  for (const Conv2dAttributes& nonsense :
       {Conv2dAttributes{.stride = 0}, {.padding = -1}, {.dilation = 0}, {.groups = 0}})
    CHECK_ERROR([&] { conv2d(image, weight, std::nullopt, nonsense); }, code, "at least 1");
  CHECK_ERROR(
      [&] {
        convTranspose2d(image, input(g, {5, 3, 2, 2}, "d"), {.stride = 2});
      },
      code, "conv2d_input_gradient");
  CHECK_ERROR([&] { add(vector, image); }, code, "binary", "broadcast");
  CHECK_ERROR([&] { multiply(image, vector); }, code, "binary", "[5]");
  CHECK_ERROR([&] { affine(image, vector, vector); }, code, "affine", "per channel");
  CHECK_ERROR([&] { matmul(matrix, matrix); }, code, "matmul", "inner extents");
  CHECK_ERROR([&] { matmul(matrix, matrix, false, true, vector); }, code, "matmul", "bias");
  CHECK_ERROR([&] { matmul(image, matrix); }, code, "matmul", "matrices");
  CHECK_ERROR([&] { reduceSum(image, {2, 3, 1, 6}); }, code, "reduce", "target=[2, 3, 1, 6]");
  CHECK_ERROR([&] { broadcast(image, {4, 4}); }, code, "broadcast");
  CHECK_ERROR([&] { batchNorm(image, vector, vector, 1e-5f); }, code, "batch_norm", "gamma");
  CHECK_ERROR([&] { maxPool2d(small, {.kernel = 3}); }, code, "max_pool2d", "kernel=3");
  CHECK_ERROR([&] { maxPool2d(small, {.stride = 0}); }, code, "max_pool2d", "at least 1");
  CHECK_ERROR([&] { averagePool2d(matrix, {}); }, code, "average_pool2d");
  CHECK_ERROR([&] { resize(image, 0, 3); }, code, "resize", "positive");
  CHECK_ERROR([&] { concat({image, small}); }, code, "concat");
  CHECK_ERROR(([&] {
                const int64_t sizes[] = {2, 3};
                split(image, sizes);
              }),
              code, "split", "add up");
  CHECK_ERROR([&] { slice(image, {0, 0, 0, 4}, {2, 4, 4, 3}); }, code, "slice", "inside");
  CHECK_ERROR([&] { pad(image, {0, 1, 0, 0}, {2, 4, 4, 6}); }, code, "pad", "fit");
  CHECK_ERROR([&] { reshape(image, {2, 95}); }, code, "reshape", "number of elements");
  CHECK_ERROR([&] { softmax(image); }, code, "softmax");
  CHECK_ERROR([&] { softmaxCrossEntropy(matrix, vector); }, code, "softmax_cross_entropy");
  CHECK_ERROR([&] { sigmoidCrossEntropy(image, small); }, code, "sigmoid_cross_entropy");
  CHECK_ERROR([&] { minMaxNormalize(image); }, code, "min_max_normalize");
  CHECK_ERROR([&] { addNode(std::make_shared<SgdUpdate>(), {vector, vector, vector, vector}); }, code, "sgd_update");
  CHECK_ERROR(
      [&] {
        addNode(std::make_shared<AdamUpdate>(), {vector, vector, vector, vector, vector});
      },
      code, "adam_update");
}

TEST("batch statistics of a single value per channel are BATCH_NORM_BATCH_TOO_SMALL") {
  Graph graph;
  const Value x = input(graph, {1, 1, 1, 4}), c = input(graph, {4}, "c");
  CHECK_ERROR([&] { batchNorm(x, c, c, 1e-5f); }, errors::kBatchNormBatchTooSmall, "[1, 1, 1, 4]", "eval");
}

// Expected extents: PyTorch 2 on the same settings.
TEST("convolutions and poolings have PyTorch's output extents") {
  const Conv2dAttributes conv{.stride = 2, .padding = 3, .dilation = 2};
  CHECK_EQUAL(conv.outputExtent(15, 3), 9);
  CHECK_EQUAL((Conv2dAttributes{.stride = 2, .padding = 3}).outputExtent(224, 7), 112);
  CHECK_EQUAL((PoolAttributes{.kernel = 2, .stride = 2, .ceilMode = true}).outputExtent(7), 4);
  CHECK_EQUAL((PoolAttributes{.kernel = 2, .stride = 2}).outputExtent(7), 3);
  CHECK_EQUAL((PoolAttributes{.kernel = 3, .stride = 2, .padding = 1}).outputExtent(112), 56);
  // Ceil mode drops a window that would start in the padding.
  CHECK_EQUAL((PoolAttributes{.kernel = 2, .stride = 2, .padding = 1, .ceilMode = true}).outputExtent(3), 2);
  CHECK_EQUAL((PoolAttributes{.kernel = 1, .stride = 3, .ceilMode = true}).outputExtent(5), 2);
}

TEST("a state mentioned twice is one state, and must keep its shape") {
  Graph graph;
  const Scope scope = Scope(graph) / "fc";
  const Value first = scope.parameter("weight", {2, 3}, Initializer::constant(0));
  CHECK(first == scope.parameter("weight", {2, 3}, Initializer::constant(0)));
  CHECK_ERROR(
      [&] {
        scope.parameter("weight", {3, 2}, Initializer::constant(0));
      },
      errors::kShapeMismatch, "'fc.weight'", "[2, 3]", "[3, 2]");
}

TEST("a state takes only values of its shape") {
  Graph graph;
  const Value state = graph.state("momentum", {DType::kF32, {4}});
  CHECK_ERROR([&] { graph.assign(state, input(graph, {5})); }, errors::kShapeMismatch, "'momentum'", "[4]", "[5]");
}

TEST("a loss that is not a scalar cannot be differentiated") {
  Graph graph;
  const Value x = input(graph, {2, 3});
  CHECK_ERROR([&] { gradients(relu(x), std::span(&x, 1), add); }, errors::kShapeMismatch, "scalar", "[2, 3]");
}

TEST("what the loss does not depend on has a constant zero gradient of its shape") {
  Graph graph;
  const Value x = input(graph, {2, 3}), other = input(graph, {4}, "other");
  const Value wrt[] = {other, x};
  const std::vector<Value> found = gradients(reduceSum(multiply(x, x), Shape{}), wrt, add);
  CHECK((found[0].shape() == Shape{4}));
  const ValueInfo& info = graph.info(found[0]);
  CHECK(info.kind == ValueInfo::Kind::kConstant);
  for (float value : info.constant->as<float>()) CHECK_EQUAL(value, 0.0f);
  CHECK((found[1].shape() == Shape{2, 3}));
}

TEST("autodiff builds no gradient that nobody asked for") {
  Graph graph;
  const Value x = input(graph, {1, 4, 4, 2}), w = input(graph, {3, 2, 3, 3}, "w");
  const Value loss = reduceSum(conv2d(x, w, std::nullopt, {.padding = 1}), Shape{});
  gradients(loss, std::span(&w, 1), add);
  CHECK_EQUAL(nodesNamed(graph, Conv2dWeightGradient::kName), size_t{1});
  CHECK_EQUAL(nodesNamed(graph, Conv2dInputGradient::kName), size_t{0});
}

TEST("an op without a gradient rule says which it is") {
  Graph graph;
  const Value x = input(graph, {2, 3});
  const Value loss = reduceSum(softmax(x), Shape{});
  CHECK_ERROR([&] { gradients(loss, std::span(&x, 1), add); }, errors::kInternal, "'softmax'");
}

TEST("attributes tell ops apart, and equal settings read equal") {
  Conv2d a, b;
  CHECK_EQUAL(a.attributes(), b.attributes());
  b.conv.dilation = 2;
  CHECK(a.attributes() != b.attributes());
  CHECK_EQUAL(textOf(b.conv), "stride=1 padding=0 dilation=2 groups=1");
  CHECK_EQUAL(Concat().attributes(), "");

  // Programs share what they compute under these texts: values that differ in the last bit must not meet.
  const auto differs = [](auto op, float(decltype(op)::*member)) {
    for (const float value : {1e-30f, 1e-9f, 1e-5f, 0.9f, 1.0f, 123456.0f}) {
      auto next = op;
      op.*member = value;
      next.*member = std::nextafter(value, 2 * value);
      CHECK(op.attributes() != next.attributes());
    }
  };
  differs(BatchNorm(), &BatchNorm::epsilon);
  differs(BatchNormGradient(), &BatchNormGradient::epsilon);
  differs(BatchNormScaleShift(), &BatchNormScaleShift::epsilon);
  differs(Broadcast(), &Broadcast::scale);
  differs(SgdUpdate(), &SgdUpdate::momentum);
  differs(SgdUpdate(), &SgdUpdate::weightDecay);
  differs(AdamUpdate(), &AdamUpdate::beta1);
  differs(AdamUpdate(), &AdamUpdate::beta2);
  differs(AdamUpdate(), &AdamUpdate::epsilon);
  differs(AdamUpdate(), &AdamUpdate::weightDecay);
}

TEST("flops count a multiply-add as two") {
  Graph graph;
  const Value x = input(graph, {1, 8, 8, 3}), w = input(graph, {16, 3, 3, 3}, "w");
  const Value y = conv2d(x, w, std::nullopt, {.padding = 1});
  const Node& node = *graph.nodes().begin();
  const TensorType inputs[] = {x.type(), w.type()}, outputs[] = {y.type()};
  CHECK_EQUAL(node.op->flops(inputs, outputs), 2.0 * 3 * 3 * 3 * 16 * 64);
}

}  // namespace jcs
