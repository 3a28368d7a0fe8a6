#include "core/philox.h"

#include <algorithm>

#include "core/philox_block.h"

namespace jcs {

void Philox::refill() {
  const PhiloxBlock block = philoxBlock({{counter_[0], counter_[1], counter_[2], counter_[3]}}, key_[0], key_[1]);
  std::copy_n(block.words, block_.size(), block_.begin());
  used_ = 0;
  ++counter_[0];
}

double Philox::gamma(double shape) {
  if (shape < 1) {
    const double u = (static_cast<double>(next()) + 0.5) * 0x1p-32;
    return gamma(shape + 1) * std::pow(u, 1 / shape);
  }
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = normal();
    const double v = (1 + c * x) * (1 + c * x) * (1 + c * x);
    if (v <= 0) continue;
    const double u = (static_cast<double>(next()) + 0.5) * 0x1p-32;
    if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

double Philox::beta(double alpha) {
  const double a = gamma(alpha), b = gamma(alpha);
  return a + b > 0 ? a / (a + b) : 0.5;
}

}  // namespace jcs
