#include "data/loader.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <numeric>
#include <span>
#include <thread>

#include "core/philox.h"

namespace jcs::data {

namespace {

constexpr auto kCancellationPoll = std::chrono::milliseconds(20);

/// A uniformly random permutation of 0..count−1 (Fisher and Yates).
std::vector<size_t> permutation(size_t count, Philox& random) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = count; i > 1; --i) std::swap(order[i - 1], order[random.below(static_cast<uint32_t>(i))]);
  return order;
}

/// A sample's turn in an epoch, and what its draws are told apart by from those of its other turns.
struct Turn {
  size_t sample;
  uint32_t key;
};

/// `count` turns of two kinds alternately; each kind goes through all its samples in random order before it begins
/// anew.
std::vector<Turn> balancedTurns(const std::array<std::vector<size_t>, 2>& kinds, Philox& random) {
  const size_t count = kinds[0].size() + kinds[1].size();
  std::array<std::vector<size_t>, 2> left;  // taken from the end
  std::vector<uint32_t> seen(count);
  std::vector<Turn> turns;
  while (turns.size() < count) {
    const size_t kind = turns.size() % 2;
    if (left[kind].empty())
      for (const size_t i : permutation(kinds[kind].size(), random)) left[kind].push_back(kinds[kind][i]);
    const size_t sample = left[kind].back();
    left[kind].pop_back();
    turns.push_back({sample, static_cast<uint32_t>(sample + seen[sample]++ * count)});
  }
  return turns;
}

/// The bytes of a sample in a batch.
int64_t sampleBytes(const SliceInfo& info, bool withMask) {
  return alignedSample(info.imageBytes() + (withMask ? info.maskBytes() : 0));
}

/// A part of a batch without its bytes, and where in the batch each of its images comes from.
struct Excerpt {
  Batch batch;
  std::vector<size_t> places;
};

Excerpt excerptOf(const Batch& batch, int64_t first, int64_t count) {
  Batch result;
  result.epoch = batch.epoch;
  result.index = batch.index;
  result.mixing = batch.mixing;
  std::vector<size_t> places;
  for (int64_t i = first; i < first + count; ++i) places.push_back(static_cast<size_t>(i));
  for (const size_t i : places) result.samples.push_back(batch.samples[i]);
  if (batch.targets.bytes() > 0) {
    result.targets = Tensor(DType::kF32, {count, 2});
    std::ranges::copy(batch.targets.as<float>().subspan(static_cast<size_t>(2 * first), static_cast<size_t>(2 * count)),
                      result.targets.as<float>().begin());
  }
  const bool mixes = !batch.mixed.empty();
  for (int64_t i = 0; mixes && i < count; ++i) {
    const MixedSample& one = batch.mixed[places[static_cast<size_t>(i)]];
    result.mixed.push_back({static_cast<int32_t>(count + i), one.own});
    places.push_back(static_cast<size_t>(one.partner));
  }
  result.offsets = {0};
  for (size_t k = 0; k < places.size(); ++k) {
    const size_t i = places[k];
    const bool needed = k < static_cast<size_t>(count) || batch.mixing != 1;
    const int64_t begin = result.offsets.back(), moved = begin - batch.offsets[i];
    ImageRecord source = needed ? batch.sources[i] : ImageRecord();
    source.offset += needed ? moved : 0;
    if (source.maskOffset >= 0) source.maskOffset += moved;
    result.sources.push_back(source);
    result.augmentations.push_back(batch.augmentations[i]);
    result.offsets.push_back(begin + (needed ? batch.offsets[i + 1] - batch.offsets[i] : 0));
  }
  return {std::move(result), std::move(places)};
}

}  // namespace

struct Loader::State {
  State(std::shared_ptr<const SliceStore> d, LoaderOptions o) : dataset(std::move(d)), options(std::move(o)) {}

  /// A batch in preparation: threads read its samples one by one.
  struct Slot {
    Batch batch;
    std::vector<size_t> reads;  ///< what is read, by place in the batch's bytes
    size_t taken = 0, left = 0;
    std::exception_ptr error;
    bool ready = false;
  };

  const std::shared_ptr<const SliceStore> dataset;
  const LoaderOptions options;
  bool annotated = false;  ///< some sample has a lesion mask, so that the activation loss has something to go by

