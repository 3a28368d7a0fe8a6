/** Pixels that lie side by side in a row of a slice: columns [begin, end). */
export interface Run {
  slice: number
  row: number
  begin: number
  end: number
}

/** A mask, row by row, nonzero = inside, as its runs in reading order. */
export function runsOf(mask: Uint8Array, width: number, slice: number): Run[] {
  const runs: Run[] = []
  for (let row = 0; row * width < mask.length; row++) {
    const line = mask.subarray(row * width, (row + 1) * width)
    for (let column = 0; column < width; column++) {
      if (line[column] === 0) continue
      const begin = column
      while (column < width && line[column] !== 0) column++
      runs.push({ slice, row, begin, end: column })
    }
  }
  return runs
}

/**
 * The components of runs in reading order, slice by slice, that hang together at a face, an edge or a corner: the 3-D
 * lesions of native/measure. In the order of their first runs.
 */
export function componentsOf(runs: readonly Run[]): Run[][] {
  const parents = runs.map((_, index) => index)
  const rootOf = (index: number): number => {
    let root = index
    while (parents[root] !== root) {
      parents[root] = parents[parents[root]!]!
      root = parents[root]!
    }
    return root
  }
  // The smaller one stays, so that a root is its component's first run.
  const join = (a: number, b: number) => {
    const [first, second] = [rootOf(a), rootOf(b)].sort((x, y) => x - y) as [number, number]
    parents[second] = first
  }
  const rows = byRow(runs)
  for (const [index, run] of runs.entries())
    for (const [slice, row] of rowsBefore(run))
      for (const other of rows.get(keyOf(slice, row)) ?? []) {
        const { begin, end } = runs[other]!
        if (begin <= run.end && run.begin <= end) join(index, other)
      }
  const components = new Map<number, Run[]>()
  for (const [index, run] of runs.entries()) {
    const root = rootOf(index)
    const component = components.get(root)
    if (component) component.push(run)
    else components.set(root, [run])
  }
  return [...components.values()]
}

/** Those that hold neighbours of a run and come before it. */
function rowsBefore({ slice, row }: Run): [number, number][] {
  return [
    [slice, row - 1],
    [slice - 1, row - 1],
    [slice - 1, row],
    [slice - 1, row + 1],
  ]
}

/** Indices of the runs of each row. */
function byRow(runs: readonly Run[]): Map<number, number[]> {
  const rows = new Map<number, number[]>()
  for (const [index, { slice, row }] of runs.entries()) {
    const key = keyOf(slice, row)
    const list = rows.get(key)
    if (list) list.push(index)
    else rows.set(key, [index])
  }
  return rows
}

/** Rows are below 2^16. */
function keyOf(slice: number, row: number): number {
  return slice * 2 ** 17 + row
}
