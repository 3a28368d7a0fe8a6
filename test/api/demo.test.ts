import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { writeCtSeries } from '../../ts/demo/ct-series'
import { diagnoseDicomPhantom } from '../../ts/demo/dicom-phantom'
import { generateCase, openCase, type ProgressEvent } from '../../ts/index'
import { largestDifference, readElsewhere } from './dicom-readers'

t.test('a phantom written as DICOM is what other readers read, and in order again', async (t) => {
  const phantom = generateCase(9, { infected: true, slices: 7, size: 64, hounsfield: true })
  const directory = join(t.testdir({}), 'series')
  await writeCtSeries(directory, phantom)
  const names = readdirSync(directory)
  t.equal(names.length, 7)
  const elsewhere = readElsewhere(
    names.map((name) => join(directory, name)),
    t.testdirName,
  )
  using scan = openCase(directory)
  const order: number[] = []
  for (let index = 0; index < 7; index++) {
    const image = await scan.image(index)
    const read = elsewhere[names.indexOf(image.source!)]!
    t.equal(largestDifference(image, read), 0)
    t.same(image.data, phantom.slices[index]!.hounsfield, 'head first, HU as they were drawn')
    t.same([image.positionMm, image.spacing], [read.position, read.spacing])
    order.push(names.indexOf(image.source!))
  }
  t.notSame(order, [...order].sort(), 'which the names of the files do not give away')
  t.same(scan.warnings, [])
  t.equal(scan.laterality, 'patient')
  const [row, column, between] = scan.series!.spacingMm!
  t.ok(Math.abs(between! - phantom.sliceSpacingMm) < 1e-5)
  for (const side of [row, column]) t.ok(Math.abs(side! - phantom.slices[0]!.pixels.spacing[0]) < 1e-5)
  await t.rejects(
    writeCtSeries(directory, generateCase(9, { infected: true, slices: 1, size: 64 })),
    TypeError,
  )
})

t.test('the pictures of a phantom show its Hounsfield units through a window', (t) => {
  const { slices } = generateCase(4, { infected: true, slices: 2, size: 64, hounsfield: true })
  for (const { pixels, hounsfield } of slices) {
    const pairs = Array.from(hounsfield!, (hu, i) => [hu, pixels.data[i]!] as const)
    const shown = pairs.filter(([, gray]) => gray > 0 && gray < 255)
    const [low, high] = [shown.toSorted(([a], [b]) => a - b)[0]!, shown.toSorted(([a], [b]) => b - a)[0]!]
    const slope = (high[1] - low[1]) / (high[0] - low[0])
    t.ok(shown.every(([hu, gray]) => Math.abs(low[1] + slope * (hu - low[0]) - gray) <= 1.5))
    t.ok(Math.min(...hounsfield!) < -900)
  }
  t.end()
})

t.test('the shipped models measure a phantom that lies there as a scanner leaves it', async (t) => {
  const directory = t.testdir({})
  const phases = new Set<string>()
  const onProgress = ({ phase }: ProgressEvent) => phases.add(phase)
  const { signal } = new AbortController()
  const found = await diagnoseDicomPhantom(3, directory, { threads: 2 }, (start) =>
    start({ signal, onProgress }),
  )
  t.ok(Math.abs(found!.lungVolumeMl / found!.trueLungVolumeMl - 1) < 0.1, 'lungs within a tenth')
  t.ok(found!.lesionVolumeMl > 0)
  t.same(
    readdirSync(directory).sort(),
    [found!.directory, found!.report].map((path) => path.slice(directory.length + 1)).sort(),
  )
  t.ok(phases.has('segment'))
})
