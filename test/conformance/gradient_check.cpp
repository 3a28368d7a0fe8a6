#include "conformance/gradient_check.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "conformance/evaluate.h"
#include "core/philox.h"

namespace jcs::conformance {

namespace {

constexpr double kStep = 1e-5;
/// Relative to the gradient's largest element: factors that ops keep as float32 attributes, such as 1/count, cost up to
/// 6e-8 of it. Absolute: truncation and rounding of the differences.
constexpr double kRelativeTolerance = 1e-6, kAbsoluteTolerance = 2e-9;
constexpr size_t kElementsPerInput = 10;

class DifferenceQuotient {
 public:
  DifferenceQuotient(Backend& reference, const CaseGraph& built, std::vector<Tensor> inputs)
      : evaluation_(reference, *built.graph), built_(built), inputs_(std::move(inputs)) {}

  /// d loss / d t of inputs[i] + t · direction.
  double along(size_t input, std::span<const double> direction) {
    return (lossAt(input, direction, kStep) - lossAt(input, direction, -kStep)) / (2 * kStep);
  }

 private:
  double lossAt(size_t input, std::span<const double> direction, double t) {
    const Tensor original = inputs_[input].clone();
    const auto values = inputs_[input].as<double>();
    for (size_t i = 0; i < values.size(); ++i) values[i] += t * direction[i];
    const double loss = evaluation_.run(inputs_, built_.forwardNodes)[built_.loss.id].as<double>()[0];
    inputs_[input] = original.clone();
    return loss;
  }

  Evaluation evaluation_;
  const CaseGraph& built_;
  std::vector<Tensor> inputs_;
};

std::string compare(size_t input, const std::string& what, double numeric, double analytic, double scale) {
  if (std::abs(numeric - analytic) <= kRelativeTolerance * scale + kAbsoluteTolerance) return {};
  char text[200];
  std::snprintf(text, sizeof text, "gradient of input %zu, %s: central difference %.9g, autodiff %.9g", input,
                what.c_str(), numeric, analytic);
  return text;
}

}  // namespace

std::string checkGradient(Backend& reference, const Case& row) {
  const CaseGraph built = buildGraph(row);
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < row.inputs.size(); ++i) inputs.push_back(makeInput(row, i).to(DType::kF64));
  const PerValue<Tensor> values = Evaluation(reference, *built.graph).run(inputs, built.graph->nodes().size());

  Philox random(1, 0, 0, RandomPurpose::kInitialise);
  for (size_t input = 0; input < inputs.size(); ++input) {
    if (!built.gradients[input]) continue;
    const auto gradient = values[built.gradients[input].id].as<double>();
    if (std::ranges::all_of(gradient, [](double g) { return g == 0; }))
      return "gradient of input " + std::to_string(input) + " is zero everywhere, which checks nothing";
    DifferenceQuotient quotient(reference, built, [&] {
      std::vector<Tensor> copies;
      for (const Tensor& tensor : inputs) copies.push_back(tensor.clone());
      return copies;
    }());

    std::vector<double> direction(gradient.size());
    double projected = 0, length = 0, largest = 0;
    for (size_t i = 0; i < direction.size(); ++i) {
      direction[i] = random.uniform(-1, 1);
      projected += direction[i] * gradient[i];
      length += std::abs(direction[i] * gradient[i]);
      largest = std::max(largest, std::abs(gradient[i]));
    }
    std::string difference = compare(input, "random direction", quotient.along(input, direction), projected, length);
    if (!difference.empty()) return difference;

    for (size_t k = 0; k < std::min(kElementsPerInput, gradient.size()); ++k) {
      const size_t element = random.below(static_cast<uint32_t>(gradient.size()));
      std::ranges::fill(direction, 0.0);
      direction[element] = 1;
      difference = compare(input, "element " + std::to_string(element), quotient.along(input, direction),
                           gradient[element], largest);
      if (!difference.empty()) return difference;
    }
  }
  return {};
}

}  // namespace jcs::conformance
