#pragma once

#include <optional>
#include <set>
#include <string>

#include "graph/graph.h"

namespace jcs::compiler {

/// Whether each value depends on nothing but constants and states that the graph does not assign: it is derived, and
/// computed when these have changed, not at every run. Constants and such states count themselves.
PerValue<bool> findDerived(const Graph& graph);

/// How a derived value is computed.
struct Derivation {
  std::string text;  ///< equal for the same computation in another graph of the model; empty when it takes constants
  std::set<ValueId> states;
};

/// The derivations of a graph's values, as far as they are asked for.
class Derivations {
 public:
  explicit Derivations(const Graph& graph) : graph_(graph), known_(graph.values().size()) {}

  const Derivation& of(ValueId id);

 private:
  Derivation derive(ValueId id);

  const Graph& graph_;
  PerValue<std::optional<Derivation>> known_;
};

}  // namespace jcs::compiler
