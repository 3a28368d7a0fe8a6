import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { type Ended, startChild } from './children'
import { evenly } from './evenly'
import type { Outcome, Subject } from './subject'
import { inTemporaryFolder } from './temporary-folder'

/** A program that writes into `directory`, of what lies in `inputs`. */
interface Writer {
  name: string
  program: string
  args(inputs: string, directory: string): string[]
  /** Files of the names that it writes may be there before. A checkpoint or a plan of something else is refused. */
  mayReplace: boolean
}

const library = (name: string, mayReplace: boolean): Writer => ({
  name,
  program: 'write.mjs',
  args: (inputs, directory) => [name, directory, inputs],
  mayReplace,
})

const commandLine = (name: string, args: (inputs: string) => string[]): Writer => ({
  name: `jcs ${name} --out`,
  program: '../../dist/cli/main.js',
  args: (inputs, directory) => [name, join(inputs, 'case'), ...args(inputs), '--out', directory],
  mayReplace: true,
})

const writers: readonly Writer[] = [
  library('model', true),
  library('onnx', true),
  library('training', false),
  library('cross-validation', false),
  commandLine('segment', (inputs) => ['--model', join(inputs, 'segmenter.safetensors')]),
  commandLine('diagnose', (inputs) => [
    ...['--classifier', join(inputs, 'classifier.safetensors')],
    ...['--segmenter', join(inputs, 'segmenter.safetensors')],
    ...['--no-lungs', '--slice-threshold', '0'],
  ]),
]

const oldContent = 'what was there before'
/** Told for a file that still has it. */
const oldSize = -1

export const diskFull: Subject = {
  name: 'disk-full',
  promise:
    'The disk is full from one operation on, every one in turn, while models, ONNX files, checkpoints, results of a cross-validation, masks and reports are written: the error is DISK_FULL, what was there before is kept or whole, and nothing half-written is left.',
  times: { short: 12, full: 3000 },
  run: (times, onProgress) => inTemporaryFolder((folder) => fillDisk(folder, times, onProgress)),
}

async function fillDisk(folder: string, times: number, onProgress: (done: number) => void): Promise<Outcome> {
  const shim = join(folder, 'disk_full.so')
  execFileSync('cc', ['-O1', '-shared', '-fPIC', '-o', shim, join(__dirname, 'disk_full.c'), '-ldl'])
  const inputs = join(folder, 'inputs')
  requireDone('inputs', await startChild('inputs.mjs', [inputs]).ended)

  const directory = join(folder, 'full')
  /** In a folder that is empty but for files of these names. */
  const write = ({ program, args }: Writer, fullFrom: number, names: readonly string[] = []) => {
    rmSync(directory, { recursive: true, force: true })
    mkdirSync(directory)
    for (const name of names) writeFileSync(join(directory, name), oldContent)
    return startChild(program, args(inputs, directory), {
      env: { LD_PRELOAD: shim, JCS_FULL_DIRECTORY: directory, JCS_FULL_FROM: String(fullFrom) },
    }).ended
  }
  const wholes = []
  for (const writer of writers) {
    const ended = await write(writer, 0)
    requireDone(writer.name, ended)
    const operations = Number(/disk operations: (\d+)/.exec(ended.errors)?.[1])
    if (!(operations > 0)) throw new Error(`${writer.name} wrote nothing that was seen`)
    wholes.push({ writer, operations, files: filesIn(directory) })
  }

  const total = wholes.reduce((sum, { operations }) => sum + operations, 0)
  const failures: string[] = []
  let done = 0
  for (const { writer, operations, files } of wholes) {
    const names = writer.mayReplace ? [...files.keys()].filter((name) => basename(name) === name) : []
    for (const fullFrom of evenly(operations, Math.min(1, times / total))) {
      const fault = faultOf(await write(writer, fullFrom, names), files, filesIn(directory))
      if (fault)
        failures.push(`${writer.name}, full from operation ${fullFrom} of ${operations} on: ${fault}`)
      onProgress(++done)
    }
  }
  return { done, failures, figures: { 'operations that need room': total } }
}

function requireDone(name: string, { code, signal, lines, errors }: Ended): void {
  if (code !== 0) throw new Error(`${name} ended with ${signal ?? code}: ${lines.at(-1)} ${errors}`)
}

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
