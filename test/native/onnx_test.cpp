#include "io/onnx.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>

#include "native/error_code.h"
#include "native/harness.h"
#include "native/temporary_directory.h"
#include "ops/batch_norm.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"
#include "ops/layout.h"
#include "ops/loss.h"
#include "ops/pool.h"
#include "ops/quantized.h"
#include "ops/reduce.h"
#include "ops/resize.h"

// What a model computes is checked against onnxruntime and PyTorch in the API tests; here is what the file says.

using namespace jcs;

namespace {

/// A protocol buffers message taken apart: per field number its values, numbers as they are, the rest as bytes.
struct Message {
  std::map<uint64_t, std::vector<std::string>> bytes;
  std::map<uint64_t, std::vector<uint64_t>> numbers;

  explicit Message(const std::string& text) {
    size_t at = 0;
    const auto varint = [&] {
      uint64_t value = 0;
      for (int shift = 0;; shift += 7) {
        const auto byte = static_cast<uint8_t>(text.at(at++));
        value |= uint64_t{byte & 0x7fu} << shift;
        if (byte < 0x80) return value;
      }
    };
    while (at < text.size()) {
      const uint64_t tag = varint(), field = tag >> 3, wire = tag & 7;
      if (wire == 0) {
        numbers[field].push_back(varint());
      } else {
        const size_t length = wire == 5 ? 4 : varint();
        if (wire != 2 && wire != 5) fail(errors::kInternal, "a wire type that ONNX does not use");
        if (at + length > text.size()) fail(errors::kInternal, "a field longer than its message");
        bytes[field].push_back(text.substr(at, length));
        at += length;
      }
    }
  }
  std::vector<Message> messages(uint64_t field) const {
    std::vector<Message> result;
    if (const auto found = bytes.find(field); found != bytes.end())
      for (const std::string& text : found->second) result.emplace_back(text);
    return result;
  }
  std::string text(uint64_t field) const { return bytes.contains(field) ? bytes.at(field)[0] : ""; }
};

/// The file's GraphProto.
Message exported(const Graph& graph, bool dynamicBatch = false, const io::ParameterSource& parameters = nullptr) {
  const TemporaryDirectory directory;
  const io::ParameterSource zeros = [&](const std::string& name) {
    return Tensor::zeros(DType::kF32, const_cast<Graph&>(graph).findState(name)->shape());
  };
  io::exportOnnx(graph, parameters ? parameters : zeros, {.graphName = "net", .dynamicBatch = dynamicBatch},
                 directory / "a.onnx");
  std::ifstream stream(directory / "a.onnx", std::ios::binary);
  const Message model(std::string(std::istreambuf_iterator<char>(stream), {}));
  CHECK_EQUAL(model.numbers.at(1)[0], 8u);                  // IR version
  CHECK_EQUAL(model.messages(8)[0].numbers.at(2)[0], 18u);  // opset
  CHECK_EQUAL(directory.files(), 1u);
  return model.messages(7).at(0);
}

std::vector<std::string> nodeTypes(const Message& graph) {
  std::vector<std::string> types;
  for (const Message& node : graph.messages(1)) types.push_back(node.text(4));
  return types;
}

/// Extents of a ValueInfoProto; −1 where one has a name instead.
std::vector<int64_t> extentsOf(const Message& valueInfo) {
  std::vector<int64_t> extents;
  for (const Message& dim : valueInfo.messages(2)[0].messages(1)[0].messages(2)[0].messages(1))
    extents.push_back(dim.numbers.contains(1) ? static_cast<int64_t>(dim.numbers.at(1)[0]) : -1);
  return extents;
}

Value imageOf(Graph& graph, int64_t n = 2) { return graph.input("image", {DType::kF32, {n, 8, 10, 3}}); }

using Types = std::vector<std::string>;

}  // namespace

TEST("onnx: inputs and outputs are channels first, and the batch may stay open") {
  Graph graph;
  graph.output("map", relu(imageOf(graph)));
  const Message fixed = exported(graph), open = exported(graph, true);
  CHECK_EQUAL(fixed.text(2), "net");
  CHECK_EQUAL(fixed.messages(11)[0].text(1), "image");
  CHECK_EQUAL(fixed.messages(12)[0].text(1), "map");
  CHECK(extentsOf(fixed.messages(11)[0]) == std::vector<int64_t>({2, 3, 8, 10}));
  CHECK(extentsOf(open.messages(11)[0]) == std::vector<int64_t>({-1, 3, 8, 10}));
  CHECK(extentsOf(open.messages(12)[0]) == std::vector<int64_t>({-1, 3, 8, 10}));
  CHECK(nodeTypes(fixed) == Types{"Relu"});
}

