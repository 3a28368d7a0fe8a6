#pragma once

#include <napi.h>

namespace jcs {

/// train(model, dataset, validation | undefined, optionsJson, cancellation, onEvent): promise of the outcome as JSON.
/// evaluate(model, dataset, batchSize, cancellation, onEvent): promise of { metrics, probabilities? } as JSON.
/// recipe(name, task, pretrained): the recipe's settings as JSON.
void defineTraining(Napi::Env env, Napi::Object exports);

}  // namespace jcs
