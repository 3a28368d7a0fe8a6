#pragma once

#include <napi.h>

#include <vector>

#include "metrics/bootstrap.h"
#include "metrics/calibration.h"

namespace jcs::binding {

/// segmentationMetrics, classificationMetrics, reliabilityDiagram and explanationMetrics (contract in ts/native.ts).
void defineMetrics(Napi::Env env, Napi::Object exports);

/// Of every metric [low, high].
Napi::Value fromIntervals(Napi::Env env, const metrics::Intervals& intervals);
/// Of every metric its values.
Napi::Value fromResamples(Napi::Env env, const metrics::Resamples& resamples);
/// ReliabilityBins of ts/metrics.ts.
Napi::Value fromReliability(Napi::Env env, const std::vector<metrics::ReliabilityBin>& bins);

}  // namespace jcs::binding
