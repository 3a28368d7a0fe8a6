/** Of the values that are defined; NaN without any. */
export function mean(values: readonly (number | undefined)[]): number {
  const defined = values.filter((value): value is number => value !== undefined && !Number.isNaN(value))
  return defined.reduce((sum, value) => sum + value, 0) / defined.length
}

/** Standard deviation, n − 1; NaN of a single value. */
export function deviation(values: readonly number[]): number {
  const centre = mean(values)
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1))
}

/** Linear between the two nearest, as that of `evaluate`. */
export function quantile(sorted: readonly number[], share: number): number {
  const place = share * (sorted.length - 1)
  const below = Math.floor(place)
  const value = sorted[below]!
  return value + (place - below) * ((sorted[below + 1] ?? value) - value)
}
