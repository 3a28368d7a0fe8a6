import { version } from '../../base/version'
import type { Diagnosis, DiagnosisModel, Involvement, LungPart } from '../../run/results'
import { type Code, code, lesion, lung, measured, sides, thirds, units } from './codes'
import {
  type ContentItem,
  coded,
  container,
  image,
  numeric,
  related,
  text,
  uidReference,
} from './content-items'
import type { ResultUid } from './result-uids'
import { algorithmOf, hashText, trackingUidOf } from './segment-description'
import type { SegmentationPlan } from './segmentation-plan'
import type { Segment } from './segments'

interface Site {
  side?: 'left' | 'right'
  third?: 'upper' | 'middle' | 'lower'
}

interface Group {
  /** 1411 for what a segment outlines, 1501 for what none does (PS3.16). */
  template: '1411' | '1501'
  label: string
  trackingUid: string
  /** What was found. */
  finding?: Code
  references?: readonly ContentItem[]
  /** Absent for what is not of the lungs. */
  site?: Site
  algorithm: { name: string; models: readonly DiagnosisModel[] }
  measurements: readonly ContentItem[]
}

const names = { left: 'Left', right: 'Right' }

const derivation = code('121401', 'DCM', 'Derivation')
const mean = code('373098007', 'SCT', 'Mean')

/** Of each segment what was measured of its pixels; of the lungs their involvement as well. */
export function segmentGroups(
  diagnosis: Diagnosis,
  plan: SegmentationPlan,
  sourceSeriesUid: string,
): ContentItem[] {
  return plan.segments.map((segment, index) => {
    const { name, model } = algorithmOf(segment.kind, diagnosis.models)
    const isLungs = segment.kind === 'lungs'
    return measurementGroup({
      template: '1411',
      label: segment.label,
      trackingUid: trackingUidOf(plan.instanceUid, index + 1),
      finding: isLungs ? lung : lesion,
      references: [
        image(
          {
            ReferencedSOPClassUID: plan.sopClassUid,
            ReferencedSOPInstanceUID: plan.instanceUid,
            ReferencedSegmentNumber: index + 1,
          },
          code('121191', 'DCM', 'Referenced Segment'),
        ),
        uidReference(code('121232', 'DCM', 'Source series for segmentation'), sourceSeriesUid),
      ],
      site: segment.measurement ?? {},
      algorithm: isLungs ? { name, models: diagnosis.models } : { name, models: model ? [model] : [] },
      measurements: [
        ...segmentMeasurements(segment, diagnosis.involvement),
        numeric(measured.slices, new Set(segment.runs.map(({ slice }) => slice)).size, units.none),
      ],
    })
  })
}

/** Of a lesion, of all lesions, inside the lungs and outside, or of the lungs. */
function segmentMeasurements(
  { kind, label, measurement }: Segment,
  involvement: Involvement | undefined,
): ContentItem[] {
  if (measurement) {
    const { volumeMl, meanHu } = measurement
    const averaged = related('HAS CONCEPT MOD', coded(derivation, mean))
    return [
      numeric(measured.volume, volumeMl, units.ml),
      ...(meanHu === undefined ? [] : [numeric(measured.attenuation, meanHu, units.hounsfield, [averaged])]),
    ]
  }
  if (!involvement) return []
  if (kind === 'lungs') return wholeMeasurements(involvement)
  const { lesionVolumeMl, lesionOutsideLungsMl } = involvement
  // A single lesion that was not measured has no volume of its own.
  return label === 'Lesions'
    ? [numeric(measured.volume, lesionVolumeMl + lesionOutsideLungsMl, units.ml)]
    : []
}

/** The parts of the lungs, none of which is a segment; the whole of them unless a segment's group says it. */
export function partGroups(
  { involvement, models }: Diagnosis,
  plan: SegmentationPlan | undefined,
  uid: ResultUid,
): ContentItem[] {
  if (!involvement) return []
  const group = (label: string, site: Site, measurements: ContentItem[]) =>
    measurementGroup({
      template: '1501',
      label,
      trackingUid: uid('measurement group', label),
      finding: lung,
      site,
      algorithm: { name: 'jcs-ct', models },
      measurements,
    })
  const isSaid = plan?.segments.some(({ kind }) => kind === 'lungs')
  return [
    ...(isSaid ? [] : [group('Both lungs', {}, wholeMeasurements(involvement))]),
    ...involvement.sides.map((part) => group(`${names[part.side]} lung`, part, partMeasurements(part))),
    ...involvement.regions.map((part) =>
      group(`${names[part.side]} lung, ${part.third} third`, part, partMeasurements(part)),
    ),
  ]
}

