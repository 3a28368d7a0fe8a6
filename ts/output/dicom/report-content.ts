import { disclaimer } from '../../base/disclaimer'
import { version } from '../../base/version'
import { derivedUid } from '../../dicom'
import type { Diagnosis } from '../../run/results'
import { findMasks, type Outlined, outlined } from '../masks'
import { code, evaluated, lesion, lung } from './codes'
import { type ContentItem, coded, container, image, related, text, uidReference } from './content-items'
import { referencedInstances } from './functional-groups'
import { caseGroup, partGroups, segmentGroups } from './measurement-groups'
import { equipment } from './modules'
import type { ResultUid } from './result-uids'
import type { SegmentationPlan } from './segmentation-plan'
import type { SourceSeries } from './source-series'

/** The tree of TID 1500, Measurement Report (PS3.16). */
export function reportContent(
  diagnosis: Diagnosis,
  source: SourceSeries,
  plan: SegmentationPlan | undefined,
  uid: ResultUid,
): ContentItem {
  const { RelationshipType: _, ...root } = container(
    code('126000', 'DCM', 'Imaging Measurement Report'),
    [
      language(),
      ...observer(),
      procedure(),
      imageLibrary(source),
      container(code('126010', 'DCM', 'Imaging Measurements'), [
        ...(plan ? segmentGroups(diagnosis, plan, source.study.SeriesInstanceUID) : []),
        ...partGroups(diagnosis, plan, uid),
        caseGroup(diagnosis, uid),
      ]),
      container(code('C0034375', 'UMLS', 'Qualitative Evaluations'), evaluations(diagnosis, plan)),
    ],
    '1500',
  )
  return root
}

/** TID 1204. */
function language(): ContentItem {
  const concept = code('121049', 'DCM', 'Language of Content Item and Descendants')
  return related('HAS CONCEPT MOD', coded(concept, code('en', 'RFC5646', 'English')))
}

/** TID 1001, 1002 and 1004: this library, no person. */
function observer(): ContentItem[] {
  const { Manufacturer, ManufacturerModelName, DeviceSerialNumber } = equipment
  return [
    coded(code('121005', 'DCM', 'Observer Type'), code('121007', 'DCM', 'Device')),
    uidReference(code('121012', 'DCM', 'Device Observer UID'), derivedUid('device jcs-ct', version)),
    text(code('121013', 'DCM', 'Device Observer Name'), `jcs-ct ${version}`),
    text(code('121014', 'DCM', 'Device Observer Manufacturer'), Manufacturer),
    text(code('121015', 'DCM', 'Device Observer Model Name'), ManufacturerModelName),
    text(code('121016', 'DCM', 'Device Observer Serial Number'), DeviceSerialNumber),
  ].map((item) => related('HAS OBS CONTEXT', item))
}

function procedure(): ContentItem {
  const concept = code('121058', 'DCM', 'Procedure reported')
  return related('HAS CONCEPT MOD', coded(concept, code('169069000', 'SCT', 'CT of chest')))
}

/** TID 1600: every instance that was looked at. */
function imageLibrary({ slices, study }: SourceSeries): ContentItem {
  const common = [
    coded(code('121139', 'DCM', 'Modality'), code('CT', 'DCM', 'Computed Tomography')),
    coded(code('123014', 'DCM', 'Target Region'), code('51185008', 'SCT', 'Thorax')),
    uidReference(code('112227', 'DCM', 'Frame of Reference UID'), study.FrameOfReferenceUID),
  ].map((item) => related('HAS ACQ CONTEXT', item))
  return container(
    code('111028', 'DCM', 'Image Library'),
    [
      container(code('126200', 'DCM', 'Image Library Group'), [
        ...common,
        ...referencedInstances(slices).map((reference) => image(reference)),
      ]),
    ],
    '1600',
  )
}

/** The statement on research use first: it is what a reader has to see. */
function evaluations(diagnosis: Diagnosis, plan: SegmentationPlan | undefined): ContentItem[] {
  const { positive, basis, minLesionAreaMm2, notices, warnings } = diagnosis
  const comment = code('121106', 'DCM', 'Comment')
  return [
    text(comment, `${disclaimer}.`),
    coded(evaluated.decision, positive ? evaluated.positive : evaluated.negative),
    text(
      evaluated.basis,
      basis === 'classifier'
        ? 'The number of slices that a classifier takes for infected.'
        : `The number of slices with lesions of more than ${minLesionAreaMm2} mm².`,
    ),
    ...outlined.flatMap((what) => notFound(diagnosis, plan, what)),
    ...[...notices, ...warnings].map((sentence) => text(comment, sentence)),
  ]
}

/** Of what has no segment, which a reader could take for what was not looked for. */
function notFound(diagnosis: Diagnosis, plan: SegmentationPlan | undefined, what: Outlined): ContentItem[] {
  const say = (sentence: string) => [text(what === 'lungs' ? lung : lesion, sentence)]
  const masks = findMasks(diagnosis, what)
  if (!masks)
    return say(
      what === 'lungs'
        ? 'Lungs were not outlined: no lung model was given, or the slices could not be measured.'
        : 'Lesions were not outlined: the classifier found the case negative.',
    )
  if (!masks.some((mask) => mask.includes(1)))
    return say(
      what === 'lungs'
        ? 'No lung was found: no pixel was outlined.'
        : 'No lesion was found: no pixel was outlined.',
    )
  if (!plan || plan.segments.some(({ kind }) => kind === what)) return []
  // Of a segmentation of single lesions, which are those inside the lungs.
  return say('Lesions have no segment: none was found inside the lungs.')
}
