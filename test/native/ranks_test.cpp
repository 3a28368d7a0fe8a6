#include <algorithm>
#include <functional>

#include "backend/loader.h"
#include "core/json.h"
#include "core/philox.h"
#include "cuda_emulation/emulated_backend.h"
#include "graph/autodiff.h"
#include "native/compiled.h"
#include "native/fixtures.h"
#include "native/harness.h"
#include "native/test_files.h"
#include "native/thread_ranks.h"
#include "nn/batch_norm_layer.h"
#include "ops/communication.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "train/task_loss.h"
#include "train/training_graph.h"

/// Steps that ranks take together, against the step that one process takes on all of their samples.

using namespace jcs;
using Json = nlohmann::json;

namespace {

constexpr int kSteps = 2;
/// Of a tensor's length; the second step carries the rounding of the first on.
constexpr double kTolerance = 5e-4;

/// Samples [first, first + count) of N×….
Tensor samplesOf(const Tensor& all, int64_t first, int64_t count) {
  Shape shape = all.shape();
  const int64_t size = all.elements() / shape[0];
  shape[0] = count;
  return Tensor::fromFloats(
      shape, all.as<float>().subspan(static_cast<size_t>(first * size), static_cast<size_t>(count * size)));
}

struct Trained {
  NamedTensors states;
  std::vector<std::map<std::string, double>> losses;  ///< by step, summed over the ranks
};

/// Everything that a step of a task has, on four samples of test/fixtures/curves.
struct Task {
  networks::NetworkSpec spec;
  train::TrainConfig config;
  NamedTensors weights, inputs;

  Task(const std::string& fixture, networks::Task task) {
    const Json entry = fixturesIn("curves/" + fixture).at(0);
    spec = fixtureSpec(entry.at("spec"));
    weights = fixtureTensors(entry.at("weights"));
    config.task = task;
    config.inputSize = 64;
    config.batchNorm = BatchNormMode::kSynchronized;
    config.optimizer.kind = train::OptimizerOptions::Kind::kSgd;
    config.optimizer.maxGradientNorm = 5;
    config.activationLoss = task == networks::Task::kClassification;
    NamedTensors t = fixtureTensors("curves/inputs.safetensors");
    inputs["image"] = channelsLast(t.at("images"));
    if (task == networks::Task::kSegmentation) {
      inputs["mask"] = channelsLast(t.at("masks"));
      return;
    }
    inputs["targets"] = t.at("labels").clone();
    const Shape& s = t.at("map_masks").shape();
    inputs["activationMask"] = Tensor::fromFloats({s[0], s[1], s[2], 1}, t.at("map_masks").as<float>());
    inputs["activationWeights"] = Tensor::fromFloats({4}, std::vector<float>{0.5f, 0, 0.5f, 0});
  }

