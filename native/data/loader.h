#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "core/tensor.h"
#include "data/augmentation.h"
#include "data/slice_store.h"

namespace jcs::data {

struct LoaderOptions {
  int64_t batchSize = 1;
  int64_t height = 224, width = 224;     ///< that images are resized to, and augmented at
  IntensityWindow window = kLungWindow;  ///< of signed values that bring none of their own
  AugmentationOptions augmentation;
  uint64_t seed = 0;
  bool shuffle = true;
  /// Infected and uninfected samples, or masks with and without lesions, take turns: of the rarer kind an epoch has
  /// some more than once, each time augmented anew, of the other only as many. Where there is one kind alone, as
  /// otherwise.
  bool balanced = false;
  bool dropLast = true;  ///< of a partial last batch; kept whole when it is the only one
  bool masks = false;    ///< segmentation: every sample needs one
  bool targets = false;  ///< classification: every sample needs a label
  /// Image mixing (eq. 3): one λ ~ Beta(α, α) per batch and a partner j ≠ i; 0 is off. Mixed samples are no use to the
  /// activation loss, so where both are asked for and some mask has a lesion, a batch is mixed with probability ½.
  double mixupAlpha = 0;
  bool activationMasks = false;  ///< for eq. 4: the masks of unmixed samples that have one
  int threads = 2;
  int prefetch = 3;  ///< batches ahead
  /// Each of `ranks` loaders of equal options gets its part of every batch: batchSize / ranks samples.
  int64_t rank = 0, ranks = 1;
};

/// What a training step makes a batch from, with the ops of ops/images.h: bytes as they were decoded, and what becomes
/// of them. Empty where the options ask for none.
struct Batch {
  int64_t epoch = 0, index = 0;
  Tensor bytes;                             ///< the samples' images and masks, end to end
  std::vector<int64_t> offsets;             ///< where each begins, and the last one ends
  std::vector<ImageRecord> sources;         ///< by sample, as the following
  std::vector<Augmentation> augmentations;  ///< of image and mask
  std::vector<MixedSample> mixed;           ///< with oneself and λ = 1 in a batch that is not
  Tensor targets;                           ///< N×2: 1 − label, label; mixed
  std::vector<size_t> samples;
  double mixing = 1;  ///< λ

  int64_t size() const { return static_cast<int64_t>(samples.size()); }
  /// Samples [first, first + count) as a batch of their own. Where batches are mixed, its sources and augmentations are
  /// twice as many: the partners of the samples follow them, and are black where nothing is mixed. So are a loader's
  /// where ranks share them.
  Batch part(int64_t first, int64_t count) const;
};

/// Reads batches ahead of the training step with threads of its own. The sequence depends on seed, epoch and index
/// alone, bit for bit, whatever the number of threads; (epoch, index) is therefore all that a checkpoint needs.
class Loader {
 public:
  /// EMPTY_DATASET, and BAD_SAMPLE for a sample without the mask or label that the options need.
  Loader(std::shared_ptr<const SliceStore> dataset, LoaderOptions options);
  ~Loader();  ///< stops the threads and joins them

  int64_t batchesPerEpoch() const;
  /// The most bytes that batches of 0, 1, … samples, up to the size of a whole one, may have.
  std::vector<int64_t> mostBytes() const;
  /// Makes `next` continue with that batch.
  void seek(int64_t epoch, int64_t index);
  /// Waits for the next batch; after an epoch's last comes the next epoch's first. Rethrows what a thread ran into;
  /// CANCELLED when `cancelled` is raised.
  Batch next(const std::atomic<bool>* cancelled = nullptr);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace jcs::data
