import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import Ajv2020 from 'ajv/dist/2020'
import { Command } from 'commander'
import t from 'tap'
import { createModel, type Task, train } from '../../ts'
import { addTrainSettings, settingsOver } from '../../ts/cli/train-settings'
import { nativeOf } from '../../ts/model'
import { callNativeNow, type NativeTrainSettings } from '../../ts/native'
import { trainOptions } from '../../ts/training/settings'
import { quick, repositoryRoot, segmenterSpec, smallSamples } from './small'

const execute = promisify(execFile)
const tasks: Task[] = ['classification', 'segmentation']

interface Described {
  path: string
  type: 'number' | 'whole' | 'wholes' | 'boolean' | 'choice' | 'text'
  task?: Task
  group: string
  low?: number
  high?: number
  choices?: string[]
  isRecorded: boolean
}
const { options, recipes, comparators } = JSON.parse(
  callNativeNow((native) => native.describeTrainOptions()),
) as {
  options: Described[]
  comparators: Record<string, Record<string, unknown>>
  recipes: Record<Task, Record<string, Record<string, unknown>>>
}

/** What options over a recipe come to. */
function resolve(task: Task, given: object, network = ''): Record<string, unknown> {
  const settings = callNativeNow(
    ({ NativeTrainSettings }) => new NativeTrainSettings(task, JSON.stringify(given), false, network),
  )
  return JSON.parse(settings.toJson())
}

function nested(path: string, value: unknown): Record<string, unknown> {
  const [group = '', name] = path.split('.')
  if (name === undefined) return { [group]: value }
  const required = { checkpoint: { directory: 'folder' }, best: { metric: 'mae' } }[group]
  return { [group]: { ...required, [name]: value } }
}

function valueAt(settings: Record<string, unknown>, path: string): unknown {
  const [group = '', name] = path.split('.')
  const value = settings[group]
  return name === undefined ? value : (value as Record<string, unknown> | undefined)?.[name]
}

const schema = JSON.parse(
  readFileSync(join(repositoryRoot, 'docs/schema/train-settings.schema.json'), 'utf8'),
)
const validate = new Ajv2020().compile(schema)

t.test('types, schema and tables are those of the table', async (t) => {
  await t.resolves(
    execute(process.execPath, ['scripts/training-options.mjs', '--check'], { cwd: repositoryRoot }),
  )
})

t.test('settings as they are used come to themselves again', async (t) => {
  for (const task of tasks)
    for (const [name, settings] of Object.entries(recipes[task])) {
      const { task: _, ...given } = settings
      t.same(resolve(task, given), settings, `${task}, ${name}`)
      t.ok(validate(settings), `${task}, ${name}: ${JSON.stringify(validate.errors)}`)
    }
  for (const [network, settings] of Object.entries(comparators)) {
    const { task: _, ...given } = settings
    t.same(resolve('segmentation', { recipe: 'authors' }, network), settings, network)
    t.same(resolve('segmentation', given), settings, `${network}, without saying whose`)
    t.ok(validate(settings), `${network}: ${JSON.stringify(validate.errors)}`)
    for (const recipe of ['paper', 'scratch'])
      t.same(
        resolve('segmentation', { recipe }, network),
        recipes.segmentation[recipe],
        `${network}, ${recipe}`,
      )
  }
  for (const file of ['covid-ct.json', 'ct100-fold1.json']) {
    const { train } = JSON.parse(readFileSync(join(repositoryRoot, 'experiments/configs', file), 'utf8'))
    const { spec: _, data: __, precision: ___, threads: ____, ...settings } = train
    t.ok(validate(settings), `${file}: ${JSON.stringify(validate.errors)}`)
  }
})