  /// `rank` of as many as the communicator has.
  Trained train(communication::Communicator* communicator) const {
    const int64_t ranks = communicator ? communicator->ranks() : 1, rank = communicator ? communicator->rank() : 0;
    train::TrainConfig own = config;
    own.ranks = ranks;
    const int64_t count = 4 / ranks;
    const auto graph = train::stepGraph(train::taskLoss(spec, own), count, own.optimizer, ranks);
    CompiledGraph step(*graph, weights, DType::kF32, 1, loadBackend("cpu", 1), communicator);
    NamedTensors part;
    for (const auto& [name, value] : inputs) part[name] = samplesOf(value, rank * count, count);
    part[train::kHyperInput.name] = Tensor::fromFloats({1}, std::vector<float>{0.01f});
    Trained trained;
    for (int i = 0; i < kSteps; ++i) {
      auto& losses = trained.losses.emplace_back();
      for (const auto& [name, loss] : step.run(part)) {
        float value = loss.as<float>()[0];
        if (communicator) communicator->sum({&value, 1});
        losses[name] = static_cast<double>(value);
      }
    }
    for (const auto& [name, entry] : step.states().entries()) trained.states[name] = step.states().get(name);
    return trained;
  }
};

double largestOf(const Tensor& tensor) {
  double largest = 0;
  for (const float value : tensor.as<float>()) largest = std::max(largest, std::abs(static_cast<double>(value)));
  return largest;
}

void checkSame(const Trained& together, const Trained& one) {
  for (size_t i = 0; i < one.losses.size(); ++i)
    for (const auto& [name, loss] : one.losses[i])
      if (!(std::abs(together.losses[i].at(name) - loss) <= 2e-5 * std::max(1.0, std::abs(loss))))
        test::reportFailure(__FILE__, __LINE__,
                            name + " of step " + std::to_string(i) + " is " +
                                std::to_string(together.losses[i].at(name)) + ", of one process " +
                                std::to_string(loss));
  double largestMomentum = 0;
  for (const auto& [name, state] : one.states)
    if (name.starts_with(train::kOptimizerPrefix)) largestMomentum = std::max(largestMomentum, largestOf(state));
  for (const auto& [name, state] : one.states) {
    // Some gradients, as of a bias in front of batch statistics, are nothing but rounding.
    if (name.starts_with(train::kOptimizerPrefix) && largestOf(state) < 1e-5 * largestMomentum) continue;
    const double off = relativeError(together.states.at(name), state);
    if (!(off <= kTolerance)) test::reportFailure(__FILE__, __LINE__, name + " is off by " + std::to_string(off));
  }
}

void checkTask(const Task& task, int ranks) {
  const Trained one = task.train(nullptr);
  std::vector<Trained> all(static_cast<size_t>(ranks));
  ThreadRanks threads(ranks);
  threads.run([&](auto& communicator) { all[static_cast<size_t>(communicator.rank())] = task.train(&communicator); });
  for (const Trained& rank : all) checkSame(rank, one);
  for (const auto& [name, state] : all[0].states)
    CHECK(std::ranges::equal(state.as<float>(), all.back().states.at(name).as<float>()));
}

/// y of a batch norm, and the gradients of Σ dy·y, of x with that mean and deviation in every channel; the ranks' own
/// means are apart by `distance` deviations.
struct NormCase {
  float mean, deviation, distance;
};

using MakeBackend = std::function<std::shared_ptr<Backend>()>;

NamedTensors normalised(const NormCase& c, const MakeBackend& makeBackend, communication::Communicator* communicator) {
  const int64_t ranks = communicator ? communicator->ranks() : 1, rank = communicator ? communicator->rank() : 0;
  constexpr int64_t kSamples = 4, kChannels = 24;
  const Shape whole{kSamples, 5, 5, kChannels};
  Tensor x(DType::kF32, whole), dy(DType::kF32, whole);
  Philox random(5, 0, 0, RandomPurpose::kInitialise);
  for (size_t i = 0; i < x.as<float>().size(); ++i) {
    const float side = i < x.as<float>().size() / 2 ? -0.5f : 0.5f;
    x.as<float>()[i] = c.mean + c.deviation * (random.uniform(-1, 1) + side * c.distance);
    dy.as<float>()[i] = random.uniform(-1, 1);
  }
  Graph graph;
  const Shape own{kSamples / ranks, 5, 5, kChannels};
  const Value in = graph.state("x", {DType::kF32, own}, {Initializer::constant(0), true});
  const Value weights = graph.input("dy", {DType::kF32, own});
  const Value y =
      batchNorm(Scope(graph) / "bn", in, {.mode = BatchNormMode::kSynchronized, .training = true, .ranks = ranks});
  const Value loss = reduceSum(multiply(y, weights), Shape{});
  std::vector<Value> wanted{in, *graph.findState("bn.weight"), *graph.findState("bn.bias")};
  std::vector<Value> found = gradients(loss, wanted, add);
  if (ranks > 1) found[1] = allReduce(found[1]), found[2] = allReduce(found[2]);
  graph.output("y", y);
  graph.output("dx", found[0]);
  graph.output("dgamma", found[1]);
  graph.output("dbeta", found[2]);
  NamedTensors states;
  states["x"] = samplesOf(x, rank * own[0], own[0]);
  Tensor gamma(DType::kF32, {kChannels});
  std::ranges::fill(gamma.as<float>(), 1.5f);
  states["bn.weight"] = std::move(gamma);
  CompiledGraph compiled(graph, states, DType::kF32, 1, makeBackend(), communicator);
  NamedTensors inputs;
  inputs["dy"] = samplesOf(dy, rank * own[0], own[0]);
  NamedTensors results = compiled.run(inputs);
  for (const char* name : {"bn.running_mean", "bn.running_var"}) results[name] = compiled.states().get(name);
  return results;
}

}  // namespace

