import t from 'tap'
import { verdictOf } from '../../bench/compare'
import type { Environment } from '../../bench/environment'
import { alternate, summarize } from '../../bench/harness'
import { type EngineResult, type Measurement, type ResultFile, ratiosToPeers } from '../../bench/results'
import { markdownTables, plainTables } from '../../bench/tables'
import { isReached, targetsOf } from '../../bench/targets'

const result = (engine: EngineResult['engine'], ...samples: number[]): EngineResult => ({
  engine,
  precision: 'fp32',
  ...summarize(samples),
})

const measurement = (change: Partial<Measurement>): Measurement => ({
  name: 'inference/unet/1x512',
  kind: 'inference',
  unit: 'ms',
  network: 'unet',
  batch: 1,
  size: 512,
  results: [result('jcs-ct', 10), result('onnxruntime-node', 25)],
  ...change,
})

t.test('a change counts when it is beyond noise, whatever the unit', async (t) => {
  const before = result('jcs-ct', 10, 11, 12, 13)
  t.equal(verdictOf(before, result('jcs-ct', 11, 12, 13, 14)), 'same', 'middle halves touch')
  t.equal(verdictOf(before, result('jcs-ct', 20, 21, 22)), 'WORSE')
  t.equal(verdictOf(before, result('jcs-ct', 5, 6, 7)), 'better')
  t.equal(verdictOf(result('jcs-ct', 100), result('jcs-ct', 104)), 'same', 'too little to matter')
  t.equal(verdictOf(result('jcs-ct', -1), result('jcs-ct', 1)), 'WORSE', 'overheads may come out negative')
})

t.test('tables: a row a measurement, a column an engine, ratios to each peer', async (t) => {
  const memory = measurement({ name: 'memory/unet/1x512', kind: 'memory', unit: 'MiB', note: 'Noted.' })
  const file = {
    environment: { cpu: 'C', isa: 'I', threads: 2, versions: {}, commit: 'abc', loadAverage: 0 },
    measurements: [measurement({}), memory],
  } as unknown as ResultFile & { environment: Environment }
  t.same(ratiosToPeers(memory, memory.results[0]!), [{ peer: 'onnxruntime-node fp32', ratio: 2.5 }])
  t.match(plainTables(file), /memory\/unet\/1x512 +jcs-ct fp32 +10\.0 +MiB/)
  const tables = markdownTables(file, ['inference'])
  t.match(tables, '| unet, 1×512² | 10.0 | 25.0 |')
  t.notMatch(tables, 'MiB')
  t.match(markdownTables(file, ['inference', 'memory']), 'Noted.')
})

t.test('targets: ratios to peers, limits, and what slices and threads cost', async (t) => {
  const scaling = (batch: number, threads: number, ms: number) =>
    measurement({ kind: 'scaling', batch, threads, results: [result('jcs-ct', ms)] })
  const file = {
    measurements: [
      measurement({ name: 'inference/jcs-segmentation/1x512' }),
      measurement({ name: 'start/unet/1x512', kind: 'start' }),
      measurement({ name: 'restart/unet/1x512', kind: 'restart' }),
      measurement({ name: 'case/300x512', kind: 'case', results: [result('jcs-ct', 1.2)] }),
      scaling(1, 1, 20),
      scaling(300, 1, 19),
      scaling(1, 2, 10),
      scaling(300, 2, 12),
    ],
  } as ResultFile
  const targets = targetsOf(file)
  t.match(targets, [
    { what: /segmentation.* fp32: onnxruntime-node fp32/, reached: 2.5, goal: 1.1, bound: 'at least' },
    { what: /^start/, reached: 2.5, goal: 2 },
    { what: /^restart/, reached: 2.5, goal: 3 },
    { what: /^case/, reached: 1.2, goal: 1.1, bound: 'at most' },
    { what: /1 thread: a slice of 300/, reached: 0.95, bound: 'at most' },
    { what: /1 thread \/ 2 threads/, reached: 19 / 12, goal: 1.8 },
    { what: /2 threads: a slice of 300/, reached: 1.2 },
  ])
  t.same(targets.map(isReached), [true, true, false, false, true, false, false])
  t.match(plainTables(file), /restart.* +2.50 +≥ 3 +missed/)
})

t.test(
  '8 bits have to beat the peer that is quantised, and what we are fastest at without them',
  async (t) => {
    const ours = (precision: string, ms: number) => ({ ...result('jcs-ct', ms), precision })
    const row = (network: Measurement['network']) =>
      measurement({
        name: `int8/${network}/1x224`,
        kind: 'int8',
        network,
        results: [
          ours('int8', 10),
          ours('fp32', 20),
          ours('bf16', 14),
          { ...result('onnxruntime-node', 15), precision: 'int8' },
        ],
      })
    const targets = targetsOf({ measurements: [row('res2net50-v1b'), row('jcs-joint')] } as ResultFile)
    t.match(targets, [
      { what: /res2net.*onnxruntime-node int8 \/ ours/, reached: 1.5, goal: 1.5 },
      { what: /joint.*onnxruntime-node int8 \/ ours/, reached: 1.5, goal: 1.5 },
      { what: /res2net.*ours in bf16 \/ int8/, reached: 1.4, goal: 1.6 },
      { what: /joint.*ours in bf16 \/ int8/, reached: 1.4, goal: 1.25 },
    ])
    t.same(targets.map(isReached), [true, true, false, true])
  },
)

t.test('subjects take turns, forwards and backwards, and warm-ups do not count', async (t) => {
  const calls: string[] = []
  const subject = (name: string) => ({ name, sample: async () => calls.push(name) })
  const spreads = await alternate([subject('a'), subject('b')], { warmups: 1, repetitions: 2 })
  t.equal(calls.join(''), 'baabba')
  t.same(spreads.get('a')?.samples, [3, 6])
})