t.test('every option is checked against its range, by the parser and by the schema', async (t) => {
  for (const { path, type, task = 'segmentation', low = 0, high = 0, choices, isRecorded } of options) {
    const good = {
      number: [low, high],
      whole: [low, high],
      wholes: [[low], [low, high]],
      boolean: [true, false],
      choice: choices,
      text: ['x'],
    }
    const beyond = [low - 1, high * 1.5 + 1, Number.NaN, '1', true, []]
    const bad = {
      number: beyond,
      whole: [...beyond, low + 0.5],
      wholes: [low, [low - 1], [high + 1], [low + 0.5], ['1'], [null]],
      boolean: [0, 'true', {}],
      choice: ['', 'other', 1],
      text: ['', 'a\0b', 1],
    }
    for (const value of good[type] ?? []) {
      const given = nested(path, value)
      const settings = resolve(task, given)
      if (isRecorded && value !== 0) t.same(valueAt(settings, path), value, `${path} ${value}`)
      if (!path.startsWith('window')) t.ok(validate(given), `${path}: ${JSON.stringify(validate.errors)}`)
    }
    for (const value of bad[type].filter((value) => !Number.isNaN(value))) {
      const given = nested(path, value)
      t.throws(
        () => resolve(task, given),
        { code: 'INVALID_ARGUMENT', message: path },
        `${path} ${JSON.stringify(value)}`,
      )
      if (value !== 'a\0b') t.notOk(validate(given), `${path} ${JSON.stringify(value)} by the schema`)
    }
  }
})

t.test('what is no option, or not of this task, or only half given, is refused by name', async (t) => {
  const cases: [Task, object, RegExp][] = [
    ['segmentation', { epoch: 1 }, /no option 'epoch'/],
    ['segmentation', { optimizer: { lr: 1 } }, /options.optimizer has no option 'lr'/],
    ['segmentation', { optimizer: 'adam' }, /options.optimizer must be an object/],
    ['segmentation', { mixup: { alpha: 1 } }, /options.mixup.alpha belongs to classification/],
    ['classification', { dice: { factor: 1 } }, /options.dice.factor belongs to segmentation/],
    ['segmentation', { epochs: 1, iterations: 1 }, /either epochs or iterations/],
    ['segmentation', { ema: {} }, /options.ema.decay is missing/],
    ['segmentation', { checkpoint: { every: 2 } }, /options.checkpoint.directory is missing/],
    ['segmentation', { augmentation: 'strong' }, /options.augmentation must be an object/],
    ['segmentation', { recipe: 'best' }, /options.recipe must be one of 'paper', 'authors', 'scratch'/],
  ]
  for (const [task, given, message] of cases)
    t.throws(() => resolve(task, given), { code: 'INVALID_ARGUMENT', message }, `${message}`)
  t.same(
    resolve('segmentation', { ema: undefined, seed: null }),
    recipes.segmentation.paper,
    'null is nothing',
  )
})

t.test('native training takes nothing on trust', async (t) => {
  await using segmenter = await createModel(segmenterSpec)
  const native = nativeOf(segmenter)
  const start = (settings: unknown) =>
    callNativeNow((addon) =>
      addon.train(
        native,
        new addon.NativeSliceStore(),
        undefined,
        settings as NativeTrainSettings,
        undefined,
        () => {},
        false,
      ),
    )
  for (const settings of [undefined, {}, '{}', { toJson: () => '{}' }])
    t.throws(() => start(settings), { code: 'INVALID_TYPE', message: /NativeTrainSettings/ })
  const other = callNativeNow(
    ({ NativeTrainSettings }) => new NativeTrainSettings('classification', '{}', false, ''),
  )
  t.throws(() => start(other), { code: 'INVALID_ARGUMENT', message: /another task/ })
  t.throws(() => resolve('diagnosis' as Task, {}), { code: 'INVALID_ARGUMENT', message: /task must be/ })
})

t.test('augmentation: an object starts from nothing, true is the recipe, false is off', async (t) => {
  const of = (augmentation: unknown) =>
    resolve('segmentation', { recipe: 'scratch', augmentation }).augmentation as Record<string, number>
  const given = of({ noise: 0.125 })
  t.equal(given.noise, 0.125)
  t.ok(Object.entries(given).every(([name, value]) => name === 'noise' || value === 0))
  t.same(of(true), recipes.segmentation.scratch?.augmentation)
  t.ok(Object.values(of(false)).every((value) => value === 0))
})

