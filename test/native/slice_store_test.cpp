#include "data/slice_store.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "native/error_code.h"
#include "native/harness.h"
#include "native/samples.h"
#include "native/temporary_directory.h"

using namespace jcs;

namespace {

constexpr int64_t kInMemory = int64_t{1} << 40, kInFile = 0;

/// What this process's open files that were made in `directory` take on the disk, named or not.
int64_t blocksBelow(const std::string& directory) {
  int64_t blocks = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (!std::filesystem::read_symlink(entry.path(), gone).string().starts_with(directory)) continue;
    struct stat status;
    if (::stat(entry.path().c_str(), &status) == 0) blocks += status.st_blocks;
  }
  return blocks;
}

}  // namespace

TEST("slice store: slices come back as they were, from memory and from the file") {
  std::vector<data::DecodedSlice> samples{sampleOf(1, 1, true), sampleOf(2, 0, false),
                                          floatImage(3, 1, {0.1f, 0.2f, 0.3f})};
  samples[2].mask = {0, 0, 0};
  samples[1].lungs = samples[2].lungs = {1, 0, 1};
  samples[1].lungs.resize(static_cast<size_t>(samples[1].info.width * samples[1].info.height), 1);
  samples[2].info.spacing = data::PixelSpacing{0.7, 0.8};
  samples[2].info.positionMm = {-120.5, -99, 41};
  samples[2].info.source = "0042.png";
  for (const int64_t limit : {kInMemory, kInFile}) {
    data::SliceStore store(limit);
    for (const data::DecodedSlice& sample : samples) store.append(sample);
    CHECK_EQUAL(store.isOverLimit(), limit == kInFile);
    store.spill();
    CHECK(store.size() == 3 && !store.isOverLimit());
    for (size_t i = 0; i < 3; ++i) {
      const data::SliceInfo &read = store.info(i), &given = samples[i].info;
      CHECK(store.pixels(i) == samples[i].pixels && store.mask(i).bytes() == samples[i].mask);
      CHECK(store.lungs(i).bytes() == samples[i].lungs && store.info(i).hasLungs == !samples[i].lungs.empty());
      CHECK(read.format == given.format && read.width == given.width && read.height == given.height);
      CHECK(read.label == given.label && read.patient == given.patient);
    }
    CHECK(store.info(0).hasMask && !store.info(0).maskIsEmpty);
    CHECK(!store.info(1).hasMask && store.info(1).maskIsEmpty);
    CHECK(store.info(2).hasMask && store.info(2).maskIsEmpty);
    CHECK(store.info(2).spacing->row == 0.7 && store.info(2).positionMm->at(2) == 41);
    CHECK(store.info(2).source == "0042.png" && !store.info(1).spacing);
    CHECK(store.bytes() == 320 + 40 + 320 + 40 + 12 + 1 + 1);
    CHECK_EQUAL(store.memoryBytes(), limit == kInFile ? 0 : store.bytes());
  }
}

TEST("slice store: only what is beyond the limit leaves memory, and a released slice leaves everything") {
  data::SliceStore store(700);
  for (int i = 0; i < 4; ++i) store.append(sampleOf(i, 1, false));
  store.spill();
  CHECK_EQUAL(store.memoryBytes(), int64_t{640});
  CHECK_EQUAL(store.bytes(), int64_t{1280});
  store.release(0, 1);
  store.release(3, 4);
  store.release(3, 4);
  CHECK_EQUAL(store.memoryBytes(), int64_t{320});
  CHECK_EQUAL(store.bytes(), int64_t{640});
  for (const size_t released : {size_t{0}, size_t{3}})
    CHECK(codeOf([&] { store.pixels(released); }) == errors::kDisposed);
  CHECK(store.pixels(1) == sampleOf(1, 1, false).pixels && store.pixels(2) == sampleOf(2, 1, false).pixels);
  CHECK(store.info(3).width == 20 && store.size() == 4);
  CHECK_EQUAL(store.append(sampleOf(7, 1, false)), size_t{4});
}

