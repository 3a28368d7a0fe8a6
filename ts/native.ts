import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { JcsError, toJcsError } from './base/errors'
import { packageRoot } from './base/package-root'
import type { Addon, NativeCancellation } from './native/addon'

export type * from './native/addon'

/** Whatever is cancelled has ended long before. */
const longestExitSeconds = 10

let loaded: Addon | undefined

/** The native addon, loaded when it is first needed. */
export function addon(): Addon {
  loaded ??= load()
  return loaded
}

function load(): Addon {
  try {
    const native = nodeGypBuild()(addonFolder())
    const cuda = folderOfPackage('@jcs-ct/cuda')
    if (cuda) native.setPackageFolder('cuda', cuda)
    // `process.exit` ends no environment, and would take from working threads what their libraries own.
    process.once('exit', () => native.stop(longestExitSeconds))
    return native
  } catch (error) {
    throw new JcsError('NATIVE_LOAD_FAILED', explain(error as Error), { cause: error })
  }
}

/** The file that the addon is loaded from. @throws JcsError NATIVE_LOAD_FAILED */
export function addonPath(): string {
  addon()
  return nodeGypBuild().resolve(addonFolder())
}

interface NodeGypBuild {
  (directory: string): Addon
  resolve(directory: string): string
}

const nodeGypBuild = () => require('node-gyp-build') as NodeGypBuild

const here = `${process.platform}-${process.arch}`

/** This package where the addon was compiled, else the one of this platform: of two C libraries npm installs one. */
function addonFolder(): string {
  if (existsSync(join(packageRoot, 'build', 'Release'))) return packageRoot
  const [folder = packageRoot] = [`@jcs-ct/${here}`, `@jcs-ct/${here}-musl`].flatMap(
    (name) => folderOfPackage(name) ?? [],
  )
  return folder
}

function folderOfPackage(name: string): string | undefined {
  try {
    return dirname(require.resolve(`${name}/package.json`))
  } catch {
    return undefined
  }
}

function explain({ message }: Error): string {
  const [reason = ''] = message.split('\n', 1)
  const isCheckout = existsSync(join(packageRoot, 'CMakeLists.txt'))
  const { node, napi } = process.versions
  const found = /no native build/i.test(message)
    ? `there is none for ${here} (Node ${node})`
    : `that for ${here} (Node ${node}, N-API ${napi}; N-API 8 is required) does not load: ${reason}`
  const remedy = isCheckout
    ? 'run `npm run setup && npm run build` in the repository'
    : `it comes as the optional dependency @jcs-ct/${here}, on the platforms that the README lists: install without --omit=optional, and where the lockfile was written on another platform run \`npm install --force @jcs-ct/${here}\``
  return `the native addon of jcs-ct could not be loaded: ${found}; ${remedy}`
}

/** Calls the addon, its errors turned into those of the library. */
export async function callNative<T>(call: (native: Addon) => T | Promise<T>): Promise<T> {
  try {
    return await call(addon())
  } catch (error) {
    throw toJcsError(error)
  }
}

/** The same for functions that do not wait. */
export function callNativeNow<T>(call: (native: Addon) => T): T {
  try {
    return call(addon())
  } catch (error) {
    throw toJcsError(error)
  }
}

/** Starts a native call that stops when the run of which it is part does. */
export type StartNative = <T>(
  call: (cancellation: NativeCancellation, native: Addon) => Promise<T>,
) => Promise<T>

/**
 * Gives `use` a way to start native calls that are cancelled when `signal` aborts or `use` fails, and settles only once
 * all of them have ended: nothing goes on in the background of a run that is over.
 */
export async function withNativeCalls<T>(
  signal: AbortSignal,
  use: (start: StartNative) => Promise<T>,
): Promise<T> {
  const cancellation = callNativeNow(({ Cancellation }) => new Cancellation())
  const underway = new Set<Promise<unknown>>()
  const cancel = () => cancellation.cancel()
  signal.addEventListener('abort', cancel, { once: true })
  if (signal.aborted) cancel()
  try {
    return await use((call) => {
      const result = callNative((native) => call(cancellation, native))
      const settled = () => {
        underway.delete(result)
      }
      result.then(settled, settled)
      underway.add(result)
      return result
    })
  } catch (error) {
    cancel()
    throw error
  } finally {
    await Promise.allSettled(underway)
    signal.removeEventListener('abort', cancel)
  }
}
