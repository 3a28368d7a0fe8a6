import { ctSlice, element } from './dicom-files'
import { lower, lungs, scan, upper } from './lung-scan'

/** A chest of boxes under valid UIDs, as an archive takes it; its slices in no useful order. */
export interface ArchivedChest {
  study: string
  series: string
  files: Buffer[]
}

/** Instances are `<study>.2.<number>`. */
export function archivedChest(
  study: string,
  change: Parameters<typeof ctSlice>[0]['change'] = [],
): ArchivedChest {
  const series = `${study}.1`
  const slices = scan([...lungs, upper, lower]).map((slice) =>
    ctSlice({
      ...slice,
      uid: `${study}.2.${slice.number}`,
      series,
      change: [
        ...(slice.change ?? []),
        element('0020000D', 'UI', study),
        element('00200052', 'UI', `${study}.3`),
        element('00080020', 'DA', '20261101'),
        ...change,
      ],
    }),
  )
  return { study, series, files: slices.map((_, index) => slices[(7 * index) % slices.length]!) }
}
