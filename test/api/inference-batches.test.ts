import t from 'tap'
import { inferSlices } from '../../ts/inference/slices'
import { openCase } from '../../ts/open-case'
import { smallSlices } from './small'

/** How a case of so many slices reaches a network: the slices of each batch, and whether they are a remainder. */
async function batchesOf(count: number, batchSize: number): Promise<[number[], boolean][]> {
  using scan = openCase(smallSlices(count))
  const batches: [number[], boolean][] = []
  const { signal } = new AbortController()
  await inferSlices(
    { scan, indices: scan.indices(signal), isLastUse: false },
    {
      phase: 'classify',
      batchSize,
      infer: async (_store, indices, batch) => {
        t.equal(batch.batchSize, batchSize)
        batches.push([indices, batch.isRemainder])
        return indices
      },
    },
    { signal, emit: () => {}, throwIfCancelled: () => {} },
  )
  return batches
}

t.test('what is left after full batches is a remainder, and a case of fewer slices is none', async (t) => {
  t.same(await batchesOf(5, 2), [
    [[0, 1], false],
    [[2, 3], false],
    [[4], true],
  ])
  t.same(await batchesOf(4, 2), [
    [[0, 1], false],
    [[2, 3], false],
  ])
  t.same(await batchesOf(1, 2), [[[0], false]])
})
