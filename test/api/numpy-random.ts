/**
 * numpy's legacy RandomState, of which ../shared/fixtures draws its weights: MT19937 seeded as `init_genrand`, doubles
 * of 53 bits, normals by the polar method.
 */
export class NumpyRandom {
  private readonly state = new Uint32Array(624)
  private position = 624
  private spare: number | undefined

  constructor(seed: number) {
    this.state[0] = seed >>> 0
    for (let i = 1; i < 624; i++) {
      const previous = this.state[i - 1]!
      this.state[i] = Math.imul(1812433253, previous ^ (previous >>> 30)) + i
    }
  }

  uniform(low: number, high: number): number {
    return low + (high - low) * this.double()
  }

  normal(): number {
    if (this.spare !== undefined) {
      const value = this.spare
      this.spare = undefined
      return value
    }
    for (;;) {
      const x = 2 * this.double() - 1
      const y = 2 * this.double() - 1
      const square = x * x + y * y
      if (square >= 1 || square === 0) continue
      const factor = Math.sqrt((-2 * Math.log(square)) / square)
      this.spare = factor * x
      return factor * y
    }
  }

  private double(): number {
    return ((this.next() >>> 5) * 67108864 + (this.next() >>> 6)) / 9007199254740992
  }

  private next(): number {
    if (this.position === 624) this.twist()
    let y = this.state[this.position++]!
    y ^= y >>> 11
    y ^= (y << 7) & 0x9d2c5680
    y ^= (y << 15) & 0xefc60000
    return (y ^ (y >>> 18)) >>> 0
  }

  private twist(): void {
    const s = this.state
    for (let i = 0; i < 624; i++) {
      const y = (s[i]! & 0x80000000) | (s[(i + 1) % 624]! & 0x7fffffff)
      s[i] = s[(i + 397) % 624]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0)
    }
    this.position = 0
  }
}

/** Normal values of mean 0 and the given deviation, rounded to float32 as numpy's astype does. */
export function normals(seed: number, count: number, deviation = 1): Float32Array {
  const random = new NumpyRandom(seed)
  return Float32Array.from({ length: count }, () => random.normal() * deviation)
}
