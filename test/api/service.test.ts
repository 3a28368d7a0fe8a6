import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { join } from 'node:path'
import { metrics as otelMetrics, trace } from '@opentelemetry/api'
import t from 'tap'
import {
  classify,
  createModel,
  createService,
  diagnose,
  type JcsError,
  type Model,
  type ModelEvent,
  openCase,
  type RequestEvent,
  segment,
} from '../../ts/index'
import { classifierSpec, segmenterSpec, smallSlices } from './small'

const fp32 = { device: 'cpu', precision: 'fp32' } as const
const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)

async function smallModels(): Promise<{ classifier: Model; segmenter: Model }> {
  return {
    classifier: await createModel(classifierSpec, { ...fp32, seed: 1 }),
    segmenter: await createModel(segmenterSpec, { ...fp32, seed: 2 }),
  }
}

t.test('many requests at once come to what each comes to alone', async (t) => {
  const { classifier, segmenter } = await smallModels()
  await using service = await createService({ classifier, segmenter, classificationBatch: 4, warmUp: false })
  const cases = [1, 2, 3].map((seed) => smallSlices(seed + 2, seed))

  const classified = await Promise.all(cases.map((slices) => service.classify(slices, { explain: true })))
  for (const [index, slices] of cases.entries()) {
    const alone = await classify(classifier, slices, { explain: true })
    t.equal(classified[index]!.length, alone.length)
    for (const [slice, { probability, activationMap }] of alone.entries()) {
      const together = classified[index]![slice]!
      t.ok(Math.abs(together.probability - probability) < 1e-5)
      t.same([together.activationMap?.width, together.activationMap?.height], [64, 64])
      t.ok(activationMap!.data.every((value, i) => Math.abs(value - together.activationMap!.data[i]!) < 1e-3))
    }
  }
  const segmented = await Promise.all(cases.map((slices) => service.segment(slices)))
  for (const [index, slices] of cases.entries()) {
    const alone = await segment(segmenter, slices)
    for (const [slice, { areaPixels, mask }] of alone.entries()) {
      t.equal(segmented[index]![slice]!.areaPixels, areaPixels)
      t.same(segmented[index]![slice]!.mask, mask)
    }
  }
  const options = { sliceThreshold: 1, classificationThreshold: 0 }
  const diagnosed = await Promise.all(cases.map((slices) => service.diagnose(slices, options)))
  for (const [index, slices] of cases.entries()) {
    const alone = await diagnose({ classifier, segmenter }, slices, options)
    const { models, positive, slices: found } = diagnosed[index]!
    t.same(models, alone.models)
    t.equal(positive, alone.positive)
    t.same(
      found.map(({ segmentation }) => segmentation?.areaPixels),
      alone.slices.map(({ segmentation }) => segmentation?.areaPixels),
    )
  }
  await classifier.dispose()
  await segmenter.dispose()
})

t.test('a diagnosis takes the models that it is told to take', async (t) => {
  const { classifier, segmenter } = await smallModels()
  await using service = await createService({ segmenter, models: { other: classifier }, warmUp: false })
  const slices = smallSlices(3)
  const roles = async (options: object) =>
    (await service.diagnose(slices, { sliceThreshold: 1, ...options })).models.map(({ role }) => role)
  t.same(await roles({}), ['segmenter'])
  t.same(await roles({ classifier: 'other' }), ['classifier', 'segmenter'])
  t.same(await roles({ classifier: 'other', lungs: 'segmenter' }), ['classifier', 'segmenter', 'lungs'])
  t.same(await roles({ classifier: null }), ['segmenter'])
  await t.rejects(service.diagnose(slices, { explain: true }), {
    code: 'INVALID_ARGUMENT',
    message: /classifier/,
  })
  await t.rejects(service.classify(slices), {
    code: 'INVALID_ARGUMENT',
    message: /no model 'classifier'; it has 'segmenter', 'other'/,
  })
  await t.rejects(service.classify(slices, { model: 'segmenter' }), { code: 'INVALID_ARGUMENT' })
  t.equal((await service.classify(slices, { model: 'other' })).length, 3)
})

