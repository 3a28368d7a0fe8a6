#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "data/augmentation.h"
#include "data/packed_dataset.h"

namespace jcs {

struct LoaderOptions {
  int64_t batchSize = 1;
  int64_t height = 224, width = 224;
  Normalization normalization;
  AugmentationOptions augmentation;
  uint64_t seed = 0;
  bool shuffle = true;
  bool dropLast = true;  ///< of a partial last batch; kept whole when it is the only one
  bool masks = false;    ///< segmentation: every sample needs one
  bool targets = false;  ///< classification: every sample needs a label
  /// Image mixing (eq. 3): one λ ~ Beta(α, α) per batch and a partner j ≠ i; 0 is off. Mixed samples are no use to the
  /// activation loss, so where both are asked for, every batch is mixed with probability ½.
  double mixupAlpha = 0;
  /// Size of the features for the activation loss (eq. 4); 0: no activation masks.
  int64_t featureHeight = 0, featureWidth = 0;
  int threads = 2;
  int prefetch = 3;  ///< batches ahead
};

/// One batch, ready to be bound to a program. Empty tensors where the options ask for none.
struct Batch {
  int64_t epoch = 0, index = 0;
  Tensor images;             ///< N×H×W×3, normalised, mixed
  Tensor masks;              ///< N×H×W×1, 0 or 1
  Tensor targets;            ///< N×2: 1 − label, label; mixed
  Tensor activationMasks;    ///< N×h×w×1: the masks averaged over feature cells
  Tensor activationWeights;  ///< N: 1/max(count, 1) for the `count` unmixed samples whose mask is not empty, else 0
  std::vector<size_t> samples;
  double mixing = 1;  ///< λ
};

/// Prepares batches ahead of the training step with threads of its own. The sequence depends on seed, epoch and index
/// alone, bit for bit, whatever the number of threads; (epoch, index) is therefore all that a checkpoint needs.
class Loader {
 public:
  /// EMPTY_DATASET, and BAD_SAMPLE for a sample without the mask or label that the options need.
  Loader(std::shared_ptr<const PackedDataset> dataset, LoaderOptions options);
  ~Loader();  ///< stops the threads and joins them

  int64_t batchesPerEpoch() const;
  /// Makes `next` continue with that batch.
  void seek(int64_t epoch, int64_t index);
  /// Waits for the next batch; after an epoch's last comes the next epoch's first. Rethrows what a thread ran into;
  /// CANCELLED when `cancelled` is raised.
  Batch next(const std::atomic<bool>* cancelled = nullptr);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace jcs
