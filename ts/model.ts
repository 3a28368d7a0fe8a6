import { fileURLToPath } from 'node:url'
import {
  checkOptions,
  requireBoolean,
  requireNumber,
  requireOneOf,
  requireString,
  requireWhole,
} from './base/check'
import { JcsError, toJcsError } from './base/errors'
import { type FileHash, hashOfBytes, hashOfFile } from './model/file-hash'
import type { Peaks, Profile, ProfileOptions } from './model/profile'
import { type RuntimeOptions, runtimeOptionNames, takeRuntimeOptions } from './model/runtime'
import { isShippedModel, type ShippedModel, shippedModelPath } from './model/shipped'
import { type ModelSpec, specToJson } from './model/spec'
import { callNative, callNativeNow, type NativeModel, type ParameterInfo, type Tensor } from './native'

/** A .safetensors file: its path, its `file:` address or its bytes. */
export type WeightsSource = string | URL | Uint8Array

export interface CreateModelOptions extends RuntimeOptions {
  /** The same seed gives the same weights on every machine. 0 (default) to 2^53 - 1. */
  seed?: number | undefined
  /**
   * ImageNet weights for the trunk: torchvision's VGG-16-BN (`features.N.*`) or Res2Net's own names, converted to
   * safetensors. Several for networks with several trunks.
   */
  backbone?: WeightsSource | readonly WeightsSource[] | undefined
}

export interface LoadModelOptions extends RuntimeOptions {
  /** Needed for files that do not carry it, as the authors' converted state dicts. */
  spec?: ModelSpec | undefined
}

export interface SaveOptions {
  /** Of weights: `bf16` halves the file; vectors, such as batch-norm statistics, stay float32. Default `f32`. */
  weights?: 'f32' | 'bf16' | undefined
  /** Said wherever the model is used: terms, attribution. Default: the model's own. */
  notice?: string | undefined
  /** Of a segmenter, see `Model.minLesionAreaMm2`. Default: the model's own. */
  minLesionAreaMm2?: number | undefined
}

export interface OnnxOptions {
  /** Images per run; `dynamic` leaves it open. Default 1. */
  batch?: number | 'dynamic' | undefined
  /**
   * With the layers that were quantised in 8 bits: QuantizeLinear and DequantizeLinear around their convolutions (QDQ), their
   * weights as int8, batch norms folded. Default: whether the model was quantised.
   */
  int8?: boolean | undefined
  /** Of the input, at least 32. Default: the model's `inputSize`. */
  height?: number | undefined
  width?: number | undefined
}

/** What takes how much of the device's memory. */
export interface ModelMemory {
  /**
   * Parameters that are in memory: all of a model that was created, trained or changed; of one that `loadModel` gave,
   * those few that its programs read as they are.
   */
  parameterBytes: number
  /** What programs have made of parameters and keep: folded, packed, rounded; models of one file share it. 0 before the first run. */
  preparedBytes: number
  /** What programs compute in, shared by all models of the device. */
  arenaBytes: number
}

interface ModelDescription {
  spec: Required<Omit<ModelSpec, 'trunkEpsilon' | 'classifierEpsilon'>> & ModelSpec
  task: 'classification' | 'segmentation'
  device: string
  precision: string
  threads: number
  inputSize: number
  mean: [number, number, number]
  deviation: [number, number, number]
  window: { center: number; width: number }
  temperature: number
  minLesionAreaMm2: number
  notice?: string
  quantizedLayers: string[]
  memory: ModelMemory
  disposed: boolean
  provenance?: Record<string, unknown>
}

/** Set by the class, the only one that sees its private field. */
let nativeModelOf: (model: unknown) => NativeModel | undefined

/**
 * A network's weights on a device. Made by `createModel`, `loadModel` and `train`; usable for several things at once.
 * `dispose()` it, or declare it with `await using`: its memory is the device's, of which the garbage collector knows
 * little.
 */
export class Model implements AsyncDisposable {
  readonly #native: NativeModel
  #fileHash: FileHash | undefined

