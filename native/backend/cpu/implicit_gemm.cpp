#include "backend/cpu/implicit_gemm.h"

#include <algorithm>
#include <cstring>

#include "backend/cpu/brgemm.h"
#include "backend/cpu/onednn.h"
#include "backend/cpu/vectorise.h"

namespace jcs::cpu {

namespace {

using dnnl::ukernel::brgemm;

constexpr int64_t kMaxOutputs = 64;          // four AVX-512 registers of sums a pixel
constexpr int64_t kMaxPixels = 192;          // sums of one product stay in the first-level cache
constexpr int64_t kOwnRowPixels = 48;        // from here on a product does not run across rows
constexpr int64_t kBufferBytes = 320 << 10;  // of a 1 to 2 MiB second-level cache, which weights share

/// bf16 products take pairs of consecutive channels: weights of a pair lie side by side.
int64_t pairOf(DType dtype) { return dtype == DType::kBF16 ? 2 : 1; }

template <typename T>
JCS_VECTORISED void copyPixels(int64_t pixels, int64_t channels, T* to, int64_t toStride, const T* from,
                               int64_t fromStride) {
  for (int64_t i = 0; i < pixels; ++i, to += toStride, from += fromStride) {
    copyLine(to, from, channels);
    for (int64_t c = channels; c < toStride; ++c) to[c] = T{};
  }
}

/// y = act(sums + bias + residual), pixel by pixel; with a sigmoid the residual has been added before.
template <typename Y, typename R>
JCS_VECTORISED void storePixels(int64_t pixels, int64_t outputs, const float* sums, int64_t sumsStride,
                                const float* bias, const R* residual, int64_t residualStride, Y* y, int64_t yStride,
                                Epilogue epilogue) {
  for (int64_t i = 0; i < pixels; ++i, sums += sumsStride, y += yStride) {
    const auto sum = [&]<typename N>(As<N>, int64_t o)
                         JCS_INLINE_LAMBDA -> N { return load<N>(sums + o) + load<N>(bias + o); };
    if (epilogue.sigmoid) {
      forEachBlock(outputs,
                   [&]<typename N>(As<N> as, int64_t o) JCS_INLINE_LAMBDA { store(y + o, sigmoidOf(sum(as, o))); });
    } else if (residual) {
      forEachBlock(outputs, [&]<typename N>(As<N> as, int64_t o) JCS_INLINE_LAMBDA {
        store(y + o, atLeast(N(sum(as, o) + load<N>(residual + o)), epilogue.low));
      });
      residual += residualStride;
    } else {
      forEachBlock(outputs, [&]<typename N>(As<N> as, int64_t o)
                                JCS_INLINE_LAMBDA { store(y + o, atLeast(sum(as, o), epilogue.low)); });
    }
  }
}

template <typename R>
JCS_VECTORISED void addResidual(int64_t pixels, int64_t outputs, float* sums, int64_t sumsStride, const R* residual,
                                int64_t residualStride) {
  for (int64_t i = 0; i < pixels; ++i, sums += sumsStride, residual += residualStride)
    mapLine(sums, outputs, [&]<typename N>(As<N>, int64_t o) JCS_INLINE_LAMBDA -> N {
      return load<N>(sums + o) + load<N>(residual + o);
    });
}

/// Channels [begin, end) of one block of outputs.
template <typename P, typename S>
JCS_VECTORISED void packChannels(const S* source, const WeightStrides& at, int64_t outputs, int64_t outputsPadded,
                                 int64_t begin, int64_t end, int64_t channels, int64_t channelsPadded, int64_t rows,
                                 int64_t columns, P* packed) {
  const int64_t pair = pairOf(std::is_same_v<P, float> ? DType::kF32 : DType::kBF16);
  for (int64_t i = begin; i < end; ++i)
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t s = 0; s < columns; ++s) {
        const S* from = source + i * at.input + r * at.row + s * at.column;
        const int64_t depth = (r * columns + s) * channelsPadded + i;
        P* const to = packed + depth / pair * outputsPadded * pair + depth % pair;
        for (int64_t o = 0; o < outputsPadded; o += kLanes) {
          float gathered[kLanes] = {};
          const int64_t count = i < channels ? std::min(kLanes, outputs - o) : 0;
          for (int64_t lane = 0; lane < count; ++lane) gathered[lane] = load(from + (o + lane) * at.output);
          P rounded[kLanes];
          store(rounded, load<Floats>(gathered));
          for (int64_t lane = 0; lane < kLanes; ++lane) to[(o + lane) * pair] = rounded[lane];
        }
      }
}

}  // namespace

