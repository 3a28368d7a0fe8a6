import type { ModelSpec, TrainOptions } from 'jcs-ct'

/** What a process of distributed.test.ts is to do. */
export interface RankTask {
  task: 'classification' | 'segmentation'
  /** Gets the model, of rank 0. */
  model?: string
  settings: Partial<TrainOptions>
  /** What this rank does when so many iterations are done. */
  after?: { rank: number; iteration: number; do: 'abort' | 'kill' | 'stop' | 'exit' }
  /** How long this rank's process goes on once it has trained. */
  lingerMs?: { rank: number; ms: number }
  samples?: number
}

export const specOf = (task: RankTask['task']): ModelSpec => ({
  network: task === 'segmentation' ? 'jcs-segmentation' : 'res2net50-v1b',
  width: 0.05,
})
