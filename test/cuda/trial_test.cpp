#include <csignal>
#include <fstream>
#include <sstream>

#include "backend/device_trial.h"
#include "cuda/environment.h"
#include "native/harness.h"
#include "native/temporary_directory.h"

/// A GPU's libraries as they should not be, in the process that is there for them.

namespace jcs::test {

namespace {

namespace fs = std::filesystem;

/// A folder as a package has it: a backend of that behaviour, and the program that tries it.
class Package {
 public:
  explicit Package(const char* behaviour, bool hasProgram = true) {
    fs::create_symlink(fs::path(JCS_FAKE_LIBRARIES) / ("trial_" + std::string(behaviour)) / "libjcs_cuda.so",
                       library());
    if (hasProgram) fs::create_symlink(JCS_TRIAL_PROGRAM, folder() / kTrialProgram);
  }
  fs::path folder() const { return folder_.path(); }
  fs::path library() const { return folder() / "libjcs_cuda.so"; }
  void tryIt(int index = kEveryDevice, TrialOptions options = {}) const { tryDevice(library(), index, options); }

 private:
  TemporaryDirectory folder_;
};

size_t lengthOf(const fs::path& file) {
  std::error_code ignored;
  const auto size = fs::file_size(file, ignored);
  return ignored ? 0 : size;
}

}  // namespace

TEST("a GPU whose libraries crash, hang or end the process is unavailable, and this process lives") {
  CHECK_ERROR([] { Package("crash").tryIt(); }, errors::kDeviceUnavailable, "signal 6", "nvidia-smi", "driver");
  CHECK_ERROR([] { Package("exit").tryIt(); }, errors::kDeviceUnavailable, "ended their process with 3");
  CHECK_ERROR([] { Package("hang").tryIt(kEveryDevice, {.limit = std::chrono::milliseconds(300)}); },
              errors::kDeviceUnavailable, "did not answer");
}

TEST("what a device says against its use is for it to say again, and a package without the program is not tried") {
  Package("fine").tryIt();
  Package("fine").tryIt(3);  // refused in words
  Package("crash", false).tryIt();
}

TEST("where a process waits for none of its children, a trial tells nothing") {
  const TemporaryDirectory markers;
  const auto before = std::signal(SIGCHLD, SIG_IGN);
  Package("fine").tryIt(kEveryDevice, {.markers = markers.path()});
  Package("crash").tryIt(kEveryDevice, {.markers = markers.path()});
  std::signal(SIGCHLD, before);
  CHECK(fs::is_empty(markers.path()));
}

TEST("a trial that went well is kept until something about it changes, and no other is") {
  const TemporaryDirectory folder;
  const fs::path log = fs::path(folder.path()) / "log", markers = fs::path(folder.path()) / "markers";
  const Environment logged("JCS_TRIAL_LOG", log.string());
  const Package fine("fine"), crash("crash");
  fine.tryIt(kEveryDevice, {.markers = markers});
  fine.tryIt(kEveryDevice, {.markers = markers});
  CHECK_EQUAL(lengthOf(log), 1u);
  {
    const Environment other("CUDA_VISIBLE_DEVICES", "7");
    fine.tryIt(kEveryDevice, {.markers = markers});
    CHECK_EQUAL(lengthOf(log), 2u);
  }
  for (int i = 0; i < 2; ++i)
    CHECK_ERROR([&] { crash.tryIt(kEveryDevice, {.markers = markers}); }, errors::kDeviceUnavailable, "crashed");
  CHECK_EQUAL(lengthOf(log), 4u);
  // Where nothing can be kept, every process tries for itself.
  fine.tryIt(kEveryDevice, {.markers = log / "folder"});
  fine.tryIt();
  CHECK_EQUAL(lengthOf(log), 6u);
}

}  // namespace jcs::test
