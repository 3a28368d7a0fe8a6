import { JcsError, toJcsError } from '../base/errors'
import { callNative } from '../native'

/** The processes that train together, and which of them this one is. */
export interface Ranks {
  /** From 0. Rank 0 validates, and writes the checkpoints. */
  rank: number
  /** How many there are. */
  ranks: number
}

/** A process that trains by itself. */
export const alone: Ranks = { rank: 0, ranks: 1 }

/** Whether this process was started by `mpirun`, `mpiexec` or `srun`, which start several. */
export const isStartedAsRank = (environment: NodeJS.ProcessEnv = process.env): boolean =>
  ['OMPI_COMM_WORLD_RANK', 'PMIX_RANK', 'PMI_RANK'].some((name) => environment[name] !== undefined)

/** Waits until all have come. @throws JcsError MPI_UNAVAILABLE, also where another MPI's launcher started them */
export async function joinRanks(environment: NodeJS.ProcessEnv = process.env): Promise<Ranks> {
  const joined = await callNative((addon) => addon.joinRanks())
  // Each would take itself for the only one, and all would write the same files.
  const started = Number(environment.OMPI_COMM_WORLD_SIZE ?? environment.PMI_SIZE ?? 1)
  if (joined.ranks === 1 && started > 1)
    throw new JcsError(
      'MPI_UNAVAILABLE',
      `${started} processes were started by the launcher of another MPI than Open MPI, and do not find each other; start them with Open MPI's mpirun`,
    )
  return joined
}

/** Tells the others that this one goes no further, and why, so that they do not wait for it. */
export async function leaveRanks(reason: unknown): Promise<void> {
  const { code, message } = toJcsError(reason)
  await callNative((addon) => addon.leaveRanks(`${message} [${code}]`))
}
