import { setMaxListeners } from 'node:events'
import { untilAborted } from './base/abort'
import { JcsError, toJcsError } from './base/errors'
import { type Case, withCase } from './cases'
import { diagnoseCase } from './diagnosis/diagnose-case'
import { type DiagnoseOptions, takeDiagnosisSettings } from './diagnosis/options'
import type { Images, SliceOrder } from './images'
import {
  type Classifier,
  type ClassifyOptions,
  classifySlices,
  takeClassification,
} from './inference/classification'
import {
  type Segmenter,
  type SegmentOptions,
  segmentSlices,
  takeSegmentation,
} from './inference/segmentation'
import { streamSlices } from './inference/slices'
import { nativeFor } from './model'
import { type CommonOptions, type ImageOptions, separateImageOptions } from './run/options'
import type { Classification, Diagnosis, Segmentation } from './run/results'
import { Run, type RunContext } from './run/run'
import { Admission } from './service/admission'
import { channelObserver } from './service/channels'
import { ServiceDevice } from './service/device'
import type { Lease, ModelStatus } from './service/models'
import { everyObserver, type Observer, type RequestEvent } from './service/observer'
import { openTelemetryObserver } from './service/open-telemetry'
import {
  type RequestOptions,
  requireSource,
  roles,
  type ServiceModel,
  type ServiceOptions,
  type ServiceSettings,
  takeRequestTerms,
  takeServiceSettings,
} from './service/options'
import { prometheusMetrics } from './service/prometheus'

/** The service chooses how many slices are seen at once. */
export type ServiceClassifyOptions = Omit<ClassifyOptions, 'batchSize'> &
  RequestOptions & {
    /** By its name. Default `classifier`. */
    model?: string | undefined
  }

export type ServiceSegmentOptions = Omit<SegmentOptions, 'batchSize'> &
  RequestOptions & {
    /** By its name. Default `segmenter`. */
    model?: string | undefined
  }

export type ServiceDiagnoseOptions = Omit<DiagnoseOptions, 'batchSize'> &
  RequestOptions & {
    /** By its name; null for none. Default `classifier`, where the service has one. */
    classifier?: string | null | undefined
    /** Default `segmenter`. */
    segmenter?: string | undefined
    /** Default `lungs`, where the service has one. */
    lungs?: string | null | undefined
  }

export interface ServiceStatus {
  /** Whether it takes requests. */
  isOpen: boolean
  /** Requests that wait for a place. */
  waiting: number
  /** Requests that are worked on. */
  active: number
  models: ModelStatus[]
}

/** What a request does once it has a place, models and a device. */
interface Plan<T> {
  names: readonly string[]
  order: SliceOrder
  work(
    scan: { scan: Case; isOwn: boolean },
    place: { lease: Lease; network: (name: string) => Classifier & Segmenter },
    context: RunContext,
  ): Promise<T>
}

/**
 * Models behind a queue, for many callers at once: what they ask for is seen together, in turn, within limits. Made by
 * `createService`. `close()` it, or declare it with `await using`.
 */
export class Service implements AsyncDisposable {
  readonly #settings: ServiceSettings
  readonly #devices: ServiceDevice[]
  readonly #admission: Admission
  readonly #observer: Observer
  readonly #metrics: () => Promise<string>
  /** Of requests that have not ended, with what ends them. */
  readonly #underway = new Map<Promise<unknown>, AbortController>()
  #closing: Promise<void> | undefined

  /** @internal */
  constructor(settings: ServiceSettings) {
    const prometheus = prometheusMetrics(() => this.status())
    this.#settings = settings
    this.#metrics = prometheus.text
    this.#observer = everyObserver([prometheus.observer, openTelemetryObserver(), channelObserver(this)])
    this.#admission = new Admission(settings)
    this.#devices = settings.devices.map((device) => new ServiceDevice(device, settings, this.#observer))
  }

