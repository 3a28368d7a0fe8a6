#include "diagnosis/value_histogram.h"

#include <vector>

#include "native/harness.h"

using namespace jcs;
using diagnosis::ValueHistogram;

namespace {

ValueHistogram histogramOf(const std::vector<float>& values) {
  ValueHistogram histogram;
  histogram.addToRange(values);
  histogram.add(values);
  return histogram;
}

/// A million values, evenly over (0, 1].
std::vector<float> evenly() {
  std::vector<float> values;
  for (int i = 1; i <= 1000000; ++i) values.push_back(static_cast<float>(i) * 1e-6f);
  return values;
}

}  // namespace

TEST("the range of bytes is that of evenly distributed values, with 0") {
  std::vector<float> values = evenly();
  CHECK(histogramOf(values).bestRange() == (compiler::ValueRange{0, 1}));
  for (float& value : values) value -= 0.5f;
  const compiler::ValueRange range = histogramOf(values).bestRange();
  CHECK(std::abs(range.low + 0.5f) < 1e-5f && std::abs(range.high - 0.5f) < 1e-5f);
}

TEST("a value far away is cut off where the others gain by it") {
  // N values rounded to steps of h / 255 err by N·h²/(12·255²), and one at 100 by (100 − h)²: least at h = 43.83.
  std::vector<float> values = evenly();
  values.push_back(100);
  const compiler::ValueRange range = histogramOf(values).bestRange();
  CHECK(range.low == 0);
  CHECK(range.high >= 43 && range.high <= 45);
  // Values that are 0 do not count: with a thousand others, nothing is gained by it.
  std::vector<float> sparse(1000000, 0.0f);
  for (int i = 1; i <= 1000; ++i) sparse.push_back(static_cast<float>(i) * 1e-3f);
  sparse.push_back(100);
  CHECK(histogramOf(sparse).bestRange().high >= 99);
}

TEST("a layer that saw nothing but 0 has a range all the same") {
  CHECK(histogramOf(std::vector<float>(10, 0.0f)).bestRange() == (compiler::ValueRange{0, 0}));
}
