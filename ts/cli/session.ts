import { withoutArrays } from '../base/without-arrays'
import type { ProgressEvent } from '../run/progress'
import type { Run } from '../run/run'
import { createProgressView, type ProgressStyle } from './progress'

export interface SessionOptions {
  json?: boolean
  progress?: ProgressStyle | 'auto'
}

/**
 * What a command talks to: the terminal, or the program that started it. With `--json` (or `--progress json`) stdout
 * carries JSON alone; whatever is meant for people goes to stderr.
 */
export class Session {
  readonly #json: boolean
  #style: ProgressStyle
  #isSilent = false
  readonly #controller = new AbortController()

  constructor({ json = false, progress = 'auto' }: SessionOptions) {
    this.#style = progress === 'auto' ? (process.stderr.isTTY ? 'bar' : 'lines') : progress
    this.#json = json || this.#style === 'json'
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  cancel(reason: string): void {
    this.#controller.abort(new Error(reason))
  }

  /** From here on another process speaks for this one, which shows failures alone. */
  silence(): void {
    this.#style = 'none'
    this.#isSilent = true
  }

  /** Shows a run's progress and gives its result. */
  async follow<T>(start: (options: RunControls) => Run<T>): Promise<T> {
    const view = createProgressView(this.#style)
    try {
      return await start({ signal: this.signal, onProgress: (event) => view.show(event) })
    } finally {
      view.stop()
    }
  }

  /** The outcome: `document` for programs, `text` for people. */
  finish(document: unknown, text: string): void {
    const plain = withoutArrays(document)
    if (this.#style === 'json')
      process.stdout.write(`${JSON.stringify({ phase: 'result', result: plain })}\n`)
    else if (this.#json) process.stdout.write(`${JSON.stringify(plain, undefined, 2)}\n`)
    else process.stdout.write(`${text}\n`)
  }

  /** One of many outcomes, as they come: a line of JSON, or of text. */
  report(document: unknown, text: string): void {
    process.stdout.write(this.#json ? `${JSON.stringify(withoutArrays(document))}\n` : `${text}\n`)
  }

  /** The text of a JSON file: as the document that programs get, without maps and masks. */
  toJson(document: unknown): string {
    return `${JSON.stringify(withoutArrays(document), undefined, 2)}\n`
  }

  /** For people, whatever stdout carries. */
  say(text: string): void {
    process.stderr.write(`${text}\n`)
  }

  warn(warnings: readonly string[]): void {
    if (this.#isSilent) return
    for (const warning of warnings) this.say(`warning: ${warning}`)
  }
}

export interface RunControls {
  signal: AbortSignal
  onProgress(event: ProgressEvent): void
}
