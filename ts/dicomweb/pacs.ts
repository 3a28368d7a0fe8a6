import { checkOptions, requireNumber, requireString, requireWhole } from '../base/check'
import { JcsError } from '../base/errors'
import { isValidUid } from '../dicom'

/** An archive that answers DICOMweb (PS3.18), and how it is asked. */
export interface Pacs {
  /** Base address of its services: `https://pacs.example/dicom-web` has `https://pacs.example/dicom-web/studies`. */
  url: string | URL
  /** Sent with every request, such as `Authorization`. They are never written anywhere. */
  headers?: Readonly<Record<string, string>> | undefined
  /** Gives a bearer token (RFC 6750). Asked before each request, so that tokens may expire. */
  token?: (() => string | Promise<string>) | undefined
  /**
   * How often a request is made again that may be: after a broken connection, an answer cut short, or one of 408, 429,
   * 500, 502, 503, 504. Default 4.
   */
  retries?: number | undefined
  /** Before the first of them, ms; doubled each time, up to half a minute. What the server asks for comes first. Default 500. */
  retryDelayMs?: number | undefined
  /** How long it may be silent, ms; longer by what is sent to it, at 50 kB a second. Default 60,000. */
  timeoutMs?: number | undefined
}

/** Checked, with what was left out. */
export interface PacsSettings {
  /** Ends with '/'. */
  base: URL
  /** What messages call it: nothing of its path, which may hold a key. */
  name: string
  headers: Headers
  token: Pacs['token']
  retries: number
  retryDelayMs: number
  timeoutMs: number
}

const optionNames = ['url', 'headers', 'token', 'retries', 'retryDelayMs', 'timeoutMs'] as const

/** @throws JcsError INVALID_TYPE, INVALID_ARGUMENT; no message repeats a header or an address's user */
export function takePacs(pacs: Pacs): PacsSettings {
  checkOptions('pacs', pacs, optionNames)
  const { url, headers = {}, token, retries = 4, retryDelayMs = 500, timeoutMs = 60_000 } = pacs
  requireWhole('pacs.retries', retries, 0, 100)
  requireNumber('pacs.retryDelayMs', retryDelayMs, 0, 30_000)
  requireNumber('pacs.timeoutMs', timeoutMs, 1, 2 ** 31 - 1)
  if (token !== undefined && typeof token !== 'function')
    throw new JcsError('INVALID_TYPE', 'pacs.token must be a function that gives a bearer token')
  const base = takeBase(url)
  return {
    base,
    name: `the PACS at ${base.origin}`,
    headers: takeHeaders(headers),
    token,
    retries,
    retryDelayMs,
    timeoutMs,
  }
}

function takeBase(url: string | URL): URL {
  if (!(url instanceof URL)) requireString('pacs.url', url)
  if (!URL.canParse(url.toString()))
    throw new JcsError(
      'INVALID_ARGUMENT',
      'pacs.url is no address; give one such as https://pacs.example/dicom-web',
    )
  const base = new URL(url)
  if (base.protocol !== 'https:' && base.protocol !== 'http:')
    throw new JcsError(
      'INVALID_ARGUMENT',
      `pacs.url is an address of ${base.protocol}; DICOMweb is https: or http:`,
    )
  if (base.username !== '' || base.password !== '')
    throw new JcsError(
      'INVALID_ARGUMENT',
      'pacs.url holds a user or password; give them as a header, Authorization',
    )
  if (base.search !== '' || base.hash !== '')
    throw new JcsError(
      'INVALID_ARGUMENT',
      'pacs.url holds a query or fragment, and must end with the path of the services',
    )
  if (!base.pathname.endsWith('/')) base.pathname += '/'
  return base
}

function takeHeaders(headers: Readonly<Record<string, string>>): Headers {
  try {
    return new Headers(headers)
  } catch {
    // The reason would repeat what may be a secret.
    throw new JcsError('INVALID_ARGUMENT', 'pacs.headers must hold header names with their values as text')
  }
}

/** What becomes part of an address. @throws JcsError INVALID_TYPE, INVALID_ARGUMENT */
export function requireUid(name: string, uid: string): void {
  requireString(name, uid)
  if (!isValidUid(uid))
    throw new JcsError('INVALID_ARGUMENT', `${name} is no valid UID (PS3.5, 9.1): ${JSON.stringify(uid)}`)
}
