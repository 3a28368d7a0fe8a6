import type { Alternative, Peaks, Profile, ProfileStep } from './profile'

/** What some work took, beside what the device could do at best. */
export interface Rates {
  seconds: number
  /** Of the time of all steps. */
  share: number
  gigaflopsPerSecond: number
  gigabytesPerSecond: number
  /**
   * The roofline's time over the time that it took: the longer one of what the kernel's products take at the device's
   * peak, and of what reading and writing every operand once takes. Beyond 1 where operands come from a cache.
   */
  roofShare: number
}

/**
 * What bounds a step: the rate of products, that of memory, or its kernel, which takes more than twice the longer one
 * of both: it waits, moves what it need not, or computes what are no products.
 */
export type Bound = 'products' | 'memory' | 'kernel'

/** A step of a program with its rates. */
export interface RatedStep extends ProfileStep, Rates {
  /** FLOP per byte. */
  intensity: number
  boundBy: Bound
}

/** All steps of one op that one kernel did. */
export interface StepGroup extends Rates {
  op: string
  implementation: string
  steps: number
  flops: number
  bytes: number
}

/** A profile with rates, in groups, beside the peaks of the device. */
export interface Roofline extends Omit<Profile, 'steps'> {
  peaks: Peaks
  seconds: number
  /** The slowest first. */
  groups: StepGroup[]
  /** As they run. */
  steps: RatedStep[]
  /** What steps take, by what bounds them. */
  secondsBoundBy: Record<Bound, number>
  /**
   * What the fastest alternative of every layer that has a faster one would save, by the dtype of its activations; where
   * alternatives were asked for. Without what conversions between layers of unlike dtypes take.
   */
  secondsToSave?: Record<string, number> | undefined
}

/** Rates every step of a profile, and every group of them, by what the device can do at best. */
export function rooflineOf(profile: Profile, peaks: Peaks): Roofline {
  const totalSeconds = sum(profile.steps, ({ seconds }) => seconds)
  const rate = (steps: readonly ProfileStep[]): Rates & { flops: number; bytes: number } => {
    const seconds = sum(steps, (step) => step.seconds)
    const flops = sum(steps, (step) => step.flops)
    const bytes = sum(steps, (step) => step.bytes)
    return {
      flops,
      bytes,
      seconds,
      share: ratio(seconds, totalSeconds),
      gigaflopsPerSecond: ratio(flops, seconds) / 1e9,
      gigabytesPerSecond: ratio(bytes, seconds) / 1e9,
      roofShare: ratio(
        sum(steps, (step) => roofSeconds(step, peaks)),
        seconds,
      ),
    }
  }
  const groups = new Map<string, ProfileStep[]>()
  for (const step of profile.steps) {
    const key = `${step.op} ${step.implementation}`
    groups.set(key, [...(groups.get(key) ?? []), step])
  }
  const steps = profile.steps.map((step) => ({
    ...step,
    ...rate([step]),
    intensity: ratio(step.flops, step.bytes),
    boundBy: boundOf(step, peaks),
  }))
  const secondsBoundBy = { products: 0, memory: 0, kernel: 0 }
  for (const { boundBy, seconds } of steps) secondsBoundBy[boundBy] += seconds
  return {
    ...profile,
    peaks,
    seconds: totalSeconds,
    secondsBoundBy,
    ...(steps.some(({ alternatives }) => alternatives) && { secondsToSave: savingsOf(steps) }),
    groups: [...groups.values()]
      .map((steps) => ({
        op: steps[0]!.op,
        implementation: steps[0]!.implementation,
        steps: steps.length,
        ...rate(steps),
      }))
      .sort((a, b) => b.seconds - a.seconds),
    steps,
  }
}

/** A step's best other kernel, where it is faster than its own. */
export function bestAlternative({ alternatives }: ProfileStep): Alternative | undefined {
  const best = alternatives?.[0]
  return best && best.speedup > 1 ? best : undefined
}

function savingsOf(steps: readonly ProfileStep[]): Record<string, number> {
  const saved: Record<string, number> = {}
  for (const { alternatives = [], seconds } of steps)
    for (const dtype of new Set(alternatives.map((alternative) => alternative.dtype))) {
      const { speedup } = alternatives.find((alternative) => alternative.dtype === dtype)!
      saved[dtype] = (saved[dtype] ?? 0) + seconds * Math.max(0, 1 - 1 / speedup)
    }
  return saved
}

function productSeconds({ kernelDtype, kernelFlops }: ProfileStep, peaks: Peaks): number {
  return kernelFlops / (peaks.flopsPerSecond[kernelDtype] ?? Math.max(...Object.values(peaks.flopsPerSecond)))
}

const memorySeconds = ({ bytes }: ProfileStep, peaks: Peaks): number => bytes / peaks.bytesPerSecond

const roofSeconds = (step: ProfileStep, peaks: Peaks): number =>
  Math.max(productSeconds(step, peaks), memorySeconds(step, peaks))

/** Of the roof; a step further below it is bound by its kernel. */
const leastRoofShare = 0.5

function boundOf(step: ProfileStep, peaks: Peaks): Bound {
  if (roofSeconds(step, peaks) < leastRoofShare * step.seconds) return 'kernel'
  return productSeconds(step, peaks) > memorySeconds(step, peaks) ? 'products' : 'memory'
}

/** Of nothing, nothing: a step that takes no time has no rate. */
const ratio = (amount: number, of: number): number => (of > 0 ? amount / of : 0)

const sum = <T>(items: readonly T[], value: (item: T) => number): number =>
  items.reduce((total, item) => total + value(item), 0)
