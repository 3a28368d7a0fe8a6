#include "data/loader.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>

#include "data/sample_transform.h"

namespace jcs {

namespace {

constexpr auto kCancellationPoll = std::chrono::milliseconds(20);

/// A uniformly random permutation of 0..count−1 (Fisher and Yates).
std::vector<size_t> permutation(size_t count, Philox& random) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = count; i > 1; --i) std::swap(order[i - 1], order[random.below(static_cast<uint32_t>(i))]);
  return order;
}

/// target = λ·own + (1 − λ)·partner's, sample by sample.
Tensor mixed(const Tensor& own, std::span<const size_t> partners, float lambda) {
  Tensor target(own.type());
  const size_t count = static_cast<size_t>(own.elements()) / partners.size();
  for (size_t i = 0; i < partners.size(); ++i) {
    const float *a = own.as<float>().data() + i * count, *b = own.as<float>().data() + partners[i] * count;
    float* to = target.as<float>().data() + i * count;
    for (size_t k = 0; k < count; ++k) to[k] = lambda * a[k] + (1 - lambda) * b[k];
  }
  return target;
}

}  // namespace

struct Loader::State {
  State(std::shared_ptr<const PackedDataset> d, LoaderOptions o) : dataset(std::move(d)), options(std::move(o)) {}

  /// A batch in preparation: threads take its samples one by one, the last one to finish completes it.
  struct Slot {
    Batch batch;
    size_t taken = 0, left = 0;
    std::vector<uint8_t> hasLesion;  ///< per sample, in its warped mask
    std::exception_ptr error;
    bool ready = false;
  };

  const std::shared_ptr<const PackedDataset> dataset;
  const LoaderOptions options;
  bool annotated = false;  ///< some sample has a lesion mask, so that the activation loss has something to go by

  std::mutex mutex;
  std::condition_variable work, done;
  std::deque<std::shared_ptr<Slot>> slots;  ///< in order; the first is what `next` waits for
  int64_t nextEpoch = 0, nextIndex = 0;     ///< of the next slot
  int64_t orderEpoch = -1;
  std::vector<size_t> order;  ///< of the samples in `orderEpoch`
  bool stopping = false;
  std::vector<std::thread> threads;

  bool wantsActivationMasks() const { return options.featureHeight > 0 && options.featureWidth > 0; }
  int64_t batchesPerEpoch() const {
    const auto samples = static_cast<int64_t>(dataset->size());
    return std::max<int64_t>(
        1, options.dropLast ? samples / options.batchSize : (samples + options.batchSize - 1) / options.batchSize);
  }
  Philox random(int64_t epoch, size_t sample, RandomPurpose purpose) const {
    return {options.seed, static_cast<uint32_t>(epoch), static_cast<uint32_t>(sample), purpose};
  }

  void openSlot();
  void allocate(Batch& batch) const;
  void prepare(Slot& slot, size_t i) const;
  void complete(Slot& slot) const;
  void mix(Batch& batch, std::vector<uint8_t>& hasLesion) const;
  void run();
};

/// Holds `mutex`.
void Loader::State::openSlot() {
  auto slot = std::make_shared<Slot>();
  Batch& batch = slot->batch;
  batch.epoch = nextEpoch;
  batch.index = nextIndex;
  if (orderEpoch != nextEpoch) {
    Philox shuffle = random(nextEpoch, 0, RandomPurpose::kShuffle);
    order.resize(dataset->size());
    std::iota(order.begin(), order.end(), size_t{0});
    if (options.shuffle) order = permutation(dataset->size(), shuffle);
    orderEpoch = nextEpoch;
  }
  const auto begin = static_cast<size_t>(nextIndex * options.batchSize);
  const size_t end = std::min(begin + static_cast<size_t>(options.batchSize), order.size());
  batch.samples.assign(order.begin() + static_cast<std::ptrdiff_t>(begin),
                       order.begin() + static_cast<std::ptrdiff_t>(end));
  if (++nextIndex == batchesPerEpoch()) {
    nextIndex = 0;
    ++nextEpoch;
  }
  slot->left = batch.samples.size();
  slot->hasLesion.resize(batch.samples.size());
  try {
    allocate(batch);
  } catch (...) {
    slot->error = std::current_exception();
    slot->ready = true;
    slot->taken = batch.samples.size();
    done.notify_all();
  }
  slots.push_back(std::move(slot));
}

void Loader::State::allocate(Batch& batch) const {
  const auto n = static_cast<int64_t>(batch.samples.size());
  batch.images = Tensor(DType::kF32, {n, options.height, options.width, 3});
  if (options.masks) batch.masks = Tensor(DType::kF32, {n, options.height, options.width, 1});
  if (options.targets) batch.targets = Tensor(DType::kF32, {n, 2});
  if (wantsActivationMasks()) {
    batch.activationMasks = Tensor(DType::kF32, {n, options.featureHeight, options.featureWidth, 1});
    batch.activationWeights = Tensor::zeros(DType::kF32, {n});
  }
}

void Loader::State::prepare(Slot& slot, size_t i) const {
  Batch& batch = slot.batch;
  const size_t index = batch.samples[i];
  const auto row = [&](Tensor& tensor) {
    const size_t count = static_cast<size_t>(tensor.elements()) / batch.samples.size();
    return tensor.as<float>().subspan(i * count, count);
  };
  Sample sample = dataset->read(index);
  if (!options.masks && !wantsActivationMasks()) sample.mask.clear();
  Philox augmentation = random(batch.epoch, index, RandomPurpose::kAugment);
  const TransformedSample result =
      transform(sample, options.height, options.width, options.augmentation, augmentation, options.normalization);
  std::ranges::copy(result.rgb, row(batch.images).begin());
  if (options.masks) std::ranges::copy(result.mask, row(batch.masks).begin());
  if (options.targets) {
    const auto target = row(batch.targets);
    target[0] = static_cast<float>(1 - sample.label);
    target[1] = static_cast<float>(sample.label);
  }
  if (wantsActivationMasks()) {
    const auto cells = row(batch.activationMasks);
    std::ranges::fill(cells, 0.0f);
    if (!result.mask.empty())
      averageCells(result.mask, options.height, options.width, options.featureHeight, options.featureWidth, cells);
    slot.hasLesion[i] = std::ranges::any_of(result.mask, [](float value) { return value > 0; });
  }
}

