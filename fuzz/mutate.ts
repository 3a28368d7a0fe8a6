/** Numbers that say too much, or too little. */
const limits = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff]

/** In [0, n); the same ones for a seed (Lehmer). */
export type Random = (n: number) => number

export function randomOf(seed: number): Random {
  let state = (seed % 2147483646) + 1
  return (n) => {
    state = (state * 48271) % 2147483647
    return state % n
  }
}

type Mutation = (bytes: Buffer, random: Random, other: Uint8Array) => Buffer

const mutations: readonly Mutation[] = [
  // A bit.
  (bytes, random) => {
    const at = random(bytes.length)
    bytes[at] = bytes[at]! ^ (1 << random(8))
    return bytes
  },
  // A byte.
  (bytes, random) => {
    bytes[random(bytes.length)] = random(256)
    return bytes
  },
  // A number of one, two or four bytes.
  (bytes, random) => {
    const length = Math.min(bytes.length, 1 << random(3))
    const value = limits[random(limits.length)]! % 2 ** (8 * length)
    const at = random(bytes.length - length + 1)
    if (random(4) > 0) bytes.writeUIntLE(value, at, length)
    else bytes.writeUIntBE(value, at, length)
    return bytes
  },
  // Less.
  (bytes, random) => {
    const [begin, length] = part(bytes, random)
    return Buffer.concat([bytes.subarray(0, begin), bytes.subarray(begin + length)])
  },
  // The end is missing.
  (bytes, random) => bytes.subarray(0, random(bytes.length)),
  // Something twice.
  (bytes, random) => {
    const [begin, length] = part(bytes, random)
    return Buffer.concat([bytes.subarray(0, begin + length), bytes.subarray(begin)])
  },
  // Something of another file.
  (bytes, random, other) => {
    const [begin, length] = part(other, random)
    const at = random(bytes.length)
    return Buffer.concat([bytes.subarray(0, at), other.subarray(begin, begin + length), bytes.subarray(at)])
  },
  // Something of another file in the place of what was there.
  (bytes, random, other) => {
    const [begin, length] = part(other, random)
    const at = random(bytes.length)
    bytes.set(other.subarray(begin, begin + Math.min(length, bytes.length - at)), at)
    return bytes
  },
]

function part(bytes: Uint8Array, random: Random): [begin: number, length: number] {
  const begin = random(Math.max(1, bytes.length))
  return [begin, Math.min(bytes.length - begin, 1 + random(random(2) === 0 ? 8 : 256))]
}

/** `bytes`, changed a few times; something of `other` may come into it. */
export function mutate(
  bytes: Uint8Array,
  other: Uint8Array,
  { longest, random }: { longest: number; random: Random },
): Buffer {
  let changed = Buffer.from(bytes)
  for (let times = 1 + random(4); times > 0; times--) {
    if (changed.length === 0) changed = Buffer.alloc(1)
    changed = Buffer.from(mutations[random(mutations.length)]!(changed, random, other))
  }
  return changed.subarray(0, longest)
}
