#include "runtime/engine.h"

#include <algorithm>
#include <cstring>
#include <future>
#include <thread>

#include "compiler/program.h"
#include "core/alignment.h"
#include "core/philox.h"
#include "model/model.h"
#include "native/compiled.h"
#include "native/error_code.h"
#include "native/harness.h"
#include "networks/registry.h"
#include "runtime/worker_pool.h"

/// Queues and models under many threads at once. Run under ThreadSanitizer these tests prove more than here, where they
/// can only see wrong results, lost jobs and crashes.

using namespace jcs;

namespace {

constexpr int kThreads = 4;

/// Runs `body(thread)` on `kThreads` threads at once.
void concurrently(const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) threads.emplace_back(body, t);
  for (std::thread& thread : threads) thread.join();
}

std::shared_ptr<model::Model> smallModel(uint64_t seed) {
  return model::Model::create({.network = "jcs-segmentation", .width = 0.05},
                              {.device = testDevice(), .precision = "fp32"}, seed);
}

Tensor randomImages(uint32_t seed, int64_t batch) {
  Tensor images = Tensor::zeros(DType::kF32, {batch, 32, 32, 3});
  Philox random(seed, 0, 0, RandomPurpose::kShuffle);
  for (float& value : images.as<float>()) value = random.uniform();
  return images;
}

bool sameBits(const std::map<std::string, Tensor>& a, const std::map<std::string, Tensor>& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.type() == y.second.type() &&
           std::memcmp(x.second.data(), y.second.data(), static_cast<size_t>(x.second.bytes())) == 0;
  });
}

}  // namespace

TEST("engine: jobs of many threads run one at a time, each thread's in its order, and none is lost") {
  constexpr int kJobs = 500;
  auto engine = runtime::Engine::acquire(testDevice());
  std::vector<std::vector<int>> ran(kThreads);  // by the execution thread alone, so without a lock
  int inside = 0, overlaps = 0;
  concurrently([&](int thread) {
    for (int job = 0; job < kJobs; ++job) {
      const auto work = [&, thread, job] {
        overlaps += ++inside != 1;
        ran[static_cast<size_t>(thread)].push_back(job);
        --inside;
      };
      if (job % 10 == 9) {
        engine->runAndWait(work);
      } else {
        engine->submit(work);
      }
    }
  });
  engine->runAndWait([] {});
  CHECK_EQUAL(overlaps, 0);
  for (const std::vector<int>& jobs : ran) {
    CHECK_EQUAL(jobs.size(), size_t{kJobs});
    CHECK(std::ranges::is_sorted(jobs));
  }
}

TEST("engine: runAndWait rethrows, and runs at once when called from a job") {
  auto engine = runtime::Engine::acquire(testDevice());
  CHECK_EQUAL(codeOf([&] { engine->runAndWait([] { fail(errors::kBusy, "thrown by the job"); }); }), errors::kBusy);
  bool inner = false;
  engine->runAndWait([&] { engine->runAndWait([&] { inner = true; }); });
  CHECK(inner);
}

TEST("engine: a full queue is BUSY for submit, but not for who waits anyway") {
  auto engine = runtime::Engine::acquire(testDevice());
  std::promise<void> started, release;
  engine->submit([&] {
    started.set_value();
    release.get_future().wait();
  });
  started.get_future().wait();
  int ran = 0;
  for (size_t i = 0; i < runtime::Engine::kQueueLimit; ++i) engine->submit([&] { ++ran; });
  CHECK_EQUAL(engine->queueDepth(), runtime::Engine::kQueueLimit);
  CHECK_ERROR([&] { engine->submit([&] { ++ran; }); }, errors::kBusy, "4096");
  std::thread waiting([&] { engine->runAndWait([&] { ++ran; }); });
  release.set_value();
  waiting.join();
  engine->runAndWait([] {});
  CHECK_EQUAL(ran, static_cast<int>(runtime::Engine::kQueueLimit) + 1);
}

