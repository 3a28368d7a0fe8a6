import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { committedResults, documentsWithTables } from '../../bench/tables'
import { createModel, disclaimer } from '../../ts'
import { createProgram } from '../../ts/cli/program'

const execute = promisify(execFile)
const root = join(__dirname, '..', '..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

const typeScriptIn = (markdown: string): string[] =>
  [...markdown.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code)

t.test('examples have sound types, and that of the README runs as written', async (t) => {
  const [example = '', ...others] = typeScriptIn(readme)
  t.equal(others.length, 0, 'it is the only one')
  t.match(example, /await/)

  const directory = t.testdir()
  const files: string[] = []
  for (const page of pages)
    for (const code of typeScriptIn(readFileSync(join(root, page), 'utf8'))) {
      files.push(join(directory, `example${files.length}.mts`))
      writeFileSync(files.at(-1)!, code)
    }
  t.ok(files.length >= 3, 'those of docs/ as well')
  const demo = join(directory, 'jcs-demo')
  mkdirSync(demo)
  for (const [name, network] of [
    ['classifier', 'res2net50-v1b'],
    ['segmenter', 'jcs-segmentation'],
  ] as const) {
    await using model = await createModel({ network, width: 0.125 })
    await model.save(join(demo, `${name}.safetensors`))
  }
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      baseUrl: root,
      typeRoots: [join(root, 'node_modules', '@types')],
      paths: { 'jcs-ct': ['./ts/index.ts'] },
    },
    include: files,
    exclude: [],
  }
  const project = join(directory, 'tsconfig.json')
  writeFileSync(project, JSON.stringify(config))
  const modules = join(root, 'node_modules')
  await execute(process.execPath, [join(modules, 'typescript', 'bin', 'tsc'), '-p', project])

  const tsx = join(modules, 'tsx', 'dist', 'cli.mjs')
  const { stdout } = await execute(process.execPath, [tsx, '--tsconfig', project, files[0]!], {
    cwd: directory,
  })
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

t.test('the C++ that CONTRIBUTING.md quotes is there', async (t) => {
  const sources = (folder: string): string[] =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(h|cpp)$/.test(name))
      .map((name) => readFileSync(join(root, folder, name), 'utf8'))
  const all = [...sources('native'), ...sources('test/conformance')]
  const text = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8')
  const quotes = [...text.matchAll(/```cpp\n([\s\S]*?)```/g)].map(([, code = '']) => code)
  t.ok(quotes.length >= 5)
  for (const quote of quotes)
    t.ok(
      all.some((source) => source.includes(quote)),
      quote.trim().replace(/\n[\s\S]*/, ''),
    )
})

t.test('npm scripts and files that the documents name are there', async (t) => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object }
  for (const page of pages) {
    const text = readFileSync(join(root, page), 'utf8')
    for (const [, name = ''] of text.matchAll(/npm run ([\w:-]+)/g)) t.ok(name in scripts, `${page}: ${name}`)
    for (const [, path = ''] of text.matchAll(/\b((?:scripts|bench|test|cmake|ts)\/[\w./-]+\.\w+)\b/g))
      t.ok(existsSync(join(root, path)), `${page}: ${path}`)
  }
})

t.test('every jcs line of the README and of the help is understood', async (t) => {
  const program = createProgram(() => {
    throw new Error('a command ran')
  })
  const lines: string[] = readme.match(/^ {4}jcs .*$/gm) ?? []
  t.ok(lines.length > 0)
  let understood = ''
  for (const command of program.commands) {
    let help = ''
    command.configureOutput({ writeOut: (text) => (help += text), writeErr: () => {} })
    command.outputHelp()
    lines.push(...(help.match(/^ {2}jcs .*$/gm) ?? []))
    command.action(() => {
      understood = command.name()
    })
  }
  for (const line of lines) {
    const [, ...words] = line
      .trim()
      .replace(/ [|>] .*$/, '')
      .split(/ +/)
    await t.resolves(program.parseAsync(words, { from: 'user' }), line)
    t.equal(understood, words[0])
  }
})

t.test('links between documents lead somewhere', async (t) => {
  for (const page of pages) {
    const text = readFileSync(join(root, page), 'utf8').replace(/```[\s\S]*?```/g, '')
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)) {
      const path = join(root, page, '..', target)
      t.doesNotThrow(() => readFileSync(path), `${page} -> ${target}`)
    }
  }
})