t.test("a caller's model has run once before the first request", async (t) => {
  const { classifier, segmenter } = await smallModels()
  const before = [classifier.memoryBytes, segmenter.memoryBytes]
  await using service = await createService({ classifier, segmenter })
  const after = [classifier.memoryBytes, segmenter.memoryBytes]
  t.ok(
    after.every((bytes, index) => bytes > before[index]!),
    'its programs are compiled',
  )
  t.match(service.status().models, [{ memoryBytes: after[0] }, { memoryBytes: after[1] }])
})

t.test('progress is streamed, and a case that is open is not used up', async (t) => {
  const { classifier } = await smallModels()
  await using service = await createService({ classifier })
  using scan = openCase(smallSlices(5))
  const phases = new Set<string>()
  const run = service.classify(scan)
  for await (const event of run) phases.add(event.phase)
  t.same([...phases].sort(), ['classify', 'decode'])
  t.same(await service.classify(scan), await run)
})

t.test('more than the queue takes is BUSY, and what was taken is done', async (t) => {
  const { classifier } = await smallModels()
  await using service = await createService({ classifier, maxQueue: 3, maxActive: 2 })
  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, (_, seed) => service.classify(smallSlices(2, seed))),
  )
  const refused = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason as JcsError] : []))
  t.equal(refused.length, 15)
  for (const error of refused) {
    t.equal(error.code, 'BUSY')
    t.ok(error.retryAfterMs! > 0)
  }
  t.match(service.status(), { isOpen: true, waiting: 0, active: 0 })
  t.equal((await service.classify(smallSlices(2))).length, 2)
})

