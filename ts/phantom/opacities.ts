import type { Anatomy } from './anatomy'
import { lerp, smoothstep } from './geometry'
import { NoiseField } from './noise-field'
import { mix, Random } from './random'

/** One lesion in space: an ellipsoid whose surface noise has made irregular. Lengths in mm. */
export interface Opacity {
  kind: 'ground-glass' | 'consolidation'
  x: number
  y: number
  z: number
  /** Half axes along the pleura, across it, and along z. */
  along: number
  across: number
  height: number
  angle: number
  /** Ground glass adds this much density, HU; a consolidation reaches it. */
  hu: number
  /** Share of the radius over which the edge fades. */
  softness: number
  /** Strength of the fine texture (crazy paving), 0 to 1. */
  texture: number
}

/** What the opacities do to one point. */
export interface OpacitySample {
  /** 0 outside, 1 inside; the exact mask is where this is at least a half. */
  strength: number
  /** Density added by ground glass. */
  glassHu: number
  /** Share of the point that is solid, and its density. */
  solid: number
  solidHu: number
}

/** Draws the lesions of an infected patient: bilateral, mostly peripheral and towards the back, inside the patient's zone. */
export function drawOpacities(anatomy: Anatomy): Opacity[] {
  const { patient } = anatomy
  const random = new Random(patient.seed, 'opacities')
  const from = patient.zone.from * patient.lungHeight
  const to = patient.zone.to * patient.lungHeight
  const opacities: Opacity[] = []
  // Enough of them, in turn on both sides, that no level of the zone stays free.
  const levels = Math.max(3, Math.round((to - from) / 26))
  for (let level = 0; level < levels; level++) {
    const z = lerp(from, to, (level + random.uniform(0.3, 0.7)) / levels)
    const count = random.chance(0.65) ? 2 : 1
    const firstSide = random.chance(0.5) ? -1 : 1
    for (let i = 0; i < count; i++) {
      const centre = findCentre(anatomy, random, i === 0 ? firstSide : -firstSide, z)
      if (centre) opacities.push(...drawOpacity(centre, random))
    }
  }
  return opacities
}

function findCentre(
  anatomy: Anatomy,
  random: Random,
  side: number,
  z: number,
): { x: number; y: number; z: number } | undefined {
  const { a, b } = anatomy.patient.cavity
  for (let attempt = 0; attempt < 400; attempt++) {
    const x = side * random.uniform(0.1, 1) * a
    const y = random.uniform(-b, b)
    const depth = -anatomy.lung(x, y, z)
    if (depth < 3) continue
    const peripheral = depth < 16 ? 1 : 0.25
    const posterior = lerp(0.35, 1, smoothstep(-0.4 * b, 0.5 * b, y))
    if (random.chance(peripheral * posterior)) return { x, y, z }
  }
  return undefined
}

function drawOpacity({ x, y, z }: { x: number; y: number; z: number }, random: Random): Opacity[] {
  const along = random.uniform(25, 44)
  const across = random.uniform(18, 29)
  const glass: Opacity = {
    kind: 'ground-glass',
    x,
    y,
    z,
    along,
    across,
    height: random.uniform(18, 34),
    // The long axis lies along the chest wall.
    angle: Math.atan2(y, x) + Math.PI / 2 + random.uniform(-0.3, 0.3),
    hu: random.uniform(320, 480),
    softness: random.uniform(0.16, 0.34),
    texture: random.uniform(0.3, 0.9),
  }
  if (!random.chance(0.4)) return [glass]
  const shrink = random.uniform(0.4, 0.8)
  const consolidation: Opacity = {
    ...glass,
    kind: 'consolidation',
    x: x + 0.3 * along * random.uniform(-1, 1),
    y: y + 0.3 * across * random.uniform(-1, 1),
    along: along * shrink,
    across: across * shrink,
    height: glass.height * 0.8,
    hu: random.uniform(-120, 20),
    softness: random.uniform(0.07, 0.13),
    texture: 0,
  }
  return random.chance(0.7) ? [glass, consolidation] : [consolidation]
}

/** Evaluates the opacities of a patient at points in space. */
export class OpacityField {
  readonly #opacities: readonly Opacity[]
  readonly #shape: NoiseField
  readonly #texture: NoiseField

  constructor(opacities: readonly Opacity[], seed: number) {
    this.#opacities = opacities
    this.#shape = new NoiseField(mix(seed) ^ 0x51)
    this.#texture = new NoiseField(mix(seed) ^ 0x52)
  }

  /** `sample` is overwritten: this runs for every pixel of the lungs. */
  at(x: number, y: number, z: number, sample: OpacitySample): void {
    sample.strength = 0
    sample.glassHu = 0
    sample.solid = 0
    sample.solidHu = 0
    for (const opacity of this.#opacities) {
      const dz = (z - opacity.z) / opacity.height
      const dx = x - opacity.x
      const dy = y - opacity.y
      const cos = Math.cos(opacity.angle)
      const sin = Math.sin(opacity.angle)
      const u = (dx * cos + dy * sin) / opacity.along
      const v = (dy * cos - dx * sin) / opacity.across
      // The fourth power in z blunts the ends: a lesion is either well visible in a slice or not there.
      const radius = Math.sqrt(u * u + v * v + dz * dz * dz * dz)
      if (radius > 1.6) continue
      const inside = 1 - radius + 0.5 * this.#shape.fractal(x / 15, y / 15, z / 18, 3)
      const strength = smoothstep(-opacity.softness / 2, opacity.softness / 2, inside)
      if (strength <= 0) continue
      sample.strength = Math.max(sample.strength, strength)
      if (opacity.kind === 'consolidation') {
        if (strength > sample.solid) {
          sample.solid = strength
          sample.solidHu = opacity.hu
        }
      } else {
        const grain = 1 + opacity.texture * 0.7 * this.#texture.fractal(x / 5, y / 5, z / 6, 2)
        sample.glassHu = Math.max(sample.glassHu, strength * opacity.hu * grain)
      }
    }
  }
}
