import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { JcsError } from '../base/errors'
import type { DatasetSample } from './types'

export interface SplitOptions {
  /** Share of the samples, in (0, 1). Default 0.2; as near as whole patients allow. */
  validationFraction?: number | undefined
  /** Default 0. The same seed splits the same dataset alike, on every machine. */
  seed?: number | undefined
}

export interface Split {
  train: DatasetSample[]
  validation: DatasetSample[]
  warnings: string[]
}

/**
 * Splits so that no patient and no file is on both sides, infected and uninfected alike in proportion. Order within a
 * side is that of the dataset.
 */
export function splitByPatient(samples: readonly DatasetSample[], options: SplitOptions = {}): Split {
  const { validationFraction = 0.2, seed = 0 } = options
  if (!(validationFraction > 0 && validationFraction < 1)) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      `validationFraction is ${validationFraction}; expected a number in (0, 1)`,
    )
  }
  if (samples.length === 0) throw new JcsError('EMPTY_DATASET', 'there are no samples to split')
  const groups = groupInseparable(samples)
  if (groups.length < 2) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      'all samples belong to one patient: they cannot be split without mixing',
    )
  }
  const shuffled = shuffle(groups, seed)
  const validation = new Set(stratify(shuffled).flatMap((stratum) => choose(stratum, validationFraction)))
  // Few large patients can leave a side empty; one group each is the least that makes sense.
  if (validation.size === 0) for (const sample of shuffled[0]!) validation.add(sample)
  if (validation.size === samples.length) for (const sample of shuffled[0]!) validation.delete(sample)

  return {
    train: samples.filter((sample) => !validation.has(sample)),
    validation: samples.filter((sample) => validation.has(sample)),
    warnings: warningsOf(samples),
  }
}

function warningsOf(samples: readonly DatasetSample[]): string[] {
  const withoutPatient = samples.filter(({ patient }) => patient === undefined).length
  return withoutPatient > 0
    ? [`${withoutPatient} samples name no patient: slices of one person may be on both sides of the split.`]
    : []
}

export interface Folds {
  folds: DatasetSample[][]
  warnings: string[]
}

/**
 * `count` parts of which no two share a patient or a file, as alike in size as whole patients allow, infected and
 * uninfected alike in proportion. Order within a part is that of the dataset; the same seed parts the same dataset
 * alike, on every machine.
 */
export function foldsByPatient(samples: readonly DatasetSample[], count: number, seed = 0): Folds {
  const groups = groupInseparable(samples)
  if (groups.length < count) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      `${count} folds need at least as many patients; these samples are of ${groups.length}`,
    )
  }
  const folds = Array.from({ length: count }, () => new Set<DatasetSample>())
  const sizes = folds.map(() => 0)
  for (const stratum of stratify(shuffle(groups, seed))) {
    const inStratum = folds.map(() => 0)
    // The largest first, or the last one tips the balance.
    for (const group of stratum.sort((a, b) => b.length - a.length)) {
      const fullness = (fold: number) => [inStratum[fold]!, sizes[fold]!] as const
      const emptiest = folds
        .map((_, fold) => fold)
        .reduce((least, fold) => {
          const [a, b] = [fullness(fold), fullness(least)]
          return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]) ? fold : least
        })
      for (const sample of group) folds[emptiest]!.add(sample)
      inStratum[emptiest]! += group.length
      sizes[emptiest]! += group.length
    }
  }
  return {
    folds: folds.map((fold) => samples.filter((sample) => fold.has(sample))),
    warnings: warningsOf(samples),
  }
}

/** Samples connected through a patient or a file, however indirectly. */
type Group = DatasetSample[]

function groupInseparable(samples: readonly DatasetSample[]): Group[] {
  // Disjoint sets: each sample points towards the representative of its group.
  const parents = samples.map((_, index) => index)
  const representative = (index: number): number => {
    let at = index
    while (parents[at] !== at) {
      parents[at] = parents[parents[at]!]!
      at = parents[at]!
    }
    return at
  }
  const firstWith = new Map<string, number>()
  samples.forEach((sample, index) => {
    for (const identity of identities(sample)) {
      const first = firstWith.get(identity)
      if (first === undefined) firstWith.set(identity, index)
      else parents[representative(index)] = representative(first)
    }
  })
  const groups = new Map<number, Group>()
  samples.forEach((sample, index) => {
    const key = representative(index)
    const group = groups.get(key)
    if (group) group.push(sample)
    else groups.set(key, [sample])
  })
  return [...groups.values()]
}

function identities(sample: DatasetSample): string[] {
  const path = pathOf(sample)
  return [
    ...(sample.patient === undefined ? [] : [`patient ${sample.patient}`]),
    ...(path === undefined ? [] : [`file ${path}`]),
  ]
}

/** Ordered by a hash of the seed and what the group is called, so that the place of the files does not matter. */
function shuffle(groups: readonly Group[], seed: number): Group[] {
  const keyed = groups.map((group, index) => {
    const name = group.find(({ patient }) => patient !== undefined)?.patient ?? `#${index}`
    return { group, key: createHash('sha256').update(`${seed}\0${name}`).digest('hex') }
  })
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ group }) => group)
}

/** Groups with an infected sample, with uninfected ones only, and without labels. */
function stratify(groups: readonly Group[]): Group[][] {
  const kind = (group: Group) => Math.max(...group.map(({ label }) => label ?? -1))
  return [1, 0, -1].map((wanted) => groups.filter((group) => kind(group) === wanted))
}

/** Takes whole groups, in their order, while that brings the count nearer to the fraction; one of two or more at least. */
function choose(groups: readonly Group[], fraction: number): DatasetSample[] {
  const target = groups.flat().length * fraction
  const chosen: Group[] = []
  let count = 0
  for (const group of groups) {
    if (Math.abs(count + group.length - target) >= Math.abs(count - target)) continue
    chosen.push(group)
    count += group.length
  }
  if (chosen.length === 0 && groups.length > 1) {
    chosen.push(groups.reduce((smallest, group) => (group.length < smallest.length ? group : smallest)))
  }
  return chosen.flat()
}

/**
 * Sentences to be shown loudly when a given split shares files (links followed) or patients: what is measured on such a
 * validation set says nothing.
 */
export async function findOverlap(
  train: readonly DatasetSample[],
  validation: readonly DatasetSample[],
): Promise<string[]> {
  const warnings: string[] = []
  const trainFiles = new Set(await Promise.all(train.map(realPathOf)))
  const files = (await Promise.all(validation.map(realPathOf))).filter(
    (path) => path !== undefined && trainFiles.has(path),
  )
  if (files.length > 0) {
    warnings.push(
      `${files.length} of ${validation.length} validation images are also used for training, the first is '${files[0]}'.`,
    )
  }
  const trainPatients = new Set(train.map(({ patient }) => patient))
  const patients = new Set(
    validation
      .map(({ patient }) => patient)
      .filter((patient) => patient !== undefined && trainPatients.has(patient)),
  )
  if (patients.size > 0) {
    warnings.push(
      `${patients.size} patients are in both training and validation, the first is '${[...patients][0]}'.`,
    )
  }
  return warnings
}

function pathOf({ image }: DatasetSample): string | undefined {
  if (image instanceof URL) return image.protocol === 'file:' ? fileURLToPath(image) : image.href
  return typeof image === 'string' ? resolve(image) : undefined
}

async function realPathOf(sample: DatasetSample): Promise<string | undefined> {
  const path = pathOf(sample)
  return path && realpath(path).catch(() => path)
}
