#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "communication/communicator.h"
#include "model/model.h"
#include "train/batch_inputs.h"
#include "train/train_config.h"
#include "train/training_graph.h"

namespace jcs::train {

/// One optimiser step on a batch, compiled: as one program, or, where that does not fit into memory, as programs for
/// parts of the batch, whose gradients are summed up before the update. Losses that sum over the batch are the whole
/// batch's either way. With a communicator a batch is what all ranks have together, each taking the same step.
class TrainingStep {
 public:
  using Losses = std::map<std::string, double>;  ///< total and terms, by the names of the outputs

  /// For batches of `batch` samples, of each rank, and parts of `config.microBatch`, or, where that is 0, as large as
  /// memory allows, on every rank. Compiles: execution thread; OUT_OF_MEMORY when not even one sample fits. What is
  /// referred to has to outlive it; `communicator` is null where this process is alone.
  TrainingStep(model::Model& model, const TrainConfig& config, const BatchInputs& inputs, const LossBuilder& loss,
               int64_t batch, communication::Communicator* communicator = nullptr);
  ~TrainingStep();

  /// Samples per pass.
  int64_t microBatch() const { return microBatch_; }
  /// Takes the step after `iteration` others: wholly, or, when `cancelled` is raised in time, not at all (CANCELLED).
  /// Gives the losses of the whole batch.
  Losses run(const data::Batch& batch, double learningRate, int64_t iteration, const std::atomic<bool>* cancelled);

 private:
  struct Programs;
  struct BatchSums;
  struct Part;

  std::unique_ptr<Programs> compiled(int64_t microBatch);
  void addMissingStates(const Graph& graph);
  /// Of all ranks, from this one's shares.
  Losses ofAllRanks(Losses losses);
  Losses runParts(const data::Batch& batch, std::span<const float> hyper, const std::atomic<bool>* cancelled);
  std::vector<Part> partsOf(const data::Batch& batch) const;
  void measure(Part& part, const std::atomic<bool>* cancelled);
  Losses accumulate(const Part& part, const BatchSums& others);
  void bindPart(const Part& part, const BatchSums& others, compiler::Bindings& bindings) const;
  void runProgram(compiler::Program& program, const compiler::Bindings& bindings,
                  const std::atomic<bool>* cancelled = nullptr);
  /// Runs it and reads the losses.
  Losses readLosses(compiler::Program& program, compiler::Bindings& bindings, const std::atomic<bool>* cancelled);
  void clearGradients();

  model::Model& model_;
  const TrainConfig& config_;
  const BatchInputs& inputs_;
  const LossBuilder& loss_;
  communication::Communicator* communicator_;
  int64_t batch_, sides_, microBatch_ = 0;
  std::unique_ptr<Programs> programs_;
};

}  // namespace jcs::train
