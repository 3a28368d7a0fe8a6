// npm run training-options [-- --check]: what is generated from the table of native/train/train_options.cpp.
// The TypeScript types and the command line's options, a JSON schema, and the tables of docs/training.md.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { root } from './paths.mjs'
import { exitWith, StepError } from './process.mjs'

const { callNativeNow } = await import(path.join(root, 'dist', 'native.js'))
const table = JSON.parse(callNativeNow((native) => native.describeTrainOptions()))
const { groups, options, recipes, comparators } = table
const tasks = ['classification', 'segmentation']
const names = ['paper', 'authors', 'scratch']

const valueIn = (settings, { group, name }) => (group === '' ? settings[name] : settings[group]?.[name])
const capitalized = (text) => text[0].toUpperCase() + text.slice(1)
const sentence = (text) => `${capitalized(text)}.`
const isNumber = ({ type }) => type === 'number' || type === 'whole' || type === 'wholes'

/** The value that every recipe has, if it is one. */
const defaultOf = (option) => {
  if ('default' in option) return option.default ?? undefined
  const having = option.task ? [option.task] : tasks
  const values = having.flatMap((task) => names.map((name) => valueIn(recipes[task][name], option)))
  return values.every((value) => value === values[0]) ? values[0] : undefined
}

const rangeOf = (option) => {
  if (!isNumber(option))
    return option.choices ? option.choices.map((choice) => `\`${choice}\``).join(', ') : ''
  const word = option.choices ? `, \`${option.choices[0]}\`` : ''
  const kind = { whole: 'whole, ', wholes: 'whole numbers, ' }[option.type] ?? ''
  return `${kind}${numeral(option.low)} to ${numeral(option.high)}${word}`
}
const numeral = (value) => {
  if (Number.isInteger(value) && Math.log2(value) === 53) return '2⁵³'
  return Math.abs(value) >= 1e6 || (value !== 0 && Math.abs(value) < 1e-4)
    ? value.toExponential().replace('+', '')
    : `${value}`
}