  std::mutex mutex;
  std::condition_variable work, done;
  std::deque<std::shared_ptr<Slot>> slots;  ///< in order; the first is what `next` waits for
  int64_t nextEpoch = 0, nextIndex = 0;     ///< of the next slot
  std::exception_ptr failure;               ///< why that one was not opened, for whoever comes to it
  int64_t orderEpoch = -1;
  std::vector<Turn> order;                   ///< of the samples in `orderEpoch`
  std::array<std::vector<size_t>, 2> kinds;  ///< the samples without and with infection
  bool stopping = false;
  std::vector<std::thread> threads;

  int64_t batchesPerEpoch() const {
    const auto samples = static_cast<int64_t>(dataset->size());
    return std::max<int64_t>(
        1, options.dropLast ? samples / options.batchSize : (samples + options.batchSize - 1) / options.batchSize);
  }
  Philox random(int64_t epoch, size_t sample, RandomPurpose purpose) const {
    return {options.seed, static_cast<uint32_t>(epoch), static_cast<uint32_t>(sample), purpose};
  }

  void openSlot();
  std::vector<Turn> turnsOf(int64_t epoch) const;
  bool isBalanced() const { return options.balanced && !kinds[0].empty() && !kinds[1].empty(); }
  void plan(Batch& batch, std::span<const Turn> turns) const;
  void mix(Batch& batch) const;
  void read(Slot& slot, size_t i) const;
  void run();
};

std::vector<Turn> Loader::State::turnsOf(int64_t epoch) const {
  Philox shuffle = random(epoch, 0, RandomPurpose::kShuffle);
  if (isBalanced()) return balancedTurns(kinds, shuffle);
  std::vector<size_t> samples(dataset->size());
  std::iota(samples.begin(), samples.end(), size_t{0});
  if (options.shuffle) samples = permutation(dataset->size(), shuffle);
  std::vector<Turn> turns;
  for (const size_t sample : samples) turns.push_back({sample, static_cast<uint32_t>(sample)});
  return turns;
}

/// Holds `mutex`. What throws leaves everything as it was.
void Loader::State::openSlot() {
  if (orderEpoch != nextEpoch) {
    order = turnsOf(nextEpoch);
    orderEpoch = nextEpoch;
  }
  auto slot = std::make_shared<Slot>();
  Batch& batch = slot->batch;
  batch.epoch = nextEpoch;
  batch.index = nextIndex;
  const auto begin = static_cast<size_t>(nextIndex * options.batchSize);
  const size_t end = std::min(begin + static_cast<size_t>(options.batchSize), order.size());
  const auto turns = std::span(order).subspan(begin, end - begin);
  for (const Turn& turn : turns) batch.samples.push_back(turn.sample);
  plan(batch, turns);
  slot->reads = batch.samples;
  if (options.ranks > 1) {
    const int64_t count = batch.size() / options.ranks;
    Excerpt own = excerptOf(batch, options.rank * count, count);
    batch = std::move(own.batch);
    for (size_t& place : own.places) place = slot->reads[place];
    slot->reads = std::move(own.places);
  }
  batch.bytes = Tensor(DType::kU8, {batch.offsets.back()});
  slot->left = slot->reads.size();
  slots.push_back(std::move(slot));
  if (++nextIndex == batchesPerEpoch()) {
    nextIndex = 0;
    ++nextEpoch;
  }
}

/// Everything about the batch but its bytes, which are read into the place that they get here.
void Loader::State::plan(Batch& batch, std::span<const Turn> turns) const {
  const size_t count = batch.samples.size();
  if (options.targets) {
    batch.targets = Tensor(DType::kF32, {batch.size(), 2});
    for (size_t i = 0; i < count; ++i) {
      const int label = dataset->info(batch.samples[i]).label;
      batch.targets.as<float>()[2 * i] = static_cast<float>(1 - label);
      batch.targets.as<float>()[2 * i + 1] = static_cast<float>(label);
    }
  }
  if (options.mixupAlpha > 0) mix(batch);
  const bool withMasks = options.masks || (options.activationMasks && batch.mixing == 1);
  batch.offsets = {0};
  for (const auto& [sample, key] : turns) {
    const SliceInfo& info = dataset->info(sample);
    ImageRecord& source = batch.sources.emplace_back(
        imageRecord(info, options.window, batch.offsets.back(), options.height, options.width));
    drawWindow(options.augmentation, options.seed, static_cast<uint32_t>(batch.epoch), key, source);
    if (withMasks && info.hasMask) source.maskOffset = batch.offsets.back() + info.imageBytes();
    batch.offsets.push_back(batch.offsets.back() + sampleBytes(info, withMasks));
    batch.augmentations.push_back(drawAugmentation(
        options.augmentation, options.seed, static_cast<uint32_t>(batch.epoch), key, options.height, options.width));
  }
}

