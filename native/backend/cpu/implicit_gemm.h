#pragma once

#include <map>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/gemm_weights.h"
#include "backend/cpu/product.h"
#include "core/alignment.h"
#include "ops/quantized.h"

namespace jcs::cpu {

struct OutputScales;  // gemm_epilogue.h

/// A convolution without groups, between tensors N×H×W×C whose pixels lie any distance apart.
struct GemmConvolution {
  int64_t batch = 0, height = 0, width = 0, channels = 0, pixelStride = 0;  ///< of x
  int64_t outHeight = 0, outWidth = 0, outChannels = 0, outPixelStride = 0;
  int64_t residualPixelStride = 0;
  int64_t kernelHeight = 1, kernelWidth = 1, stride = 1, dilation = 1;
  int64_t padTop = 0, padLeft = 0;  ///< zeros before the first row and column; negative: what is cut off
  DType dtype = DType::kF32, outDtype = DType::kF32, residualDtype = DType::kF32;
  Quantization input, residual, output;  ///< what bytes stand for, where `dtype`, `residualDtype`, `outDtype` are kU8
  Activation activation = Activation::kNone;

  void setResidual(const Operand& residual);
};

/// Without residual or activation.
GemmConvolution gemmConvolution(const Conv2dAttributes& conv, const Operand& x, const Shape& weights, const Operand& y);

/// How weights O×I×R×S lie in files.
WeightStrides weightStrides(const Shape& weights);

/// Convolution as a batched matrix product, one product a kernel tap, summed in registers.
///
/// Each thread copies the input rows of a block of output rows into a zero-padded buffer. With stride s the buffer has
/// s × s planes, of every s-th row and column, so that for each tap the pixels which consecutive outputs read are
/// consecutive. A tap is then an offset into the buffer. The copy costs a few per cent, and lets pixels of x and y be
/// any distance apart, unlike oneDNN's convolutions. A 1×1 convolution needs no copy and reads x itself. Of bytes,
/// weights are rounded when they are packed, products are summed in integers, and padding is what stands for 0.
class ImplicitGemm {
 public:
  ImplicitGemm(CpuDevice& device, const KernelOptions& options, const GemmConvolution& convolution);

  int64_t packedBytes() const { return weights_.bytes(); }
  /// Packs float32 or bf16 weights.
  void pack(DType dtype, const std::byte* source, const WeightStrides& strides, std::byte* packed) const;
  /// The weights' shape and this decide everything about it.
  std::string packedForm() const { return std::string("implicit ") + nameOf(conv_.dtype); }
  std::string implementation() const { return products_.begin()->second.implementation() + ":implicit"; }
  Arithmetic arithmetic() const { return {}; }

  int64_t scratchBytes() const { return threads_ * threadBytes_ + (conv_.dtype == DType::kU8 ? 3 * scalesBytes() : 0); }
  /// `bias` and `residual` may be null; `bias` is float32.
  void run(const std::byte* x, const std::byte* weights, const float* bias, const std::byte* residual, std::byte* y,
           std::byte* scratch) const;

 private:
  /// Consecutive buffer pixels that one product computes.
  struct Chunk {
    int64_t first, count;
  };
  struct Run;  ///< the pointers of one run

  void chooseBlocks();
  void listTaps();
  void makeProducts();
  std::vector<Chunk> chunksOf(int64_t rows) const;
  const BatchedProduct& product(int64_t pixels, int64_t outputs) const { return products_.at({pixels, outputs}); }

  void runRows(const Run& run, int64_t begin, int64_t end, int64_t firstBlock, int64_t lastBlock, int thread) const;
  void runPixels(const Run& run, int64_t begin, int64_t end, int thread) const;
  bool countsSteps() const;
  /// What numbers are multiplied by to be results: 1, or steps of bytes.
  float resultScale() const;
  int64_t scalesBytes() const { return alignedUp(conv_.outChannels * 4); }
  OutputScales scaleOutputs(const std::byte* weights, const float* bias, std::byte* scratch) const;
  template <typename T>
  void fillRows(const T* image, int64_t firstOutputRow, int64_t from, int64_t to, T* buffer) const;
  void storeChunk(const Run& run, const std::byte* sums, const Chunk& chunk, int64_t image, int64_t firstRow,
                  int64_t block) const;
  /// Of one row, from its first pixel on.
  template <typename Sums>
  void storeRow(const Run& run, const Sums& sums, int64_t pixel, int64_t pixels, int64_t block) const;

  CpuDevice& device_;
  int threads_;
  GemmConvolution conv_;
  std::vector<float> noBias_;   ///< zeros
  bool direct_ = false;         ///< 1×1 on x itself
  int64_t directChunks_ = 0;    ///< of it: parts of all pixels, of which the last may be shorter
  bool mergesColumns_ = false;  ///< the taps of a kernel row are one product: their pixels are neighbours
  GemmWeights weights_;         ///< `paddedChannels` are those in the buffer
  int64_t pitch_ = 0;           ///< buffer pixels from row to row
  int64_t rowsPerBlock_ = 0;    ///< output rows that one filling of the buffer serves
  int64_t planeRows_ = 0;       ///< buffer rows of one plane
  int64_t blocksPerImage_ = 0;
  int64_t depth_ = 0;  ///< channels times merged taps: the inner extent of one product
  int64_t bufferBytes_ = 0, threadBytes_ = 0;
  ProductOffsets taps_;                     ///< into buffer and weights
  std::vector<Chunk> chunks_, lastChunks_;  ///< of a full block of rows, of the last one; 1×1: one part of all pixels
  std::map<std::pair<int64_t, int64_t>, BatchedProduct> products_;
};

}  // namespace jcs::cpu