const conditionOf = ({ condition }) => `Of ${condition.values.map((value) => `\`${value}\``).join(' and ')}.`

const defaultNote = (option) => {
  const value = defaultOf(option)
  return value === undefined || /default/.test(option.help)
    ? []
    : [`Default ${typeof value === 'number' ? numeral(value) : value}.`]
}

// ---- TypeScript

const typeOf = (option) => {
  if (option.type === 'boolean') return 'boolean'
  if (option.type === 'text') return 'string'
  if (option.type === 'wholes') return 'readonly number[]'
  const words = (option.choices ?? []).map((choice) => `'${choice}'`)
  return [...(isNumber(option) ? ['number'] : []), ...words].join(' | ')
}

const comment = (option) => {
  const facts = [sentence(option.help)]
  if (option.task) facts[0] = `${capitalized(option.task)}: ${option.help}.`
  if (option.condition) facts.push(conditionOf(option))
  if (isNumber(option)) facts.push(`In [${numeral(option.low)}, ${numeral(option.high)}].`)
  return `/** ${[...facts, ...defaultNote(option)].join(' ')} */`
}

const wrapped = (text, indent) => {
  if (text.length + indent.length <= 110) return [`${indent}${text}`]
  const lines = ['']
  for (const word of text.replace(/^\/\*\* | \*\/$/g, '').split(' ')) {
    if (`${indent} * ${lines.at(-1)} ${word}`.length > 110) lines.push('')
    lines[lines.length - 1] += `${lines.at(-1) === '' ? '' : ' '}${word}`
  }
  return [`${indent}/**`, ...lines.map((line) => `${indent} * ${line}`), `${indent} */`]
}

const member = (option) => [
  ...wrapped(comment(option), '  '),
  option.isRequired
    ? `  ${option.name}: ${typeOf(option)}`
    : `  ${option.name}?: ${typeOf(option)} | undefined`,
]

const interfaceOf = (group) => `${capitalized(group)}Options`
/** `window` is an option of everything that reads images. */
const settingsGroups = groups.filter(({ name }) => name !== 'window')

const typeScript = () => {
  const own = settingsGroups.flatMap(({ name, help }) => [
    ...wrapped(`/** ${sentence(help)} */`, ''),
    `export interface ${interfaceOf(name)} {`,
    ...options.filter((option) => option.group === name).flatMap(member),
    '}',
    '',
  ])
  const seen = new Set(['window'])
  const members = options.flatMap((option) => {
    if (option.group === '') return member(option)
    if (seen.has(option.group)) return []
    seen.add(option.group)
    const { name, help, isSwitch } = groups.find((group) => group.name === option.group)
    const text = `${sentence(help)}${isSwitch ? ' `false` turns all of it off.' : ''}`
    return [
      ...wrapped(`/** ${text} */`, '  '),
      `  ${name}?: ${interfaceOf(name)}${isSwitch ? ' | boolean' : ''} | undefined`,
    ]
  })
  const rows = options
    .filter(({ group }) => group !== 'window')
    .map(({ path, type, help, choices, task }) => JSON.stringify({ path, type, help, choices, task }))
  const settingNames = new Set(
    options.map(({ group, name }) => (group === '' ? name : group)).filter((name) => name !== 'window'),
  )
  return `// Made by \`npm run training-options\` from the table of native/train/train_options.cpp: change that.
import type { TrainOption } from './train-option'

${own.join('\n')}
/** Settings of the training itself. What is not given is the recipe's. */
export interface TrainSettings {
${members.join('\n')}
}

export const trainOptions: readonly TrainOption[] = [${rows.join(',\n')}]

export const trainSettingNames = ${JSON.stringify([...settingNames])} as const satisfies readonly (keyof TrainSettings)[]
`
}

// ---- JSON schema

const schemaOf = (option) => {
  const schema = { description: sentence(option.help) }
  if (option.type === 'boolean') return { ...schema, type: 'boolean' }
  if (option.type === 'text') return { ...schema, type: 'string', minLength: 1 }
  if (!isNumber(option)) return { ...schema, enum: option.choices }
  const range = {
    type: option.type === 'number' ? 'number' : 'integer',
    minimum: option.low,
    maximum: option.high,
  }
  if (option.type === 'wholes') return { ...schema, type: 'array', items: range }
  return option.choices ? { ...schema, anyOf: [range, { enum: option.choices }] } : { ...schema, ...range }
}

const objectOf = (members) => ({
  type: 'object',
  properties: Object.fromEntries(members.map((option) => [option.name, schemaOf(option)])),
  ...(members.some(({ isRequired }) => isRequired) && {
    required: members.filter(({ isRequired }) => isRequired).map(({ name }) => name),
  }),
  additionalProperties: false,
})

const schema = () => {
  const top = objectOf(options.filter(({ group }) => group === ''))
  for (const { name, help, isSwitch } of groups) {
    const object = objectOf(options.filter(({ group }) => group === name))
    const description = sentence(help)
    top.properties[name] = isSwitch
      ? { description, anyOf: [{ type: 'boolean' }, object] }
      : { description, ...object }
  }
  const { window } = top.properties
  top.properties.window = {
    description: window.description,
    anyOf: [
      { enum: ['lung', 'mediastinum'] },
      { ...window, description: undefined, required: ['center', 'width'] },
    ],
  }
  const document = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Training settings of jcs-ct',
    description: 'What `train` takes beside task, spec and data, and what `jcs train --config` reads.',
    ...top,
    properties: { task: { enum: tasks }, ...top.properties },
    not: { required: ['epochs', 'iterations'] },
  }
  return `${JSON.stringify(document, null, 2)}\n`
}

// ---- docs/training.md

const row = (cells) => `| ${cells.join(' | ')} |`
const rule = (count) => row(Array(count).fill('---')).replaceAll(' ', '')

const optionTable = () => [
  row(['option', 'takes', 'what it is']),
  rule(3),
  ...options.map((option) => {
    const notes = [
      sentence(option.help),
      ...(option.condition ? [conditionOf(option)] : []),
      ...(option.task ? [`${capitalized(option.task)} only.`] : []),
      ...defaultNote(option),
    ]
    return row([
      `\`${option.path}\``,
      rangeOf(option) || option.type.replace('text', 'a path'),
      notes.join(' '),
    ])
  }),
]

