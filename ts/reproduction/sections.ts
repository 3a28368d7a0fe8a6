import type { Spread } from '../cross-validation/summary'
import { metricName } from '../report/metric-text'
import type { ActivationMaps } from './activation-maps'
import type { CaseThresholds } from './case-thresholds'
import type { Examples } from './examples'
import { type Experiment, networks } from './experiments'
import type { LesionStatistics } from './lesion-statistics'
import type { Reproduction } from './result'
import { type ComparisonTable, type Difference, type ShownMetric, shownMetrics } from './tables'
import type { Times } from './times'

/** One experiment as text: what the terminal, the Markdown file and the page show alike. */
export interface Section {
  experiment: Experiment
  title: string
  sentences: string[]
  header: string[]
  rows: string[][]
}

/** In the order of the paper. */
export function sectionsOf({
  times,
  caseThresholds,
  tables,
  activationMaps,
  examples,
  lesions,
}: Reproduction): Section[] {
  return [
    ...(times ? [timesSection(times)] : []),
    ...(caseThresholds ? [thresholdsSection(caseThresholds)] : []),
    ...tables.map(comparisonSection),
    ...(activationMaps ? [mapsSection(activationMaps)] : []),
    ...(examples ? [examplesSection(examples)] : []),
    ...(lesions ? [lesionsSection(lesions)] : []),
  ]
}

function timesSection({ experiment, title, ...times }: Times): Section {
  const { slices, timed, device, precision, width, published } = times
  const rows = (own: string, one: { classifyMs: number; segmentMs: number }) => [
    own,
    secondsText(one.classifyMs),
    secondsText(one.classifyMs + one.segmentMs),
  ]
  return {
    experiment,
    title,
    sentences: [
      `A case of ${slices} slices of 512 × 512, from pixels to results, on ${device} in ${precision}${timed < slices ? `, by proportion from ${timed} slices` : ''}; Res2Net-101 and JCS at ${width} of their width. Published: JCS on an RTX 2080 Ti; the paper's sources for people and RT-PCR.`,
    ],
    header: ['', 'uninfected', 'infected'],
    rows: [
      rows('this machine', times),
      rows('JCS, published', published),
      [
        'CT radiologist with JCS, published',
        secondsText(published.classifyMs),
        secondsText(published.radiologistWithJcsMs),
      ],
      ['CT radiologist, published', ...twice(secondsText(published.radiologistMs))],
      ['RT-PCR, published', ...twice(secondsText(published.rtPcrMs))],
    ],
  }
}

function thresholdsSection({ experiment, title, ...of }: CaseThresholds): Section {
  return {
    experiment,
    title,
    sentences: [
      `${of.infected} infected and ${of.uninfected} uninfected cases of ${of.slicesPerCase} slices; a case is positive when more slices than the threshold are. Expected calibration error of slices: ${percent(of.ece)} %.`,
    ],
    header: ['threshold', 'sensitivity, %', 'specificity, %', 'paper: sensitivity / specificity'],
    rows: of.rows.map(({ sliceThreshold, sensitivity, specificity, intervals, published }) => [
      String(sliceThreshold),
      `${percent(sensitivity)}${intervalText(intervals.sensitivity)}`,
      `${percent(specificity)}${intervalText(intervals.specificity)}`,
      `${percent(published.sensitivity)} / ${percent(published.specificity)}`,
    ]),
  }
}

const titles: Record<ShownMetric, string> = {
  dice: 'Dice',
  iou: 'IoU',
  eMeasure: 'E',
  dicePooled: 'Dice, pooled',
  mIoU: 'mIoU',
}

function comparisonSection({ experiment, title, reference, rows }: ComparisonTable): Section {
  return {
    experiment,
    title,
    sentences: [],
    header: [
      'network',
      ...shownMetrics.map((metric) => `${titles[metric]}, %`),
      `Dice less that of ${networks[reference].name}`,
      'paper: Dice / IoU / E',
    ],
    rows: rows.map(({ name, measured, difference, published: { dice, iou, eMeasure } }) => [
      name,
      ...shownMetrics.map((metric) => spreadText(measured[metric])),
      difference ? differenceText(difference.dice) : '–',
      [dice, iou, eMeasure].map((value) => value.toFixed(1)).join(' / '),
    ]),
  }
}

