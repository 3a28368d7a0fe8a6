import type { Finding } from './finding'
import { examineNativeParts } from './native-parts'
import { probe } from './probing'
import {
  examineEnvironment,
  examineMemory,
  examineRuntime,
  examineTemporaryDirectory,
  examineThreads,
  theseProcessors,
  thisMemory,
  thisRuntime,
} from './surroundings'

/** Everything about this machine that decides whether, and how fast, the library works here. */
export async function examine(): Promise<Finding[]> {
  return [
    examineRuntime(thisRuntime()),
    ...examineNativeParts(await probe()),
    examineThreads(theseProcessors()),
    examineMemory(thisMemory()),
    await examineTemporaryDirectory(),
    ...examineEnvironment(),
  ]
}
