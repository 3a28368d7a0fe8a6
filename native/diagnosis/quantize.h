#pragma once

#include "diagnosis/evaluate.h"

namespace jcs::diagnosis {

struct QuantizeOptions {
  int64_t batchSize = 4;
  /// How far results may move: of a classifier the mean change of a slice's probability; of a segmenter 1 − the Dice
  /// coefficient of the masks of numbers and those of bytes, or, where neither has a lesion, the mean change of a
  /// pixel's probability.
  double largestChange = 0.01;
  /// Whether layers are left that are no faster in bytes; else all are taken that the change allows.
  bool measuresSpeed = false;
};

struct QuantizedLayer {
  enum class Reason { kAccuracy, kSpeed };

  std::string name;
  compiler::ValueRange input;
  std::optional<Reason> leftFor = std::nullopt;  ///< why it stays as it was; none: it is in bytes
  std::optional<double> change =
      std::nullopt;  ///< where it alone is in bytes; measured only where all together moved too much
};

struct QuantizationReport {
  std::vector<QuantizedLayer> layers;  ///< in the network's order
  double changeOfAll = 0;              ///< with every layer that was to be taken
  double change = 0;                   ///< with those that are in bytes now
};

/// Post-training quantisation: sees what the inputs of convolutions lie between on the dataset's images, which need no
/// labels, and decides which of them the model computes in bytes from now on. Where all of them move results too far,
/// each is tried alone, and those that move them most stay. Throws EMPTY_DATASET, CANCELLED; the model is then as it
/// was. Whoever uses the model meanwhile may get results of trials.
QuantizationReport quantize(model::Model& model, const data::SliceStore& dataset, const QuantizeOptions& options,
                            const EvaluationProgress& progress, const std::atomic<bool>* cancelled);

}  // namespace jcs::diagnosis
