import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { readFloats } from './safetensors'
import { repositoryRoot } from './small'

const execute = promisify(execFile)
const script = join(repositoryRoot, 'scripts', 'convert_pth.py')
/** A Python for the part that needs PyTorch: `JCS_PYTHON`, for example that of a virtual environment. */
const python = process.env.JCS_PYTHON ?? 'python3'

interface Outcome {
  code: number
  stdout: string
  stderr: string
}

async function runPython(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  try {
    return { code: 0, ...(await execute(python, args, { env: { ...process.env, ...env } })) }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number | string; stdout: string; stderr: string }
    return { code: Number(code), stdout, stderr }
  }
}

/** Stands in for PyTorch: a "checkpoint" is JSON, in which a list is a tensor and the text "code" a pickle that runs code. */
const stubs = {
  'torch/__init__.py': `
import contextlib, json, pickle
class Tensor:
    def __init__(self, values): self.values = values
    def numel(self): return len(self.values)
    def detach(self): return self
    contiguous = clone = detach
class serialization:
    safe_globals = staticmethod(lambda allowed: contextlib.nullcontext())
def tensors(node):
    if isinstance(node, dict): return {name: tensors(entry) for name, entry in node.items()}
    return Tensor(node) if isinstance(node, list) else node
def load(file, map_location, weights_only):
    assert weights_only is True, 'the pickle would be executed'
    content = json.load(file)
    if content == 'code': raise pickle.UnpicklingError('Weights only load failed')
    return tensors(content)
`,
  'numpy.py': `
class dtype:
    def __init__(self, kind): pass
float32 = float64 = int64 = None
class _core:
    class multiarray:
        scalar = None
`,
  'safetensors/__init__.py': '',
  'safetensors/torch.py': `
import json
def save(tensors): return json.dumps({name: t.values for name, t in tensors.items()}).encode()
`,
}

const runs = (...args: string[]) => spawnSync(python, args).status === 0
const noPython = !runs('--version') && 'there is no python3 here'
const noTorch =
  !runs('-c', 'import torch, safetensors, numpy') &&
  'there is no Python with torch here (JCS_PYTHON names one)'

t.test('convert_pth: arguments', { skip: noPython }, async (t) => {
  const usage = await runPython([script, 'a.pth', 'b.safetensors'])
  t.equal(usage.code, 2)
  t.match(usage.stderr, /required: --network/)
  const unknown = await runPython([script, 'a.pth', 'b.safetensors', '--network', 'alexnet'])
  t.equal(unknown.code, 2)
  t.match(unknown.stderr, /invalid choice: 'alexnet'/)
  // -S: without the packages that are installed.
  const bare = await runPython(['-S', script, 'a.pth', 'b.safetensors', '--network', 'unet'])
  t.equal(bare.code, 1)
  t.match(bare.stderr, /^convert_pth: the Python package '\w+' is missing\. Run `pip install [\w ]+`\.\n$/)
})

