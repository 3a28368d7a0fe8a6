#include "backend/cpu/implicit_gemm.h"

#include <algorithm>
#include <cstring>

#include "backend/cpu/gemm_epilogue.h"

namespace jcs::cpu {

namespace {

constexpr int64_t kMaxOutputs = 64;    // four AVX-512 registers of sums a pixel
constexpr int64_t kMaxPixels = 192;    // sums of one product stay in the first-level cache
constexpr int64_t kDirectPixels = 96;  // of a 1×1 convolution, which is cut into pixels and outputs for the threads
constexpr int64_t kOwnRowPixels = 48;  // from here on a product does not run across rows
constexpr int64_t kBufferBytes = 320 << 10;  // of a 1 to 2 MiB second-level cache, which weights share

template <typename T>
JCS_VECTORISED void copyPixels(int64_t pixels, int64_t channels, T* to, int64_t toStride, const T* from,
                               int64_t fromStride) {
  for (int64_t i = 0; i < pixels; ++i, to += toStride, from += fromStride) {
    copyLine(to, from, channels);
    for (int64_t c = channels; c < toStride; ++c) to[c] = T{};  // their weights are zeros
  }
}

/// Calls `body` with a null pointer of what pixels are copied as.
template <typename Body>
void withCopied(DType dtype, Body&& body) {
  if (dtype == DType::kU8)
    body(static_cast<uint8_t*>(nullptr));
  else
    withElement(dtype, body);
}

}  // namespace

void GemmConvolution::setResidual(const Operand& operand) {
  residualPixelStride = operand.rowStride;
  residualDtype = operand.type.dtype;
}

GemmConvolution gemmConvolution(const Conv2dAttributes& conv, const Operand& x, const Shape& weights,
                                const Operand& y) {
  const Shape &xs = x.type.shape, &ys = y.type.shape;
  GemmConvolution c;
  c.batch = xs[0], c.height = xs[1], c.width = xs[2], c.channels = xs[3], c.pixelStride = x.rowStride;
  c.outHeight = ys[1], c.outWidth = ys[2], c.outChannels = ys[3], c.outPixelStride = y.rowStride;
  c.kernelHeight = weights[2], c.kernelWidth = weights[3], c.stride = conv.stride, c.dilation = conv.dilation;
  c.padTop = c.padLeft = conv.padding;
  c.dtype = x.type.dtype, c.outDtype = y.type.dtype;
  return c;
}

WeightStrides weightStrides(const Shape& w) { return {0, w[1] * w[2] * w[3], w[2] * w[3], w[3], 1}; }

struct ImplicitGemm::Run {
  const std::byte *x, *weights;
  const float* bias;
  const std::byte* residual;
  std::byte *y, *scratch;
  OutputScales scales{};  ///< of bytes
};

ImplicitGemm::ImplicitGemm(CpuDevice& device, const KernelOptions& options, const GemmConvolution& convolution)
    : device_(device),
      threads_(options.threads),
      conv_(convolution),
      noBias_(static_cast<size_t>(convolution.outChannels)) {
  chooseBlocks();
  listTaps();
  makeProducts();
}

void ImplicitGemm::chooseBlocks() {
  const int64_t size = sizeOf(conv_.dtype), group = depthGroup(conv_.dtype);
  weights_.dtype = conv_.dtype;
  weights_.outputs = conv_.outChannels;
  weights_.outputsPerBlock = roundUp(divideUp(conv_.outChannels, divideUp(conv_.outChannels, kMaxOutputs)), 16);
  weights_.channels = conv_.channels;
  weights_.rows = conv_.kernelHeight, weights_.columns = conv_.kernelWidth;

  direct_ = conv_.kernelHeight == 1 && conv_.kernelWidth == 1 && conv_.stride == 1 && conv_.padTop == 0 &&
            conv_.padLeft == 0 && conv_.outHeight == conv_.height && conv_.outWidth == conv_.width &&
            conv_.channels % group == 0;
  const int64_t sumsBytes = kMaxPixels * weights_.outputsPerBlock * 4;
  if (direct_) {
    weights_.paddedChannels = conv_.channels;
    const int64_t pixels = conv_.batch * conv_.outHeight * conv_.outWidth;
    const int64_t even = divideUp(pixels, divideUp(pixels, kDirectPixels));
    directChunks_ = divideUp(pixels, even);
    chunks_ = {{0, even}};
    lastChunks_ = {{0, pixels - (directChunks_ - 1) * even}};
    threadBytes_ = alignedUp(sumsBytes);
    return;
  }
  weights_.paddedChannels = roundUp(conv_.channels, group);
  const int64_t reach = (conv_.kernelHeight - 1) * conv_.dilation;
  pitch_ = conv_.outWidth + (conv_.kernelWidth - 1) * conv_.dilation / conv_.stride;
  const auto planeRows = [&](int64_t rows) { return rows + reach / conv_.stride; };
  const auto bytes = [&](int64_t rows) {
    return conv_.stride * conv_.stride * planeRows(rows) * pitch_ * weights_.paddedChannels * size;
  };
  rowsPerBlock_ = 1;
  while (rowsPerBlock_ < conv_.outHeight && bytes(rowsPerBlock_ + 1) <= kBufferBytes) ++rowsPerBlock_;
  // Even blocks, and enough of them for all threads.
  int64_t blocks = divideUp(conv_.outHeight, rowsPerBlock_);
  if (conv_.batch * blocks < threads_) blocks = std::min(conv_.outHeight, divideUp(threads_, conv_.batch));
  rowsPerBlock_ = divideUp(conv_.outHeight, blocks);
  blocksPerImage_ = divideUp(conv_.outHeight, rowsPerBlock_);
  planeRows_ = planeRows(rowsPerBlock_);
  bufferBytes_ = alignedUp(bytes(rowsPerBlock_));
  threadBytes_ = bufferBytes_ + alignedUp(sumsBytes);
  chunks_ = chunksOf(rowsPerBlock_);
  lastChunks_ = chunksOf(conv_.outHeight - (blocksPerImage_ - 1) * rowsPerBlock_);
}

std::vector<ImplicitGemm::Chunk> ImplicitGemm::chunksOf(int64_t rows) const {
  std::vector<Chunk> chunks;
  const auto cut = [&](int64_t first, int64_t count) {
    const int64_t parts = divideUp(count, kMaxPixels), length = divideUp(count, parts);
    for (int64_t at = 0; at < count; at += length) chunks.push_back({first + at, std::min(length, count - at)});
  };
  if (conv_.outWidth >= kOwnRowPixels) {
    for (int64_t row = 0; row < rows; ++row) cut(row * pitch_, conv_.outWidth);
  } else {
    // Narrow images: products run on over the padding between rows, whose results are dropped.
    cut(0, (rows - 1) * pitch_ + conv_.outWidth);
  }
  return chunks;
}

void ImplicitGemm::listTaps() {
  const int64_t size = sizeOf(conv_.dtype), s = conv_.stride, d = conv_.dilation;
  mergesColumns_ = !direct_ && s == 1 && d == 1;
  depth_ = weights_.paddedChannels * (mergesColumns_ ? conv_.kernelWidth : 1);
  const int64_t columns = mergesColumns_ ? 1 : conv_.kernelWidth;
  for (int64_t r = 0; r < conv_.kernelHeight; ++r)
    for (int64_t c = 0; c < columns; ++c) {
      const int64_t plane = r * d % s * s + c * d % s;
      const int64_t pixel = (plane * planeRows_ + r * d / s) * pitch_ + c * d / s;
      taps_.emplace_back(pixel * weights_.paddedChannels * size,
                         (r * columns + c) * depth_ * weights_.outputsPerBlock * size);
    }
}

void ImplicitGemm::makeProducts() {
  const int64_t lda = direct_ ? conv_.pixelStride : weights_.paddedChannels, ldb = weights_.outputsPerBlock;
  int64_t scratch = 0;
  for (const auto* chunks : {&chunks_, &lastChunks_})
    for (const Chunk& chunk : *chunks)
      for (const int64_t block : {int64_t{0}, weights_.blocks() - 1}) {
        BatchedProduct& made = products_[{chunk.count, weights_.outputsOf(block)}];
        if (made) continue;
        made = BatchedProduct({.rows = chunk.count,
                               .columns = weights_.outputsOf(block),
                               .depth = depth_,
                               .batch = static_cast<int64_t>(taps_.size()),
                               .lda = lda,
                               .ldb = ldb,
                               .ldc = ldb,
                               .dtype = conv_.dtype});
        scratch = std::max(scratch, made.scratchBytes());
      }
  threadBytes_ += alignedUp(scratch);
}

void ImplicitGemm::pack(DType dtype, const std::byte* source, const WeightStrides& strides, std::byte* packed) const {
  weights_.pack(device_.pool(), threads_, dtype, source, strides, packed);
}

/// Brings the buffer rows [from, to), of the padded rows that a block starting at `firstOutputRow` reads.
template <typename T>
void ImplicitGemm::fillRows(const T* image, int64_t firstOutputRow, int64_t from, int64_t to, T* buffer) const {
  const int64_t s = conv_.stride, c = weights_.paddedChannels;
  T zero{};
  if constexpr (std::is_same_v<T, uint8_t>) zero = static_cast<uint8_t>(conv_.input.zero);
  for (int64_t t = from; t < to; ++t) {
    const int64_t h = firstOutputRow * s - conv_.padTop + t;
    const bool inside = h >= 0 && h < conv_.height;
    for (int64_t phase = 0; phase < s; ++phase) {
      T* row = buffer + ((t % s * s + phase) * planeRows_ + t / s) * pitch_ * c;
      // Buffer column u of this phase is image column u·s + phase − padLeft.
      const int64_t offset = phase - conv_.padLeft;
      const int64_t begin = std::clamp<int64_t>(offset >= 0 ? 0 : divideUp(-offset, s), 0, pitch_);
      const int64_t end = inside ? std::clamp<int64_t>(divideUp(conv_.width - offset, s), begin, pitch_) : begin;
      std::fill_n(row, begin * c, zero);
      copyPixels(end - begin, conv_.channels, row + begin * c, c,
                 image + (h * conv_.width + begin * s + offset) * conv_.pixelStride, s * conv_.pixelStride);
      std::fill_n(row + end * c, (pitch_ - end) * c, zero);
    }
  }
}

template <typename Sums>
void ImplicitGemm::storeRow(const Run& run, const Sums& sums, int64_t pixel, int64_t pixels, int64_t block) const {
  const int64_t first = block * weights_.outputsPerBlock, outputs = weights_.outputsOf(block);
  const int64_t at = pixel * conv_.outPixelStride + first;
  const int64_t residualAt = pixel * conv_.residualPixelStride + first;
  const auto store = [&](const auto& residual, const auto& results) {
    storePixels(pixels, outputs, sums, residual, results, Epilogue(conv_.activation));
  };
  constexpr bool kOfBytes = std::is_same_v<Sums, ByteSums>;
  const auto storeWith = [&](const auto& residual) {
    if constexpr (kOfBytes) {
      uint8_t* const bytes = reinterpret_cast<uint8_t*>(run.y) + at;
      const ByteCode code(conv_.output);
      if (countsSteps()) return store(residual, ByteResults<true>{bytes, conv_.outPixelStride, code});
      if (conv_.outDtype == DType::kU8) return store(residual, ByteResults<false>{bytes, conv_.outPixelStride, code});
    }
    withElement(conv_.outDtype, [&]<typename Y>(Y*) {
      store(residual, Results<Y>{reinterpret_cast<Y*>(run.y) + at, conv_.outPixelStride});
    });
  };
  if (!run.residual) return storeWith(NoResidual{});
  if constexpr (kOfBytes)
    if (conv_.residualDtype == DType::kU8)
      return storeWith(
          ResidualBytes{reinterpret_cast<const uint8_t*>(run.residual) + residualAt, conv_.residualPixelStride,
                        ByteCode({.scale = conv_.residual.scale * resultScale(), .zero = conv_.residual.zero})});
  withElement(conv_.residualDtype, [&]<typename R>(R*) {
    const ResidualRows<R> rows{reinterpret_cast<const R*>(run.residual) + residualAt, conv_.residualPixelStride};
    if constexpr (kOfBytes)
      storeWith(ScaledRows<R>{rows, resultScale()});
    else
      storeWith(rows);
  });
}

void ImplicitGemm::storeChunk(const Run& run, const std::byte* sums, const Chunk& chunk, int64_t image,
                              int64_t firstRow, int64_t block) const {
  const int64_t stride = weights_.outputsPerBlock, first = block * stride;
  const int64_t pitch = direct_ ? chunk.first + chunk.count : pitch_;
  const int64_t width = direct_ ? pitch : conv_.outWidth;
  for (int64_t at = chunk.first; at < chunk.first + chunk.count;) {
    const int64_t row = at / pitch, column = at % pitch;
    const int64_t end = std::min(chunk.first + chunk.count, row * pitch + width);
    if (at < end) {
      const int64_t pixel = direct_ ? at : (image * conv_.outHeight + firstRow + row) * conv_.outWidth + column;
      const std::byte* const from = sums + (at - chunk.first) * stride * 4;
      if (conv_.dtype == DType::kU8)
        storeRow(run, ByteSums{reinterpret_cast<const int32_t*>(from), stride, run.scales.from(first)}, pixel, end - at,
                 block);
      else
        storeRow(run, FloatSums{reinterpret_cast<const float*>(from), stride, run.bias + first}, pixel, end - at,
                 block);
    }
    at = (row + 1) * pitch;
  }
}

/// Blocks of rows [begin, end), counted over the batch, and of those the blocks of outputs [firstBlock, lastBlock).
void ImplicitGemm::runRows(const Run& run, int64_t begin, int64_t end, int64_t firstBlock, int64_t lastBlock,
                           int thread) const {
  std::byte* const buffer = run.scratch + thread * threadBytes_;
  std::byte* const sums = buffer + bufferBytes_;
  std::byte* const scratchpad = sums + kMaxPixels * weights_.outputsPerBlock * 4;
  const int64_t size = sizeOf(conv_.dtype), reach = (conv_.kernelHeight - 1) * conv_.dilation;
  int64_t previous = -2;
  const BatchedProduct* configured = nullptr;
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t image = unit / blocksPerImage_, firstRow = unit % blocksPerImage_ * rowsPerBlock_;
    const int64_t rows = std::min(rowsPerBlock_, conv_.outHeight - firstRow);
    const int64_t needed = (rows - 1) * conv_.stride + reach + 1;
    int64_t have = 0;
    if (unit == previous + 1 && firstRow > 0 && planeRows_ > rowsPerBlock_) {
      // The last rows of the block before are the first of this one.
      const int64_t planeBytes = planeRows_ * pitch_ * weights_.paddedChannels * size;
      const int64_t shift = rowsPerBlock_ * pitch_ * weights_.paddedChannels * size;
      for (int64_t plane = 0; plane < conv_.stride * conv_.stride; ++plane)
        std::memmove(buffer + plane * planeBytes, buffer + plane * planeBytes + shift,
                     static_cast<size_t>(planeBytes - shift));
      have = std::max<int64_t>(0, reach + 1 - conv_.stride);
    }
    withCopied(conv_.dtype, [&]<typename T>(T*) {
      const T* x = reinterpret_cast<const T*>(run.x) + image * conv_.height * conv_.width * conv_.pixelStride;
      fillRows(x, firstRow, std::min(have, needed), needed, reinterpret_cast<T*>(buffer));
    });
    previous = unit;
    for (int64_t block = firstBlock; block < lastBlock; ++block)
      for (const Chunk& chunk : rows == rowsPerBlock_ ? chunks_ : lastChunks_) {
        const BatchedProduct& made = product(chunk.count, weights_.outputsOf(block));
        if (configured != &made) made.configure();
        configured = &made;
        made.compute(buffer + chunk.first * weights_.paddedChannels * size, run.weights + block * weights_.blockBytes(),
                     taps_, sums, scratchpad);
        storeChunk(run, sums, chunk, image, firstRow, block);
      }
  }
  BatchedProduct::release();
}

