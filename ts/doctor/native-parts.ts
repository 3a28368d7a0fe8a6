import type { DeviceInfo } from '../devices'
import { type Finding, gibibytes } from './finding'
import type { Probed } from './probed-parts'

const reinstall =
  'Install jcs-ct again on this machine, with optional dependencies; in a clone run `npm run setup && npm run build`.'

/** What the probe found, in words, with remedies. */
export function examineNativeParts({ addon, network, pictures, models }: Probed): Finding[] {
  return [
    'error' in addon
      ? { what: 'addon', state: 'error', found: addon.error.message, remedy: reinstall }
      : { what: 'addon', state: 'ok', found: addon.result.path },
    ...('error' in addon ? [] : addon.result.devices.map(examineDevice)),
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

/** Without a GPU everything works: that is no fault. */
function examineDevice(device: DeviceInfo): Finding {
  const { name, available, reason = 'no reason is known' } = device
  if (!available)
    return { what: name, state: name === 'cpu' ? 'error' : 'ok', found: reason, ...remedyOf(name) }
  const { description, isa, library, memoryBytes = 0, bf16 } = device
  const precision = bf16 ? 'bf16 is faster than fp32' : 'no faster precision than fp32'
  const found = [description, isa, library, gibibytes(memoryBytes), precision].filter(Boolean).join(', ')
  return { what: name, state: 'ok', found }
}

const remedyOf = (name: string): { remedy?: string } =>
  name === 'cpu'
    ? { remedy: 'Use a processor with AVX2, or a virtual machine that passes its instructions through.' }
    : {}
