import { SliceStore } from '../cases'
import { classifyDefaults } from '../inference/classification'
import { segmentDefaults } from '../inference/segmentation'
import { type Model, nativeOf } from '../model'
import { callNative } from '../native'

/** Of a slice as scanners make them. */
const side = 512

/** Has the model see nothing, in the batches that requests come in most: alone and full. */
export async function warmUp(model: Model, largestBatch: number): Promise<void> {
  const store = new SliceStore()
  const index = await store.append({
    data: new Int16Array(side * side),
    width: side,
    height: side,
    channels: 1,
  })
  const native = nativeOf(model)
  for (const batchSize of new Set([1, largestBatch])) {
    const slices = [{ store: store.native, slices: Array<number>(batchSize).fill(index) }]
    const batch = { batchSize, isRemainder: false }
    await callNative<unknown>(() =>
      model.task === 'classification'
        ? native.classify(slices, { ...classifyDefaults, ...batch })
        : native.segment(slices, { ...segmentDefaults, ...batch }),
    )
  }
  store.release(0, 1)
}
