import t from 'tap'
import type { JcsError } from '../../ts/index'
import { Admission, type Entrant } from '../../ts/service/admission'

const entrant = (given: Partial<Entrant> = {}): Entrant => ({
  priority: 'normal',
  client: '',
  isCase: false,
  signal: new AbortController().signal,
  ...given,
})

/** Fills the places, lets others wait, then frees them one by one: who got in, in order. */
async function orderOf(waiting: Record<string, Partial<Entrant>>, inside: Partial<Entrant>[] = [{}]) {
  const admission = new Admission({ maxQueue: 10, maxActive: inside.length, maxActiveCases: 1 })
  const leaving = await Promise.all(inside.map((each) => admission.enter(entrant(each))))
  const order: string[] = []
  for (const [name, given] of Object.entries(waiting))
    admission.enter(entrant(given)).then((leave) => {
      order.push(name)
      leaving.push(leave)
    })
  while (order.length < Object.keys(waiting).length) {
    leaving.shift()!()
    await new Promise(setImmediate)
  }
  return order
}

t.test('places go by arrival, and by priority before that', async (t) => {
  t.same(await orderOf({ a: {}, b: {}, c: {} }), ['a', 'b', 'c'])
  t.same(await orderOf({ low: { priority: 'low' }, normal: {}, high: { priority: 'high' }, later: {} }), [
    'high',
    'normal',
    'later',
    'low',
  ])
})

t.test('a client with many requests does not keep another waiting', async (t) => {
  const many = { client: 'many' }
  const order = await orderOf({ a: many, b: many, c: many, one: { client: 'one' }, d: many }, [many, many])
  t.same(order, ['one', 'a', 'b', 'c', 'd'])
})

function errorOf(work: () => unknown): JcsError {
  try {
    work()
  } catch (error) {
    return error as JcsError
  }
  throw new Error('nothing was thrown')
}

t.test('cases have places of their own', async (t) => {
  const admission = new Admission({ maxQueue: 0, maxActive: 1, maxActiveCases: 1 })
  const leave = await admission.enter(entrant({ isCase: true }))
  t.throws(() => admission.enter(entrant({ isCase: true })), { code: 'BUSY' })
  const other = await admission.enter(entrant())
  t.equal(admission.active, 2)
  leave()
  other()
  t.equal(admission.active, 0)
})

t.test('a full queue gives the place of its lowest to a higher one', async (t) => {
  const admission = new Admission({ maxQueue: 2, maxActive: 1, maxActiveCases: 1 })
  const leave = await admission.enter(entrant())
  const low = admission.enter(entrant({ priority: 'low' }))
  const second = admission.enter(entrant())
  const high = admission.enter(entrant({ priority: 'high' }))
  await t.rejects(low, { code: 'BUSY' })
  leave()
  ;(await high)()
  ;(await second)()
  t.equal(admission.waiting, 0)
})

t.test('who is refused of equals is the last, and how long to wait is learnt', async (t) => {
  const admission = new Admission({ maxQueue: 1, maxActive: 1, maxActiveCases: 1 })
  const hold = async (ms: number) => {
    const leave = await admission.enter(entrant())
    await new Promise((resolve) => setTimeout(resolve, ms))
    return leave
  }
  ;(await hold(200))()
  const leave = await admission.enter(entrant())
  const second = admission.enter(entrant())
  const refused = errorOf(() => admission.enter(entrant()))
  t.equal(refused.code, 'BUSY')
  t.ok(refused.retryAfterMs! >= 400 && refused.retryAfterMs! < 1000, `${refused.retryAfterMs} ms`)
  t.match(refused.message, `try again in ${refused.retryAfterMs} ms`)
  leave()
  ;(await second)()
})

t.test('whoever gives up leaves the queue', async (t) => {
  const admission = new Admission({ maxQueue: 2, maxActive: 1, maxActiveCases: 1 })
  const leave = await admission.enter(entrant())
  const controller = new AbortController()
  const gone = admission.enter(entrant({ signal: controller.signal }))
  const next = admission.enter(entrant())
  controller.abort(new Error('no longer'))
  await t.rejects(gone, { code: 'CANCELLED', message: /no longer/ })
  t.equal(admission.waiting, 1)
  t.throws(() => admission.enter(entrant({ signal: controller.signal })), { code: 'CANCELLED' })
  leave()
  ;(await next)()
  t.equal(admission.active, 0)
})
