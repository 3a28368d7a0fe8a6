import { JcsError } from '../base/errors'
import type { CrossValidation } from '../cross-validate'
import type { Fold } from '../cross-validation/folds'
import { decodeSamples } from '../datasets'
import { loadModel } from '../model'
import type { RuntimeOptions } from '../model/runtime'
import { overlaysOf, type SlicePictures, slicePictures } from '../report/slice-pictures'
import type { RunContext } from '../run/run'
import { segment } from '../segment'
import { comparisons, type NetworkKey, networks } from './experiments'

/** Figure 10: the same slices by every network, each by one that has not seen them. */
export interface Examples {
  experiment: 'figure-10'
  title: string
  /** Mild, medium and severe: the slices at these shares of all, by the area of their lesions. */
  rows: Example[]
}

export interface Example {
  /** In messages and captions. */
  origin: string
  fold: string
  /** Share of the slices whose lesions are smaller. */
  rank: number
  areaPixels: number
  dice: Partial<Record<NetworkKey, number>>
}

/** Of every example: the slice with its own mask, then that of every network. */
export type ExamplePictures = { name: string; pictures: SlicePictures }[][]

const ranks = [0.1, 0.5, 0.9]
const pictureSide = 256

/** Chosen by area alone, so that no network is flattered. */
export async function examplesOf(
  validated: ReadonlyMap<NetworkKey, CrossValidation>,
  folds: readonly Fold[],
  runtime: RuntimeOptions,
  { signal }: RunContext,
): Promise<{ examples: Examples; pictures: ExamplePictures }> {
  const rows: Example[] = []
  const pictures: ExamplePictures = []
  for (const { fold, index, rank, areaPixels } of chosen(validated, folds)) {
    const { sample, image, mask } = await nth(decodeSamples(fold.held, { signal }), index)
    const example: Example = { origin: sample.origin, fold: fold.name, rank, areaPixels, dice: {} }
    const row = [
      { name: 'ground truth', pictures: await slicePictures(image, { lesions: mask }, pictureSide) },
    ]
    for (const network of comparisons['table-7'].rows) {
      const run = validated.get(network)!.runs.find((one) => one.fold === fold.name)!
      await using model = await loadModel(run.model!, runtime)
      const [found] = await segment(model, [image], { signal })
      row.push({
        name: networks[network].name,
        pictures: await slicePictures(image, overlaysOf({ segmentation: found }), pictureSide),
      })
      example.dice[network] = run.slices!.find((one) => one.index === index)!.dice
    }
    rows.push(example)
    pictures.push(row)
  }
  return {
    examples: { experiment: 'figure-10', title: 'Figure 10: the same slices by every network', rows },
    pictures,
  }
}

interface Chosen {
  fold: Fold
  /** Among what the fold holds out. */
  index: number
  rank: number
  areaPixels: number
}

function chosen(validated: ReadonlyMap<NetworkKey, CrossValidation>, folds: readonly Fold[]): Chosen[] {
  const { runs } = validated.get('joint')!
  const seed = runs[0]?.seed
  const slices = runs
    .filter((run) => run.seed === seed)
    .flatMap(({ fold, slices }) =>
      slices!.map((one) => ({ ...one, fold: folds.find(({ name }) => name === fold)! })),
    )
    .filter(({ areaPixels }) => areaPixels > 0)
    .sort((a, b) => a.areaPixels - b.areaPixels)
  return ranks.flatMap((rank) => {
    const slice = slices[Math.floor(rank * slices.length)]
    return slice ? [{ fold: slice.fold, index: slice.index, rank, areaPixels: slice.areaPixels }] : []
  })
}

/** Of slices, of which a sample that is a volume has many. */
async function nth<T>(items: AsyncIterable<T>, index: number): Promise<T> {
  let i = 0
  for await (const item of items) if (i++ === index) return item
  throw new JcsError('INTERNAL', `there is no slice ${index}`)
}
