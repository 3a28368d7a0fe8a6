import { readFileSync } from 'node:fs'
import type { Tensor } from '../../ts/index'

interface Entry {
  dtype: string
  shape: number[]
  data_offsets: [number, number]
}

/** A reader of its own: the one under test must not judge itself. */
export function readSafetensors(
  path: string,
): Map<string, { dtype: string; shape: number[]; bytes: Buffer }> {
  const file = readFileSync(path)
  const headerLength = Number(file.readBigUInt64LE(0))
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerLength)) as Record<string, Entry>
  const tensors = new Map<string, { dtype: string; shape: number[]; bytes: Buffer }>()
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(header)) {
    if (name === '__metadata__') continue
    const bytes = file.subarray(8 + headerLength + offsets[0], 8 + headerLength + offsets[1])
    tensors.set(name, { dtype, shape, bytes })
  }
  return tensors
}

export function readFloats(path: string): Map<string, Tensor> {
  const floats = new Map<string, Tensor>()
  for (const [name, { dtype, shape, bytes }] of readSafetensors(path)) {
    if (dtype !== 'F32') continue
    floats.set(name, { data: new Float32Array(Uint8Array.from(bytes).buffer), shape })
  }
  return floats
}

export function safetensorsMetadata(path: string): Record<string, string> {
  const file = readFileSync(path)
  const header = JSON.parse(file.toString('utf8', 8, 8 + Number(file.readBigUInt64LE(0))))
  return header.__metadata__
}
