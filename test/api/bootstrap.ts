/** 95 % of the statistic over groups drawn with replacement: written again, with another generator. */
export function intervalOf<T>(groups: T[][], statistic: (items: T[]) => number): [number, number] {
  let state = 1
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const values = Array.from({ length: 4000 }, () =>
    statistic(groups.flatMap(() => groups[Math.floor(random() * groups.length)]!)),
  )
    .filter((value) => !Number.isNaN(value))
    .sort((a, b) => a - b)
  return [values[Math.floor(0.025 * values.length)]!, values[Math.ceil(0.975 * values.length) - 1]!]
}
