#include "emulation.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "core/error.h"
#include "core/philox.h"
#include "fiber.h"

namespace cuda_emulation {

namespace {

constexpr int kWarp = 32;

/// Where a thread waits.
struct Site {
  const char* file = nullptr;
  int line = 0;
  bool ofWarp = false;
  bool operator==(const Site&) const = default;
};

std::string show(const Site& site) {
  const std::string file = site.file;
  return file.substr(file.rfind('/') + 1) + ":" + std::to_string(site.line);
}

/// One block at a time. A thread gets a fiber when it starts. One that ends without having waited leaves its fiber to
/// the next, so that kernels without barriers hardly switch.
class Block {
 public:
  void run(const Stream& stream, int64_t blocks, int threads, int64_t sharedBytes,
           const std::function<void()>& kernel) {
    kernel_ = &kernel;
    blockDim = {static_cast<unsigned>(threads), 1, 1};
    gridDim = {static_cast<unsigned>(blocks), 1, 1};
    threads_.resize(static_cast<size_t>(threads));
    exchanged_[0].resize(threads_.size());
    exchanged_[1].resize(threads_.size());
    shared_.reset(new (std::align_val_t(16)) std::byte[static_cast<size_t>(sharedBytes)]);
    const std::vector<int> blockOrder = ordered(stream.order, static_cast<int>(blocks));
    order_ = ordered(stream.order, threads);
    for (int block : blockOrder) {
      blockIdx.x = static_cast<unsigned>(block);
      std::fill_n(shared_.get(), sharedBytes, std::byte{0xff});
      runBlock();
    }
  }

  std::byte* shared() const { return shared_.get(); }

  void wait(const Site& site) {
    Thread& thread = threads_[current_];
    thread.site = site;
    thread.state = State::kWaiting;
    thread.fiber->suspend();
  }

  uint64_t exchange(uint64_t value, int lane, const Site& site) {
    // Two buffers in turn: no lane writes one again before every lane has read it.
    const size_t thread = current_, first = thread / kWarp * kWarp;
    auto& buffer = exchanged_[threads_[thread].exchanges++ % 2];
    buffer[thread] = value;
    wait(site);
    const size_t source = first + static_cast<size_t>(lane);
    return lane < kWarp && source < buffer.size() ? buffer[source] : value;
  }

  int lane() const { return static_cast<int>(current_ % kWarp); }

 private:
  enum class State { kUnstarted, kWaiting, kDone };
  struct Thread {
    State state = State::kUnstarted;
    Site site;
    unsigned exchanges = 0;
    Fiber* fiber = nullptr;
  };
  struct DeleteAligned {
    void operator()(std::byte* memory) const { operator delete[](memory, std::align_val_t(16)); }
  };

  static std::vector<int> ordered(Order order, int count) {
    std::vector<int> indices(static_cast<size_t>(count));
    std::iota(indices.begin(), indices.end(), 0);
    if (order == Order::kReverse) std::ranges::reverse(indices);
    if (order == Order::kShuffled) {
      jcs::Philox random(static_cast<uint64_t>(count), 0, 0, jcs::RandomPurpose::kInitialise);
      for (size_t i = indices.size(); i > 1; --i)
        std::swap(indices[i - 1], indices[random.below(static_cast<uint32_t>(i))]);
    }
    return indices;
  }

  void runBlock() {
    for (Thread& thread : threads_) thread = {};
    next_ = 0;
    while (next_ < order_.size()) resume(takeFiber());
    while (!allDone()) {
      bool released = false;
      for (size_t first = 0; first < threads_.size(); first += kWarp)
        released |= release(first, std::min(first + kWarp, threads_.size()), true);
      released |= release(0, threads_.size(), false);
      if (!released) failDivergent();
    }
  }

  bool allDone() const {
    return std::ranges::all_of(threads_, [](const Thread& t) { return t.state == State::kDone; });
  }

  /// Lets the threads [first, last) go on if all of them wait at one site.
  bool release(size_t first, size_t last, bool ofWarp) {
    const Site site = threads_[first].site;
    if (site.ofWarp != ofWarp) return false;
    for (size_t i = first; i < last; ++i)
      if (threads_[i].state != State::kWaiting || !(threads_[i].site == site)) return false;
    for (int thread : order_) {
      const auto i = static_cast<size_t>(thread);
      if (i < first || i >= last) continue;
      current_ = i;
      threadIdx.x = static_cast<unsigned>(i);
      resume(threads_[i].fiber);
    }
    return true;
  }

  /// Runs the fiber until its thread waits, or until there is no thread for it any more.
  void resume(Fiber* fiber) {
    running_ = fiber;
    fiber->resume();
    if (threads_[current_].state == State::kDone) idle_.push_back(fiber);
  }

  /// The body of every fiber.
  void runThreads(Fiber* fiber) {
    for (;;) {
      while (next_ < order_.size()) {
        current_ = static_cast<size_t>(order_[next_++]);
        threadIdx.x = static_cast<unsigned>(current_);
        threads_[current_].fiber = fiber;
        (*kernel_)();
        threads_[current_].state = State::kDone;
      }
      fiber->suspend();
    }
  }

  Fiber* takeFiber() {
    if (idle_.empty()) {
      fibers_.push_back(std::make_unique<Fiber>([this] { runThreads(running_); }));
      idle_.push_back(fibers_.back().get());
    }
    Fiber* fiber = idle_.back();
    idle_.pop_back();
    return fiber;
  }

  [[noreturn]] void failDivergent() {
    std::string text;
    for (size_t i = 0; i < threads_.size(); ++i) {
      const Thread& thread = threads_[i];
      if (i > 0 && thread.state == threads_[i - 1].state && thread.site == threads_[i - 1].site) continue;
      text += (i > 0 ? ", thread " : "thread ") + std::to_string(i) +
              (thread.state == State::kDone ? " has ended" : " waits at " + show(thread.site));
    }
    fibers_.clear();  // with the stacks of the threads that wait
    idle_.clear();
    jcs::fail(jcs::errors::kInternal, "not all threads of block " + std::to_string(blockIdx.x) + " of " +
                                          std::to_string(gridDim.x) + " reach one barrier: " + text);
  }

  const std::function<void()>* kernel_ = nullptr;
  std::vector<Thread> threads_;
  std::vector<uint64_t> exchanged_[2];
  std::unique_ptr<std::byte[], DeleteAligned> shared_;
  std::vector<int> order_;
  size_t next_ = 0;     ///< of `order_`, not started yet
  size_t current_ = 0;  ///< the thread that runs, or ran last
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  Fiber* running_ = nullptr;
};

Block& block() {
  static thread_local Block instance;
  return instance;
}

}  // namespace

void runGrid(const Stream& stream, int64_t blocks, int threads, int64_t sharedBytes,
             const std::function<void()>& kernel) {
  jcs::invariant(blocks <= INT32_MAX && threads >= 1 && threads <= 1024 && sharedBytes <= 48 << 10,
                 "a grid is larger than every GPU takes");
  if (blocks > 0) block().run(stream, blocks, threads, sharedBytes, kernel);
}

std::byte* sharedMemory() { return block().shared(); }
void barrier(const char* file, int line) { block().wait({file, line, false}); }
uint64_t exchange(uint64_t value, int lane, const char* file, int line) {
  return block().exchange(value, lane, {file, line, true});
}
int laneOfThread() { return block().lane(); }

}  // namespace cuda_emulation