/// 1×1: of chunks of all pixels of the batch times blocks of outputs those from `begin` to `end`.
void ImplicitGemm::runPixels(const Run& run, int64_t begin, int64_t end, int thread) const {
  std::byte* const sums = run.scratch + thread * threadBytes_;
  std::byte* const scratchpad = sums + kMaxPixels * weights_.outputsPerBlock * 4;
  const BatchedProduct* configured = nullptr;
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t nth = unit / weights_.blocks(), block = unit % weights_.blocks();
    const Chunk chunk{nth * chunks_[0].count, (nth + 1 < directChunks_ ? chunks_ : lastChunks_)[0].count};
    const BatchedProduct& made = product(chunk.count, weights_.outputsOf(block));
    if (configured != &made) made.configure();
    configured = &made;
    made.compute(run.x + chunk.first * conv_.pixelStride * sizeOf(conv_.dtype),
                 run.weights + block * weights_.blockBytes(), taps_, sums, scratchpad);
    storeChunk(run, sums, chunk, 0, 0, block);
  }
  BatchedProduct::release();
}

/// Whether results of bytes are computed as steps, which saves a product each. Sigmoid takes numbers.
bool ImplicitGemm::countsSteps() const {
  return conv_.outDtype == DType::kU8 && conv_.activation != Activation::kSigmoid;
}

