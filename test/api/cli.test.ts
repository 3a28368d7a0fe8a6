import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { type DeviceInfo, disclaimer, generateCase } from '../../ts/index'
import { ctSlice, writeFiles } from './dicom-files'
import { repositoryRoot } from './small'

const command = join(repositoryRoot, 'dist', 'cli', 'main.js')

interface Outcome {
  code: number
  stdout: string
  stderr: string
}

function jcs(...args: (string | number)[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [command, ...args.map(String)], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

/** A case and a dataset of synthetic slices, as files. */
async function writeData(root: string): Promise<void> {
  mkdirSync(join(root, 'case'))
  const rows = ['image,label,mask,patient']
  for (const [seed, infected] of [
    [1, true],
    [2, false],
  ] as const) {
    for (const [i, { pixels, lesionMask, infected: label }] of generateCase(seed, {
      infected,
      slices: 4,
      size: 64,
    }).slices.entries()) {
      const write = (data: Uint8Array, name: string) =>
        sharp(data, { raw: { width: 64, height: 64, channels: 1 } })
          .png()
          .toFile(join(root, name))
      await write(pixels.data, `case/${seed}-${i}.png`)
      await write(
        lesionMask.map((value) => value * 255),
        `mask-${seed}-${i}.png`,
      )
      rows.push(`case/${seed}-${i}.png,${Number(label)},mask-${seed}-${i}.png,${seed}`)
    }
  }
  writeFileSync(join(root, 'data.csv'), `${rows.join('\n')}\n`)
}

t.test('inspect lists the series of a folder, and nothing of the patient', async (t) => {
  const slices = [0, 1, 2].map((number) => ctSlice({ number, position: [0, 0, 2 * number] }))
  const folder = writeFiles(t.testdir(), {
    ...Object.fromEntries(slices.map((slice, index) => [`a/${index}`, slice])),
    b: ctSlice({ number: 9, position: [0, 0, 0], series: '1.9' }),
  })
  const { code, stdout } = await jcs('inspect', folder)
  t.equal(code, 0)
  t.match(stdout, /3 {2}axial {2}8 × 6 .*0\.50 × 0\.75 × 2\.00.* 1\.2\.3$/m)
  t.notMatch(stdout, /Doe|4711|19610203/)
  const json = JSON.parse((await jcs('inspect', folder, '--json')).stdout)
  t.match(json.series, [
    { uid: '1.2.3', slices: 3 },
    { uid: '1.9', slices: 1 },
  ])
  const nothing = await jcs('inspect', t.testdir({ 'a.txt': 'text' }))
  t.match(nothing, { code: 3, stderr: /EMPTY_DATASET/ })
})

t.test('help teaches', async (t) => {
  const { code, stdout } = await jcs('--help')
  t.equal(code, 0)
  t.match(stdout, disclaimer)
  for (const name of [
    'train',
    'classify',
    'segment',
    'diagnose',
    'evaluate',
    'calibrate',
    'cross-validate',
    'export',
    'devices',
    'demo',
    'profile',
  ]) {
    t.match(stdout, new RegExp(`^  ${name}\\b`, 'm'))
  }
  t.match((await jcs('help', 'train')).stdout, /Examples:/)
})

t.test('exit codes', async (t) => {
  t.equal((await jcs('nonsense')).code, 2)
  t.equal((await jcs('classify', 'x.png')).code, 2, 'no model')
  const missing = await jcs('classify', 'none.png', '--model', 'none.safetensors', '--json')
  t.equal(missing.code, 3)
  t.match(missing.stderr, /FILE_NOT_FOUND/)
  t.equal(missing.stdout, '', 'nothing on stdout that a program could mistake for a result')
})

t.test('devices', async (t) => {
  const { code, stdout } = await jcs('devices', '--json')
  t.equal(code, 0)
  const [cpu, ...gpus] = JSON.parse(stdout) as DeviceInfo[]
  t.match(cpu, { name: 'cpu', available: true })
  t.ok(gpus.length > 0)
  for (const gpu of gpus) {
    t.match(gpu, { name: /^cuda/, kind: 'cuda' })
    if (!gpu.available) t.match(gpu.reason, /driver|GPU|cuDNN|CUDA backend/, 'a reason in words')
  }
})

t.test('from training to a diagnosis', async (t) => {
  const root = t.testdir()
  await writeData(root)
  const at = (...names: string[]) => join(root, ...names)
  const quick = [
    '--recipe',
    'scratch',
    '--iterations',
    3,
    '--batch-size',
    4,
    '--input-size',
    64,
    '--width',
    0.125,
  ]
  const data = ['--data', at('data.csv')]
  const classifier = await jcs(
    'train',
    'classification',
    ...data,
    '--validation-fraction',
    0.5,
    '--network',
    'res2net50-v1b',
    ...quick,
    '--output-stride',
    16,
    '--ema-decay',
    0.5,
    '--activation-loss-weight',
    20,
    '--out',
    at('c'),
    '--json',
  )
  t.equal(classifier.code, 0, classifier.stderr)
  t.match(JSON.parse(classifier.stdout), {
    iterations: 3,
    spec: { network: 'res2net50-v1b', outputStride: 16 },
    settings: { ema: { decay: 0.5 }, activationLossWeight: 20 },
  })
  const segmenter = await jcs(
    'train',
    'segmentation',
    ...data,
    '--network',
    'jcs-segmentation',
    ...quick,
    '--out',
    at('s'),
    '--progress',
    'json',
  )
  t.equal(segmenter.code, 0, segmenter.stderr)
  const lines = segmenter.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.equal(lines.at(-1).phase, 'result')
  t.ok(lines.some(({ phase, loss }) => phase === 'train' && loss > 0))
  for (const name of ['model.safetensors', 'checkpoint.safetensors', 'report.html', 'metrics.json'])
    t.ok(existsSync(at('s', name)), name)

  const [c, s] = [at('c', 'model.safetensors'), at('s', 'model.safetensors')]
  const evaluated = await jcs('evaluate', at('data.csv'), '--model', s, '--json')
  t.match(JSON.parse(evaluated.stdout), { task: 'segmentation', samples: 8 })
  const explained = await jcs('evaluate', at('data.csv'), '--model', c)
  t.match(explained.stdout, /activation maps of \d+ slices with lesions/)
  t.match(explained.stdout, /maximum in or near a lesion +[01]\.\d/)
  const classified = await jcs('classify', at('case'), '--model', c, '--json')
  t.match(JSON.parse(classified.stdout), [{ image: '1-0.png' }])
  t.equal(JSON.parse(classified.stdout).length, 8)
  const segmented = await jcs('segment', at('case', '1-0.png'), '--model', s, '--out', at('seg'))
  t.equal(segmented.code, 0, segmented.stderr)
  t.ok(existsSync(at('seg', '0000_1-0_overlay.png')) && existsSync(at('seg', '0000_1-0_mask.png')))
  const small = await jcs('diagnose', at('case'), '-c', c, '-s', s)
  t.equal(small.code, 3)
  t.match(small.stderr, /CASE_TOO_SMALL/)
  const diagnosed = await jcs(
    'diagnose',
    at('case'),
    '-c',
    c,
    '-s',
    s,
    '--slice-threshold',
    1,
    '--explain',
    '--out',
    at('d'),
    '--json',
  )
  t.equal(diagnosed.code, 0, diagnosed.stderr)
  t.match(JSON.parse(diagnosed.stdout), { totalSlices: 8, sliceThreshold: 1, disclaimer })
  const report = readFileSync(at('d', 'report.html'), 'utf8')
  t.match(report, disclaimer)
  t.notMatch(report, root, 'no absolute paths in a report')
  const exported = await jcs('export', c, '--out', at('c.onnx'), '--json')
  t.equal(exported.code, 0, exported.stderr)
  t.ok(existsSync(at('c.onnx')))
})

t.test('Ctrl-C ends a training in order', async (t) => {
  const root = t.testdir()
  await writeData(root)
  const args = [
    'train',
    'segmentation',
    '--data',
    join(root, 'data.csv'),
    '--network',
    'jcs-segmentation',
    '--width',
    '0.125',
  ]
  const rest = [
    '--recipe',
    'scratch',
    '--iterations',
    '100000',
    '--input-size',
    '64',
    '--out',
    join(root, 'out'),
    '--progress',
    'json',
  ]
  const child = spawn(process.execPath, [command, ...args, ...rest])
  let interrupted = false
  child.stdout.on('data', (text) => {
    if (interrupted || !String(text).includes('"train"')) return
    interrupted = true
    child.kill('SIGINT')
  })
  const [code] = await once(child, 'exit')
  t.equal(code, 130)
})
