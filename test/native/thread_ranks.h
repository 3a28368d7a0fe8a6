#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "communication/communicator.h"

namespace jcs {

/// Ranks as threads of this process, as tests have them: no MPI, and the sums in plain loops.
class ThreadRanks {
 public:
  explicit ThreadRanks(int ranks) : ranks_(ranks) {}

  /// Runs `body` as every rank at once.
  void run(const std::function<void(communication::Communicator&)>& body) {
    std::vector<std::thread> threads;
    for (int rank = 0; rank < ranks_; ++rank)
      threads.emplace_back([this, rank, &body] {
        Rank communicator(*this, rank);
        body(communicator);
      });
    for (std::thread& thread : threads) thread.join();
  }
  /// Sums that were begun and not yet asked for, at the most, of a rank.
  int mostUnderWay() const { return mostUnderWay_; }

 private:
  struct Exchange {
    std::map<int, std::vector<float>> values;  ///< by rank, so that they are summed in one order
    std::vector<std::byte> bytes;
    int arrived = 0;
  };

  class Rank : public communication::Communicator {
   public:
    Rank(ThreadRanks& all, int rank) : all_(all), rank_(rank) {}
    int rank() const override { return rank_; }
    int ranks() const override { return all_.ranks_; }
    void startSum(const void* key, std::span<const float> values) override {
      const std::lock_guard lock(all_.mutex_);
      Exchange& exchange = next();
      exchange.values[rank_].assign(values.begin(), values.end());
      underWay_[key] = &exchange;
      all_.mostUnderWay_ = std::max(all_.mostUnderWay_, static_cast<int>(underWay_.size()));
      arrive(exchange);
    }
    void finishSum(const void* key, std::span<float> sums) override {
      std::unique_lock lock(all_.mutex_);
      const Exchange& exchange = *underWay_.at(key);
      all_.changed_.wait(lock, [&] { return exchange.arrived == all_.ranks_; });
      std::fill(sums.begin(), sums.end(), 0.0f);
      for (const auto& [rank, values] : exchange.values)
        for (size_t i = 0; i < sums.size(); ++i) sums[i] += values[i];
      underWay_.erase(key);
    }
    void broadcast(std::span<std::byte> bytes) override {
      std::unique_lock lock(all_.mutex_);
      Exchange& exchange = next();
      if (rank_ == 0) exchange.bytes.assign(bytes.begin(), bytes.end());
      arrive(exchange);
      all_.changed_.wait(lock, [&] { return exchange.arrived == all_.ranks_; });
      std::copy(exchange.bytes.begin(), exchange.bytes.end(), bytes.begin());
    }
    void leave(const std::string&) noexcept override {}
    void setNeeded(bool) noexcept override {}

   private:
    Exchange& next() {
      if (all_.exchanges_.size() == count_) all_.exchanges_.emplace_back();
      return all_.exchanges_[count_++];
    }
    void arrive(Exchange& exchange) {
      ++exchange.arrived;
      all_.changed_.notify_all();
    }

    ThreadRanks& all_;
    int rank_;
    size_t count_ = 0;  ///< exchanges that this rank has begun
    std::map<const void*, Exchange*> underWay_;
  };

  int ranks_, mostUnderWay_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Exchange> exchanges_;  ///< in the order in which every rank begins them
};

}  // namespace jcs
