import type { Classifier } from '../inference/classification'
import type { Segmenter } from '../inference/segmentation'
import { type Model, nativeOf } from '../model'
import type { RuntimeOptions } from '../model/runtime'
import { type Asker, Batcher } from './batcher'
import { DeviceModels } from './models'
import type { Observer } from './observer'
import type { ServiceSettings } from './options'
import { warmUp } from './warm-up'

/** A device of a service: its models, and the queue before them. */
export class ServiceDevice {
  readonly models: DeviceModels
  readonly #batcher: Batcher
  readonly #settings: ServiceSettings
  /** Requests that it works on. */
  active = 0

  constructor(device: RuntimeOptions['device'], settings: ServiceSettings, observer: Observer) {
    this.#settings = settings
    this.#batcher = new Batcher(observer)
    const runtime = { ...settings.runtime, ...(device !== undefined && { device }) }
    const warm = async (model: Model) => {
      if (settings.warmUp) await warmUp(model, this.largestBatchOf(model))
    }
    const limits = { runtime, budgetBytes: settings.memoryBudgetBytes, warmUp: warm }
    this.models = new DeviceModels(settings.models, limits, observer)
  }

  /** Slices that a model sees at once. */
  largestBatchOf({ task }: Model): number {
    return task === 'classification' ? this.#settings.classificationBatch : this.#settings.segmentationBatch
  }

  /** What takes the place of a model in a request. */
  network(name: string, model: Model, asker: Asker): Classifier & Segmenter {
    const { device } = model
    const largestBatch = this.largestBatchOf(model)
    return this.#batcher.network({ name, native: nativeOf(model), device, largestBatch }, asker)
  }
}
