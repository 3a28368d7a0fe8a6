#include "nn/losses.h"

#include "ops/elementwise.h"
#include "ops/layout.h"
#include "ops/loss.h"
#include "ops/reduce.h"

namespace jcs {

namespace {

/// Everything but the axis of one channel that masks and side logits have: [1], ready to be joined with other sides'.
const Shape kOneSide{1};

Value sumOf(Value sides) { return reduceSum(sides, Shape{}); }

}  // namespace

MicroBatch MicroBatch::inputs(Graph& graph, int64_t sides) {
  MicroBatch result{graph.input(kShareInput, Shape{}), {}, {}};
  if (sides > 0) {
    result.intersectionRest = graph.input(kIntersectionRestInput, {sides});
    result.sumRest = graph.input(kSumRestInput, {sides});
  }
  return result;
}

SegmentationLoss segmentationLoss(std::span<const Value> sideLogits, Value mask, const DiceOptions& options,
                                  const std::optional<MicroBatch>& microBatch) {
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
  if (microBatch) {
    bce = multiply(bce, microBatch->share);
    intersection = add(intersection, microBatch->intersectionRest);
    sum = add(sum, microBatch->sumRest);
  }
  const Value overlap = divide(add(multiply(intersection, options.factor), options.eps), add(sum, options.eps));
  const Value dice = add(multiply(overlap, -1), 1);
  loss.sides = add(bce, dice);
  loss.bce = sumOf(bce);
  loss.dice = sumOf(dice);
  loss.total = add(loss.bce, loss.dice);
  return loss;
}

Value classificationLoss(Value logits, Value targets, const std::optional<MicroBatch>& microBatch) {
  const NodeLabel label(*logits.graph, "classification_loss");
  const Value mean = reduceMean(softmaxCrossEntropy(logits, targets), Shape{});
  return microBatch ? multiply(mean, microBatch->share) : mean;
}

}  // namespace jcs
