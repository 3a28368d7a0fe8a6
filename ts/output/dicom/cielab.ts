import type { Rgb } from '../../report/colormap'

/** Linear sRGB to XYZ of the white D50, which CIELab values of DICOM are of (PS3.3, C.10.7.1.1; matrix of Bradford). */
const toXyz = [
  [0.4360747, 0.3850649, 0.1430804],
  [0.2225045, 0.7168786, 0.0606169],
  [0.0139322, 0.0971045, 0.7141733],
] as const
const white = [0.96422, 1, 0.82521] as const

/**
 * A colour of 8-bit sRGB as RecommendedDisplayCIELabValue has it: L* from 0 to 100 and a*, b* from −128 to 127, each over
 * 0 to 65535 (PS3.3, C.10.7.1.1).
 */
export function cieLab(color: Rgb): [number, number, number] {
  const linear = color.map((value) => {
    const part = value / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  const [x, y, z] = toXyz.map((row, axis) => {
    const ratio = row.reduce((sum, weight, channel) => sum + weight * linear[channel]!, 0) / white[axis]!
    return ratio > (6 / 29) ** 3 ? Math.cbrt(ratio) : ratio / (3 * (6 / 29) ** 2) + 4 / 29
  }) as [number, number, number]
  const scaled = (value: number, low: number, range: number) => Math.round(((value - low) / range) * 65535)
  return [scaled(116 * y - 16, 0, 100), scaled(500 * (x - y), -128, 255), scaled(200 * (y - z), -128, 255)]
}
