#pragma once

#include <set>
#include <span>
#include <string>

#include "graph/op.h"

namespace jcs::conformance {

/// The op and what of its attributes, shapes and dtypes selects a code path: kernel extents, stride, padding, dilation,
/// whether there is a bias; which axes are broadcast, reduced, cut or resized and which way. Sizes are left out. Two
/// nodes with one key are served by one row of the table.
std::string coverageKey(const Op& op, std::span<const TensorType> inputs);

/// Keys of every node of every case, forward and backward, with the dtypes of float32 and of bf16 programs.
const std::set<std::string>& coveredKeys();

}  // namespace jcs::conformance
