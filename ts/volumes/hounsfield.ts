/** What stands for no measurement is drawn as air, like what lies outside the field of view. */
export const airHu = -1024

/** How many values are not quite what the file says. */
export interface Changes {
  rounded: number
  saturated: number
  notFinite: number
}

/** Makes whole Hounsfield units of signed 16 bits of values, and counts what that changes. */
export class Quantizer implements Changes {
  rounded = 0
  saturated = 0
  notFinite = 0

  /** The nearest whole HU that 16 bits hold; air for NaN and infinities. */
  quantize(value: number): number {
    // Nearly always the value is one already: this is called for every pixel.
    const low16 = (value << 16) >> 16
    return low16 === value ? low16 : this.#change(value)
  }

  #change(value: number): number {
    const whole = Math.round(value)
    if (whole !== value) {
      if (!Number.isFinite(value)) {
        this.notFinite++
        return airHu
      }
      this.rounded++
    }
    if (whole <= 32767 && whole >= -32768) return whole
    this.saturated++
    return whole > 0 ? 32767 : -32768
  }
}

/** Full sentences. `noun`: what values are of, such as pixels. */
export function describeChanges({ rounded, saturated, notFinite }: Changes, noun: string): string[] {
  return [
    ...(rounded > 0 ? [`${rounded} ${noun} were rounded to whole Hounsfield units.`] : []),
    ...(saturated > 0
      ? [`${saturated} ${noun} exceed 16 bits and were set to the nearest value that does not.`]
      : []),
    ...(notFinite > 0 ? [`${notFinite} ${noun} are no numbers and became air.`] : []),
  ]
}
