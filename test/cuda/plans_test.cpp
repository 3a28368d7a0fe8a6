#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "backend/cuda/convolution.h"
#include "compiler/passes.h"
#include "conformance/case.h"
#include "cuda/absent_device.h"
#include "native/harness.h"
#include "native/temporary_directory.h"
#include "networks/registry.h"
#include "ops/conv2d.h"
#include "train/task_loss.h"
#include "train/training_graph.h"

namespace jcs::test {

namespace {

using cuda::ConvolutionProblem;

/// The convolutions of a graph as the backend would prepare them, by description.
using Problems = std::map<std::string, ConvolutionProblem>;

/// In the precision of `activation`. `sliced`: the activations are channel slices at an odd offset.
void addProblems(const Graph& graph, DType activation, const KernelOptions& options, bool sliced, Problems& problems) {
  const auto operand = [&](const TensorType& type) {
    Operand o = Operand::dense(type);
    if (sliced && type.shape.rank() == 4) o.rowStride += 5, o.alignment = sizeOf(type.dtype);
    return o;
  };
  for (const Node& node : graph.nodes()) {
    if (!is<Conv2d>(*node.op) && !is<Conv2dInputGradient>(*node.op) && !is<Conv2dWeightGradient>(*node.op)) continue;
    std::vector<TensorType> types;
    std::vector<Operand> inputs;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      TensorType type = graph.values()[node.inputs[i]].type;
      type.dtype = node.op->precision(static_cast<int>(i)) == Precision::kActivation ? activation : DType::kF32;
      types.push_back(type);
      const bool isWeight = i == 1 && !is<Conv2dWeightGradient>(*node.op);
      inputs.push_back(isWeight ? Operand::dense(type) : operand(type));
    }
    const TensorType result = node.op->infer(types)[0];
    std::optional<ConvolutionProblem> problem;
    if (const auto* op = as<Conv2d>(*node.op)) problem = cuda::forwardProblem(*op, inputs, operand(result), options);
    if (const auto* op = as<Conv2dInputGradient>(*node.op))
      problem = cuda::inputGradientProblem(*op, inputs, operand(result), options);
    if (const auto* op = as<Conv2dWeightGradient>(*node.op))
      problem = cuda::weightGradientProblem(*op, inputs, Operand::dense(result), options);
    // Groups are no part of any network; what has no plan runs on our own kernels, as do 1×1 convolutions to one
    // channel.
    const bool grouped = problem->weights.inputs != problem->x.channels;
    const bool isRowDots = is<Conv2d>(*node.op) && problem->weights.outputs == 1 && problem->weights.taps == 1;
    if (!grouped && !isRowDots) problems.emplace(describe(*problem), *problem);
  }
}

/// cuDNN compiles kernels for most plans that use tensor cores, a second each: one problem of each kind then stands for
/// the others, which differ in extents, unless JCS_ALL_PLANS is set.
Problems oneOfEachKind(const Problems& problems) {
  if (std::getenv("JCS_ALL_PLANS")) return problems;
  std::map<std::string, Problems::value_type> kinds;
  for (const auto& entry : problems) {
    const ConvolutionProblem& p = entry.second;
    std::ostringstream kind;
    kind << static_cast<int>(p.pass) << ' ' << p.kernelHeight << ' ' << p.convolution.stride << ' '
         << (p.convolution.dilation > 1) << (p.x.copied || p.y.copied) << p.bias << p.residual.has_value()
         << static_cast<int>(p.activation) << (p.x.dtype == p.y.dtype);
    kinds.try_emplace(kind.str(), entry);
  }
  Problems chosen;
  for (const auto& [kind, entry] : kinds) chosen.insert(entry);
  return chosen;
}

/// Every problem has a plan, with its epilogue or without; says how many have one with it.
void checkPlans(const Problems& problems) {
  CHECK(problems.size() > 8);
  cuda::ConvolutionPlans plans(absentH100());
  int withEpilogue = 0, fused = 0;
  for (const auto& [text, problem] : problems) {
    const cuda::ChosenPlan chosen = plans.choose(problem);
    withEpilogue += problem.hasEpilogue();
    fused += chosen.fused;
    if (!chosen.plan) reportFailure(__FILE__, __LINE__, "no plan for " + text);
    if (chosen.plan && std::getenv("JCS_ALL_PLANS"))
      std::printf("     %s: %s\n", text.c_str(), chosen.plan->name().c_str());
  }
  std::printf("     %zu problems, %d of %d epilogues fused\n", problems.size(), fused, withEpilogue);
}

Problems conformanceProblems(DType activation, const KernelOptions& options) {
  Problems problems;
  for (const conformance::Case& row : conformance::cases()) {
    const conformance::CaseGraph built = conformance::buildGraph(row);
    for (const bool sliced : {false, true}) addProblems(*built.graph, activation, options, sliced, problems);
  }
  return problems;
}

}  // namespace

