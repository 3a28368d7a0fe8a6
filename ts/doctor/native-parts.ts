import type { DeviceInfo } from '../devices'
import { type Finding, gibibytes } from './finding'
import type { PreparedFolder, Probed } from './probed-parts'

const reinstall =
  'Install jcs-ct again on this machine, with optional dependencies; in a clone run `npm run setup && npm run build`.'

/** What the probe found, in words, with remedies. */
export function examineNativeParts({
  addon,
  'prepared weights': prepared,
  network,
  pictures,
  models,
}: Probed): Finding[] {
  return [
    'error' in addon
      ? { what: 'addon', state: 'error', found: addon.error.message, remedy: reinstall }
      : { what: 'addon', state: 'ok', found: addon.result.path },
    ...('error' in addon ? [] : addon.result.devices.map(examineDevice)),
    'error' in prepared
      ? { what: 'prepared weights', state: 'error', found: prepared.error.message, remedy: cacheRemedy }
      : examinePrepared(prepared.result),
    'error' in network
      ? {
          what: 'network',
          state: 'error',
          found: network.error.message,
          remedy:
            'Code is compiled while networks run: let the process have memory that is writable and then executable (SELinux, seccomp), and where it ended with SIGILL, let the virtual machine tell the truth about its processor.',
        }
      : { what: 'network', state: 'ok', found: `a small one ran in ${network.result.precision}` },
    'error' in pictures
      ? {
          what: 'pictures',
          state: 'error',
          found: pictures.error.message,
          remedy: 'PNG, JPEG and TIFF need sharp: install with optional dependencies, for this platform.',
        }
      : { what: 'pictures', state: 'ok', found: pictures.result.library },
    'error' in models
      ? {
          what: 'models',
          state: models.error.code === 'MODELS_NOT_INSTALLED' ? 'warning' : 'error',
          found:
            models.error.code === 'MODELS_NOT_INSTALLED' ? 'none are shipped here' : models.error.message,
          remedy: '`npm install jcs-ct-models`, unless you bring your own.',
        }
      : {
          what: 'models',
          state: 'ok',
          found: models.result.map(({ name, network }) => `${name} (${network})`).join(', '),
        },
  ]
}

const cacheRemedy =
  'Let JCS_CACHE name a folder that this user, and nobody else, can write, and JCS_PREPARED_MIB say how much may lie there.'

/** Without it everything works, but every process prepares its models anew. */
function examinePrepared({ path, limitBytes, isUsable, files, bytes }: PreparedFolder): Finding {
  const what = 'prepared weights'
  if (limitBytes === 0) return { what, state: 'ok', found: 'none are kept: JCS_PREPARED_MIB is 0' }
  if (!isUsable)
    return {
      what,
      state: 'warning',
      found: `none can be kept ${path === '' ? 'without a cache' : `in ${path}`}: every process prepares its models anew`,
      remedy: cacheRemedy,
    }
  const found = `${path} has ${gibibytes(bytes)} of at most ${gibibytes(limitBytes)}, in ${files} ${files === 1 ? 'file' : 'files'}`
  return { what, state: 'ok', found }
}

/** Without a GPU everything works: that is no fault. */
function examineDevice(device: DeviceInfo): Finding {
  const { name, available, reason = 'no reason is known' } = device
  if (!available)
    return { what: name, state: name === 'cpu' ? 'error' : 'ok', found: reason, ...remedyOf(name) }
  const { description, isa, library, memoryBytes = 0, bf16, int8 } = device
  const faster = [bf16 && 'bf16', int8 && 'int8'].filter(Boolean)
  const precision =
    faster.length > 0 ? `faster than fp32: ${faster.join(', ')}` : 'no faster precision than fp32'
  const found = [description, isa, library, gibibytes(memoryBytes), precision].filter(Boolean).join(', ')
  return { what: name, state: 'ok', found }
}

const remedyOf = (name: string): { remedy?: string } =>
  name === 'cpu'
    ? { remedy: 'Use a processor with AVX2, or a virtual machine that passes its instructions through.' }
    : {}
