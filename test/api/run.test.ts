import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { JcsError } from '../../ts/base/errors'
import type { ClassifyProgress, ProgressEvent, SliceClassified } from '../../ts/run/progress'
import { Run, type RunContext } from '../../ts/run/run'

const progress = (done: number): ClassifyProgress => ({ phase: 'classify', done, total: 100 })
const slice = (index: number): SliceClassified => ({
  phase: 'classify',
  kind: 'slice',
  index,
  done: index + 1,
  classification: { probability: 0.5, positive: false },
})

/** Works until it is cancelled. */
const untilCancelled = async ({ signal, throwIfCancelled }: RunContext): Promise<never> => {
  while (!signal.aborted) await delay(1)
  throwIfCancelled()
  throw new Error('unreachable')
}

async function collect(events: AsyncIterable<ProgressEvent>): Promise<ProgressEvent[]> {
  const all: ProgressEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

t.test('a run is a promise of its result and starts at once', async (t) => {
  let started = false
  const run = new Run(async () => {
    started = true
    return 42
  })
  t.equal(started, true, 'before anybody awaits it')
  t.equal(Object.prototype.toString.call(run), '[object Run]')
  t.equal(await run, 42)
  t.equal(await run.then((value) => value + 1), 43)
  t.equal(await run.catch(() => 0), 42)
  let finallyArguments: unknown[] = ['not called']
  const onFinally = (...given: unknown[]) => {
    finallyArguments = given
  }
  t.equal(await run.finally(onFinally), 42)
  t.same(finallyArguments, [])
  t.equal(await (async () => run)(), 42, 'an async function that returns a run awaits it')
})

t.test(
  'a failure rejects the result, and an executor that throws synchronously is no different',
  async (t) => {
    const failure = new JcsError('NOT_FINITE', 'pixel 3 is NaN')
    await t.rejects(new Run(async () => Promise.reject(failure)), failure)
    const thrower = (): Promise<never> => {
      throw failure
    }
    await t.rejects(new Run(thrower), failure)
    let finished = false
    await t.rejects(
      new Run(thrower).finally(() => {
        finished = true
      }),
      failure,
    )
    t.ok(finished)
  },
)

t.test('for await streams progress, then ends; the result can be awaited as well', async (t) => {
  const run = new Run(async ({ emit }) => {
    for (let done = 1; done <= 3; done++) {
      await delay(5)
      emit(progress(done))
    }
    return 'result'
  })
  t.same(await collect(run), [progress(1), progress(2), progress(3)])
  t.equal(await run, 'result')
})

t.test('a slow loop sees the newest event of each phase, and the work does not wait for it', async (t) => {
  const count = 100_000
  let waits = 0
  const run = new Run(async ({ emit }) => {
    await delay(5)
    for (let done = 1; done <= count; done++) {
      emit({ phase: 'decode', done })
      if (emit(progress(done))) waits++
      if (done % 10_000 === 0) await delay(0)
    }
    return 'result'
  })
  const seen: ProgressEvent[] = []
  for await (const event of run) {
    seen.push(event)
    await delay(20)
  }
  t.ok(seen.length < 50, `${seen.length} of ${2 * count} events were read`)
  t.same(seen.at(-1), progress(count), 'the newest is among them')
  t.ok(seen.some((event) => event.phase === 'decode' && event.done === count))
  t.equal(waits, 0)
})

t.test('every iterator gets the latest event, also one that starts late or after the end', async (t) => {
  const run = new Run(async ({ emit }) => {
    emit(progress(1))
    await delay(10)
    emit(progress(2))
  })
  const [first, second] = await Promise.all([collect(run), collect(run)])
  t.same(first, [progress(1), progress(2)])
  t.same(second, first)
  t.same(await collect(run), [progress(2)], 'after the end')
})

t.test('calls of next() that wait are answered in order', async (t) => {
  const run = new Run(async ({ emit }) => {
    await delay(5)
    emit(progress(1))
    emit(progress(2))
  })
  const iterator = run[Symbol.asyncIterator]()
  const results = await Promise.all([iterator.next(), iterator.next(), iterator.next(), iterator.next()])
  t.same(results, [
    { done: false, value: progress(1) },
    { done: false, value: progress(2) },
    { done: true, value: undefined },
    { done: true, value: undefined },
  ])
})

t.test(
  'slice results are never dropped, keep their order, and hold the work back within a bound',
  async (t) => {
    const count = 500
    let emitted = 0
    let furthestAhead = 0
    const seen: number[] = []
    const run = new Run(async ({ emit }) => {
      await delay(1)
      for (let index = 0; index < count; index++) {
        emit(progress(index))
        const wait = emit(slice(index))
        emitted++
        furthestAhead = Math.max(furthestAhead, emitted - seen.length)
        await wait
      }
      return 'result'
    })
    for await (const event of run) {
      if (event.kind === 'slice') seen.push(event.index)
      if (seen.length % 100 === 0) await delay(2)
    }
    t.same(
      seen,
      Array.from({ length: count }, (_, index) => index),
    )
    t.ok(furthestAhead > 32, `the work ran up to ${furthestAhead} slices ahead`)
    t.ok(furthestAhead <= 66, `and not more than a bound: ${furthestAhead}`)
  },
)

t.test('an iterator that was abandoned does not hold up an awaited result', async (t) => {
  const run = new Run(async ({ emit }) => {
    await delay(1)
    for (let index = 0; index < 300; index++) await emit(slice(index))
    return 'result'
  })
  await run[Symbol.asyncIterator]().next()
  t.equal(await run, 'result')
})

t.test('cancel() rejects as CANCELLED once the work has stopped', async (t) => {
  let stopped = false
  const reason = new Error('user pressed stop')
  const run = new Run(async ({ signal }) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    await delay(10)
    stopped = true
    return 'too late'
  })
  run.cancel(reason)
  run.cancel('again: no effect')
  await t.rejects(run, {
    code: 'CANCELLED',
    message: 'cancelled by the caller: user pressed stop',
    cause: reason,
  })
  t.ok(stopped)
})