struct ImplicitGemm::Run {
  const std::byte *x, *weights;
  const float* bias;
  const std::byte* residual;
  std::byte *y, *scratch;
};

bool ImplicitGemm::available() {
  const auto has = [](DType dtype, dnnl::ukernel::pack_type packing) {
    const brgemm kernel = makeBrgemm(32, 32, 32, 2, 32, 32, 32, dtype);
    return kernel && kernel.get_B_pack_type() == packing;
  };
  try {
    return has(DType::kF32, dnnl::ukernel::pack_type::no_trans) &&
           (!multipliesBf16() || has(DType::kBF16, dnnl::ukernel::pack_type::pack32));
  } catch (const dnnl::error&) {
    return false;
  }
}

ImplicitGemm::ImplicitGemm(CpuDevice& device, const KernelOptions& options, const GemmConvolution& convolution)
    : device_(device),
      threads_(options.threads),
      conv_(convolution),
      noBias_(static_cast<size_t>(convolution.outChannels)) {
  chooseBlocks();
  listTaps();
  onednnCall("brgemm", [&] { makeKernels(); });
}

void ImplicitGemm::chooseBlocks() {
  const int64_t size = sizeOf(conv_.dtype), pair = pairOf(conv_.dtype);
  outputBlocks_ = divideUp(conv_.outChannels, kMaxOutputs);
  outputsPerBlock_ = roundUp(divideUp(conv_.outChannels, outputBlocks_), 16);
  outputBlocks_ = divideUp(conv_.outChannels, outputsPerBlock_);

  direct_ = conv_.kernelHeight == 1 && conv_.kernelWidth == 1 && conv_.stride == 1 && conv_.padTop == 0 &&
            conv_.padLeft == 0 && conv_.outHeight == conv_.height && conv_.outWidth == conv_.width &&
            conv_.channels % pair == 0;
  const int64_t sumsBytes = kMaxPixels * outputsPerBlock_ * 4;
  if (direct_) {
    paddedChannels_ = conv_.channels;
    const int64_t pixels = conv_.batch * conv_.outHeight * conv_.outWidth;
    chunks_ = {{0, std::min(pixels, kMaxPixels)}};
    lastChunks_ = {{0, pixels % kMaxPixels ? pixels % kMaxPixels : chunks_[0].count}};
    threadBytes_ = alignedUp(sumsBytes);
    return;
  }
  paddedChannels_ = roundUp(conv_.channels, pair);
  const int64_t reach = (conv_.kernelHeight - 1) * conv_.dilation;
  pitch_ = conv_.outWidth + (conv_.kernelWidth - 1) * conv_.dilation / conv_.stride;
  const auto planeRows = [&](int64_t rows) { return rows + reach / conv_.stride; };
  const auto bytes = [&](int64_t rows) {
    return conv_.stride * conv_.stride * planeRows(rows) * pitch_ * paddedChannels_ * size;
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
  depth_ = paddedChannels_ * (mergesColumns_ ? conv_.kernelWidth : 1);
  const int64_t columns = mergesColumns_ ? 1 : conv_.kernelWidth;
  for (int64_t r = 0; r < conv_.kernelHeight; ++r)
    for (int64_t c = 0; c < columns; ++c) {
      const int64_t plane = r * d % s * s + c * d % s;
      const int64_t pixel = (plane * planeRows_ + r * d / s) * pitch_ + c * d / s;
      taps_.emplace_back(pixel * paddedChannels_ * size, (r * columns + c) * depth_ * outputsPerBlock_ * size);
    }
  blockWeightBytes_ = static_cast<int64_t>(taps_.size()) * depth_ * outputsPerBlock_ * size;
}

int64_t ImplicitGemm::outputsOf(int64_t block) const {
  return std::min(outputsPerBlock_, conv_.outChannels - block * outputsPerBlock_);
}

void ImplicitGemm::makeKernels() {
  const int64_t lda = direct_ ? conv_.pixelStride : paddedChannels_;
  int64_t scratch = 0;
  for (const auto* chunks : {&chunks_, &lastChunks_})
    for (const Chunk& chunk : *chunks)
      for (const int64_t block : {int64_t{0}, outputBlocks_ - 1}) {
        brgemm& kernel = kernels_[{chunk.count, outputsOf(block)}];
        if (kernel) continue;
        kernel = makeBrgemm(chunk.count, outputsOf(block), depth_, static_cast<int64_t>(taps_.size()), lda,
                            outputsPerBlock_, outputsPerBlock_, conv_.dtype);
        invariant(static_cast<bool>(kernel), "oneDNN has no ukernel for a product");
        kernel.generate();
        scratch = std::max(scratch, static_cast<int64_t>(kernel.get_scratchpad_size()));
      }
  threadBytes_ += alignedUp(scratch);
}

void ImplicitGemm::pack(DType dtype, const std::byte* source, const WeightStrides& strides, std::byte* packed) const {
  // Channels from the padded ones on, if any, are zeros.
  device_.pool().parallelFor(threads_, outputBlocks_ * paddedChannels_, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t at = begin; at < end;) {
      const int64_t block = at / paddedChannels_, channel = at % paddedChannels_;
      const int64_t stop = std::min(paddedChannels_, channel + end - at);
      withElement(dtype, [&]<typename S>(S*) {
        withElement(conv_.dtype, [&]<typename P>(P*) {
          packChannels(reinterpret_cast<const S*>(source) + strides.origin + block * outputsPerBlock_ * strides.output,
                       strides, outputsOf(block), outputsPerBlock_, channel, stop, conv_.channels, paddedChannels_,
                       conv_.kernelHeight, conv_.kernelWidth, reinterpret_cast<P*>(packed + block * blockWeightBytes_));
        });
      });
      at += stop - channel;
    }
  });
}

