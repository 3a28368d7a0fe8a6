// Scores of the shipped models: how well masks agree, how well areas tell slices apart, and how sure that is.

/** Twice what is in both, of what is in either; 1 where both are empty. Masks are sums of pixels here. */
export const diceOf = ({ both, found, truth }) => (found + truth === 0 ? 1 : (2 * both) / (found + truth))

export const countsOf = (found, truth) => {
  let both = 0
  let foundPixels = 0
  let truthPixels = 0
  for (let i = 0; i < found.length; i++) {
    both += found[i] & truth[i]
    foundPixels += found[i]
    truthPixels += truth[i]
  }
  return { both, found: foundPixels, truth: truthPixels }
}

export const sumOf = (counts) =>
  counts.reduce((sum, one) => ({
    both: sum.both + one.both,
    found: sum.found + one.found,
    truth: sum.truth + one.truth,
  }))

export const meanOf = (values) => values.reduce((sum, value) => sum + value, 0) / values.length

/** 95 % of what `statistic` gives on groups drawn with replacement: whole patients, for their slices resemble each other. */
export const intervalOf = (groups, statistic, { draws = 2000, seed = 1 } = {}) => {
  let state = seed
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const values = Array.from({ length: draws }, () =>
    statistic(groups.map(() => groups[Math.floor(random() * groups.length)])),
  ).sort((a, b) => a - b)
  return [values[Math.floor(0.025 * draws)], values[Math.ceil(0.975 * draws) - 1]]
}

export const rounded = (value, digits = 3) =>
  Array.isArray(value) ? value.map((one) => rounded(one, digits)) : Number(value.toFixed(digits))
