#include "networks/spec.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include "networks/registry.h"

namespace jcs::networks {

namespace {

constexpr double kLargestWidth = 4;

[[noreturn]] void invalid(const std::string& field, const std::string& value, const std::string& allowed) {
  fail(errors::kInvalidArgument, "spec." + field + " is " + value + "; allowed: " + allowed);
}

std::string text(double number) {
  std::ostringstream out;
  out << number;
  return out.str();
}

std::string quoted(const std::string& name) { return "'" + name + "'"; }

void checkEpsilon(const std::string& field, std::optional<float> epsilon) {
  if (epsilon && !(*epsilon >= 0 && *epsilon <= 0.01f)) invalid(field, text(*epsilon), "0 to 0.01");
}

}  // namespace

void validate(const NetworkSpec& spec) {
  const NetworkInfo& info = networkInfo(spec.network);
  if (!(spec.width > 0 && spec.width <= kLargestWidth))
    invalid("width", text(spec.width), "more than 0, at most " + text(kLargestWidth));
  if (!info.hasAblations && !spec.efm) invalid("efm", "false", "true, since " + quoted(spec.network) + " has no EFM");
  if (!info.hasAblations && !spec.aff) invalid("aff", "false", "true, since " + quoted(spec.network) + " has no AFF");
  const auto classifiers = networkNames(Task::kClassification);
  if (std::ranges::find(classifiers, spec.trunk) == classifiers.end()) {
    std::string allowed;
    for (const std::string& name : classifiers) allowed += (allowed.empty() ? "" : ", ") + quoted(name);
    invalid("trunk", quoted(spec.trunk), allowed);
  }
  constexpr std::array kStrides{8, 16, 32};
  if (std::ranges::find(kStrides, spec.outputStride) == kStrides.end())
    invalid("outputStride", std::to_string(spec.outputStride), "8, 16, 32");
  const bool hasRes2net = std::ranges::find(info.trunks, Trunk::Kind::kRes2net, &Trunk::kind) != info.trunks.end();
  if (!hasRes2net && spec.outputStride != 32)
    invalid("outputStride", std::to_string(spec.outputStride), "32, since " + quoted(spec.network) + " has no Res2Net");
  checkEpsilon("trunkEpsilon", spec.trunkEpsilon);
  checkEpsilon("classifierEpsilon", spec.classifierEpsilon);
}

NetworkSpec untrained(NetworkSpec spec) {
  if (!spec.trunkEpsilon && trunkEpsilon(spec) == 0) spec.trunkEpsilon = kBatchNormEpsilon;
  return spec;
}

float trunkEpsilon(const NetworkSpec& spec) {
  return spec.trunkEpsilon.value_or(spec.variant == Variant::kAuthors ? 0.0f : kBatchNormEpsilon);
}

float classifierEpsilon(const NetworkSpec& spec) { return spec.classifierEpsilon.value_or(trunkEpsilon(spec)); }

Variant parseVariant(const std::string& name) {
  if (name == "paper") return Variant::kPaper;
  if (name == "authors") return Variant::kAuthors;
  invalid("variant", quoted(name), "'paper', 'authors'");
}

std::string nameOf(Variant variant) { return variant == Variant::kPaper ? "paper" : "authors"; }

int64_t scaledChannels(int64_t channels, double width) {
  const auto eights = static_cast<int64_t>(std::floor(static_cast<double>(channels) * width / 8 + 0.5));
  return std::max<int64_t>(8, 8 * eights);
}

}  // namespace jcs::networks