t.test('cancelling a finished run changes nothing', async (t) => {
  const run = new Run(async () => 1)
  await run
  run.cancel()
  t.equal(await run, 1)
})

t.test('what the work throws because of the cancel is reported as CANCELLED', async (t) => {
  const run = new Run(async ({ signal }) => delay(1000, undefined, { signal }))
  run.cancel()
  await t.rejects(run, { code: 'CANCELLED', message: 'cancelled by the caller' })
})

t.test('an AbortSignal cancels, before the start and later, and no listener stays behind', async (t) => {
  let started = false
  const aborted = new Run(
    async () => {
      started = true
    },
    { signal: AbortSignal.abort('changed my mind') },
  )
  await t.rejects(aborted, { code: 'CANCELLED', cause: 'changed my mind' })
  t.notOk(started, 'work that is cancelled before it starts never starts')

  await t.rejects(new Run(untilCancelled, { signal: AbortSignal.timeout(10) }), {
    code: 'CANCELLED',
    message: /timeout/,
  })

  const controller = new AbortController()
  let listeners = 0
  const { signal } = controller
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...given: Parameters<typeof add>) => {
    listeners++
    add(...given)
  }
  signal.removeEventListener = (...given: Parameters<typeof remove>) => {
    listeners--
    remove(...given)
  }
  await new Run(async () => 1, { signal })
  await new Run(async () => Promise.reject(new Error('x')), { signal }).catch(() => {})
  await delay(1)
  t.equal(listeners, 0)
})

t.test('any number of things may listen to a run at the same time', async (t) => {
  const warnings: Error[] = []
  process.on('warning', (warning) => warnings.push(warning))
  await new Run(async ({ signal }) => {
    for (let i = 0; i < 100; i++) signal.addEventListener('abort', () => {}, { once: true })
  })
  await delay(10) // warnings come with the next tick
  t.same(warnings, [])
})

