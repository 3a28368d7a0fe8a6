#include "backend/device_trial.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>

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

/// The child's status as waitpid gives it; nothing when it did not end in time and was killed.
std::optional<int> waitFor(pid_t child, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  int status = 0;
  for (auto pause = std::chrono::milliseconds(1); std::chrono::steady_clock::now() < end;) {
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) return status;
    if (ended < 0 && errno != EINTR) return 0;  // somebody else waits for all children: nothing is known against it
    usleep(static_cast<useconds_t>(std::chrono::microseconds(pause).count()));
    pause = std::min(2 * pause, std::chrono::milliseconds(50));
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return std::nullopt;
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
  const std::optional<int> status = waitFor(*child, options.limit);
  const std::string remedy =
      "; it was tried in a process of its own. Check `nvidia-smi`, and reinstall the NVIDIA driver";
  if (!status)
    fail(errors::kDeviceUnavailable,
         "the GPU did not answer within " + std::to_string(options.limit.count() / 1000) + " s" + remedy);
  if (WIFSIGNALED(*status))
    fail(errors::kDeviceUnavailable, "the GPU's libraries crashed with signal " + std::to_string(WTERMSIG(*status)) +
                                         " (" + strsignal(WTERMSIG(*status)) + ")" + remedy);
  const int code = WEXITSTATUS(*status);
  if (code == kTrialRefused) return;
  // 126 and 127: the program did not run.
  if (code != 0 && code < 126)
    fail(errors::kDeviceUnavailable, "the GPU's libraries ended their process with " + std::to_string(code) + remedy);
  if (code != 0 || marker.empty()) return;
  fs::create_directories(marker.parent_path(), ignored);
  std::ofstream(marker).flush();  // where it cannot be kept, the next process tries again
}

bool hasGpuDriver() {
  std::error_code ignored;
  // On Linux itself, and under WSL.
  return fs::exists("/dev/nvidiactl", ignored) || fs::exists("/dev/dxg", ignored);
}

}  // namespace jcs
