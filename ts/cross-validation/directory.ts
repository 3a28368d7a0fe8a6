import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { exists } from '../base/files'
import { nullAsNaN, readJsonObject } from '../base/json'
import { keepPlan } from '../base/kept-plan'
import { makeDirectory, writeFileAtomically } from '../base/write-files'
import type { SliceScores } from '../evaluate'

/** One training of a cross-validation and what it came to. */
export interface CrossValidationRun {
  fold: string
  seed: number
  /** Samples that were held out. */
  samples: number
  /** Samples that were learnt from, those that `best` was chosen on included. */
  trainedOn: number
  iterations: number
  /** What it was trained on, and how exactly. */
  device: string
  precision: string
  /** With `best`: after how many iterations the model had its weights. */
  bestIteration?: number
  /** Of `evaluate` on what was held out. A metric that is not defined there is NaN. */
  metrics: Record<string, number>
  /** Segmentation: slice by slice of what was held out, whose `index` is among these. */
  slices?: SliceScores[]
  /** Path of the trained model, where there is a directory. */
  model?: string
}

/** With what each metric is in every resample of the patients, which intervals over all folds are made of. */
export interface ScoredRun {
  run: CrossValidationRun
  draws: Record<string, number[]>
}

/** As JSON has it: what is not defined is null. */
type StoredRun = CrossValidationRun & { draws?: Record<string, (number | null)[]> }

const mostBytes = 2 ** 28

/**
 * Where a cross-validation keeps what it has done: `plan.json` says what it is, and each training has a folder with its
 * checkpoint while it lasts, then its model and its result.
 */
export class CrossValidationDirectory {
  readonly #path: string

  private constructor(path: string) {
    this.#path = path
  }

  /** @throws JcsError RESUME_MISMATCH for the directory of another plan, CORRUPT_FILE, FILE_UNWRITABLE, DISK_FULL */
  static async open(
    path: string,
    plan: Readonly<Record<string, unknown>>,
  ): Promise<CrossValidationDirectory> {
    await keepPlan(path, 'a cross-validation', plan)
    return new CrossValidationDirectory(path)
  }

  /** Another one for every fold, whatever it is called. */
  folderOf(fold: string, seed: number): string {
    return join(this.#path, `fold-${encodeURIComponent(fold)}-seed-${seed}`)
  }

  modelOf(fold: string, seed: number): string {
    return join(this.folderOf(fold, seed), 'model.safetensors')
  }

  /** The checkpoint of a training that was interrupted. */
  async checkpointOf(fold: string, seed: number): Promise<string | undefined> {
    const path = join(this.folderOf(fold, seed), 'checkpoint.safetensors')
    return (await exists(path)) ? path : undefined
  }

  async read(fold: string, seed: number): Promise<ScoredRun | undefined> {
    const file = this.#resultOf(fold, seed)
    if (!(await exists(file))) return undefined
    const { draws = {}, ...run } = (await readJsonObject(file, mostBytes)) as unknown as StoredRun
    return {
      run: { ...run, metrics: nullAsNaN(run.metrics), model: this.modelOf(fold, seed) },
      draws: Object.fromEntries(
        Object.entries(draws).map(([name, values]) => [name, values.map((value) => value ?? Number.NaN)]),
      ),
    }
  }

  /** The checkpoint, which is several times as large as the model, has done its duty then. */
  async write({ run: { model: _, ...run }, draws }: ScoredRun): Promise<void> {
    await makeDirectory(this.folderOf(run.fold, run.seed))
    await writeFileAtomically(this.#resultOf(run.fold, run.seed), `${JSON.stringify({ ...run, draws })}\n`)
    await rm(join(this.folderOf(run.fold, run.seed), 'checkpoint.safetensors'), { force: true })
  }

  #resultOf(fold: string, seed: number): string {
    return join(this.folderOf(fold, seed), 'result.json')
  }
}