  /** @internal */
  constructor(native: NativeModel, fileHash?: FileHash) {
    this.#native = native
    this.#fileHash = fileHash
  }

  static {
    nativeModelOf = (model) => (model instanceof Model ? model.#native : undefined)
  }

  get spec(): ModelSpec {
    return this.#describe().spec
  }

  get task(): 'classification' | 'segmentation' {
    return this.#describe().task
  }

  /** The device that is really used: `cpu`, `cuda:0`. */
  get device(): string {
    return this.#describe().device
  }

  /** The precision that is really used: `fp32`, `tf32`, `bf16`; `int8` where inference computes quantised layers in 8 bits. */
  get precision(): string {
    return this.#describe().precision
  }

  /** Threads of the CPU backend. */
  get threads(): number {
    return this.#describe().threads
  }

  /** Height and width, in pixels, to which `classify` and `segment` bring an image. */
  get inputSize(): number {
    return this.#describe().inputSize
  }

  /** What `forward` expects to be done with RGB values in [0, 1]: `(value - mean) / deviation`. */
  get normalization(): { mean: [number, number, number]; deviation: [number, number, number] } {
    const { mean, deviation } = this.#describe()
    return { mean, deviation }
  }

  /** Which values it sees as 0 to 1 where they are in HU: of DICOM, NIfTI and the like. `train` sets it; else it is −600/1500. */
  get window(): { center: number; width: number } {
    return this.#describe().window
  }

  /** Of a classifier: what its log-odds are divided by before they become probabilities. `calibrate` fits it, `train` makes it 1. */
  get temperature(): number {
    return this.#describe().temperature
  }

  /** Of a segmenter, mm²: without a classifier, slices with more lesion than this are positive. Calibrated, else 0. */
  get minLesionAreaMm2(): number {
    return this.#describe().minLesionAreaMm2
  }

  /**
   * SHA-256 of the file that the model was loaded from, as hexadecimal digits: which weights they were. Undefined for a
   * model that was made here, trained further, calibrated or quantised, and when its file has changed since.
   */
  async sha256(): Promise<string | undefined> {
    return this.#fileHash?.()
  }

  /** It is not what its file holds any more. @internal */
  forgetFile(): void {
    this.#fileHash = undefined
  }

  /** What is to be said wherever it is used, of models that come with terms of their own. */
  get notice(): string | undefined {
    return this.#describe().notice
  }

  /** The settings that it was trained with, if it was trained by this library. */
  get provenance(): Record<string, unknown> | undefined {
    return this.#describe().provenance
  }

  /** Device memory that the model itself holds: its parameters and what was prepared of them. */
  get memoryBytes(): number {
    const { parameterBytes, preparedBytes } = this.memory
    return parameterBytes + preparedBytes
  }

  /** What takes how much of the device's memory. */
  get memory(): ModelMemory {
    return this.#describe().memory
  }

  /** Layers that inference computes in 8 bits where `precision` says `int8`; empty for a model that was not quantised. */
  get quantizedLayers(): string[] {
    return this.#describe().quantizedLayers
  }

  get disposed(): boolean {
    return this.#describe().disposed
  }

  /** Every parameter and running statistic, by the names that saved files have. */
  parameters(): ParameterInfo[] {
    return callNativeNow(() => this.#native.parameters())
  }

  /** @throws JcsError MISSING_PARAMETER */
  async getParameter(name: string): Promise<Tensor> {
    requireString('name', name)
    return callNative(() => this.#native.getParameter(name))
  }

  /**
   * Runs the network on normalised images, N×3×H×W with H and W at least 32, and gives its raw outputs by name. A
   * classifier gives `logits` N×2 (uninfected, infected). A segmenter gives probabilities N×1×H×W at the input's size:
   * `side1`, the final map, to `side5`; of `unet` and `poolnet`, `side1` alone. `dss` gives the mean that is final, the
   * fusion as `side2`, and its sides as `side3`, the finest, to `side8`; `egnet` the final map, those guided by the edge
   * (`side2` to `side5`) and those before (`side6` to `side9`), finest first, and `edge`.
   *
   * @throws JcsError INVALID_TYPE, SHAPE_MISMATCH, INPUT_TOO_SMALL, NOT_FINITE, OUT_OF_MEMORY, DISPOSED
   */
  async forward(input: Tensor): Promise<Record<string, Tensor>> {
    return callNative(() => this.#native.forward(input))
  }

  /**
   * Writes the model with its spec, input size and window as safetensors. The file appears whole or not at all.
   *
   * @throws JcsError INVALID_ARGUMENT, FILE_UNWRITABLE, DISK_FULL, DISPOSED
   */
  async save(path: string, options: SaveOptions = {}): Promise<void> {
    requireString('path', path)
    checkOptions('options', options, ['weights', 'notice', 'minLesionAreaMm2'])
    const { weights, notice, minLesionAreaMm2 } = options
    if (weights !== undefined) requireOneOf('weights', weights, ['f32', 'bf16'])
    if (notice !== undefined) requireString('notice', notice)
    if (minLesionAreaMm2 !== undefined) requireNumber('minLesionAreaMm2', minLesionAreaMm2, 0, 1e6)
    return callNative(() => this.#native.save(path, JSON.stringify(options)))
  }

  /**
   * Writes the inference network as ONNX (opset 18): input `image`, outputs as of `forward`. Normalisation is
   * not part of it. A quantised model's layers are in 8 bits there, unless `int8` is false.
   *
   * @throws JcsError INVALID_ARGUMENT, INPUT_TOO_SMALL, FILE_UNWRITABLE, DISK_FULL, DISPOSED
   */
  async exportOnnx(path: string, options: OnnxOptions = {}): Promise<void> {
    requireString('path', path)
    checkOptions('options', options, ['batch', 'height', 'width', 'int8'])
    const { batch = 1, height = this.inputSize, width = this.inputSize, int8 } = options
    if (batch !== 'dynamic') requireWhole("batch, unless 'dynamic',", batch, 1, 4096)
    checkSize(height, width)
    if (int8 !== undefined) requireBoolean('int8', int8)
    const settings = {
      ...(batch === 'dynamic' ? { dynamicBatch: true } : { batch }),
      height,
      width,
      ...(int8 !== undefined && { int8 }),
    }
    return callNative(() => this.#native.exportOnnx(path, JSON.stringify(settings)))
  }

  /** Compiles the network for a size and times every step of it in a warm run, and what else could compute it. */
  async profile(options: ProfileOptions = {}): Promise<Profile> {
    checkOptions('options', options, ['batch', 'height', 'width', 'alternatives'])
    const { batch = 1, height = this.inputSize, width = this.inputSize, alternatives = false } = options
    requireWhole('batch', batch, 1, 4096)
    checkSize(height, width)
    requireBoolean('alternatives', alternatives)
    return JSON.parse(
      await callNative(() => this.#native.profile(batch, height, width, alternatives)),
    ) as Profile
  }

  /**
   * Measures what the device can do at best with as many threads as the model uses, in a fraction of a second.
   *
   * @throws JcsError OUT_OF_MEMORY, DISPOSED
   */
  async peaks(): Promise<Peaks> {
    return JSON.parse(await callNative(() => this.#native.peaks())) as Peaks
  }

  /**
   * Frees the device memory once running work is done. Whatever is asked for afterwards is DISPOSED; disposing twice
   * does nothing.
   */
  async dispose(): Promise<void> {
    return callNative(() => this.#native.dispose())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }

  #describe(): ModelDescription {
    return JSON.parse(callNativeNow(() => this.#native.describe())) as ModelDescription
  }
}

/** What the addon knows a model by. @throws JcsError INVALID_TYPE for what is no model */
export function nativeOf(model: Model, name = 'model'): NativeModel {
  const native = nativeModelOf(model)
  if (native) return native
  throw new JcsError('INVALID_TYPE', `${name} must be a model made by createModel, loadModel or train`)
}

/** The same, for a model of one task that can still be used. */
export function nativeFor(task: Model['task'], model: Model, name = 'model'): NativeModel {
  const native = nativeOf(model, name)
  if (model.disposed) throw new JcsError('DISPOSED', `${name} was disposed; create or load it again`)
  if (model.task !== task) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      `${name} is '${model.spec.network}', made for ${model.task}; a network made for ${task} is needed`,
    )
  }
  return native
}

/** A network with weights drawn from `seed`, and its trunk from `backbone` if given. */
export async function createModel(spec: ModelSpec, options: CreateModelOptions = {}): Promise<Model> {
  checkOptions('options', options, [...runtimeOptionNames, 'seed', 'backbone'])
  const { seed = 0, backbone = [] } = options
  requireWhole('seed', seed, 0)
  const sources = (isWeightsSource(backbone) ? [backbone] : backbone).map((source) =>
    takeWeights(source, 'backbone'),
  )
  const settings = JSON.stringify({ ...takeRuntimeOptions(options), seed })
  const specJson = specToJson(spec)
  const native = await callNative((native) => native.createModel(specJson, settings))
  try {
    for (const source of sources) await native.loadBackbone(source)
  } catch (error) {
    await native.dispose()
    throw toJcsError(error)
  }
  return new Model(native)
}

/**
 * Loads a .safetensors file: one of ours, which carries its spec, or a state dict converted from the authors'
 * checkpoints, for which `spec` says what it is. Bytes are copied when the function is called; a file is read again when
 * parameters are wanted, and must not be written to while the model is in use (replacing or removing it is fine).
 * `lesions` and `lungs`
 * are trained networks of the package jcs-ct-models, with terms of their own (`notice`).
 *
 * @throws JcsError MODELS_NOT_INSTALLED, FILE_NOT_FOUND, FILE_UNREADABLE, CORRUPT_FILE, WRONG_VARIANT, MISSING_PARAMETER,
 * UNEXPECTED_PARAMETER, SHAPE_MISMATCH, DEVICE_UNAVAILABLE, OUT_OF_MEMORY
 */
export async function loadModel(
  source: WeightsSource | ShippedModel,
  options: LoadModelOptions = {},
): Promise<Model> {
  checkOptions('options', options, [...runtimeOptionNames, 'spec'])
  const weights = weightsOf(source, 'source')
  const spec = options.spec === undefined ? undefined : specToJson(options.spec)
  const settings = JSON.stringify(takeRuntimeOptions(options))
  // Bytes are read before anything is awaited, as the addon reads them.
  const bytesHash = typeof weights === 'string' ? undefined : hashOfBytes(weights)
  const native = await callNative((native) => native.loadModel(weights, spec, settings))
  return new Model(native, bytesHash ?? (await hashOfFile(weights as string).catch(() => undefined)))
}

/** What the addon reads weights from. @throws JcsError INVALID_TYPE, INVALID_ARGUMENT, MODELS_NOT_INSTALLED */
export function weightsOf(source: WeightsSource | ShippedModel, name: string): string | Uint8Array {
  return takeWeights(isShippedModel(source) ? shippedModelPath(source) : source, name)
}

function isWeightsSource(source: unknown): source is WeightsSource {
  return typeof source === 'string' || source instanceof URL || source instanceof Uint8Array
}

function takeWeights(source: unknown, name: string): string | Uint8Array {
  if (source instanceof Uint8Array) return source
  if (source instanceof URL) {
    if (source.protocol === 'file:') return fileURLToPath(source)
    throw new JcsError('INVALID_ARGUMENT', `${name} is at ${source.protocol}; fetch it, or give a file`)
  }
  if (typeof source !== 'string') {
    throw new JcsError(
      'INVALID_TYPE',
      `${name} must be a path, a file: address or the bytes of a .safetensors file`,
    )
  }
  requireString(name, source)
  return /^file:\/\//i.test(source) ? fileURLToPath(source) : source
}

function checkSize(height: unknown, width: unknown): void {
  requireWhole('height', height, 1, 16384)
  requireWhole('width', width, 1, 16384)
}
