import type { Peaks, Profile, ProfileStep } from './profile'

/** What some work took, beside what the device could do at best. */
export interface Rates {
  seconds: number
  /** Of the time of all steps. */
  share: number
  gigaflopsPerSecond: number
  gigabytesPerSecond: number
  /**
   * The roofline's time over the time that it took: the longer one of what the products take at the device's peak, and
   * of what reading and writing every operand once takes. Beyond 1 where operands come from a cache, or where the
   * algorithm needs fewer products than `flops` counts, as Winograd's does.
   */
  roofShare: number
}

/** A step of a program with its rates. */
export interface RatedStep extends ProfileStep, Rates {
  /** FLOP per byte. */
  intensity: number
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
  return {
    ...profile,
    peaks,
    seconds: totalSeconds,
    groups: [...groups.values()]
      .map((steps) => ({
        op: steps[0]!.op,
        implementation: steps[0]!.implementation,
        steps: steps.length,
        ...rate(steps),
      }))
      .sort((a, b) => b.seconds - a.seconds),
    steps: profile.steps.map((step) => ({
      ...step,
      ...rate([step]),
      intensity: ratio(step.flops, step.bytes),
    })),
  }
}

function roofSeconds({ dtype, flops, bytes }: ProfileStep, peaks: Peaks): number {
  const peak = peaks.flopsPerSecond[dtype] ?? Math.max(...Object.values(peaks.flopsPerSecond))
  return Math.max(flops / peak, bytes / peaks.bytesPerSecond)
}

/** Of nothing, nothing: a step that takes no time has no rate. */
const ratio = (amount: number, of: number): number => (of > 0 ? amount / of : 0)

const sum = <T>(items: readonly T[], value: (item: T) => number): number =>
  items.reduce((total, item) => total + value(item), 0)
