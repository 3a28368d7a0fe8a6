import { access, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { JcsError } from '../base/errors'
import { readWhole } from '../base/files'
import { makeDirectory, makeWritableDirectory, writeFileAtomically } from '../base/write-files'

/** One training of a cross-validation and what it came to. */
export interface CrossValidationRun {
  fold: string
  seed: number
  /** Samples that were held out, and those that were learnt from. */
  samples: number
  trainedOn: number
  iterations: number
  /** With `best`: after how many iterations the model had its weights. */
  bestIteration?: number
  /** Of `evaluate` on what was held out. A metric that is not defined there is NaN. */
  metrics: Record<string, number>
  /** Path of the trained model, where there is a directory. */
  model?: string
}

const mostBytes = 2 ** 26

/**
 * Where a cross-validation keeps what it has done: `plan.json` says what it is, and each training has a folder with its
 * checkpoint while it lasts, then its model and its result.
 */
export class CrossValidationDirectory {
  readonly #path: string

  private constructor(path: string) {
    this.#path = path
  }

  /** @throws JcsError RESUME_MISMATCH for the directory of another plan, FILE_UNWRITABLE, DISK_FULL */
  static async open(
    path: string,
    plan: Readonly<Record<string, unknown>>,
  ): Promise<CrossValidationDirectory> {
    await makeWritableDirectory(path)
    const file = join(path, 'plan.json')
    const before = await readJson(file)
    const wanted = JSON.parse(canonical(plan)) as Record<string, unknown>
    if (before === undefined) {
      await writeFileAtomically(file, `${JSON.stringify(wanted, undefined, 2)}\n`)
    } else {
      const names = new Set([...Object.keys(before), ...Object.keys(wanted)])
      const different = [...names].filter((name) => canonical(before[name]) !== canonical(wanted[name]))
      if (different.length > 0)
        throw new JcsError(
          'RESUME_MISMATCH',
          `'${path}' has a cross-validation of other ${different.join(', ')}; go on with its own, or choose another directory`,
        )
    }
    return new CrossValidationDirectory(path)
  }

  folderOf(fold: string, seed: number): string {
    return join(this.#path, `fold-${fold.replace(/[^\w.-]/g, '_')}-seed-${seed}`)
  }

  modelOf(fold: string, seed: number): string {
    return join(this.folderOf(fold, seed), 'model.safetensors')
  }

  /** The checkpoint of a training that was interrupted. */
  async checkpointOf(fold: string, seed: number): Promise<string | undefined> {
    const path = join(this.folderOf(fold, seed), 'checkpoint.safetensors')
    return access(path).then(
      () => path,
      () => undefined,
    )
  }

  async read(fold: string, seed: number): Promise<CrossValidationRun | undefined> {
    const found = await readJson(join(this.folderOf(fold, seed), 'result.json'))
    if (found === undefined) return undefined
    const run = found as unknown as CrossValidationRun
    // JSON has no NaN.
    const metrics = Object.entries(run.metrics).map(([name, value]) => [name, value ?? Number.NaN])
    return { ...run, metrics: Object.fromEntries(metrics) }
  }

  /** The checkpoint, which is several times as large as the model, has done its duty then. */
  async write(run: CrossValidationRun): Promise<void> {
    const folder = this.folderOf(run.fold, run.seed)
    await makeDirectory(folder)
    await writeFileAtomically(join(folder, 'result.json'), `${JSON.stringify(run, undefined, 2)}\n`)
    await rm(join(folder, 'checkpoint.safetensors'), { force: true })
  }
}

/** Equal for equal values, whatever the order of their names. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

async function readJson(path: string): Promise<Record<string, unknown> | undefined> {
  const exists = await access(path).then(
    () => true,
    () => false,
  )
  if (!exists) return undefined
  const text = Buffer.from(await readWhole(path, mostBytes)).toString('utf8')
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch (error) {
    throw new JcsError('CORRUPT_FILE', `'${path}' is not JSON: ${(error as Error).message}`, { cause: error })
  }
  throw new JcsError('CORRUPT_FILE', `'${path}' holds no JSON object`)
}