TEST("slice store: what is released leaves the disk as well, once nobody reads it") {
  const TemporaryDirectory directory;
  data::SliceStore store(kInFile, directory.path());
  const auto megabyte = sliceOf<uint8_t>(PixelFormat::kU8, 1 << 10, 1 << 10, std::vector<uint8_t>(1 << 20, 7));
  for (int i = 0; i < 4; ++i) store.append(megabyte);
  store.spill();
  const int64_t before = blocksBelow(directory.path());
  store.release(1, 3);
  CHECK_EQUAL(before - blocksBelow(directory.path()), int64_t{2} << 11);  // of 512 bytes
  CHECK(store.pixels(0) == megabyte.pixels && store.pixels(3) == megabyte.pixels);
  CHECK(codeOf([&] { store.pixels(2); }) == errors::kDisposed);
  CHECK(codeOf([&] { store.pixels(4); }) == errors::kInvalidArgument);
  CHECK(codeOf([&] { store.release(3, 5); }) == errors::kInvalidArgument);
}

TEST("slice store: its file has no name") {
  const TemporaryDirectory directory;
  data::SliceStore store(kInFile, directory.path());
  store.append(sampleOf(1, 1, true));
  store.spill();
  CHECK(directory.files() == 0);
  data::SliceStore nowhere(kInFile, directory / "absent");
  nowhere.append(sampleOf(1, 1, true));
  CHECK(codeOf([&] { nowhere.spill(); }) == errors::kFileUnwritable);
  CHECK(nowhere.pixels(0) == sampleOf(1, 1, true).pixels);
}

TEST("slice store: a bad sample is a typed error and changes nothing") {
  data::SliceStore store;
  data::DecodedSlice sample = sampleOf(1, 1, true);
  sample.mask.pop_back();
  CHECK(codeOf([&] { store.append(sample); }) == errors::kShapeMismatch);
  sample.mask.push_back(255);
  CHECK(codeOf([&] { store.append(sample); }) == errors::kInvalidArgument);
  sample.mask.back() = 1;
  sample.info.width = 21;
  CHECK(codeOf([&] { store.append(sample); }) == errors::kInvalidArgument);
  CHECK(store.size() == 0 && store.bytes() == 0);
}

TEST("slice store: a full disk is DISK_FULL, and nothing is lost") {
  const TemporaryDirectory directory;
  data::SliceStore store(kInFile, directory.path());
  store.append(sampleOf(1, 1, true));
  store.spill();
  // A file-size limit below the next preallocation stands in for the end of the disk.
  rlimit old;
  ::getrlimit(RLIMIT_FSIZE, &old);
  rlimit small = old;
  small.rlim_cur = 80 << 20;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  store.append(sliceOf<uint8_t>(PixelFormat::kU8, 90 << 10, 1 << 10, std::vector<uint8_t>(size_t{90} << 20, 7)));
  const std::string code = codeOf([&] { store.spill(); });
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  CHECK(code == errors::kDiskFull);
  CHECK(store.size() == 2 && store.pixels(0) == sampleOf(1, 1, true).pixels);
  CHECK(store.isOverLimit() && store.pixels(1).size() == size_t{90} << 20);
  store.spill();
  CHECK(!store.isOverLimit() && store.pixels(1).back() == std::byte{7});
}

TEST("slice store: threads read, append, spill and release at once") {
  data::SliceStore store(2000);
  for (int i = 0; i < 8; ++i) store.append(sampleOf(i, 1, true));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round)
        for (int i = 0; i < 8; ++i) wrong += store.pixels(static_cast<size_t>(i)) != sampleOf(i, 1, true).pixels;
    });
  for (int i = 8; i < 200; ++i) {
    const size_t index = store.append(sampleOf(i, 1, true));
    if (store.isOverLimit()) store.spill();
    if (i % 3 == 0) store.release(index, index + 1);
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQUAL(wrong.load(), 0);
}
