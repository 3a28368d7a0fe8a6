import { JcsError } from '../base/errors'
import { Random } from './random'
import { PhantomScan, type RenderedSlice } from './slice'

/** A square 8-bit gray image with square pixels; fits `Pixels`. */
export interface PhantomPixels {
  data: Uint8Array
  width: number
  height: number
  channels: 1
  /** mm per pixel, row then column. */
  spacing: [number, number]
}

export interface PhantomSlice {
  pixels: PhantomPixels
  /** `size * size`, row by row: 1 = opacity. Exact, before blur and noise. */
  lesionMask: Uint8Array
  /** `size * size`, row by row: 1 = lung, opacities included, airways and hilar vessels not. */
  lungMask: Uint8Array
  /** Whether any opacity is in this slice. */
  infected: boolean
  /** `size * size`, row by row: Hounsfield units, of which `pixels` show a window. Only where asked for. */
  hounsfield?: Int16Array
}

/** The axial slices of one synthetic patient, from the apex of the lungs to their base. */
export interface PhantomCase {
  seed: number
  infected: boolean
  slices: PhantomSlice[]
  /** Distance between slices, mm. */
  sliceSpacingMm: number
  description: string
}

export interface PhantomCaseOptions {
  infected: boolean
  /** 1 to 400; default 32. */
  slices?: number
  /** Side of a slice, pixels, 64 to 512; default 128. */
  size?: number
  /** Whether slices are given in Hounsfield units as well. Default false. */
  hounsfield?: boolean
}

/** The share of the lungs that the slices of a case span. */
const firstLevel = 0.1
const lastLevel = 0.92

/**
 * A synthetic chest CT. The same seed and options give the same bytes; anatomy, scanner and display settings are drawn
 * from the seed alone, so that the infected and the uninfected case of one seed differ by the opacities only.
 *
 * @throws JcsError INVALID_ARGUMENT for a seed, a size or a number of slices outside the ranges above.
 */
export function generateCase(seed: number, options: PhantomCaseOptions): PhantomCase {
  const { infected } = options
  const count = wholeNumber('slices', options.slices ?? 32, 1, 400)
  const size = wholeNumber('size', options.size ?? 128, 64, 512)
  const scan = new PhantomScan(checkSeed(seed), { infected, size })
  const step = (lastLevel - firstLevel) / Math.max(1, count - 1)
  const slices = Array.from({ length: count }, (_, i) => {
    const rendered = scan.render(firstLevel + i * step)
    const hounsfield = options.hounsfield && Int16Array.from(rendered.hu, Math.round)
    return { ...toSlice(rendered, scan), ...(hounsfield && { hounsfield }) }
  })
  const positive = slices.filter((slice) => slice.infected).length
  return {
    seed,
    infected,
    slices,
    sliceSpacingMm: step * scan.patient.lungHeight,
    description: `synthetic phantom ${seed}, no patient: ${infected ? 'infected' : 'uninfected'}, ${count} slices, ${positive} with opacities`,
  }
}

/** One labelled slice, in the form that `train` and `evaluate` take from memory. */
export interface PhantomSample {
  image: PhantomPixels
  label: 0 | 1
  mask: PhantomPixels
  lung: PhantomPixels
  /** Samples of one synthetic patient carry the same name. */
  patient: string
}

export interface PhantomDatasetOptions {
  /** Synthetic patients. */
  cases: number
  /** Slices of each, default 4. */
  slicesPerCase?: number
  /** Side of a slice, pixels, 64 to 512; default 128. */
  size?: number
  /** Share of infected patients, default 0.6: about half of all slices then show an opacity. */
  infectedShare?: number
}

/**
 * Labelled slices of many patients for training. Levels are drawn alike for infected and uninfected patients, so that
 * where a slice lies says nothing about its label. Patients differ from those of every other seed.
 */
export function generateDataset(seed: number, options: PhantomDatasetOptions): PhantomSample[] {
  const { cases, slicesPerCase = 4, size = 128, infectedShare = 0.6 } = options
  wholeNumber('cases', cases, 1, 100_000)
  wholeNumber('slicesPerCase', slicesPerCase, 1, 400)
  wholeNumber('size', size, 64, 512)
  checkSeed(seed)
  if (!(infectedShare >= 0 && infectedShare <= 1))
    throw invalid('infectedShare', infectedShare, 'from 0 to 1')
  const infectedCases = Math.round(cases * infectedShare)
  return Array.from({ length: cases }, (_, index) => {
    const random = new Random(seed, 'dataset', index)
    // Spread evenly, so that any leading part of the dataset is as balanced as the whole.
    const infected =
      Math.floor(((index + 1) * infectedCases) / cases) > Math.floor((index * infectedCases) / cases)
    const scan = new PhantomScan(random.uint32(), { infected, size })
    return Array.from({ length: slicesPerCase }, () => {
      const slice = toSlice(scan.render(drawLevel(scan, random)), scan)
      return toSample(slice, `phantom-${seed}-${index}`)
    })
  }).flat()
}

/** Mostly from the levels where opacities lie, or would lie if the patient were infected. */
function drawLevel(scan: PhantomScan, random: Random): number {
  const { from, to } = scan.patient.zone
  return random.chance(0.85) ? random.uniform(from, to) : random.uniform(firstLevel, lastLevel)
}

function toSlice({ gray, lungMask, lesionMask, lesionArea }: RenderedSlice, scan: PhantomScan): PhantomSlice {
  return { pixels: toPixels(gray, scan.size, scan.pixelMm), lesionMask, lungMask, infected: lesionArea > 0 }
}

function toSample({ pixels, lesionMask, lungMask, infected }: PhantomSlice, patient: string): PhantomSample {
  const maskPixels = (mask: Uint8Array) =>
    toPixels(
      mask.map((value) => value * 255),
      pixels.width,
      pixels.spacing[0],
    )
  return {
    image: pixels,
    label: infected ? 1 : 0,
    mask: maskPixels(lesionMask),
    lung: maskPixels(lungMask),
    patient,
  }
}

function toPixels(data: Uint8Array, size: number, pixelMm: number): PhantomPixels {
  return { data, width: size, height: size, channels: 1, spacing: [pixelMm, pixelMm] }
}

function checkSeed(seed: number): number {
  return wholeNumber('seed', seed, 0, Number.MAX_SAFE_INTEGER)
}

function wholeNumber(name: string, value: number, low: number, high: number): number {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw invalid(name, value, `a whole number from ${low} to ${high}`)
  }
  return value
}

function invalid(name: string, value: unknown, range: string): JcsError {
  return new JcsError('INVALID_ARGUMENT', `${name} of a phantom is ${String(value)}: it must be ${range}`)
}
