#pragma once

#include "model/model.h"

namespace jcs::model {

/// Of a model's inference network, the convolutions that can be computed in bytes, by their scopes, in their order.
std::vector<std::string> quantizableLayers(const ModelMetadata& metadata);

/// A quantised model's inference network as it is computed in bytes, float32 beside them, for images of that size. What
/// it derives from parameters are constants. INVALID_ARGUMENT when the model is not quantised, DISPOSED.
std::unique_ptr<Graph> quantizedGraph(Model& model, int64_t n, int64_t height, int64_t width);

}  // namespace jcs::model
