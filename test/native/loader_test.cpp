#include "data/loader.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>

#include "native/error_code.h"
#include "native/harness.h"
#include "native/image_programs.h"
#include "native/samples.h"
#include "native/temporary_directory.h"

using namespace jcs;

namespace {

std::shared_ptr<const data::SliceStore> datasetOf(int count, bool masked = true) {
  auto dataset = std::make_shared<data::SliceStore>();
  for (int i = 0; i < count; ++i) dataset->append(sampleOf(i, i % 2, masked && i % 3 != 2));
  return dataset;
}

data::LoaderOptions classification(int64_t batchSize) {
  data::LoaderOptions options;
  options.batchSize = batchSize;
  options.height = options.width = 12;
  options.targets = true;
  options.seed = 7;
  return options;
}

bool sameBytes(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() &&
         (a.bytes() == 0 || std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())) == 0);
}

template <typename Record>
bool sameRecords(const std::vector<Record>& a, const std::vector<Record>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(Record)) == 0;
}

bool sameBatch(const data::Batch& a, const data::Batch& b) {
  return a.epoch == b.epoch && a.index == b.index && a.samples == b.samples && a.mixing == b.mixing &&
         sameBytes(a.bytes, b.bytes) && a.offsets == b.offsets && sameRecords(a.sources, b.sources) &&
         sameRecords(a.augmentations, b.augmentations) && sameRecords(a.mixed, b.mixed) &&
         sameBytes(a.targets, b.targets);
}

}  // namespace

TEST("loader: an epoch shows every sample once, each epoch in another order") {
  data::Loader loader(datasetOf(10), classification(3));
  BatchProgram program(loader, classification(3));
  CHECK(loader.batchesPerEpoch() == 3);
  std::vector<std::vector<size_t>> orders;
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    std::vector<size_t>& order = orders.emplace_back();
    for (int64_t index = 0; index < 3; ++index) {
      const data::Batch batch = loader.next();
      CHECK(batch.epoch == epoch && batch.index == index && batch.samples.size() == 3);
      CHECK(program.run(batch).images.shape() == (Shape{3, 12, 12, 3}) && batch.mixing == 1);
      for (size_t i = 0; i < 3; ++i) {
        order.push_back(batch.samples[i]);
        CHECK(batch.targets.as<float>()[2 * i + 1] == static_cast<float>(batch.samples[i] % 2));
        CHECK(batch.targets.as<float>()[2 * i] == static_cast<float>(1 - batch.samples[i] % 2));
      }
    }
    CHECK(std::set(order.begin(), order.end()).size() == 9);
  }
  CHECK(orders[0] != orders[1]);
}

TEST("loader: ranks have the parts of one loader's batches") {
  for (const double alpha : {0.0, 0.4})
    for (const bool masks : {false, true}) {
      data::LoaderOptions options = classification(6);
      options.mixupAlpha = alpha;
      options.activationMasks = masks;
      data::Loader whole(datasetOf(20), options);
      options.ranks = 3;
      std::vector<std::unique_ptr<data::Loader>> ranks;
      for (options.rank = 0; options.rank < 3; ++options.rank)
        ranks.push_back(std::make_unique<data::Loader>(datasetOf(20), options));
      for (int step = 0; step < 7; ++step) {
        const data::Batch batch = whole.next();
        for (int64_t rank = 0; rank < 3; ++rank)
          CHECK(sameBatch(ranks[static_cast<size_t>(rank)]->next(), batch.part(2 * rank, 2)));
      }
    }
}

