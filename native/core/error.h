#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace jcs {

/// The one exception type of the engine. `code` is stable and documented in docs/errors.md; the message says what was
/// wrong, where, and what to do about it.
class Error : public std::runtime_error {
 public:
  Error(std::string code, const std::string& message) : std::runtime_error(message), code_(std::move(code)) {}
  const std::string& code() const noexcept { return code_; }

 private:
  std::string code_;
};

namespace errors {
inline constexpr const char* kInvalidArgument = "INVALID_ARGUMENT";
inline constexpr const char* kInvalidType = "INVALID_TYPE";
inline constexpr const char* kShapeMismatch = "SHAPE_MISMATCH";
inline constexpr const char* kInputTooSmall = "INPUT_TOO_SMALL";
inline constexpr const char* kInputTooLarge = "INPUT_TOO_LARGE";
inline constexpr const char* kNotFinite = "NOT_FINITE";
inline constexpr const char* kUnsupportedFormat = "UNSUPPORTED_FORMAT";
inline constexpr const char* kCorruptFile = "CORRUPT_FILE";
inline constexpr const char* kFileNotFound = "FILE_NOT_FOUND";
inline constexpr const char* kFileUnreadable = "FILE_UNREADABLE";
inline constexpr const char* kFileUnwritable = "FILE_UNWRITABLE";
inline constexpr const char* kDiskFull = "DISK_FULL";
inline constexpr const char* kWrongVariant = "WRONG_VARIANT";
inline constexpr const char* kMissingParameter = "MISSING_PARAMETER";
inline constexpr const char* kUnexpectedParameter = "UNEXPECTED_PARAMETER";
inline constexpr const char* kDeviceUnavailable = "DEVICE_UNAVAILABLE";
inline constexpr const char* kMpiUnavailable = "MPI_UNAVAILABLE";
inline constexpr const char* kRankLost = "RANK_LOST";
inline constexpr const char* kOutOfMemory = "OUT_OF_MEMORY";
inline constexpr const char* kCancelled = "CANCELLED";
inline constexpr const char* kDisposed = "DISPOSED";
inline constexpr const char* kBusy = "BUSY";
inline constexpr const char* kBatchNormBatchTooSmall = "BATCH_NORM_BATCH_TOO_SMALL";
inline constexpr const char* kDiverged = "DIVERGED";
inline constexpr const char* kResumeMismatch = "RESUME_MISMATCH";
inline constexpr const char* kEmptyDataset = "EMPTY_DATASET";
inline constexpr const char* kBadSample = "BAD_SAMPLE";
inline constexpr const char* kCaseTooSmall = "CASE_TOO_SMALL";
inline constexpr const char* kInternal = "INTERNAL";
}  // namespace errors

[[noreturn]] inline void fail(const char* code, const std::string& message) { throw Error(code, message); }

/// For what a caller got wrong: `require(n > 0, errors::kInvalidArgument, "batchSize must be at least 1, got 0")`.
/// The message is built only on failure when passed as a callable.
template <typename Message>
inline void require(bool condition, const char* code, Message&& message) {
  if (condition) [[likely]]
    return;
  if constexpr (std::is_invocable_v<Message>) {
    fail(code, message());
  } else {
    fail(code, std::string(std::forward<Message>(message)));
  }
}

/// For what must hold whatever the input; failing it is a bug of ours.
inline void invariant(bool condition, const char* what) {
  if (!condition) [[unlikely]]
    fail(errors::kInternal, std::string("internal invariant broken: ") + what + "; please report this");
}

}  // namespace jcs
