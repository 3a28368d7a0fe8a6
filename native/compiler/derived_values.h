#pragma once

#include <map>
#include <memory>
#include <string>

#include "graph/graph.h"

namespace jcs::compiler {

/// What a graph derives from its states and other nodes read, as the outputs of a graph of its own.
struct DerivedValues {
  std::unique_ptr<Graph> graph;
  std::map<std::string, ValueId> values;  ///< of the other graph, by the names of the outputs
};
DerivedValues derivedValues(const Graph& graph);

/// A copy in which these values are constants.
std::unique_ptr<Graph> withConstants(const Graph& graph, std::map<ValueId, Tensor> values);

}  // namespace jcs::compiler
