#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "data/loader.h"
#include "native/reference_run.h"
#include "ops/images.h"
#include "train/batch_inputs.h"

namespace jcs {

/// What the ops of ops/images.h make of pixels, as compiled programs on the CPU, or on `backend`.

/// The CPU backend and the CUDA backend's own kernels on the host.
const std::vector<std::shared_ptr<Backend>>& pixelBackends();

/// A table of one record a sample as the input of a program.
template <typename Record>
Tensor tableTensor(const std::vector<Record>& records) {
  Tensor table(tableOf<Record>(static_cast<int64_t>(records.size())));
  const auto bytes = std::as_bytes(std::span(records));
  std::ranges::copy(bytes, table.data());
  return table;
}

/// height × width × 3 in [0, 1].
std::vector<float> resized(const data::DecodedSlice& slice, int64_t height, int64_t width,
                           std::shared_ptr<Backend> backend = {});

/// Which sample is augmented, in which epoch and run.
struct AugmentedSample {
  uint64_t seed;
  uint32_t epoch, sample;
};
/// Changes `rgb`, height × width × 3, and `mask`, height × width or empty, as the sample is augmented.
void augment(const data::AugmentationOptions& options, const AugmentedSample& which, int64_t height, int64_t width,
             std::vector<float>& rgb, std::vector<float>& mask);

/// Averages of a height × width mask over cells.
std::vector<float> cellAverages(std::span<const float> mask, int64_t height, int64_t width, int64_t cellRows,
                                int64_t cellColumns);

/// What a training step sees of a loader's batches: the program from pixels to images, masks, targets and weights.
class BatchProgram {
 public:
  /// Of parts of `samples` samples when that is not 0.
  BatchProgram(const data::Loader& loader, const data::LoaderOptions& options, int64_t part = 0);
  ~BatchProgram();

  struct Values {
    Tensor images, masks, targets, activationMasks, activationWeights;
  };
  /// `annotatedRest`: the annotated samples of the batch's other parts.
  Values run(const data::Batch& batch, float annotatedRest = 0);
  float annotated(const data::Batch& part);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace jcs
