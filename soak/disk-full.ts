import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { type Ended, startChild } from './children'
import type { Outcome, Subject } from './subject'

/** What is written, and by which program: of soak/children, or the command line's with these arguments. */
type Writer = { name: string; program: 'write.mjs' } | { name: string; command: (inputs: string) => string[] }

const writers: readonly Writer[] = [
  { name: 'model', program: 'write.mjs' },
  { name: 'onnx', program: 'write.mjs' },
  { name: 'training', program: 'write.mjs' },
  { name: 'cross-validation', program: 'write.mjs' },
  {
    name: 'segment --out',
    command: (inputs) => ['segment', join(inputs, 'case'), '--model', join(inputs, 'segmenter.safetensors')],
  },
  {
    name: 'diagnose --out',
    command: (inputs) => [
      ...['diagnose', join(inputs, 'case'), '--no-lungs', '--slice-threshold', '0'],
      ...['--classifier', join(inputs, 'classifier.safetensors')],
      ...['--segmenter', join(inputs, 'segmenter.safetensors')],
    ],
  },
]

const oldContent = 'what was there before'
/** Told for a file that still has it. */
const oldSize = -1

export const diskFull: Subject = {
  name: 'disk-full',
  promise:
    'The disk is full from one operation on, every one in turn, while models, ONNX files, checkpoints, results of a cross-validation, masks and reports are written: the error is DISK_FULL, what was there before is kept or whole, and nothing half-written is left.',
  times: { short: 12, full: 3000 },
  async run(times, onProgress) {
    const folder = mkdtempSync(join(tmpdir(), 'jcs-soak-'))
    try {
      const library = join(folder, 'disk_full.so')
      const source = join(__dirname, 'disk_full.c')
      execFileSync('cc', ['-O1', '-shared', '-fPIC', '-o', library, source, '-ldl'])
      return await fillDisk(folder, library, times, onProgress)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

async function fillDisk(
  folder: string,
  library: string,
  times: number,
  onProgress: (done: number) => void,
): Promise<Outcome> {
  const inputs = join(folder, 'inputs')
  const made = await startChild('inputs.mjs', [inputs]).ended
  if (made.code !== 0) throw new Error(made.errors)
  const failures: string[] = []
  let done = 0
  let operations = 0
  for (const writer of writers) {
    const directory = join(folder, 'full')
    /** In an empty folder, but for files of these names. */
    const write = (from: number, names: readonly string[] = []) => {
      rmSync(directory, { recursive: true, force: true })
      mkdirSync(directory)
      for (const name of names.filter((each) => !each.includes('/')))
        writeFileSync(join(directory, name), oldContent)
      const env = { LD_PRELOAD: library, JCS_FULL_DIRECTORY: directory, JCS_FULL_FROM: String(from) }
      return 'program' in writer
        ? startChild(writer.program, [writer.name, directory, inputs], { env }).ended
        : startChild('../../dist/cli/main.js', [...writer.command(inputs), '--out', directory], { env }).ended
    }
    const whole = await write(0)
    if (!isDone(whole))
      return {
        done,
        failures: [`${writer.name} failed on a disk with room: ${whole.lines.at(-1)} ${whole.errors}`],
      }
    const expected = filesIn(directory)
    const count = Number(/disk operations: (\d+)/.exec(whole.errors)?.[1])
    if (!(count > 0)) return { done, failures: [`${writer.name} wrote nothing that was seen`] }
    operations += count
    const tries = Math.min(count, Math.floor(times / writers.length))
    for (let i = 0; i < tries; i++) {
      const from = 1 + Math.round((i * (count - 1)) / Math.max(1, tries - 1))
      // A checkpoint of something else is refused, as is a plan.
      const mayReplace = writer.name !== 'training' && writer.name !== 'cross-validation'
      const names = mayReplace ? [...expected.keys()] : []
      const fault = faultOf(await write(from, names), expected, filesIn(directory))
      if (fault) failures.push(`${writer.name}, full from operation ${from} of ${count} on: ${fault}`)
      onProgress(++done)
    }
  }
  return { done, failures, figures: { 'operations that need room': operations } }
}

const isDone = ({ code, signal }: Ended): boolean => code === 0 && signal === null

/** Sizes of all files, by their path. */
function filesIn(directory: string): Map<string, number> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  )
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name)
      const isOld = readFileSync(path).equals(Buffer.from(oldContent))
      return [relative(directory, path), isOld ? oldSize : statSync(path).size]
    }),
  )
}

/** What is wrong with how a writer ended, if anything is. */
function faultOf(
  { code, signal, lines, errors }: Ended,
  expected: ReadonlyMap<string, number>,
  left: ReadonlyMap<string, number>,
): string | undefined {
  if (signal !== null) return `it was ended by ${signal}`
  // What comes after the rename, the sync of a directory, is not waited for.
  const isThrough = code === 0
  if (!isThrough && !lines.includes('DISK_FULL') && !errors.includes('[DISK_FULL]'))
    return `it said ${lines.at(-1) ?? ''} and ended with ${code}: ${errors.slice(0, 300)}`
  for (const [path, whole] of expected)
    if (isThrough && !isWhole(left.get(path), whole)) return `it is said to be done, and ${path} is not whole`
  for (const [path, size] of left) {
    // From there the next call goes on.
    if (basename(path) === 'checkpoint.safetensors') continue
    const whole = expected.get(path)
    if (whole === undefined) return `${path} is left`
    if (size !== oldSize && !isWhole(size, whole))
      return `${path} has ${size} bytes, and ${whole} when it is whole`
  }
  return undefined
}

/** Reports tell the time, hence a few bytes more or less. */
const isWhole = (size: number | undefined, whole: number): boolean =>
  size !== undefined && Math.abs(size - whole) <= 64
