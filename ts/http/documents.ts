import { loadSharp } from '../images/sharp'
import type { DiagnosisDocument } from '../output/diagnosis-document'
import type { ActivationMap, Classification, Segmentation } from '../run/results'

/** Slices in their order. */
export interface ClassifyAnswer {
  results: ClassificationDocument[]
}

/** Slices in their order. */
export interface SegmentAnswer {
  results: SegmentationDocument[]
}

export interface DiagnoseAnswer extends DiagnosisDocument {
  /** A page in one file; with `report`. */
  report?: string
}

/** A slice that was classified, as JSON. */
export interface ClassificationDocument extends Omit<Classification, 'activationMap'> {
  image: string
  /** A data URL of an 8-bit PNG of the source's size; with `explain`. */
  activationMap?: string
}

/** A slice that was segmented, as JSON. */
export interface SegmentationDocument extends Omit<Segmentation, 'mask' | 'probabilities'> {
  image: string
  /** A data URL of a PNG of the source's size, white where there is lesion. */
  mask: string
}

export function classificationDocuments(
  results: readonly Classification[],
  nameOf: (index: number) => string,
): Promise<ClassificationDocument[]> {
  return Promise.all(
    results.map(async ({ activationMap, ...result }, index) => ({
      image: nameOf(index),
      ...result,
      ...(activationMap && { activationMap: await mapPng(activationMap) }),
    })),
  )
}

export function segmentationDocuments(
  results: readonly Segmentation[],
  nameOf: (index: number) => string,
): Promise<SegmentationDocument[]> {
  return Promise.all(
    results.map(async ({ mask, probabilities: _, ...result }, index) => ({
      image: nameOf(index),
      ...result,
      mask: await png(
        mask.map((value) => (value ? 255 : 0)),
        result.width,
        result.height,
      ),
    })),
  )
}

function mapPng({ data, width, height }: ActivationMap): Promise<string> {
  return png(
    Uint8Array.from(data, (value) => Math.round(255 * value)),
    width,
    height,
  )
}

async function png(gray: Uint8Array, width: number, height: number): Promise<string> {
  const bytes = await loadSharp()(gray, { raw: { width, height, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toBuffer()
  return `data:image/png;base64,${bytes.toString('base64')}`
}
