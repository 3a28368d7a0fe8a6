import { throwIfAborted, untilAborted } from '../base/abort'
import { requireWhole } from '../base/check'
import { JcsError } from '../base/errors'
import {
  type DecodedImage,
  decodeAll,
  type Images,
  type Series,
  type SeriesFiles,
  type SliceOrder,
  type SourceStudy,
  type Volume,
} from '../images'
import type { ImageOptions } from '../run/options'
import { gridOfSlices, heightAlongNormal, type SlicePlace, type VoxelGrid } from '../volumes'
import { SliceStore } from './slice-store'

/** Where a slice comes from, UIDs as they stand in its file, and where it lies. */
export interface SourceSlice extends SlicePlace {
  sopClassUid?: string | undefined
  instanceUid?: string | undefined
  /** From 1: in a file that may hold several. */
  frameNumber?: number | undefined
}

/**
 * The slices of a patient's scan, in order: decoded once, when they are first asked for, and kept for whatever comes
 * next, another network, pictures, a report. Made by `openCase`. `dispose()` it, or declare it with `using`: what it
 * holds lies outside JavaScript's heap.
 */
export class Case implements Disposable {
  readonly #store = new SliceStore()
  /** Of the slices that are in the store and may be used. */
  readonly #names: string[] = []
  readonly #controller = new AbortController()
  readonly #decoded: AsyncGenerator<DecodedImage, void, undefined>
  readonly #skipped: string[] = []
  /** Of the same slices. */
  readonly #places: SourceSlice[] = []
  readonly #volumes: Volume[] = []
  readonly #onGap: ImageOptions['onGap']
  #total: number | undefined
  #isComplete = false
  #failure: { error: unknown } | undefined
  #decoding: Promise<void> | undefined

