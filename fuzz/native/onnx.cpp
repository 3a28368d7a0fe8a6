#include "io/onnx.h"

#include <fstream>

#include "fuzz/native/source.h"
#include "native/temporary_directory.h"
#include "ops/batch_norm.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"
#include "ops/layout.h"
#include "ops/loss.h"
#include "ops/matmul.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/resize.h"

/// Graphs of any ops in any order: they are refused where their shapes do not fit, and exported, or refused, where they
/// do.

namespace jcs::fuzz {

namespace {

class RandomGraph {
 public:
  explicit RandomGraph(Source& source) : source_(source) {
    values_.push_back(graph.input("image", {DType::kF32, {source_.within(1, 3), small(), small(), small()}}));
  }

  void grow() {
    allowing({errors::kShapeMismatch, errors::kInvalidArgument, errors::kInputTooSmall, errors::kInputTooLarge,
              errors::kInvalidType, errors::kBatchNormBatchTooSmall},
             [&] { addSome(); });
  }
  void finish() {
    for (size_t i = 0; i < values_.size(); ++i)
      if (i + 1 == values_.size() || source_.within(0, 7) == 0) graph.output("y" + std::to_string(i), values_[i]);
  }

  Graph graph;

 private:
  int64_t small() { return source_.within(1, 6); }
  Value one() { return values_[static_cast<size_t>(source_.within(0, static_cast<int64_t>(values_.size()) - 1))]; }
  Value state(Shape shape) { return graph.state("s" + std::to_string(states_++), {DType::kF32, std::move(shape)}); }
  Shape someShape() {
    const int64_t rank = source_.within(1, 4);
    std::vector<int64_t> extents;
    for (int64_t i = 0; i < rank; ++i) extents.push_back(source_.within(0, 6));
    return Shape(std::span<const int64_t>(extents));
  }
  void add(Value value) { values_.push_back(value); }

  void addSome() {
    const Value x = one();
    const int64_t channels = x.shape().rank() > 0 ? x.shape().channels() : 1;
    switch (source_.within(0, 24)) {
      case 0: return add(relu(x));
      case 1: return add(sigmoid(x));
      case 2: return add(jcs::sqrt(x));
      case 3: return add(jcs::add(x, one()));
      case 4: return add(subtract(x, one()));
      case 5: return add(multiply(x, one()));
      case 6: return add(divide(x, one()));
      case 7: return add(jcs::add(x, source_.any<float>()));
      case 8: return add(affine(x, state({channels}), state({channels})));
      case 9:
        return add(conv2d(x, state({small(), source_.flag() ? channels : small(), small(), small()}), std::nullopt,
                          {.stride = source_.within(0, 3),
                           .padding = source_.within(-1, 3),
                           .dilation = source_.within(0, 3),
                           .groups = source_.within(0, 3)}));
      case 10:
        return add(convTranspose2d(x, state({channels, small(), small(), small()}),
                                   {.stride = small(), .padding = source_.within(0, 3)}));
      case 11:
        return add(batchNormInference(x, state({channels}), state({channels}), state({channels}), state({channels}),
                                      source_.any<float>()));
      case 12:
        return add(maxPool2d(x, {.kernel = source_.within(0, 4),
                                 .stride = source_.within(0, 4),
                                 .padding = source_.within(0, 2),
                                 .ceilMode = source_.flag()}));
      case 13:
        return add(averagePool2d(x, {.kernel = source_.within(0, 4),
                                     .stride = source_.within(0, 4),
                                     .padding = source_.within(0, 2),
                                     .ceilMode = source_.flag(),
                                     .countIncludePad = source_.flag()}));
      case 14: return add(adaptiveAveragePool2d(x, source_.within(0, 6)));
      case 15: return add(resize(x, source_.within(0, 8), source_.within(0, 8), source_.flag()));
      case 16: return add(reduceMean(x, someShape()));
      case 17: return add(reduceSum(x, someShape()));
      case 18: return add(broadcast(x, someShape()));
      case 19: {
        const std::vector<Value> parts{x, one(), one()};
        return add(concat(std::span(parts).first(static_cast<size_t>(source_.within(1, 3)))));
      }
      case 20: {
        const std::vector<int64_t> sizes{source_.within(0, 6), channels - source_.within(0, 6)};
        for (const Value part : split(x, sizes)) add(part);
        return;
      }
      case 21: return add(slice(x, someShape(), someShape()));
      case 22: return add(pad(x, someShape(), someShape()));
      case 23: return add(reshape(x, someShape()));
      default: return add(source_.flag() ? softmax(x) : source_.flag() ? minMaxNormalize(x) : matmul(x, one()));
    }
  }

  Source& source_;
  std::vector<Value> values_;
  int states_ = 0;
};

}  // namespace

void fuzzOnnx(Bytes bytes) {
  static const TemporaryDirectory directory;
  Source source(bytes);
  const bool dynamicBatch = source.flag();
  RandomGraph random(source);
  for (int i = 0; i < 20 && !source.isEmpty(); ++i) random.grow();
  random.finish();
  const io::ParameterSource zeros = [&](const std::string& name) {
    return Tensor::zeros(DType::kF32, random.graph.findState(name)->shape());
  };
  const std::string path = directory / "a.onnx";
  if (allowing({errors::kUnsupportedFormat, errors::kInvalidArgument},
               [&] { io::exportOnnx(random.graph, zeros, {.dynamicBatch = dynamicBatch}, path); }))
    holds(std::filesystem::file_size(path) > 0, "an exported graph is in its file");
}

}  // namespace jcs::fuzz
