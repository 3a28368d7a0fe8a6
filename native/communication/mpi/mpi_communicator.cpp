#include "communication/mpi/mpi_communicator.h"

#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "core/error.h"

namespace jcs::communication::mpi {

namespace {

using Clock = std::chrono::steady_clock;

/// Between looks at what is under way, while the caller computes on the same processors: each look takes time from it.
constexpr auto kPause = std::chrono::milliseconds(1), kIdlePause = std::chrono::milliseconds(50);
constexpr auto kHeartbeat = std::chrono::seconds(1), kSilence = std::chrono::seconds(20);
/// What a rank gives MPI to tell the others that it leaves.
constexpr auto kFarewell = std::chrono::milliseconds(500);
constexpr int kSignOfLife = 1, kLeaving = 2, kEnding = 3;
/// MPI counts in int.
constexpr size_t kLargestMessage = size_t{1} << 30;

std::string textOf(int status) {
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(status, text, &length);
  return {text, static_cast<size_t>(length)};
}

/// What went wrong in a call; no rank is named by MPI.
struct Failure {
  std::string what;
  bool isKnown = false;  ///< to all ranks
};

void check(int status, const char* call) {
  if (status != MPI_SUCCESS) throw Failure{std::string(call) + " failed: " + textOf(status), false};
}

}  // namespace

/// A sum or a broadcast, in memory of its own: what MPI still writes after a loss is nobody else's.
struct MpiCommunicator::Operation {
  bool isSum = true;
  std::vector<float> floats;
  std::vector<std::byte> bytes;
  bool isDone = false;
  MPI_Request request = MPI_REQUEST_NULL;

  void begin(MPI_Comm communicator) {
    if (isSum)
      check(MPI_Iallreduce(MPI_IN_PLACE, floats.data(), static_cast<int>(floats.size()), MPI_FLOAT, MPI_SUM,
                           communicator, &request),
            "MPI_Iallreduce");
    else
      check(MPI_Ibcast(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, 0, communicator, &request),
            "MPI_Ibcast");
  }
  bool test() {
    int finished = 0;
    check(MPI_Test(&request, &finished, MPI_STATUS_IGNORE), "MPI_Test");
    return finished != 0;
  }
};

struct MpiCommunicator::Thread {
  MPI_Comm work = MPI_COMM_NULL, watch = MPI_COMM_NULL;
  std::deque<std::shared_ptr<Operation>> running;
  Clock::time_point sent = Clock::now(), heard = Clock::now();
  MPI_Request heartbeat = MPI_REQUEST_NULL;
  char sign = 0;
  bool isWatching = true;  ///< the rank before this one has not come to its end
  int rank = 0, ranks = 1;

