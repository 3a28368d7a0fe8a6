#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "core/philox.h"
#include "diagnosis/inference.h"
#include "model/model.h"
#include "ops/elementwise.h"
#include "train/task_loss.h"

/// What networks cost on a device, without Node: for machines that have none.
///
///   [JCS_BENCH_LOCK=FILE] jcs_device_bench DEVICE PRECISION JOB...
///
/// A job is KIND:NETWORK:BATCH:SIZE. `inference` and `step` time a compiled program whose operands are on the device,
/// as a deep-learning framework's timer would; `count` counts what `inference` times; `slices` times BATCH slices from
/// decoded pixels on the host to results on the host. One line of JSON a job: seconds, the program's memory, and its
/// steps in order of their time.
namespace jcs::bench {

namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;

constexpr int kWarmups = 3;  // the first runs, the second is recorded
constexpr size_t kTopSteps = 25;
constexpr int kCallers = 2;  ///< as many batches as `classify` and `segment` have under way

struct Job {
  std::string kind, network;
  int64_t batch = 1, size = 0;
};

Job parseJob(const std::string& text) {
  Job job;
  std::istringstream in(text);
  char colon = 0;
  std::getline(in, job.kind, ':');
  std::getline(in, job.network, ':');
  in >> job.batch >> colon >> job.size;
  const bool known = job.kind == "inference" || job.kind == "step" || job.kind == "slices" || job.kind == "count";
  require(in && in.peek() == EOF && colon == ':' && known && job.batch > 0 && job.size > 0, errors::kInvalidArgument,
          [&] { return "'" + text + "' is no job; write inference|step|slices|count:NETWORK:BATCH:SIZE"; });
  return job;
}

/// Of processes with the same JCS_BENCH_LOCK, one at a time goes on from here until it ends, the first when
/// JCS_BENCH_PROCESSES of them have come so far: they prepare themselves side by side, leave a byte each, and are timed
/// alone.
void takeTurn() {
  static const int file = [] {
    const char* path = std::getenv("JCS_BENCH_LOCK");
    const int opened = path ? ::open(path, O_CREAT | O_RDWR | O_APPEND, 0644) : -1;
    if (opened < 0) return opened;
    const char* processes = std::getenv("JCS_BENCH_PROCESSES");
    const off_t expected = processes ? std::atol(processes) : 1;
    const auto limit = Clock::now() + std::chrono::seconds(240);
    if (::write(opened, ".", 1) != 1) return opened;
    struct stat state {};
    while (::fstat(opened, &state) == 0 && state.st_size < expected && Clock::now() < limit)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return opened;
  }();
  if (file >= 0) ::flock(file, LOCK_EX);
}

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Json spreadOf(std::vector<double> seconds) {
  std::ranges::sort(seconds);
  return {{"median", seconds[seconds.size() / 2]}, {"best", seconds.front()}, {"worst", seconds.back()}};
}

Tensor randomTensor(const Shape& shape, uint32_t stream) {
  Tensor tensor = Tensor::zeros(DType::kF32, shape);
  Philox random(1, stream, 0, RandomPurpose::kShuffle);
  for (float& value : tensor.as<float>()) value = random.uniform();
  return tensor;
}

/// An operand that stays on the device. Multiplied by an input, for what depends on states alone is computed once.
Value resident(Graph& graph, const std::string& name, const Shape& shape) {
  const Value unit = graph.findInput("unit") ? *graph.findInput("unit") : graph.input("unit", {DType::kF32, {1}});
  return multiply(graph.state("bench/" + name, {DType::kF32, shape}), unit);
}

std::unique_ptr<Graph> inferenceGraph(const Job& job, const networks::NetworkSpec& spec) {
  auto graph = std::make_unique<Graph>();
  const Value image = resident(*graph, "image", {job.batch, job.size, job.size, 3});
  networks::addInferenceOutputs(*graph, image, spec, false);
  return graph;
}

std::unique_ptr<Graph> stepGraph(const Job& job, const networks::NetworkSpec& spec) {
  const networks::Task task = networks::networkInfo(spec.network).task;
  train::TrainConfig config = train::recipe("authors", task, false);
  config.task = task;
  config.inputSize = job.size;
  config.activationLoss = false;
  config.batchNorm = BatchNormMode::kBatch;
  config.trainTrunk = true;
  const train::BatchSource source = [&](Graph& graph, int64_t n, const std::optional<BatchPart>&) {
    train::BatchValues batch;
    batch.image = resident(graph, "image", {n, job.size, job.size, 3});
    if (task == networks::Task::kSegmentation) {
      batch.mask = resident(graph, "mask", {n, job.size, job.size, 1});
    } else {
      batch.targets = resident(graph, "targets", {n, 2});
    }
    return batch;
  };
  return train::stepGraph(train::taskLoss(spec, config, source), job.batch, config.optimizer);
}

void addStates(const Graph& graph, compiler::StateStore& states) {
  for (const ValueInfo& info : graph.values()) {
    if (info.kind != ValueInfo::Kind::kState || states.contains(info.name)) continue;
    states.set(info.name, info.name.starts_with("bench/") ? randomTensor(info.type.shape, 7)
                                                          : Tensor::zeros(DType::kF32, info.type.shape));
  }
}

Json stepsOf(const compiler::Program& program) {
  auto steps = program.steps();
  double total = 0;
  for (const auto& step : steps) total += step.seconds;
  std::map<std::string, std::pair<double, int>> byOp;
  for (const auto& step : steps) byOp[step.op].first += step.seconds, ++byOp[step.op].second;
  Json ops = Json::array(), top = Json::array();
  for (const auto& [op, sum] : byOp) ops.push_back({{"op", op}, {"seconds", sum.first}, {"count", sum.second}});
  std::ranges::sort(steps, std::ranges::greater{}, &compiler::Program::StepInfo::seconds);
  for (size_t i = 0; i < std::min(kTopSteps, steps.size()); ++i) {
    const auto& step = steps[i];
    std::string shapes;
    for (const TensorType& type : step.inputs) shapes += type.shape.toString() + ' ';
    top.push_back({{"op", step.op},
                   {"attributes", step.attributes},
                   {"shapes", shapes},
                   {"scope", step.scope},
                   {"implementation", step.implementation},
                   {"seconds", step.seconds},
                   {"teraflopsPerSecond", step.flops / step.seconds * 1e-12},
                   {"gigabytesPerSecond", step.bytes / step.seconds * 1e-9}});
  }
  return {{"stepSeconds", total}, {"ops", ops}, {"top", top}};
}

/// What an H100 SXM does at most, measured: a bf16 product of 8192³, and a copy, read and written.
constexpr double kCeilingFlops = 798e12, kCeilingBytes = 3.0e12;

/// By count: what a run has to do, and how long that takes where every step is at the ceiling that it meets first.
Json countOf(const compiler::Program& program) {
  double flops = 0, bytes = 0, seconds = 0;
  int paddedConvolutions = 0, epiloguesApart = 0;
  for (const auto& step : program.steps()) {
    flops += step.flops;
    bytes += step.bytes;
    seconds += std::max(step.flops / kCeilingFlops, step.bytes / kCeilingBytes);
    paddedConvolutions += step.implementation.find("padded") != std::string::npos;
    epiloguesApart += step.implementation.find("epilogue") != std::string::npos;
  }
  return {{"operations", program.recordedOperations()},
          {"teraflops", flops * 1e-12},
          {"gigabytes", bytes * 1e-9},
          {"secondsAtCeilings", seconds},
          {"paddedConvolutions", paddedConvolutions},
          {"epiloguesApart", epiloguesApart}};
}

/// What runs the convolutions, and how many of them: a slow engine shows here before it does in the time.
Json implementationsOf(const compiler::Program& program) {
  std::map<std::string, int> counts;
  for (const auto& step : program.steps())
    if (step.op.starts_with("conv2d")) ++counts[step.op + ' ' + step.implementation];
  return counts;
}

Json timeProgram(const Job& job, model::Model& model) {
  Json result;
  model.engine().runAndWait([&] {
    const auto graph = job.kind == "step" ? stepGraph(job, model.spec()) : inferenceGraph(job, model.spec());
    compiler::StateStore& states = model.states();
    addStates(*graph, states);
    const auto start = Clock::now();
    compiler::Program program(*graph, model.engine().sharedBackend(), model.compileOptions());
    result["compileSeconds"] = secondsSince(start);
    result["arenaBytes"] = program.arenaBytes();
    result["steps"] = program.steps().size();
    result["convolutions"] = implementationsOf(program);
    const std::vector<float> unit{1}, hyper{1e-9f, 1, 1};  // so small a learning rate leaves the weights finite
    compiler::Bindings bindings;
    for (const auto& [name, values] : {std::pair{"unit", &unit}, std::pair{"hyper", &hyper}}) {
      const auto input = graph->findInput(name);
      if (!input) continue;
      const auto count = static_cast<size_t>(graph->info(*input).type.shape.elements());
      bindings.input(InputPort<float>{name}, std::span(*values).first(count));
    }
    const auto run = [&] { model.engine().run(program, states, bindings); };
    Backend& backend = model.engine().backend();
    std::vector<std::function<void()>> once{run};
    takeTurn();
    const auto first = Clock::now();
    backend.time(once);
    result["firstRunSeconds"] = secondsSince(first);
    for (int i = 1; i < kWarmups; ++i) backend.time(once);
    result.update(countOf(program));
    if (job.kind == "count") return;
    const double estimate = backend.time(once)[0];
    const auto count = static_cast<size_t>(std::clamp(1.0 / estimate, 10.0, 200.0));
    const auto wall = Clock::now();
    const std::vector<double> seconds = backend.time(std::vector<std::function<void()>>(count, run));
    result["wallSeconds"] = secondsSince(wall) / static_cast<double>(count);
    result["seconds"] = spreadOf(seconds);
    result["runs"] = count;
    program.profile(true);
    run();
    run();  // the first found the device idle
    result.update(stepsOf(program));
  });
  return result;
}

Json timeSlices(const Job& job, model::Model& model) {
  data::SliceStore store;
  std::vector<size_t> indices;
  constexpr int64_t kSide = 512;
  for (int64_t i = 0; i < job.batch; ++i) {
    data::DecodedSlice slice;
    slice.info.format = PixelFormat::kU8;
    slice.info.width = slice.info.height = kSide;
    slice.info.channels = 1;
    for (int64_t p = 0; p < kSide * kSide; ++p) slice.pixels.push_back(static_cast<std::byte>(p * (i + 3) % 251));
    indices.push_back(store.append(slice));
  }
  model.setInputSize(job.size);
  const bool segments = model.task() == networks::Task::kSegmentation;
  const int64_t batch = std::min<int64_t>(job.batch, segments ? 16 : 64);
  const auto runBatch = [&](size_t first) {
    const auto count = std::min(static_cast<size_t>(batch), indices.size() - first);
    const diagnosis::SliceSelection part{store, std::span(indices).subspan(first, count)};
    if (segments) {
      diagnosis::segmentSlices(model, part, batch, {}, nullptr);
    } else {
      diagnosis::classifySlices(model, part, batch, {}, nullptr);
    }
  };
  const auto run = [&] {
    std::atomic<size_t> next{0};
    std::vector<std::jthread> callers;
    for (int caller = 0; caller < kCallers; ++caller)
      callers.emplace_back([&] {
        const auto step = static_cast<size_t>(batch);
        for (size_t first = next.fetch_add(step); first < indices.size(); first = next.fetch_add(step)) runBatch(first);
      });
  };
  const auto start = Clock::now();
  run();
  Json result{{"firstRunSeconds", secondsSince(start)}, {"batch", batch}, {"callers", kCallers}};
  takeTurn();
  run();
  std::vector<double> seconds;
  for (int i = 0; i < 5; ++i) {
    const auto begin = Clock::now();
    run();
    seconds.push_back(secondsSince(begin));
  }
  result["seconds"] = spreadOf(seconds);
  return result;
}

int run(const std::string& device, const std::string& precision, std::span<char*> jobs) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  int failed = 0;
  for (const std::string text : jobs) {
    Json line{{"job", text}, {"engine", "jcs-ct"}, {"precision", precision}};
    try {
      const Job job = parseJob(text);
      const auto start = Clock::now();
      const auto model = model::Model::create({.network = job.network, .variant = Variant::kAuthors},
                                              {.device = device, .precision = precision}, 1);
      line["createSeconds"] = secondsSince(start);
      line["variant"] = "authors";  // the one that the peers have
      line["device"] = model->engine().device().description;
      line["library"] = model->engine().device().library;
      line.update(job.kind == "slices" ? timeSlices(job, *model) : timeProgram(job, *model));
    } catch (const std::exception& error) {
      line["error"] = error.what();
      ++failed;
    }
    std::printf("%s\n", line.dump().c_str());
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace

}  // namespace jcs::bench

int main(int count, char** arguments) {
  if (count < 4) {
    std::fprintf(stderr, "usage: %s DEVICE PRECISION KIND:NETWORK:BATCH:SIZE...\n", arguments[0]);
    return 2;
  }
  return jcs::bench::run(arguments[1], arguments[2], std::span(arguments + 3, static_cast<size_t>(count - 3)));
}
