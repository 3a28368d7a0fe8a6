import { checkOptions, requireBoolean, requireObject, requireWhole } from '../base/check'
import { JcsError } from '../base/errors'
import type { Pacs } from '../dicomweb'
import { withoutUndefined } from '../run/options'
import type { Service } from '../service'

/** Says who sends a request, from its Authorization header; undefined for whoever may not. */
export type Authenticate = (authorization: string | undefined) => Promise<string | undefined>

export interface UploadLimits {
  /** Files of one request. Default 4000. */
  maxFiles?: number | undefined
  /** Bytes of one request. Default 2 GiB. */
  maxBytes?: number | undefined
  /** Requests that are being received at the same time; one more is refused as BUSY. Default 8. */
  maxUploads?: number | undefined
  /** In which a request has to be received. Default five minutes. */
  uploadTimeoutMs?: number | undefined
}

export interface ServiceRoutesOptions {
  service: Service
  /** Default: everybody may ask. */
  authenticate?: Authenticate | undefined
  /** The archive that studies are fetched from. Default: none, and requests bring their images. */
  pacs?: Pacs | undefined
  limits?: UploadLimits | undefined
  /** Whether `GET /` is a page on which a case can be diagnosed. Default true. */
  page?: boolean | undefined
}

export interface RoutesSettings {
  service: Service
  authenticate: Authenticate | undefined
  pacs: Pacs | undefined
  limits: { [Name in keyof UploadLimits]-?: number }
  page: boolean
}

const limitDefaults = {
  maxFiles: 4000,
  maxBytes: 2 * 2 ** 30,
  maxUploads: 8,
  uploadTimeoutMs: 300_000,
} as const

/** @throws JcsError INVALID_TYPE, INVALID_ARGUMENT */
export function takeRoutesOptions(options: ServiceRoutesOptions): RoutesSettings {
  requireObject('options', options)
  const { service, authenticate, pacs, limits: given = {}, page = true } = options
  if (typeof service?.diagnose !== 'function')
    throw new JcsError('INVALID_TYPE', 'service must be one made by createService')
  if (authenticate !== undefined && typeof authenticate !== 'function')
    throw new JcsError('INVALID_TYPE', 'authenticate must be a function')
  requireBoolean('page', page)
  checkOptions('limits', given, Object.keys(limitDefaults))
  const limits = { ...limitDefaults, ...withoutUndefined(given) }
  for (const [name, value] of Object.entries(limits)) requireWhole(`limits.${name}`, value, 1)
  return { service, authenticate, pacs, limits, page }
}