function mapsSection({ experiment, title, rows }: ActivationMaps): Section {
  const shown = ['pointingGame', 'massInLesions'] as const
  const random = { pointingGame: 'pointingGameAtRandom', massInLesions: 'massInLesionsAtRandom' } as const
  return {
    experiment,
    title,
    sentences: rows
      .slice(0, 1)
      .map(
        ({ explanation }) =>
          `${explanation.slices} infected slices. At random within the lungs: ${shown
            .map((metric) => `${metricName(metric)} ${percent(explanation[random[metric]])} %`)
            .join(', ')}.`,
      ),
    header: ['training', ...shown.map((metric) => `${metricName(metric)}, %`), 'AUC of slices'],
    rows: rows.map(({ name, explanation, auc, intervals }) => [
      name,
      ...shown.map((metric) => percent(explanation[metric])),
      `${auc.toFixed(3)}${intervals.auc ? ` (${intervals.auc.map((value) => value.toFixed(3)).join(' to ')})` : ''}`,
    ]),
  }
}

function examplesSection({ experiment, title, rows }: Examples): Section {
  const shown = Object.keys(rows[0]?.dice ?? {}) as (keyof typeof networks)[]
  return {
    experiment,
    title,
    sentences: [
      'Chosen by the area of their lesions alone; each outlined by networks that have not seen them.',
    ],
    header: ['slice', 'lesions, pixels', ...shown.map((network) => `Dice of ${networks[network].name}, %`)],
    rows: rows.map(({ rank, areaPixels, dice }) => [
      `larger than ${percent(rank, 0)} %`,
      String(areaPixels),
      ...shown.map((network) => percent(dice[network]!)),
    ]),
  }
}

function lesionsSection({
  experiment,
  title,
  slices,
  shares,
  published,
  byLesions,
}: LesionStatistics): Section {
  const text = ({ good, bad, failed }: LesionStatistics['shares']) =>
    `${percent(good)} % from 0.6 on, ${percent(bad)} % from 0.1 to 0.6, ${percent(failed)} % below`
  return {
    experiment,
    title,
    sentences: [
      `Dice of ${slices} slices that were held out: ${text(shares)}. The paper: ${text(published)}.`,
    ],
    header: ['lesions in the slice', 'slices', 'median Dice, %', '95 % of the slices'],
    rows: byLesions.map(({ lesions, slices, median, low, high }) => [
      lesions,
      String(slices),
      percent(median),
      `${percent(low)} to ${percent(high)}`,
    ]),
  }
}

function spreadText({ mean, interval, betweenSeeds }: Spread): string {
  const seeds = betweenSeeds === undefined ? '' : ` ± ${percent(betweenSeeds)}`
  return `${percent(mean)}${seeds}${intervalText(interval)}`
}

function differenceText({ mean, interval, betweenSeeds }: Difference): string {
  const signed = (value: number) => `${value < 0 ? '−' : '+'}${percent(Math.abs(value))}`
  const seeds = betweenSeeds === undefined ? '' : ` ± ${percent(betweenSeeds)}`
  return `${signed(mean)}${seeds}${interval ? ` (${signed(interval[0])} to ${signed(interval[1])})` : ''}`
}

function intervalText(interval: readonly [number, number] | undefined): string {
  return interval ? ` (${percent(interval[0])} to ${percent(interval[1])})` : ''
}

/** A dash for what is not defined: NaN, or null where it comes from a file. */
export function percent(value: number, digits = 1): string {
  return Number.isFinite(value) ? (100 * value).toFixed(digits) : '–'
}

function secondsText(ms: number): string {
  if (ms < 600_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`
  return ms < 7_200_000 ? `${(ms / 60_000).toFixed(1)} min` : `${(ms / 3_600_000).toFixed(1)} h`
}

function twice<T>(value: T): T[] {
  return [value, value]
}
