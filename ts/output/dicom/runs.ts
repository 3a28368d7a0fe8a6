import { callNativeNow } from '../../native'

/** Pixels that lie side by side in a row of a slice: columns [begin, end). */
export interface Run {
  slice: number
  row: number
  begin: number
  end: number
}

interface Size {
  width: number
  height: number
}

/** The runs of masks of slices that lie on each other, nonzero = inside, in reading order. */
export function runsOf(masks: readonly Uint8Array[], size: Size): Run[] {
  return labelled(masks, size).map(({ component: _, ...run }) => run)
}

/** The same by what hangs together across slices: the 3-D lesions of `involvement`. In the order of their first runs. */
export function componentsOf(masks: readonly Uint8Array[], size: Size): Run[][] {
  const components: Run[][] = []
  for (const { component, ...run } of labelled(masks, size)) {
    components[component] ??= []
    components[component].push(run)
  }
  return components
}

function labelled(masks: readonly Uint8Array[], { width, height }: Size): (Run & { component: number })[] {
  const numbers = callNativeNow((native) => native.maskRuns(masks, width, height))
  return Array.from({ length: numbers.length / 5 }, (_, index) => {
    const at = 5 * index
    return {
      component: numbers[at]!,
      slice: numbers[at + 1]!,
      row: numbers[at + 2]!,
      begin: numbers[at + 3]!,
      end: numbers[at + 4]!,
    }
  })
}