TEST("onnx: convolutions of bytes are QDQ, with weights rounded by output and biases in steps of both scales") {
  Graph graph;
  auto op = std::make_shared<QuantizedConv2d>();
  op->bias = true;
  op->activation = Activation::kRelu;
  op->dtype = DType::kU8;
  op->input = {0.5f, 7};
  op->output = {0.25f, 0};
  const Value bytes = quantize(imageOf(graph), op->input);
  const Value weight = graph.constant(Tensor::fromFloats({2, 3, 1, 1}, std::vector<float>{1.27f, -0.3f, 0, 0, 0, 0}));
  const Value bias = graph.constant(Tensor::fromFloats({2}, std::vector<float>{1, -2}));
  const Value y = addNode(op, {bytes, weight, bias});
  op = std::make_shared<QuantizedConv2d>(*op);
  op->bias = false, op->dtype = DType::kF32, op->input = {0.25f, 0};
  const Value last = graph.constant(Tensor::fromFloats({1, 2, 1, 1}, std::vector<float>{1, 1}));
  graph.output("y", addNode(op, {y, last}));
  const Message onnx = exported(graph);
  CHECK(nodeTypes(onnx) == Types({"QuantizeLinear", "DequantizeLinear", "DequantizeLinear", "DequantizeLinear", "Conv",
                                  "Relu", "QuantizeLinear", "DequantizeLinear", "DequantizeLinear", "Conv", "Relu"}));
  std::map<std::string, Message> initializers;
  for (const Message& tensor : onnx.messages(5)) initializers.emplace(tensor.text(8), tensor);
  CHECK(initializers.at("weight").text(9) == std::string("\x7f\xe2\0\0\0\0", 6));
  CHECK_EQUAL(initializers.at("weight").numbers.at(2)[0], 3u);  // int8
  int32_t steps[2];
  std::memcpy(steps, initializers.at("bias").text(9).data(), sizeof steps);
  CHECK_EQUAL(steps[0], 200);  // 1 / (0.5 · 0.01)
  CHECK_EQUAL(steps[1], -4);   // −2 / (0.5 · 1): an output without weights has steps of 1
  CHECK(initializers.at("zero").text(9) == std::string(1, 7));
}

TEST("onnx: convolution weights are initialisers under their own names, bit for bit") {
  Graph graph;
  const Value x = imageOf(graph);
  const Value weight = graph.state("layer1.conv.weight", {DType::kF32, {1, 3, 1, 1}});
  graph.output("y", conv2d(x, weight, std::nullopt, {}));
  const float values[] = {1.5f, -2, 1e-40f};
  const Message onnx = exported(graph, false, [&](const std::string&) {
    return Tensor::fromFloats({1, 3, 1, 1}, values);
  });
  CHECK_EQUAL(onnx.messages(5).size(), 1u);
  const Message tensor = onnx.messages(5)[0];
  CHECK_EQUAL(tensor.text(8), "layer1.conv.weight");
  CHECK(tensor.numbers.at(1) == std::vector<uint64_t>({1, 3, 1, 1}) && tensor.numbers.at(2)[0] == 1);
  CHECK(tensor.text(9).size() == 12 && std::memcmp(tensor.text(9).data(), values, 12) == 0);
}

TEST("onnx: stored batch norm is one BatchNormalization on the network's own parameters") {
  Graph graph;
  const Value x = imageOf(graph);
  const auto state = [&](const std::string& name) { return graph.state(name, {DType::kF32, {3}}); };
  const Value y = batchNormInference(x, state("gamma"), state("beta"), state("mean"), state("variance"), 1e-3f);
  graph.output("y", relu(y));
  const Message onnx = exported(graph, true);
  CHECK(nodeTypes(onnx) == (Types{"BatchNormalization", "Relu"}));
  CHECK(onnx.messages(1)[0].bytes.at(1) == (Types{"image", "gamma", "beta", "mean", "variance"}));
  CHECK_EQUAL(onnx.messages(5).size(), 4u);
}

