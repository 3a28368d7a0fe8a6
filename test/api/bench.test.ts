import t from 'tap'
import { verdictOf } from '../../bench/compare'
import type { Environment } from '../../bench/environment'
import { alternate, summarize } from '../../bench/harness'
import { type EngineResult, type Measurement, type ResultFile, ratiosToPeers } from '../../bench/results'
import { markdownTables, plainTable } from '../../bench/tables'

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
  t.match(plainTable(file), /memory\/unet\/1x512 +jcs-ct fp32 +10\.0 +MiB/)
  const tables = markdownTables(file, ['inference'])
  t.match(tables, '| unet, 1×512² | 10.0 | 25.0 |')
  t.notMatch(tables, 'MiB')
  t.match(markdownTables(file, ['inference', 'memory']), 'Noted.')
})

t.test('subjects take turns, forwards and backwards, and warm-ups do not count', async (t) => {
  const calls: string[] = []
  const subject = (name: string) => ({ name, sample: async () => calls.push(name) })
  const spreads = await alternate([subject('a'), subject('b')], { warmups: 1, repetitions: 2 })
  t.equal(calls.join(''), 'baabba')
  t.same(spreads.get('a')?.samples, [3, 6])
})