const isOption = ({ isRecorded, path }) => isRecorded && path !== 'recipe'

/** Whether some of `settings` say what no default does. */
const isSettled = (option, settings) =>
  defaultOf(option) === undefined || settings.some((each) => valueIn(each, option) !== defaultOf(option))

/** A column of settings each, a row for every option of which they say something. */
const settingsTable = (title, columns) => {
  const shown = (option, settings) => {
    const { condition } = option
    const isIdle =
      condition &&
      !condition.values.includes(
        valueIn(
          settings,
          options.find(({ path }) => path === condition.path),
        ),
      )
    const value = isIdle ? undefined : valueIn(settings, option)
    const isOff = value === undefined || (option.group === 'augmentation' && value === 0)
    if (isOff) return '–'
    if (Array.isArray(value)) return value.join(', ')
    return typeof value === 'number' ? numeral(Number(value.toPrecision(4))) : `${value}`
  }
  const rows = options
    .filter((option) => isOption(option) && isSettled(option, Object.values(columns)))
    .map((option) => [
      `\`${option.path}\``,
      ...Object.values(columns).map((settings) => shown(option, settings)),
    ])
    .filter(([, ...cells]) => cells.some((cell) => cell !== '–'))
  const header = [title, ...Object.keys(columns)]
  return [row(header), rule(header.length), ...rows.map(row)]
}

const recipeTable = (task) =>
  settingsTable(task, Object.fromEntries(names.map((name) => [name, recipes[task][name]])))

const tables = {
  options: optionTable,
  classification: () => recipeTable('classification'),
  segmentation: () => recipeTable('segmentation'),
  comparators: () => settingsTable("`recipe: 'authors'`", comparators),
}

const guide = () => {
  let page = readFileSync(path.join(root, 'docs', 'training.md'), 'utf8')
  for (const [name, lines] of Object.entries(tables)) {
    const block = new RegExp(`(<!-- npm run training-options \\(${name}\\) -->\n)[^]*?(\n<!-- end -->)`)
    if (!block.test(page)) throw new StepError(`docs/training.md has no place for the table '${name}'.`)
    page = page.replace(block, (_, start, end) => `${start}\n${lines().join('\n')}\n${end}`)
  }
  return page
}

// ----

const formatted = (file, text) => {
  const biome = path.join(root, 'node_modules', '.bin', 'biome')
  const { stdout, status, stderr } = spawnSync(biome, ['format', `--stdin-file-path=${file}`], {
    cwd: root,
    input: text,
    encoding: 'utf8',
  })
  if (status !== 0) throw new StepError(`biome does not format ${file}: ${stderr}`)
  return stdout
}

const generated = () =>
  Object.entries({
    'ts/training/settings.ts': formatted('ts/training/settings.ts', typeScript()),
    'docs/schema/train-settings.schema.json': schema(),
    'docs/training.md': guide(),
  })

const readIfThere = (file) => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

const main = () => {
  const stale = generated().filter(([file, text]) => readIfThere(path.join(root, file)) !== text)
  if (process.argv.includes('--check')) {
    if (stale.length === 0) return
    throw new StepError(`run \`npm run training-options\`: ${stale.map(([file]) => file).join(', ')}`)
  }
  for (const [file, text] of stale) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
    writeFileSync(path.join(root, file), text)
    console.log(file)
  }
}

try {
  main()
} catch (error) {
  exitWith(error)
}
