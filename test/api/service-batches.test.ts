import t from 'tap'
import type { JcsError } from '../../ts/index'
import type { NativeCancellation, NativeModel, NativeSliceStore } from '../../ts/native'
import { type Asker, Batcher } from '../../ts/service/batcher'
import type { BatchEvent } from '../../ts/service/observer'

/** A store is told apart by its name, a slice by its index. */
const storeOf = (name: string) => ({ name }) as unknown as NativeSliceStore

/** Stands for a model: says what it was shown, and answers when it is told to. */
class ShownModel {
  readonly batches: string[][] = []
  readonly options: object[] = []
  readonly cancelled: boolean[] = []
  readonly #answers: (() => void)[] = []
  /** A slice that spoils the batch it is in. */
  bad: string | undefined

  readonly native = {
    classify: async (
      parts: { store: { name: string }; slices: number[] }[],
      options: object,
      cancellation: NativeCancellation,
    ) => {
      const shown = parts.flatMap(({ store, slices }) => slices.map((index) => `${store.name}${index}`))
      const position = this.batches.push(shown) - 1
      this.options.push(options)
      Object.defineProperty(cancellation, 'cancel', {
        value: () => {
          this.cancelled[position] = true
        },
      })
      await new Promise<void>((resolve) => this.#answers.push(resolve))
      if (this.cancelled[position]) throw { code: 'CANCELLED', message: 'cancelled' }
      if (this.bad !== undefined && shown.includes(this.bad)) throw { code: 'NOT_FINITE', message: 'bad' }
      return shown.map((name) => ({ name }))
    },
  } as unknown as NativeModel

  async answer(): Promise<void> {
    await turn()
    this.#answers.shift()?.()
    await turn()
  }

  async answerAll(): Promise<void> {
    await turn()
    while (this.#answers.length > 0) await this.answer()
  }
}

const turn = () => new Promise(setImmediate)

function batcherOf(device = 'cpu', largestBatch = 4) {
  const events: BatchEvent[] = []
  const batcher = new Batcher({
    onRequest: () => {},
    onModel: () => {},
    onBatch: (event) => events.push(event),
  })
  const shown = new ShownModel()
  const model = { name: 'shown', native: shown.native, device, largestBatch }
  const ask = (name: string, count: number, given: Partial<Asker> & { explain?: boolean } = {}) => {
    const { explain = false, ...asker } = given
    const network = batcher.network(model, {
      priority: 'normal',
      signal: new AbortController().signal,
      ...asker,
    })
    const slices = [{ store: storeOf(name), slices: Array.from({ length: count }, (_, index) => index) }]
    const options = { explain, threshold: 0.5, batchSize: largestBatch, isRemainder: false }
    return network.classify(slices, options) as unknown as Promise<{ name: string }[]>
  }
  return { shown, ask, events }
}

const namesOf = (results: { name: string }[]) => results.map(({ name }) => name)

t.test('one who is alone is seen at once, those who came meanwhile together after it', async (t) => {
  const { shown, ask, events } = batcherOf()
  const first = ask('a', 1)
  await turn()
  t.same(shown.batches, [['a0']])
  const others = ['b', 'c'].map((name) => ask(name, 1))
  await turn()
  t.equal(shown.batches.length, 1, 'a small batch waits for the one that computes')
  await shown.answer()
  t.same(shown.batches[1], ['b0', 'c0'])
  await shown.answerAll()
  t.same((await Promise.all([first, ...others])).map(namesOf), [['a0'], ['b0'], ['c0']])
  t.match(shown.options, [
    { batchSize: 1, isRemainder: false, threshold: 0.5 },
    { batchSize: 2, isRemainder: false, threshold: 0.5 },
  ])
  t.match(events, [
    { slices: 1, requests: 1, work: 'classify', model: 'shown', device: 'cpu' },
    { slices: 2, requests: 2 },
  ])
})

t.test('a full batch is prepared while another computes, and no third', async (t) => {
  const { shown, ask } = batcherOf()
  const all = ask('a', 13)
  await turn()
  t.same(shown.batches, [
    ['a0', 'a1', 'a2', 'a3'],
    ['a4', 'a5', 'a6', 'a7'],
  ])
  await shown.answer()
  t.equal(shown.batches.length, 3)
  await shown.answerAll()
  t.same(shown.batches[3], ['a12'])
  t.same(
    namesOf(await all),
    Array.from({ length: 13 }, (_, index) => `a${index}`),
  )
})

t.test('slices are taken in turn, so that a small request is not behind a large one', async (t) => {
  const { shown, ask } = batcherOf()
  const large = ask('a', 9)
  const small = ask('b', 1)
  await turn()
  t.same(shown.batches[0], ['a0', 'a1', 'a2', 'b0'])
  await shown.answer()
  t.same(namesOf(await small), ['b0'])
  await shown.answerAll()
  t.equal((await large).length, 9)
})

t.test('a higher priority is seen first', async (t) => {
  const { shown, ask } = batcherOf()
  const running = ask('r', 4)
  await turn()
  const low = ask('l', 4, { priority: 'low' })
  const high = ask('h', 2, { priority: 'high' })
  await turn()
  t.same(shown.batches[1], ['h0', 'h1', 'l0', 'l1'])
  await shown.answerAll()
  await Promise.all([running, low, high])
})

t.test('on a CPU no batch is filled up; a GPU sees what there is', async (t) => {
  for (const [device, sizes] of [
    ['cpu', [4, 2, 1]],
    ['cuda:0', [7]],
  ] as const) {
    const { shown, ask } = batcherOf(device, 8)
    const all = ask('a', 7)
    await shown.answerAll()
    await all
    t.same(
      shown.batches.map(({ length }) => length),
      sizes,
      device,
    )
  }
})

t.test('what is asked in another way is seen on its own', async (t) => {
  const { shown, ask } = batcherOf()
  const both = [ask('a', 1), ask('b', 1, { explain: true })]
  await shown.answerAll()
  await Promise.all(both)
  t.same(shown.batches, [['a0'], ['b0']])
})

t.test('a slice that spoils a batch fails its own request alone', async (t) => {
  const { shown, ask } = batcherOf()
  shown.bad = 'b0'
  const [a, b, c] = ['a', 'b', 'c'].map((name) => ask(name, 1)) as [
    Promise<{ name: string }[]>,
    Promise<{ name: string }[]>,
    Promise<{ name: string }[]>,
  ]
  const refused = t.rejects(b, { code: 'NOT_FINITE' })
  const d = ask('d', 1)
  await shown.answerAll()
  t.same(namesOf(await a), ['a0'])
  t.same(namesOf(await c), ['c0'])
  t.same(namesOf(await d), ['d0'])
  await refused
})

t.test('whoever gives up before its turn is not seen', async (t) => {
  const { shown, ask } = batcherOf()
  const controller = new AbortController()
  const running = ask('a', 4)
  await turn()
  const waiting = ask('b', 2, { signal: controller.signal })
  await turn()
  controller.abort(new Error('gone'))
  await t.rejects(waiting, { code: 'CANCELLED', message: /gone/ })
  await t.rejects(ask('b', 1, { signal: controller.signal }), { code: 'CANCELLED' })
  await shown.answerAll()
  await running
  t.same(shown.batches, [['a0', 'a1', 'a2', 'a3']])
})

t.test('a batch that nobody wants any more is cancelled, one that somebody wants goes on', async (t) => {
  const { shown, ask } = batcherOf()
  const controllers = [new AbortController(), new AbortController()]
  const isSettled = [false, false]
  const two = controllers.map(({ signal }, index) =>
    ask('ab'[index]!, 1, { signal }).catch((error: JcsError) => {
      isSettled[index] = true
      return error.code
    }),
  )
  await turn()
  controllers[0]!.abort()
  await turn()
  t.equal(isSettled[0], false, 'its slices are still read')
  t.same(shown.cancelled, [])
  controllers[1]!.abort()
  t.same(shown.cancelled, [true])
  await shown.answerAll()
  t.same(await Promise.all(two), ['CANCELLED', 'CANCELLED'])
})
