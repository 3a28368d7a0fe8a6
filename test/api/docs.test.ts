import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { committedResults, documentsWithTables } from '../../bench/tables'
import { createModel, disclaimer } from '../../ts'

const execute = promisify(execFile)
const root = join(__dirname, '..', '..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')

const typeScriptIn = (markdown: string): string[] =>
  [...markdown.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code)

t.test('the example of the README has sound types and runs as written', async (t) => {
  const [example = '', ...others] = typeScriptIn(readme)
  t.equal(others.length, 0, 'it is the only one')
  t.match(example, /await/)

  const directory = t.testdir()
  const demo = join(directory, 'jcs-demo')
  mkdirSync(demo)
  for (const [name, network] of [
    ['classifier', 'res2net50-v1b'],
    ['segmenter', 'jcs-segmentation'],
  ] as const) {
    await using model = await createModel({ network, width: 0.125 })
    await model.save(join(demo, `${name}.safetensors`))
  }
  const file = join(directory, 'example.mts')
  writeFileSync(file, example)
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      baseUrl: root,
      typeRoots: [join(root, 'node_modules', '@types')],
      paths: { 'jcs-ct': ['./ts/index.ts'] },
    },
    include: [file],
    exclude: [],
  }
  const project = join(directory, 'tsconfig.json')
  writeFileSync(project, JSON.stringify(config))
  const modules = join(root, 'node_modules')
  await execute(process.execPath, [join(modules, 'typescript', 'bin', 'tsc'), '-p', project])

  const tsx = join(modules, 'tsx', 'dist', 'cli.mjs')
  const { stdout } = await execute(process.execPath, [tsx, '--tsconfig', project, file], { cwd: directory })
  t.match(stdout, /classify 28 28/, 'progress is told')
  t.match(stdout, /positiveSlices: \d+/)
  t.match(stdout, /totalSlices: 28/)
})

t.test('the README says what a result says of itself', async (t) => {
  t.match(readme, `${disclaimer}.`)
  t.match(readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8'), `${disclaimer}.`)
})

t.test('the tables of figures are those of the committed results', async (t) => {
  const results = committedResults()
  t.ok(results.length > 0)
  for (const [name, text] of documentsWithTables(results))
    t.ok(readFileSync(join(root, name), 'utf8') === text, `${name}: npm run bench:tables writes the tables`)
})

t.test('links between documents lead somewhere', async (t) => {
  const pages = [
    'README.md',
    'CONTRIBUTING.md',
    ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
  ]
  for (const page of pages.filter((name) => name.endsWith('.md'))) {
    const text = readFileSync(join(root, page), 'utf8')
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)) {
      const path = join(root, page, '..', target)
      t.doesNotThrow(() => readFileSync(path), `${page} -> ${target}`)
    }
  }
})
