import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { examine } from '../../ts/doctor/examine'
import type { Finding } from '../../ts/doctor/finding'
import { examineNativeParts } from '../../ts/doctor/native-parts'
import type { Probed } from '../../ts/doctor/probed-parts'
import { probe } from '../../ts/doctor/probing'
import {
  examineEnvironment,
  examineMemory,
  examineRuntime,
  examineTemporaryDirectory,
  examineThreads,
} from '../../ts/doctor/surroundings'
import { devices } from '../../ts/index'
import { repositoryRoot } from './small'

const execute = promisify(execFile)

t.test('jcs doctor finds this machine in order', async (t) => {
  const { stdout } = await execute(process.execPath, [
    join(repositoryRoot, 'dist/cli/main.js'),
    'doctor',
    '--json',
  ])
  const findings = JSON.parse(stdout) as Finding[]
  t.strictSame(
    findings.filter(({ state }) => state === 'error'),
    [],
  )
  const found = Object.fromEntries(findings.map(({ what, found }) => [what, found]))
  const cpu = devices().find(({ name }) => name === 'cpu')!
  t.match(found, {
    addon: /jcs.*\.node$/,
    cpu: new RegExp(`${cpu.isa}.*oneDNN`),
    cuda: String,
    'prepared weights': /jcs-ct.prepared has \d+\.\d GiB of at most 4\.0 GiB, in \d+ files?$/,
    models: 'lesions (jcs-segmentation), lungs (unet)',
    threads: new RegExp(`^${cpu.threads} of `),
  })
  const text = (await execute(process.execPath, [join(repositoryRoot, 'dist/cli/main.js'), 'doctor'])).stdout
  t.match(text, /^ok {7}runtime +Node\.js /m)
})

t.test('what is not in order is told with a remedy', async (t) => {
  const gib = 2 ** 30
  const linux = { node: '20.20.2', napi: '9', platform: 'linux', arch: 'x64', glibc: '2.36' }
  const none = Number.POSITIVE_INFINITY
  for (const [finding, state, found, remedy] of [
    [examineRuntime(linux), 'ok', /glibc 2\.36/, undefined],
    [examineRuntime({ ...linux, node: '18.20.4' }), 'error', /18\.20\.4/, /Node\.js 20\.9/],
    [examineRuntime({ ...linux, node: '20.8.1' }), 'error', /20\.8\.1/, /Node\.js 20\.9/],
    [examineRuntime({ ...linux, node: '22.1.0' }), 'ok', /22\.1\.0/, undefined],
    [examineRuntime({ ...linux, glibc: undefined }), 'error', /another C library/, /glibc/],
    [examineRuntime({ ...linux, platform: 'darwin' }), 'error', /darwin-x64/, /Linux x64/],
    [
      examineThreads({ present: 8, allowed: 8, quota: none, threads: 8 }),
      'ok',
      '8 of 8 processors',
      undefined,
    ],
    [
      examineThreads({ present: 64, allowed: 16, quota: 2, threads: 2 }),
      'ok',
      /^2 of 64 processors: the process is held to 16, its container to the time of 2$/,
      undefined,
    ],
    [examineThreads({ present: 4, allowed: 4, quota: 0.5, threads: 1 }), 'warning', /0\.5/, /whole/],
    [examineThreads({ present: 4, allowed: 4, quota: 2.5, threads: 3 }), 'warning', /2\.5/, /whole/],
    [
      examineMemory({ totalBytes: 8 * gib, freeBytes: 6 * gib, limitBytes: none }),
      'ok',
      /6\.0 GiB of 8/,
      undefined,
    ],
    [
      examineMemory({ totalBytes: 64 * gib, freeBytes: 60 * gib, limitBytes: 0.5 * gib }),
      'warning',
      /the container is held to 0\.5 GiB/,
      /1\.0 GiB/,
    ],
    [await examineTemporaryDirectory(t.testdir({ file: '' })), 'ok', /GiB free/, undefined],
    [await examineTemporaryDirectory(join(t.testdirName, 'file')), 'error', /file/, /TMPDIR/],
  ] as const) {
    t.equal(finding.state, state, finding.found)
    t.match(finding.found, found)
    if (remedy) t.match(finding.remedy, remedy)
    else t.equal(finding.remedy, undefined)
  }
  t.strictSame(examineEnvironment({}), [])
  t.match(examineEnvironment({ ONEDNN_MAX_CPU_ISA: 'AVX2' }), [{ state: 'warning', found: /AVX2/ }])
})

