import { checkOptions, requireNumber } from './base/check'
import { disclaimer } from './base/disclaimer'
import { JcsError } from './base/errors'
import { version } from './base/version'
import type { DiagnosedCase } from './cases'
import { cubesOf, type Group, matchLesions } from './comparison/match'
import {
  type Box,
  lungBox,
  type PlacedSlice,
  placedSlices,
  pointOf,
  transfer,
} from './comparison/patient-space'
import { warningsOf } from './comparison/warnings'
import { runsOf } from './output/dicom/runs'
import { type Segment, segmentsOf } from './output/dicom/segments'
import { masksOf } from './output/masks'
import type { Comparison, Involvement, LesionChange, VolumeLesion } from './run/results'
import { heightAlongNormal, type Vector } from './volumes'

export type { DiagnosedCase }

export interface CompareOptions {
  /** Lesions that are new or gone and smaller are left out, ml: what one network finds of noise. Default 0.1. */
  minLesionVolumeMl?: number | undefined
}

/**
 * Compares two diagnoses of one patient: how much of the lungs is lesion, by region, and what became of each lesion.
 *
 * Lesions are matched by where they lie relative to the lungs: those before are moved as the box of the lungs was, and are
 * the same as those after when a quarter of the smaller one comes to lie beside the other, within 5 mm. That is no
 * registration of images: lesions of a lung that was filled very differently may not be found again, and appear as
 * vanished and new. One has grown when its volume is a quarter larger, and shrunk when it is a quarter smaller: less is
 * within what two measurements of one nodule differ by (25 %: van Klaveren et al., NEJM 361, 2221, 2009).
 *
 * @throws JcsError INVALID_ARGUMENT for a diagnosis without a lung model, or slices that do not tell where they lie
 */
export async function compareDiagnoses(
  before: DiagnosedCase,
  after: DiagnosedCase,
  options: CompareOptions = {},
): Promise<Comparison> {
  checkOptions('options', options, ['minLesionVolumeMl'])
  const { minLesionVolumeMl = 0.1 } = options
  requireNumber('minLesionVolumeMl', minLesionVolumeMl, 0, 1e6)
  const earlier = await measuredCase(before, 'before')
  const later = await measuredCase(after, 'after')
  const place = (point: Vector) => transfer(point, earlier.box, later.box)
  const groups = matchLesions(
    earlier.lesions.map(({ runs }) => cubesOf(runs, earlier.slices, place)),
    later.lesions.map(({ runs }) => cubesOf(runs, later.slices)),
  )
  const changes = groups.map((group) => changeOf(group, earlier, later))
  return {
    before: earlier.involvement,
    after: later.involvement,
    lesions: changes
      .filter((change) => largestOf(change) >= minLesionVolumeMl)
      .sort((a, b) => largestOf(b) - largestOf(a)),
    warnings: await warningsOf(before, after),
    version,
    notices: [...new Set([...before.diagnosis.notices, ...after.diagnosis.notices])],
    disclaimer,
  }
}

/** What is compared of a case. */
interface MeasuredCase {
  involvement: Involvement
  slices: PlacedSlice[]
  box: Box
  /** In the order of `involvement.lesions`. */
  lesions: Segment[]
}

async function measuredCase({ diagnosis, scan }: DiagnosedCase, what: string): Promise<MeasuredCase> {
  const { involvement } = diagnosis
  if (!involvement) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      `the diagnosis ${what} measures no lungs, against which lesions are compared; diagnose with a lung model`,
    )
  }
  const slices = await placedSlices(scan, what)
  const lungs = masksOf(diagnosis, 'lungs')
  const { width, height } = diagnosis.slices[0]!.segmentation!
  const runs = runsOf(lungs, { width, height })
  if (runs.length === 0) throw new JcsError('INVALID_ARGUMENT', `no lung was found in the case ${what}`)
  const size = { width, height, count: slices.length }
  const lesions = segmentsOf(diagnosis, size, { perLesion: true, isExclusive: false }).filter(
    ({ kind, measurement }) => kind === 'lesions' && measurement,
  )
  return { involvement, slices, box: lungBox(runs, slices), lesions }
}

function changeOf({ before, after }: Group, earlier: MeasuredCase, later: MeasuredCase): LesionChange {
  const [volumeBeforeMl, volumeAfterMl] = [volumeOf(before, earlier), volumeOf(after, later)]
  const largest = (indices: readonly number[], { lesions }: MeasuredCase) =>
    indices.map((index) => lesions[index]!.measurement!).sort((a, b) => b.volumeMl - a.volumeMl)[0]
  const [was, is] = [largest(before, earlier), largest(after, later)]
  const { side, third } = (is ?? was)!
  const sliceAfter = is ? middleOf(is) : sliceLike(middleOf(was!), earlier, later)
  const like = sliceLike(sliceAfter, later, earlier)
  const sliceBefore = was ? Math.min(Math.max(like, was.firstSlice), was.lastSlice) : like
  return {
    change: kindOf(volumeBeforeMl, volumeAfterMl),
    volumeBeforeMl,
    volumeAfterMl,
    before,
    after,
    side,
    third,
    sliceBefore,
    sliceAfter,
  }
}

function middleOf({ firstSlice, lastSlice }: VolumeLesion): number {
  return Math.round((firstSlice + lastSlice) / 2)
}

function volumeOf(indices: readonly number[], { lesions }: MeasuredCase): number {
  return indices.reduce((sum, index) => sum + lesions[index]!.measurement!.volumeMl, 0)
}

/** A quarter more or less. */
const leastChange = 0.25

function kindOf(before: number, after: number): LesionChange['change'] {
  if (before === 0) return 'new'
  if (after === 0) return 'vanished'
  if (after >= (1 + leastChange) * before) return 'grown'
  return after <= (1 - leastChange) * before ? 'shrunk' : 'unchanged'
}

function largestOf({ volumeBeforeMl, volumeAfterMl }: LesionChange): number {
  return Math.max(volumeBeforeMl, volumeAfterMl)
}

/** The slice of `to` that lies in its lungs as slice `index` of `from` does in those. */
function sliceLike(index: number, from: MeasuredCase, to: MeasuredCase): number {
  const sought = transfer(pointOf(from.slices[index]!, 0, 0), from.box, to.box)
  const distance = ({ positionMm, orientation }: PlacedSlice) =>
    Math.abs(heightAlongNormal(positionMm, orientation) - heightAlongNormal(sought, orientation))
  return to.slices.reduce((best, slice, at) => (distance(slice) < distance(to.slices[best]!) ? at : best), 0)
}
