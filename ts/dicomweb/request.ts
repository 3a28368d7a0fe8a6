import { throwIfAborted, waitUntilAborted } from '../base/abort'
import { JcsError } from '../base/errors'
import type { PacsSettings } from './pacs'

export interface PacsRequest {
  method: 'GET' | 'POST'
  /** Below the base address. */
  path: string
  query?: Readonly<Record<string, string>>
  accept: string
  body?: { bytes: Uint8Array; contentType: string }
  /** Statuses that are answers and no failures, beside 200 to 299. */
  accepted?: readonly number[]
}

export interface PacsAnswer {
  status: number
  contentType: string
  /** At most `maxBytes` of them; it ends as PACS_ANSWER_INVALID beyond. */
  body(maxBytes: number): AsyncGenerator<Uint8Array, void, undefined>
}

/** A failure that another try may mend. */
class Passing extends Error {
  constructor(
    readonly error: JcsError,
    readonly waitMs?: number,
  ) {
    super(error.message)
  }
}

const passingStatuses = new Set([408, 429, 500, 502, 503, 504])
const redirects = new Set([301, 302, 303, 307, 308])
const maxRedirects = 5
const maxWaitMs = 30_000

/** A connection that sends less is as good as none. */
const slowestBytesPerMs = 50

/**
 * Makes a request and reads its answer with `read`, again and again as far as that may help: `read` starts anew each
 * time, and an answer that ends early is made again like one that never came.
 *
 * @throws JcsError PACS_UNREACHABLE, PACS_UNAUTHORIZED, PACS_REFUSED, PACS_ANSWER_INVALID, CANCELLED, and what `read` does
 */
export async function request<T>(
  pacs: PacsSettings,
  asked: PacsRequest,
  read: (answer: PacsAnswer) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await attemptOnce(pacs, asked, read, signal)
    } catch (error) {
      throwIfAborted(signal)
      if (!(error instanceof Passing)) throw error
      if (attempt >= pacs.retries) throw error.error
      const backoffMs = pacs.retryDelayMs * 2 ** attempt * (0.75 + 0.5 * Math.random())
      await waitUntilAborted(Math.min(maxWaitMs, error.waitMs ?? backoffMs), signal)
    }
  }
}

/** What an answer that ended early, or is not what was asked for in a way that may pass, ends `read` with. */
export function incomplete(message: string, cause?: unknown): Error {
  return new Passing(new JcsError('PACS_ANSWER_INVALID', message, { cause }))
}

async function attemptOnce<T>(
  pacs: PacsSettings,
  asked: PacsRequest,
  read: (answer: PacsAnswer) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const { name: where } = pacs
  // Nobody tells how far what is sent has come.
  const silence = new Silence(pacs.timeoutMs + (asked.body?.bytes.length ?? 0) / slowestBytesPerMs)
  const stop = signal ? AbortSignal.any([silence.signal, signal]) : silence.signal
  try {
    const response = await fetchWithin(pacs, asked, stop, silence)
    const { status } = response
    try {
      if (!response.ok && !asked.accepted?.includes(status)) throw failureOf(status, response.headers, where)
      return await read({
        status,
        contentType: response.headers.get('content-type') ?? '',
        body: (maxBytes) => bodyOf(response, maxBytes, where, silence),
      })
    } finally {
      await response.body?.cancel().catch(() => {})
    }
  } catch (error) {
    if (silence.signal.aborted)
      throw new Passing(
        new JcsError('PACS_UNREACHABLE', `${where} was silent for ${pacs.timeoutMs} ms`, { cause: error }),
      )
    if (error instanceof Passing || error instanceof JcsError) throw error
    throw connectionFailure(error, where)
  } finally {
    silence.end()
  }
}