TEST("a plan is shared by problems that are the same and by no others") {
  const Operand x = Operand::dense({DType::kBF16, {1, 8, 8, 64}}), w = Operand::dense({DType::kF32, {64, 64, 3, 3}}),
                bias = Operand::dense({DType::kF32, {64}});
  Conv2d op;
  op.conv.padding = 1;
  op.bias = true;
  const auto key = [&](const Conv2d& conv, const Operand& input, const KernelOptions& options) {
    return planKey(cuda::forwardProblem(conv, std::vector{input, w, bias}, x, options));
  };
  const std::string same = key(op, x, {});
  CHECK_EQUAL(key(op, x, {.threads = 2}), same);
  Conv2d relu = op;
  relu.activation = Activation::kRelu;
  Operand slice = x;
  slice.rowStride = 128;
  for (const std::string& other : {key(relu, x, {}), key(op, slice, {}), key(op, x, {.deterministic = false})})
    CHECK(other != same);
}

TEST("a plan that was made once is read from its file, and from no damaged one") {
  const TemporaryDirectory directory;
  const std::filesystem::path folder = std::filesystem::path(directory / "new") / "H100";
  const Operand x = Operand::dense({DType::kBF16, {1, 8, 8, 64}}), w = Operand::dense({DType::kF32, {64, 64, 3, 3}});
  Conv2d op;
  op.conv.padding = 1;
  op.activation = Activation::kRelu;
  const ConvolutionProblem problem = cuda::forwardProblem(op, std::vector{x, w}, x, {});
  const cuda::PlanFiles files(folder);
  const cuda::ChosenPlan made = cuda::ConvolutionPlans(absentH100(), files).choose(problem);
  CHECK(made.plan && made.fused);

  const auto kept = files.read(planKey(problem));
  CHECK(kept.has_value());
  CHECK_EQUAL(kept->json, made.plan->json());
  // A name that no engine has tells the plan that was read from one that was made.
  files.write(planKey(problem), {"kept", kept->json, true});
  const cuda::ChosenPlan read = cuda::ConvolutionPlans(absentH100(), files).choose(problem);
  CHECK_EQUAL(read.plan->name(), "kept");
  CHECK(read.fused);
  CHECK_EQUAL(read.plan->workspaceBytes(), made.plan->workspaceBytes());
  CHECK_EQUAL(read.plan->json(), made.plan->json());

  // What cuDNN does not take for a plan is made again, and replaces the file.
  files.write(planKey(problem), {"kept", "{}", true});
  CHECK_EQUAL(cuda::ConvolutionPlans(absentH100(), files).choose(problem).plan->name(), made.plan->name());
  CHECK_EQUAL(files.read(planKey(problem))->name, made.plan->name());
}

TEST("plans without an epilogue are chosen by the clock, others where that is asked for, and the choice is kept") {
  const TemporaryDirectory directory;
  const cuda::PlanFiles files(directory.path());
  const Operand x = Operand::dense({DType::kBF16, {4, 28, 28, 64}}), w = Operand::dense({DType::kF32, {64, 64, 3, 3}});
  Conv2d op;
  op.conv.padding = 1;
  const ConvolutionProblem bare = cuda::forwardProblem(op, std::vector{x, w}, x, {});
  op.activation = Activation::kRelu;
  const ConvolutionProblem withRelu = cuda::forwardProblem(op, std::vector{x, w}, x, {});
  const std::string first = cuda::ConvolutionPlans(absentH100()).choose(bare).plan->name();

  std::vector<std::string> tried;
  const auto choose = [&](cuda::TimedPlans which, const ConvolutionProblem& problem, const cuda::PlanTimer& timer) {
    cuda::ConvolutionPlans plans(absentH100(), files);
    plans.timePlans(which, timer);
    return plans.choose(problem).plan->name();
  };
  // Each is faster than the one before it.
  const cuda::PlanTimer lastIsFastest = [&](const cuda::ExecutionPlan& plan, const ConvolutionProblem&, bool) {
    tried.push_back(plan.name());
    return 1.0 / static_cast<double>(tried.size());
  };
  const std::string fastest = choose({.candidates = 4}, bare, lastIsFastest);
  CHECK(tried.size() > 1 && tried.size() <= 4);
  CHECK_EQUAL(tried.front(), first);
  CHECK_EQUAL(fastest, tried.back());

  const size_t before = tried.size();
  CHECK_EQUAL(choose({.candidates = 4}, bare, lastIsFastest), fastest);  // from its file
  choose({.candidates = 4}, withRelu, lastIsFastest);
  CHECK_EQUAL(tried.size(), before);
  choose({.candidates = 2, .fusible = true}, withRelu, lastIsFastest);
  CHECK(tried.size() > before);

  const cuda::PlanTimer noRoom = [](const auto&...) { return std::numeric_limits<double>::infinity(); };
  CHECK_EQUAL(choose({.candidates = 3}, bare, noRoom), first);
}

