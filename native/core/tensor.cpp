#include "core/tensor.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace jcs {

namespace {

double load(const Tensor& tensor, size_t i) {
  switch (tensor.dtype()) {
    case DType::kF32: return tensor.as<float>()[i];
    case DType::kF64: return tensor.as<double>()[i];
    case DType::kBF16: return static_cast<float>(tensor.as<BFloat16>()[i]);
    case DType::kU8: return tensor.as<uint8_t>()[i];
  }
  return 0;
}

void permute(const Tensor& from, Tensor& to, int64_t n, int64_t outer, int64_t inner) {
  const auto source = from.as<float>();
  auto target = to.as<float>();
  const int64_t plane = outer * inner;
  for (int64_t b = 0; b < n; ++b)
    for (int64_t i = 0; i < inner; ++i)
      for (int64_t o = 0; o < outer; ++o)
        target[static_cast<size_t>(b * plane + i * outer + o)] = source[static_cast<size_t>(b * plane + o * inner + i)];
}

}  // namespace

HostBuffer::HostBuffer(int64_t bytes) : bytes_(bytes) {
  require(bytes >= 0, errors::kInternal, "a buffer of negative size was asked for");
  data_ = std::unique_ptr<std::byte, Free>(allocateHostMemory(bytes), Free{bytes});
  require(data_ != nullptr, errors::kOutOfMemory, [&] {
    return "the system refused " + std::to_string(bytes) + " bytes; use a smaller batch or image, or free memory";
  });
}

Tensor Tensor::fromFloats(Shape shape, std::span<const float> values) {
  Tensor tensor(DType::kF32, std::move(shape));
  require(values.size() == static_cast<size_t>(tensor.elements()), errors::kShapeMismatch, [&] {
    return "shape " + tensor.shape().toString() + " needs " + std::to_string(tensor.elements()) + " values, got " +
           std::to_string(values.size());
  });
  std::ranges::copy(values, tensor.as<float>().begin());
  return tensor;
}

Tensor Tensor::zeros(DType dtype, Shape shape) {
  Tensor tensor(dtype, std::move(shape));
  std::memset(tensor.data(), 0, static_cast<size_t>(tensor.bytes()));
  return tensor;
}

Tensor Tensor::clone() const {
  Tensor copy(type_);
  std::memcpy(copy.data(), data(), static_cast<size_t>(bytes()));
  return copy;
}

Tensor Tensor::to(DType dtype) const {
  Tensor result(dtype, shape());
  const auto count = static_cast<size_t>(elements());
  for (size_t i = 0; i < count; ++i) {
    const double value = load(*this, i);
    switch (dtype) {
      case DType::kF32: result.as<float>()[i] = static_cast<float>(value); break;
      case DType::kF64: result.as<double>()[i] = value; break;
      case DType::kBF16: result.as<BFloat16>()[i] = BFloat16(static_cast<float>(value)); break;
      case DType::kU8: result.as<uint8_t>()[i] = static_cast<uint8_t>(value); break;
    }
  }
  return result;
}

Tensor channelsLast(const Tensor& nchw) {
  const Shape& s = nchw.shape();
  Tensor result(DType::kF32, {s[0], s[2], s[3], s[1]});
  permute(nchw, result, s[0], s[1], s[2] * s[3]);
  return result;
}

Tensor channelsFirst(const Tensor& nhwc) {
  const Shape& s = nhwc.shape();
  Tensor result(DType::kF32, {s[0], s[3], s[1], s[2]});
  permute(nhwc, result, s[0], s[1] * s[2], s[3]);
  return result;
}

}  // namespace jcs