/// Brings the buffer rows [from, to), of the padded rows that a block starting at `firstOutputRow` reads.
template <typename T>
void ImplicitGemm::fillRows(const T* image, int64_t firstOutputRow, int64_t from, int64_t to, T* buffer) const {
  const int64_t s = conv_.stride, c = paddedChannels_;
  for (int64_t t = from; t < to; ++t) {
    const int64_t h = firstOutputRow * s - conv_.padTop + t;
    const bool inside = h >= 0 && h < conv_.height;
    for (int64_t phase = 0; phase < s; ++phase) {
      T* row = buffer + ((t % s * s + phase) * planeRows_ + t / s) * pitch_ * c;
      // Buffer column u of this phase is image column u·s + phase − padLeft.
      const int64_t offset = phase - conv_.padLeft;
      const int64_t begin = std::clamp<int64_t>(offset >= 0 ? 0 : divideUp(-offset, s), 0, pitch_);
      const int64_t end = inside ? std::clamp<int64_t>(divideUp(conv_.width - offset, s), begin, pitch_) : begin;
      std::fill_n(row, begin * c, T{});
      copyPixels(end - begin, conv_.channels, row + begin * c, c,
                 image + (h * conv_.width + begin * s + offset) * conv_.pixelStride, s * conv_.pixelStride);
      std::fill_n(row + end * c, (pitch_ - end) * c, T{});
    }
  }
}

void ImplicitGemm::storeChunk(const Run& run, float* sums, const Chunk& chunk, int64_t image, int64_t firstRow,
                              int64_t block) const {
  const int64_t outputs = outputsOf(block), firstOutput = block * outputsPerBlock_;
  const Epilogue epilogue(conv_.activation);
  const int64_t pitch = direct_ ? chunk.first + chunk.count : pitch_;
  const int64_t width = direct_ ? pitch : conv_.outWidth;
  withElement(conv_.outDtype, [&]<typename Y>(Y*) {
    withElement(conv_.residualDtype, [&]<typename R>(R*) {
      for (int64_t at = chunk.first; at < chunk.first + chunk.count;) {
        const int64_t row = at / pitch, column = at % pitch;
        const int64_t end = std::min(chunk.first + chunk.count, row * pitch + width);
        if (at < end) {
          const int64_t pixel = direct_ ? at : (image * conv_.outHeight + firstRow + row) * conv_.outWidth + column;
          const R* residual =
              run.residual ? reinterpret_cast<const R*>(run.residual) + pixel * conv_.residualPixelStride + firstOutput
                           : nullptr;
          float* const from = sums + (at - chunk.first) * outputsPerBlock_;
          if (residual && epilogue.sigmoid)
            addResidual(end - at, outputs, from, outputsPerBlock_, residual, conv_.residualPixelStride);
          storePixels(
              end - at, outputs, from, outputsPerBlock_, run.bias + firstOutput, residual, conv_.residualPixelStride,
              reinterpret_cast<Y*>(run.y) + pixel * conv_.outPixelStride + firstOutput, conv_.outPixelStride, epilogue);
        }
        at = (row + 1) * pitch;
      }
    });
  });
}

