import { basename } from 'node:path'
import { type DatasetSource, readDataset } from '../../ts/datasets'
import { grayPng } from './encoded-images'

export const slice = grayPng(4, 3, (x, y) => x + y)
export const mask = grayPng(4, 3, (x) => (x > 1 ? 255 : 0))
export const wideMask = grayPng(5, 3, () => 255)

/** What a dataset says, with paths shortened to file names. */
export const brief = async (source: DatasetSource, options = {}) =>
  (await readDataset(source, options)).samples.map((sample) => ({
    ...sample,
    image: basename(String(sample.image)),
    ...(sample.mask && { mask: basename(String(sample.mask)) }),
    ...(sample.lung && { lung: basename(String(sample.lung)) }),
  }))
