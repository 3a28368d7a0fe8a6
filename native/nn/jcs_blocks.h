#pragma once

#include <array>

#include "nn/layers.h"
#include "nn/variant.h"

namespace jcs {

/// Grouped atrous module (III-B2, figure 3a): 1×1 to twice the channels, four groups convolved 3×3 at the four
/// `rates`, squeeze-and-excitation, 1×1 back, 3×3. Keeps the shape of x; channels must be even.
Value groupedAtrousModule(const Scope& scope, Value x, const std::array<int64_t, 4>& rates);

/// Attentive feature fusion (III-B3, figure 3b) of two maps of one size with C/2 channels each, the lateral one and the
/// resized top-down one; gives C channels. The authors' squeeze-and-excitations have a single hidden unit, and a 1×1
/// brings 1.5 C back to C before the last 3×3.
Value attentiveFeatureFusion(const Scope& scope, Value lateral, Value topDown, Variant variant);

/// The same without attention (table V's ablation): concatenation and one 3×3.
Value plainFeatureFusion(const Scope& scope, Value lateral, Value topDown);

}  // namespace jcs
