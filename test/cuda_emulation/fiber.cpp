#include "fiber.h"

#include <ucontext.h>

#include <cstdint>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace cuda_emulation {

namespace {

constexpr size_t kStackBytes = 256 << 10;

}  // namespace

struct Fiber::State {
  std::function<void()> body;
  std::unique_ptr<char[]> stack;
  ucontext_t own, resumer;
  // What the sanitizers have to be told of a switch.
  const void* resumerStack = nullptr;
  size_t resumerStackBytes = 0;
  void *ownFakeStack = nullptr, *resumerFakeStack = nullptr;
  void *ownThread = nullptr, *resumerThread = nullptr;
};

Fiber::Fiber(std::function<void()> body) : state_(std::make_unique<State>()) {
  state_->body = std::move(body);
  state_->stack.reset(new char[kStackBytes]);
  getcontext(&state_->own);
  state_->own.uc_stack.ss_sp = state_->stack.get();
  state_->own.uc_stack.ss_size = kStackBytes;
  state_->own.uc_link = nullptr;
  const auto address = reinterpret_cast<uintptr_t>(this);
  makecontext(&state_->own, reinterpret_cast<void (*)()>(&Fiber::enter), 2, static_cast<unsigned>(address >> 32),
              static_cast<unsigned>(address));
#if defined(__SANITIZE_THREAD__)
  state_->ownThread = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
#if defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(state_->ownThread);
#endif
}

/// makecontext passes ints only.
void Fiber::enter(unsigned high, unsigned low) {
  auto* fiber = reinterpret_cast<Fiber*>(static_cast<uintptr_t>(high) << 32 | low);
  State& s = *fiber->state_;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &s.resumerStack, &s.resumerStackBytes);
#endif
  s.body();
  std::abort();  // a body suspends itself and never returns
}

void Fiber::resume() {
  State& s = *state_;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&s.resumerFakeStack, s.stack.get(), kStackBytes);
#endif
#if defined(__SANITIZE_THREAD__)
  s.resumerThread = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(s.ownThread, 0);
#endif
  swapcontext(&s.resumer, &s.own);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(s.resumerFakeStack, nullptr, nullptr);
#endif
}

void Fiber::suspend() {
  State& s = *state_;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&s.ownFakeStack, s.resumerStack, s.resumerStackBytes);
#endif
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(s.resumerThread, 0);
#endif
  swapcontext(&s.own, &s.resumer);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(s.ownFakeStack, &s.resumerStack, &s.resumerStackBytes);
#endif
}

}  // namespace cuda_emulation
