import { acquire, display } from './acquisition'
import { Anatomy } from './anatomy'
import { clamp, coverage, ellipse, lerp, segment, smoothstep } from './geometry'
import { NoiseField } from './noise-field'
import { drawOpacities, OpacityField, type OpacitySample } from './opacities'
import { type Acquisition, drawAcquisition, drawPatient, type Patient } from './patient'
import { mix, Random } from './random'
import { drawVessels, growVessels, type SliceGrid, type VesselSegment } from './vessels'

const airHu = -1000
const fatHu = -95
const muscleHu = 45
const bloodHu = 50
const liverHu = 60

/** A lesion that would cover less of the image than this is not drawn in that slice: nobody could label it. */
const smallestLesionShare = 0.006

/** One rendered slice; all arrays row by row. */
export interface RenderedSlice {
  gray: Uint8Array
  /** What `gray` shows, as the scanner measured it. */
  hu: Float64Array
  lungMask: Uint8Array
  /** 1 = lesion. */
  lesionMask: Uint8Array
  /** Pixels of the mask. */
  lesionArea: number
}

/** A patient on the scanner: renders axial slices at any level. */
export class PhantomScan {
  readonly patient: Patient
  readonly size: number
  /** Side of a pixel, mm. */
  readonly pixelMm: number
  readonly #scan: Acquisition
  readonly #anatomy: Anatomy
  readonly #vessels: VesselSegment[]
  readonly #opacities: OpacityField | undefined
  readonly #tissue: NoiseField
  readonly #parenchyma: NoiseField

  constructor(seed: number, options: { infected: boolean; size: number }) {
    this.patient = drawPatient(seed)
    this.#scan = drawAcquisition(this.patient)
    this.size = options.size
    this.pixelMm = this.#scan.fieldOfView / options.size
    this.#anatomy = new Anatomy(this.patient)
    this.#vessels = growVessels(this.#anatomy)
    if (options.infected) this.#opacities = new OpacityField(drawOpacities(this.#anatomy), seed)
    this.#tissue = new NoiseField(mix(seed) ^ 0x21)
    this.#parenchyma = new NoiseField(mix(seed) ^ 0x22)
  }