  /**
   * As the function `classify`, in turn with other requests.
   *
   * @throws JcsError what `classify` gives, and BUSY, DEADLINE_EXCEEDED, SERVICE_CLOSED, INVALID_ARGUMENT for a model
   * that the service does not have
   */
  classify(images: Images | Case, options: ServiceClassifyOptions = {}): Run<Classification[]> {
    return this.#run('classify', images, options, ({ model: name = 'classifier', ...own }) => {
      const settings = { ...takeClassification(own), batchSize: this.#settings.classificationBatch }
      return {
        names: [name],
        order: 'given',
        work: ({ scan, isOwn }, { network }, context) => {
          const slices = { scan, indices: streamSlices(scan, context), isLastUse: isOwn }
          return classifySlices(network(name), slices, settings, context)
        },
      }
    })
  }

  /** As the function `segment`, in turn with other requests; throws as `classify`. */
  segment(images: Images | Case, options: ServiceSegmentOptions = {}): Run<Segmentation[]> {
    return this.#run('segment', images, options, ({ model: name = 'segmenter', ...own }) => {
      const settings = { ...takeSegmentation(own), batchSize: this.#settings.segmentationBatch }
      return {
        names: [name],
        order: 'given',
        work: ({ scan, isOwn }, { network }, context) => {
          const slices = { scan, indices: streamSlices(scan, context), isLastUse: isOwn }
          return segmentSlices(network(name), slices, settings, context)
        },
      }
    })
  }

  /** As the function `diagnose`, in turn with other requests; throws as `classify`. */
  diagnose(images: Images | Case, options: ServiceDiagnoseOptions = {}): Run<Diagnosis> {
    return this.#run(
      'diagnose',
      images,
      options,
      ({ classifier, segmenter = 'segmenter', lungs, ...own }) => {
        const names = {
          classifier: this.#optional('classifier', classifier),
          segmenter,
          lungs: this.#optional('lungs', lungs),
        }
        const taken = takeDiagnosisSettings(own, names.classifier !== undefined)
        const { classificationBatch, segmentationBatch } = this.#settings
        const settings = {
          ...taken,
          classification: { ...taken.classification, batchSize: classificationBatch },
          segmentation: { ...taken.segmentation, batchSize: segmentationBatch },
          lungs: { ...taken.lungs, batchSize: segmentationBatch },
        }
        return {
          names: Object.values(names).filter((name) => name !== undefined),
          order: 'patient',
          work: ({ scan }, { lease, network }, context) => {
            const byRole = <T>(of: (name: string) => T) => ({
              classifier: names.classifier === undefined ? undefined : of(names.classifier),
              segmenter: of(names.segmenter),
              lungs: names.lungs === undefined ? undefined : of(names.lungs),
            })
            return diagnoseCase(scan, byRole(lease.model), byRole(network), settings, context)
          },
        }
      },
    )
  }

  /**
   * Puts another model in the place of the one of that name, on every device. It is loaded first; requests that have
   * begun end with the old one, which is freed then.
   *
   * @throws JcsError what `loadModel` gives, INVALID_ARGUMENT, OUT_OF_MEMORY
   */
  async replaceModel(name: string, source: ServiceModel): Promise<void> {
    this.#requireOpen()
    requireSource(source, this.#devices.length)
    for (const { models } of this.#devices) await models.replace(name, source)
  }

  /**
   * Refuses what a request would be refused for now, before its images are there.
   *
   * @throws JcsError BUSY, SERVICE_CLOSED
   */
  requireRoom(
    kind: RequestEvent['kind'],
    { priority = 'normal' }: Pick<RequestOptions, 'priority'> = {},
  ): void {
    this.#requireOpen()
    this.#admission.requireRoom({ priority, isCase: kind === 'diagnose' })
  }

  status(): ServiceStatus {
    return {
      isOpen: this.#closing === undefined,
      waiting: this.#admission.waiting,
      active: this.#admission.active,
      models: this.#devices.flatMap(({ models }) => models.status()),
    }
  }

  /** Counters and histograms of this service in Prometheus' text format; their names begin with `jcs_`. */
  metrics(): Promise<string> {
    return this.#metrics()
  }

  /**
   * Takes no more requests, and ends once those that it has are done; after `graceMs` they are given up as
   * SERVICE_CLOSED. Frees the models that the service loaded.
   */
  close({ graceMs = Number.POSITIVE_INFINITY }: { graceMs?: number | undefined } = {}): Promise<void> {
    this.#closing ??= this.#drain(graceMs)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #drain(graceMs: number): Promise<void> {
    const giveUp = () => {
      for (const controller of this.#underway.values()) controller.abort(closed())
    }
    const timer = Number.isFinite(graceMs) ? setTimeout(giveUp, graceMs) : undefined
    while (this.#underway.size > 0) await Promise.allSettled(this.#underway.keys())
    clearTimeout(timer)
    for (const { models } of this.#devices) await models.close()
  }

  /** Has all models in memory, as far as the budget goes, each of them run once. @internal */
  async prepare(): Promise<void> {
    for (const { models } of this.#devices)
      for (const name of this.#settings.models.keys()) {
        const model = await models.prepare(name)
        if (isRole(name)) nativeFor(name === 'classifier' ? 'classification' : 'segmentation', model, name)
      }
  }

  #requireOpen(): void {
    if (this.#closing) throw closed()
  }

  #optional(role: 'classifier' | 'lungs', name: string | null | undefined): string | undefined {
    if (name === undefined) return this.#settings.models.has(role) ? role : undefined
    return name ?? undefined
  }

  #run<T, Options extends RequestOptions & CommonOptions & ImageOptions>(
    kind: RequestEvent['kind'],
    images: Images | Case,
    options: Options,
    plan: (own: Omit<Options, keyof RequestOptions>) => Plan<T>,
  ): Run<T> {
    return new Run(async (context) => {
      const times = { startedAt: performance.now(), admittedAt: undefined as number | undefined }
      const report = (outcome: RequestEvent['outcome']) => {
        const { startedAt, admittedAt } = times
        const queuedMs = admittedAt === undefined ? undefined : admittedAt - startedAt
        this.#observer.onRequest({ kind, outcome, queuedMs, durationMs: performance.now() - startedAt })
      }
      try {
        const result = await this.#work(kind, images, options, plan, context, times)
        report('ok')
        return result
      } catch (error) {
        report(context.signal.aborted ? 'CANCELLED' : toJcsError(error).code)
        throw error
      }
    }, options)
  }

  async #work<T, Options extends RequestOptions & CommonOptions & ImageOptions>(
    kind: RequestEvent['kind'],
    images: Images | Case,
    options: Options,
    plan: (own: Omit<Options, keyof RequestOptions>) => Plan<T>,
    context: RunContext,
    times: { admittedAt: number | undefined },
  ): Promise<T> {
    this.#requireOpen()
    const { priority, client, deadlineMs: given, ...own } = options
    if (own.batchSize !== undefined)
      throw new JcsError(
        'INVALID_ARGUMENT',
        'batchSize is an option of createService: classificationBatch, segmentationBatch',
      )
    const { deadlineMs, ...terms } = takeRequestTerms({ priority, client, deadlineMs: given })
    const isCase = kind === 'diagnose'
    this.#admission.requireRoom({ ...terms, isCase })
    const { names, order, work } = plan(own)
    // One of its own: what is made of a signal that outlives it would stay with that.
    const controller = new AbortController()
    const { signal } = controller
    setMaxListeners(0, signal)
    context.signal.addEventListener('abort', () => controller.abort(context.signal.reason), { once: true })
    const late = () =>
      new JcsError('DEADLINE_EXCEEDED', `the request was not done within its ${deadlineMs} ms`)
    const deadline = deadlineMs && setTimeout(() => controller.abort(late()), deadlineMs)
    const place = this.#admission.enter({ ...terms, isCase, signal })
    const [imageOptions] = separateImageOptions(own)
    const done = withCase(images, imageOptions, order, async (scan, isOwn) => {
      const leave = await place
      times.admittedAt = performance.now()
      const device = this.#devices.reduce((best, each) => (each.active < best.active ? each : best))
      device.active++
      try {
        const lease = await device.models.lease(names, signal)
        try {
          const asker = { priority: terms.priority, signal }
          const network = (name: string) => device.network(name, lease.model(name), asker)
          return await work({ scan, isOwn }, { lease, network }, { ...context, signal })
        } finally {
          lease.release()
        }
      } finally {
        device.active--
        leave()
      }
    })
    // Images that are none fail before anything waits for the place.
    const ended = done
      .catch(async () => (await place)())
      .catch(() => {})
      .finally(() => this.#underway.delete(ended))
    this.#underway.set(ended, controller)
    try {
      // Its caller does not wait for what the network still does with slices of others beside its own.
      return await untilAborted(done, signal)
    } catch (error) {
      throw signal.aborted && signal.reason instanceof JcsError ? signal.reason : error
    } finally {
      clearTimeout(deadline)
    }
  }
}

function isRole(name: string): name is (typeof roles)[number] {
  return (roles as readonly string[]).includes(name)
}

function closed(): JcsError {
  return new JcsError('SERVICE_CLOSED', 'the service is closed, or closing; ask another')
}

/**
 * A service over models: requests of many callers are seen together by the networks, in turn, by priority, and within
 * limits beyond which they are refused as BUSY. Models are loaded by the service, which frees them, or the caller's.
 *
 * @throws JcsError INVALID_TYPE, INVALID_ARGUMENT, and what `loadModel` gives
 */
export async function createService(options: ServiceOptions): Promise<Service> {
  const settings = takeServiceSettings(options)
  const service = new Service(settings)
  try {
    if (settings.warmUp) await service.prepare()
    return service
  } catch (error) {
    await service.close()
    throw error
  }
}