t.test('leaving a loop early cancels and waits until the work has stopped', async (t) => {
  for (const leave of ['break', 'throw'] as const) {
    let stopped = false
    const run = new Run(async (context) => {
      context.emit(progress(1))
      try {
        return await untilCancelled(context)
      } finally {
        await delay(5)
        stopped = true
      }
    })
    const loop = async () => {
      for await (const event of run) {
        t.same(event, progress(1))
        if (leave === 'break') break
        throw new Error('from the loop body')
      }
    }
    if (leave === 'break') await loop()
    else await t.rejects(loop(), { message: 'from the loop body' })
    t.ok(stopped, leave)
    await t.rejects(run, { code: 'CANCELLED' })
  }
})

t.test(
  'an iterator that was left gives nothing more; leaving one after the end cancels nothing',
  async (t) => {
    const run = new Run(async ({ emit }) => {
      emit(progress(1))
      await delay(1)
      return 'result'
    })
    const iterator = run[Symbol.asyncIterator]()
    t.equal(await run, 'result')
    await iterator.return?.()
    t.same(await iterator.next(), { done: true, value: undefined })
    t.equal(await run, 'result')
  },
)

t.test('other loops of a cancelled run end with CANCELLED', async (t) => {
  const run = new Run(async (context) => {
    context.emit(progress(1))
    return untilCancelled(context)
  })
  const other = collect(run)
  for await (const _ of run) break
  await t.rejects(other, { code: 'CANCELLED' })
})

t.test('cancelling frees work that waits for a slow loop', async (t) => {
  const run = new Run(async ({ emit, throwIfCancelled }) => {
    await delay(1)
    for (let index = 0; index < 1000; index++) {
      await emit(slice(index))
      throwIfCancelled()
    }
  })
  const iterator = run[Symbol.asyncIterator]()
  await iterator.next()
  await delay(5)
  run.cancel()
  await t.rejects(run, { code: 'CANCELLED' })
})

t.test('a failure surfaces in the loop, after the events before it, and only once', async (t) => {
  const failure = new JcsError('DIVERGED', 'the loss is NaN at iteration 3')
  const run = new Run(async ({ emit }) => {
    emit(progress(1))
    await delay(1)
    throw failure
  })
  const iterator = run[Symbol.asyncIterator]()
  t.same(await iterator.next(), { done: false, value: progress(1) })
  await t.rejects(iterator.next(), failure)
  t.same(await iterator.next(), { done: true, value: undefined })
  await t.rejects(run, failure, 'and in the result')
})

t.test(
  'onProgress is called with every event; what it throws stops the run and becomes its error',
  async (t) => {
    const seen: ProgressEvent[] = []
    await new Run(
      async ({ emit }) => {
        emit(progress(1))
        emit(progress(2))
        emit(slice(0))
      },
      { onProgress: (event) => seen.push(event) },
    )
    t.same(seen, [progress(1), progress(2), slice(0)])

    const failure = new Error('bug in the callback')
    let calls = 0
    const run = new Run(
      async (context) => {
        context.emit(progress(1))
        context.emit(progress(2))
        return untilCancelled(context)
      },
      {
        onProgress: () => {
          calls++
          throw failure
        },
      },
    )
    await t.rejects(run, failure)
    t.equal(calls, 1)
  },
)

t.test('nothing is reported after the end', async (t) => {
  const seen: ProgressEvent[] = []
  let emitLate = () => {}
  await new Run(
    async ({ emit }) => {
      emitLate = () => void emit(progress(9))
    },
    { onProgress: (event) => seen.push(event) },
  )
  emitLate()
  t.same(seen, [])
})

t.test(
  'unhandled rejections: none for a cancel or a consumed failure, one for an ignored failure',
  async (t) => {
    const child = join(__dirname, 'run-unhandled.ts')
    const tsx = require.resolve('tsx/cli')
    const { stdout } = await promisify(execFile)(process.execPath, [tsx, child])
    t.same(JSON.parse(stdout), {
      'break out of a loop': [],
      'throw out of a loop': [],
      'cancel() that nobody awaits': [],
      'abort signal that nobody awaits': [],
      'aborted before the start': [],
      'failure met by a loop': [],
      'failure met by await': [],
      'failure that nobody looks at': ['ignored failure'],
      'failing callback that nobody looks at': ['callback failure'],
    })
  },
)