  /** Renders the slice at a level given as a share of the lung height, 0 at the apex and 1 at the base. */
  render(level: number): RenderedSlice {
    const { size, pixelMm, patient } = this
    const z = level * patient.lungHeight
    const pixels = size * size
    const hu = new Float32Array(pixels)
    const lung = new Float32Array(pixels)
    const vessels = this.#vesselShare(z)
    const lesion = new Float32Array(pixels)
    const sample: OpacitySample = { strength: 0, glassHu: 0, solid: 0, solidHu: 0 }
    const healthyLungHu = new Float32Array(pixels)
    const lungHu = new Float32Array(pixels)
    let lesionArea = 0

    this.#eachPixel((index, x, y) => {
      const cavity = this.#anatomy.cavity(x, y, z)
      hu[index] = this.#softTissueAndBone(x, y, z, cavity)
      const share = coverage(this.#anatomy.lung(x, y, z, cavity), pixelMm)
      if (share === 0) return
      lung[index] = share
      const vessel = vessels[index]!
      const healthy = this.#parenchymaHu(x, y, z)
      healthyLungHu[index] = lerp(healthy, bloodHu, vessel)
      lungHu[index] = healthyLungHu[index]!
      if (!this.#opacities) return
      this.#opacities.at(x, y, z, sample)
      if (sample.strength === 0) return
      // Vessels stay visible through ground glass and vanish in a consolidation.
      const glass = Math.min(-230, healthy + sample.glassHu)
      lungHu[index] = lerp(lerp(Math.max(glass, healthy), bloodHu, vessel), sample.solidHu, sample.solid)
      lesion[index] = sample.strength
      if (sample.strength >= 0.5 && share >= 0.5) lesionArea++
    })

    const visible = lesionArea >= smallestLesionShare * pixels
    this.#eachPixel((index, x, y) => {
      if (lung[index] === 0) return
      const inLung = visible ? lungHu[index]! : healthyLungHu[index]!
      hu[index] = lerp(
        hu[index]!,
        inLung,
        lung[index]! * (1 - coverage(this.#anatomy.airway(x, y, z) - 1.5, pixelMm)),
      )
    })
    this.#addStreaks(hu, z)
    const noise = new Random(patient.seed, 'noise', Math.round(level * 1e6))
    const measured = acquire(hu, size, pixelMm, this.#scan, noise)
    return {
      gray: display(measured, this.#scan),
      hu: measured,
      lungMask: Uint8Array.from(lung, (share) => (share >= 0.5 ? 1 : 0)),
      lesionMask: Uint8Array.from(lesion, (strength, i) =>
        visible && strength >= 0.5 && lung[i]! >= 0.5 ? 1 : 0,
      ),
      lesionArea: visible ? lesionArea : 0,
    }
  }

  #vesselShare(z: number): Float32Array {
    const share = new Float32Array(this.size * this.size)
    const { fieldOfView, offset, sliceThickness } = this.#scan
    const corner = (this.pixelMm - fieldOfView) / 2
    // The tilt is left out here: a pattern of vessels looks the same when it is turned by three degrees.
    const grid: SliceGrid = {
      size: this.size,
      pixelMm: this.pixelMm,
      x0: corner + offset.x,
      y0: corner + offset.y,
      z,
    }
    drawVessels(share, this.#vessels, grid, sliceThickness)
    return share
  }

  /** Calls back with each pixel's place in the patient's coordinates, mm. */
  #eachPixel(visit: (index: number, x: number, y: number) => void): void {
    const { size, pixelMm } = this
    const { offset, fieldOfView } = this.#scan
    const corner = (pixelMm - fieldOfView) / 2
    const cos = Math.cos(this.patient.tilt)
    const sin = Math.sin(this.patient.tilt)
    for (let j = 0; j < size; j++) {
      for (let i = 0; i < size; i++) {
        const x = corner + offset.x + i * pixelMm
        const y = corner + offset.y + j * pixelMm
        visit(j * size + i, x * cos - y * sin, x * sin + y * cos)
      }
    }
  }

  #softTissueAndBone(x: number, y: number, z: number, cavity: number): number {
    const anatomy = this.#anatomy
    const px = this.pixelMm
    const body = cavity < 0 ? 1 : coverage(anatomy.body(x, y, z), px)
    const around = this.#surroundings(x, y)
    if (body === 0) return around
    const inCavity = coverage(cavity, px)
    const mottle = this.#tissue.fractal(x / 9, y / 9, z / 12, 3)
    let hu = fatHu + 25 * mottle
    if (inCavity < 1) hu = lerp(hu, muscleHu + 40 * mottle, coverage(anatomy.muscle(x, y, z), px))
    if (inCavity > 0) hu = lerp(hu, this.#organs(x, y, z, mottle), inCavity)
    hu = this.#bone(hu, anatomy.ribs(y, z, cavity), 620)
    hu = this.#bone(hu, anatomy.shoulderBones(x, y, z), 650)
    hu = this.#bone(hu, anatomy.sternum(x, y), 480)
    hu = this.#bone(hu, anatomy.vertebra(x, y), 480)
    hu = this.#bone(hu, anatomy.vertebralArch(x, y, z), 560)
    hu = lerp(hu, 30, coverage(anatomy.spinalCanal(x, y), px))
    const airway = anatomy.airway(x, y, z)
    hu = lerp(hu, 0, coverage(airway - 1.5, px))
    hu = lerp(hu, airHu, coverage(airway, px))
    return lerp(around, hu, body)
  }

  /** Fat between the heart, the great vessels and the spine; below the diaphragm the evenly dense liver and stomach. */
  #organs(x: number, y: number, z: number, mottle: number): number {
    const px = this.pixelMm
    const between = lerp(fatHu, bloodHu, smoothstep(-0.35, 0.25, mottle)) + 25 * mottle
    const withHeart = lerp(between, bloodHu + 15 * mottle, coverage(this.#anatomy.heart(x, y, z), px))
    return lerp(withHeart, liverHu + 15 * mottle, coverage(this.#anatomy.diaphragm(x, y, z), px))
  }

  /** A bright shell about 2.5 mm thick around darker marrow. */
  #bone(hu: number, distance: number, shellHu: number): number {
    const inside = coverage(distance, this.pixelMm)
    if (inside === 0) return hu
    const marrow = coverage(distance + 2.5, this.pixelMm)
    return lerp(hu, lerp(shellHu, 0.4 * shellHu, marrow), inside)
  }

  /** Air, the table and the arms. */
  #surroundings(x: number, y: number): number {
    const { table, armsDown } = this.#scan
    const { cavity, fat } = this.patient
    let hu = airHu
    if (table !== undefined) {
      const top = cavity.b + 27 + 0.75 * fat + table
      const shell = Math.abs(y - top + (x / 90) ** 2 * 6 - 4) - 1.2
      const underside = Math.abs(y - top - 16 + (x / 90) ** 2 * 14) - 1.2
      const edge = Math.abs(x) - 190
      hu = lerp(hu, -350, coverage(Math.max(Math.min(shell, underside), edge), this.pixelMm))
    }
    if (armsDown) {
      const side = Math.abs(x) - cavity.a - fat - 58
      hu = lerp(hu, fatHu, coverage(ellipse(side, y - 10, 36, 40), this.pixelMm))
      hu = lerp(hu, muscleHu, coverage(ellipse(side, y - 10, 29, 33), this.pixelMm))
      hu = this.#bone(hu, segment(side, y, -2, 8, 2, 12) - 9, 700)
    }
    return hu
  }

  #parenchymaHu(x: number, y: number, z: number): number {
    const { lungHu, dependentHu, dependentBand, emphysema, cavity } = this.patient
    const anatomy = this.#anatomy
    const back = clamp((y + cavity.b) / (2 * cavity.b), 0, 1)
    let hu =
      lungHu + dependentHu * (back ** 1.6 - 0.3) + 26 * this.#parenchyma.fractal(x / 7, y / 7, z / 9, 3)
    if (dependentBand) {
      const depth = -anatomy.lung(x, y, z)
      const band =
        smoothstep(dependentBand.depth, 0.3 * dependentBand.depth, depth) * smoothstep(0.72, 0.86, back)
      hu += dependentBand.hu * band
    }
    if (emphysema > 0) {
      hu -= 90 * emphysema * smoothstep(0.1, 0.5, this.#parenchyma.at(x / 13 + 70, y / 13, z / 15))
    }
    return Math.max(hu, -985)
  }

  /** Beam hardening: faint bands across the body, strong ones when the arms are in the beam. */
  #addStreaks(hu: Float32Array, z: number): void {
    const { streakHu, armsDown } = this.#scan
    const strength = armsDown ? 2.2 * streakHu : streakHu
    this.#eachPixel((index, x, y) => {
      if (hu[index]! < -990) return
      hu[index] = hu[index]! + strength * this.#tissue.fractal(x / 300, y / 5 + 300, z / 4, 2)
    })
  }
}
