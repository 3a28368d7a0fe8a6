import type { Tensor } from 'jcs-ct'

export type Outputs = Record<string, Pick<Tensor, 'data'>>

/** Norm of the difference over the norm of what is expected, of the output that differs most. */
export function relativeError(actual: Outputs, expected: Outputs): number {
  const errors = Object.entries(expected).map(([name, { data }]) => {
    const own = actual[name]?.data
    if (own?.length !== data.length)
      throw new Error(`output '${name}' has ${own?.length} values, not ${data.length}`)
    let difference = 0
    let norm = 0
    for (let i = 0; i < data.length; i++) {
      difference += (own[i]! - data[i]!) ** 2
      norm += data[i]! ** 2
    }
    return Math.sqrt(difference / norm)
  })
  return Math.max(...errors)
}

/** Uniform noise in ±2·contrast, where normalised pixels lie, the same in every run. */
export function noiseImages(batch: number, size: number, contrast: number): Tensor {
  const data = new Float32Array(batch * 3 * size * size)
  let state = 1
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    data[i] = ((state / 2 ** 32) * 4 - 2) * contrast
  }
  return { data, shape: [batch, 3, size, size] }
}
