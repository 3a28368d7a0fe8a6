#include "binding/addon_data.h"

namespace jcs::binding {

PendingWork::Token::Token(std::shared_ptr<PendingWork> work, CancelFlag flag)
    : work_(std::move(work)), flag_(flag ? std::move(flag) : std::make_shared<std::atomic<bool>>(false)) {
  const std::lock_guard lock(work_->mutex_);
  work_->flags_.insert(flag_);
}

PendingWork::Token::~Token() {
  const std::lock_guard lock(work_->mutex_);
  work_->flags_.erase(work_->flags_.find(flag_));
  work_->done_.notify_all();
}

void PendingWork::cancelAndWait(std::optional<std::chrono::seconds> limit) {
  std::unique_lock lock(mutex_);
  for (const CancelFlag& flag : flags_) flag->store(true);
  const auto isDone = [&] { return flags_.empty(); };
  if (!limit) return done_.wait(lock, isDone);
  done_.wait_for(lock, *limit, isDone);
}

AddonData::AddonData(Napi::Env env) : thread(JsThread::create(env)), pool(runtime::WorkerPool::acquire()) {
  // Hooks run in reverse order: this one before the thread-safe function's own.
  env.AddCleanupHook([this] {
    stop();
    pool.reset();
  });
}

void AddonData::stop(std::optional<std::chrono::seconds> limit) {
  closing = true;
  thread->close();
  pending->cancelAndWait(limit);
}

Napi::Promise AddonData::run(Napi::Env env, CancelFlag flag, std::function<Deferred::Convert(const CancelFlag&)> work) {
  const auto deferred = Deferred::create(env, thread);
  auto token = std::make_shared<PendingWork::Token>(pending, std::move(flag));
  pool->submit([deferred, token = std::move(token), work = std::move(work)]() mutable {
    deferred->settle([&] { return work(token->flag()); });
    work = nullptr;  // what it holds goes before the token says that it is done
    token.reset();
  });
  return deferred->promise();
}

}  // namespace jcs::binding
