#pragma once

#include <functional>
#include <memory>

namespace cuda_emulation {

/// A function with a stack of its own, which runs when it is told to and until it suspends itself. Destroying one that
/// is suspended frees its stack and runs no destructors of what lies on it.
class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  ~Fiber();
  Fiber(const Fiber&) = delete;

  /// Goes on with the body until it suspends; the caller's.
  void resume();
  /// Back to whoever resumed; the body's.
  void suspend();

 private:
  struct State;
  static void enter(unsigned high, unsigned low);
  std::unique_ptr<State> state_;
};

}  // namespace cuda_emulation
