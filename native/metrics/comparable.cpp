#include "metrics/comparable.h"

#include <cmath>
#include <string>

#include "core/error.h"

namespace jcs::metrics {

namespace {

constexpr float kRounding = 1e-4f;  // how far resizing in float32 may leave [0, 1]

}  // namespace

void requireComparable(std::span<const float> values, size_t truths, const char* what) {
  require(values.size() == truths, errors::kInvalidArgument, [&] {
    return std::to_string(values.size()) + " probabilities cannot be compared with " + std::to_string(truths) + " " +
           what + "; give one for each";
  });
  require(!values.empty(), errors::kInvalidArgument, [&] { return std::string("there are no ") + what + " to score"; });
  for (size_t i = 0; i < values.size(); ++i) {
    require(std::isfinite(values[i]), errors::kNotFinite,
            [&] { return "probability " + std::to_string(i) + " is not finite"; });
    require(values[i] >= -kRounding && values[i] <= 1 + kRounding, errors::kInvalidArgument, [&] {
      return "probability " + std::to_string(i) + " is " + std::to_string(values[i]) +
             ", outside [0, 1]; logits need a sigmoid or softmax first";
    });
  }
}

void requireLabelled(std::span<const float> probabilities, std::span<const uint8_t> labels) {
  requireComparable(probabilities, labels.size(), "labels");
  for (size_t i = 0; i < labels.size(); ++i)
    require(labels[i] <= 1, errors::kInvalidArgument,
            [&] { return "label " + std::to_string(i) + " is " + std::to_string(labels[i]) + "; labels are 0 or 1"; });
}

}  // namespace jcs::metrics
