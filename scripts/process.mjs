// Child processes of the scripts.
import { spawn } from 'node:child_process'
import { accessSync, constants, createWriteStream, mkdirSync, readFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'

/** A failure that the user can act on: printed as it is, without a stack. */
export class StepError extends Error {}

/** The absolute path of a program on PATH, or undefined. */
export const findProgram = (name) =>
  (name.includes('/') ? [''] : (process.env.PATH ?? '').split(path.delimiter))
    .map((folder) => path.join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })

// A child must not outlive us, whoever ends us: a compiler left running would race the next set-up.
const children = new Set()
process.on('exit', () => {
  for (const child of children) child.kill()
})
for (const [signal, number] of Object.entries({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 })) {
  process.on(signal, () => process.exit(128 + number))
}

const finished = (child, command) =>
  new Promise((resolve, reject) => {
    children.add(child)
    child.once('close', () => children.delete(child))
    child.once('error', (error) => reject(new StepError(`cannot run ${command}: ${error.message}`)))
    child.once('close', (code, signal) => resolve({ code, signal }))
  })

const commandLine = (command, args) => {
  const text = [command, ...args].join(' ')
  return text.length > 200 ? `${text.slice(0, 200)} ...` : text
}

/** Runs a program with our terminal and resolves with { code, signal }; `onLine` sees each line of its output too. */
export const runForStatus = (command, args, { onLine, ...options } = {}) => {
  const child = spawn(command, args, {
    stdio: ['inherit', onLine ? 'pipe' : 'inherit', 'inherit'],
    ...options,
  })
  if (onLine) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      console.log(line)
      onLine(line)
    })
  }
  return finished(child, command)
}

/** Runs a program with our terminal; throws a StepError unless it exits with 0. */
export const run = async (command, args, options) => {
  const { code, signal } = await runForStatus(command, args, options)
  if (code !== 0) throw new StepError(`failed (${signal ?? `exit ${code}`}): ${commandLine(command, args)}`)
}

/** Runs a program with its output in `logFile`; `onLine` sees each line. On failure the log's end is shown. */
export const runLogged = async (command, args, { logFile, onLine, ...options }) => {
  mkdirSync(path.dirname(logFile), { recursive: true })
  const log = createWriteStream(logFile, { flags: 'a' })
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      log.write(`${line}\n`)
      onLine?.(line)
    })
  }
  const { code, signal } = await finished(child, command)
  await new Promise((resolve) => log.end(resolve))
  if (code === 0) return
  const end = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-25).join('\n')
  throw new StepError(
    `failed (${signal ?? `exit ${code}`}): ${commandLine(command, args)}\n${end}\n(whole log: ${logFile})`,
  )
}

/** How many compilers may run at once: one a core, and each wants about `gibPerJob` of memory. JCS_JOBS overrides. */
export const compileJobs = (gibPerJob = 1) => {
  const wanted = Number(process.env.JCS_JOBS)
  if (Number.isInteger(wanted) && wanted > 0) return wanted
  const memory = Math.min(os.totalmem(), process.constrainedMemory?.() || Number.POSITIVE_INFINITY)
  return Math.max(1, Math.min(os.availableParallelism(), Math.floor(memory / (gibPerJob * 2 ** 30))))
}

/** Prints a failure the way a user wants to read it, and ends the process. */
export const exitWith = (error) => {
  console.error(error instanceof StepError ? `error: ${error.message}` : error)
  process.exit(1)
}
