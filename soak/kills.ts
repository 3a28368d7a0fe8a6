import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Ended, startChild } from './children'
import type { Outcome, Subject } from './subject'
import { inTemporaryFolder } from './temporary-folder'

const iterations = 60
/** Children are killed within this time of their first step, in which they write some dozens of checkpoints. */
const longestMs = 700

export const kills: Subject = {
  name: 'kills',
  promise:
    'A training that writes a checkpoint after every step is killed (SIGKILL) at any moment, and goes on from its checkpoint until it is done: checkpoints are whole and never go back, and the last one is, to the bit, that of a training which nobody killed.',
  times: { short: 10, full: 1000 },
  run: (times, onProgress) => inTemporaryFolder((folder) => killTrainings(folder, times, onProgress)),
}

async function killTrainings(
  folder: string,
  times: number,
  onProgress: (done: number) => void,
): Promise<Outcome> {
  const untouched = join(folder, 'untouched')
  const whole = await startChild('train.mjs', [untouched, String(iterations)]).ended
  if (whole.code !== 0) return { done: 0, failures: [`A training failed by itself: ${whole.errors}`] }
  const expected = readCheckpoint(untouched)

  const failures: string[] = []
  let done = 0
  let completed = 0
  for (let training = 0; failures.length === 0 && (done < times || completed === 0); training++) {
    const directory = join(folder, `training-${training}`)
    let reached = 0
    for (let isThrough = false; !isThrough && failures.length === 0; ) {
      // Once there were kills enough, the training may end.
      const ended = await trainUntilKilled(directory, done < times)
      isThrough = ended.code === 0
      if (ended.signal === 'SIGKILL') onProgress(++done)
      else if (!isThrough)
        failures.push(`A training that was resumed ended with ${ended.code}: ${ended.errors}`)
      if (!existsSync(join(directory, 'checkpoint.safetensors'))) continue
      const { iteration } = readCheckpoint(directory)
      if (iteration < reached) failures.push(`A checkpoint of step ${reached} became one of ${iteration}.`)
      reached = iteration
    }
    if (failures.length > 0) break
    completed++
    const { sha256 } = readCheckpoint(directory)
    if (sha256 !== expected.sha256)
      failures.push(`Training ${training}, which was killed, has other weights.`)
    const left = readdirSync(directory).filter((name) => name !== 'checkpoint.safetensors')
    if (left.length > 0) failures.push(`Files are left beside a checkpoint: ${left.join(', ')}`)
    rmSync(directory, { recursive: true })
  }
  return { done, failures, figures: { 'trainings completed': completed } }
}

async function trainUntilKilled(directory: string, isToBeKilled: boolean): Promise<Ended> {
  let begin = () => {}
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  const child = startChild('train.mjs', [directory, String(iterations)], { onLine: begin })
  await Promise.race([begun, child.ended])
  if (isToBeKilled) {
    await Promise.race([sleep(Math.random() * longestMs), child.ended])
    child.process.kill('SIGKILL')
  }
  return child.ended
}

/** @throws for a checkpoint that is not whole */
function readCheckpoint(directory: string): { iteration: number; sha256: string } {
  const bytes = readFileSync(join(directory, 'checkpoint.safetensors'))
  const headerBytes = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes))
  const { __metadata__: metadata, ...tensors } = header
  const ends = Object.values(tensors as Record<string, { data_offsets: number[] }>).map(
    ({ data_offsets }) => data_offsets[1]!,
  )
  if (Math.max(...ends) !== bytes.length - 8 - headerBytes) throw new Error('A checkpoint is cut.')
  return {
    iteration: JSON.parse(metadata['jcs.checkpoint']).iteration,
    sha256: createHash('sha256')
      .update(bytes.subarray(8 + headerBytes))
      .digest('hex'),
  }
}
