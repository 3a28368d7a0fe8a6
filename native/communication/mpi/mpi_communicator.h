#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "communication/communicator.h"

namespace jcs::communication::mpi {

/// A communicator over MPI. All calls of MPI are made on one thread of its own, so that a sum makes its way while the
/// caller computes, and MPI need not be thread-safe.
///
/// Ranks also keep an eye on each other: each sends the next one a sign of life every second until its process ends.
/// What has not given one for `kSilence`, or says that it leaves, is lost.
class MpiCommunicator : public Communicator {
 public:
  /// Starts MPI. MPI_UNAVAILABLE when that fails. There can be one in a process, which lives as long.
  MpiCommunicator();
  /// Ends MPI, which waits for the other ranks. After a loss it is left as it is; where they need this rank they are
  /// told.
  void close();

  int rank() const override { return rank_; }
  int ranks() const override { return ranks_; }
  void startSum(const void* key, std::span<const float> values) override;
  void finishSum(const void* key, std::span<float> sums) override;
  void broadcast(std::span<std::byte> bytes) override;
  void leave(const std::string& reason) noexcept override;
  void setNeeded(bool needed) noexcept override { isNeeded_ = needed; }

 private:
  struct Operation;
  struct Thread;  ///< what the thread alone knows

  void work(std::promise<void> started);
  bool workOnce(Thread& mpi);
  // These hold `mutex_`.
  void submit(const std::shared_ptr<Operation>& operation);
  void waitFor(std::unique_lock<std::mutex>& lock, const Operation& operation);
  void throwIfLost() const;

  int rank_ = 0, ranks_ = 1;
  std::mutex mutex_;
  std::condition_variable wanted_, done_;
  std::deque<std::shared_ptr<Operation>> queue_;  ///< not begun yet
  std::vector<std::pair<const void*, std::shared_ptr<Operation>>> sums_;
  std::deque<std::shared_ptr<Operation>> abandoned_;  ///< after a loss: MPI may still read and write their memory
  std::optional<std::string> lost_;
  std::optional<std::string> leaving_;
  bool stopping_ = false, isAwaited_ = false;  ///< the latter: somebody waits rather than computes
  std::atomic<bool> isNeeded_{false};
  std::thread thread_;
};

}  // namespace jcs::communication::mpi