t.test('convert_pth: what is taken from a checkpoint', { skip: noPython }, async (t) => {
  const folder = t.testdir()
  for (const [name, source] of Object.entries(stubs)) {
    mkdirSync(dirname(join(folder, 'stubs', name)), { recursive: true })
    writeFileSync(join(folder, 'stubs', name), source)
  }
  const out = join(folder, 'out')
  mkdirSync(out)
  const target = join(out, 'model.safetensors')
  const convert = (checkpoint: unknown, network = 'backbone', to = target) => {
    const file = join(folder, 'model.pth')
    writeFileSync(file, JSON.stringify(checkpoint))
    return runPython([script, file, to, '--network', network], { PYTHONPATH: join(folder, 'stubs') })
  }
  const refused = async (checkpoint: unknown, message: RegExp, network?: string, to?: string) => {
    const { code, stderr } = await convert(checkpoint, network, to)
    t.equal(code, 1)
    t.match(stderr, message)
    t.same(readdirSync(out), [], 'nothing is written, nor left behind')
  }

  await refused('code', /objects that only running its code could rebuild/)
  await refused({}, /holds no state dict/)
  await refused([1], /holds no state dict/)
  await refused({ epoch: 3 }, /entry 'epoch' is int, not a tensor/)
  await refused({ weight: [1], 'module.weight': [2] }, /'weight' is there twice/)
  await refused({ weight: [1] }, /has 1 tensors, unet has 118/, 'unet')
  const many = Object.fromEntries(Array.from({ length: 218 }, (_, i) => [`layer${i}.weight`, [i]]))
  await refused(many, /218 tensors, unet has 118\. It fits jcs-segmentation\./, 'unet')
  await refused({ weight: [1] }, /can not be written/, 'backbone', join(out, 'absent', 'model.safetensors'))

  const { code, stdout } = await convert({ epoch: 3, state_dict: { 'module.a': [1, 2], b: [3] } })
  t.equal(code, 0)
  t.match(stdout, /2 tensors, 3 values/)
  t.same(JSON.parse(readFileSync(target, 'utf8')), { a: [1, 2], b: [3] })
  t.equal((await convert(many, 'jcs-segmentation')).code, 0)
})

const comparators = ['unet', 'dss', 'poolnet', 'egnet'] // of one variant

t.test('convert_pth: the counts are those of the networks', async (t) => {
  const counts = /^TENSORS = \{\n([\s\S]*?)^\}/m.exec(readFileSync(script, 'utf8'))?.[1] ?? ''
  const names = JSON.parse(
    readFileSync(join(repositoryRoot, 'test', 'fixtures', 'state_dict_names.json'), 'utf8'),
  ) as { networks: Record<string, { count: number }> }
  let compared = 0
  for (const [, network = '', count] of counts.matchAll(/'([\w-]+)': (\d+)/g)) {
    const listed = names.networks[`${network} ${comparators.includes(network) ? 'paper' : 'authors'}`]
    if (listed === undefined) continue
    t.equal(Number(count), listed.count, network)
    compared++
  }
  t.ok(compared >= 6)
})

t.test('convert_pth: with PyTorch itself', { skip: noTorch }, async (t) => {
  const folder = t.testdir()
  const file = (name: string) => join(folder, name)
  await runPython([
    '-c',
    `
import os, pickle, sys, torch
class Hostile:
    def __reduce__(self): return (os.mkdir, (sys.argv[1] + '/executed',))
pickle.dump({'weight': Hostile()}, open(sys.argv[1] + '/plain.pth', 'wb'))
torch.save({'weight': Hostile()}, sys.argv[1] + '/zipped.pth')
torch.save({'epoch': 2, 'state_dict': {'module.weight': torch.arange(6).reshape(2, 3).float(),
                                       'module.bias': torch.tensor([0.5])}}, sys.argv[1] + '/good.pth')
whole = open(sys.argv[1] + '/good.pth', 'rb').read()
open(sys.argv[1] + '/cut.pth', 'wb').write(whole[:len(whole) // 2])
`,
    folder,
  ])
  for (const name of ['plain', 'zipped', 'cut']) {
    const { code, stderr } = await runPython([
      script,
      file(`${name}.pth`),
      file('refused.safetensors'),
      '--network',
      'backbone',
    ])
    t.equal(code, 1, name)
    t.match(stderr, /^convert_pth: .*(no PyTorch file|running its code)/, name)
  }
  t.notOk(existsSync(file('executed')), 'no code ran')
  t.notOk(existsSync(file('refused.safetensors')))

  const args = [script, file('good.pth'), file('good.safetensors'), '--network', 'backbone']
  t.match(await runPython(args), { code: 0, stdout: /2 tensors, 7 values/ })
  const { weight, bias } = Object.fromEntries(readFloats(file('good.safetensors')))
  t.same(weight, { shape: [2, 3], data: Float32Array.from([0, 1, 2, 3, 4, 5]) })
  t.same(bias, { shape: [1], data: Float32Array.from([0.5]) })
})