function partMeasurements({ lungVolumeMl, lesionVolumeMl, percent }: LungPart): ContentItem[] {
  return [
    numeric(measured.volume, lungVolumeMl, units.ml),
    numeric(measured.lesionVolume, lesionVolumeMl, units.ml),
    numeric(measured.lesionPercent, percent, units.percent),
  ]
}

function wholeMeasurements(involvement: Involvement): ContentItem[] {
  return [
    ...partMeasurements(involvement),
    numeric(measured.lesionOutside, involvement.lesionOutsideLungsMl, units.ml),
    numeric(measured.lesions, involvement.lesions.length, units.none),
    numeric(measured.severity, involvement.severityScore, units.none),
  ]
}

/** What the case was decided by. */
export function caseGroup(diagnosis: Diagnosis, uid: ResultUid): ContentItem {
  const { positiveSlices, totalSlices, sliceThreshold, sliceThresholdMm, minLesionAreaMm2, slices, models } =
    diagnosis
  const probabilities = slices.flatMap(({ classification }) => classification?.probability ?? [])
  return measurementGroup({
    template: '1501',
    label: 'Case',
    trackingUid: uid('measurement group', 'Case'),
    algorithm: { name: 'jcs-ct', models },
    measurements: [
      numeric(measured.positiveSlices, positiveSlices, units.none),
      numeric(measured.totalSlices, totalSlices, units.none),
      numeric(measured.sliceThreshold, sliceThreshold, units.none),
      ...optional(measured.sliceThresholdMm, sliceThresholdMm, units.mm),
      ...optional(measured.minLesionArea, minLesionAreaMm2, units.mm2),
      ...(probabilities.length > 0
        ? [numeric(measured.highestProbability, Math.max(...probabilities), units.none)]
        : []),
    ],
  })
}

function optional(concept: Code, value: number | undefined, unit: Code): ContentItem[] {
  return value === undefined ? [] : [numeric(concept, value, unit)]
}

/** In the order of the templates' rows. */
function measurementGroup(group: Group): ContentItem {
  const { template, label, trackingUid, finding, references = [], site, algorithm, measurements } = group
  return container(
    code('125007', 'DCM', 'Measurement Group'),
    [
      related('HAS OBS CONTEXT', text(code('112039', 'DCM', 'Tracking Identifier'), label)),
      related(
        'HAS OBS CONTEXT',
        uidReference(code('112040', 'DCM', 'Tracking Unique Identifier'), trackingUid),
      ),
      ...(finding ? [coded(code('121071', 'DCM', 'Finding'), finding)] : []),
      ...references,
      ...(site ? [related('HAS CONCEPT MOD', findingSite(site))] : []),
      ...algorithmIdentification(algorithm),
      ...measurements,
    ],
    template,
  )
}

function findingSite({ side, third }: Site): ContentItem {
  const laterality = code('272741003', 'SCT', 'Laterality')
  const modifier = code('106233006', 'SCT', 'Topographical modifier')
  return coded(code('363698007', 'SCT', 'Finding Site'), lung, [
    related('HAS CONCEPT MOD', coded(laterality, sides[side ?? 'both'])),
    ...(third ? [related('HAS CONCEPT MOD', coded(modifier, thirds[third]))] : []),
  ])
}

/** TID 4019. */
function algorithmIdentification({ name, models }: Group['algorithm']): ContentItem[] {
  return [
    text(code('111001', 'DCM', 'Algorithm Name'), name),
    text(code('111003', 'DCM', 'Algorithm Version'), version),
    ...models.map(({ role, network, sha256 }) =>
      text(
        code('111002', 'DCM', 'Algorithm Parameters'),
        `${role} ${network}${sha256 ? `, ${hashText(sha256)}` : ''}`,
      ),
    ),
  ].map((item) => related('HAS CONCEPT MOD', item))
}