TEST("onnx: only what the outputs need is written") {
  Graph graph;
  const Value x = imageOf(graph);
  conv2d(x, graph.state("unused", {DType::kF32, {4, 3, 1, 1}}), std::nullopt, {});
  graph.output("y", sigmoid(x));
  const Message onnx = exported(graph);
  CHECK(nodeTypes(onnx) == Types{"Sigmoid"});
  CHECK(onnx.messages(5).empty());
}

TEST("onnx: fused activations and residuals are written out") {
  Graph graph;
  const Value x = imageOf(graph);
  auto op = std::make_shared<Conv2d>();
  op->residual = true;
  op->activation = Activation::kRelu;
  graph.output("y", addNode(op, {x, graph.state("w", {DType::kF32, {3, 3, 1, 1}}), x}));
  CHECK(nodeTypes(exported(graph)) == (Types{"Conv", "Add", "Relu"}));
}

TEST("onnx: global pooling and back needs no transposition, a real change of order does") {
  Graph graph;
  const Value x = imageOf(graph);
  const Value pooled = reshape(reduceMean(x, {2, 1, 1, 3}), {2, 3});
  graph.output("gate", multiply(x, reshape(pooled, {2, 1, 1, 3})));
  const Types types = nodeTypes(exported(graph, true));
  CHECK(std::ranges::count(types, "Transpose") == 0);
  CHECK(std::ranges::count(types, "GlobalAveragePool") == 1 && std::ranges::count(types, "Reshape") == 2);

  Graph pixels;
  pixels.output("rows", reshape(imageOf(pixels), {2 * 8 * 10, 3}));
  CHECK(nodeTypes(exported(pixels, true)) == (Types{"Transpose", "Reshape"}));
}

TEST("onnx: one value may be several outputs, and an input may be one") {
  Graph graph;
  const Value x = imageOf(graph), y = relu(x);
  graph.output("a", y);
  graph.output("b", y);
  graph.output("c", x);
  const Message onnx = exported(graph);
  Types names, produced;
  for (const Message& output : onnx.messages(12)) names.push_back(output.text(1));
  for (const Message& node : onnx.messages(1)) produced.push_back(node.text(2));
  std::ranges::sort(produced);
  CHECK(names == (Types{"a", "b", "c"}) && produced == names);
}

TEST("onnx: pooling in ceil mode becomes explicit padding") {
  Graph graph;
  graph.output(
      "y", maxPool2d(graph.input("image", {DType::kF32, {1, 7, 9, 2}}), {.kernel = 2, .stride = 2, .ceilMode = true}));
  const Message onnx = exported(graph);
  for (const Message& attribute : onnx.messages(1)[0].messages(5)) {
    CHECK(attribute.text(1) != "ceil_mode");
    if (attribute.text(1) == "pads") CHECK(attribute.numbers.at(8) == std::vector<uint64_t>({0, 0, 1, 1}));
  }
  CHECK(extentsOf(onnx.messages(12)[0]) == std::vector<int64_t>({1, 2, 4, 5}));
}

TEST("onnx: what cannot be exported says why") {
  const TemporaryDirectory directory;
  const auto codeOfExport = [](const Graph& graph, bool dynamicBatch) {
    return codeOf([&] { exported(graph, dynamicBatch); });
  };
  Graph single;
  single.output("y", relu(imageOf(single, 1)));
  CHECK_EQUAL(codeOfExport(single, false), "");
  CHECK_EQUAL(codeOfExport(single, true), errors::kInvalidArgument);

  Graph cut;
  cut.output("y", slice(imageOf(cut), {0, 0, 0, 0}, {1, 8, 10, 3}));
  CHECK_EQUAL(codeOfExport(cut, false), "");
  CHECK_EQUAL(codeOfExport(cut, true), errors::kUnsupportedFormat);

  Graph loss;
  loss.output("y", sigmoidCrossEntropy(imageOf(loss), loss.constant(Tensor::zeros(DType::kF32, {2, 8, 10, 3}))));
  CHECK_EQUAL(codeOfExport(loss, false), errors::kUnsupportedFormat);

  Graph wrong;
  wrong.output("y", multiply(imageOf(wrong), wrong.state("s", {DType::kF32, {3}})));
  CHECK_EQUAL(
      codeOf([&] { exported(wrong, false, [](const std::string&) { return Tensor::zeros(DType::kF32, {4}); }); }),
      errors::kShapeMismatch);
  CHECK_EQUAL(codeOf([&] { io::exportOnnx(single, nullptr, {}, directory / "no/such/place.onnx"); }),
              errors::kFileUnwritable);
}
