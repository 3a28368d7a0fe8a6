import { lerp } from './geometry'
import { mix } from './random'

/** Smooth value noise in space, in [-1, 1], with features about one unit wide; the same seed is the same field. */
export class NoiseField {
  readonly #seed: number

  constructor(seed: number) {
    this.#seed = mix(seed)
  }

  at(x: number, y: number, z: number): number {
    const ix = Math.floor(x)
    const iy = Math.floor(y)
    const iz = Math.floor(z)
    const u = fade(x - ix)
    const v = fade(y - iy)
    const w = fade(z - iz)
    return lerp(this.#plane(ix, iy, iz, u, v), this.#plane(ix, iy, iz + 1, u, v), w)
  }

  /** The sum of octaves, each twice as fine and half as strong. */
  fractal(x: number, y: number, z: number, octaves: number): number {
    let sum = 0
    let weight = 1
    let total = 0
    for (let octave = 0; octave < octaves; octave++) {
      const frequency = 2 ** octave
      sum += weight * this.at(x * frequency + 17 * octave, y * frequency, z * frequency)
      total += weight
      weight /= 2
    }
    return sum / total
  }

  #plane(ix: number, iy: number, iz: number, u: number, v: number): number {
    return lerp(
      lerp(this.#corner(ix, iy, iz), this.#corner(ix + 1, iy, iz), u),
      lerp(this.#corner(ix, iy + 1, iz), this.#corner(ix + 1, iy + 1, iz), u),
      v,
    )
  }

  #corner(x: number, y: number, z: number): number {
    let h = this.#seed ^ Math.imul(x, 0x27d4eb2d) ^ Math.imul(y, 0x165667b1) ^ Math.imul(z, 0x1b873593)
    h = Math.imul(h ^ (h >>> 15), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    return ((h ^ (h >>> 16)) >>> 0) / 2 ** 31 - 1
  }
}

function fade(t: number): number {
  return t * t * t * (t * (t * 6 - 15) + 10)
}