TEST("ranks: synchronised batch norms, and their gradients, are those of all values") {
  struct Device {
    MakeBackend makeBackend;
    std::vector<NormCase> cases;
  };
  const std::vector<NormCase> ordinary{{0, 1, 0}, {0, 1, 2}, {5, 1, 0}, {5, 0.1f, 1}, {0, 1e-3f, 0}};
  std::vector<NormCase> all = ordinary;
  all.push_back({100, 1, 0.5f});
  // The GPU's kernels as well, whose sums go through memory of the host; but where a mean's own rounding is of the size
  // of what is allowed here.
  const Device devices[] = {{[] { return loadBackend("cpu", 1); }, all},
                            {[] { return createEmulatedCudaBackend(); }, ordinary}};
  for (const auto& [makeBackend, cases] : devices)
    for (const NormCase& c : cases) {
      const NamedTensors one = normalised(c, makeBackend, nullptr);
      std::vector<NamedTensors> ranks(2);
      ThreadRanks threads(2);
      threads.run([&, &make = makeBackend](auto& communicator) {
        ranks[static_cast<size_t>(communicator.rank())] = normalised(c, make, &communicator);
      });
      for (int64_t rank = 0; rank < 2; ++rank)
        for (const auto& [name, value] : ranks[static_cast<size_t>(rank)]) {
          const bool isWhole = value.shape() == one.at(name).shape();
          const Tensor expected = isWhole ? one.at(name).clone() : samplesOf(one.at(name), 2 * rank, 2);
          const double off = relativeError(value, expected);
          if (!(off <= 1e-5))
            test::reportFailure(__FILE__, __LINE__,
                                name + " of mean " + std::to_string(c.mean) + ", deviation " +
                                    std::to_string(c.deviation) + ", distance " + std::to_string(c.distance) +
                                    " is off by " + std::to_string(off * 1e6) + "e-6");
        }
    }
}

TEST("ranks: two of two samples and four of one segment as one process of four, batch norms synchronised") {
  const Task task("jcs-segmentation", networks::Task::kSegmentation);
  checkTask(task, 2);
  checkTask(task, 4);
}

TEST("ranks: two of two samples classify as one process of four") {
  checkTask(Task("res2net50", networks::Task::kClassification), 2);
}

TEST("ranks: losses without sums over the batch need no exchange of their own") {
  Task task("jcs-segmentation", networks::Task::kSegmentation);
  task.config.loss = SideLoss::kBce;
  checkTask(task, 2);
}

TEST("ranks: gradients are summed while others are computed") {
  Task task("jcs-segmentation", networks::Task::kSegmentation);
  task.spec.width = 0.5;  // enough gradients for several messages
  task.config.ranks = 2;
  task.config.batchNorm = BatchNormMode::kBatch;
  const auto graph = train::stepGraph(train::taskLoss(task.spec, task.config), 2, task.config.optimizer, 2);
  CompiledGraph step(*graph, {});
  std::vector<size_t> starts, finishes, gradients, updates;
  const auto& steps = step.program().steps();
  for (size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].op == "all_reduce_start") starts.push_back(i);
    if (steps[i].op == "all_reduce_finish") finishes.push_back(i);
    if (steps[i].op == "conv2d_weight_gradient") gradients.push_back(i);
    if (steps[i].op == "sgd_update") updates.push_back(i);
  }
  // Two of them are of the Dice sums, forward and backward.
  CHECK(starts.size() > 4 && starts.size() == finishes.size());
  CHECK(starts[2] < gradients[gradients.size() / 2]);
  CHECK(finishes[2] > gradients.back());
  CHECK(finishes.back() < updates.front());
}
