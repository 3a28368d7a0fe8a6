import { join } from 'node:path'
import t from 'tap'
import { availableThreads } from '../../ts/base/available-threads'
import { cpuQuota, memoryLimitBytes } from '../../ts/base/control-groups'
import { devices } from '../../ts/index'

t.test('decoding has the threads that the CPU backend has', async (t) => {
  const cpu = devices().find(({ kind }) => kind === 'cpu')
  t.equal(availableThreads(), cpu?.threads)
})

t.test('the smallest quota counts, of the group and of those around it', async (t) => {
  const root = t.testdir({
    two: '0::/a/b\n',
    root: '0::/\n',
    one: '12:cpuset:/a\n4:cpu,cpuacct:/a\n',
    none: 'nonsense\n',
    v2: {
      'cpu.max': 'max 100000\n',
      a: { 'cpu.max': '150000 100000\n', b: { 'cpu.max': '400000 100000\n' } },
    },
    v1: {
      cpu: {
        'cpu.cfs_quota_us': '-1\n',
        'cpu.cfs_period_us': '100000\n',
        a: { 'cpu.cfs_quota_us': '250000\n', 'cpu.cfs_period_us': '100000\n' },
      },
    },
  })
  const quota = (membership: string, mount: string) => cpuQuota(join(root, membership), join(root, mount))
  t.equal(quota('two', 'v2'), 1.5)
  t.equal(quota('root', 'v2'), Number.POSITIVE_INFINITY)
  t.equal(quota('one', 'v1'), 2.5)
  t.equal(quota('one', 'v2'), Number.POSITIVE_INFINITY)
  t.equal(quota('none', 'v2'), Number.POSITIVE_INFINITY)
  t.equal(quota('missing', 'v2'), Number.POSITIVE_INFINITY)
})

t.test('the smallest limit of memory counts', async (t) => {
  const root = t.testdir({
    two: '0::/a/b\n',
    one: '4:memory:/a\n',
    v2: { a: { 'memory.max': '1073741824\n', b: { 'memory.max': 'max\n' } } },
    v1: {
      memory: { 'memory.limit_in_bytes': '9223372036854771712\n', a: { 'memory.limit_in_bytes': '500\n' } },
    },
  })
  const limit = (membership: string, mount: string) =>
    memoryLimitBytes(join(root, membership), join(root, mount))
  t.equal(limit('two', 'v2'), 2 ** 30)
  t.equal(limit('one', 'v1'), 500)
  t.equal(limit('two', 'v1'), Number.POSITIVE_INFINITY)
  t.equal(limit('missing', 'v2'), Number.POSITIVE_INFINITY)
})
