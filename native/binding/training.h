#pragma once

#include <napi.h>

namespace jcs {

/// train(model, dataset, validation | undefined, optionsJson, cancellation, onEvent): promise of the outcome as JSON.
/// trainSettings(task, optionsJson): every setting that the options, given over a recipe, come to, as JSON.
void defineTraining(Napi::Env env, Napi::Object exports);

}  // namespace jcs
