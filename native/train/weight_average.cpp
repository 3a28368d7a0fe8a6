#include "train/weight_average.h"

#include <algorithm>

#include "model/parameters.h"
#include "ops/elementwise.h"

namespace jcs::train {

namespace {

constexpr InputPort<float> kRateInput{"rate"};

}  // namespace

std::map<std::string, TensorType> ownStates(const compiler::StateStore& states) {
  std::map<std::string, TensorType> own;
  for (const auto& [name, entry] : states.entries())
    if (name.find(model::kTrainingStateSeparator) == std::string::npos) own.emplace(name, entry.type);
  return own;
}

StatePairs pairsWith(compiler::StateStore& states, const std::string& prefix) {
  StatePairs pairs;
  for (const auto& [name, type] : ownStates(states)) pairs.emplace_back(&states.at(name), &states.at(prefix + name));
  return pairs;
}

void exchange(const StatePairs& pairs) noexcept {
  for (const auto& [a, b] : pairs) compiler::StateStore::exchange(*a, *b);
}

std::unique_ptr<Graph> averageGraph(const std::map<std::string, TensorType>& states) {
  auto graph = std::make_unique<Graph>();
  const Value rate = graph->input(kRateInput, {1});
  for (const auto& [name, type] : states) {
    const NodeLabel label(*graph, "average " + name);
    const Value state = graph->state(name, type), average = graph->state(kAveragePrefix + name, type);
    graph->assign(average, add(average, multiply(subtract(state, average), rate)));
  }
  return graph;
}

WeightAverage::WeightAverage(model::Model& model, double decay) : model_(model), decay_(decay) {
  compiler::StateStore& states = model_.states();
  const auto own = ownStates(states);
  for (const auto& [name, type] : own)
    if (!states.contains(kAveragePrefix + name)) states.set(kAveragePrefix + name, states.get(name));
  pairs_ = pairsWith(states, kAveragePrefix);
  program_ =
      std::make_shared<compiler::Program>(*averageGraph(own), model_.engine().sharedBackend(), model_.compileOptions());
}

void WeightAverage::update(int64_t iteration) {
  model_.requireAlive();  // disposing takes the states
  const auto t = static_cast<double>(iteration);
  const auto rate = static_cast<float>(1 - std::min(decay_, (1 + t) / (10 + t)));
  compiler::Bindings bindings;
  bindings.input(kRateInput, {&rate, 1});
  model_.engine().run(*program_, model_.states(), bindings, nullptr);
}

void WeightAverage::exchange() {
  model_.requireAlive();
  train::exchange(pairs_);
}

}  // namespace jcs::train
