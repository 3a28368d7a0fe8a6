#pragma once

#include <optional>

#include "graph/scope.h"

namespace jcs {

/// A part of a batch: of one that is too large for memory, or of one that ranks share. Its loss has the gradient of its
/// share in the whole batch's loss, so that the gradients of the parts are summed, without weights, to that of the
/// batch.
struct BatchPart {
  Value share;                     ///< scalar: this part's samples over the batch's
  Value intersectionRest = {};     ///< [sides]: Dice intersections of the batch's other parts
  Value sumRest = {};              ///< [sides]: their Dice sums
  bool isSummedOverRanks = false;  ///< the other parts are the other ranks': what the last two tell is summed with them

  static constexpr InputPort<float> kShareInput{"batch_share"}, kIntersectionRestInput{"dice_intersection_rest"},
      kSumRestInput{"dice_sum_rest"};
  /// As graph inputs; the rests only when there are sides.
  static BatchPart inputs(Graph& graph, int64_t sides = 0);
  /// One of `ranks` equal parts.
  static BatchPart ofRanks(Graph& graph, int64_t ranks);
};

struct DiceOptions {
  float factor = 1;  ///< of the intersection: 1 in the paper's eq. 6, 2 in the authors' code
  float eps = 1e-5f;
};

/// Scalars, but for the last three, which have one value per side.
struct SegmentationLoss {
  Value total;          ///< bce + dice
  Value bce;            ///< over all sides
  Value dice;           ///< over all sides, Σ 1 − Dice; of the whole batch in every part, of ranks its share
  Value sides;          ///< each side's bce + dice
  Value intersections;  ///< Σ P·G over batch and pixels: what the other parts get as `intersectionRest`
  Value sums;           ///< Σ P + Σ G
};

/// Deep supervision (III-B5, eq. 6): Σ over the sides of BCE(P, G) + 1 − (factor·P·G + eps)/(‖P‖₁ + ‖G‖₁ + eps) with
/// P = sigmoid(side). BCE is averaged over batch and pixels, the Dice sums run over the whole batch.
/// `sideLogits` and `mask`: N×H×W×1; the mask holds values in [0, 1].
SegmentationLoss segmentationLoss(std::span<const Value> sideLogits, Value mask, const DiceOptions& options = {},
                                  const std::optional<BatchPart>& part = std::nullopt);

/// What sides are compared with the mask by.
enum class SideLoss {
  kBceDice,  ///< `segmentationLoss`: eq. 6
  kBce,      ///< cross-entropy, averaged over batch and pixels
  kBceSum,   ///< summed over pixels, averaged over the batch: as PoolNet and EGNet are trained
};

/// Σ over the sides of the cross-entropy alone, for the last two of SideLoss.
Value sideCrossEntropy(std::span<const Value> sideLogits, Value mask, SideLoss kind,
                       const std::optional<BatchPart>& part = std::nullopt);

/// Where a mask N×H×W×1, of which what is above 1/2 belongs to it, changes along rows or columns: its central
/// differences, one-sided at the borders, are not zero (EGNet's sal2edge.m). 0 or 1, two pixels wide.
Value maskEdge(Value mask);

/// EGNet's class-balanced cross-entropy of edge logits N×H×W×1: over each sample's pixels, those on the edge weighted
/// by the share of those off it, those off it by 1.1 times the share of those on it. Averaged over batch and pixels,
/// or as `kind` has it for sides.
Value edgeLoss(Value edgeLogits, Value mask, SideLoss kind = SideLoss::kBce,
               const std::optional<BatchPart>& part = std::nullopt);

/// Cross-entropy of logits N×K against target distributions N×K, mixed labels included (eq. 3), averaged over the
/// batch.
Value classificationLoss(Value logits, Value targets, const std::optional<BatchPart>& part = std::nullopt);

}  // namespace jcs
