#include "backend/device_trial.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <thread>

#include "core/error.h"

extern char** environ;

namespace jcs {

namespace {

namespace fs = std::filesystem;

std::string contentOf(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

/// A file whose name stands for everything that a trial's outcome depends on. Empty where nothing is to be kept.
fs::path markerOf(const fs::path& library, int index, const fs::path& folder) {
  if (folder.empty()) return {};
  std::error_code ignored;
  std::ostringstream key;
  key << library.string() << '\n'
      << fs::file_size(library, ignored) << '\n'
      << fs::last_write_time(library, ignored).time_since_epoch().count() << '\n'
      << index << '\n'
      << contentOf("/proc/driver/nvidia/version") << contentOf("/proc/sys/kernel/random/boot_id");
  for (const char* name : {"CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "JCS_CUDA_PATH"})
    if (const char* value = std::getenv(name)) key << name << '=' << value << '\n';
  std::ostringstream name;
  name << std::hex << std::hash<std::string>()(key.str());
  return folder / name.str();
}

struct Ending {
  enum class Kind { kExit, kSignal, kSilence, kUnknown } kind;
  int number = 0;  ///< exit code or signal
};

/// Asks again and again until `end`; nothing where the child still runs, or where something else in this process waits
/// for all children and has taken its ending.
std::optional<Ending> endingOf(pid_t child, std::chrono::steady_clock::time_point end) {
  auto pause = std::chrono::milliseconds(1);
  do {
    int status = 0;
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child && WIFSIGNALED(status)) return Ending{Ending::Kind::kSignal, WTERMSIG(status)};
    if (ended == child) return Ending{Ending::Kind::kExit, WEXITSTATUS(status)};
    if (ended < 0 && errno != EINTR) return Ending{Ending::Kind::kUnknown};
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, std::chrono::milliseconds(50));
  } while (std::chrono::steady_clock::now() < end);
  return std::nullopt;
}

Ending waitFor(pid_t child, std::chrono::milliseconds limit) {
  if (const auto ending = endingOf(child, std::chrono::steady_clock::now() + limit)) return *ending;
  kill(child, SIGKILL);
  // Inside a driver that hangs even that is not heard: the child is left to the system, and the caller goes on.
  endingOf(child, std::chrono::steady_clock::now() + std::chrono::milliseconds(500));
  return {Ending::Kind::kSilence};
}

/// Silent: what a library prints on its way down helps nobody who reads the application's output.
std::optional<pid_t> start(const fs::path& program, const fs::path& library, int index) {
  const std::string indexText = std::to_string(index);
  const char* arguments[] = {program.c_str(), library.c_str(), indexText.c_str(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", stream == STDIN_FILENO ? O_RDONLY : O_WRONLY, 0);
  // Whatever the caller's threads hold back, a child that hangs must be killable, and a crash a crash.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t child = 0;
  const int failure =
      posix_spawn(&child, program.c_str(), &actions, &attributes, const_cast<char**>(arguments), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return failure == 0 ? std::optional(child) : std::nullopt;
}

}  // namespace

void tryDevice(const fs::path& library, int index, const TrialOptions& options) {
  std::error_code ignored;
  const fs::path program = library.parent_path() / kTrialProgram;
  const fs::path marker = markerOf(library, index, options.markers);
  if (!fs::exists(program, ignored) || (!marker.empty() && fs::exists(marker, ignored))) return;
  const auto child = start(program, library, index);
  if (!child) return;
  const Ending ending = waitFor(*child, options.limit);
  const auto failed = [](const std::string& what) {
    fail(errors::kDeviceUnavailable,
         what + "; it was tried in a process of its own. Check `nvidia-smi`, and reinstall the NVIDIA driver");
  };
  switch (ending.kind) {
    case Ending::Kind::kSilence:
      failed("the GPU did not answer within " + std::to_string(options.limit.count() / 1000) + " s");
      break;
    case Ending::Kind::kSignal:
      failed("the GPU's libraries crashed with signal " + std::to_string(ending.number) + " (" +
             strsignal(ending.number) + ")");
      break;
    case Ending::Kind::kUnknown: return;
    case Ending::Kind::kExit:
      // 126 and 127: the program did not run.
      if (ending.number == kTrialRefused || ending.number >= 126) return;
      if (ending.number != 0) failed("the GPU's libraries ended their process with " + std::to_string(ending.number));
  }
  if (marker.empty()) return;
  fs::create_directories(marker.parent_path(), ignored);
  std::ofstream(marker).flush();  // where it cannot be kept, the next process tries again
}

bool hasGpuDriver() {
  std::error_code ignored;
  // On Linux itself, and under WSL.
  return fs::exists("/dev/nvidiactl", ignored) || fs::exists("/dev/dxg", ignored);
}

}  // namespace jcs
