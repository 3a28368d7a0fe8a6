import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { crc32, inflateRawSync } from 'node:zlib'
import { NumpyRandom } from './numpy-random'

interface Entry {
  name: string
  shape: number[]
}

/** The names and shapes of a keys_*.txt of the shared fixtures. */
export function readKeys(path: string): Entry[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const match = /^(\S+)\s+\(([^)]*)\)/.exec(line)
      if (!match) return []
      const shape = match[2]!.split(',').filter((extent) => extent.trim() !== '')
      return [{ name: match[1]!, shape: shape.map(Number) }]
    })
}

const elements = (shape: readonly number[]) => shape.reduce((product, extent) => product * extent, 1)

/** The recipe of ../shared/fixtures/weights.py: every tensor drawn from RandomState(crc32(name)). */
function draw({ name, shape }: Entry): Float32Array {
  const random = new NumpyRandom(crc(name))
  const fill = (next: () => number) => {
    const values = new Float32Array(elements(shape))
    for (let i = 0; i < values.length; i++) values[i] = next()
    return values
  }
  if (name.endsWith('running_var')) return fill(() => random.uniform(0.5, 1.5))
  if (name.endsWith('running_mean')) return fill(() => random.normal() * 0.1)
  if (shape.length >= 2) {
    if (/^cls\d\.weight/.test(name)) return fill(() => random.normal() * 1.5)
    const scale = Math.sqrt(1.6 / elements(shape.slice(1)))
    return fill(() => random.normal() * scale)
  }
  if (name.endsWith('bias')) return fill(() => random.normal() * 0.05)
  if (/(bn3|downsample\.2)\.weight$/.test(name)) return fill(() => random.uniform(0.15, 0.4))
  return fill(() => random.uniform(0.6, 1.1))
}

/** zlib.crc32 came with Node 20.15; older ones get the table. */
function crc(text: string): number {
  if (typeof crc32 === 'function') return crc32(text)
  let value = 0xffffffff
  for (const byte of Buffer.from(text)) {
    value ^= byte
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0)
  }
  return (value ^ 0xffffffff) >>> 0
}

/**
 * Writes the safetensors file that weights.py would write; tensors whose name starts with a key of `factors` are
 * multiplied by its value.
 */
export function writePublishedWeights(
  keysPath: string,
  target: string,
  factors: Readonly<Record<string, number>> = {},
): void {
  const factorOf = (name: string) =>
    Object.entries(factors).find(([start]) => name.startsWith(start))?.[1] ?? 1
  const keys = readKeys(keysPath)
  let offset = 0
  const header: Record<string, unknown> = {}
  for (const { name, shape } of keys) {
    const isCounter = name.endsWith('num_batches_tracked')
    const bytes = isCounter ? 8 : 4 * elements(shape)
    header[name] = { dtype: isCounter ? 'I64' : 'F32', shape, data_offsets: [offset, offset + bytes] }
    offset += bytes
  }
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  const file = openSync(target, 'w')
  try {
    writeSync(file, length)
    writeSync(file, text)
    for (const entry of keys) {
      const factor = factorOf(entry.name)
      const values = entry.name.endsWith('num_batches_tracked')
        ? new BigInt64Array(1)
        : draw(entry).map((value) => value * factor)
      writeSync(file, Buffer.from(values.buffer))
    }
  } finally {
    closeSync(file)
  }
}

/** The float32 arrays of a .npz file (a zip of .npy files), by name. */
export function readNpz(path: string): Map<string, { data: Float32Array; shape: number[] }> {
  const zip = readFileSync(path)
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
  const arrays = new Map<string, { data: Float32Array; shape: number[] }>()
  let at = zip.readUInt32LE(end + 16)
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const method = zip.readUInt16LE(at + 10)
    const packedBytes = zip.readUInt32LE(at + 20)
    const nameBytes = zip.readUInt16LE(at + 28)
    const name = zip.toString('utf8', at + 46, at + 46 + nameBytes)
    const local = zip.readUInt32LE(at + 42)
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
    const packed = zip.subarray(start, start + packedBytes)
    arrays.set(name.replace(/\.npy$/, ''), parseNpy(method === 0 ? packed : inflateRawSync(packed)))
    at += 46 + nameBytes + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32)
  }
  return arrays
}

function parseNpy(bytes: Buffer): { data: Float32Array; shape: number[] } {
  const headerBytes = bytes.readUInt16LE(8)
  const header = bytes.toString('latin1', 10, 10 + headerBytes)
  const shape = /'shape': \(([^)]*)\)/
    .exec(header)![1]!
    .split(',')
    .filter((s) => s.trim() !== '')
  const values = bytes.subarray(10 + headerBytes)
  if (!header.includes("'<f4'") || header.includes("'fortran_order': True"))
    throw new Error(`unexpected ${header}`)
  return { data: new Float32Array(Uint8Array.from(values).buffer), shape: shape.map(Number) }
}
