import type { Command } from 'commander'
import { type DeviceInfo, devices } from '../../devices'
import { Session } from '../session'
import { table } from '../table'

export function addDevices(program: Command): void {
  program
    .command('devices')
    .description('list the devices that networks can run on, and why others cannot be used')
    .option('--json', 'print JSON')
    .action((options: { json?: boolean }) => {
      const found = devices()
      new Session(options).finish(found, describe(found))
    })
}

function describe(found: readonly DeviceInfo[]): string {
  const rows = found
    .filter(({ available }) => available)
    .map(({ name, description = '', isa = '', library = '', memoryBytes = 0, threads, bf16, int8 }) => [
      name,
      description,
      isa,
      library,
      `${(memoryBytes / 2 ** 30).toFixed(1)} GiB`,
      threads ?? '',
      bf16 ? 'yes' : 'no',
      int8 ? 'yes' : 'no',
    ])
  const unavailable = found.filter(({ available }) => !available)
  return [
    table(['device', 'hardware', 'instructions', 'library', 'memory', 'threads', 'bf16', 'int8'], rows),
    ...unavailable.map(({ reason = 'no reason is known' }) => `\n${reason}`),
  ].join('\n')
}
