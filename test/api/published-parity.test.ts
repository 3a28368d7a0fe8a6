import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadModel, type ModelSpec } from 'jcs-ct'
import t from 'tap'
import { normals } from './numpy-random'
import { readNpz, writePublishedWeights } from './published-weights'
import { sharedFolder } from './shared-data'

/**
 * The authors' networks and U-Net at full width, loaded from a state dict under their own names, against what PyTorch
 * gives for it (../shared/fixtures).
 */

interface Case {
  /** Of the keys file and of the input's seed. */
  name: string
  spec: ModelSpec
  shape: [number, number, number, number]
  expected: string
  output: string
  file: string
}

const cases: Case[] = [
  {
    name: 'single',
    spec: { network: 'jcs-segmentation', variant: 'authors' },
    shape: [1, 3, 75, 109],
    file: 'expected_jcs.npz',
    expected: 'single',
    output: 'side',
  },
  {
    name: 'joint',
    spec: { network: 'jcs-joint', variant: 'authors' },
    shape: [1, 3, 90, 133],
    file: 'expected_jcs.npz',
    expected: 'joint',
    output: 'side',
  },
  {
    name: 'cls',
    spec: { network: 'res2net101-v1b', variant: 'authors' },
    shape: [1, 3, 97, 131],
    file: 'expected_jcs.npz',
    expected: 'cls_logits',
    output: 'logits',
  },
  {
    name: 'unet',
    spec: { network: 'unet', variant: 'authors' },
    shape: [2, 3, 96, 160],
    file: 'expected_unet.npz',
    expected: 'out',
    output: 'side',
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
    for (const { name, spec, shape, file, expected, output } of cases) {
      await t.test(name, async (t) => {
        const path = join(folder, `${name}.safetensors`)
        writePublishedWeights(join(fixtures, `keys_${name}.txt`), path)
        const arrays = readNpz(join(fixtures, file))
        const want = arrays.get(expected) ?? [...arrays.values()][0]!
        const input = { data: normals(seedOf(name), shape[0] * 3 * shape[2] * shape[3]), shape: [...shape] }
        for (const [precision, bound] of [
          ['fp32', 1e-4],
          ['bf16', 2e-2],
        ] as const) {
          const model = await loadModel(path, { spec, device: 'cpu', precision })
          const outputs = await model.forward(input)
          await model.dispose()
          const isProbability = output === 'side'
          const sides = Object.keys(outputs)
            .filter((key) => key.startsWith(output))
            .sort()
          const ours = sides.flatMap((side) => [...outputs[side]!.data])
          const published = [...want.data]
          const areLogits = name === 'unet' || !isProbability
          // float32 is compared as logits, bf16 as probabilities.
          const expectedLogits = areLogits ? published : published.map(logit)
          const ourLogits = isProbability ? ours.map(logit) : ours
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