TEST("loader: balanced batches have as many infected as uninfected samples") {
  auto dataset = std::make_shared<data::SliceStore>();
  for (int i = 0; i < 10; ++i) dataset->append(sampleOf(i, i < 2 ? 1 : 0, false));
  data::LoaderOptions options = classification(4);
  options.balanced = true;
  options.dropLast = false;
  options.augmentation = data::AugmentationOptions::scratch();
  data::Loader loader(dataset, options);
  std::map<size_t, std::vector<Augmentation>> seen;
  std::vector<std::vector<size_t>> orders;
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    std::map<size_t, int> turns;
    std::vector<size_t>& order = orders.emplace_back();
    for (int64_t index = 0; index < loader.batchesPerEpoch(); ++index) {
      const data::Batch batch = loader.next();
      const auto infected = std::ranges::count_if(batch.samples, [](size_t sample) { return sample < 2; });
      CHECK_EQUAL(2 * infected, batch.size());
      CHECK(batch.offsets.back() <= loader.mostBytes().at(batch.samples.size()));
      for (size_t i = 0; i < batch.samples.size(); ++i) {
        ++turns[batch.samples[i]];
        order.push_back(batch.samples[i]);
        if (epoch == 0) seen[batch.samples[i]].push_back(batch.augmentations[i]);
      }
    }
    CHECK_EQUAL(order.size(), size_t{10});
    CHECK_EQUAL(turns[0] + turns[1], 5);
    CHECK(std::abs(turns[0] - turns[1]) == 1);  // the rarer kind in turn
    for (const auto& [sample, count] : turns) CHECK(sample < 2 || count == 1);
  }
  CHECK(orders[0] != orders[1]);
  for (const size_t sample : {size_t{0}, size_t{1}})
    CHECK(!sameRecords(std::vector{seen[sample][0]}, std::vector{seen[sample][1]}));  // augmented anew

  options.threads = 5;
  data::Loader other(dataset, options);
  other.seek(1, 1);
  CHECK(other.next().samples == std::vector(orders[1].begin() + 4, orders[1].begin() + 8));

  // Slices of segmentation by whether there is a lesion; one kind alone is shuffled.
  data::LoaderOptions masks = classification(2);
  masks.targets = false;
  masks.masks = masks.balanced = true;
  auto lesions = std::make_shared<data::SliceStore>();
  for (int i = 0; i < 6; ++i) {
    data::DecodedSlice sample = sampleOf(i, 0, true);
    if (i > 0) std::ranges::fill(sample.mask, uint8_t{0});
    lesions->append(sample);
  }
  data::Loader slices(lesions, masks);
  for (int batch = 0; batch < 3; ++batch) CHECK_EQUAL(std::ranges::count(slices.next().samples, size_t{0}), 1);
  options.dropLast = true;
  auto alike = std::make_shared<data::SliceStore>();
  for (int i = 0; i < 8; ++i) alike->append(sampleOf(i, 1, false));
  data::Loader shuffled(alike, options);
  std::set<size_t> all;
  for (int batch = 0; batch < 2; ++batch)
    for (const size_t sample : shuffled.next().samples) all.insert(sample);
  CHECK_EQUAL(all.size(), size_t{8});
}

TEST("loader: partial batches are dropped or kept as asked") {
  data::LoaderOptions options = classification(4);
  options.dropLast = false;
  options.shuffle = false;
  data::Loader all(datasetOf(10), options);
  CHECK(all.batchesPerEpoch() == 3);
  CHECK(all.next().samples == std::vector<size_t>({0, 1, 2, 3}));
  CHECK(all.next().samples == std::vector<size_t>({4, 5, 6, 7}));
  CHECK(all.next().samples == std::vector<size_t>({8, 9}));
  CHECK(all.next().epoch == 1);
  data::Loader only(datasetOf(3), classification(4));
  CHECK(only.batchesPerEpoch() == 1 && only.next().samples.size() == 3);
}

TEST("loader: the sequence does not depend on threads, prefetching or where it starts") {
  const auto dataset = datasetOf(11);
  data::LoaderOptions options = classification(4);
  options.augmentation = data::AugmentationOptions::scratch();
  options.augmentation.windowWidth = 0.5f;
  options.mixupAlpha = 0.5;
  options.activationMasks = true;
  options.masks = false;
  options.threads = 1;
  options.prefetch = 1;
  std::vector<data::Batch> expected;
  data::Loader single(dataset, options);
  for (int i = 0; i < 8; ++i) expected.push_back(single.next());
  for (const auto& [threads, prefetch] : {std::pair(4, 3), std::pair(3, 1), std::pair(2, 7)}) {
    options.threads = threads;
    options.prefetch = prefetch;
    data::Loader loader(dataset, options);
    for (const data::Batch& batch : expected) CHECK(sameBatch(loader.next(), batch));
    loader.seek(1, 1);
    CHECK(sameBatch(loader.next(), expected[3]));
    CHECK(sameBatch(loader.next(), expected[4]));
    data::Loader resumed(dataset, options);
    resumed.seek(2, 1);
    CHECK(sameBatch(resumed.next(), expected[5]));
  }
  options.seed = 8;
  data::Loader other(dataset, options);
  CHECK(!sameBatch(other.next(), expected[0]));
  CHECK(!sameRecords(expected[0].augmentations, expected[2].augmentations));
  CHECK(expected[0].sources[0].windowWidth != expected[0].sources[1].windowWidth);
  CHECK(!sameBytes(expected[0].bytes, expected[2].bytes));
}

