import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { exists } from '../base/files'
import type { BadSample } from '../datasets'
import { train } from '../train'
import type { TrainOptions } from '../training/options'

/** Of a training that is done once: the path of its model, and what was to be said when it was done. */
export interface KeptTraining {
  file: string
  warnings: string[]
  skipped: BadSample[]
}

/**
 * Trains a network whose model stays in `folder`, with its checkpoint while it is trained; where it is there, nothing is
 * done. `data` is asked for only when it is needed.
 */
export async function trainKept(
  folder: string,
  { data, ...options }: Omit<TrainOptions, 'data'> & { data: () => Promise<TrainOptions['data']> },
): Promise<KeptTraining> {
  const file = join(folder, 'model.safetensors')
  if (await exists(file)) return { file, warnings: [], skipped: [] }
  const checkpoint = join(folder, 'checkpoint.safetensors')
  const { model, warnings, skipped } = await train({
    ...options,
    data: await data(),
    checkpoint: { directory: folder },
    ...((await exists(checkpoint)) && { resume: checkpoint }),
  })
  await using trained = model
  await trained.save(file)
  await rm(checkpoint, { force: true }) // several times as large as the model, and has done its duty
  return { file, warnings, skipped }
}
