import { type Command, Option } from 'commander'
import { type TrainSettings, trainOptions } from '../training/settings'
import type { TrainOption } from '../training/train-option'
import { number, wholeNumber } from './options'

/** Given by `--out`. */
const elsewhere = ['checkpoint.directory']
/** What `false` turns off as a whole. */
const augmentation: TrainOption = {
  path: 'augmentation',
  type: 'boolean',
  help: 'as the recipe has it, or as named here: what is not named is then off',
}
const offered: readonly TrainOption[] = [
  ...trainOptions.filter(({ path }) => !elsewhere.includes(path)),
  augmentation,
]

/** `--batch-size` of `batchSize`, `--mixup-alpha` of `mixup.alpha`, `--weight-decay` of `optimizer.weightDecay`. */
function flagOf(path: string): string {
  const name = path.replace(/^(optimizer|schedule)\.(?!name)/, '').replace(/\.name$/, '')
  return `--${name.replace('.', '-').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

function optionsOf(option: TrainOption): Option[] {
  const { path, type, choices } = option
  const flag = flagOf(path)
  const [firstSentence = ''] = option.help.split('. ')
  const help = `${option.task ? `${option.task}: ` : ''}${firstSentence.replaceAll('`', '')}`
  const heading = path.startsWith('augmentation') ? 'Augmentation:' : 'Training:'
  if (type === 'boolean') {
    const off = flag.replace('--', '--no-')
    return [
      new Option(flag, `${help} (or ${off})`).helpGroup(heading),
      new Option(off).helpGroup(heading).hideHelp(),
    ]
  }
  const taking = new Option(`${flag} <${valueName(option)}>`, help).helpGroup(heading)
  if (type === 'choice') return [taking.choices(choices ?? [])]
  if (type === 'text') return [taking]
  if (type === 'wholes') return [taking.argParser((text) => text.split(',').map(wholeNumber))]
  const parse = type === 'whole' ? wholeNumber : number
  return [taking.argParser((text) => (choices?.includes(text) ? text : parse(text)))]
}

function valueName({ path, type, choices }: TrainOption): string {
  if (type === 'choice') return 'name'
  if (type === 'text') return 'file'
  if (type === 'wholes') return 'n,…'
  if (choices) return `n|${choices.join('|')}`
  return path.endsWith('inputSize') ? 'pixels' : type === 'whole' ? 'n' : 'value'
}

/** Adds every setting of training as an option, but for those that the command has another word for. */
export function addTrainSettings(command: Command, without: readonly string[] = []): Command {
  const wanted = offered.filter(({ path }) => !without.includes(path))
  for (const option of wanted.flatMap(optionsOf)) command.addOption(option)
  return command
}

/** The settings of a file with those of the command line over them. */
export function settingsOver(config: TrainSettings, flags: Readonly<Record<string, unknown>>): TrainSettings {
  const settings: Record<string, unknown> = { ...config }
  for (const { path } of offered) {
    const value = flags[new Option(flagOf(path)).attributeName()]
    if (value === undefined) continue
    const [group = '', name] = path.split('.')
    const inFile = settings[group] instanceof Object ? settings[group] : undefined
    if (name !== undefined) settings[group] = { ...inFile, [name]: value }
    else settings[group] = value === true && inFile ? inFile : value // `--augmentation` keeps what it consists of
  }
  // One replaces the other.
  if (flags.epochs !== undefined && flags.iterations === undefined) delete settings.iterations
  if (flags.iterations !== undefined && flags.epochs === undefined) delete settings.epochs
  return settings
}
