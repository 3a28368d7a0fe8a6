#!/usr/bin/env node
import { CommanderError } from 'commander'
import { JcsError } from '../base/errors'
import { exitCodeOf, exitCodes } from './exit-codes'
import { createProgram } from './program'
import { Session, type SessionOptions } from './session'

async function main(): Promise<void> {
  let session: Session | undefined
  const program = createProgram((options: SessionOptions) => {
    session = new Session(options)
    return session
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // Once lets the work end in order; twice is meant.
      if (!session || session.signal.aborted) process.exit(exitCodes.cancelled)
      session.say(`\n${signal}: stopping; once more stops at once`)
      session.cancel(`by ${signal}`)
    })
  }
  // Whoever reads our output may stop reading, as `head` does.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? exitCodes.ok : exitCodes.failed)
  })
  try {
    await program.parseAsync()
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
      return
    }
    process.exitCode = exitCodeOf(error)
    process.stderr.write(`${describe(error)}\n`)
  }
}

function describe(error: unknown): string {
  if (error instanceof JcsError) {
    const text = `jcs: ${error.message} [${error.code}]`
    return process.env.JCS_DEBUG ? `${text}\n${error.stack}` : text
  }
  return `jcs: unexpected failure, please report it: ${error instanceof Error ? error.stack : String(error)}`
}

main()
