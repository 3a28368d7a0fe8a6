import type { Spread } from '../cross-validation/summary'
import type { LesionStatistics } from './lesion-statistics'
import { type ComparisonTable, type Difference, type ShownMetric, shownMetrics } from './tables'

export const titles: Record<ShownMetric, string> = {
  dice: 'Dice',
  iou: 'IoU',
  eMeasure: 'E',
  dicePooled: 'Dice, pooled',
  mIoU: 'mIoU',
}

/** The columns of a comparison and its rows, as text. */
export function cellsOf({ rows }: ComparisonTable): { header: string[]; rows: string[][] } {
  return {
    header: [
      'network',
      ...shownMetrics.map((metric) => `${titles[metric]}, %`),
      'difference in Dice',
      'paper: Dice / IoU / E',
    ],
    rows: rows.map(({ name, measured, difference, published: { dice, iou, eMeasure } }) => [
      name,
      ...shownMetrics.map((metric) => spreadText(measured[metric])),
      difference ? differenceText(difference.dice) : '',
      [dice, iou, eMeasure].map((value) => value.toFixed(1)).join(' / '),
    ]),
  }
}

/** The same of figure 11 (b). */
export function distributionCellsOf({ byLesions }: LesionStatistics): { header: string[]; rows: string[][] } {
  return {
    header: ['lesions in the slice', 'slices', 'median Dice, %', '95 % of the slices'],
    rows: byLesions.map(({ lesions, slices, median, low, high }) => [
      lesions,
      String(slices),
      percent(median),
      `${percent(low)} to ${percent(high)}`,
    ]),
  }
}

export function sharesText({ slices, shares, published }: LesionStatistics): string {
  const text = ({ good, bad, failed }: LesionStatistics['shares']) =>
    `${percent(good)} % from 0.6 on, ${percent(bad)} % from 0.1 to 0.6, ${percent(failed)} % below`
  return `Dice of ${slices} slices that were held out: ${text(shares)}. The paper: ${text(published)}.`
}

export function markdownTable({ header, rows }: { header: string[]; rows: string[][] }): string {
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function spreadText({ mean, interval, betweenSeeds }: Spread): string {
  const seeds = betweenSeeds === undefined ? '' : ` ± ${percent(betweenSeeds)}`
  return `${percent(mean)}${seeds}${interval ? ` (${percent(interval[0])} to ${percent(interval[1])})` : ''}`
}

function differenceText({ mean, interval, betweenSeeds }: Difference): string {
  const signed = (value: number) => `${value < 0 ? '−' : '+'}${percent(Math.abs(value))}`
  const seeds = betweenSeeds === undefined ? '' : ` ± ${percent(betweenSeeds)}`
  return `${signed(mean)}${seeds}${interval ? ` (${signed(interval[0])} to ${signed(interval[1])})` : ''}`
}

export function percent(value: number): string {
  return Number.isNaN(value) ? '–' : (100 * value).toFixed(1)
}
