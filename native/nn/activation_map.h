#pragma once

#include "graph/graph.h"
#include "nn/variant.h"

namespace jcs {

/// Activation maps of the COVID-19 class (III-A2, eq. 1–2) before normalisation, N×h×w×1, from the classifier's last
/// features N×h×w×C and the weight 2×C of its head, row 1 being the class. Because the head is a linear layer on
/// averaged features, eq. 1 has a closed form and needs no backward pass:
/// - paper: Σ_k max(w_k, 0)·X^k with w = head[1] − head[0]. The factor p(1−p)/(HW) of eq. 1 is the same for every k and
///   cancels when the map is normalised; computing it would underflow for confident slices. X is never negative, hence
///   max may stand outside X.
/// - authors: max(Σ_k w_k·X^k, 0) with w = head[1], the gradient of the class's logit.
Value activationMap(Value features, Value headWeight, Variant variant);

/// Eq. 4: Σ_n sampleWeight_n · sqrt(Σ (AM_norm − S)² + 1e-12)/(hw), at the features' resolution. AM_norm is each map
/// scaled to [0, 1]; a constant map is all zero and has no gradient. `masks` N×h×w×1 is the area-averaged annotation.
/// `sampleWeights` N is 1/max(count, 1) for each of the batch's `count` unmixed samples with a non-empty mask, else 0;
/// micro-batches therefore add up without further weights.
Value activationLoss(Value features, Value headWeight, Value masks, Value sampleWeights, Variant variant);

}  // namespace jcs