TEST("engine: what is queued runs before the engine ends, also when a job is its last owner") {
  std::atomic<int> ran{0};
  auto engine = runtime::Engine::acquire(testDevice());
  for (int i = 0; i < 100; ++i) engine->submit([&] { ++ran; });
  engine.reset();
  CHECK_EQUAL(ran.load(), 100);

  std::promise<void> released, ended;
  engine = runtime::Engine::acquire(testDevice());
  engine->submit([&, owner = engine]() mutable {
    released.get_future().wait();
    owner.reset();  // destroys the engine on its own thread
    ended.set_value();
  });
  engine.reset();
  released.set_value();
  ended.get_future().wait();
  CHECK(runtime::Engine::acquire(testDevice())->device().available);  // a new one
}

TEST("worker pool: jobs of many threads all run, also when a job is the pool's last owner") {
  constexpr int kJobs = 500;
  std::atomic<int> ran{0};
  {
    runtime::WorkerPool pool(3);
    concurrently([&](int) {
      for (int job = 0; job < kJobs; ++job) pool.submit([&] { ++ran; });
    });
  }
  CHECK_EQUAL(ran.load(), kThreads * kJobs);

  std::promise<void> released, ended;
  auto pool = std::make_shared<runtime::WorkerPool>(2);
  pool->submit([&, owner = pool]() mutable {
    released.get_future().wait();
    owner.reset();
    ended.set_value();
  });
  pool.reset();
  released.set_value();
  ended.get_future().wait();
}

TEST("models: many threads on two models of a device get what one thread gets") {
  const auto first = smallModel(1), second = smallModel(2);
  // Batches of two sizes: programs are compiled, the arena grows, and both are shared.
  const auto forward = [&](int thread, int round) {
    model::Model& model = (thread + round) % 2 == 0 ? *first : *second;
    return model.forward(randomImages(static_cast<uint32_t>(thread), 1 + round % 2), false);
  };
  constexpr int kRounds = 6;
  std::vector<std::vector<std::map<std::string, Tensor>>> together(kThreads);
  concurrently([&](int thread) {
    for (int round = 0; round < kRounds; ++round)
      together[static_cast<size_t>(thread)].push_back(forward(thread, round));
  });
  for (int thread = 0; thread < kThreads; ++thread)
    for (int round = 0; round < kRounds; ++round)
      CHECK(sameBits(together[static_cast<size_t>(thread)][static_cast<size_t>(round)], forward(thread, round)));
}

TEST("models: cancelling one caller while others work ends that caller alone") {
  const auto model = smallModel(1);
  const auto alone = model->forward(randomImages(0, 1), false);
  std::atomic<bool> cancelled{false};
  std::atomic<int> cancellations{0}, wrong{0};
  std::thread cancelling([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    cancelled = true;
  });
  concurrently([&](int thread) {
    if (thread == 0) {
      const std::string code = codeOf([&] {
        for (;;) model->forward(randomImages(0, 1), false, &cancelled);
      });
      cancellations += code == errors::kCancelled;
    } else {
      for (int round = 0; round < 10; ++round) wrong += !sameBits(model->forward(randomImages(0, 1), false), alone);
    }
  });
  cancelling.join();
  CHECK_EQUAL(cancellations.load(), 1);
  CHECK_EQUAL(wrong.load(), 0);
  CHECK(sameBits(model->forward(randomImages(0, 1), false), alone));
}

TEST("a joint network takes over a trunk while others ask what it is, and computes with it from then on") {
  const model::RuntimeOptions runtime{.device = testDevice(), .precision = "fp32"};
  const networks::NetworkSpec spec{.network = "jcs-joint", .width = 0.05, .trunk = "res2net50-v1b"};
  const auto used = model::Model::create(spec, runtime, 1), fresh = model::Model::create(spec, runtime, 1);
  // An epsilon that can be seen in the outputs.
  const auto classifier =
      model::Model::create({.network = "res2net50-v1b", .width = 0.05, .trunkEpsilon = 0.01f}, runtime, 2);
  const Tensor images = randomImages(3, 1);
  used->forward(images, false);
  std::atomic<int> others{0};
  concurrently([&](int thread) {
    if (thread == 0) return used->copyTrunk(*classifier);
    for (int i = 0; i < 1000; ++i) {
      const float epsilon = networks::classifierEpsilon(used->spec());
      others += epsilon != 0.01f && epsilon != kBatchNormEpsilon;
    }
  });
  CHECK_EQUAL(others.load(), 0);
  fresh->copyTrunk(*classifier);
  CHECK(used->spec() == fresh->spec());
  CHECK(sameBits(used->forward(images, false), fresh->forward(images, false)));
}