t.test('a deadline, and a caller who gives up', async (t) => {
  const { segmenter } = await smallModels()
  await using service = await createService({ segmenter, maxActive: 1 })
  const long = service.segment(smallSlices(40), { deadlineMs: 30_000 })
  await t.rejects(service.segment(smallSlices(1), { deadlineMs: 1 }), {
    code: 'DEADLINE_EXCEEDED',
    message: /1 ms/,
  })
  const controller = new AbortController()
  const waiting = service.segment(smallSlices(1), { signal: controller.signal })
  controller.abort(new Error('the caller left'))
  await t.rejects(waiting, { code: 'CANCELLED', message: /the caller left/ })
  t.match(service.status(), { waiting: 0, active: 1 })

  const first = await long[Symbol.asyncIterator]().next()
  t.notOk(first.done)
  const abortedAt = performance.now()
  long.cancel()
  await t.rejects(long, { code: 'CANCELLED' })
  t.ok(performance.now() - abortedAt < 1000)
  while (service.status().active > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  t.equal((await service.segment(smallSlices(1))).length, 1)
})

t.test('a model is replaced without a request being dropped', async (t) => {
  const directory = t.testdir()
  const paths = await Promise.all(
    [1, 2].map(async (seed) => {
      await using model = await createModel(classifierSpec, { ...fp32, seed })
      const path = join(directory, `${seed}.safetensors`)
      await model.save(path)
      return path
    }),
  )
  const [before = '', after = ''] = paths
  await using service = await createService({ classifier: before, ...fp32, maxQueue: 1000 })
  const slices = smallSlices(1)
  const old = (await service.classify(slices))[0]!.probability

  const answers: number[] = []
  let isReplaced = false
  const caller = async () => {
    while (!isReplaced || answers.length < 50) answers.push((await service.classify(slices))[0]!.probability)
  }
  const callers = [caller(), caller(), caller()]
  await service.replaceModel('classifier', after)
  isReplaced = true
  await Promise.all(callers)
  const latest = (await service.classify(slices))[0]!.probability
  t.not(latest, old)
  for (const answer of answers) t.ok(Math.min(Math.abs(answer - old), Math.abs(answer - latest)) < 1e-5)

  const replacing = service.replaceModel('classifier', before).then(() => 'replaced')
  const asked = service.classify(slices).then(([first]) => first!.probability)
  t.equal(await Promise.race([replacing, asked]), latest, 'nobody waits for what is only being loaded')
  await replacing
  t.equal((await service.classify(slices))[0]!.probability, old)
  await service.replaceModel('classifier', after)

  await t.rejects(service.replaceModel('nobody', after), { code: 'INVALID_ARGUMENT' })
  await t.rejects(service.replaceModel('classifier', join(directory, 'none')), { code: 'FILE_NOT_FOUND' })
  t.equal((await service.classify(slices))[0]!.probability, latest, 'a failure leaves what is there')
})

t.test('models share a budget of memory: the one used longest ago makes room', async (t) => {
  const directory = t.testdir()
  const models: Record<string, string> = {}
  for (const name of ['a', 'b', 'c']) {
    await using model = await createModel(classifierSpec, fp32)
    models[name] = join(directory, `${name}.safetensors`)
    await model.save(models[name])
  }
  const slices = smallSlices(2)
  let each = 0
  {
    await using alone = await createService({ models: { a: models.a! }, ...fp32, warmUp: false })
    await alone.classify(slices, { model: 'a' })
    each = alone.status().models[0]!.memoryBytes
  }
  const events: string[] = []
  const listen = (message: unknown) => {
    const { action, model } = message as ModelEvent
    events.push(`${action} ${model}`)
  }
  subscribe('jcs-ct:service:model', listen)
  const memoryBudgetBytes = Math.round(2.5 * each)
  await using service = await createService({ models, ...fp32, memoryBudgetBytes, warmUp: false })
  for (const model of ['a', 'b', 'a', 'c', 'b', 'b'])
    t.equal((await service.classify(slices, { model })).length, 2, model)
  t.same(
    events.filter((event) => event.startsWith('evicted')),
    ['evicted b', 'evicted a'],
  )
  t.ok(sum(service.status().models.map(({ memoryBytes }) => memoryBytes)) <= memoryBudgetBytes)

  const all = await Promise.all(
    Array.from({ length: 12 }, (_, i) => service.classify(slices, { model: 'abc'[i % 3]! })),
  )
  t.ok(
    all.every(({ length }) => length === 2),
    'those who use what another needs are waited for',
  )
  unsubscribe('jcs-ct:service:model', listen)

  await using tiny = await createService({ models, ...fp32, memoryBudgetBytes: 1000, warmUp: false })
  await t.rejects(tiny.classify(slices, { model: 'a' }), {
    code: 'OUT_OF_MEMORY',
    message: /memoryBudgetBytes/,
  })
  t.match(tiny.status().models, [{ isLoaded: false }, { isLoaded: false }, { isLoaded: false }])
})

t.test('closing lets what was taken end, or gives it up after a grace', async (t) => {
  const { segmenter } = await smallModels()
  const service = await createService({ segmenter, maxActive: 1 })
  const taken = [service.segment(smallSlices(3)), service.segment(smallSlices(3, 2))]
  const closing = service.close()
  t.match(service.status(), { isOpen: false })
  await t.rejects(service.segment(smallSlices(1)), { code: 'SERVICE_CLOSED' })
  await t.rejects(service.replaceModel('segmenter', segmenter), { code: 'SERVICE_CLOSED' })
  t.same(
    (await Promise.all(taken)).map(({ length }) => length),
    [3, 3],
  )
  await closing
  t.notOk(segmenter.disposed, "a caller's model is the caller's")

  const other = await createService({ segmenter })
  const long = t.rejects(other.segment(smallSlices(400)), { code: 'SERVICE_CLOSED' })
  await other.close({ graceMs: 50 })
  await long
})

t.test('what happens is counted, published and traced', async (t) => {
  const spans: { name: string; attributes: unknown; status?: unknown }[] = []
  const tracer = {
    startSpan: (name: string, { attributes }: { attributes: unknown }) => {
      const span = {
        name,
        attributes,
        setStatus: (status: unknown) => Object.assign(span, { status }),
        end: () => {},
      }
      spans.push(span)
      return span
    },
  }
  trace.setGlobalTracerProvider({ getTracer: () => tracer } as never)
  t.teardown(() => trace.disable())
  const recorded: string[] = []
  const instrument = (name: string) => ({
    add: () => recorded.push(name),
    record: () => recorded.push(name),
  })
  otelMetrics.setGlobalMeterProvider({
    getMeter: () => ({ createHistogram: instrument, createCounter: instrument }),
  } as never)
  t.teardown(() => otelMetrics.disable())
  const published: RequestEvent[] = []
  const listen = (message: unknown) => published.push(message as RequestEvent)
  subscribe('jcs-ct:service:request', listen)
  t.teardown(() => unsubscribe('jcs-ct:service:request', listen))

  const { classifier } = await smallModels()
  await using service = await createService({ classifier, classificationBatch: 4, warmUp: false })
  await service.classify(smallSlices(6))
  await t.rejects(service.classify(smallSlices(1), { model: 'none' }), { code: 'INVALID_ARGUMENT' })

  t.match(published, [
    { service, kind: 'classify', outcome: 'ok', durationMs: Number },
    { kind: 'classify', outcome: 'INVALID_ARGUMENT' },
  ])
  t.ok(published[0]!.queuedMs! <= published[0]!.durationMs)
  t.match(spans, [
    { name: 'jcs classify', attributes: { 'jcs.outcome': 'ok' }, status: undefined },
    { name: 'jcs classify', status: { message: 'INVALID_ARGUMENT' } },
  ])
  t.ok(['jcs.request.duration', 'jcs.slices', 'jcs.batch.slices'].every((name) => recorded.includes(name)))

  const text = await service.metrics()
  t.match(text, 'jcs_requests_total{kind="classify",outcome="ok"} 1')
  t.match(text, 'jcs_requests_total{kind="classify",outcome="INVALID_ARGUMENT"} 1')
  t.match(text, 'jcs_slices_total{work="classify",model="classifier",device="cpu"} 6')
  t.match(text, 'jcs_batch_slices_count{work="classify",model="classifier",device="cpu"} 2')
  t.match(text, 'jcs_requests_active 0')
  t.match(text, 'jcs_requests_waiting 0')
  t.match(text, /jcs_model_memory_bytes\{model="classifier",device="cpu"\} \d{4,}/)
  for (const line of text.split('\n').filter((line) => line && !line.startsWith('#')))
    t.match(line, /^jcs_[a-z_]+(\{[^}]*\})? \S+$/)
})

