// A lock between processes of one user: a file whose age is refreshed while its owner lives.
import { closeSync, mkdirSync, openSync, rmSync, statSync, utimesSync, writeSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const refreshMs = 2_000
const staleMs = 20_000

const tryCreate = (file) => {
  try {
    const handle = openSync(file, 'wx')
    writeSync(handle, `${process.pid}\n`)
    closeSync(handle)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

const ageMs = (file) => {
  try {
    return Date.now() - statSync(file).mtimeMs
  } catch {
    return 0 // released between two looks
  }
}

/** Runs `work` while holding `file`; calls `onWait` once when another process holds it. */
export const withLock = async (file, onWait, work) => {
  mkdirSync(path.dirname(file), { recursive: true })
  for (let waited = false; !tryCreate(file); waited = true) {
    if (!waited) onWait()
    // An owner that was killed leaves its file behind, no longer refreshed.
    if (ageMs(file) > staleMs) rmSync(file, { force: true })
    else await sleep(500)
  }
  const release = () => rmSync(file, { force: true })
  const heartbeat = setInterval(() => {
    const now = new Date()
    try {
      utimesSync(file, now, now)
    } catch {
      // Removed by hand: nothing to refresh.
    }
  }, refreshMs)
  process.once('exit', release)
  try {
    return await work()
  } finally {
    clearInterval(heartbeat)
    process.off('exit', release)
    release()
  }
}