t.test('the folder of prepared weights is told as the process finds it', async (t) => {
  const directory = t.testdir({ file: '', mine: {} })
  const findingWith = async (environment: NodeJS.ProcessEnv): Promise<Finding> => {
    const main = join(repositoryRoot, 'dist/cli/main.js')
    const env = { ...process.env, ...environment }
    const ended = await execute(process.execPath, [main, 'doctor', '--json'], { env }).catch((error) => error)
    return (JSON.parse(ended.stdout) as Finding[]).find(({ what }) => what === 'prepared weights')!
  }
  const mine = join(directory, 'mine')
  t.match(await findingWith({ JCS_CACHE: mine, JCS_PREPARED_MIB: '2048' }), {
    state: 'ok',
    found: `${mine}/jcs-ct/prepared has 0.0 GiB of at most 2.0 GiB, in 0 files`,
  })
  t.match(await findingWith({ JCS_PREPARED_MIB: '0' }), { state: 'ok', found: /JCS_PREPARED_MIB is 0/ })
  t.match(await findingWith({ JCS_CACHE: join(directory, 'file') }), {
    state: 'warning',
    found: /none can be kept in .*file/,
    remedy: /JCS_CACHE/,
  })
  t.match(await findingWith({ JCS_PREPARED_MIB: 'much' }), { state: 'error', found: /'much'/ })
})

t.test('a crash of native code is told, and where', async (t) => {
  const addon = { part: 'addon', result: { path: '/jcs.node', devices: [] } }
  const directory = t.testdir({
    'crash.cjs': `console.log(${JSON.stringify(JSON.stringify(addon))})
      setTimeout(() => process.kill(process.pid, 'SIGILL'), 50)`,
    'gone.cjs': 'throw new Error("libstdc++ is too old")',
  })
  const crashed = await probe(join(directory, 'crash.cjs'))
  t.match(crashed, {
    addon: { result: { path: '/jcs.node' } },
    'prepared weights': { error: { message: 'its process ended with SIGILL' } },
    network: { error: { message: 'not tried' } },
    pictures: { error: { message: 'not tried' } },
  })
  t.match(
    examineNativeParts(crashed).map(({ what, state }) => [what, state]),
    [
      ['addon', 'ok'],
      ['prepared weights', 'error'],
      ['network', 'error'],
      ['pictures', 'error'],
      ['models', 'error'],
    ],
  )
  t.match(await probe(join(directory, 'gone.cjs')), { addon: { error: { message: /exit code 1/ } } })
})

t.test('what is not installed, and devices that cannot be used', async (t) => {
  const probed: Probed = {
    addon: {
      result: {
        path: '/jcs.node',
        devices: [
          { name: 'cpu', kind: 'cpu', available: false, reason: 'AVX2 is missing' },
          { name: 'cuda', kind: 'cuda', available: false, reason: 'there is no driver' },
        ],
      },
    },
    'prepared weights': { result: { path: '', limitBytes: 2 ** 32, isUsable: false, files: 0, bytes: 0 } },
    network: { error: { message: 'cannot run' } },
    pictures: { error: { message: 'Could not load the "sharp" module' } },
    models: { error: { code: 'MODELS_NOT_INSTALLED', message: 'none' } },
  }
  t.match(
    examineNativeParts(probed).map(({ what, state, remedy }) => [what, state, remedy]),
    [
      ['addon', 'ok', undefined],
      ['cpu', 'error', /AVX2/],
      ['cuda', 'ok', undefined],
      ['prepared weights', 'warning', /JCS_CACHE/],
      ['network', 'error', /SIGILL/],
      ['pictures', 'error', /sharp/],
      ['models', 'warning', /npm install jcs-ct-models/],
    ],
  )
  t.ok((await examine()).length > 5)
})
