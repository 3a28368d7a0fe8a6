// Fetches the pinned oneDNN source by checksum, builds it, and installs it into the user's cache.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { config, onednnPrefix, settings } from './onednn-cache.mjs'
import { root } from './paths.mjs'
import { compileJobs, runLogged, StepError } from './process.mjs'
import { startProgress } from './progress.mjs'
import { targetArch } from './target.mjs'

/** Compiler time measured for one build; divided by the jobs it tells how long to wait. */
const coreMinutes = targetArch === 'x64' ? 10 : 2
const gibPerJob = 1.5

export const expectedMinutes = () => Math.ceil(coreMinutes / compileJobs(gibPerJob))

// An interrupted build continues here.
const workFolder = `${onednnPrefix}.build`
const logFile = path.join(workFolder, 'build.log')

const hasChecksum = (file, sha256) =>
  existsSync(file) && createHash('sha256').update(readFileSync(file)).digest('hex') === sha256

const download = async (url, file) => {
  // apt's own downloader knows the machine's proxies and mirrors' quirks; elsewhere Node's fetch does.
  const aptHelper = '/usr/lib/apt/apt-helper'
  if (existsSync(aptHelper)) {
    await runLogged(aptHelper, ['-o', 'APT::Sandbox::User=root', 'download-file', url, file], { logFile })
    return
  }
  const response = await fetch(url)
  if (!response.ok) throw new StepError(`${url} answers ${response.status} ${response.statusText}`)
  writeFileSync(file, Buffer.from(await response.arrayBuffer()))
}

const fetchSource = async () => {
  const { name, mirrors, sha256 } = config.source
  for (const [fileName, checksum] of Object.entries(sha256)) {
    const file = path.join(workFolder, fileName)
    const failures = []
    for (const mirror of mirrors) {
      if (hasChecksum(file, checksum)) break
      rmSync(file, { force: true })
      try {
        await download(mirror + fileName, file)
        if (!hasChecksum(file, checksum))
          failures.push(`${mirror}${fileName}: its SHA-256 is not the pinned one`)
      } catch (error) {
        failures.push(`${mirror}${fileName}: ${error.message}`)
      }
    }
    if (!hasChecksum(file, checksum)) {
      throw new StepError(
        `cannot fetch the oneDNN source:\n  ${failures.join('\n  ')}\n` +
          `Check the network and run set-up again, or put ${fileName} into ${workFolder} by hand.`,
      )
    }
  }
  return path.join(workFolder, name)
}

/** Builds and installs; what is there already (an earlier, interrupted build) is used. */
export const buildOnednn = async () => {
  const cmakeFolder = path.join(root, 'cmake', 'onednn')
  const source = path.join(workFolder, 'source')
  const build = path.join(workFolder, 'build')
  const staged = path.join(workFolder, 'installed')
  mkdirSync(workFolder, { recursive: true })

  if (!existsSync(source)) {
    console.log(`oneDNN ${config.version}: fetching the source`)
    const description = await fetchSource()
    const unpacked = `${source}.part`
    rmSync(unpacked, { recursive: true, force: true })
    // The files' checksums were compared with the pinned ones; no keyring is needed.
    await runLogged('dpkg-source', ['--no-check', '-x', description, unpacked], { logFile })
    for (const file of readdirSync(cmakeFolder).filter((name) => name.endsWith('.patch'))) {
      const patch = path.join(cmakeFolder, file)
      await runLogged('patch', ['-d', unpacked, '-p1', '--no-backup-if-mismatch', '-i', patch], { logFile })
    }
    renameSync(unpacked, source)
  }

  const all = {
    ...settings,
    CMAKE_INSTALL_PREFIX: staged,
    CMAKE_PROJECT_oneDNN_INCLUDE: path.join(cmakeFolder, 'hooks.cmake'),
    spdlog_DIR: cmakeFolder,
  }
  const definitions = Object.entries(all).map(([name, value]) => `-D${name}=${value}`)
  await runLogged('cmake', ['-G', 'Ninja', '-S', source, '-B', build, ...definitions], { logFile })

  const progress = startProgress(`building oneDNN ${config.version}`)
  await runLogged('ninja', ['-C', build, '-j', String(compileJobs(gibPerJob))], {
    logFile,
    env: { ...process.env, NINJA_STATUS: '[%f/%t] ' },
    onLine(line) {
      const step = /^\[(\d+)\/(\d+)\] /.exec(line)
      if (step) progress.update(Number(step[1]), Number(step[2]))
    },
  })
  progress.finish()

  rmSync(staged, { recursive: true, force: true })
  await runLogged('cmake', ['--install', build], { logFile })
  renameSync(staged, onednnPrefix)
  rmSync(workFolder, { recursive: true, force: true })
}