  void open() {
    int level = 0;
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &level), "MPI_Init_thread");
    // Failures are ours to report; by default MPI ends the process.
    check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    check(MPI_Comm_dup(MPI_COMM_WORLD, &work), "MPI_Comm_dup");
    check(MPI_Comm_dup(MPI_COMM_WORLD, &watch), "MPI_Comm_dup");
    check(MPI_Comm_rank(work, &rank), "MPI_Comm_rank");
    check(MPI_Comm_size(work, &ranks), "MPI_Comm_size");
    sent = heard = Clock::now();
    isWatching = ranks > 1;
  }

  int next() const { return (rank + 1) % ranks; }

  void giveSignOfLife() {
    if (ranks == 1 || Clock::now() - sent < kHeartbeat) return;
    int finished = 0;
    check(MPI_Test(&heartbeat, &finished, MPI_STATUS_IGNORE), "MPI_Test");
    if (!finished) return;
    sent = Clock::now();
    check(MPI_Isend(&sign, 1, MPI_CHAR, next(), kSignOfLife, watch, &heartbeat), "MPI_Isend");
  }

  /// What the others say; Failure when one is lost.
  void listen() {
    if (ranks == 1) return;
    for (;;) {
      int found = 0, length = 0;
      MPI_Status status;
      check(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, watch, &found, &status), "MPI_Iprobe");
      if (!found) break;
      check(MPI_Get_count(&status, MPI_CHAR, &length), "MPI_Get_count");
      std::string text(static_cast<size_t>(length), '\0');
      check(MPI_Recv(text.data(), length, MPI_CHAR, status.MPI_SOURCE, status.MPI_TAG, watch, MPI_STATUS_IGNORE),
            "MPI_Recv");
      if (status.MPI_TAG == kLeaving)
        throw Failure{"rank " + std::to_string(status.MPI_SOURCE) + " goes no further: " + text, true};
      if (status.MPI_TAG == kEnding) isWatching = false;
      heard = Clock::now();
    }
    const auto silence = Clock::now() - heard;
    if (isWatching && silence > kSilence)
      throw Failure{"rank " + std::to_string((rank + ranks - 1) % ranks) + " has given no sign of life for " +
                        std::to_string(std::chrono::duration_cast<std::chrono::seconds>(silence).count()) + " s",
                    false};
  }

  void tellAll(const std::string& reason) {
    std::vector<MPI_Request> requests;
    for (int other = 0; other < ranks; ++other)
      if (other != rank)
        MPI_Isend(reason.data(), static_cast<int>(reason.size()), MPI_CHAR, other, kLeaving, watch,
                  &requests.emplace_back());
    int finished = 0;
    const auto start = Clock::now();
    while (!finished && Clock::now() - start < kFarewell) {
      MPI_Testall(static_cast<int>(requests.size()), requests.data(), &finished, MPI_STATUSES_IGNORE);
      std::this_thread::sleep_for(kPause);
    }
  }

  /// Begins what was submitted and gives what has finished.
  std::vector<std::shared_ptr<Operation>> advance(std::deque<std::shared_ptr<Operation>> submitted) {
    for (auto& operation : submitted) {
      operation->begin(work);
      running.push_back(std::move(operation));
    }
    std::vector<std::shared_ptr<Operation>> finished;
    std::erase_if(running, [&](const auto& operation) {
      const bool isFinished = operation->test();
      if (isFinished) finished.push_back(operation);
      return isFinished;
    });
    return finished;
  }

  void close() {
    if (ranks > 1) check(MPI_Send(&sign, 1, MPI_CHAR, next(), kEnding, watch), "MPI_Send");
    // A sign of life that nobody has taken stays with MPI, which knows what to do with it.
    if (heartbeat != MPI_REQUEST_NULL) MPI_Request_free(&heartbeat);
    MPI_Comm_free(&watch);
    MPI_Comm_free(&work);
    MPI_Finalize();
  }
};

MpiCommunicator::MpiCommunicator() {
  std::promise<void> started;
  auto isStarted = started.get_future();
  thread_ = std::thread([this, started = std::move(started)]() mutable { work(std::move(started)); });
  try {
    isStarted.get();
  } catch (...) {
    thread_.join();
    throw;
  }
}

