#include "data/packed_dataset.h"

#include <sys/resource.h>

#include <csignal>

#include "native/error_code.h"
#include "native/harness.h"
#include "native/samples.h"
#include "native/temporary_directory.h"

using namespace jcs;

TEST("packed dataset: samples come back as they were") {
  PackedDataset dataset;
  std::vector<Sample> samples{sampleOf(1, 1, true), sampleOf(2, 0, false)};
  samples.push_back({floatImage(3, 1, {0.1f, 0.2f, 0.3f}), {0, 0, 0}, -1, ""});
  for (const Sample& sample : samples) dataset.append(sample);
  CHECK(dataset.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    const Sample read = dataset.read(i);
    CHECK(read.image.data == samples[i].image.data && read.image.format == samples[i].image.format);
    CHECK(read.image.width == samples[i].image.width && read.image.channels == samples[i].image.channels);
    CHECK(read.mask == samples[i].mask && read.label == samples[i].label && read.patient == samples[i].patient);
  }
  CHECK(dataset.info(0).hasMask && !dataset.info(0).maskIsEmpty);
  CHECK(!dataset.info(1).hasMask && dataset.info(1).maskIsEmpty);
  CHECK(dataset.info(2).hasMask && dataset.info(2).maskIsEmpty && dataset.info(2).width == 3);
  CHECK(dataset.bytes() == 320 + 40 + 320 + 12 + 1);
}

TEST("packed dataset: its file has no name") {
  const TemporaryDirectory directory;
  PackedDataset dataset(directory.path());
  dataset.append(sampleOf(1, 1, true));
  CHECK(directory.files() == 0);
  CHECK(codeOf([&] { PackedDataset(directory / "absent"); }) == errors::kFileUnwritable);
}

TEST("packed dataset: a bad sample is a typed error and changes nothing") {
  PackedDataset dataset;
  Sample sample = sampleOf(1, 1, true);
  sample.mask.pop_back();
  CHECK(codeOf([&] { dataset.append(sample); }) == errors::kShapeMismatch);
  sample.mask.push_back(255);
  CHECK(codeOf([&] { dataset.append(sample); }) == errors::kInvalidArgument);
  sample.mask.back() = 1;
  sample.label = 2;
  CHECK(codeOf([&] { dataset.append(sample); }) == errors::kInvalidArgument);
  sample.label = 1;
  sample.image.width = 21;
  CHECK(codeOf([&] { dataset.append(sample); }) == errors::kInvalidArgument);
  CHECK(dataset.size() == 0 && dataset.bytes() == 0);
}

TEST("packed dataset: a full disk is DISK_FULL, and what was stored stays readable") {
  const TemporaryDirectory directory;
  PackedDataset dataset(directory.path());
  dataset.append(sampleOf(1, 1, true));
  // A file-size limit below the next preallocation stands in for the end of the disk.
  rlimit old;
  ::getrlimit(RLIMIT_FSIZE, &old);
  rlimit small = old;
  small.rlim_cur = 80 << 20;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  Sample large;
  large.image = {std::vector<std::byte>(size_t{90} << 20), PixelFormat::kU8, 90 << 10, 1 << 10, 1, {}};
  const std::string code = codeOf([&] { dataset.append(large); });
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  CHECK(code == errors::kDiskFull);
  CHECK(dataset.size() == 1 && dataset.read(0).image.data == sampleOf(1, 1, true).image.data);
  dataset.append(large);
  CHECK(dataset.size() == 2 && dataset.read(1).image.data.size() == size_t{90} << 20);
}
