import { JcsError } from '../base/errors'
import type { DecodeOptions, IntensityWindow, WindowName } from './types'

/** In HU, as radiologists set them. */
export const namedWindows: Readonly<Record<WindowName, IntensityWindow>> = {
  lung: { center: -600, width: 1500 },
  mediastinum: { center: 40, width: 400 },
}

/** @throws JcsError INVALID_ARGUMENT for an unknown name, and for windows that are not wider than nothing */
export function resolveWindow(window: NonNullable<DecodeOptions['window']>, name: string): IntensityWindow {
  if (typeof window === 'string') {
    if (Object.hasOwn(namedWindows, window)) return namedWindows[window]
    const known = Object.keys(namedWindows).map((known) => `'${known}'`)
    throw new JcsError(
      'INVALID_ARGUMENT',
      `${name}: there is no window '${window}'; there are ${known.join(', ')} and { center, width }`,
    )
  }
  const { center, width } = window
  if (!Number.isFinite(center) || !Number.isFinite(width) || width <= 0) {
    throw new JcsError(
      'INVALID_ARGUMENT',
      `${name}: window { center: ${center}, width: ${width} } is unusable; width must be above 0`,
    )
  }
  return { center, width }
}

/** The linear-exact window of DICOM (PS3.3 C.11.2.1.3.2): (x - center) / width + 0.5, clamped to [0, 1]. */
export function applyWindow(data: Int16Array, { center, width }: IntensityWindow): Float32Array {
  return Float32Array.from(data, (value) => Math.min(Math.max((value - center) / width + 0.5, 0), 1))
}
