import type { JcsErrorCode } from '../base/errors'
import type { ImageSource } from '../images'

/** 0 uninfected, 1 infected. */
export type Label = 0 | 1

/** One slice, or a volume's worth of them, and what is known about it. Image and masks have the same size. */
export interface Sample {
  image: ImageSource
  label?: Label | undefined
  /** Lesions: any nonzero pixel, once palette and alpha are resolved. */
  mask?: ImageSource | undefined
  /** Lungs, in the same form. */
  lung?: ImageSource | undefined
  /** Whoever has the same name is the same person: never on both sides of a split that the library makes. */
  patient?: string | undefined
  /** What messages call it. Default: its place, 'sample 12'. */
  origin?: string | undefined
}

/**
 * - `list`: the authors' format, one `image mask` a line; names with spaces are quoted or separated by a tab.
 * - `csv`: a header with `image`, `label` or `mask` or both, and optionally `lung`, `patient`, `fold`.
 * - `class-folders`: one folder per class, in it images or one folder per patient.
 * - `mask-folders`: `ct/` or `images/` with `lesion/` or `masks/` and, where present, `lung/`; equal file names; also
 *   one level deeper, one folder per patient.
 */
export type DatasetFormat = 'list' | 'csv' | 'class-folders' | 'mask-folders'

export interface DatasetDescription {
  path: string | URL
  /** Told from the content unless given. */
  format?: DatasetFormat | undefined
  /** Only rows of these folds, of a CSV with a column `fold`. */
  folds?: readonly (number | string)[] | undefined
  /** Labels by folder name, for class folders whose names do not speak for themselves. */
  classes?: Readonly<Record<string, Label>> | undefined
}

/** Where samples come from: a path, a path with options, or the samples themselves. */
export type DatasetSource = string | URL | DatasetDescription | Iterable<Sample> | AsyncIterable<Sample>

export interface DatasetSample extends Sample {
  fold?: string
  /** Where it was given, for messages: 'train.txt:12', 'case_01/ct/007.png', 'sample 12'. */
  origin: string
}

export interface BadSample {
  origin: string
  code: JcsErrorCode
  /** Names the list, the line and the file. */
  message: string
}

export interface Dataset {
  samples: DatasetSample[]
  /** What did not stop and should be seen, as full sentences. */
  warnings: string[]
  /** What `onBadSample: 'skip'` left out. */
  skipped: BadSample[]
}

/** What a parser finds, before files are looked at. */
export interface ParsedDataset {
  samples: DatasetSample[]
  warnings: string[]
  bad: BadSample[]
}
