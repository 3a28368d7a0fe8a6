import type { Command } from 'commander'
import { examine } from '../../doctor/examine'
import type { Finding } from '../../doctor/finding'
import { exitCodes } from '../exit-codes'
import { Session } from '../session'

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('say whether everything works on this machine, how fast it can be, and what to do if not')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nNative parts are tried in a process of their own. Exit code 1: something does not work at all.',
    )
    .action(async (options: { json?: boolean }) => {
      const findings = await examine()
      new Session(options).finish(findings, describe(findings))
      if (findings.some(({ state }) => state === 'error')) process.exitCode = exitCodes.failed
    })
}

function describe(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ what }) => what.length))
  return findings
    .flatMap(({ what, state, found, remedy }) => [
      `${state.padEnd('warning'.length)}  ${what.padEnd(width)}  ${found}`,
      ...(remedy ? [`${' '.repeat('warning'.length + width + 4)}→ ${remedy}`] : []),
    ])
    .join('\n')
}
