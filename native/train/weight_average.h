#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "model/model.h"

namespace jcs::train {

/// States of this prefix hold averages; of a checkpoint, `kRawPrefix` holds what they average, under whose own names
/// the averages stand there.
inline constexpr const char* kAveragePrefix = "average/";
inline constexpr const char* kRawPrefix = "raw/";

/// The model's own states, not those of its training.
std::map<std::string, TensorType> ownStates(const compiler::StateStore& states);

/// a ← a + rate·(x − a) for every state x of these names and types; `rate` is an input of one value.
std::unique_ptr<Graph> averageGraph(const std::map<std::string, TensorType>& states);

/// States, each with another of its type.
using StatePairs = std::vector<std::pair<compiler::StateStore::Entry*, compiler::StateStore::Entry*>>;
/// A model's own states, each with what is kept of it under a prefix. They stay where they are while the model has
/// them.
StatePairs pairsWith(compiler::StateStore& states, const std::string& prefix);
/// Takes no memory: all of them or, where anything was wrong before, none.
void exchange(const StatePairs& pairs) noexcept;

/// The exponential moving average of a model's states, parameters and statistics, while it is trained, kept beside
/// them. It begins at the states themselves; after step t the decay is min(decay, (1 + t)/(10 + t)), so that the
/// beginning is soon forgotten.
class WeightAverage {
 public:
  /// Of what a checkpoint brought, or else of the states as they are. On the execution thread, as all of it.
  WeightAverage(model::Model& model, double decay);

  /// After a step, `iteration` of which are taken. DISPOSED, as `exchange`.
  void update(int64_t iteration);
  /// Puts averages into the model and what they average aside, or back. Takes no memory.
  void exchange();

 private:
  model::Model& model_;
  double decay_;
  StatePairs pairs_;  ///< with the averages
  std::shared_ptr<compiler::Program> program_;
};

}  // namespace jcs::train
