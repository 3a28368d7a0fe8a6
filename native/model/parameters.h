#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "io/safetensors.h"
#include "networks/spec.h"

namespace jcs::model {

/// Name, type and initializer of every parameter and statistic of a network, in the order of its layers.
struct ParameterDeclaration {
  std::string name;
  Shape shape;
  StateInfo state;
};
std::vector<ParameterDeclaration> declareParameters(const networks::NetworkSpec& spec);

/// The first value of a parameter: Philox(seed, name), so that it depends on no other layer.
Tensor initialValue(const ParameterDeclaration& declaration, uint64_t seed);

/// State that training keeps beside a model's own carries a prefix with this separator, which no parameter's name has.
inline constexpr char kTrainingStateSeparator = '/';

/// The file's tensors by our names: 'module.' prefixes dropped, 'num_batches_tracked' and a checkpoint's training state
/// ignored.
std::map<std::string, const io::SafetensorsEntry*> stateDictOf(const io::SafetensorsFile& file);

/// Of a file's tensor, which may be of any rank.
std::string shapeText(const std::vector<int64_t>& shape);
bool sameShape(const io::SafetensorsEntry& entry, const Shape& shape);

/// Checks that the file has exactly the network's parameters; errors as Model::load says.
void checkStateDict(const std::map<std::string, const io::SafetensorsEntry*>& entries,
                    const networks::NetworkSpec& spec, const std::string& source);

/// NOT_FINITE, or CORRUPT_FILE where a variance is not positive: batch norms without epsilon divide by it.
void requireUsable(std::span<const float> values, const std::string& name, const std::string& source);

}  // namespace jcs::model
