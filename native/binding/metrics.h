#pragma once

#include <napi.h>

#include <vector>

#include "metrics/calibration.h"

namespace jcs::binding {

/// segmentationMetrics, classificationMetrics, reliabilityDiagram and explanationMetrics (contract in ts/native.ts).
void defineMetrics(Napi::Env env, Napi::Object exports);

/// ReliabilityBins of ts/metrics.ts.
Napi::Value fromReliability(Napi::Env env, const std::vector<metrics::ReliabilityBin>& bins);

}  // namespace jcs::binding
