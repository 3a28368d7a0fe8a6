/**
 * A seeded generator: xoshiro128** 1.1 (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018).
 * A stream is named by a seed and keys, so that what one part draws never shifts what another part gets.
 */
export class Random {
  readonly #state: Uint32Array
  #spareNormal: number | undefined

  constructor(seed: number, ...keys: (number | string)[]) {
    let hash = mix(Math.floor(seed / 2 ** 32) ^ mix(seed))
    for (const key of keys) {
      for (const byte of Buffer.from(String(key))) hash = mix(hash ^ byte)
      hash = mix(hash + 0x9e3779b9)
    }
    // mix is a bijection of consecutive inputs: at most one of the four words is zero.
    this.#state = Uint32Array.from([1, 2, 3, 4], (i) => mix(hash + i))
  }

  uint32(): number {
    const s = this.#state
    const [s0, s1, s2, s3] = s as unknown as [number, number, number, number]
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0
    s[2] = s2 ^ s0
    s[3] = s3 ^ s1
    s[1] = s1 ^ s2 ^ s0
    s[0] = s0 ^ s3 ^ s1
    s[2] = s[2]! ^ (s1 << 9)
    s[3] = rotateLeft(s[3]!, 11)
    return result
  }

  /** In [low, high). */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * (this.uint32() / 2 ** 32)
  }

  /** A whole number in [low, high], both ends included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.uniform(0, high - low + 1))
  }

  chance(probability: number): boolean {
    return this.uniform() < probability
  }

  /** Standard normal, by Marsaglia's polar method. */
  normal(): number {
    if (this.#spareNormal !== undefined) {
      const spare = this.#spareNormal
      this.#spareNormal = undefined
      return spare
    }
    for (;;) {
      const u = this.uniform(-1, 1)
      const v = this.uniform(-1, 1)
      const s = u * u + v * v
      if (s === 0 || s >= 1) continue
      const factor = Math.sqrt((-2 * Math.log(s)) / s)
      this.#spareNormal = v * factor
      return u * factor
    }
  }
}

function rotateLeft(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits))
}

/** The 32-bit finaliser of MurmurHash3 on top of a Weyl step. */
export function mix(x: number): number {
  let h = (x + 0x6d2b79f5) | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
