#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace jcs::communication {

/// Processes that train one model together; each is a rank of them. Every rank makes the same calls in the same order,
/// one at a time. What has to be the same for all is asked of this: nothing else tells ranks apart.
///
/// Once a rank is lost, or has left, every call on the others throws RANK_LOST, saying which and why; there is no way
/// back from that.
class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;  ///< of this process, from 0
  virtual int ranks() const = 0;

  /// Begins to sum `values` over all ranks while the caller goes on. They are copied; `key` is what to ask for their
  /// sums with, no other sum's that is under way here.
  virtual void startSum(const void* key, std::span<const float> values) = 0;
  /// Waits for that key's sums: the same bits on every rank.
  virtual void finishSum(const void* key, std::span<float> sums) = 0;
  /// Gives all the bytes of rank 0.
  virtual void broadcast(std::span<std::byte> bytes) = 0;
  /// Tells the others that this rank goes no further, and why. Takes no longer than a second.
  virtual void leave(const std::string& reason) noexcept = 0;
  /// Whether the others count on this rank: if its process ends meanwhile, it leaves them.
  virtual void setNeeded(bool needed) noexcept = 0;

  void sum(std::span<float> values) {
    startSum(values.data(), values);
    finishSum(values.data(), values);
  }
  bool any(bool here) {
    float count = here ? 1 : 0;
    sum({&count, 1});
    return count > 0;
  }
};

/// Bumped whenever anything above changes.
inline constexpr int kCommunicatorAbi = 2;

/// What a communication library exports under C linkage. `jcsCommunicatorAbi` is asked first.
///   int jcsCommunicatorAbi();
///   Communicator* jcsCommunicator();   // of this process, which keeps it; throws jcs::Error: MPI_UNAVAILABLE
using CommunicatorAbiFunction = int (*)();
using CommunicatorFunction = Communicator* (*)();

}  // namespace jcs::communication