TEST("loader: mixing is that of equation 3 with partners that differ") {
  data::LoaderOptions options = classification(5);
  data::Loader plain(datasetOf(10), options);
  BatchProgram plainProgram(plain, options);
  options.mixupAlpha = 0.5;
  data::Loader mixing(datasetOf(10), options);
  BatchProgram mixingProgram(mixing, options);
  double lambdas = 0;
  const int batches = 40;
  for (int b = 0; b < batches; ++b) {
    const data::Batch plainBatch = plain.next(), mixedBatch = mixing.next();
    CHECK(plainBatch.samples == mixedBatch.samples && mixedBatch.mixing >= 0 && mixedBatch.mixing <= 1);
    const BatchProgram::Values a = plainProgram.run(plainBatch), m = mixingProgram.run(mixedBatch);
    lambdas += mixedBatch.mixing;
    const auto lambda = static_cast<float>(mixedBatch.mixing);
    std::set<size_t> partners;
    const size_t pixels = 12 * 12 * 3;
    for (size_t i = 0; i < 5; ++i) {
      std::vector<size_t> found;
      for (size_t j = 0; j < 5; ++j) {
        bool equal = true;
        for (size_t k = 0; k < pixels && equal; ++k)
          equal = std::abs(m.images.as<float>()[i * pixels + k] - lambda * a.images.as<float>()[i * pixels + k] -
                           (1 - lambda) * a.images.as<float>()[j * pixels + k]) < 1e-5f;
        if (equal) found.push_back(j);
      }
      if (lambda > 0.999f) continue;  // the partner hardly shows
      CHECK(found.size() == 1 && found[0] != i);
      if (found.empty()) continue;
      partners.insert(found[0]);
      const float y =
          lambda * a.targets.as<float>()[2 * i + 1] + (1 - lambda) * a.targets.as<float>()[2 * found[0] + 1];
      CHECK(std::abs(m.targets.as<float>()[2 * i + 1] - y) < 1e-6f);
      CHECK(std::abs(m.targets.as<float>()[2 * i] + m.targets.as<float>()[2 * i + 1] - 1) < 1e-6f);
    }
    if (lambda <= 0.999f) CHECK(partners.size() == 5);
  }
  CHECK(std::abs(lambdas / batches - 0.5) < 0.2);
}

TEST("loader: activation weights are one over the number of unmixed samples with a lesion") {
  data::LoaderOptions options = classification(6);
  options.height = options.width = 48;  // of which an untrained classifier has features of 2×2
  options.activationMasks = true;
  options.mixupAlpha = 0.5;
  data::Loader loader(datasetOf(12), options);
  BatchProgram program(loader, options);
  int mixedBatches = 0;
  for (int b = 0; b < 30; ++b) {
    const data::Batch batch = loader.next();
    const BatchProgram::Values values = program.run(batch);
    CHECK(values.activationMasks.shape() == (Shape{6, 2, 2, 1}) && values.activationWeights.shape() == Shape{6});
    mixedBatches += batch.mixing != 1;
    const auto annotated = std::ranges::count_if(batch.samples, [](size_t sample) { return sample % 3 != 2; });
    for (size_t i = 0; i < 6; ++i) {
      const bool masked = batch.samples[i] % 3 != 2 && batch.mixing == 1;
      CHECK(values.activationWeights.as<float>()[i] == (masked ? 1.0f / static_cast<float>(annotated) : 0.0f));
      for (size_t k = 0; k < 4; ++k)  // the mask is the image's right half
        CHECK(std::abs(values.activationMasks.as<float>()[i * 4 + k] - (masked && k % 2 == 1 ? 1.0f : 0.0f)) < 1e-6f);
    }
  }
  CHECK(mixedBatches > 5 && mixedBatches < 25);
}

