import { Session } from 'node:inspector'
import { join } from 'node:path'

const watched = join(__dirname, '..', 'ts')

/** Which pieces of the library's TypeScript run: V8's blocks, told by script and place. */
export class Coverage {
  private readonly session = new Session()

  constructor() {
    this.session.connect()
    this.session.post('Profiler.enable')
    this.session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** Those that ran since it was last asked. */
  take(): string[] {
    const pieces: string[] = []
    // Of this thread, hence answered before `post` returns.
    this.session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error) throw error
      for (const { url, functions } of answer.result) {
        if (!url.includes(watched)) continue
        for (const { ranges } of functions)
          for (const { startOffset, endOffset, count } of ranges)
            if (count > 0) pieces.push(`${url}:${startOffset}:${endOffset}`)
      }
    })
    return pieces
  }
}
