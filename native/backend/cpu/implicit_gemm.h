#pragma once

#include <map>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "oneapi/dnnl/dnnl_ukernel.hpp"
#include "ops/activation.h"

namespace jcs::cpu {

/// A convolution without groups, between tensors N×H×W×C whose pixels lie any distance apart.
struct GemmConvolution {
  int64_t batch = 0, height = 0, width = 0, channels = 0, pixelStride = 0;  ///< of x
  int64_t outHeight = 0, outWidth = 0, outChannels = 0, outPixelStride = 0;
  int64_t residualPixelStride = 0;
  int64_t kernelHeight = 1, kernelWidth = 1, stride = 1, dilation = 1;
  int64_t padTop = 0, padLeft = 0;  ///< zeros before the first row and column; negative: what is cut off
  DType dtype = DType::kF32, outDtype = DType::kF32, residualDtype = DType::kF32;
  Activation activation = Activation::kNone;
};

/// Where weight (o, i, r, s) lies: at origin + o·output + i·input + r·row + s·column elements. Negative strides flip.
struct WeightStrides {
  int64_t origin = 0, output = 0, input = 0, row = 0, column = 0;
};

/// Convolution as a batched matrix product on oneDNN's BRGEMM ukernels, one product a kernel tap, summed in registers.
///
/// Each thread copies the input rows of a block of output rows into a zero-padded buffer. With stride s the buffer has
/// s × s planes, of every s-th row and column, so that for each tap the pixels which consecutive outputs read are
/// consecutive. A tap is then an offset into the buffer. The copy costs a few per cent, and lets pixels of x and y be
/// any distance apart, unlike oneDNN's convolutions. A 1×1 convolution needs no copy and reads x itself.
class ImplicitGemm {
 public:
  static constexpr const char* kName = "brgemm:implicit";
  /// Whether this processor has ukernels, for bf16 too if it is one that multiplies bf16.
  static bool available();

  ImplicitGemm(CpuDevice& device, const KernelOptions& options, const GemmConvolution& convolution);

  int64_t packedBytes() const { return outputBlocks_ * blockWeightBytes_; }
  /// Packs float32 or bf16 weights.
  void pack(DType dtype, const std::byte* source, const WeightStrides& strides, std::byte* packed) const;
  /// The weights' shape and this decide everything about it.
  std::string packedForm() const { return std::string(kName) + " " + nameOf(conv_.dtype); }

  int64_t scratchBytes() const { return threads_ * threadBytes_; }
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
  void makeKernels();
  std::vector<Chunk> chunksOf(int64_t rows) const;
  const dnnl::ukernel::brgemm& kernel(int64_t pixels, int64_t outputs) const { return kernels_.at({pixels, outputs}); }
  int64_t outputsOf(int64_t block) const;

  void runRows(const Run& run, int64_t begin, int64_t end, int64_t firstBlock, int64_t lastBlock, int thread) const;
  void runPixels(const Run& run, int64_t begin, int64_t end, int thread) const;
  template <typename T>
  void fillRows(const T* image, int64_t firstOutputRow, int64_t from, int64_t to, T* buffer) const;
  void storeChunk(const Run& run, float* sums, const Chunk& chunk, int64_t image, int64_t firstRow,
                  int64_t block) const;

  CpuDevice& device_;
  int threads_;
  GemmConvolution conv_;
  std::vector<float> noBias_;   ///< zeros
  bool direct_ = false;         ///< 1×1 on x itself
  bool mergesColumns_ = false;  ///< the taps of a kernel row are one product: their pixels are neighbours
  int64_t paddedChannels_ = 0;  ///< channels in the buffer: even for bf16, whose products take pairs
  int64_t pitch_ = 0;           ///< buffer pixels from row to row
  int64_t rowsPerBlock_ = 0;    ///< output rows that one filling of the buffer serves
  int64_t planeRows_ = 0;       ///< buffer rows of one plane
  int64_t blocksPerImage_ = 0;
  int64_t outputBlocks_ = 0, outputsPerBlock_ = 0;
  int64_t depth_ = 0;  ///< channels times merged taps: the inner extent of one product
  int64_t blockWeightBytes_ = 0;
  int64_t bufferBytes_ = 0, threadBytes_ = 0;
  std::vector<std::pair<dnnl::memory::dim, dnnl::memory::dim>> taps_;  ///< byte offsets into buffer and weights
  std::vector<Chunk> chunks_, lastChunks_;                             ///< of a full block of rows, of the last one
  std::map<std::pair<int64_t, int64_t>, dnnl::ukernel::brgemm> kernels_;
};

}  // namespace jcs::cpu
