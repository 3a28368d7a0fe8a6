#pragma once

#include <map>
#include <string>

namespace jcs::conformance {

struct NetworkCoverage {
  int coveredKinds = 0;                          ///< of nodes, by coverage key
  std::map<std::string, std::string> uncovered;  ///< key, and the network, graph and scope where it was seen first
};

/// Walks every network's graphs as programs run them, after the compiler's passes, in both precisions: inference of
/// both variants and of their ablations, and training steps with every batch norm mode, loss and optimiser. A kind of
/// node that no row of the table covers is one whose kernels nothing has checked.
NetworkCoverage checkNetworkCoverage();

}  // namespace jcs::conformance
