import { Random } from './random'

/** The anatomy of one synthetic patient. Lengths in mm, densities in Hounsfield units (HU). */
export interface Patient {
  seed: number
  /** Height of the lungs, apex to base. */
  lungHeight: number
  /** Half axes of the chest cavity at its widest. */
  cavity: { a: number; b: number }
  fat: number
  heartScale: number
  /** Whole-body rotation in the image plane, radians. */
  tilt: number
  /** Density of the parenchyma without vessels. */
  lungHu: number
  /** Rise of that density from front to back, as in a patient who lies on the back. */
  dependentHu: number
  /** A subpleural dependent band (mild atelectasis): smooth, symmetric and no lesion. */
  dependentBand?: { hu: number; depth: number }
  vesselDensity: number
  /** Emphysema-like dark patches, 0 to 1. */
  emphysema: number
  /** The levels, as shares of the lung height, in which an infected patient has opacities; drawn for everyone. */
  zone: { from: number; to: number }
}

/** How the patient was scanned and displayed. */
export interface Acquisition {
  fieldOfView: number
  offset: { x: number; y: number }
  sliceThickness: number
  window: { level: number; width: number }
  noiseHu: number
  /** Standard deviation of the reconstruction kernel. */
  blur: number
  /** Length of the motion blur and its direction, radians. */
  motion: number
  motionAngle: number
  /** Height of the table below the centre of the body; absent when it lies outside the picture. */
  table?: number
  /** Arms beside the body, with the streaks they cause. */
  armsDown: boolean
  streakHu: number
}

/** Nothing here depends on whether the patient is infected: these are the confounders. */
export function drawPatient(seed: number): Patient {
  const random = new Random(seed, 'patient')
  const scale = random.uniform(0.86, 1.1)
  const zoneLength = random.uniform(0.42, 0.72)
  const zoneFrom = random.uniform(0.1, 0.92 - zoneLength)
  return {
    seed,
    lungHeight: 235 * scale * random.uniform(0.92, 1.08),
    cavity: { a: 126 * scale, b: 100 * scale * random.uniform(0.93, 1.1) },
    fat: random.uniform(5, 26),
    heartScale: random.uniform(0.85, 1.15),
    tilt: random.uniform(-0.06, 0.06),
    lungHu: random.uniform(-945, -635),
    dependentHu: random.uniform(10, 130),
    ...(random.chance(0.25) && {
      dependentBand: { hu: random.uniform(60, 130), depth: random.uniform(4, 9) },
    }),
    vesselDensity: random.uniform(0.5, 1.7),
    emphysema: random.chance(0.25) ? random.uniform(0.3, 1) : 0,
    zone: { from: zoneFrom, to: zoneFrom + zoneLength },
  }
}

export function drawAcquisition(patient: Patient): Acquisition {
  const random = new Random(patient.seed, 'acquisition')
  const bodyWidth = 2 * (patient.cavity.a + 24 + patient.fat)
  return {
    fieldOfView: bodyWidth * random.uniform(0.9, 1.08),
    offset: { x: random.uniform(-8, 8), y: random.uniform(-8, 8) },
    sliceThickness: random.uniform(3, 6),
    window: { level: random.uniform(-735, -465), width: random.uniform(1100, 1750) },
    noiseHu: random.uniform(10, 42),
    blur: random.uniform(0.5, 1.3),
    motion: random.chance(0.35) ? random.uniform(1.5, 4.5) : 0,
    motionAngle: random.uniform(0, Math.PI),
    ...(random.chance(0.7) && { table: random.uniform(6, 20) }),
    armsDown: random.chance(0.2),
    streakHu: random.uniform(4, 22),
  }
}
