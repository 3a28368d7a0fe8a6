// build/Release/jcs_int8_bench [NETWORK [SIZE [ROUNDS [THREADS]]]]
//
// Would int8 pay? Times every convolution of a network's compiled program as it runs here in bfloat16, and beside it
// oneDNN's int8 convolution of the same shape with all that belongs to it: scales per channel, bias, ReLU, 8-bit
// result. The two take turns, and the fastest of the rounds counts. Favours int8: nothing is quantised or brought back,
// and calibration would cost accuracy.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <sstream>
#include <vector>

#include "backend/cpu/onednn.h"
#include "model/model.h"
#include "ops/conv2d.h"

namespace {

using namespace jcs;
using compiler::Program;
using dnnl::memory;
constexpr double kNever = std::numeric_limits<double>::max();

double secondsOf(const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int64_t attribute(const Program::StepInfo& step, const std::string& name) {
  std::istringstream words(step.attributes);
  for (std::string word; words >> word;)
    if (word.starts_with(name + "=")) return std::stoll(word.substr(name.size() + 1));
  invariant(false, "a convolution lacks an attribute");
  return 0;
}

/// oneDNN's int8 convolution of a step's shape, on memory of its own.
class Int8Convolution {
 public:
  Int8Convolution(cpu::CpuDevice& device, const Program::StepInfo& step) {
    const Shape &x = step.inputs[0].shape, &w = step.inputs[1].shape, &y = step.outputs[0].shape;
    const cpu::OnednnConcurrency concurrency(device.threads());
    const auto tensor = [](const Shape& s) {
      return memory::desc({s[0], s[3], s[1], s[2]}, memory::data_type::u8, memory::format_tag::nhwc);
    };
    const auto vector = [](int64_t length) {
      return memory::desc({length}, memory::data_type::f32, memory::format_tag::a);
    };
    const memory::desc anyWeights({w[0], w[1], w[2], w[3]}, memory::data_type::s8, memory::format_tag::any);
    const int64_t stride = attribute(step, "stride"), padding = attribute(step, "padding");
    const int64_t dilation = attribute(step, "dilation") - 1;
    dnnl::primitive_attr attributes = cpu::userScratchpad();
    attributes.set_scales_mask(DNNL_ARG_SRC, 0);
    attributes.set_scales_mask(DNNL_ARG_WEIGHTS, 1);
    attributes.set_scales_mask(DNNL_ARG_DST, 0);
    dnnl::post_ops postOps;
    postOps.append_eltwise(dnnl::algorithm::eltwise_relu, 0, 0);
    attributes.set_post_ops(postOps);
    const dnnl::convolution_forward::primitive_desc description(
        device.engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, tensor(x), anyWeights,
        vector(w[0]), tensor(y), {stride, stride}, {dilation, dilation}, {padding, padding}, {padding, padding},
        attributes);
    x_ = buffer(tensor(x)), y_ = buffer(tensor(y)), weights_ = buffer(description.weights_desc());
    floats_.assign(static_cast<size_t>(w[0]), 1.0f);  // bias and scales alike
    convolution_ = {device,
                    device.threads(),
                    description,
                    [](const auto& d) { return dnnl::convolution_forward(d); },
                    {{DNNL_ARG_SRC, tensor(x)},
                     {DNNL_ARG_WEIGHTS, description.weights_desc()},
                     {DNNL_ARG_BIAS, vector(w[0])},
                     {DNNL_ARG_ATTR_SCALES | DNNL_ARG_SRC, vector(1)},
                     {DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, vector(w[0])},
                     {DNNL_ARG_ATTR_SCALES | DNNL_ARG_DST, vector(1)},
                     {DNNL_ARG_DST, tensor(y)}}};
    scratch_ = HostBuffer(std::max<int64_t>(convolution_.scratchBytes(), 64));
  }

  void run() {
    convolution_.execute({{DNNL_ARG_SRC, x_.data()},
                          {DNNL_ARG_WEIGHTS, weights_.data()},
                          {DNNL_ARG_BIAS, floats_.data()},
                          {DNNL_ARG_ATTR_SCALES | DNNL_ARG_SRC, floats_.data()},
                          {DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, floats_.data()},
                          {DNNL_ARG_ATTR_SCALES | DNNL_ARG_DST, floats_.data()},
                          {DNNL_ARG_DST, y_.data()}},
                         scratch_.data());
  }
  const std::string& implementation() const { return convolution_.implementation(); }

 private:
  static HostBuffer buffer(const memory::desc& description) {
    HostBuffer memory(static_cast<int64_t>(description.get_size()));
    std::fill_n(memory.data(), memory.bytes(), std::byte{1});
    return memory;
  }

  HostBuffer x_, y_, weights_, scratch_;
  std::vector<float> floats_;
  cpu::BoundPrimitive convolution_;
};

/// The convolutions of one shape: how many there are, and what all of them take together.
struct Row {
  std::unique_ptr<Int8Convolution> int8;
  std::string implementation;
  int count = 0;
  double oursSeconds = 0, int8Seconds = kNever;
};

std::string shapeOf(const Program::StepInfo& step) {
  return step.inputs[0].shape.toString() + " * " + step.inputs[1].shape.toString() + " dilation " +
         std::to_string(attribute(step, "dilation")) + " stride " + std::to_string(attribute(step, "stride"));
}

void bench(const std::string& network, int64_t size, int rounds, int threads) {
  networks::NetworkSpec spec{.network = network};
  if (network != "unet") spec.variant = Variant::kAuthors;
  const auto model = model::Model::create(spec, {"cpu", "bf16", threads}, 1);
  cpu::CpuDevice device(model->threads());

  std::map<std::string, Row> rows;
  std::map<size_t, double> ours;  // by the step's index
  std::vector<Program::StepInfo> steps;
  for (int round = 0; round < rounds; ++round) {
    steps = model->profile(1, size, size).steps;
    for (size_t i = 0; i < steps.size(); ++i) {
      if (steps[i].op != Conv2d::kName) continue;
      const auto [fastest, isNew] = ours.try_emplace(i, steps[i].seconds);
      fastest->second = std::min(fastest->second, steps[i].seconds);
      Row& row = rows[shapeOf(steps[i])];
      if (!row.int8) row.int8 = std::make_unique<Int8Convolution>(device, steps[i]);
      row.count += round == 0;
    }
    for (auto& [shape, row] : rows) row.int8Seconds = std::min(row.int8Seconds, secondsOf([&] { row.int8->run(); }));
  }
  for (const auto& [i, seconds] : ours) {
    Row& row = rows[shapeOf(steps[i])];
    row.oursSeconds += seconds;
    row.implementation = steps[i].implementation;
  }

  std::printf("%s, 1x%ld, %s here, %d threads, fastest of %d rounds\n", network.c_str(), static_cast<long>(size),
              model->precision().c_str(), model->threads(), rounds);
  std::printf("%-62s %3s %10s %10s %6s  %s\n", "convolution", "n", "ours ms", "int8 ms", "ratio", "kernels");
  double oursTotal = 0, int8Total = 0;
  for (const auto& [shape, row] : rows) {
    const double int8 = row.int8Seconds * row.count;
    oursTotal += row.oursSeconds, int8Total += int8;
    std::printf("%-62s %3d %10.3f %10.3f %6.2f  %s, %s\n", shape.c_str(), row.count, row.oursSeconds * 1e3, int8 * 1e3,
                row.oursSeconds / int8, row.implementation.c_str(), row.int8->implementation().c_str());
  }
  std::printf("%-62s %3zu %10.3f %10.3f %6.2f\n", "all", ours.size(), oursTotal * 1e3, int8Total * 1e3,
              oursTotal / int8Total);
}

}  // namespace

int main(int count, char** arguments) {
  const auto number = [&](int index, int fallback) { return count > index ? std::atoi(arguments[index]) : fallback; };
  try {
    bench(count > 1 ? arguments[1] : "jcs-segmentation", number(2, 512), std::max(2, number(3, 7)), number(4, 0));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
