import { createHash } from 'node:crypto'
import { JcsError } from '../base/errors'
import { type Case, withCase } from '../cases'
import type { Images } from '../images'
import { checkImageOptions, type ImageOptions } from '../run/options'
import type { Diagnosis } from '../run/results'
import { coronalProjection } from './coronal'
import { diagnosisScript, diagnosisStyle } from './diagnosis-page'
import { provenanceCard, seriesCard, timingCard } from './fact-cards'
import { html } from './html'
import { involvementCard } from './involvement-card'
import { lesionCard } from './lesion-card'
import { notes, page } from './page'
import { scoreCard } from './score-card'
import { isHounsfield, overlaysOf, type SlicePictures, slicePictures } from './slice-pictures'
import { verdictCard } from './verdict-card'
import { viewerCard } from './viewer-card'
import { presetStyle } from './window-presets'

export interface DiagnosisReportOptions extends ImageOptions {
  /** Names the case. Do not put a patient's name here: reports are passed on. */
  title?: string | undefined
  createdAt?: Date | undefined
  /** Slices are shown with at most this many pixels a side. Default 512. */
  side?: number | undefined
}

/**
 * A self-contained HTML page: the verdict, the score of every slice, the slices with lesions and activation maps
 * to look through, and the table of lesions.
 *
 * @param slices the case or the images that were diagnosed, in the same order
 * @throws JcsError SHAPE_MISMATCH when they are not as many as the diagnosis has, and what decoding throws
 */
export async function diagnosisReport(
  diagnosis: Diagnosis,
  slices: Images | Case,
  options: DiagnosisReportOptions = {},
): Promise<string> {
  const { title = 'Diagnosis of a case', createdAt, side = 512 } = options
  checkImageOptions(options)
  const { pictures, isHu, inputSha256, leftSide } = await takePictures(diagnosis, slices, options, side)
  const projection = diagnosis.involvement && (await coronalProjection(diagnosis))
  const content = html`
${verdictCard(diagnosis)}
${diagnosis.involvement && involvementCard(diagnosis.involvement, projection, leftSide)}
${scoreCard(diagnosis)}
${viewerCard(diagnosis, pictures, isHu)}
${lesionCard(diagnosis)}
${notes(diagnosis.warnings)}
${diagnosis.series && seriesCard(diagnosis.series)}
${provenanceCard(diagnosis, inputSha256)}
${timingCard(diagnosis)}`
  return page(
    { title, subtitle: `${diagnosis.totalSlices} slices`, createdAt, notices: diagnosis.notices },
    content,
    isHu ? diagnosisStyle + presetStyle() : diagnosisStyle,
    diagnosisScript,
  )
}

/** What the page needs of the images; each is read once. */
async function takePictures(
  diagnosis: Diagnosis,
  slices: Images | Case,
  options: ImageOptions,
  side: number,
) {
  const sum = createHash('sha256')
  const pictures: SlicePictures[] = []
  let isHu = true
  let leftSide: 'left' | 'right' = 'left'
  await withCase(slices, options, 'patient', async (scan, isOwn) => {
    for await (const index of scan.indices(undefined)) {
      const slice = diagnosis.slices[index]
      if (!slice) throw differentCount(diagnosis, 'more')
      const image = await scan.image(index)
      const { data, orientation } = image
      sum.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
      isHu &&= isHounsfield(image)
      if (orientation && orientation[0] > 0) leftSide = 'right'
      pictures.push(await slicePictures(image, overlaysOf(slice), side))
      if (isOwn) scan.store.release(index, index + 1)
    }
  })
  if (pictures.length < diagnosis.slices.length) throw differentCount(diagnosis, `${pictures.length}`)
  return { pictures, isHu, leftSide, inputSha256: sum.digest('hex') }
}

function differentCount(diagnosis: Diagnosis, given: string): JcsError {
  return new JcsError(
    'SHAPE_MISMATCH',
    `the diagnosis has ${diagnosis.slices.length} slices and ${given} were given; give the images that were diagnosed`,
  )
}
