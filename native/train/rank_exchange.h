#pragma once

#include "communication/communicator.h"
#include "metrics/metrics.h"
#include "model/model.h"

namespace jcs::train {

/// Gives every rank the model's states of rank 0: what is computed from there on is the same on all.
void shareStates(communication::Communicator& communicator, model::Model& model);

/// Gives every rank the metrics of rank 0.
void shareMetrics(communication::Communicator& communicator, metrics::Metrics& metrics);

}  // namespace jcs::train
