#include "io/onnx_model.h"

#include <algorithm>

#include "io/file.h"
#include "io/protobuf.h"

namespace jcs::io {

namespace {

// Field numbers and enumerators of onnx.proto.
namespace model_proto {
constexpr uint32_t kIrVersion = 1, kProducerName = 2, kGraph = 7, kOpsetImport = 8;
}
namespace opset_id_proto {
constexpr uint32_t kDomain = 1, kVersion = 2;
}
namespace graph_proto {
constexpr uint32_t kNode = 1, kName = 2, kInitializer = 5, kInput = 11, kOutput = 12;
}
namespace node_proto {
constexpr uint32_t kInput = 1, kOutput = 2, kName = 3, kOpType = 4, kAttribute = 5;
}
namespace attribute_proto {
constexpr uint32_t kName = 1, kFloat = 2, kInt = 3, kString = 4, kInts = 8, kType = 20;
}
namespace attribute_type {
constexpr int64_t kFloat = 1, kInt = 2, kString = 3, kInts = 7;
}
namespace tensor_proto {
constexpr uint32_t kDims = 1, kDataType = 2, kName = 8, kRawData = 9;
}
namespace value_info_proto {
constexpr uint32_t kName = 1, kType = 2;
}
namespace type_proto {
constexpr uint32_t kTensorType = 1, kElementType = 1, kShape = 2;
}
namespace tensor_shape_proto {
constexpr uint32_t kDim = 1, kDimValue = 1, kDimParam = 2;
}
namespace data_type {
constexpr int64_t kFloat = 1, kUint8 = 2, kInt8 = 3, kInt32 = 6, kInt64 = 7;
}

constexpr int64_t kIrVersion = 8;  // the one that goes with opset 18
constexpr const char* kBatchName = "batch";
constexpr uint64_t kMaxFileBytes = (uint64_t{1} << 31) - 1;

ProtobufMessage attributeMessage(const std::string& name, const OnnxAttributes::mapped_type& value) {
  ProtobufMessage message;
  message.bytes(attribute_proto::kName, name);
  int64_t type = 0;
  if (const auto* real = std::get_if<float>(&value)) {
    message.float32(attribute_proto::kFloat, *real);
    type = attribute_type::kFloat;
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    message.integer(attribute_proto::kInt, *integer);
    type = attribute_type::kInt;
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    message.bytes(attribute_proto::kString, *text);
    type = attribute_type::kString;
  } else {
    message.integers(attribute_proto::kInts, std::get<std::vector<int64_t>>(value));
    type = attribute_type::kInts;
  }
  message.integer(attribute_proto::kType, type);
  return message;
}

std::string valueInfo(uint32_t field, const std::string& name, std::span<const int64_t> shape) {
  ProtobufMessage shapeMessage;
  for (const int64_t extent : shape) {
    ProtobufMessage dim;
    if (extent < 0) {
      dim.bytes(tensor_shape_proto::kDimParam, kBatchName);
    } else {
      dim.integer(tensor_shape_proto::kDimValue, extent);
    }
    shapeMessage.message(tensor_shape_proto::kDim, dim);
  }
  ProtobufMessage tensorType, type, info, holder;
  tensorType.integer(type_proto::kElementType, data_type::kFloat);
  tensorType.message(type_proto::kShape, shapeMessage);
  type.message(type_proto::kTensorType, tensorType);
  info.bytes(value_info_proto::kName, name);
  info.message(value_info_proto::kType, type);
  holder.message(field, info);
  return holder.serialized();
}

std::string tensorProto(const std::string& name, int64_t dataType, std::span<const int64_t> shape,
                        std::span<const std::byte> data) {
  ProtobufMessage message;
  message.integers(tensor_proto::kDims, shape);
  message.integer(tensor_proto::kDataType, dataType);
  message.bytes(tensor_proto::kName, name);
  message.bytes(tensor_proto::kRawData, {reinterpret_cast<const char*>(data.data()), data.size()});
  return message.serialized();
}

}  // namespace

std::string OnnxModel::unique(const std::string& name) {
  std::string candidate = name;
  for (int i = 2; !names_.insert(candidate).second; ++i) candidate = name + "_" + std::to_string(i);
  return candidate;
}

void OnnxModel::input(const std::string& name, std::span<const int64_t> shape) {
  invariant(names_.insert(name).second, "an ONNX input takes the name of another value");
  inputs_ += valueInfo(graph_proto::kInput, name, shape);
}

void OnnxModel::output(const std::string& name, std::span<const int64_t> shape) {
  outputs_ += valueInfo(graph_proto::kOutput, name, shape);
}

std::string OnnxModel::initializer(const std::string& name, const Tensor& value) {
  const Tensor floats = value.dtype() == DType::kF32 ? Tensor() : value.to(DType::kF32);
  const Tensor& tensor = value.dtype() == DType::kF32 ? value : floats;
  return add(name, data_type::kFloat, tensor.shape().extents(), {tensor.data(), static_cast<size_t>(tensor.bytes())});
}

std::string OnnxModel::initializer(const std::string& name, std::span<const int64_t> shape,
                                   std::span<const uint8_t> values) {
  return add(name, data_type::kUint8, shape, std::as_bytes(values));
}

std::string OnnxModel::initializer(const std::string& name, std::span<const int64_t> shape,
                                   std::span<const int8_t> values) {
  return add(name, data_type::kInt8, shape, std::as_bytes(values));
}

std::string OnnxModel::initializer(const std::string& name, std::span<const int64_t> shape,
                                   std::span<const int32_t> values) {
  return add(name, data_type::kInt32, shape, std::as_bytes(values));
}

std::string OnnxModel::add(const std::string& name, int64_t dataType, std::span<const int64_t> shape,
                           std::span<const std::byte> data) {
  const std::string id = unique(name);
  initializers_.push_back(tensorProto(id, dataType, shape, data));
  return id;
}

std::string OnnxModel::integers(std::span<const int64_t> values) {
  std::string& id = integers_[std::vector(values.begin(), values.end())];
  if (id.empty()) {
    id = unique("integers");
    const int64_t count[] = {static_cast<int64_t>(values.size())};
    initializers_.push_back(tensorProto(id, data_type::kInt64, count, std::as_bytes(values)));
  }
  return id;
}

std::vector<std::string> OnnxModel::node(const std::string& type, const std::string& label,
                                         std::vector<std::string> inputs, OnnxAttributes attributes, size_t outputs) {
  const std::string name = unique(label.empty() ? type : label + "/" + type);
  std::vector<std::string> results{name};
  for (size_t i = 1; i < outputs; ++i) results.push_back(unique(name));
  nodes_.push_back({type, name, std::move(inputs), results, std::move(attributes)});
  return results;
}

void OnnxModel::rename(const std::string& from, const std::string& to) {
  invariant(names_.insert(to).second, "an ONNX output takes the name of another value");
  for (Node& node : nodes_) {
    std::ranges::replace(node.inputs, from, to);
    std::ranges::replace(node.outputs, from, to);
  }
}

void OnnxModel::write(const std::string& path) const {
  ProtobufMessage graph;
  for (const Node& node : nodes_) {
    ProtobufMessage message;
    for (const std::string& input : node.inputs) message.bytes(node_proto::kInput, input);
    for (const std::string& output : node.outputs) message.bytes(node_proto::kOutput, output);
    message.bytes(node_proto::kName, node.name);
    message.bytes(node_proto::kOpType, node.type);
    for (const auto& [name, value] : node.attributes)
      message.message(node_proto::kAttribute, attributeMessage(name, value));
    graph.message(graph_proto::kNode, message);
  }
  graph.bytes(graph_proto::kName, graphName_);

  // Weights go to the file one by one, so that a large network is not held in memory twice.
  std::vector<ProtobufMessage> headers(initializers_.size());
  uint64_t graphBytes = graph.serialized().size() + inputs_.size() + outputs_.size();
  for (size_t i = 0; i < initializers_.size(); ++i) {
    headers[i].messageHeader(graph_proto::kInitializer, initializers_[i].size());
    graphBytes += headers[i].serialized().size() + initializers_[i].size();
  }
  require(graphBytes < kMaxFileBytes - 1024, errors::kInputTooLarge, [&] {
    return "the network takes " + std::to_string(graphBytes) +
           " bytes, more than an ONNX file can hold (2 GB); export one of smaller width";
  });
  ProtobufMessage opset, model;
  opset.bytes(opset_id_proto::kDomain, "");
  opset.integer(opset_id_proto::kVersion, kOpset);
  model.integer(model_proto::kIrVersion, kIrVersion);
  model.bytes(model_proto::kProducerName, "jcs-ct");
  model.message(model_proto::kOpsetImport, opset);
  model.messageHeader(model_proto::kGraph, graphBytes);

  AtomicFile file(path);
  file.write(model.serialized());
  file.write(graph.serialized());
  for (size_t i = 0; i < initializers_.size(); ++i) {
    file.write(headers[i].serialized());
    file.write(initializers_[i]);
  }
  file.write(inputs_);
  file.write(outputs_);
  file.commit();
}

}  // namespace jcs::io