void Loader::State::mix(Batch& batch) const {
  const size_t count = batch.samples.size();
  for (size_t i = 0; i < count; ++i) batch.mixed.push_back({static_cast<int32_t>(i), 1});
  if (count == 1) return;
  Philox draw = random(batch.epoch, static_cast<size_t>(batch.index), RandomPurpose::kMix);
  if (options.activationMasks && annotated && draw.uniform() < 0.5f) return;
  batch.mixing = draw.beta(options.mixupAlpha);
  const std::vector<size_t> circle = permutation(count, draw);
  const auto own = static_cast<float>(batch.mixing);
  const Tensor plain = options.targets ? batch.targets.clone() : Tensor();
  for (size_t k = 0; k < count; ++k) {
    const size_t i = circle[k], partner = circle[(k + 1) % count];  // never the sample itself
    batch.mixed[i] = {static_cast<int32_t>(partner), own};
    for (size_t c = 0; options.targets && c < 2; ++c)
      batch.targets.as<float>()[2 * i + c] =
          own * plain.as<float>()[2 * i + c] + (1 - own) * plain.as<float>()[2 * partner + c];
  }
}

void Loader::State::read(Slot& slot, size_t i) const {
  Batch& batch = slot.batch;
  std::byte *bytes = batch.bytes.data() + batch.offsets[i], *end = batch.bytes.data() + batch.offsets[i + 1];
  if (bytes == end) return;  // a partner that nothing is mixed with
  const SliceInfo& info = dataset->info(slot.reads[i]);
  const int64_t used = info.imageBytes() + (batch.sources[i].maskOffset >= 0 ? info.maskBytes() : 0);
  dataset->read(slot.reads[i], {bytes, static_cast<size_t>(used)});
  std::fill(bytes + used, end, std::byte{0});
}

void Loader::State::run() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    auto open = std::ranges::find_if(slots, [](const auto& slot) { return slot->taken < slot->reads.size(); });
    if (open == slots.end()) {
      if (failure || slots.size() >= static_cast<size_t>(options.prefetch)) {
        work.wait(lock);
        continue;
      }
      try {
        openSlot();
      } catch (...) {
        failure = std::current_exception();
        done.notify_all();
      }
      continue;
    }
    const std::shared_ptr<Slot> slot = *open;
    const size_t i = slot->taken++;
    lock.unlock();
    std::exception_ptr error;
    try {
      read(*slot, i);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error && !slot->error) slot->error = error;
    if (--slot->left > 0) continue;
    slot->ready = true;
    done.notify_all();
  }
}

Batch Batch::part(int64_t first, int64_t count) const {
  Excerpt part = excerptOf(*this, first, count);
  const std::vector<int64_t>& to = part.batch.offsets;
  part.batch.bytes = Tensor(DType::kU8, {to.back()});
  for (size_t k = 0; k < part.places.size(); ++k)
    std::copy_n(bytes.data() + offsets[part.places[k]], to[k + 1] - to[k], part.batch.bytes.data() + to[k]);
  return std::move(part.batch);
}

Loader::Loader(std::shared_ptr<const SliceStore> dataset, LoaderOptions options) {
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
    const bool hasLesion = info.hasMask && !info.maskIsEmpty;
    state_->annotated |= hasLesion;
    state_->kinds[(state_->options.masks ? hasLesion : info.label == 1) ? 1 : 0].push_back(i);
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

std::vector<int64_t> Loader::mostBytes() const {
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < state_->dataset->size(); ++i)
    sizes.push_back(sampleBytes(state_->dataset->info(i), state_->options.masks || state_->options.activationMasks));
  std::ranges::sort(sizes, std::ranges::greater{});
  if (state_->isBalanced()) std::ranges::fill(sizes, sizes.front());  // one may come twice
  sizes.resize(std::min(sizes.size(), static_cast<size_t>(state_->options.batchSize)));
  std::vector<int64_t> most{0};
  for (const int64_t size : sizes) most.push_back(most.back() + size);
  return most;
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
  state_->failure = nullptr;
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
    if (state.slots.empty() && state.failure) {
      state.work.notify_all();
      std::rethrow_exception(std::exchange(state.failure, nullptr));
    }
    state.done.wait_for(lock, kCancellationPoll);
  }
  const std::shared_ptr<State::Slot> slot = std::move(state.slots.front());
  state.slots.pop_front();
  state.work.notify_all();
  lock.unlock();
  if (slot->error) std::rethrow_exception(slot->error);
  return std::move(slot->batch);
}

}  // namespace jcs::data