/// Blocks of rows [begin, end), counted over the batch, and of those the blocks of outputs [firstBlock, lastBlock).
void ImplicitGemm::runRows(const Run& run, int64_t begin, int64_t end, int64_t firstBlock, int64_t lastBlock,
                           int thread) const {
  std::byte* const buffer = run.scratch + thread * threadBytes_;
  float* const sums = reinterpret_cast<float*>(buffer + bufferBytes_);
  std::byte* const scratchpad = reinterpret_cast<std::byte*>(sums + kMaxPixels * outputsPerBlock_);
  const int64_t size = sizeOf(conv_.dtype), reach = (conv_.kernelHeight - 1) * conv_.dilation;
  int64_t previous = -2;
  const brgemm* configured = nullptr;
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t image = unit / blocksPerImage_, firstRow = unit % blocksPerImage_ * rowsPerBlock_;
    const int64_t rows = std::min(rowsPerBlock_, conv_.outHeight - firstRow);
    const int64_t needed = (rows - 1) * conv_.stride + reach + 1;
    int64_t have = 0;
    if (unit == previous + 1 && firstRow > 0 && planeRows_ > rowsPerBlock_) {
      // The last rows of the block before are the first of this one.
      const int64_t planeBytes = planeRows_ * pitch_ * paddedChannels_ * size;
      const int64_t shift = rowsPerBlock_ * pitch_ * paddedChannels_ * size;
      for (int64_t plane = 0; plane < conv_.stride * conv_.stride; ++plane)
        std::memmove(buffer + plane * planeBytes, buffer + plane * planeBytes + shift,
                     static_cast<size_t>(planeBytes - shift));
      have = std::max<int64_t>(0, reach + 1 - conv_.stride);
    }
    withElement(conv_.dtype, [&]<typename T>(T*) {
      const T* x = reinterpret_cast<const T*>(run.x) + image * conv_.height * conv_.width * conv_.pixelStride;
      fillRows(x, firstRow, std::min(have, needed), needed, reinterpret_cast<T*>(buffer));
    });
    previous = unit;
    for (int64_t block = firstBlock; block < lastBlock; ++block)
      for (const Chunk& chunk : rows == rowsPerBlock_ ? chunks_ : lastChunks_) {
        const brgemm& product = kernel(chunk.count, outputsOf(block));
        if (configured != &product) product.set_hw_context();
        configured = &product;
        product.execute(buffer + chunk.first * paddedChannels_ * size, run.weights + block * blockWeightBytes_, taps_,
                        sums, scratchpad);
        storeChunk(run, sums, chunk, image, firstRow, block);
      }
  }
  brgemm::release_hw_context();
}

/// 1×1: chunks [begin, end) of all pixels of the batch.
void ImplicitGemm::runPixels(const Run& run, int64_t begin, int64_t end, int thread) const {
  float* const sums = reinterpret_cast<float*>(run.scratch + thread * threadBytes_);
  std::byte* const scratchpad = reinterpret_cast<std::byte*>(sums + kMaxPixels * outputsPerBlock_);
  const int64_t pixels = conv_.batch * conv_.outHeight * conv_.outWidth;
  const brgemm* configured = nullptr;
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t first = unit * kMaxPixels;
    const Chunk chunk{first, std::min(kMaxPixels, pixels - first)};
    for (int64_t block = 0; block < outputBlocks_; ++block) {
      const brgemm& product = kernel(chunk.count, outputsOf(block));
      if (configured != &product) product.set_hw_context();
      configured = &product;
      product.execute(run.x + first * conv_.pixelStride * sizeOf(conv_.dtype), run.weights + block * blockWeightBytes_,
                      taps_, sums, scratchpad);
      storeChunk(run, sums, chunk, 0, 0, block);
    }
  }
  brgemm::release_hw_context();
}

void ImplicitGemm::run(const std::byte* x, const std::byte* weights, const float* bias, const std::byte* residual,
                       std::byte* y, std::byte* scratch) const {
  const Run pointers{x, weights, bias ? bias : noBias_.data(), residual, y, scratch};
  onednnCall("brgemm::execute", [&] {
    if (direct_) {
      const int64_t units = divideUp(conv_.batch * conv_.outHeight * conv_.outWidth, kMaxPixels);
      device_.pool().parallelFor(
          threads_, units, 1, [&](int64_t begin, int64_t end, int thread) { runPixels(pointers, begin, end, thread); });
      return;
    }
    const int64_t units = conv_.batch * blocksPerImage_;
    if (units >= threads_) {
      device_.pool().parallelFor(threads_, units, 1, [&](int64_t begin, int64_t end, int thread) {
        runRows(pointers, begin, end, 0, outputBlocks_, thread);
      });
    } else {
      // Few rows: the threads share the outputs, and each fills the buffer for itself.
      device_.pool().parallelFor(threads_, outputBlocks_, 1, [&](int64_t begin, int64_t end, int thread) {
        runRows(pointers, 0, units, begin, end, thread);
      });
    }
  });
}

}  // namespace jcs::cpu
