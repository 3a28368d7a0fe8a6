/** Red, green and blue, 0 to 255. */
export type Rgb = readonly [number, number, number]

/**
 * A sequential map from near black over purple and orange to pale yellow. Lightness rises evenly in Oklab (Ottosson,
 * 2020), so that equal steps of the value look equal, also in gray and to colour-blind readers. Made when first used.
 */
let heatColors: readonly Rgb[] | undefined

/** The colour of a value in [0, 1]. */
export function heatColor(value: number): Rgb {
  heatColors ??= Array.from({ length: 256 }, (_, i) => heat(i / 255))
  return heatColors[Math.min(255, Math.max(0, Math.round(value * 255)))] as Rgb
}

function heat(value: number): Rgb {
  const lightness = 0.12 + 0.83 * value
  const chroma = 0.19 * Math.sin(Math.PI * value ** 0.9) ** 0.8 + 0.03
  // From purple at -60 degrees through red to yellow at 100.
  const hue = ((-62 + 162 * value ** 1.1) * Math.PI) / 180
  return inGamut(lightness, chroma, hue)
}

/** Reduces the chroma until sRGB can show the colour; lightness and hue stay. */
function inGamut(lightness: number, chroma: number, hue: number): Rgb {
  for (let share = 1; share > 0; share -= 0.02) {
    const linear = oklabToLinear(lightness, share * chroma * Math.cos(hue), share * chroma * Math.sin(hue))
    if (linear.every((channel) => channel >= 0 && channel <= 1)) return toBytes(linear)
  }
  return toBytes(oklabToLinear(lightness, 0, 0))
}

function oklabToLinear(lightness: number, a: number, b: number): Rgb {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ]
}

function toBytes(linear: Rgb): Rgb {
  const encode = (x: number) => (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055)
  return linear.map((x) => Math.round(255 * encode(Math.min(1, Math.max(0, x))))) as unknown as Rgb
}
