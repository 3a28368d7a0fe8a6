import { type ctSlice, element } from './dicom-files'
import { thresholdModel } from './threshold-model'

/** A chest of boxes in HU, of which every volume is known. */

export const size = 64
export const count = 30
/** Pixels of 0.5 × 0.75 mm, slices 2 mm apart. */
export const voxelMl = (0.5 * 0.75 * 2) / 1000

/** Pixels [x0, x1) × [y0, y1) of slices [z0, z1), slice 0 at the head. */
export interface Box {
  x: [number, number]
  y: [number, number]
  z: [number, number]
  hu: number
}
export const voxels = ({ x, y, z }: Box) => (x[1] - x[0]) * (y[1] - y[0]) * (z[1] - z[0])

export const lungs: Box[] = [
  { x: [6, 28], y: [10, 50], z: [0, 30], hu: -850 },
  { x: [36, 58], y: [10, 50], z: [0, 30], hu: -850 },
]
export const trachea: Box = { x: [30, 33], y: [20, 24], z: [0, 8], hu: -1000 }
/** In the image's left lung, the patient's right one: in slices 2 to 6. */
export const upper: Box = { x: [10, 18], y: [20, 30], z: [2, 7], hu: -500 }
export const lower: Box = { x: [40, 50], y: [40, 50], z: [25, 28], hu: -400 }

const tissue = 0

export function scan(boxes: readonly Box[], spacing = 2): Parameters<typeof ctSlice>[0][] {
  return Array.from({ length: count }, (_, z) => {
    const stored = new Uint16Array(size * size).fill(tissue + 1024)
    for (const box of boxes) {
      if (z < box.z[0] || z >= box.z[1]) continue
      for (let y = box.y[0]; y < box.y[1]; y++)
        stored.fill(box.hu + 1024, y * size + box.x[0], y * size + box.x[1])
    }
    return {
      number: z,
      position: [0, 0, -spacing * z] as const,
      change: [
        element('00280010', 'US', [size]),
        element('00280011', 'US', [size]),
        element('7FE00010', 'OW', new Uint8Array(stored.buffer)),
      ],
    }
  })
}

/** Lungs are what is below −300 HU, lesions what is above −700: the body as well, but that is outside the lungs. */
export async function networks(directory: string) {
  return {
    lungs: await thresholdModel(directory, -300, { below: true }),
    segmenter: await thresholdModel(directory, -700, { minLesionAreaMm2: 5 }),
  }
}
