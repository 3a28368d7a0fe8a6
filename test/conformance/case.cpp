#include "conformance/case.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/philox.h"
#include "graph/autodiff.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"

namespace jcs::conformance {

namespace {

/// FNV-1a: the stream of a row depends on its name alone, so that adding rows changes no others.
uint64_t hashOf(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

void fillDistinct(std::span<float> values, Philox& random) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(static_cast<uint32_t>(i))]);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = -1 + 2 * (static_cast<float>(order[i]) + 0.5f) / static_cast<float>(values.size());
}

float draw(Fill fill, Philox& random) {
  switch (fill) {
    case Fill::kSigned: return random.uniform(-1, 1);
    case Fill::kAwayFromZero: return (random.below(2) ? 1.0f : -1.0f) * random.uniform(0.2f, 1);
    case Fill::kPositive: return random.uniform(0.5f, 1.5f);
    case Fill::kOffset: return random.uniform(4, 6);
    case Fill::kUnit: return random.uniform();
    case Fill::kProbabilities: return random.uniform(0.05f, 1);
    case Fill::kCoarse: return static_cast<float>(random.below(5)) * 0.5f - 1;
    case Fill::kConstant: return 0.75f;
    case Fill::kDistinct: break;
  }
  return 0;
}

/// Rows that sum to one exactly enough for float32.
void normaliseRows(std::span<float> values, int64_t channels) {
  for (size_t row = 0; row < values.size(); row += static_cast<size_t>(channels)) {
    const auto part = values.subspan(row, static_cast<size_t>(channels));
    const double sum = std::accumulate(part.begin(), part.end(), 0.0);
    for (float& value : part) value = static_cast<float>(value / sum);
  }
}

}  // namespace

Tensor makeInput(const Case& row, size_t index) {
  const Input& input = row.inputs[index];
  if (input.bytes) return input.bytes->clone();
  Philox random(hashOf(row.name), 0, static_cast<uint32_t>(index), RandomPurpose::kInitialise);
  Tensor tensor(DType::kF32, input.shape);
  const auto values = tensor.as<float>();
  if (input.fill == Fill::kDistinct) {
    fillDistinct(values, random);
  } else {
    for (float& value : values) value = draw(input.fill, random);
  }
  if (input.fill == Fill::kProbabilities) normaliseRows(values, input.shape.channels());
  return tensor;
}

CaseGraph buildGraph(const Case& row) {
  CaseGraph built;
  built.graph = std::make_unique<Graph>();
  Graph& graph = *built.graph;
  for (size_t i = 0; i < row.inputs.size(); ++i)
    built.inputs.push_back(graph.input("input" + std::to_string(i), {row.inputs[i].dtype, row.inputs[i].shape}));
  built.results = row.build(built.inputs);
  built.caseNodes = built.forwardNodes = graph.nodes().size();
  if (!row.differentiable) return built;

  Philox random(hashOf(row.name), 1, 0, RandomPurpose::kInitialise);
  for (const Value& result : built.results) {
    Tensor projection(DType::kF32, result.shape());
    for (float& value : projection.as<float>()) value = random.uniform(-1, 1);
    const Value term = reduceSum(multiply(result, graph.constant(std::move(projection))), Shape{});
    built.loss = built.loss ? add(built.loss, term) : term;
  }
  built.forwardNodes = graph.nodes().size();

  std::vector<Value> wanted;
  for (size_t i = 0; i < row.inputs.size(); ++i)
    if (row.inputs[i].differentiable) wanted.push_back(built.inputs[i]);
  const std::vector<Value> found = gradients(built.loss, wanted, [](Value a, Value b) { return add(a, b); });
  built.gradients.resize(row.inputs.size());
  for (size_t i = 0, next = 0; i < row.inputs.size(); ++i)
    if (row.inputs[i].differentiable) built.gradients[i] = found[next++];
  return built;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> table = [] {
    std::vector<Case> rows;
    addConvolutionCases(rows);
    addElementwiseCases(rows);
    addSpatialCases(rows);
    addLayoutCases(rows);
    addTrainingCases(rows);
    addPixelCases(rows);
    addQuantizedCases(rows);
    return rows;
  }();
  return table;
}

}  // namespace jcs::conformance
