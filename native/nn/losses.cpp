#include "nn/losses.h"

#include "ops/communication.h"
#include "ops/elementwise.h"
#include "ops/layout.h"
#include "ops/loss.h"
#include "ops/reduce.h"

namespace jcs {

namespace {

/// Everything but the axis of one channel that masks and side logits have: [1], ready to be joined with other sides'.
const Shape kOneSide{1};

Value sumOf(Value sides) { return reduceSum(sides, Shape{}); }

/// A mean over pixels and batch times the pixels, where they are summed, and times the part of the batch.
Value weighted(Value mean, Value mask, SideLoss kind, const std::optional<BatchPart>& part) {
  const Shape& s = mask.shape();
  if (kind == SideLoss::kBceSum) mean = multiply(mean, static_cast<float>(s[1] * s[2]));
  return part ? multiply(mean, part->share) : mean;
}

}  // namespace

BatchPart BatchPart::inputs(Graph& graph, int64_t sides) {
  BatchPart result{graph.input(kShareInput, Shape{})};
  if (sides > 0) {
    result.intersectionRest = graph.input(kIntersectionRestInput, {sides});
    result.sumRest = graph.input(kSumRestInput, {sides});
  }
  return result;
}

BatchPart BatchPart::ofRanks(Graph& graph, int64_t ranks) {
  return {.share = graph.scalar(1 / static_cast<float>(ranks)), .isSummedOverRanks = true};
}

SegmentationLoss segmentationLoss(std::span<const Value> sideLogits, Value mask, const DiceOptions& options,
                                  const std::optional<BatchPart>& part) {
  const NodeLabel label(*mask.graph, "segmentation_loss");
  const Value maskSum = reduceSum(mask, kOneSide);
  std::vector<Value> bces, intersections, sums;
  for (const Value& logits : sideLogits) {
    const Value probability = sigmoid(logits);
    bces.push_back(reduceMean(sigmoidCrossEntropy(logits, mask), kOneSide));
    intersections.push_back(reduceSum(multiply(probability, mask), kOneSide));
    sums.push_back(add(reduceSum(probability, kOneSide), maskSum));
  }

  SegmentationLoss loss;
  loss.intersections = concat(intersections);
  loss.sums = concat(sums);
  Value bce = concat(bces), intersection = loss.intersections, sum = loss.sums;
  if (part) bce = multiply(bce, part->share);
  if (part && part->isSummedOverRanks) {
    const int64_t sizes[] = {bce.shape()[0], bce.shape()[0]};
    const std::vector<Value> all = split(allReduce(concat({intersection, sum})), sizes);
    intersection = all[0], sum = all[1];
  } else if (part) {
    intersection = add(intersection, part->intersectionRest);
    sum = add(sum, part->sumRest);
  }
  const Value overlap = divide(add(multiply(intersection, options.factor), options.eps), add(sum, options.eps));
  Value dice = add(multiply(overlap, -1), 1);
  if (part && part->isSummedOverRanks) dice = multiply(dice, part->share);  // all ranks' losses are summed
  loss.sides = add(bce, dice);
  loss.bce = sumOf(bce);
  loss.dice = sumOf(dice);
  loss.total = add(loss.bce, loss.dice);
  return loss;
}

Value sideCrossEntropy(std::span<const Value> sideLogits, Value mask, SideLoss kind,
                       const std::optional<BatchPart>& part) {
  const NodeLabel label(*mask.graph, "side_cross_entropy");
  std::vector<Value> means;
  for (const Value& logits : sideLogits) means.push_back(reduceMean(sigmoidCrossEntropy(logits, mask), kOneSide));
  return weighted(sumOf(concat(means)), mask, kind, part);
}

Value maskEdge(Value mask) {
  const Shape& s = mask.shape();
  const int64_t n = s[0], h = s[1], w = s[2];
  // 1 above 1/2, else 0: a slope so steep that only values within 1e-6 of it are between.
  const auto clipped = [](Value x) { return add(multiply(relu(add(multiply(relu(x), -1), 1)), -1), 1); };
  const Value inside = clipped(multiply(add(mask, -0.5f), 1e6f));
  const auto difference = [&](int axis) {
    const auto at = [&](int64_t position) { return axis == 1 ? Shape{0, position, 0, 0} : Shape{0, 0, position, 0}; };
    const auto extent = [&](int64_t length) { return axis == 1 ? Shape{n, length, w, 1} : Shape{n, h, length, 1}; };
    const int64_t length = axis == 1 ? h : w;
    // The image with its first and last line doubled; the difference of lines two apart in it.
    const Shape wide = extent(length + 2);
    const Value first = slice(inside, at(0), extent(1)), last = slice(inside, at(length - 1), extent(1));
    const Value extended = add(add(pad(inside, at(1), wide), pad(first, at(0), wide)), pad(last, at(length + 1), wide));
    const Value step = subtract(slice(extended, at(2), extent(length)), slice(extended, at(0), extent(length)));
    return multiply(step, step);
  };
  return clipped(add(difference(1), difference(2)));
}

Value edgeLoss(Value edgeLogits, Value mask, SideLoss kind, const std::optional<BatchPart>& part) {
  const NodeLabel label(*mask.graph, "edge_loss");
  constexpr float kOffEdge = 1.1f;
  const Shape perSample{mask.shape()[0], 1, 1, 1};
  const Value edge = maskEdge(mask), crossEntropy = sigmoidCrossEntropy(edgeLogits, edge);
  const Value share = reduceMean(edge, perSample);
  const Value all = reduceMean(crossEntropy, perSample), on = reduceMean(multiply(crossEntropy, edge), perSample);
  const Value balanced =
      add(multiply(on, add(multiply(share, -1), 1)), multiply(multiply(subtract(all, on), share), kOffEdge));
  return weighted(reduceMean(balanced, Shape{}), mask, kind, part);
}

Value classificationLoss(Value logits, Value targets, const std::optional<BatchPart>& part) {
  const NodeLabel label(*logits.graph, "classification_loss");
  const Value mean = reduceMean(softmaxCrossEntropy(logits, targets), Shape{});
  return part ? multiply(mean, part->share) : mean;
}

}  // namespace jcs