t.test('the command line has every option, over those of a file', async (t) => {
  const parse = (args: string[], config = {}) => {
    const command = addTrainSettings(new Command().exitOverride().configureOutput({ writeErr: () => {} }))
    return settingsOver(config, command.parse(args, { from: 'user' }).opts())
  }
  const flags: Record<string, string> = {
    batchSize: '--batch-size',
    'optimizer.name': '--optimizer',
    'optimizer.weightDecay': '--weight-decay',
    'schedule.learningRate': '--learning-rate',
    'schedule.gamma': '--gamma',
    'augmentation.gamma': '--augmentation-gamma',
    'ema.decay': '--ema-decay',
    'checkpoint.everyIterations': '--checkpoint-every-iterations',
  }
  for (const [path, flag] of Object.entries(flags)) {
    const value = path === 'optimizer.name' ? 'sgd' : 1
    t.same(parse([flag, `${value}`]), nested(path, value) && only(path, value), flag)
  }
  const command = addTrainSettings(new Command())
  const missing = trainOptions.filter(({ path }) => {
    const words = path.replace(/[.A-Z]/g, (match) => (match === '.' ? '-' : `-${match.toLowerCase()}`))
    return !command.options.some(
      ({ long = '' }) => words.endsWith(long.slice(2)) || `${long.slice(2)}-name` === words,
    )
  })
  t.same(
    missing.map(({ path }) => path),
    ['checkpoint.directory'],
    'which is --out',
  )
  t.equal(
    new Set(command.options.map(({ long }) => long)).size,
    command.options.length,
    'no flag has two meanings',
  )

  t.same(parse(['--no-nesterov', '--nesterov']), { optimizer: { nesterov: true } })
  t.same(parse(['--micro-batch', 'auto']), { microBatch: 'auto' })
  t.throws(() => parse(['--micro-batch', 'most']), /whole number/)
  t.throws(() => parse(['--optimizer', 'lbfgs']), /choices/)
  t.same(parse(['--momentum', '0.5'], { optimizer: { name: 'sgd', momentum: 0.1 }, seed: 3 }), {
    optimizer: { name: 'sgd', momentum: 0.5 },
    seed: 3,
  })
  t.same(parse(['--iterations', '5'], { epochs: 2 }), { iterations: 5 }, 'one replaces the other')
  t.same(parse(['--no-augmentation'], { augmentation: { noise: 0.5 } }), { augmentation: false })
  t.same(parse(['--augmentation-noise', '0.5'], { augmentation: false }), { augmentation: { noise: 0.5 } })
})

function only(path: string, value: unknown): Record<string, unknown> {
  const [group = '', name] = path.split('.')
  return { [group]: name === undefined ? value : { [name]: value } }
}

t.test('a checkpoint that is older than an option is resumed; one of other settings is not', async (t) => {
  const directory = t.testdir()
  const common = {
    ...quick,
    task: 'segmentation',
    spec: segmenterSpec,
    data: { train: smallSamples() },
  } as const
  const first = await train({ ...common, checkpoint: { directory } })
  await first.model.dispose()
  const file = join(directory, 'checkpoint.safetensors')

  const bytes = readFileSync(file)
  const length = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length))
  const rewritten = (change: (settings: Record<string, unknown>) => void): string => {
    const checkpoint = JSON.parse(header.__metadata__['jcs.checkpoint'])
    change(checkpoint.settings)
    const metadata = { ...header.__metadata__, 'jcs.checkpoint': JSON.stringify(checkpoint) }
    const text = Buffer.from(JSON.stringify({ ...header, __metadata__: metadata }))
    const size = Buffer.alloc(8)
    size.writeBigUInt64LE(BigInt(text.length))
    const path = join(directory, 'rewritten.safetensors')
    writeFileSync(path, Buffer.concat([size, text, bytes.subarray(8 + length)]))
    return path
  }

  const older = rewritten((settings) => {
    delete settings.ema
    delete settings.validateEvery
    settings.microBatch = 0
  })
  const { model, iterations } = await train({ ...common, iterations: 4, resume: older })
  t.equal(iterations, 4)
  await model.dispose()

  await t.rejects(train({ ...common, resume: file, optimizer: { weightDecay: 0.5 } }), {
    code: 'RESUME_MISMATCH',
    message: /optimizer\.weightDecay = 1e-05, this run has 0\.5/,
  })
  const newer = rewritten((settings) => {
    settings.lookahead = 5
  })
  await t.rejects(train({ ...common, resume: newer }), { code: 'RESUME_MISMATCH', message: /lookahead/ })
})