TEST("loader: a batch in parts is the batch") {
  data::LoaderOptions options = classification(5);
  options.height = options.width = 40;
  options.activationMasks = true;
  options.mixupAlpha = 0.5;
  options.augmentation = data::AugmentationOptions::scratch();
  data::Loader loader(datasetOf(12), options);
  BatchProgram whole(loader, options), pairs(loader, options, 2), ones(loader, options, 1);
  const auto equalRows = [](const Tensor& part, const Tensor& all, int64_t first) {
    const int64_t row = all.bytes() / all.shape()[0];
    return std::memcmp(part.data(), all.data() + first * row, static_cast<size_t>(part.bytes())) == 0;
  };
  for (int b = 0; b < 6; ++b) {
    const data::Batch batch = loader.next();
    const BatchProgram::Values all = whole.run(batch);
    float annotated = 0;
    for (const int64_t first : {0, 2, 4})
      annotated += (first < 4 ? pairs : ones).annotated(batch.part(first, first < 4 ? 2 : 1));
    for (const int64_t first : {0, 2, 4}) {
      const data::Batch part = batch.part(first, first < 4 ? 2 : 1);
      BatchProgram& program = first < 4 ? pairs : ones;
      const BatchProgram::Values values = program.run(part, annotated - program.annotated(part));
      CHECK(equalRows(values.images, all.images, first));
      CHECK(equalRows(values.targets, all.targets, first));
      CHECK(equalRows(values.activationMasks, all.activationMasks, first));
      CHECK(equalRows(values.activationWeights, all.activationWeights, first));
    }
  }
}

TEST("loader: segmentation batches carry masks") {
  auto dataset = std::make_shared<data::SliceStore>();
  for (int i = 0; i < 4; ++i) dataset->append(sampleOf(i, -1, true));
  data::LoaderOptions options;
  options.batchSize = 2;
  options.height = options.width = 36;  // the mask follows its image to another size
  options.masks = true;
  data::Loader loader(dataset, options);
  const data::Batch batch = loader.next();
  const Tensor masks = BatchProgram(loader, options).run(batch).masks;
  CHECK(masks.shape() == (Shape{2, 36, 36, 1}) && batch.targets.bytes() == 0);
  for (size_t i = 0; i < 2592; ++i) CHECK(masks.as<float>()[i] == static_cast<float>(i % 36 >= 18));
}

TEST("loader: what cannot work is said at once") {
  data::LoaderOptions segmentation = classification(2);
  segmentation.masks = true;
  CHECK(codeOf([&] { data::Loader(datasetOf(4), segmentation); }) == "BAD_SAMPLE");
  CHECK(codeOf([&] { data::Loader(std::make_shared<data::SliceStore>(), classification(2)); }) ==
        errors::kEmptyDataset);
  CHECK(codeOf([&] { data::Loader(datasetOf(4), classification(0)); }) == errors::kInvalidArgument);
  auto unlabelled = std::make_shared<data::SliceStore>();
  unlabelled->append(sampleOf(0, -1, false));
  CHECK(codeOf([&] { data::Loader(unlabelled, classification(1)); }) == "BAD_SAMPLE");
  data::Loader loader(datasetOf(4), classification(2));
  CHECK(codeOf([&] { loader.seek(0, 2); }) == errors::kInvalidArgument);
  CHECK(codeOf([&] { loader.seek(-1, 0); }) == errors::kInvalidArgument);
}

TEST("loader: cancelling ends the wait, and a loader may be dropped while it works") {
  const std::atomic<bool> cancelled{true};
  auto dataset = std::make_shared<data::SliceStore>();
  for (int i = 0; i < 4; ++i) {
    data::DecodedSlice sample = grayImage(1500, 1500, [](int64_t x, int64_t y) { return (x ^ y) & 255; });
    sample.info.label = 0;
    dataset->append(sample);
  }
  data::LoaderOptions options = classification(4);
  options.height = options.width = 700;
  data::Loader loader(dataset, options);
  CHECK(codeOf([&] { loader.next(&cancelled); }) == errors::kCancelled);
  CHECK(loader.next().index == 0);  // cancelling lost nothing
}

TEST("loader: an error in a thread surfaces at its batch") {
  const TemporaryDirectory folder;
  auto dataset = std::make_shared<data::SliceStore>(0, folder.path());
  for (int i = 0; i < 4; ++i) dataset->append(sampleOf(i, 0, false));
  dataset->spill();
  // The file has no name any more, but its descriptor has one: cut short, as a failing disk would.
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code none;
    const std::string target = std::filesystem::read_symlink(entry.path(), none).string();
    if (target.starts_with(folder / "jcs-slices")) CHECK(::truncate(entry.path().c_str(), 10) == 0);
  }
  data::Loader loader(dataset, classification(2));
  CHECK(codeOf([&] { loader.next(); }) == errors::kFileUnreadable);
}