void MpiCommunicator::close() {
  if (isNeeded_) leave("its process ended");
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void MpiCommunicator::work(std::promise<void> started) {
  Thread mpi;
  try {
    mpi.open();
  } catch (const Failure& failure) {
    started.set_exception(
        std::make_exception_ptr(Error(errors::kMpiUnavailable, "MPI does not start: " + failure.what)));
    return;
  }
  rank_ = mpi.rank;
  ranks_ = mpi.ranks;
  started.set_value();
  try {
    while (workOnce(mpi)) {
    }
    mpi.close();
  } catch (const Failure& failure) {
    if (!failure.isKnown) mpi.tellAll(failure.what);
    const std::lock_guard lock(mutex_);
    abandoned_.swap(mpi.running);
    lost_ = failure.what;
    done_.notify_all();
  }
}

/// False when there is no more to do.
bool MpiCommunicator::workOnce(Thread& mpi) {
  std::deque<std::shared_ptr<Operation>> submitted;
  {
    std::unique_lock lock(mutex_);
    const auto isWanted = [&] { return isAwaited_ || !queue_.empty() || leaving_ || stopping_; };
    wanted_.wait_for(lock, mpi.running.empty() ? kIdlePause : kPause, isWanted);
    if (leaving_) throw Failure{*leaving_, false};
    submitted.swap(queue_);
    if (stopping_ && submitted.empty() && mpi.running.empty()) return false;
  }
  mpi.giveSignOfLife();
  mpi.listen();
  const auto finished = mpi.advance(std::move(submitted));
  if (!finished.empty()) {
    const std::lock_guard lock(mutex_);
    for (const auto& operation : finished) operation->isDone = true;
    done_.notify_all();
  }
  std::this_thread::yield();
  return true;
}

void MpiCommunicator::throwIfLost() const {
  if (lost_)
    fail(errors::kRankLost, "the processes that train together are no longer complete: " + *lost_ +
                                "; start all of them again, with the last checkpoint to resume from");
}

void MpiCommunicator::submit(const std::shared_ptr<Operation>& operation) {
  throwIfLost();
  queue_.push_back(operation);
  wanted_.notify_all();
}

void MpiCommunicator::startSum(const void* key, std::span<const float> values) {
  require(values.size() <= kLargestMessage, errors::kInputTooLarge, "a sum over ranks has more than 2^30 values");
  const auto operation = std::make_shared<Operation>();
  operation->floats.assign(values.begin(), values.end());
  const std::lock_guard lock(mutex_);
  submit(operation);
  sums_.emplace_back(key, operation);
}

void MpiCommunicator::finishSum(const void* key, std::span<float> sums) {
  std::unique_lock lock(mutex_);
  const auto found = std::ranges::find(sums_, key, &std::pair<const void*, std::shared_ptr<Operation>>::first);
  throwIfLost();
  invariant(found != sums_.end(), "a sum is asked for that was not begun");
  const auto operation = found->second;
  waitFor(lock, *operation);
  std::erase_if(sums_, [&](const auto& sum) { return sum.second == operation; });
  lock.unlock();
  std::ranges::copy(operation->floats, sums.begin());
}

void MpiCommunicator::broadcast(std::span<std::byte> bytes) {
  for (size_t begin = 0; begin < bytes.size(); begin += kLargestMessage) {
    const auto part = bytes.subspan(begin, std::min(kLargestMessage, bytes.size() - begin));
    const auto operation = std::make_shared<Operation>();
    operation->isSum = false;
    operation->bytes.assign(part.begin(), part.end());
    std::unique_lock lock(mutex_);
    submit(operation);
    waitFor(lock, *operation);
    std::ranges::copy(operation->bytes, part.begin());
  }
}

void MpiCommunicator::waitFor(std::unique_lock<std::mutex>& lock, const Operation& operation) {
  isAwaited_ = true;
  wanted_.notify_all();
  done_.wait(lock, [&] { return operation.isDone || lost_; });
  isAwaited_ = false;
  if (!operation.isDone) throwIfLost();
}

void MpiCommunicator::leave(const std::string& reason) noexcept {
  try {
    std::unique_lock lock(mutex_);
    if (lost_) return;
    leaving_ = reason;
    wanted_.notify_all();
    done_.wait_for(lock, 2 * kFarewell, [&] { return lost_.has_value(); });
  } catch (...) {  // no memory for the reason: the others notice by the silence
  }
}

}  // namespace jcs::communication::mpi

#define JCS_EXPORT extern "C" __attribute__((visibility("default")))

JCS_EXPORT int jcsCommunicatorAbi() { return jcs::communication::kCommunicatorAbi; }

/// MPI is to be ended before the process is. The communicator itself stays: threads may still hold it.
JCS_EXPORT jcs::communication::Communicator* jcsCommunicator() {
  static auto* const communicator = [] {
    auto* made = new jcs::communication::mpi::MpiCommunicator();
    static auto* const kept = made;
    std::atexit([] { kept->close(); });
    return made;
  }();
  return communicator;
}
