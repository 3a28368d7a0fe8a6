import {
  ellipse,
  ellipsoid,
  lerp,
  type Point,
  segment,
  smoothIntersection,
  smoothstep,
  smoothUnion,
  superellipse,
} from './geometry'
import { NoiseField } from './noise-field'
import type { Patient } from './patient'
import { mix } from './random'

/** Radius of the trachea and the height of the carina as a share of the lung height. */
const tracheaRadius = 8.5
export const carinaLevel = 0.36
export const hilumLevel = 0.46

/** The organs of a patient as distances (geometry.ts), the same in every slice and at every resolution. */
export class Anatomy {
  readonly patient: Patient
  readonly #outline: NoiseField
  readonly #heart: Point
  readonly #spineY: number

  constructor(patient: Patient) {
    this.patient = patient
    this.#outline = new NoiseField(mix(patient.seed) ^ 0x11)
    this.#heart = { x: 20, y: -20, z: 0.66 * patient.lungHeight }
    this.#spineY = patient.cavity.b - 6
  }

  /** The chest cavity narrows towards the apex. */
  cavity(x: number, y: number, z: number): number {
    const { cavity, lungHeight } = this.patient
    const growth = lerp(0.56, 1, smoothstep(-0.12, 0.42, z / lungHeight))
    const wobble = 2.5 * this.#outline.at(x / 34, y / 34, z / 40)
    return superellipse(x, y, cavity.a * growth, cavity.b * lerp(growth, 1, 0.3), 2.25) + wobble
  }

  body(x: number, y: number, z: number): number {
    const { cavity, fat, lungHeight } = this.patient
    const shoulders = 34 * (1 - smoothstep(0.02, 0.24, z / lungHeight))
    const wobble = 2 * this.#outline.at(x / 60 + 40, y / 60, z / 80)
    const a = cavity.a + 22 + fat + shoulders
    const b = cavity.b + 22 + 0.75 * fat
    return superellipse(x, y - 5, a, b, 2.35) + wobble
  }

  /** Distance to the outer face of the muscles, which the fat covers. */
  muscle(x: number, y: number, z: number): number {
    const { cavity, lungHeight } = this.patient
    const shoulders = 30 * (1 - smoothstep(0.02, 0.24, z / lungHeight))
    const wobble = 4 * this.#outline.at(x / 26 + 80, y / 26, z / 50)
    // Pectoral muscles in front and erector muscles behind are thicker than the flanks.
    const angle = Math.atan2(y, x)
    const bulk = 6 * Math.max(0, Math.sin(2 * Math.abs(angle) - 0.4) ** 2)
    return superellipse(x, y - 4, cavity.a + 13 + shoulders, cavity.b + 16, 2.3) + wobble - bulk
  }

  heart(x: number, y: number, z: number): number {
    const { heartScale } = this.patient
    const dx = x - this.#heart.x
    const dy = y - this.#heart.y
    const cos = Math.cos(0.55)
    const sin = Math.sin(0.55)
    return ellipsoid(
      dx * cos + dy * sin,
      -dx * sin + dy * cos,
      z - this.#heart.z,
      60 * heartScale,
      45 * heartScale,
      62 * heartScale,
    )
  }

  vertebra(x: number, y: number): number {
    const dy = y - this.#spineY
    if (Math.abs(x) > 30 || Math.abs(dy) > 30) return Number.POSITIVE_INFINITY
    return superellipse(x, dy, 19, 15, 2.4)
  }

