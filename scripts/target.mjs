// What is built for: this machine, or the platform that JCS_TARGET names, which Debian's cross compiler builds for and
// qemu runs here.
import { existsSync } from 'node:fs'
import path from 'node:path'
import { root } from './paths.mjs'

export const host = `${process.platform}-${process.arch}`
export const target = process.env.JCS_TARGET || host
export const isCross = target !== host
export const targetArch = target.split('-')[1]

/** Where the native build lies. */
export const buildFolder = path.join(root, isCross ? `build-${target}` : 'build')

const toolchainFile = path.join(root, 'cmake', 'toolchains', `${target}.cmake`)
if (isCross && !existsSync(toolchainFile)) {
  console.error(`error: JCS_TARGET is '${target}', for which there is no ${toolchainFile}`)
  process.exit(1)
}

/** Settings of CMake's that make it build for the target. */
export const toolchain = isCross ? { CMAKE_TOOLCHAIN_FILE: toolchainFile } : {}

/** Debian's name of what compiles for the target, and what runs its programs here. */
const tools = { 'linux-arm64': { triplet: 'aarch64-linux-gnu', qemu: 'qemu-aarch64' } }[target]
export const triplet = tools?.triplet
export const emulator = [tools?.qemu, '-L', `/usr/${triplet}`]
