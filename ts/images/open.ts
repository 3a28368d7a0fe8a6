import { basename } from 'node:path'
import { throwIfAborted } from '../base/abort'
import { JcsError } from '../base/errors'
import { isDirectory, readWhole } from '../base/files'
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
  Series,
  SliceDecoder,
} from './types'

export interface OpenOptions extends DecodeOptions, CaseOptions {
  /**
   * Whether everything given is one case, whose DICOM files are put in the order of the patient. Otherwise each source
   * stands for itself, in the order given; a directory is a case all the same.
   */
  isCase?: boolean | undefined
  /**
   * Called with the number of slices, and again when it changes, which it does as directories and multi-page files
   * are opened. Not called for iterables whose length cannot be known before they end.
   */
  onTotal?: ((total: number) => void) | undefined
  /** Called with the DICOM series that the slices are of. */
  onSeries?: ((series: Series) => void) | undefined
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
  const { isCase = false, signal, onTotal } = options
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
    const { dicom, rest } = await expand(source, isCase, signal)
    if (dicom.files.length + rest.length !== 1) add(dicom.files.length + rest.length - 1)
    if (isCase) {
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
    const { dicom, rest } = await expand(source, true, signal)
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
  isCase: boolean,
  signal: AbortSignal | undefined,
): Promise<{ dicom: Gathered; rest: NamedSource[] }> {
  const none: Gathered = { files: [], others: [] }
  if (source.kind === 'path' && (await isDirectory(source.path))) {
    const found = await listCase(source.path)
    if (found.kind === 'pictures') return { dicom: none, rest: found.files.map(fileSource) }
    return { dicom: { files: found.files.map(dicomFile), others: found.others }, rest: [] }
  }
  if (!isCase || source.kind === 'pixels') return { dicom: none, rest: [source] }
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
  const { series, decoders } = await openDicomCase(files, name, options)
  options.onSeries?.({ ...series, excluded: [...series.excluded, ...excludedOthers(others)] })
  return decoders
}

function excludedOthers(others: readonly string[]): Excluded[] {
  const [first] = others
  if (first === undefined) return []
  const what =
    others.length === 1 ? `'${basename(first)}'` : `${others.length} files, '${basename(first)}' and others`
  return [{ what, reason: 'no DICOM' }]
}

/** What cannot be opened is one slice that cannot be decoded, where such slices are left out. */
async function openOrFail(source: NamedSource, options: OpenOptions): Promise<SliceDecoder[]> {
  try {
    const { decoders, series } = await openSource(source, options)
    if (series) options.onSeries?.(series)
    return decoders
  } catch (error) {
    throwIfAborted(options.signal)
    if (options.onBadSlice !== 'skip') throw error
    return [() => Promise.reject(error)]
  }
}

/** The slices of one source that is no directory. */
export async function openSource(source: NamedSource, options: DecodeOptions): Promise<OpenedSlices> {
  if (source.kind === 'pixels')
    return { decoders: [async () => decodePixels(source.pixels, source.name, options)] }
  const encoded = await encodedSource(source, options.signal)
  return findDecoder(encoded.format).open(encoded, options)
}