  /**
   * `order`: of DICOM files among many sources.
   *
   * @internal
   */
  constructor(images: Images, options: ImageOptions, order: SliceOrder) {
    this.#onGap = options.onGap
    this.#decoded = decodeAll(images, {
      ...options,
      order,
      signal: this.#controller.signal,
      onTotal: (total) => {
        this.#total = total
      },
      onVolume: (volume) => this.#volumes.push(volume),
      onSkip: ({ message }) => {
        this.#skipped.push(`A slice was left out, and there is a gap in its place: ${message}.`)
      },
    })
  }

  /** How many slices there are; undefined as long as that is not known, as for an iterable before its end. */
  get total(): number | undefined {
    return this.#isComplete ? this.#names.length : this.#total
  }

  /** What the slices that were decoded so far are called: their files' names, with the page of files of several. */
  get names(): readonly string[] {
    return this.#names
  }

  /** The DICOM series or NIfTI volume that the case is; undefined for pictures, and until the first slice is there. */
  get series(): Series | undefined {
    return this.#volumes.length === 1 ? this.#volumes[0]!.series : undefined
  }

  /** What was found wrong with the slices so far, and which were left out, as full sentences. */
  get warnings(): string[] {
    return [...this.#volumes.flatMap((volume) => volume.warnings()), ...this.#skipped]
  }

  /** Whose left a lesion's 'left' is, of the slices so far. */
  get laterality(): 'patient' | 'image' {
    const isPlaced = ({ positionMm, orientation }: SlicePlace) => positionMm && orientation
    return this.#places.length > 0 && this.#places.every(isPlaced) ? 'patient' : 'image'
  }

  /**
   * Refuses a case that lacks slices, of those known so far, for whoever measures volumes; unless it was opened for that
   * with `onGap`.
   *
   * @throws JcsError INCOMPLETE_SERIES
   * @internal
   */
  requireComplete(): void {
    if (this.#onGap !== undefined) return
    const [gap] = [...this.#volumes.flatMap(({ gaps }) => gaps), ...this.#skipped]
    if (gap === undefined) return
    throw new JcsError(
      'INCOMPLETE_SERIES',
      `${gap} Volumes over a gap are wrong; onGap: 'warn' goes on all the same`,
    )
  }

  /**
   * The voxels of the whole case, as its file has them, or as its slices lie.
   *
   * @throws JcsError INCOMPLETE_SERIES for slices that make no such grid, and whatever decoding gives
   * @internal
   */
  async voxelGrid(): Promise<VoxelGrid> {
    await this.#decodeUntil(Number.POSITIVE_INFINITY, undefined)
    const [volume] = this.#volumes
    if (this.#volumes.length === 1 && volume?.grid) return volume.grid
    const grid = gridOfSlices(this.#places)
    if (grid) return grid
    throw new JcsError(
      'INCOMPLETE_SERIES',
      'the slices are not of one size, or do not lie evenly in a line, and make no grid of voxels; resample the series first',
    )
  }

  /**
   * Where the slices of the case come from and lie, in their order: of the first `count` at least, or of all.
   *
   * @throws whatever decoding gives
   * @internal
   */
  async sources(count = Number.POSITIVE_INFINITY): Promise<readonly SourceSlice[]> {
    await this.#decodeUntil(count - 1, undefined)
    return this.#places
  }

  /**
   * Whom the case is of, and what files a result with its study: read anew from its first file, kept nowhere. Undefined
   * for what is not one DICOM series.
   *
   * @throws JcsError CANCELLED, UNSUPPORTED_FORMAT, INVALID_ARGUMENT, and what reading a file gives
   * @internal
   */
  async study(): Promise<SourceStudy | undefined> {
    return this.#volumes.length === 1 ? this.#volumes[0]!.study?.() : undefined
  }

  /** The files of the case; undefined for what is not one DICOM series. @internal */
  async dicomFiles(): Promise<SeriesFiles | undefined> {
    await this.#decodeUntil(0, undefined)
    return this.#volumes.length === 1 ? this.#volumes[0]!.files?.() : undefined
  }

  /** Height of a slice that was decoded, along the normal of the slices, towards the head. @internal */
  heightMm(index: number): number | undefined {
    const { positionMm, orientation } = this.#places[index] ?? {}
    return positionMm && orientation && heightAlongNormal(positionMm, orientation)
  }

  /** @internal */
  get store(): SliceStore {
    return this.#store
  }

  /**
   * The pixels of a slice as they were decoded, a copy.
   *
   * @throws JcsError INVALID_ARGUMENT when there is no such slice, DISPOSED, and whatever decoding it gives
   */
  async image(index: number): Promise<DecodedImage> {
    requireWhole('index', index, 0)
    await this.#decodeUntil(index, undefined)
    if (index >= this.#names.length)
      throw new JcsError(
        'INVALID_ARGUMENT',
        `the case has ${this.#names.length} slices, there is no slice ${index}`,
      )
    return this.#store.read(index)
  }

  /**
   * The index of every slice in the store, in order, as it becomes available. `onDecoded` is called when one was decoded
   * for it, with how many are.
   *
   * @internal
   */
  async *indices(
    signal: AbortSignal | undefined,
    onDecoded: (done: number) => void = () => {},
  ): AsyncGenerator<number, void, undefined> {
    for (let index = 0; ; index++) {
      throwIfAborted(signal)
      const isNew = await this.#decodeUntil(index, signal)
      if (index >= this.#names.length) return
      if (isNew) onDecoded(index + 1)
      yield index
    }
  }

  /** Frees all that the case holds; whatever works on it then, or asks for it later, ends as DISPOSED. */
  dispose(): void {
    if (this.#controller.signal.aborted) return
    this.#controller.abort('the case was disposed')
    this.#decoded.return().catch(() => {})
    this.#store.release(0, this.#store.size)
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  /** Decodes up to slice `index`, or to the end; several may wait at once. Tells whether anything had to be decoded. */
  async #decodeUntil(index: number, signal: AbortSignal | undefined): Promise<boolean> {
    let isNew = false
    while (true) {
      if (this.#controller.signal.aborted) throw disposed()
      if (index < this.#names.length || this.#isComplete) return isNew
      if (this.#failure) throw this.#failure.error
      this.#decoding ??= this.#decodeNext().finally(() => {
        this.#decoding = undefined
      })
      await untilAborted(this.#decoding, signal)
      isNew = true
    }
  }

  async #decodeNext(): Promise<void> {
    try {
      const { done, value } = await this.#decoded.next()
      if (this.#controller.signal.aborted) throw disposed()
      if (done) {
        this.#isComplete = true
        return
      }
      await this.#store.append(value)
      const { width, height, spacing, positionMm, orientation, sopClassUid, instanceUid, frameNumber } = value
      this.#places.push({
        width,
        height,
        spacing,
        positionMm,
        orientation,
        sopClassUid,
        instanceUid,
        frameNumber,
      })
      this.#names.push(value.source ?? `slice ${this.#names.length + 1}`)
    } catch (error) {
      this.#failure = { error: this.#controller.signal.aborted ? disposed() : error }
      throw this.#failure.error
    }
  }
}

function disposed(): JcsError {
  return new JcsError('DISPOSED', 'the case was disposed; open it again')
}
