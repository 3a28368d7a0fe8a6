import type { SegmenterNetwork } from '../model/spec'
import type { publishedScores } from './published'

export type NetworkKey = keyof typeof publishedScores

/** One network of the paper's comparisons. */
export interface ComparedNetwork {
  /** As the paper's tables have it. */
  name: string
  spec: { network: SegmenterNetwork; efm?: false; aff?: false }
}

export const networks: Readonly<Record<NetworkKey, ComparedNetwork>> = {
  base: { name: 'baseline', spec: { network: 'jcs-segmentation', efm: false, aff: false } },
  efm: { name: '+ EFM', spec: { network: 'jcs-segmentation', aff: false } },
  aff: { name: '+ AFF', spec: { network: 'jcs-segmentation', efm: false } },
  segmentation: { name: 'EFM and AFF', spec: { network: 'jcs-segmentation' } },
  joint: { name: 'JCS, + CLS', spec: { network: 'jcs-joint' } },
  unet: { name: 'U-Net', spec: { network: 'unet' } },
  dss: { name: 'DSS', spec: { network: 'dss' } },
  egnet: { name: 'EGNet', spec: { network: 'egnet' } },
  poolnet: { name: 'PoolNet', spec: { network: 'poolnet' } },
}

/** A table that compares networks by cross-validation. */
export interface Comparison {
  title: string
  rows: readonly NetworkKey[]
  /** What differences are taken from. */
  reference: NetworkKey
}

export const comparisons = {
  'table-5': {
    title: 'Table V: ablation of EFM and AFF',
    rows: ['base', 'efm', 'aff', 'segmentation'],
    reference: 'base',
  },
  'table-6': {
    title: 'Table VI: with the features of the classifier',
    rows: ['segmentation', 'joint'],
    reference: 'segmentation',
  },
  'table-7': {
    title: 'Table VII: beside other networks',
    rows: ['unet', 'dss', 'egnet', 'poolnet', 'joint'],
    reference: 'joint',
  },
} as const satisfies Record<string, Comparison>

export type ComparisonName = keyof typeof comparisons

/** What of the paper is made again, in its order. */
export const experiments = [
  'table-2',
  'table-4',
  'table-5',
  'table-6',
  'table-7',
  'figure-9',
  'figure-10',
  'figure-11',
] as const

export type Experiment = (typeof experiments)[number]

export function isComparison(experiment: Experiment): experiment is ComparisonName {
  return experiment in comparisons
}

/** Figure 11 is of JCS. */
export const studied: NetworkKey = 'joint'

/** The networks that experiments need, each once. */
export function networksOf(wanted: readonly Experiment[]): NetworkKey[] {
  const needed = wanted.flatMap((one): readonly NetworkKey[] => {
    if (isComparison(one)) return comparisons[one].rows
    if (one === 'figure-10') return comparisons['table-7'].rows
    return one === 'figure-11' ? [studied] : []
  })
  return [...new Set(needed)]
}

/** What has to be known to read results. */
export function caveatsOf({
  wanted,
  uninfected,
}: {
  wanted: readonly Experiment[]
  uninfected: unknown
}): string[] {
  const needed = networksOf(wanted)
  const hasPhantoms = wanted.includes('table-4') || wanted.includes('figure-9')
  const ofPhantoms =
    'Table IV and figure 9 are of synthetic phantoms, for want of public scans of uninfected patients: they show what the method does, and nothing about patients.'
  if (needed.length === 0) return hasPhantoms ? [ofPhantoms] : []
  return [
    ...(hasPhantoms ? [ofPhantoms] : []),
    'The paper trained and tested on COVID-CS, which was never published, and started from ImageNet weights. These networks started from random ones and saw other data: what may agree are differences between networks, not their scores.',
    'All networks have one recipe, budget and folds, and each was scored on slices of patients that it was not trained on. Where the dataset names no patients every slice counts as one: slices of one patient may then be on both sides.',
    ...(needed.includes('joint') && uninfected === undefined
      ? ['The classifier whose features JCS combines was trained on infected slices alone.']
      : []),
  ]
}
