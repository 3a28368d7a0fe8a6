import { join } from 'node:path'
import t from 'tap'
import { readOrRefused } from '../../fuzz/reader'
import { fuzzReader } from '../../fuzz/reader-process'
import { readers } from '../../fuzz/readers'
import { JcsError } from '../../ts/index'

for (const { name } of readers) {
  t.test(`${name}: changed files are read or refused, and some run what no file did before`, async (t) => {
    const build = t.testdir({})
    const run = (runs: number) => fuzzReader({ build, name, runs, seed: 1 })
    const first = await run(20)
    t.match(first, { done: 20, failures: [] })
    const more = await run(300)
    t.match(more, { done: 300, failures: [] })
    t.ok(more.pieces > first.pieces, `${more.pieces} after ${first.pieces}`)
  })
}

t.test('an error that no reader is said to give is a fault, which is kept with the file', async (t) => {
  const refused = async () => {
    throw new JcsError('CORRUPT_FILE', 'a file ends too early')
  }
  t.equal(await readOrRefused(refused), undefined)
  const broken = async () => {
    throw new TypeError('x is not a function')
  }
  await t.rejects(readOrRefused(broken), { message: /INTERNAL.*x is not a function/ })
  const build = t.testdir({})
  const { done, failures } = await fuzzReader({ build, name: 'no such reader', runs: 20, seed: 1 })
  t.equal(done, 0)
  t.match(failures, [new RegExp(join(build, 'failures', 'no such reader-'))])
})
