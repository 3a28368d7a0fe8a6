import { type Kind, kinds, type Measurement, nameOf, type ResultFile, ratiosToPeers } from './results'

/** A goal of this project beside what a run reached. */
export interface Target {
  what: string
  reached: number
  goal: number
  /** Whether the goal is the least that will do, or the most. */
  bound: 'at least' | 'at most'
}

type Goals = readonly [own: string, peer: string, atLeast: number][]

const onnx = 'onnxruntime-node fp32'
const compiled = 'torch.compile bf16'
const quantised = 'onnxruntime-node int8'

/**
 * How many times as fast as a peer one precision of ours should be, by measurement. They were set for processors with a
 * matrix unit (AMX), where bf16 is many times as fast as float32.
 */
const speedGoals: Record<string, Goals> = {
  'inference/jcs-segmentation/1x512': [
    ['bf16', onnx, 6],
    ['fp32', onnx, 1.1],
    ['bf16', compiled, 1.5],
  ],
  'inference/jcs-joint/1x512': [
    ['bf16', onnx, 6],
    ['bf16', compiled, 1.5],
  ],
  'inference/res2net50-v1b/16x224': [
    ['bf16', onnx, 6],
    ['fp32', onnx, 1.1],
    ['bf16', compiled, 1.8],
  ],
  'inference/res2net50-v1b/1x224': [
    ['bf16', onnx, 4],
    ['bf16', compiled, 1.8],
  ],
  'training/jcs-segmentation/1x512': [['bf16', 'pytorch bf16', 2.5]],
  'training/res2net50-v1b/16x224': [['bf16', 'pytorch bf16', 3]],
}

const both = (peer: string, atLeast: number): Goals => [
  ['fp32', peer, atLeast],
  ['bf16', peer, atLeast],
]

/** Those of a measurement, where a kind has the same for all of its own. */
function peerGoals({ name, kind }: Measurement): Goals {
  if (kind === 'memory') return [...both('pytorch fp32', 2), ...both(compiled, 2), ...both(onnx, 1)]
  if (kind === 'int8') return [['int8', quantised, 1.5]]
  if (kind === 'start') return both(onnx, 2)
  if (kind === 'restart') return both(onnx, 3)
  if (kind === 'decoding') return [['int16', 'gdcm int16', 1 / 1.5]]
  if (kind === 'isa') return [['fp32', onnx, 1]]
  return speedGoals[name] ?? []
}

/** Of figures that are no ratio to a peer, in their own unit. */
const mostOf: Partial<Record<Kind, number>> = {
  overhead: 1,
  case: 1.1,
  dicom: 1.1,
  service: 1 / 0.95,
  distributed: 2 / 1.7,
}

/** The same, where those of a kind differ. */
const mostOfName: readonly [start: string, most: number][] = [
  ['service/event-loop/', 5],
  ['service/abort/', 50],
  ['service/lone/', 1],
]

const leastThreadSpeedup = 1.8
/** Of the cost of a slice among many over that of a slice alone: linear, and some room for noise. */
const mostCostGrowth = 1.05

/** All that the file's measurements can tell of; a peer that is absent has no line. */
export function targetsOf({ measurements }: ResultFile): Target[] {
  return [
    ...measurements.flatMap(ownTargets),
    ...measurements.flatMap(int8Targets),
    ...scalingTargets(measurements),
  ]
}

function ownTargets(measurement: Measurement): Target[] {
  const { name, kind, results } = measurement
  const most = mostOf[kind] ?? mostOfName.find(([start]) => name.startsWith(start))?.[1]
  if (most !== undefined)
    return results.map((own) => ({
      what: `${name} ${own.precision}: ${kinds[kind]}, ${measurement.unit}`,
      reached: own.median,
      goal: most,
      bound: 'at most',
    }))
  return peerGoals(measurement).flatMap(([precision, peer, goal]) =>
    results
      .filter((own) => own.precision === precision)
      .flatMap((own) => ratiosToPeers(measurement, own))
      .filter((ratio) => ratio.peer === peer)
      .map(({ ratio }) => ({
        what: `${name} ${precision}: ${peer} / ours`,
        reached: ratio,
        goal,
        bound: 'at least',
      })),
  )
}

/** How many times as fast as in numbers, at their fastest, a quantised network should be. */
function int8Targets({ name, kind, network, results }: Measurement): Target[] {
  if (kind !== 'int8') return []
  const own = results.filter(({ engine }) => engine === 'jcs-ct')
  const bytes = own.find(({ precision }) => precision === 'int8')
  const numbers = own
    .filter(({ precision }) => precision !== 'int8')
    .toSorted((a, b) => a.median - b.median)[0]
  if (!bytes || !numbers) return []
  return [
    {
      what: `${name}: ours in ${numbers.precision} / int8`,
      reached: numbers.median / bytes.median,
      goal: network.startsWith('res2net') ? 1.6 : 1.25,
      bound: 'at least',
    },
  ]
}

/** Between measurements of the most slices: 1 thread over 2, and a slice among many over a slice alone. */
function scalingTargets(measurements: readonly Measurement[]): Target[] {
  const scaling = measurements.filter(({ kind }) => kind === 'scaling')
  const most = Math.max(...scaling.map(({ batch }) => batch))
  const median = (batch: number, threads: number | undefined, engine: string) =>
    scaling
      .find((measurement) => measurement.batch === batch && measurement.threads === threads)
      ?.results.find((result) => nameOf(result) === engine)?.median
  const targets: Target[] = []
  for (const { batch, threads, results, network } of scaling) {
    if (batch !== most) continue
    for (const own of results) {
      const what = `scaling/${network} ${own.precision}`
      const single = median(batch, 1, nameOf(own))
      if (threads === 2 && single !== undefined)
        targets.push({
          what: `${what}: 1 thread / 2 threads, ${batch} slices`,
          reached: single / own.median,
          goal: leastThreadSpeedup,
          bound: 'at least',
        })
      const alone = median(1, threads, nameOf(own))
      if (alone !== undefined && most > 1)
        targets.push({
          what: `${what}, ${threads} thread${threads === 1 ? '' : 's'}: a slice of ${batch} / a slice alone`,
          reached: own.median / alone,
          goal: mostCostGrowth,
          bound: 'at most',
        })
    }
  }
  return targets
}

export const isReached = ({ reached, goal, bound }: Target): boolean =>
  bound === 'at least' ? reached >= goal : reached <= goal
