import { checkOptions } from './base/check'
import { type Excluded, type Images, type ListedSeries, listAllSeries } from './images'
import { checkImageOptions, type ImageOptions } from './run/options'
import type { RunOptions } from './run/run'

export type { ListedSeries }

export type ListSeriesOptions = Pick<ImageOptions, 'maxPixels' | 'onBadSlice'> & Pick<RunOptions, 'signal'>

/** What `listSeries` found. */
export interface SeriesList {
  /** The one first that a diagnosis takes: that with the most axial CT slices. */
  series: ListedSeries[]
  /** Files that belong to none, and why. */
  excluded: Excluded[]
}

/**
 * Lists the CT series in DICOM files or folders of them, from their headers alone. The `uid` of one chooses it, as option
 * `series` of `diagnose` and `openCase`.
 *
 * @throws JcsError UNSUPPORTED_FORMAT, CORRUPT_FILE unless `onBadSlice` is 'skip', EMPTY_DATASET, and what reading a file
 * gives
 */
export async function listSeries(images: Images, options: ListSeriesOptions = {}): Promise<SeriesList> {
  checkOptions('options', options, ['maxPixels', 'onBadSlice', 'signal'])
  checkImageOptions(options)
  return listAllSeries(images, options)
}
