#pragma once

#include <napi.h>

namespace jcs::binding {

/// train(model, dataset, validation | undefined, settings, cancellation, onEvent): promise of the outcome as JSON.
void defineTraining(Napi::Env env, Napi::Object exports);

}  // namespace jcs::binding
