import { basename } from 'node:path'
import { throwIfAborted } from '../base/abort'
import { JcsError } from '../base/errors'
import { isDirectory, readWhole } from '../base/files'
import { summarise } from '../volumes'
import { findDecoder } from './decoders'
import { openDicomCase } from './dicom'
import { listCase } from './directory'
import { decodePixels } from './pixels'
import { encodedSource, type NamedSource } from './sources'
import type {
  CaseOptions,
  DecodeOptions,
  Encoded,
  Excluded,
  OpenedSlices,
  SliceDecoder,
  Volume,
} from './types'

export type SliceOrder = 'patient' | 'given'

export interface OpenOptions extends DecodeOptions, CaseOptions {
  /**
   * 'patient': everything given is one case, whose DICOM files are put in the order of the patient. 'given' (default):
   * each source stands for itself; a directory is a case all the same.
   */
  order?: SliceOrder | undefined
  /**
   * Called with the number of slices, and again when it changes, which it does as directories and multi-page files
   * are opened. Not called for iterables whose length cannot be known before they end.
   */
  onTotal?: ((total: number) => void) | undefined
  /** Called with each volume that slices are of. */
  onVolume?: ((volume: Volume) => void) | undefined
}

/** DICOM files that make one case. */
interface Gathered {
  files: Encoded[]
  /** Paths that lie beside them and are no DICOM. */
  others: string[]
}

/**
 * Opens sources one after the other: cheap next to decoding, and it keeps one picture's file at a time in memory. DICOM
 * files of a case are held back to the end, since the order of all depends on each.
 */
export async function* openSlices(
  sources: NamedSource[] | AsyncIterable<NamedSource>,
  options: OpenOptions,
): AsyncGenerator<SliceDecoder> {
  const { order = 'given', signal, onTotal } = options
  let total = Array.isArray(sources) ? sources.length : undefined
  const add = (count: number) => {
    if (total === undefined) return
    total += count
    onTotal?.(total)
  }
  add(0)
  const gathered: Gathered = { files: [], others: [] }
  let pictures = 0
  for await (const source of sources) {
    throwIfAborted(signal)
    const { dicom, rest } = await expand(source, order, signal)
    if (dicom.files.length + rest.length !== 1) add(dicom.files.length + rest.length - 1)
    if (order === 'patient') {
      gathered.files.push(...dicom.files)
      gathered.others.push(...dicom.others)
    } else if (dicom.files.length > 0) {
      const decoders = await openCase(dicom, source.name, options)
      add(decoders.length - dicom.files.length)
      yield* decoders
    }
    for (const file of rest) {
      const decoders = await openOrFail(file, options)
      if (decoders.length !== 1) add(decoders.length - 1)
      pictures += decoders.length
      yield* decoders
    }
  }
  if (gathered.files.length === 0) return
  if (pictures > 0) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      `the case is made of ${pictures} pictures and ${gathered.files.length} DICOM files; a case is one or the other`,
    )
  }
  const decoders = await openCase(gathered, 'the case', options)
  add(decoders.length - gathered.files.length)
  yield* decoders
}

/**
 * The DICOM files among sources, and what lies beside them.
 *
 * @throws JcsError UNSUPPORTED_FORMAT for pictures
 */
export async function gatherDicom(
  sources: NamedSource[] | AsyncIterable<NamedSource>,
  signal: AbortSignal | undefined,
): Promise<{ files: Encoded[]; excluded: Excluded[] }> {
  const files: Encoded[] = []
  const others: string[] = []
  for await (const source of sources) {
    const { dicom, rest } = await expand(source, 'patient', signal)
    const [picture] = rest
    if (picture) {
      throw new JcsError(
        'UNSUPPORTED_FORMAT',
        `${picture.name} is no DICOM; series are listed of DICOM files`,
      )
    }
    files.push(...dicom.files)
    others.push(...dicom.others)
  }
  return { files, excluded: excludedOthers(others) }
}

/** A directory becomes what is in it; DICOM files that are to be put in order are told from what stands for itself. */
async function expand(
  source: NamedSource,
  order: SliceOrder,
  signal: AbortSignal | undefined,
): Promise<{ dicom: Gathered; rest: NamedSource[] }> {
  const none: Gathered = { files: [], others: [] }
  if (source.kind === 'path' && (await isDirectory(source.path))) {
    const found = await listCase(source.path)
    if (found.kind === 'pictures') return { dicom: none, rest: found.files.map(fileSource) }
    return { dicom: { files: found.files.map(dicomFile), others: found.others }, rest: [] }
  }
  if (order === 'given' || source.kind === 'pixels') return { dicom: none, rest: [source] }
  const encoded = await encodedSource(source, signal)
  if (encoded.format === 'DICOM') return { dicom: { files: [encoded], others: [] }, rest: [] }
  return { dicom: none, rest: [await reusable(source, encoded)] }
}

/** A stream was read to tell its format, and cannot be read again. */
async function reusable(source: NamedSource, encoded: Encoded): Promise<NamedSource> {
  if (source.kind !== 'stream' && source.kind !== 'address') return source
  const { name, label } = encoded
  return { kind: 'bytes', name, bytes: await encoded.bytes(), ...(label !== undefined && { label }) }
}

function fileSource(path: string): NamedSource {
  return { kind: 'path', name: `'${path}'`, path }
}

function dicomFile(path: string): Encoded {
  return { name: `'${path}'`, label: basename(path), format: 'DICOM', path, bytes: () => readWhole(path) }
}

async function openCase(
  { files, others }: Gathered,
  name: string,
  options: OpenOptions,
): Promise<SliceDecoder[]> {
  const { volume, decoders } = await openDicomCase(files, name, options)
  const excluded = [...volume.series.excluded, ...excludedOthers(others)]
  options.onVolume?.({ ...volume, series: { ...volume.series, excluded } })
  return decoders
}

function excludedOthers(paths: readonly string[]): Excluded[] {
  if (paths.length === 0) return []
  const what = summarise(
    paths.map((path) => basename(path)),
    'files',
  )
  return [{ what, reason: 'This is no DICOM, which the case is made of.' }]
}

/** What cannot be opened is one slice that cannot be decoded, where such slices are left out. */
async function openOrFail(source: NamedSource, options: OpenOptions): Promise<SliceDecoder[]> {
  try {
    const { decoders, volume } = await openSource(source, options)
    if (volume) options.onVolume?.(volume)
    return decoders
  } catch (error) {
    throwIfAborted(options.signal)
    if (options.onBadSlice !== 'skip') throw error
    return [() => Promise.reject(error)]
  }
}

/** The slices of one source that is no directory. */
export async function openSource(
  source: NamedSource,
  options: DecodeOptions & Pick<CaseOptions, 'series'>,
): Promise<OpenedSlices> {
  const requireNoSeries = () => {
    if (options.series === undefined) return
    throw new JcsError(
      'INVALID_ARGUMENT',
      `${source.name} is no DICOM and has no series ${options.series}; leave the option series out`,
    )
  }
  if (source.kind === 'pixels') {
    requireNoSeries()
    return { decoders: [async () => decodePixels(source.pixels, source.name, options)] }
  }
  const encoded = await encodedSource(source, options.signal)
  if (encoded.format !== 'DICOM') requireNoSeries()
  return findDecoder(encoded.format).open(encoded, options)
}