/** Follows redirects within the server alone: elsewhere nobody was meant to see the headers, or to answer. */
async function fetchWithin(
  pacs: PacsSettings,
  { method, path, query, accept, body }: PacsRequest,
  signal: AbortSignal,
  silence: Silence,
): Promise<Response> {
  const headers = new Headers(pacs.headers)
  headers.set('accept', accept)
  if (body) headers.set('content-type', body.contentType)
  if (pacs.token) headers.set('authorization', await bearer(pacs.token))
  let url = new URL(path, pacs.base)
  for (const [name, value] of Object.entries(query ?? {})) url.searchParams.append(name, value)
  for (let redirected = 0; ; redirected++) {
    const response = await fetch(url, {
      method,
      headers,
      body: body?.bytes ?? null,
      redirect: 'manual',
      signal,
    })
    silence.end()
    silence.begin()
    const location = response.headers.get('location')
    if (!redirects.has(response.status) || location === null) return response
    await response.body?.cancel()
    const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined
    if (next?.origin !== pacs.base.origin || method !== 'GET' || redirected === maxRedirects) {
      const to = next ? ` to ${next.origin}` : ''
      throw new JcsError(
        'PACS_REFUSED',
        `${pacs.name} redirects a ${method}${to}, which is not followed; give the address that answers`,
      )
    }
    url = next
  }
}

async function bearer(token: NonNullable<PacsSettings['token']>): Promise<string> {
  let value: unknown
  try {
    value = await token()
  } catch (error) {
    if (error instanceof JcsError) throw error
    throw new JcsError('PACS_UNAUTHORIZED', 'pacs.token failed to give a token', { cause: error })
  }
  // What HTTP takes of it (RFC 6750, 2.1); the message repeats nothing.
  if (typeof value === 'string' && /^[\w.~+/=-]+$/.test(value)) return `Bearer ${value}`
  throw new JcsError('PACS_UNAUTHORIZED', 'pacs.token gave something that is no bearer token')
}

function failureOf(status: number, headers: Headers, where: string): Error {
  const answered = `${where} answered ${status}`
  if (passingStatuses.has(status))
    return new Passing(new JcsError('PACS_UNREACHABLE', answered), retryAfterMs(headers.get('retry-after')))
  if (status === 401 || status === 403)
    return new JcsError(
      'PACS_UNAUTHORIZED',
      `${answered}: what pacs.headers or pacs.token gives does not suffice`,
    )
  return new JcsError('PACS_REFUSED', answered)
}

/** Seconds or a date (RFC 9110, 10.2.3). */
function retryAfterMs(value: string | null): number | undefined {
  if (value === null) return undefined
  const ms = /^\d+$/.test(value) ? 1000 * Number(value) : Date.parse(value) - Date.now()
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined
}

async function* bodyOf(
  response: Response,
  maxBytes: number,
  where: string,
  silence: Silence,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = response.body?.getReader()
  if (!reader) return
  let size = 0
  try {
    while (true) {
      const { done, value } = await reader.read()
      if (done) return
      // Not counted while the reader is busy with what it has.
      silence.end()
      size += value.length
      if (size > maxBytes)
        throw new JcsError('PACS_ANSWER_INVALID', `${where} answers with more than ${maxBytes} bytes`)
      yield value
      silence.begin()
    }
  } finally {
    await reader.cancel().catch(() => {})
    reader.releaseLock()
  }
}

/** Certificates that are not trusted stay so; what else breaks connections may pass. */
function connectionFailure(error: unknown, where: string): Error {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const { code = '', message } = cause as NodeJS.ErrnoException
  const isCertificate = /CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|ERR_TLS/.test(code)
  const hint = isCertificate
    ? '; NODE_EXTRA_CA_CERTS names a file with the certificate of an authority of your own'
    : ''
  const failure = new JcsError('PACS_UNREACHABLE', `${where} cannot be reached: ${message}${hint}`, {
    cause: error,
  })
  return isCertificate || code === 'ENOTFOUND' ? failure : new Passing(failure)
}

/** Aborts when it lasted too long. */
class Silence {
  readonly #controller = new AbortController()
  readonly #limitMs: number
  #timer: NodeJS.Timeout | undefined

  constructor(limitMs: number) {
    this.#limitMs = limitMs
    this.begin()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  begin(): void {
    this.#timer = setTimeout(() => this.#controller.abort(), this.#limitMs)
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}