t.test('bad options', async (t) => {
  const { classifier, segmenter } = await smallModels()
  const bad = (options: unknown, expected: { code: string; message?: RegExp }) =>
    t.rejects(createService(options as never), expected)
  await bad({}, { code: 'INVALID_ARGUMENT', message: /no model/ })
  await bad({ classifier, maxQueue: -1 }, { code: 'INVALID_ARGUMENT', message: /maxQueue/ })
  await bad({ classifier, queue: 3 }, { code: 'INVALID_ARGUMENT', message: /'queue'/ })
  await bad({ classifier: 7 }, { code: 'INVALID_TYPE' })
  await bad({ classifier: segmenter }, { code: 'INVALID_ARGUMENT', message: /classification/ })
  await bad({ models: { lungs: segmenter } }, { code: 'INVALID_ARGUMENT', message: /'lungs'/ })
  await bad({ segmenter: 'none.safetensors' }, { code: 'FILE_NOT_FOUND' })
  await bad({ segmenter, device: 'cpu', devices: ['cpu'] }, { code: 'INVALID_ARGUMENT' })
  await bad({ segmenter, devices: ['cpu', 'cuda:0'] }, { code: 'INVALID_ARGUMENT', message: /one device/ })
  await bad({ segmenter, devices: ['cpu', 'cpu'] }, { code: 'INVALID_ARGUMENT', message: /twice/ })
  await bad({ segmenter, devices: ['tpu'] }, { code: 'INVALID_ARGUMENT', message: /device/ })

  await using service = await createService({ classifier, warmUp: false })
  const wrong = (options: object, expected: { code: string; message?: RegExp }) =>
    t.rejects(service.classify(smallSlices(1), options as never), expected)
  await wrong({ priority: 'urgent' }, { code: 'INVALID_ARGUMENT', message: /priority/ })
  await wrong({ deadlineMs: 0 }, { code: 'INVALID_ARGUMENT', message: /deadlineMs/ })
  await wrong({ client: 3 }, { code: 'INVALID_TYPE', message: /client/ })
  await wrong({ batchSize: 3 }, { code: 'INVALID_ARGUMENT', message: /classificationBatch/ })
  await wrong({ threshold: 3 }, { code: 'INVALID_ARGUMENT', message: /threshold/ })
  await t.rejects(service.classify('no-such-file.png'), { code: 'FILE_NOT_FOUND' })
  await t.rejects(service.classify(7 as never), { code: 'INVALID_TYPE' })
  t.match(service.status(), { waiting: 0, active: 0 })
})