TEST("a plan file that is cut, altered or of another problem is none") {
  const TemporaryDirectory directory;
  const cuda::PlanFiles files(directory.path());
  files.write("a problem", {"engine", "{\n}", false});
  const auto whole = files.read("a problem");
  CHECK(whole && whole->name == "engine" && whole->json == "{\n}" && !whole->fused);
  CHECK(!files.read("another problem"));
  const std::filesystem::path file = std::filesystem::directory_iterator(directory.path())->path();
  const auto size = std::filesystem::file_size(file);
  for (uintmax_t length = 0; length < size; ++length) {
    std::filesystem::resize_file(file, length);
    CHECK(!files.read("a problem"));
    files.write("a problem", *whole);
  }
  for (uintmax_t at = 0; at < size; ++at) {
    std::fstream damaged(file, std::ios::in | std::ios::out | std::ios::binary);
    damaged.seekp(static_cast<std::streamoff>(at));
    damaged.put('\x7f');
    damaged.close();
    CHECK(!files.read("a problem"));
    files.write("a problem", *whole);
  }
  // A file where the folder should be: nothing is kept, and nothing fails.
  const cuda::PlanFiles nowhere(file / "folder");
  nowhere.write("a problem", *whole);
  CHECK(!nowhere.read("a problem"));
  CHECK(!cuda::PlanFiles().read("a problem"));
}

/// Of a training step of the network, with everything in it that is trained.
Problems trainingProblems(const std::string& network, int64_t batch) {
  networks::NetworkSpec spec;
  spec.network = network;
  const networks::NetworkInfo& info = networks::networkInfo(network);
  train::TrainConfig config = train::recipe("authors", info.task, false);
  config.task = info.task;
  config.inputSize = info.inputSize;
  config.activationLoss = false;
  config.batchNorm = BatchNormMode::kBatch;
  config.trainTrunk = true;
  const auto graph =
      compiler::optimize(*train::stepGraph(train::taskLoss(spec, config), batch, config.optimizer), DType::kBF16);
  Problems problems;
  addProblems(*graph, DType::kBF16, {}, false, problems);
  return problems;
}

/// One convolution of each kind. Of all (JCS_ALL_PLANS, ten minutes) three have other engines: on sm_89 that of an
/// image, on sm_90 the weight gradient of dilation 9, on sm_100 the input gradient of one channel at 32².
TEST("GPUs from Ampere on train with tensor cores: no convolution of a step at full width falls back") {
  Problems problems;
  for (const auto& [network, batch] : {std::pair{"res2net50-v1b", 16}, std::pair{"jcs-segmentation", 4}})
    problems.merge(trainingProblems(network, batch));
  for (const int capability : {80, 89, 90, 100, 120}) {
    cuda::ConvolutionPlans plans(absentDevice(capability));
    for (const auto& [text, problem] : oneOfEachKind(problems)) {
      const auto plan = plans.choose(problem).plan;
      const std::string name = plan ? plan->name() : "no plan";
      if (!name.ends_with(":tensor"))
        reportFailure(__FILE__, __LINE__, "sm_" + std::to_string(capability) + ": " + name + " for " + text);
    }
  }
}

TEST("an H100 has a float32 plan for every convolution of the conformance table") {
  checkPlans(conformanceProblems(DType::kF32, {}));
}
TEST("an H100 has a tf32 plan for every convolution of the conformance table") {
  checkPlans(oneOfEachKind(conformanceProblems(DType::kF32, {.tf32 = true})));
}
TEST("an H100 has a bf16 plan for every convolution of the conformance table") {
  checkPlans(oneOfEachKind(conformanceProblems(DType::kBF16, {})));
}

TEST("an H100 has a bf16 plan for every convolution of the networks at full width") {
  Problems problems;
  for (const networks::NetworkInfo& network : networks::networks()) {
    networks::NetworkSpec spec;
    spec.network = network.name;
    const auto graph =
        compiler::optimize(*networks::inferenceGraph(spec, 1, network.inputSize, network.inputSize), DType::kBF16, 8);
    addProblems(*graph, DType::kBF16, {}, false, problems);
  }
  checkPlans(oneOfEachKind(problems));
}

}  // namespace jcs::test