float ImplicitGemm::resultScale() const { return countsSteps() ? 1.0f / conv_.output.scale : 1.0f; }

OutputScales ImplicitGemm::scaleOutputs(const std::byte* weights, const float* bias, std::byte* scratch) const {
  auto* const factors = reinterpret_cast<float*>(scratch);
  auto* const offsets = reinterpret_cast<float*>(scratch + scalesBytes());
  auto* const zeros = reinterpret_cast<int32_t*>(scratch + 2 * scalesBytes());
  const float scale = resultScale(), inputScale = conv_.input.scale * scale;
  const auto inputZero = static_cast<int32_t>(conv_.input.zero);
  const float* const weightScales = weights_.scales(weights);
  const int32_t* const weightSums = weights_.sums(weights);
  for (int64_t o = 0; o < conv_.outChannels; ++o) {
    factors[o] = weightScales[o] * inputScale;
    offsets[o] = bias[o] * scale;
    zeros[o] = inputZero * weightSums[o];
  }
  return {factors, offsets, zeros};
}

void ImplicitGemm::run(const std::byte* x, const std::byte* weights, const float* bias, const std::byte* residual,
                       std::byte* y, std::byte* scratch) const {
  Run pointers{x, weights, bias ? bias : noBias_.data(), residual, y, scratch};
  if (conv_.dtype == DType::kU8)
    pointers.scales = scaleOutputs(weights, pointers.bias, scratch + threads_ * threadBytes_);
  if (direct_) {
    device_.pool().parallelFor(
        threads_, directChunks_ * weights_.blocks(), 1,
        [&](int64_t begin, int64_t end, int thread) { runPixels(pointers, begin, end, thread); });
    return;
  }
  const int64_t units = conv_.batch * blocksPerImage_;
  if (units >= threads_) {
    device_.pool().parallelFor(threads_, units, 1, [&](int64_t begin, int64_t end, int thread) {
      runRows(pointers, begin, end, 0, weights_.blocks(), thread);
    });
  } else {
    // Few rows: the threads share the outputs, and each fills the buffer for itself.
    device_.pool().parallelFor(threads_, weights_.blocks(), 1, [&](int64_t begin, int64_t end, int thread) {
      runRows(pointers, 0, units, begin, end, thread);
    });
  }
}

}  // namespace jcs::cpu
