import { createHash, createPublicKey, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import { JcsError } from '../base/errors'
import type { Authenticate } from './options'

export interface JwtSettings {
  /** A public key in PEM, or a secret of at least 32 bytes. */
  key: string | Uint8Array
  issuer?: string | undefined
  audience?: string | undefined
}

/**
 * Takes keys that were given out, by the name of whom each was given to, and tokens that somebody signed, in which `sub`
 * is the name.
 *
 * @throws JcsError INVALID_ARGUMENT
 */
export function bearerAuthentication({
  apiKeys = new Map(),
  jwt,
}: {
  apiKeys?: ReadonlyMap<string, string> | undefined
  jwt?: JwtSettings | undefined
}): Authenticate {
  const keys = [...apiKeys].map(([name, key]) => {
    if (key.length < 16)
      throw new JcsError('INVALID_ARGUMENT', `the API key of '${name}' is shorter than 16 characters`)
    return { name, digest: digestOf(key) }
  })
  const verify = jwt && jwtVerifier(jwt)
  return async (authorization) => {
    const [, token] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? []
    if (token === undefined) return undefined
    const digest = digestOf(token)
    // Every key is compared, so that time tells nothing of which was nearly right.
    const [known] = keys.filter((each) => timingSafeEqual(each.digest, digest))
    return known?.name ?? (await verify?.(token))
  }
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** What each kind of key may have signed with: a token does not choose how it is checked. */
function algorithmsOf(key: KeyObject): string[] {
  if (key.type === 'secret') return ['HS256', 'HS384', 'HS512']
  if (key.asymmetricKeyType === 'rsa') return ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
  if (key.asymmetricKeyType === 'ec') return ['ES256', 'ES384', 'ES512']
  if (key.asymmetricKeyType === 'ed25519') return ['EdDSA', 'Ed25519']
  throw new JcsError('INVALID_ARGUMENT', `keys of kind ${key.asymmetricKeyType} sign no tokens`)
}

function jwtVerifier({ key: given, issuer, audience }: JwtSettings) {
  const key = takeKey(given)
  const options = {
    algorithms: algorithmsOf(key),
    requiredClaims: ['sub', 'exp'],
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
  }
  return async (token: string): Promise<string | undefined> => {
    const { jwtVerify } = await import('jose')
    try {
      return (await jwtVerify(token, key, options)).payload.sub
    } catch {
      return undefined
    }
  }
}

function takeKey(given: string | Uint8Array): KeyObject {
  const bytes = typeof given === 'string' ? Buffer.from(given) : Buffer.from(given)
  if (bytes.includes('-----BEGIN')) {
    try {
      return createPublicKey(bytes)
    } catch (error) {
      throw new JcsError('INVALID_ARGUMENT', 'the JWT key is no public key in PEM', { cause: error })
    }
  }
  const secret = Buffer.from(bytes.toString().trimEnd())
  if (secret.length < 32) throw new JcsError('INVALID_ARGUMENT', 'the JWT secret has fewer than 32 bytes')
  return createSecretKey(secret)
}
