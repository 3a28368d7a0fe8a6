#include "model/parameters.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/philox.h"
#include "networks/registry.h"

namespace jcs::model {

namespace {

/// FNV-1a: only has to be stable and to tell names apart.
uint64_t hashName(const std::string& name) {
  uint64_t hash = 1469598103934665603u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash;
}

bool fits(const std::map<std::string, const io::SafetensorsEntry*>& entries, const networks::NetworkSpec& spec) {
  const auto declared = declareParameters(spec);
  if (declared.size() != entries.size()) return false;
  return std::ranges::all_of(declared, [&](const ParameterDeclaration& d) {
    const auto found = entries.find(d.name);
    return found != entries.end() && sameShape(*found->second, d.shape);
  });
}

/// As fast as memory is read. Where an exponent is all ones, adding one to it carries into the sign's place; numbers go
/// two to a word.
bool areFinite(std::span<const float> values) {
  constexpr uint64_t kExponents = 0x7f8000007f800000, kOnes = 0x0080000000800000, kSigns = 0x8000000080000000;
  constexpr size_t kStep = 4;
  uint64_t even = 0, odd = 0;  // variables, since the compiler would keep an array in memory
  size_t at = 0;
  for (; at + kStep <= values.size(); at += kStep) {
    uint64_t words[2];
    std::memcpy(words, values.data() + at, sizeof words);
    even |= (words[0] & kExponents) + kOnes;
    odd |= (words[1] & kExponents) + kOnes;
  }
  return ((even | odd) & kSigns) == 0 &&
         std::ranges::all_of(values.subspan(at), [](float v) { return std::isfinite(v); });
}

/// A spec that differs from `spec` in one switch and that the file fits, in words; empty when there is none.
std::string betterSpec(const std::map<std::string, const io::SafetensorsEntry*>& entries,
                       const networks::NetworkSpec& spec) {
  networks::NetworkSpec other = spec;
  other.variant = spec.variant == Variant::kPaper ? Variant::kAuthors : Variant::kPaper;
  if (fits(entries, other)) return "variant: '" + networks::nameOf(other.variant) + "'";
  for (const std::string& network : networks::networkNames()) {
    for (const Variant variant : {Variant::kPaper, Variant::kAuthors}) {
      other = spec;
      other.network = network;
      other.variant = variant;
      if (network != spec.network && fits(entries, other))
        return "network: '" + network + "', variant: '" + networks::nameOf(variant) + "'";
    }
  }
  return {};
}

}  // namespace

std::string shapeText(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

bool sameShape(const io::SafetensorsEntry& entry, const Shape& shape) {
  return std::ranges::equal(entry.shape, shape.extents());
}

std::vector<ParameterDeclaration> declareParameters(const networks::NetworkSpec& spec) {
  const auto graph = networks::inferenceGraph(spec, 1, networks::kSmallestInput, networks::kSmallestInput);
  std::vector<ParameterDeclaration> declarations;
  for (const ValueInfo& info : graph->values())
    if (info.kind == ValueInfo::Kind::kState) declarations.push_back({info.name, info.type.shape, info.state});
  return declarations;
}

Tensor initialValue(const ParameterDeclaration& declaration, uint64_t seed) {
  Tensor tensor(DType::kF32, declaration.shape);
  const uint64_t hash = hashName(declaration.name);
  Philox random(seed, static_cast<uint32_t>(hash), static_cast<uint32_t>(hash >> 32), RandomPurpose::kInitialise);
  const Initializer& init = declaration.state.initializer;
  const auto fan = static_cast<float>(std::max<int64_t>(init.fan, 1));
  for (float& value : tensor.as<float>()) {
    switch (init.kind) {
      case Initializer::Kind::kConstant: value = init.value; break;
      case Initializer::Kind::kUniformFanIn: value = random.uniform(-1, 1) / std::sqrt(fan); break;
      case Initializer::Kind::kKaimingFanOut: value = random.normal() * std::sqrt(2 / fan); break;
      case Initializer::Kind::kNormal: value = random.normal() * init.value; break;
    }
  }
  return tensor;
}

std::map<std::string, const io::SafetensorsEntry*> stateDictOf(const io::SafetensorsFile& file) {
  static const std::string kPrefix = "module.", kIgnored = "num_batches_tracked";
  std::map<std::string, const io::SafetensorsEntry*> entries;
  for (const io::SafetensorsEntry& entry : file.entries()) {
    if (entry.name.ends_with(kIgnored) || entry.name.find(kTrainingStateSeparator) != std::string::npos) continue;
    const std::string name = entry.name.starts_with(kPrefix) ? entry.name.substr(kPrefix.size()) : entry.name;
    require(entries.emplace(name, &entry).second, errors::kCorruptFile,
            [&] { return file.source() + ": '" + name + "' is there with and without the prefix 'module.'"; });
  }
  return entries;
}

void checkStateDict(const std::map<std::string, const io::SafetensorsEntry*>& entries,
                    const networks::NetworkSpec& spec, const std::string& source) {
  const auto declared = declareParameters(spec);
  const auto mismatch = [&](const char* code, const std::string& what) {
    const std::string better = betterSpec(entries, spec);
    if (!better.empty())
      fail(errors::kWrongVariant, source + " does not fit network '" + spec.network + "', variant '" +
                                      networks::nameOf(spec.variant) + "'; it fits { " + better +
                                      " }: load it with that spec");
    fail(code, source + ": " + what);
  };
  size_t missing = 0;
  std::string firstMissing;
  for (const ParameterDeclaration& d : declared) {
    const auto found = entries.find(d.name);
    if (found == entries.end()) {
      if (missing++ == 0) firstMissing = d.name;
      continue;
    }
    if (!sameShape(*found->second, d.shape))
      mismatch(errors::kShapeMismatch, "'" + d.name + "' has shape " + shapeText(found->second->shape) +
                                           ", the network needs " + d.shape.toString() + " (check width and variant)");
  }
  if (missing > 0)
    mismatch(errors::kMissingParameter, std::to_string(missing) + " of " + std::to_string(declared.size()) +
                                            " parameters are missing, the first is '" + firstMissing + "'");
  if (entries.size() == declared.size()) return;
  for (const auto& [name, entry] : entries)
    if (std::ranges::none_of(declared, [&](const ParameterDeclaration& d) { return d.name == name; }))
      mismatch(errors::kUnexpectedParameter, std::to_string(entries.size() - declared.size()) +
                                                 " tensors do not belong to the network, the first is '" + name + "'");
}

void requireUsable(std::span<const float> values, const std::string& name, const std::string& source) {
  require(areFinite(values), errors::kNotFinite,
          [&] { return source + ": '" + name + "' holds a value that is not finite"; });
  const bool isUsable = !name.ends_with("running_var") || std::ranges::all_of(values, [](float v) { return v > 0; });
  require(isUsable, errors::kCorruptFile,
          [&] { return source + ": '" + name + "' holds a variance that is not positive"; });
}

}  // namespace jcs::model
