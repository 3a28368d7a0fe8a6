import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadModel, type ModelSpec } from 'jcs-ct'
import t from 'tap'
import { normals } from './numpy-random'
import { readNpz, writePublishedWeights } from './published-weights'
import { sharedFolder } from './shared-data'

/**
 * The authors' networks and the comparators at full width, loaded from a state dict under their own names, against what PyTorch
 * gives for it (../shared/fixtures).
 */

interface Case {
  /** Of the keys file and of the input's seed. */
  name: string
  spec: ModelSpec
  shape: [number, number, number, number]
  file: string
  /** The published arrays, in the order of `outputs`. */
  expected: string[]
  /** Ours; all but the classifier's are probabilities. */
  outputs: string[]
  /** Of the published arrays. */
  areLogits: boolean
  /** Where logits are so large that probabilities no longer tell them apart: the layer that makes them, made smaller. */
  head?: string
}

const numbered = (count: number, name: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => name(i))
const sides = (count: number, first = 1) => numbered(count, (i) => `side${first + i}`)

const cases: Case[] = [
  {
    name: 'single',
    spec: { network: 'jcs-segmentation', variant: 'authors' },
    shape: [1, 3, 75, 109],
    file: 'expected_jcs.npz',
    expected: ['single'],
    outputs: sides(5),
    areLogits: false,
  },
  {
    name: 'joint',
    spec: { network: 'jcs-joint', variant: 'authors' },
    shape: [1, 3, 90, 133],
    file: 'expected_jcs.npz',
    expected: ['joint'],
    outputs: sides(5),
    areLogits: false,
  },
  {
    name: 'cls',
    spec: { network: 'res2net101-v1b', variant: 'authors' },
    shape: [1, 3, 97, 131],
    file: 'expected_jcs.npz',
    expected: ['cls_logits'],
    outputs: ['logits'],
    areLogits: true,
  },
  {
    name: 'unet',
    spec: { network: 'unet', variant: 'authors' },
    shape: [2, 3, 96, 160],
    file: 'expected_unet.npz',
    expected: ['out'],
    outputs: ['side1'],
    areLogits: true,
  },
  {
    name: 'dss',
    spec: { network: 'dss' },
    shape: [1, 3, 128, 128],
    file: 'expected_dss.npz',
    expected: numbered(7, (i) => `out.${i}`),
    outputs: [...sides(6, 3), 'side2'],
    areLogits: false,
  },
  {
    name: 'poolnet',
    spec: { network: 'poolnet' },
    shape: [1, 3, 160, 192],
    file: 'expected_poolnet.npz',
    expected: ['out'],
    outputs: ['side1'],
    areLogits: true,
    head: 'score.score.',
  },
  {
    name: 'egnet',
    spec: { network: 'egnet' },
    shape: [1, 3, 96, 160],
    file: 'expected_egnet.npz',
    expected: ['out.0.0', ...numbered(4, (i) => `out.1.${i}`), ...numbered(5, (i) => `out.2.${i}`)],
    outputs: ['edge', ...sides(4, 6).reverse(), ...sides(4, 2), 'side1'],
    areLogits: true,
  },
]

const seedOf = (name: string) => [...name].reduce((sum, character) => sum + character.charCodeAt(0), 0)
const logit = (p: number) => Math.log(p / (1 - p))
const sigmoid = (z: number) => 1 / (1 + Math.exp(-z))

function relativeError(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  let difference = 0
  let norm = 0
  for (let i = 0; i < theirs.length; i++) {
    difference += (ours[i]! - theirs[i]!) ** 2
    norm += theirs[i]! ** 2
  }
  return ours.length === theirs.length ? Math.sqrt(difference / norm) : Number.POSITIVE_INFINITY
}

const fixtures = join(sharedFolder, 'fixtures')

t.test(
  'published networks at full width',
  { skip: !existsSync(fixtures) && `${fixtures} is absent` },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'jcs-parity-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    for (const { name, spec, shape, file, expected, outputs: wanted, areLogits, head } of cases) {
      const scale = head ? 1 / 64 : 1
      await t.test(name, async (t) => {
        const path = join(folder, `${name}.safetensors`)
        writePublishedWeights(join(fixtures, `keys_${name}.txt`), path, head ? { [head]: scale } : {})
        const arrays = readNpz(join(fixtures, file))
        const published = expected.flatMap((key) => [...arrays.get(key)!.data])
        const input = { data: normals(seedOf(name), shape[0] * 3 * shape[2] * shape[3]), shape: [...shape] }
        for (const [precision, bound] of [
          ['fp32', 1e-4],
          ['bf16', 2e-2],
        ] as const) {
          const model = await loadModel(path, { spec, device: 'cpu', precision })
          const outputs = await model.forward(input)
          await model.dispose()
          const ours = wanted.flatMap((output) => [...outputs[output]!.data])
          // float32 is compared as logits, bf16 as probabilities.
          const expectedLogits = areLogits ? published.map((z) => z * scale) : published.map(logit)
          const ourLogits = wanted.includes('logits') ? ours : ours.map(logit)
          const error =
            precision === 'fp32'
              ? relativeError(ourLogits, expectedLogits)
              : relativeError(ourLogits.map(sigmoid), expectedLogits.map(sigmoid))
          t.ok(error <= bound, `${precision}: relative error ${error.toExponential(2)} ≤ ${bound}`)
        }
        rmSync(path)
      })
    }
  },
)