/// Mixing and weights need all samples of the batch.
void Loader::State::complete(Slot& slot) const {
  Batch& batch = slot.batch;
  if (options.mixupAlpha > 0 && batch.samples.size() > 1) mix(batch, slot.hasLesion);
  if (!wantsActivationMasks()) return;
  const auto count = std::accumulate(slot.hasLesion.begin(), slot.hasLesion.end(), 0);
  for (size_t i = 0; i < slot.hasLesion.size(); ++i)
    if (slot.hasLesion[i]) batch.activationWeights.as<float>()[i] = 1.0f / static_cast<float>(count);
}

void Loader::State::mix(Batch& batch, std::vector<uint8_t>& hasLesion) const {
  Philox draw = random(batch.epoch, static_cast<size_t>(batch.index), RandomPurpose::kMix);
  if (wantsActivationMasks() && annotated && draw.uniform() < 0.5f) return;
  batch.mixing = draw.beta(options.mixupAlpha);
  const std::vector<size_t> circle = permutation(batch.samples.size(), draw);
  std::vector<size_t> partners(circle.size());  // the next one round a random circle: never the sample itself
  for (size_t k = 0; k < circle.size(); ++k) partners[circle[k]] = circle[(k + 1) % circle.size()];
  const auto lambda = static_cast<float>(batch.mixing);
  batch.images = mixed(batch.images, partners, lambda);
  if (options.targets) batch.targets = mixed(batch.targets, partners, lambda);
  std::ranges::fill(hasLesion, uint8_t{0});
}

void Loader::State::run() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    auto open = std::ranges::find_if(slots, [](const auto& slot) { return slot->taken < slot->batch.samples.size(); });
    if (open == slots.end()) {
      if (slots.size() < static_cast<size_t>(options.prefetch)) {
        openSlot();
      } else {
        work.wait(lock);
      }
      continue;
    }
    const std::shared_ptr<Slot> slot = *open;
    const size_t i = slot->taken++;
    lock.unlock();
    std::exception_ptr error;
    try {
      prepare(*slot, i);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error && !slot->error) slot->error = error;
    if (--slot->left > 0) continue;
    if (!slot->error) {
      lock.unlock();
      try {
        complete(*slot);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      slot->error = error;
    }
    slot->ready = true;
    done.notify_all();
  }
}

Loader::Loader(std::shared_ptr<const PackedDataset> dataset, LoaderOptions options) {
  require(dataset != nullptr && dataset->size() > 0, errors::kEmptyDataset, "the dataset has no samples");
  require(options.batchSize > 0 && options.height > 0 && options.width > 0, errors::kInvalidArgument,
          "batch size, height and width must be at least 1");
  require(dataset->size() <= UINT32_MAX, errors::kInputTooLarge, "a dataset has more than 2^32 samples");
  options.threads = std::max(options.threads, 1);
  options.prefetch = std::max(options.prefetch, 1);
  state_ = std::make_unique<State>(std::move(dataset), std::move(options));
  for (size_t i = 0; i < state_->dataset->size(); ++i) {
    const auto& info = state_->dataset->info(i);
    const auto problem = state_->options.masks && !info.hasMask      ? "no mask, which segmentation needs"
                         : state_->options.targets && info.label < 0 ? "no label, which classification needs"
                                                                     : nullptr;
    require(problem == nullptr, errors::kBadSample, [&] { return "sample " + std::to_string(i) + " has " + problem; });
    state_->annotated |= info.hasMask && !info.maskIsEmpty;
  }
}

Loader::~Loader() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->work.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

int64_t Loader::batchesPerEpoch() const { return state_->batchesPerEpoch(); }

void Loader::seek(int64_t epoch, int64_t index) {
  require(epoch >= 0 && epoch <= UINT32_MAX && index >= 0 && index < batchesPerEpoch(), errors::kInvalidArgument, [&] {
    return "there is no batch " + std::to_string(index) + " in epoch " + std::to_string(epoch) + ": an epoch has " +
           std::to_string(batchesPerEpoch()) + " batches";
  });
  const std::lock_guard lock(state_->mutex);
  state_->slots.clear();  // a thread that still works on one keeps it alive, and nobody reads it
  state_->nextEpoch = epoch;
  state_->nextIndex = index;
  state_->work.notify_all();
}

Batch Loader::next(const std::atomic<bool>* cancelled) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  // Not in the constructor: `seek` often follows it, and work done before would be lost.
  while (state.threads.size() < static_cast<size_t>(state.options.threads))
    state.threads.emplace_back([&state] { state.run(); });
  while (state.slots.empty() || !state.slots.front()->ready) {
    require(!cancelled || !cancelled->load(), errors::kCancelled, "cancelled while the next batch was prepared");
    state.done.wait_for(lock, kCancellationPoll);
  }
  const std::shared_ptr<State::Slot> slot = std::move(state.slots.front());
  state.slots.pop_front();
  state.work.notify_all();
  lock.unlock();
  if (slot->error) std::rethrow_exception(slot->error);
  return std::move(slot->batch);
}

}  // namespace jcs