  spinalCanal(x: number, y: number): number {
    return ellipse(x, y - this.#spineY - 22, 9, 7)
  }

  /** Pedicles, laminae and the spinous and transverse processes as one star-shaped arch behind the vertebral body. */
  vertebralArch(x: number, y: number, z: number): number {
    const dy = y - this.#spineY - 22
    if (Math.abs(x) > 45 || Math.abs(dy) > 40) return Number.POSITIVE_INFINITY
    const ring = Math.abs(ellipse(x, dy, 12.5, 10.5)) - 3
    const spinous = ellipse(x, dy - 20, 3.2, 13)
    const level = Math.sin(z / 4.2) * 2
    const transverse = ellipse(Math.abs(x) - 24, dy - 1 - level, 13, 4)
    return Math.min(ring, spinous, transverse)
  }

  /** Everything between and below the lungs. */
  mediastinum(x: number, y: number, z: number): number {
    const { cavity, lungHeight } = this.patient
    const t = z / lungHeight
    const width = lerp(22, 30, smoothstep(0.1, 0.4, t))
    let distance = ellipse(x - 2, y + 12, width, 0.62 * cavity.b)
    distance = smoothUnion(distance, ellipse(x, y + cavity.b, 16, 16), 14)
    distance = smoothUnion(distance, this.heart(x, y, z) - 3, 10)
    distance = smoothUnion(distance, ellipse(x, y - this.#spineY, 27, 24), 12)
    // The descending aorta runs beside the spine; above the carina it turns into the arch.
    const arch = smoothstep(0.2, 0.3, t)
    distance = smoothUnion(distance, ellipse(x - 22, y - this.#spineY + 24, 12.5, 12.5) + 14 * (1 - arch), 7)
    for (const side of [-1, 1]) {
      const hilum = ellipse(x - 34 * side, y - 4, 13, 15) + Math.abs(z - hilumLevel * lungHeight) * 0.35
      distance = smoothUnion(distance, hilum, 8)
    }
    return smoothUnion(distance, this.diaphragm(x, y, z), 4)
  }

  /** Distance to what lies below the diaphragm: liver, stomach, spleen. Two domes; the right one, at the image's left, stands higher because of the liver. */
  diaphragm(x: number, y: number, z: number): number {
    const { cavity, lungHeight } = this.patient
    const right = x < 0
    const centre = (right ? -0.46 : 0.46) * cavity.a
    const top = (right ? 0.78 : 0.82) * lungHeight
    const dx = (x - centre) / (0.5 * cavity.a)
    const dy = (y + 0.08 * cavity.b) / (0.75 * cavity.b)
    const surface = top + 0.2 * lungHeight * (dx * dx + dy * dy)
    return (surface - z) * 0.75
  }

  /** `cavity` is what cavity() gives for the same point, where the caller has it already. */
  lung(x: number, y: number, z: number, cavity = this.cavity(x, y, z)): number {
    if (cavity > 15) return cavity
    const rough = 1.6 * this.#outline.at(x / 11 + 160, y / 11, z / 14)
    return smoothIntersection(cavity + 2, -this.mediastinum(x, y, z), 8) + rough
  }

  /**
   * Ribs slope down from back to front, so that an axial slice cuts each of them obliquely. Returns the distance to the
   * nearest rib. `cavityDistance` is what cavity() gives for the same point.
   */
  ribs(y: number, z: number, cavityDistance: number): number {
    const { cavity } = this.patient
    const radial = cavityDistance - 5
    if (Math.abs(radial) > 12) return Number.POSITIVE_INFINITY
    const front = (1 - y / cavity.b) / 2
    // The cartilage at the front is not bone.
    if (front > 0.94) return Number.POSITIVE_INFINITY
    const pitch = 26
    const along = z - 75 * front + 200
    const offset = along - pitch * Math.round(along / pitch)
    return ellipse(radial, offset, 4, 6.5)
  }

  sternum(x: number, y: number): number {
    const dy = y + this.patient.cavity.b + 5
    if (Math.abs(x) > 30 || Math.abs(dy) > 20) return Number.POSITIVE_INFINITY
    return superellipse(x, dy, 19, 6, 2.6)
  }

  /** Shoulder blades, and clavicles near the apex. */
  shoulderBones(x: number, y: number, z: number): number {
    const { cavity, lungHeight } = this.patient
    const t = z / lungHeight
    const blade =
      t < 0.5
        ? segment(Math.abs(x), y, 0.68 * cavity.a, 0.93 * cavity.b, 0.98 * cavity.a, 0.5 * cavity.b) - 3
        : 99
    const clavicle =
      t < 0.14
        ? segment(Math.abs(x), y, 26, -0.95 * cavity.b, 0.8 * cavity.a, -0.78 * cavity.b) -
          5 +
          Math.abs(t - 0.08) * 90
        : 99
    return Math.min(blade, clavicle)
  }

  /** The air inside trachea and main bronchi. */
  airway(x: number, y: number, z: number): number {
    const t = z / this.patient.lungHeight
    if (t < carinaLevel) return ellipse(x - 2, y - 2, tracheaRadius, tracheaRadius * 0.92)
    if (t > hilumLevel) return Number.POSITIVE_INFINITY
    const spread = (t - carinaLevel) / (hilumLevel - carinaLevel)
    // A bronchus runs at a slant: its section is wider than the tube.
    return ellipse(Math.abs(x - 2) - lerp(4, 32, spread), y - lerp(2, 6, spread), 7.5, 5.5)
  }
}