TEST("programs: the arena at hand is no memory that another program lacks") {
  const auto model = smallModel(1);
  runtime::Engine& engine = model->engine();
  const auto expected = model->forward(randomImages(0, 7), false);
  model->forward(randomImages(0, 8), false);
  const int64_t arena = engine.arenaBytes();
  const auto compile = [&](int64_t n) {
    const auto graph = networks::inferenceGraph(model->spec(), n, 32, 32, false);
    compiler::DerivedStore weights;
    compiler::Program program(*graph, engine.sharedBackend(), model->compileOptions(), &weights);
    return program.arenaBytes();
  };
  const int64_t weights = model->memoryBytes();  // more than what a program derives from them
  constexpr int64_t kPlenty = int64_t{1} << 30;
  engine.backend().limitMemory(kPlenty);
  const int64_t used = kPlenty - engine.backend().freeBytes();
  engine.backend().limitMemory(used + 2 * weights + arena / 2);
  const int64_t smaller = compile(7), growth = compile(9);
  const std::string much = codeOf([&] { compile(64); });
  engine.backend().limitMemory(0);
  CHECK(smaller <= arena && growth > arena);
  CHECK_EQUAL(much, std::string(errors::kOutOfMemory));
  CHECK(sameBits(model->forward(randomImages(0, 7), false), expected));
}

TEST("backend: memory of the host's own is uploaded as it was when it was released") {
  const auto backend = testBackend();
  constexpr int64_t kBytes = 3 << 20;
  DeviceBuffer device(backend, kBytes);
  std::vector<std::byte> found(kBytes);
  for (int round = 1; round <= 4; ++round) {
    const auto host = backend->hostMemory(kBytes);
    CHECK_EQUAL(reinterpret_cast<uintptr_t>(host.get()) % kMemoryAlignment, uintptr_t{0});
    std::memset(host.get(), round, kBytes);
    backend->upload(device.data(), host.get(), kBytes);
    const auto other = backend->hostMemory(kBytes);  // while the first is in use: another
    CHECK(other.get() != host.get());
    std::memset(other.get(), 0, kBytes);
    backend->download(found.data(), device.data(), kBytes);
    CHECK(std::ranges::all_of(found, [&](std::byte b) { return b == static_cast<std::byte>(round); }));
  }
}

TEST("backend: memory that is used often keeps its values while it is moved, and may be freed meanwhile") {
  const auto backend = testBackend();
  constexpr int64_t kBytes = 48 << 20;
  const std::vector<std::byte> expected(kBytes, std::byte{5});
  std::vector<std::byte> found(kBytes);
  for (int round = 0; round < 4; ++round) {
    DeviceBuffer kept(backend, kBytes);
    backend->upload(kept.data(), expected.data(), kBytes);
    {
      DeviceBuffer freed(backend, kBytes);
      backend->upload(freed.data(), expected.data(), kBytes);
      for (const DeviceBuffer* buffer : {&freed, &kept, &freed}) backend->settle(buffer->data(), kBytes);
    }
    backend->download(found.data(), kept.data(), kBytes);
    CHECK(found == expected);
  }
}

TEST("models: disposed while others work, every caller gets its result or DISPOSED, and the memory goes") {
  for (int round = 0; round < 5; ++round) {
    const auto model = smallModel(1);
    const auto alone = model->forward(randomImages(0, 1), false);
    std::atomic<int> disposals{0}, wrong{0}, calls{0};
    std::thread disposing([&] {
      while (calls < 4) std::this_thread::yield();
      model->dispose();
    });
    concurrently([&](int) {
      const std::string code = codeOf([&] {
        for (;;) {
          ++calls;
          wrong += !sameBits(model->forward(randomImages(0, 1), false), alone);
        }
      });
      disposals += code == errors::kDisposed;
    });
    disposing.join();
    CHECK_EQUAL(disposals.load(), kThreads);
    CHECK_EQUAL(wrong.load(), 0);
    CHECK_EQUAL(model->memoryBytes(), int64_t{0});
  }
}
